# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is planned for which wish and which state: class, steps, strategy, or the reason why not."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import DatabaseState
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.plan import Plan
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import rehearsal, removal
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.changes import Changes
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.checks import connections
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.observed import Back, Observed
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.plan import make_plan
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.protocol import Found
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.samples import module, params, release
from hypothesis import given
from hypothesis import strategies as st

R1, R2 = release("r1"), release("r2")
IDENTITY = {"instance": "acme-production", "tenant": "acme", "environment": "production", "data_class": "production"}
MODULES = {"base": ("installed", "19.0.1.3"), "stock": ("installed", "19.0.1.1")}
SETTINGS = {"version": 170000, "max_connections": 300, "reserved": 3}
ROLES = {"acme_production_blue_web": True}
UPDATE = Changes({"stock": ("views or templates changed",)}, {}, ())
CODE = Changes({}, {"stock": ("code, static files or demo data changed",)}, ())

CODE_STEPS = ["pull", "stage", "prove", "cron_idle", "stop_cron", "switch", "finish", "watch", "record", "start_cron", "settle"]
UPDATE_STEPS = ["pull", "prepare", "cron_idle", "stop_cron", "hold", "drain", "retire", "fence", "undo_copy", "update",
                "check_modules", "open", "prove", "record", "let_go", "start_cron", "settle"]


def wish(release_: Any = R1, **changes: Any) -> Any:
    return desired(params(release=release_.reference if release_ else None, **changes))


def state(**changes: Any) -> DatabaseState:
    applied = {"id": 1, "release": R1.id, "image": R1.image_digest, "reference": R1.reference, "class": "create",
               "config_digest": wish().config_digest}
    return dataclasses.replace(
        DatabaseState(True, True, SETTINGS, ROLES, ("acme_production",), "acme_production_owner", (), MODULES, None,
                      ("en_US",), IDENTITY, applied), **changes)


def box(colour: str, kind: str, release_: Any = R1, state_: str = "running", config: str | None = None) -> Found:
    return Found(f"acme-production-{colour}-{kind}", state_, state_ == "running", release_.id, release_.image_digest, config or wish().config_digest)


def boxes(*found: Found) -> dict[str, Found]:
    return {each.name[len("acme-production-"):]: each for each in found}


def seen(**changes: Any) -> Observed:
    """r1 runs in blue."""
    values: dict[str, Any] = {"places": boxes(box("blue", "web"), box("blue", "cron")), "front": "blue",
                              "database": state(), "memory": 8 * 1024 ** 3}
    return Observed(**{**values, **changes})


NOTHING = {"places": {}, "front": None, "database": DatabaseState(False, settings=SETTINGS), "filestore": False}
R2_CODE = {"target": R2, "changes": CODE}
R2_UPDATE = {"target": R2, "changes": UPDATE}

TABLE: list[tuple[str, dict[str, Any], dict[str, Any], str, str, list[str]]] = [
    ("all as wished", {}, {}, "none", "none", []),
    ("other code", {"release_": R2}, R2_CODE, "code", "switch", CODE_STEPS),
    ("another schema", {"release_": R2}, R2_UPDATE, "update", "hold", UPDATE_STEPS),
    ("a long rehearsed pause", {"release_": R2}, {**R2_UPDATE, "rehearsal": {"ok": True, "pause": 56}}, "update", "maintenance",
     UPDATE_STEPS),
    ("a front that drops", {"release_": R2}, {**R2_UPDATE, "cannot_hold": "a Service drops"}, "update", "maintenance",
     UPDATE_STEPS),
    ("a short rehearsed pause", {"release_": R2}, {**R2_UPDATE, "rehearsal": {"ok": True, "pause": 54}}, "update", "hold",
     UPDATE_STEPS),
    ("rehearsed and required", {"release_": R2, "rehearsal": "required"}, {**R2_UPDATE, "rehearsal": {"ok": True, "pause": 5}},
     "update", "hold", UPDATE_STEPS),
    ("a new database", {}, {**NOTHING, "target": R1}, "create", "switch",
     ["pull", "create_database", "update", "check_modules", "first_password", "stage", "prove", "record", "let_go", "start_cron", "settle"]),
    ("a database without Odoo", {}, {**NOTHING, "database": state(odoo=False, modules={}, applied=None, identity=None),
     "target": R1}, "create", "switch",
     ["pull", "create_database", "update", "check_modules", "first_password", "stage", "prove", "record", "let_go", "start_cron", "settle"]),
    ("a new one from a template", {"template": "/t", "modules__install": ["stock"]},
     {**NOTHING, "target": R1, "template": {"modules": ["base", "stock"]}}, "create", "switch",
     ["pull", "restore_template", "check_modules", "first_password", "stage", "prove", "record", "let_go", "start_cron", "settle"]),
    ("a template that lacks a module", {"template": "/t", "modules__install": ["stock"]},
     {**NOTHING, "target": R1, "template": {"modules": ["base"]}}, "create", "switch",
     ["pull", "restore_template", "update", "check_modules", "first_password", "stage", "prove", "record", "let_go", "start_cron", "settle"]),
    ("adopted", {"adopt": True}, {"database": state(applied=None, identity=None), "target": R1, "front": None, "places": {}},
     "adopt", "switch", ["pull", "stage", "prove", "switch", "record", "start_cron", "settle"]),
    ("adopted, a copy", {"adopt": True, "neutralize": True}, {"database": state(applied=None, identity=None), "target": R1, "front": None, "places": {}},
     "adopt", "switch", ["pull", "neutralize", "stage", "prove", "switch", "record", "start_cron", "settle"]),
    ("a copy, released before", {"adopt": True, "neutralize": True, "release_": R2}, R2_CODE, "code", "switch", CODE_STEPS),
    ("adopted, and a language more", {"adopt": True, "languages": ["fr_FR"]},
     {"database": state(applied=None, identity=None), "target": R1, "front": None, "places": {}},
     "update", "hold", [name for name in UPDATE_STEPS if name not in ("cron_idle", "stop_cron")]),
    ("other code beside replication", {"release_": R2}, {**R2_CODE, "database": state(replication=("slot bi",))}, "code", "switch", CODE_STEPS),
    ("other code beside other sessions", {"release_": R2}, {**R2_CODE, "database": state(sessions=("bi",))}, "code", "switch", CODE_STEPS),
    ("install", {"modules__install": ["sale"]}, {}, "update", "hold", UPDATE_STEPS),
    ("installed already", {"modules__install": ["stock"]}, {}, "none", "none", []),
    ("uninstall", {"modules__uninstall": ["stock"]}, {}, "update", "hold", UPDATE_STEPS),
    ("uninstalled already", {"modules__uninstall": ["sale"]}, {}, "none", "none", []),
    ("a language", {"languages": ["fr_FR"]}, {}, "update", "hold", UPDATE_STEPS),
    ("a language that is there", {"languages": ["en_US"]}, {}, "none", "none", []),
    ("configuration", {"config": {"limit_time_real": 9}}, {}, "code", "switch", CODE_STEPS),
    ("a changed password", {"session__password": "new"}, {}, "code", "switch", CODE_STEPS),
    ("web gone", {}, {"places": boxes(box("blue", "cron"))}, "code", "switch", CODE_STEPS),
    ("web ended", {}, {"places": boxes(box("blue", "web", state_="exited"), box("blue", "cron"))}, "code", "switch", CODE_STEPS),
    ("cron gone", {}, {"places": boxes(box("blue", "web"))}, "cron", "none", ["start_cron"]),
    ("cron of another image", {}, {"places": boxes(box("blue", "web"), box("blue", "cron", R2))}, "cron", "none",
     ["start_cron"]),
    ("the front refuses", {}, {"front": None}, "code", "switch",
     ["pull", "stage", "prove", "cron_idle", "stop_cron", "switch", "record", "start_cron", "settle"]),
    ("half a front", {}, {"front": {8069: "172.28.1.11:8069"}}, "code", "switch",
     ["pull", "stage", "prove", "cron_idle", "stop_cron", "switch", "record", "start_cron", "settle"]),
    ("an update without cron", {"release_": R2}, {**R2_UPDATE, "places": boxes(box("blue", "web"))}, "update", "hold",
     [name for name in UPDATE_STEPS if name not in ("cron_idle", "stop_cron")]),
]


@pytest.mark.parametrize(("wished", "found", "kind", "strategy", "steps"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_planned(wished: dict[str, Any], found: dict[str, Any], kind: str, strategy: str, steps: list[str]) -> None:
    wanted = wish(wished.get("release_", R1), **{k: v for k, v in wished.items() if k != "release_"})
    plan = make_plan(wanted, seen(**found))
    assert (plan.facts["class"], plan.facts["strategy"], [step.name for step in plan.steps]) == (kind, strategy, steps)
    assert len({step.name for step in plan.steps}) == len(plan.steps), "the journal tells steps apart by name"
    assert plan == make_plan(wanted, seen(**found))
    json.dumps(plan.as_dict())
    assert "secret of" not in json.dumps(plan.as_dict())
    if steps:
        assert plan.before != plan.after or kind in ("adopt", "cron")
    else:
        assert plan.before == plan.after


ADOPTED: dict[str, Any] = {"target": R1, "front": None, "places": {}, "database": state(
    applied=None, identity=None, sessions=("acme_production_blue_web", "acme_production_owner", "odoo"))}
NOT_INSTALLABLE = release("r4", sale={**module(), "installable": False})
LACKING = release("r4", sale=module(depends=("base", "sales_team")))

REFUSED: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    ("another instance's", "foreign_database", {}, {"database": state(identity={**IDENTITY, "instance": "bodega"})}),
    ("another tenant's", "foreign_database", {}, {"database": state(identity={**IDENTITY, "tenant": "bodega"})}),
    ("another environment's", "foreign_database", {}, {"database": state(identity={**IDENTITY, "environment": "uat"})}),
    ("production data below", "data_class_mismatch", {"data_class": "masked"}, {}),
    ("synthetic data in production", "data_class_mismatch", {}, {"database": state(identity={**IDENTITY, "data_class": "synthetic"})}),
    ("a module on its way", "half_updated", {}, {"database": state(modules={**MODULES, "sale": ("to upgrade", "")})}),
    ("a module on its way out", "half_updated", {}, {"database": state(modules={**MODULES, "sale": ("to remove", "1")})}),
    ("Odoo's own mark", "half_updated", {}, {"database": state(partially_updated="sale")}),
    ("prepared transactions", "prepared_transactions", {}, {"database": state(prepared=("gid",))}),
    ("a slot, and an update", "replication", {"release_": R2}, {**R2_UPDATE, "database": state(replication=("slot bi",))}),
    ("a subscription, and a way back", "replication", {"release_": R2, "state": "rolled_back"}, {
        "target": R2, "back": Back("p", "2026", {}, {}), "database": state(replication=("subscription hq",))}),
    ("adopted in use", "in_use", {"adopt": True}, ADOPTED),
    ("adopted in use, and a language more", "in_use", {"adopt": True, "languages": ["fr_FR"]}, ADOPTED),
    ("no filestore", "filestore_missing", {}, {"filestore": False}),
    ("never released", "not_adopted", {}, {"database": state(applied=None), "target": R1}),
    ("adopt another version", "adopt_mismatch", {"adopt": True}, {"database": state(
        applied=None, modules={**MODULES, "stock": ("installed", "19.0.1.2")}), "target": R1}),
    ("adopt a version that ends alike", "adopt_mismatch", {"adopt": True}, {"database": state(
        applied=None, modules={**MODULES, "stock": ("installed", "19.0.11.1")}), "target": R1}),
    ("an installed module is missing", "module_missing", {"release_": R2}, {
        **R2_CODE, "database": state(modules={**MODULES, "sale": ("installed", "19.0.1.0")})}),
    ("a wished module is unknown", "module_unknown", {"release_": R2, "modules__install": ["nowhere"]}, R2_CODE),
    ("a wished module cannot be installed", "module_not_installable", {"release_": NOT_INSTALLABLE, "modules__install": ["sale"]},
     {"target": NOT_INSTALLABLE, "changes": CODE}),
    ("what a wished module needs is not there", "module_not_installable", {"release_": LACKING, "modules__install": ["sale"]},
     {"target": LACKING}),
    ("unknown in a new database", "module_unknown", {"modules__install": ["nowhere"]}, {**NOTHING, "target": R1}),
    ("another series", "other_series", {"release_": R2}, {"target": release("r2", "18.0"), "changes": CODE}),
    ("an unknown series", "unknown_series", {"release_": R2}, {"target": release("r2", "13.0"), "changes": CODE}),
    ("no database where files are", "database_missing", {}, {**NOTHING, "target": R1, "filestore": True, "files": True}),
    ("no database where processes run", "database_missing", {}, {**NOTHING, "target": R1, "places": boxes(box("blue", "web"))}),
    ("no database where a front leads", "database_missing", {}, {**NOTHING, "target": R1, "front": "blue"}),
    ("an empty database where files are", "database_missing", {}, {
        **NOTHING, "database": state(odoo=False, modules={}, applied=None, identity=None), "target": R1, "files": True}),
    ("somebody else's tables", "foreign_database", {}, {
        **NOTHING, "database": state(odoo=False, modules={}, applied=None, identity=None, tables=3), "target": R1}),
    ("no disk", "no_room", {"release_": R2}, {**R2_UPDATE, "database": state(bytes=10 ** 9, directory="/d"), "disk": 11 * 10 ** 8}),
    ("no memory", "no_room", {"release_": R2}, {**R2_CODE, "memory": 1024 ** 3}),
    ("few connections", "connection_limit", {"release_": R2}, {
        **R2_CODE, "database": state(settings={**SETTINGS, "max_connections": 90})}),
    ("a limit of the database's own", "connection_limit", {"release_": R2}, {**R2_CODE, "database": state(settings={**SETTINGS, "limit": 20})}),
    ("closed", "connection_limit", {"release_": R2}, {**R2_CODE, "database": state(settings={**SETTINGS, "limit": 0})}),
    *((f"collation {what}", "collation_changed", {"release_": R2, **more}, {
        **R2_UPDATE, "database": state(collation={"recorded": "2.31", "actual": actual, "name": "en_US.UTF-8"})})
      for what, actual, more in (("changed", "2.41", {}), ("gone", None, {}), ("changed, rehearsed", "2.41", {"state": "rehearsed"}))),
    ("not rehearsed", "not_rehearsed", {"release_": R2, "rehearsal": "required"}, R2_UPDATE),
    ("rehearsed in vain", "rehearsal_failed", {"release_": R2}, {**R2_UPDATE, "rehearsal": {"ok": False, "error": "ValueError"}}),
]


@pytest.mark.parametrize(("code", "wished", "found"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused(code: str, wished: dict[str, Any], found: dict[str, Any]) -> None:
    wanted = wish(wished.get("release_", R1), **{k: v for k, v in wished.items() if k != "release_"})
    with pytest.raises(DomainError) as error:
        make_plan(wanted, seen(**found))
    assert error.value.code == code and error.value.unchanged.startswith("Nothing was changed")
    assert error.value.advice or code == "unknown_series"


def test_who_must_leave_before_an_adoption_is_planned_beforehand() -> None:
    plan = make_plan(wish(adopt=True, state="planned"), seen(**ADOPTED))
    assert plan.facts["in_use"] == ["odoo"] and plan.facts["class"] == "adopt"
    assert "in_use" not in make_plan(wish(), seen(database=state(sessions=("bi",)))).facts


def test_nothing_is_refused_for_room_where_nothing_is_started() -> None:
    assert make_plan(wish(), seen(memory=1, database=state(settings={**SETTINGS, "max_connections": 10}))).steps == ()


def test_only_an_update_needs_disk_for_an_undo_copy() -> None:
    full = {"database": state(bytes=10 ** 9), "disk": 1}
    assert make_plan(wish(R2), seen(**R2_CODE, **full)).steps
    assert make_plan(wish(R2), seen(**R2_UPDATE, database=state(bytes=10 ** 9), disk=13 * 10 ** 8)).steps


@pytest.mark.parametrize("collation", [
    None, {"recorded": None, "actual": None, "name": "C"}, {"recorded": None, "actual": "2.41", "name": "C"},
    {"recorded": "2.41", "actual": "2.41", "name": "en_US.UTF-8"}])
def test_a_collation_that_is_the_machines_is_no_matter(collation: Any) -> None:
    assert make_plan(wish(R2), seen(**R2_UPDATE, database=state(collation=collation))).steps


def test_a_release_that_copies_nothing_takes_a_changed_collation() -> None:
    changed = {"recorded": "2.31", "actual": "2.41", "name": "en_US.UTF-8"}
    assert make_plan(wish(R2), seen(**R2_CODE, database=state(collation=changed))).steps
    with pytest.raises(DomainError) as error:
        make_plan(wish(R2), seen(**R2_UPDATE, database=state(collation=changed)))
    assert "2.31" in error.value.message and "2.41" in error.value.message
    assert 0 < error.value.advice.index("REINDEX DATABASE") < error.value.advice.index("REFRESH COLLATION VERSION")


def test_connections_of_a_colour() -> None:
    assert connections(params()["processes"]) == (2 + 1) * 8 + 16
    # Both colours and the update fit exactly.
    exact = 2 * 40 + 8 + 3
    make_plan(wish(R2), seen(**R2_CODE, database=state(settings={**SETTINGS, "max_connections": exact})))
    with pytest.raises(DomainError, match="connections"):
        make_plan(wish(R2), seen(**R2_CODE, database=state(settings={**SETTINGS, "max_connections": exact - 1})))


def test_an_uninstalled_module_may_be_missing_and_is_not_updated() -> None:
    changes = Changes({"stock": ("x",), "sale": ("x",)}, {}, ())
    database = state(modules={**MODULES, "sale": ("installed", "19.0.1.0")})
    plan = make_plan(wish(R2, modules__uninstall=["sale"]), seen(target=R2, changes=changes, database=database))
    change = next(step.parameters for step in plan.steps if step.name == "update")
    assert change == {"update": ["stock"], "install": [], "uninstall": ["sale"], "languages": []}


# -- the digest -----------------------------------------------------------------------------------------------

def base_plan(**found: Any) -> Plan:
    return make_plan(wish(R2), seen(**{**R2_UPDATE, **found}))


OTHER = release("r3", sale=module())
DIFFERENT: dict[str, Plan] = {
    "to": make_plan(wish(OTHER), seen(target=OTHER, changes=UPDATE)),
    "from": base_plan(database=state(applied={**state().applied, "release": "sha256:other"})),
    "identity": make_plan(wish(R2, tenant="other"), seen(**R2_UPDATE, database=state(identity=None))),
    "configuration": make_plan(wish(R2, config={"limit_time_real": 1}), seen(**R2_UPDATE)),
    "modules": base_plan(changes=Changes({"stock": ("x",), "base": ("x",)}, {}, ())),
    "install": make_plan(wish(OTHER, modules__install=["sale"]), seen(target=OTHER, changes=UPDATE)),
    "languages": make_plan(wish(R2, languages=["fr_FR"]), seen(**R2_UPDATE)),
    "class": base_plan(changes=CODE),
    "strategy": base_plan(rehearsal={"ok": True, "pause": 99}),
    "rehearsed DDL": base_plan(rehearsal={"ok": True, "pause": 1, "ddl_fingerprint": "sha256:x"}),
    "bounds": make_plan(wish(R2, bounds__max_pause=50), seen(**R2_UPDATE)),
    "drain": make_plan(wish(R2, bounds__drain=31), seen(**R2_UPDATE)),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_the_digest_covers(what: str) -> None:
    assert DIFFERENT[what].digest != base_plan().digest


def test_no_two_different_plans_share_a_digest() -> None:
    assert len({plan.digest for plan in DIFFERENT.values()}) == len(DIFFERENT)


@pytest.mark.parametrize("found", [
    {"memory": 9 * 1024 ** 3}, {"rehearsal": {"ok": True, "pause": 12.5, "update_seconds": 9.1, "copy_seconds": 1, "at": "x"}},
    {"database": state(settings={**SETTINGS, "max_connections": 301})},
    {"places": {place: dataclasses.replace(each, name="another name") for place, each in boxes(box("blue", "web"), box("blue", "cron")).items()}},
    {"changes": Changes({"stock": ("another reason",)}, {}, ())}])
def test_the_digest_covers_no_timings_sizes_or_addresses(found: dict[str, Any]) -> None:
    assert base_plan(**found).digest == base_plan().digest


def test_who_asks_and_why_is_no_part_of_the_plan() -> None:
    other = make_plan(wish(R2, requested_by="bob", reason="x", bounds__watch=9), seen(**R2_UPDATE))
    assert other.digest == base_plan().digest


# -- after a plan there is nothing to plan --------------------------------------------------------------------

@given(colour=st.sampled_from(["blue", "green"]), install=st.booleans(), language=st.booleans(), limit=st.integers(1, 9),
       changes=st.sampled_from([CODE, UPDATE]))
def test_a_plan_carried_out_leaves_nothing_to_do(colour: str, install: bool, language: bool, limit: int, changes: Changes) -> None:
    target = release("r2", sale=module())
    wanted = wish(target, modules__install=["sale"] if install else [], languages=["fr_FR"] if language else [],
                  config={"limit_time_real": limit})
    start = seen(places=boxes(box(colour, "web"), box(colour, "cron")), front=colour,
                 target=target, changes=changes)
    plan = make_plan(wanted, start)
    new = str(plan.after["colour"])
    assert plan.steps and new != colour
    applied = {**(state().applied or {}), "release": plan.after["release"], "image": plan.after["image"],
               "config_digest": plan.after["config"]}
    modules = {**MODULES, **({"sale": ("installed", "19.0.1.0")} if install else {})}
    end = seen(places=boxes(*(box(new, kind, target, config=wanted.config_digest) for kind in ("web", "cron"))),
               front=new,
               database=state(applied=applied, modules=modules, languages=("en_US", *(["fr_FR"] if language else []))))
    again = make_plan(wanted, end)
    assert again.steps == () and again.before == again.after
    assert {key: again.before[key] for key in ("colour", "release", "image", "config", "cron")} == {
        key: plan.after[key] for key in ("colour", "release", "image", "config", "cron")}


# -- rehearsal and removal --------------------------------------------------------------------------------------

def test_a_rehearsal_is_of_an_update_and_once() -> None:
    wanted = wish(R2, state="rehearsed")
    plan = rehearsal.make_plan(wanted, seen(**R2_UPDATE), base_plan())
    assert [step.name for step in plan.steps] == ["pull", "clone", "measure_copy", "rehearse", "try_out", "remove_clone"]
    assert plan.before == plan.after and plan.digest != base_plan().digest
    rehearsed = seen(**R2_UPDATE, rehearsal={"ok": True, "pause": 1})
    assert rehearsal.make_plan(wanted, rehearsed, make_plan(wanted, rehearsed)).steps == ()
    failed = seen(**R2_UPDATE, rehearsal={"ok": False, "error": "x"})
    assert rehearsal.make_plan(wanted, failed, make_plan(wanted, failed)).steps
    code = seen(**R2_CODE)
    assert rehearsal.make_plan(wanted, code, make_plan(wanted, code)).steps == ()


@pytest.mark.parametrize(("measured", "said"), [(None, True), ({"ok": False, "error": "x"}, True), ({"ok": True, "pause": 1}, False)])
@pytest.mark.parametrize("state_", ["planned", "rehearsed"])
def test_that_a_rehearsal_is_required_is_said_before_it_is_demanded(state_: str, measured: Any, said: bool) -> None:
    plan = make_plan(wish(R2, rehearsal="required", state=state_), seen(**R2_UPDATE, rehearsal=measured))
    assert plan.facts.get("must_be_rehearsed", False) is said
    assert "must_be_rehearsed" not in make_plan(wish(R2, rehearsal="required", state=state_), seen(**R2_CODE)).facts


REMOVALS: list[tuple[str, dict[str, Any], dict[str, Any], list[str]]] = [
    ("all of it", {}, {}, ["close_front", "remove_places", "shut_logins"]),
    ("with its data", {"purge": "acme-production"}, {}, ["close_front", "remove_places", "shut_logins", "purge"]),
    ("nothing left", {}, {"places": {}, "front": None, "database": state(roles={})}, []),
    ("nothing left, purge", {"purge": "acme-production"}, NOTHING, []),
    ("only a filestore", {"purge": "acme-production"}, {**NOTHING, "filestore": True}, ["purge"]),
    ("only an undo copy", {"purge": "acme-production"}, {**NOTHING, "database": DatabaseState(
        False, databases=("acme_production_undo",))}, ["purge"]),
    ("nothing left but a person's role", {}, {"places": {}, "front": None, "database": state(roles={
        "acme_production_bi": True, "acme_production_update": False})}, []),
    ("only what was abandoned", {"purge": "acme-production"}, {**NOTHING, "database": DatabaseState(
        False, databases=("acme_production_was_2611211530",))}, ["purge"]),
    ("another's database", {"purge": "acme-production"}, {**NOTHING, "database": DatabaseState(
        False, databases=("acme_production_bi", "acme_production_was_x"))}, []),
    ("half-updated data", {"purge": "acme-production"}, {"database": state(partially_updated="x")},
     ["close_front", "remove_places", "shut_logins", "purge"]),
]


@pytest.mark.parametrize(("wished", "found", "steps"), [row[1:] for row in REMOVALS], ids=[row[0] for row in REMOVALS])
def test_what_is_removed(wished: dict[str, Any], found: dict[str, Any], steps: list[str]) -> None:
    plan = removal.make_plan(wish(None, state="absent", **wished), seen(**found))
    assert [step.name for step in plan.steps] == steps


def test_whatever_releases_left_is_purged_and_named() -> None:
    left = [f"acme_production{end}" for end in ("_back", "_failed", "_rehearsal", "_rehearsal_copy", "_undo", "_was_2611211530")]
    found = seen(database=state(databases=("acme_production", "acme_production_bi", *left)))
    step = removal.make_plan(wish(None, state="absent", purge="acme-production"), found).steps[-1]
    assert step.parameters == {"databases": ["acme_production", *left]}
    assert all(name in step.title for name in step.parameters["databases"])


def test_what_is_not_ones_own_is_not_purged() -> None:
    foreign = seen(database=state(identity={**IDENTITY, "instance": "bodega"}))
    with pytest.raises(DomainError) as error:
        removal.make_plan(wish(None, state="absent", purge="acme-production"), foreign)
    assert error.value.code == "foreign_database"
