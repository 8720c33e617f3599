# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back across an update: what is refused, what is kept, and directories that change places. Kills are in test_journal_recovery."""

from __future__ import annotations

import contextlib
import copy
import datetime
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.data import Data
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.restore import MARK
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import loss
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.lost_rows import Gap
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.recovery import abandoned
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import (
    NAME,
    R1,
    R2,
    R3,
    Rig,
    released,
    running_r1,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.test_journal_recovery import RECOVERY
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.world import Data as Stored
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.world import FakeDatabase


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    made = Rig(tmp_path, monkeypatch)
    running_r1(made)
    return made


def back(rig: Rig, **more: Any) -> dict[str, Any]:
    return rig.params(state="rolled_back", recovery=RECOVERY, **more)


def test_it_is_not_done_unless_confirmed(rig: Rig) -> None:
    rig.run(rig.params(R3, recovery=RECOVERY))
    before = rig.world.snapshot()
    with pytest.raises(DomainError) as error:
        rig.run(back(rig))
    assert error.value.code == "confirmation_needed" and rig.operation(back(rig)).plan().digest in error.value.advice
    assert rig.world.snapshot() == before and rig.journal() == []


def test_the_plan_that_is_confirmed_outlives_an_hours_work(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is lost grows by the minute; what was approved is going back to that point."""
    rig.run(rig.params(R3, recovery=RECOVERY))
    first = rig.operation(back(rig)).plan()
    monkeypatch.setattr(loss, "price", lambda *_a: {"since": "x", "documents": [{"name": "orders"}], "summary": "much more"})
    assert rig.operation(back(rig)).plan().digest == first.digest


def test_to_go_back_twice_is_to_stay(rig: Rig) -> None:
    rig.run(rig.params(R3, recovery=RECOVERY))
    rig.run(back(rig, expected_plan_digest=rig.operation(back(rig)).plan().digest))
    assert released(rig.world, R1) == []
    assert [name for name in rig.world.databases if name.startswith(NAME + "_was_")]
    assert not rig.run(back(rig))["changed"]


@pytest.mark.parametrize("asked", ["latest_verified", "20261121T100000-0a1b2c3d"])
def test_to_go_back_to_a_point_twice_is_to_stay_until_something_is_released(rig: Rig, asked: str) -> None:
    def wish() -> dict[str, Any]:
        return back(rig, point=asked)

    rig.run(rig.params(R3, recovery=RECOVERY))
    rig.run({**wish(), "expected_plan_digest": rig.operation(wish()).plan().digest})
    assert not rig.run(wish())["changed"]
    rig.run(rig.params(R2))
    with pytest.raises(DomainError) as error:
        rig.run(wish())
    assert error.value.code == "confirmation_needed"


def test_without_a_point_there_is_no_way(rig: Rig) -> None:
    rig.run(rig.params(R3, recovery={**RECOVERY, "before_update": "never"}))
    assert rig.world.points == {}
    with pytest.raises(DomainError) as error:
        rig.run(back(rig))
    assert error.value.code == "no_point"
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(state="rolled_back"))
    assert error.value.code == "update_between"


def test_the_point_before_an_update_is_kept_as_long_as_what_is_abandoned(rig: Rig) -> None:
    """Whatever retention says of it: without it there is no way back."""
    rig.run(rig.params(R3, recovery={**RECOVERY, "keep_abandoned": 3}))
    (point,) = rig.world.points.values()
    kept = datetime.datetime.fromisoformat(point.keep_until) - datetime.datetime.now(datetime.timezone.utc)
    assert datetime.timedelta(days=2, hours=23) < kept <= datetime.timedelta(days=3)


@pytest.mark.parametrize(("why", "said"), [(None, False), ("capture by its timer", True)])
def test_another_point_than_the_one_before_the_update_is_told(rig: Rig, why: str | None, said: bool) -> None:
    rig.run(rig.params(R3, recovery=RECOVERY))
    for data in rig.world.points.values():
        data.why = why or data.why
    with pytest.raises(DomainError) as error:
        rig.run(back(rig))
    assert ("the point that was taken before the update is not there any more" in error.value.message) == said


POINT = "20261121T100000-0a1b2c3d"
OTHER = "20261121T100000-ffffffff"


@pytest.mark.parametrize(("comment", "asked", "said"), [
    (MARK.format(POINT), POINT, ""), (MARK.format(POINT), "latest_verified", ""), (MARK.format(OTHER), "latest_verified", OTHER),
    (MARK.format(OTHER), POINT, OTHER), (MARK.format(POINT), OTHER, POINT), ("", POINT, "made from no recovery point"),
    ("", "latest_verified", "made from no recovery point")])
def test_a_restore_onto_what_is_there(rig: Rig, comment: str, asked: str, said: str) -> None:
    """The point that it came from: nothing to do. Another one: told, and nothing is changed."""
    rig.world.points[POINT] = copy.deepcopy(rig.world.databases[NAME])
    rig.world.databases[NAME].comment = comment
    wish = rig.params(release=None, from_point={"source": "acme-live", "point": asked, "repository": RECOVERY["repository"], "trusted_signers": [],
                                                "neutralize": True})
    before = rig.world.snapshot()
    if said:
        with pytest.raises(DomainError) as error:
            rig.run(wish)
        assert error.value.code == "target_exists" and said in error.value.message and "acme-production exists already" in error.value.message
    else:
        assert not rig.run(wish)["changed"]
    assert rig.world.snapshot() == before and rig.journal() == []


def test_only_a_restore_asks_where_a_database_came_from(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that finds everything as it should be pays one query."""
    def asked(_database: Any) -> str:
        raise AssertionError("asked")

    monkeypatch.setattr(FakeDatabase, "comment", asked)
    assert not rig.run(rig.params(R1))["changed"]


@pytest.mark.parametrize(("manifest", "expected"), [
    ({"taken": {"at": "A"}}, Gap("A", "A")),
    ({"taken": {"at": "A", "since": "S", "horizon": "7"}, "postgresql": {"system": "1"}}, Gap("A", "S", "7", "1"))])
def test_since_when_a_point_may_lack_work(manifest: dict[str, Any], expected: Gap) -> None:
    """The first points did not say."""
    assert Gap.of(manifest) == expected and Gap(**expected.as_json()) == expected


@pytest.mark.parametrize(("changes", "field"), [
    ({"point": "20261121T100000-0a1b2c3d", "state": "released"}, "point"), ({"point": "20261121T100000-0a1b2c3d", "state": "rolled_back"}, "recovery")])
def test_bad_input(rig: Rig, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError, match=f"^{field} is "):
        rig.operation(rig.params(R3, **changes))


def test_twice_in_one_minute(rig: Rig) -> None:
    """What was abandoned a moment ago has the name of this minute, and its files have that of the next."""
    now = datetime.datetime.now(datetime.timezone.utc)
    names = [f"{NAME}_was_{(now + datetime.timedelta(minutes=more)).strftime('%y%m%d%H%M')}" for more in range(4)]
    rig.run(rig.params(R3, recovery=RECOVERY))
    rig.world.databases[names[0]] = Stored(schema="s1", orders=-1, comment="abandoned before")
    (rig.directory / "instances" / "acme-production" / "data" / "filestore" / names[1]).mkdir(parents=True)
    with pytest.raises(DomainError) as error:
        rig.run(back(rig))
    rig.run(back(rig, expected_plan_digest=error.value.details["plan"]["digest"]))
    assert released(rig.world, R1) == []
    assert rig.world.databases[names[0]].comment == "abandoned before"
    assert len([name for name in rig.world.databases if name.startswith(NAME + "_was_")]) == 2


def test_whose_abandoned_databases_are_whose() -> None:
    assert abandoned("acme", ["acme", "acme_was_2611211530", "acme_was_x", "acme_b_was_2611211530", "acme_was_26112115300"]) == ["acme_was_2611211530"]


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_directories_change_places_though_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int) -> None:
    data = Data(str(tmp_path), "live", 20001)
    live, new, aside = (data.beside(name) for name in ("live", "new", "aside"))
    os.makedirs(os.path.dirname(live))
    for path in (live, new):
        os.mkdir(path)
        Path(path, os.path.basename(path)).touch()
    rename, calls = os.rename, []

    def dying(source: str, target: str) -> None:
        if len(calls) == stop:
            raise KeyboardInterrupt
        calls.append(source)
        rename(source, target)

    monkeypatch.setattr(os, "rename", dying)
    with contextlib.suppress(KeyboardInterrupt):
        data.exchange("new", "aside")
    monkeypatch.setattr(os, "rename", rename)
    data.exchange("new", "aside")
    assert os.listdir(live) == ["new"] and os.listdir(aside) == ["live"] and not os.path.exists(new)
    data.exchange("aside", "new")
    assert os.listdir(live) == ["live"] and os.listdir(new) == ["new"] and not os.path.exists(aside)


def test_nothing_lost_is_said() -> None:
    assert loss.summary([]) == "nothing was made or changed since"
    assert loss.summary([{"name": "orders", "made": 2, "changed": 1}]) == "made and lost: 2 orders; changes lost to: 1 orders"
