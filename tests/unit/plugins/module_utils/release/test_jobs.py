# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that runs jobs: when there is one, what is planned with it, what it is given, and that nothing changes where there are no jobs."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.filter import machine_parts
from ansible_collections.sysgenpro.odoo.plugins.filter import postgresql_clusters as tuning
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import Record
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import connections
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import HOST_PARTS
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.plan import digest_of
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import config, jobs, model, queue_job
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.observed import Back
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.plan import make_plan
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import R1 as RIG_R1
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import (
    R2 as RIG_R2,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import (
    R3 as RIG_R3,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import (
    Rig,
    released,
    running_r1,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.samples import (
    module,
    params,
    release,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.test_config import (
    SERIES,
    conf,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.test_plan import (
    CODE,
    CODE_STEPS,
    MODULES,
    NOTHING,
    ROLES,
    UPDATE,
    UPDATE_STEPS,
    box,
    boxes,
    seen,
    state,
    wish,
)

OFFERED = {"queue_job": module(), "sale": module(depends=("base", "queue_job")), "queue_job_cron_jobrunner": module(depends=("queue_job",))}
R1, R2 = release("r1", **OFFERED), release("r2", **OFFERED)
JOBS = {**MODULES, "queue_job": ("installed", "19.0.1.0")}
LOGINS = {**ROLES, "acme_production_blue_queue": True, "acme_production_green_queue": False}


def queue_box(colour: str = "blue", config_: str | None = None, **changes: Any) -> Any:
    return box(colour, "queue", R1, config=config_ or wish(R1).digest_for("queue"), **changes)


def with_jobs(**changes: Any) -> Any:
    """r1 runs in blue, and jobs with it."""
    applied = {"id": 1, "release": R1.id, "image": R1.image_digest, "reference": R1.reference, "class": "create", "config_digest": wish(R1).config_digest}
    running = boxes(box("blue", "web", R1), box("blue", "cron", R1), queue_box())
    return seen(**{"places": running, "database": state(modules=JOBS, roles=LOGINS, applied=applied), **changes})


def before(steps: list[str], name: str, *further: str) -> list[str]:
    place = steps.index(name)
    return [*steps[:place], *further, *steps[place:]]


CODE_JOBS = before(before(CODE_STEPS, "switch", "stop_queue"), "settle", "start_queue")
UPDATE_JOBS = before(before(UPDATE_STEPS, "hold", "stop_queue"), "settle", "start_queue")
CREATE = ["pull", "create_database", "update", "check_modules", "first_password", "stage", "prove", "record", "let_go", "start_cron", "settle"]
WEB_CRON = (box("blue", "web", R1), box("blue", "cron", R1))

TABLE: list[tuple[str, dict[str, Any], Any, str, list[str]]] = [
    ("all as wished", {}, with_jobs(), "none", []),
    ("other code", {"release_": R2}, with_jobs(target=R2, changes=CODE), "code", CODE_JOBS),
    ("another schema", {"release_": R2}, with_jobs(target=R2, changes=UPDATE), "update", UPDATE_JOBS),
    ("configuration", {"config": {"limit_time_real": 9}}, with_jobs(), "code", CODE_JOBS),
    ("channels", {"processes__queue_channels": "root:4"}, with_jobs(), "cron", ["stop_queue", "start_queue"]),
    ("its memory", {"processes__queue_memory": "2g"}, with_jobs(), "cron", ["stop_queue", "start_queue"]),
    ("its password", {"database__passwords": {**params()["database"]["passwords"], "blue_queue": "new"}}, with_jobs(), "cron",
     ["stop_queue", "start_queue"]),
    ("no channels any more", {"processes__queue_channels": "root:0"}, with_jobs(), "cron", ["stop_queue"]),
    ("gone", {}, with_jobs(places=boxes(*WEB_CRON)), "cron", ["start_queue"]),
    ("ended", {}, with_jobs(places=boxes(*WEB_CRON, queue_box(state_="exited"))), "cron", ["start_queue"]),
    ("in the other colour", {}, with_jobs(places=boxes(*WEB_CRON, queue_box("green"))), "cron", ["stop_queue", "start_queue"]),
    ("in both", {}, with_jobs(places=boxes(*WEB_CRON, queue_box(), queue_box("green"))), "cron", ["stop_queue", "start_queue"]),
    ("cron gone, too", {}, with_jobs(places=boxes(box("blue", "web", R1))), "cron", ["start_cron", "start_queue"]),
    ("an update while it does not run", {"release_": R2}, with_jobs(target=R2, changes=UPDATE, places=boxes(*WEB_CRON)), "update",
     [name for name in UPDATE_JOBS if name != "stop_queue"]),
    ("uninstalled", {"modules__uninstall": ["queue_job"]}, with_jobs(), "update", [name for name in UPDATE_JOBS if name != "start_queue"]),
    ("uninstalled by hand", {}, with_jobs(database=dataclasses.replace(with_jobs().database, modules=MODULES)), "cron", ["stop_queue"]),
    ("run by scheduled actions instead", {"modules__install": ["queue_job_cron_jobrunner"]}, with_jobs(target=R1), "update",
     [name for name in UPDATE_JOBS if name != "start_queue"]),
    ("installed", {"modules__install": ["queue_job"]}, seen(target=R1, database=state(roles=LOGINS)), "update", before(UPDATE_STEPS, "settle", "start_queue")),
    ("brought by another", {"modules__install": ["sale"]}, seen(target=R1, database=state(roles=LOGINS)), "update",
     before(UPDATE_STEPS, "settle", "start_queue")),
    ("a new database with it", {"modules__install": ["sale"]},
     seen(**{**NOTHING, "target": R1, "database": dataclasses.replace(NOTHING["database"], roles=LOGINS)}), "create", before(CREATE, "settle", "start_queue")),
    ("offered and not installed", {"release_": R2}, seen(target=R2, changes=CODE), "code", CODE_STEPS),
    ("adopted", {"adopt": True}, with_jobs(target=R1, front=None, places={}, database=state(applied=None, identity=None, modules=JOBS, roles=LOGINS)),
     "adopt", ["pull", "stage", "prove", "switch", "record", "start_cron", "start_queue", "settle"]),
]


@pytest.mark.parametrize(("wished", "found", "kind", "steps"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_what_is_planned(wished: dict[str, Any], found: Any, kind: str, steps: list[str]) -> None:
    wanted = wish(wished.get("release_", R1), **{key: value for key, value in wished.items() if key != "release_"})
    plan = make_plan(wanted, found)
    assert (plan.facts["class"], [step.name for step in plan.steps]) == (kind, steps)
    if "start_queue" in steps:
        assert plan.after["queue"] == plan.after["cron"]
    made = [step for step in plan.steps if step.name in ("prepare", "stage") and step.parameters.get("queue")]
    assert bool(made) == ("start_queue" in steps and kind not in ("cron", "create")) or kind == "create"


def test_the_wrong_colour_is_ended_first() -> None:
    for running in ((queue_box("green"),), (queue_box(), queue_box("green"))):
        plan = make_plan(wish(R1), with_jobs(places=boxes(*WEB_CRON, *running)))
        assert [(step.name, step.parameters["colour"]) for step in plan.steps] == [("stop_queue", "green"), ("start_queue", "blue")]


def test_way_back_includes_it_where_the_release_offers_it() -> None:
    back = Back("p", "2026-11-21", {}, {"summary": "nothing"})
    steps = [step.name for step in make_plan(wish(R1, state="rolled_back"), with_jobs(back=back, target=R1)).steps]
    assert steps.index("stop_queue") < steps.index("hold") and steps.index("let_go") < steps.index("start_queue")
    without = release("r1")
    steps = [step.name for step in make_plan(wish(without, state="rolled_back"), with_jobs(back=back, target=without)).steps]
    assert "start_queue" not in steps


@pytest.mark.parametrize(("roles", "passwords", "said"), [
    (ROLES, {}, "the role acme_production_blue_queue"),
    (LOGINS, {"blue_queue": ""}, "database.passwords.blue_queue"),
    (LOGINS, {"green_queue": None}, "database.passwords.green_queue"),
])
def test_who_was_made_before_is_told_to_run_site(roles: dict[str, bool], passwords: dict[str, Any], said: str) -> None:
    given = {**params()["database"]["passwords"], **passwords}
    found = with_jobs(target=R2, changes=CODE, database=dataclasses.replace(with_jobs().database, roles=roles))
    with pytest.raises(DomainError) as error:
        make_plan(wish(R2, database__passwords=given), found)
    assert error.value.code == "queue_login_missing" and said in error.value.message and "site" in error.value.advice
    # Without jobs it is no matter.
    make_plan(wish(R2, database__passwords=given), seen(target=R2, changes=CODE))


def test_nothing_changes_where_there_are_no_jobs() -> None:
    """The digests of containers, configuration and plans are those of before this kind was known."""
    plain, more = wish(), wish(processes__queue_channels="root:9", processes__queue_memory="9g", database__passwords={
        key: value for key, value in params()["database"]["passwords"].items() if not key.endswith("_queue")})
    assert plain.config_digest == more.config_digest and plain.digest_for("queue") != more.digest_for("queue")
    assert plain.digest_for("web") == plain.digest_for("cron") == plain.config_digest
    assert wish(processes__cron_loads=["poller"]).config_digest != plain.config_digest
    # But web and cron that loaded the runner until now are made anew.
    digests = {str(asked): wish(config={"server_wide_modules": asked}).config_digest for asked in ("queue_job", ["queue_job"], "sentry", "sentry,queue_job")}
    assert len(set(digests.values())) == 4
    wanted = wish(config={"server_wide_modules": "web, queue_job"})
    subject = {"config": wanted.params["config"], "environment": {}, "processes": {
        key: value for key, value in wanted.params["processes"].items() if not key.startswith("queue") and key not in ("cron_loads", *model._SINGLE)}, "session": {
        key: wanted.params["session"][key] for key in ("socket", "username")}, "secrets": wanted._sealed([
            {key: value for key, value in params()["database"]["passwords"].items() if not key.endswith("_queue")}, "secret of redis"]),
        "subnet": "172.28.1.0/24", "uid": params()["uid"], "database": ["acme_production", 5501]}
    assert wanted.config_digest != digest_of(subject) and wanted.config_digest == digest_of({**subject, "apart": ["queue_job"]})
    assert plain.config_digest == digest_of({**subject, "config": {}})
    plan = make_plan(wish(R2), seen(target=R2, changes=CODE))
    assert "queue" not in plan.before and "queue" not in plan.after and "queue" not in plan.subject["bounds"]


@pytest.mark.parametrize(("channels", "expected"), [
    ("", 1), ("root", 1), ("root:4", 4), ("root:4,root.mail:1", 4), ("mail:3", 1), (" root : 5 : sequential ,, mail", 5), ("root:2\nmail:1\n", 2),
    ("root:1:throttle=2", 1), ("root:0", 0), ("mail:1,root:3", 3),
])
def test_capacity(channels: str, expected: int) -> None:
    assert queue_job.capacity(params(processes__queue_channels=channels)) == expected
    if channels:
        assert tuning._jobs({"queue_channels": channels}) == expected
    assert jobs.wanted_for(wish(R1, processes__queue_channels=channels), JOBS) == (expected > 0)


def test_capacity_of_the_series_that_take_it_from_the_environment() -> None:
    values = {"environment_variables": {"ODOO_QUEUE_JOB_MAX_CAPACITY": "3"}}
    assert queue_job.capacity(params(**values)) == 3 and queue_job.capacity(params(processes__queue_channels="root:2", **values)) == 2
    assert not jobs.wanted_for(wish(R1, environment_variables={"ODOO_QUEUE_JOB_MAX_CAPACITY": "0"}), JOBS)


@pytest.mark.parametrize("channels", ["root:x", "root:4:", ":4", "root: 4 4"])
def test_channels_that_cannot_be(channels: str) -> None:
    if channels == "root:4:":
        assert queue_job.root_capacity(channels) == 4
        return
    with pytest.raises(DomainError) as error:
        desired(params(processes__queue_channels=channels))
    assert error.value.code == "bad_input" and "processes.queue_channels" in error.value.message
    if "x" in channels or " " in channels:
        with pytest.raises(AnsibleFilterError, match="queue_channels"):
            tuning._jobs({"queue_channels": channels})


@pytest.mark.parametrize("name", ["CHANNELS", "HOST", "PORT", "SCHEME", "HTTP_AUTH_USER", "JOBRUNNER_DB_HOST", "JOBRUNNER_DB_USER"])
def test_where_the_runner_asks_is_the_platforms(name: str) -> None:
    with pytest.raises(DomainError, match="ODOO_QUEUE_JOB_" + name):
        desired(params(environment_variables={"ODOO_QUEUE_JOB_" + name: "x"}))


@pytest.mark.parametrize("asked", ["queue_job", "web,queue_job, sentry", "sentry", ["sentry", "queue_job"]])
@pytest.mark.parametrize("series", SERIES)
def test_only_the_queue_loads_the_runner(series: str, asked: Any) -> None:
    for kind in ("web", "cron", "queue", "update"):
        found = conf(kind, series, addons=True, config={"server_wide_modules": asked})["server_wide_modules"].split(",")
        assert found.count("queue_job") == (kind == "queue"), kind
        assert ("sentry" in found) == ("sentry" in asked)
        assert ("sysgenpro_drain" in found) == (kind != "update")
        assert len(found) == len(set(found))


def test_what_works_by_itself_is_loaded_by_cron_alone() -> None:
    for asked in ("", "poller,sentry"):
        for kind in ("web", "cron", "queue", "update"):
            found = conf(kind, config={"server_wide_modules": asked}, processes__cron_loads=["poller"])["server_wide_modules"].split(",")
            assert found.count("poller") == (kind == "cron"), kind


@pytest.mark.parametrize("series", SERIES)
def test_it_is_asked_by_nobody_but_itself(series: str) -> None:
    found = conf("queue", series, processes__queue_channels="root:3")
    assert {key: found[key] for key in ("workers", "max_cron_threads", "http_interface", "http_port")} == {
        "workers": "3", "max_cron_threads": "0", "http_interface": "127.0.0.1", "http_port": "8069"}
    assert "proxy_mode" not in found and "http_enable" not in found
    given = config.environment(params(processes__queue_channels="root:3", environment_variables={"TZ": "UTC"}), "queue")
    assert {key: given[key] for key in ("ODOO_QUEUE_JOB_HOST", "ODOO_QUEUE_JOB_PORT", "ODOO_QUEUE_JOB_CHANNELS", "SYSGENPRO_KIND", "TZ")} == {
        "ODOO_QUEUE_JOB_HOST": "127.0.0.1", "ODOO_QUEUE_JOB_PORT": "8069", "ODOO_QUEUE_JOB_CHANNELS": "root:3", "SYSGENPRO_KIND": "queue", "TZ": "UTC"}
    assert "SYSGENPRO_SESSION_URL" in given and "SYSGENPRO_PROBE_TOKEN_FILE" not in given
    assert "ODOO_QUEUE_JOB_CHANNELS" not in config.environment(params(), "queue")
    assert not [key for key in config.environment(params(), "web") if "QUEUE" in key]


@pytest.mark.parametrize(("options", "real"), [
    ({}, "1800"), ({"limit_time_real_cron": 60}, "60"), ({"limit_time_real": 9000}, "9000"), ({"limit_time_real_cron": 0}, "604800"),
    ({"limit_time_real_cron": -1, "limit_time_real": 77}, "77"), ({"limit_time_real_cron": "900", "limit_time_real": "120"}, "900"),
])
def test_a_job_may_take_as_long_as_a_scheduled_action(options: dict[str, Any], real: str) -> None:
    found = conf("queue", config=options)
    assert found["limit_time_real"] == real
    if options.get("limit_time_real_cron") != -1:
        assert found["limit_time_cpu"] == real


def test_it_has_an_address_of_its_own() -> None:
    assert len(set(HOST_PARTS.values())) == len(HOST_PARTS)
    assert (HOST_PARTS["blue-queue"], HOST_PARTS["green-queue"]) == (13, 23)


def test_room_and_connections_count_it() -> None:
    need = 2 * ((2 + 1) * 8 + config.REALTIME_MAXCONN) + 8
    database = with_jobs().database
    tight = dataclasses.replace(database, settings={"version": 170000, "max_connections": need + 3, "reserved": 3})
    make_plan(wish(R2), seen(target=R2, changes=CODE, database=dataclasses.replace(tight, modules=MODULES)))
    with pytest.raises(DomainError) as error:
        make_plan(wish(R2), with_jobs(target=R2, changes=CODE, database=tight))
    assert error.value.code == "connection_limit"
    room = need + 4 * 8 + queue_job.RUNNER_CONNECTIONS
    enough = dataclasses.replace(database, settings={"version": 170000, "max_connections": room + 3, "reserved": 3})
    make_plan(wish(R2, processes__queue_channels="root:4"), with_jobs(target=R2, changes=CODE, database=enough))
    # In memory it counts where it did not run before.
    half = (2 * 1024 ** 3) // 2 + 128 * 1024 ** 2
    make_plan(wish(R2), with_jobs(target=R2, changes=CODE, memory=half))
    with pytest.raises(DomainError) as error:
        make_plan(wish(R2), with_jobs(target=R2, changes=CODE, memory=half, places=boxes(*WEB_CRON)))
    assert error.value.code == "no_room"


def test_the_cluster_has_as_many_connections_as_a_release_asks_for() -> None:
    """The default's few are within the reserve; more are added where the inventory speaks of channels."""
    words = dict.fromkeys(tuning.LOGINS, "x")
    cluster = {"instance": "acme-production", "number": 1, "share": 0.5, "passwords": words}
    machine = {"memory": 16384, "cores": 8, "major": 17}
    for given in ({}, {"queue_channels": "root:1"}, {"queue_channels": "root:9"}):
        tuned = {each["name"]: each["value"] for each in tuning.postgresql_clusters([{**cluster, **given}], machine)[0]["settings"]}
        settings = {"version": 170000, "max_connections": int(tuned["max_connections"]), "reserved": int(tuned["superuser_reserved_connections"])}
        database = dataclasses.replace(with_jobs().database, settings=settings)
        make_plan(wish(R2, **{f"processes__{key}": value for key, value in given.items()}), with_jobs(target=R2, changes=CODE, database=database))
    assert connections.RUNNER_CONNECTIONS == queue_job.RUNNER_CONNECTIONS


def test_secrets_of_before_give_the_cluster_of_before() -> None:
    values = {"name": "a", "database": {"name": "a"}, "number": 1, "share": 0.5, "processes": {}, "workers": 2, "postgresql": {}}
    old = {f"database_{login}": "x" for login in machine_parts.LOGINS}
    assert set(machine_parts.clusters_of([values], {"a": old})[0]["passwords"]) == set(machine_parts.LOGINS)
    new = {**old, "database_blue_queue": "y", "database_green_queue": "z"}
    made = machine_parts.clusters_of([{**values, "processes": {"queue_channels": "root:3"}}], {"a": new})[0]
    assert made["passwords"]["blue_queue"] == "y" and made["queue_channels"] == "root:3"


def test_what_an_update_brings_is_known_before() -> None:
    record = Record.parse(R1.record.raw)
    assert "queue_job" in jobs.modules_after({"base"}, record, {"install": ["sale"]})
    assert "queue_job" in jobs.modules_after({"base", "sale"}, record, {"update": ["sale"]})
    assert "queue_job" not in jobs.modules_after({"base"}, record, {"update": ["base"]})
    assert "queue_job" not in jobs.modules_after({"base", "queue_job"}, record, {"uninstall": ["queue_job"]})
    assert jobs.modules_after({"base"}, None, {}) == {"base"}


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(tmp_path, monkeypatch)
    made.world.with_jobs()
    running_r1(made)
    return made


@pytest.mark.parametrize("target", [RIG_R2, RIG_R3])
def test_a_job_that_runs_on(rig: Rig, target: Any) -> None:
    """Given up, named, and everything as it was."""
    rig.world.busy_jobs = ["job 7 (uuid)"]
    before_ = rig.world.snapshot()
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(target))
    assert error.value.code == "queue_busy" and "job 7 (uuid)" in error.value.message and "120 s (bounds.queue)" in error.value.message
    assert rig.world.snapshot() == before_ and rig.journal() == []
    rig.world.busy_jobs = []
    rig.run(rig.params(target))
    assert released(rig.world, target) == []


def test_staging_starts_none(rig: Rig) -> None:
    rig.run(rig.params(RIG_R2, state="staged"))
    assert rig.world.boxes["acme-production-blue-queue"].running
    made = rig.world.boxes["acme-production-green-queue"]
    assert made.state == "created" and rig.world.roles["acme_production_green_queue"] is False
    rig.run(rig.params(RIG_R2))
    assert rig.world.boxes["acme-production-green-queue"] is made and made.running
    assert released(rig.world, RIG_R2) == []


def test_what_began_to_work_by_itself_is_told(rig: Rig) -> None:
    rig.kind = "docker"
    place = rig.directory / "run" / "acme-production" / "green"
    place.mkdir(parents=True)
    (place / ".own-work").write_text("telegram_poller: thread poller\n")
    said = rig.run(rig.params(RIG_R2))["operation"]["warnings"]
    assert [text for text in said if "telegram_poller: thread poller" in text and "green" in text and "processes.cron_loads" in text], said


def test_a_release_without_jobs_to_come_ends_the_process(rig: Rig) -> None:
    """Whatever the release: the capacity of none is a wish like others."""
    rig.run(rig.params(RIG_R1, processes__queue_channels="root:0"))
    assert not rig.world.boxes["acme-production-blue-queue"].running
    assert not rig.run(rig.params(RIG_R1, processes__queue_channels="root:0"))["changed"]
