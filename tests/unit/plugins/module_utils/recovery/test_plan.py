# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator may ask for, and what is planned."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.plan import Observed, make_plan
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.recovery.samples import NOW, params, point

TARGET = {"database": "acme_scratch", "filestore": "/x/acme_scratch", "owner": "acme_owner", "uid": 20001}
BAD: list[tuple[dict[str, Any], str]] = [
    ({"instance": "Acme"}, "instance"), ({"instance": "../x"}, "instance"), ({"instance": "acme\n"}, "instance"),
    ({"source": "other"}, "source"), ({"database": None}, "database"), ({"database__name": "a; drop"}, "database.name"),
    ({"repository__location": "relative"}, "repository.location"), ({"repository__location": "s3:x"}, "repository.location"),
    ({"repository__location": "s3:https://h/bucket"}, "repository.access_key"), ({"repository__password": ""}, "repository.password"),
    ({"repository__lock_mode": "governance"}, "repository.lock_days"),
    ({"point": "yesterday"}, "point"), ({"max_age": -1}, "max_age"), ({"jobs": 0}, "jobs"), ({"bounds__lock": 0}, "bounds.lock"),
    ({"keep_until": "soon"}, "keep_until"), ({"keep_until": "2026-12-31T00:00:00"}, "keep_until"),
    ({"accepted_losses": ["../../etc/passwd"]}, "accepted_losses"), ({"state": "held"}, "keep_until"),
    ({"state": "restored"}, "target"), ({"state": "restored", "target": {**TARGET, "database": "a b"}}, "target.database"),
    ({"state": "restored", "target": {**TARGET, "filestore": "x"}}, "target.filestore"),
    ({"state": "restored", "target": {**TARGET, "uid": 0}}, "target.uid"),
    ({"state": "absent"}, "retention"), ({"state": "absent", "retention": {"last": -1}}, "retention.last"),
    ({"state": "absent", "points": ["x"]}, "points"),
]


@pytest.mark.parametrize(("changes", "field"), BAD)
def test_bad_input_names_the_field(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as error:
        desired(params(**changes))
    assert (error.value.code == "bad_input" and error.value.message.startswith(field + " ")) or field + " is" in error.value.message
    assert error.value.unchanged


def test_secrets_do_not_show() -> None:
    wanted = desired(params())
    plan = make_plan(wanted, Observed(NOW, None))
    assert "not shown" not in repr(wanted) + str(plan.as_dict())


def names(changes: dict[str, Any], seen: Observed) -> list[str]:
    return [step.name for step in make_plan(desired(params(**changes)), seen).steps]


CAPTURE = ["prepare", "pin", "freeze", "dump", "store", "record"]
HOUR = 1 / 24


@pytest.mark.parametrize(("max_age", "points", "expected"), [
    (0, [], CAPTURE), (0, [point(0)], CAPTURE), (7200, [point(HOUR)], []), (7200, [point(-HOUR)], CAPTURE), (3000, [point(HOUR)], CAPTURE),
    (7200, [point(HOUR, "failed")], CAPTURE), (7200, [point(HOUR, "untrusted")], CAPTURE), (7200, [point(HOUR, "failed"), point(1.5 * HOUR)], []),
])
def test_capture(max_age: int, points: list[Any], expected: list[str]) -> None:
    assert names({"max_age": max_age}, Observed(NOW, "config", points)) == expected


@pytest.mark.parametrize(("state", "max_age", "expected"), [
    ("captured", 0, 4), ("failed", 0, 4), ("verified", 0, 0), ("verified", 7200, 0), ("verified", 60, 4)])
def test_verify(state: str, max_age: int, expected: int) -> None:
    assert len(names({"state": "verified", "max_age": max_age}, Observed(NOW, None, [point(HOUR, state)]))) == expected


@pytest.mark.parametrize(("schema", "load", "expected"), [
    ("loaded", True, []), ("loaded", False, []), ("skipped", False, []), ("", False, []),
    ("skipped", True, ["read", "read_dump", "load_schema", "note"]), ("", True, ["read", "read_dump", "load_schema", "note"])])
def test_a_schema_that_was_not_loaded_is_loaded_once_it_is_asked_for(schema: str, load: bool, expected: list[str]) -> None:
    """Also of a point that was verified before there was such a thing."""
    found = point(HOUR, "verified", schema=schema)
    assert names({"state": "verified", "load_schema": load}, Observed(NOW, None, [found])) == expected
    assert found.schema == (schema or "unknown")


def test_verifying_needs_a_cluster_or_says_that_it_has_none() -> None:
    with pytest.raises(DomainError) as error:
        desired(params(state="verified", database=None))
    assert error.value.code == "bad_input" and "load_schema: false" in error.value.message
    assert names({"state": "verified", "database": None, "load_schema": False}, Observed(NOW, None, [point(HOUR)])) == ["read", "read_dump", "note"]


def test_untrusted_is_refused_and_latest_passes_it_over() -> None:
    strange, good = point(0, "untrusted"), point(1)
    with pytest.raises(DomainError) as error:
        make_plan(desired(params(state="verified", point=strange.id)), Observed(NOW, None, [strange, good]))
    assert error.value.code == "untrusted_point"
    assert make_plan(desired(params(state="verified")), Observed(NOW, None, [strange, good])).facts["point"] == good.id


def test_restore_cleans_up_first() -> None:
    seen = Observed(NOW, None, [point(0)], target={"interrupted": {"filestore": "/x/acme_scratch"}})
    assert names({"state": "restored", "target": TARGET}, seen) == ["clean_up", "claim", "load", "compare", "mark"]
    assert names({"state": "restored", "target": TARGET}, Observed(NOW, None, [point(0)], fresh=False)) == []


def test_hold_is_done_once() -> None:
    until = "2026-12-31T00:00:00+00:00"
    assert names({"state": "held", "keep_until": until}, Observed(NOW, None, [point(0)])) == ["hold"]
    assert names({"state": "held", "keep_until": until}, Observed(NOW, None, [point(0, hold=until)])) == []


def snapshot(of: str, at: str) -> dict[str, Any]:
    return {"id": "snapshot-" + of, "time": at, "tags": ["sysgenpro", "point=" + of]}


def test_expire_takes_what_a_crash_left_but_nothing_young_or_untrusted() -> None:
    new, old, strange = point(0), point(40), point(50, "untrusted")
    snapshots = [snapshot(p.id, "2026-10-01T00:00:00.123456789Z") for p in (new, old, strange)]
    snapshots += [snapshot("20261101T000000-0000000a", "2026-11-01T00:00:00.123456789Z"), snapshot("20261121T115900-0000000b", "2026-11-21T11:59:00Z")]
    plan = make_plan(desired(params(state="absent", retention={"last": 1})), Observed(NOW, "config", [new, old, strange], snapshots))
    assert [step.name for step in plan.steps] == ["remove", "forget", "prune"]
    assert plan.steps[0].parameters["points"] == [old.id]
    assert plan.steps[1].parameters["snapshots"] == sorted(["snapshot-" + old.id, "snapshot-20261101T000000-0000000a"])
    assert "cannot be trusted" in plan.facts["keep"][strange.id][0]


@pytest.mark.parametrize("points", [[], [point(0, "untrusted")]], ids=["none listed", "none trusted"])
def test_expire_takes_no_snapshot_where_no_point_would_stay(points: list[Any]) -> None:
    """Documents that are lost, or signed by a lost key: every snapshot looks like one that a crash left."""
    snapshots = [snapshot("20261101T000000-0000000a", "2026-11-01T00:00:00Z"), snapshot("20261102T000000-0000000a", "2026-11-02T00:00:00Z")]
    with pytest.raises(DomainError) as error:
        make_plan(desired(params(state="absent", retention={"last": 1})), Observed(NOW, "config", points, snapshots))
    assert error.value.code == "removes_everything" and "2 of its snapshots" in error.value.message and error.value.unchanged
    young = [snapshot("20261121T115900-0000000b", "2026-11-21T11:59:00Z")]
    assert names({"state": "absent", "retention": {"last": 1}}, Observed(NOW, "config", points, young)) == []


def test_expire_needs_the_repository() -> None:
    with pytest.raises(DomainError) as error:
        make_plan(desired(params(state="absent", retention={"last": 1})), Observed(NOW, None))
    assert error.value.code == "no_repository"


def test_digest_says_what_is_approved() -> None:
    one = make_plan(desired(params(state="absent", retention={"last": 1})), Observed(NOW, "c", [point(0), point(40)]))
    two = make_plan(desired(params(state="absent", retention={"last": 1})), Observed(NOW, "c", [point(0), point(41)]))
    assert one.digest != two.digest
