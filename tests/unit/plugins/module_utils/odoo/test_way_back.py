# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back across an update: what is refused, what is kept, and directories that change places. Kills are in test_journal_recovery."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._odoo import loss
from ansible_collections.sysgenpro.odoo.plugins.module_utils._odoo.recovery import abandoned, exchange_directories
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.odoo.rig import (
    NAME,
    R1,
    R2,
    R3,
    Rig,
    released,
    running_r1,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.odoo.test_journal_recovery import RECOVERY


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


@pytest.mark.parametrize(("changes", "field"), [
    ({"point": "20261121T100000-0a1b2c3d", "state": "released"}, "point"), ({"point": "20261121T100000-0a1b2c3d", "state": "rolled_back"}, "recovery")])
def test_bad_input(rig: Rig, changes: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError, match=f"^{field} is "):
        rig.operation(rig.params(R3, **changes))


def test_whose_abandoned_databases_are_whose() -> None:
    assert abandoned("acme", ["acme", "acme_was_2611211530", "acme_was_x", "acme_b_was_2611211530", "acme_was_26112115300"]) == ["acme_was_2611211530"]


@pytest.mark.parametrize("stop", [0, 1, 2])
def test_directories_change_places_though_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stop: int) -> None:
    live, new, aside = (str(tmp_path / name) for name in ("live", "new", "aside"))
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
        exchange_directories(live, new, aside)
    monkeypatch.setattr(os, "rename", rename)
    exchange_directories(live, new, aside)
    assert os.listdir(live) == ["new"] and os.listdir(aside) == ["live"] and not os.path.exists(new)
    exchange_directories(live, aside, new)
    assert os.listdir(live) == ["live"] and os.listdir(new) == ["new"] and not os.path.exists(aside)


def test_nothing_lost_is_said() -> None:
    assert loss.summary([]) == "nothing was made or changed since"
    assert loss.summary([{"name": "orders", "made": 2, "changed": 1}]) == "made and lost: 2 orders; changes lost to: 1 orders"
