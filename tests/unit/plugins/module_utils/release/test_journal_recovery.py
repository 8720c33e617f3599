# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Killed, or failing, at every single effect of every class of operation: the same command again ends right.

The world looks after each effect at what must always hold (never two crons or queues, the front never leads to what is not proven, nobody but
the update in a half-updated database, no order lost); here the ends are looked at.
"""

from __future__ import annotations

import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.carrying import Carrying
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import (
    R1,
    R2,
    R3,
    Killed,
    Rig,
    released,
    running_r1,
)

# How often an undo or a resumption is killed itself, for each place where the operation was.
SECOND_KILLS = 1


class Case:
    """One class of operation: the state it starts from, what is asked for, and when it is reached."""

    def __init__(self, start: Callable[[Rig], None], wish: dict[str, Any], reached: Callable[[Rig], list[str]]) -> None:
        self.start, self.wish, self.reached = start, wish, reached
        self.confirmed: str | None = None

    def params(self, rig: Rig) -> dict[str, Any]:
        """What is asked for; a plan that discards data is confirmed."""
        params = rig.params(**self.wish)
        if self.confirmed is None and self.wish.get("recovery") and self.wish.get("state") == "rolled_back":
            self.confirmed = rig.operation(params).plan().digest
        return {**params, "expected_plan_digest": self.confirmed}


def _empty(rig: Rig) -> None:
    del rig


def _on_green(rig: Rig) -> None:
    running_r1(rig, "green")


def _staged(rig: Rig) -> None:
    """An undone release leaves nothing staged."""
    running_r1(rig)
    rig.also = rig.world.snapshot()
    rig.run(rig.params(R2, state="staged"))


def _after_update(rig: Rig) -> None:
    """An undo copy of an earlier update is still there."""
    running_r1(rig)
    rig.run(rig.params(R3))
    rig.world.schemas[R2.reference] = "s3"


def _updated_with_a_point(rig: Rig) -> None:
    running_r1(rig)
    rig.run(rig.params(R3, recovery=RECOVERY))
    assert rig.world.points


def _without_cron(rig: Rig) -> None:
    """The cron container was removed by hand."""
    running_r1(rig)
    del rig.world.boxes["acme-production-blue-cron"]


def _jobs(rig: Rig) -> None:
    rig.world.with_jobs()
    running_r1(rig)


def _jobs_on_green(rig: Rig) -> None:
    rig.world.with_jobs()
    running_r1(rig, "green")


def _jobs_to_come(rig: Rig) -> None:
    """The release installs them."""
    running_r1(rig)
    rig.world.with_jobs()


def _jobs_staged(rig: Rig) -> None:
    _jobs(rig)
    rig.also = rig.world.snapshot()
    rig.run(rig.params(R2, state="staged"))


def _without_queue(rig: Rig) -> None:
    """The queue's container was removed by hand."""
    _jobs(rig)
    del rig.world.boxes["acme-production-blue-queue"]


def _jobs_and_a_point(rig: Rig) -> None:
    rig.world.with_jobs()
    _updated_with_a_point(rig)


def _front_lost(rig: Rig) -> None:
    """Somebody flushed the map."""
    _on_green(rig)
    rig.world.map.clear()
    rig.ignored = {"front", "front_file"}


def _gone(rig: Rig) -> list[str]:
    world = rig.world
    left = sorted(world.boxes) + sorted(map(str, world.map)) + [role for role, may in world.roles.items() if may]
    return left + sorted(world.databases) + sorted(world.leading)


def _is(release: Any) -> Callable[[Rig], list[str]]:
    return lambda rig: released(rig.world, release)


RECOVERY = {"repository": {"location": "/var/lib/recovery", "password": "x"}, "trusted_signers": [], "before_update": "always",
            "keep_abandoned": 14, "jobs": 2}

CASES = {
    "create": Case(_empty, {"release": R1}, _is(R1)),
    "create with modules": Case(_empty, {"release": R1, "modules__install": ["stock"]}, _is(R1)),
    "code": Case(running_r1, {"release": R2}, _is(R2)),
    "code, staged before": Case(_staged, {"release": R2}, _is(R2)),
    "update": Case(running_r1, {"release": R3}, _is(R3)),
    "update to blue": Case(_on_green, {"release": R3}, _is(R3)),
    "update after an update": Case(_after_update, {"release": R2}, _is(R2)),
    "update without cron": Case(_without_cron, {"release": R3}, _is(R3)),
    "update with maintenance": Case(running_r1, {"release": R3, "bounds__max_pause": 0}, _is(R3)),
    "update, front lost": Case(_front_lost, {"release": R3}, _is(R3)),
    "only cron": Case(_without_cron, {"release": R1}, _is(R1)),
    "configuration": Case(running_r1, {"release": R1, "config": {"limit_time_real": 300}}, _is(R1)),
    "roll back": Case(_on_green, {"state": "rolled_back"}, _is(R1)),
    "update with a recovery point": Case(running_r1, {"release": R3, "recovery": RECOVERY}, _is(R3)),
    "restore": Case(_updated_with_a_point, {"state": "rolled_back", "recovery": RECOVERY}, _is(R1)),
    "create with jobs": Case(lambda rig: rig.world.with_jobs(), {"release": R1}, _is(R1)),
    "code with jobs": Case(_jobs, {"release": R2}, _is(R2)),
    "code with jobs, staged before": Case(_jobs_staged, {"release": R2}, _is(R2)),
    "update with jobs": Case(_jobs_on_green, {"release": R3}, _is(R3)),
    "update that brings jobs": Case(_jobs_to_come, {"release": R3}, _is(R3)),
    "channels of jobs": Case(_jobs, {"release": R1, "processes__queue_channels": "root:4"}, _is(R1)),
    "only the queue": Case(_without_queue, {"release": R1}, _is(R1)),
    "roll back with jobs": Case(_jobs_on_green, {"state": "rolled_back"}, _is(R1)),
    "restore with jobs": Case(_jobs_and_a_point, {"state": "rolled_back", "recovery": RECOVERY}, _is(R1)),
    "rehearsal": Case(running_r1, {"release": R3, "state": "rehearsed"}, _is(R1)),
    "removal": Case(running_r1, {"state": "absent", "purge": "acme-production"}, _gone),
    "removal with jobs": Case(_jobs, {"state": "absent", "purge": "acme-production"}, _gone),
    "removal after an update": Case(_after_update, {"state": "absent", "purge": "acme-production"}, _gone),
}
# They take as long as all others together.
LONG = ("update with a recovery point", "restore", "restore with jobs", "update after an update")
UNDOES_ITSELF = [name for name in CASES if not name.startswith("removal")]


class Trial:
    """Fresh machines for one case, and the look at each undo."""

    def __init__(self, case: Case, directory: Path, patch: pytest.MonkeyPatch, kind: str = "docker") -> None:
        self.case, self.directory, self.patch, self.kind = case, directory, patch, kind
        self.number = 0
        self.before: dict[str, Any] = {}
        self.also: dict[str, Any] = {}
        self.ignored: set[str] = set()

    def fresh(self) -> Rig:
        if self.number:
            shutil.rmtree(self.directory / str(self.number))
        self.number += 1
        rig = Rig(self.directory / str(self.number), self.patch, self.kind)
        self.case.start(rig)
        rig.world.effects.clear()
        self.before, self.also, self.ignored = rig.world.snapshot(), rig.also, rig.ignored
        rig.world.purging = bool(self.case.wish.get("purge"))
        return rig

    def effects(self) -> int:
        rig = self.fresh()
        return rig.count(self.case.params(rig))

    def difference(self, rig_world: Any) -> list[str]:
        """What is not as it was. A login that nothing used may be shut: the fence is no looser than before."""
        after = rig_world.snapshot()
        if after == self.also:
            return []
        fewer = {"logins"} if not self.before["front"] and after["logins"] <= self.before["logins"] else set()
        return [f"{key} was {self.before[key]}, is {after[key]}" for key in after
                if self.before[key] != after[key] and key not in fewer | self.ignored]

    def reached(self, rig: Rig, said: str) -> None:
        assert self.case.reached(rig) == [], said
        assert rig.journal() == [], said
        assert not rig.run(self.case.params(rig))["changed"], said + ": a further run changed something"


def _attempt(rig: Rig, params: dict[str, Any]) -> str:
    try:
        rig.run(params)
    except Killed as where:
        return f"killed at {where}"
    except (DomainError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return "done"


@pytest.fixture
def trial(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trial]:
    # Thousands of small machines: in memory, where the machine has such a place.
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as directory:
        yield Trial(CASES[request.param], Path(directory), monkeypatch)


@pytest.fixture
def undone(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time an interrupted operation was undone, what is not as it was before."""
    seen: list[str] = []
    recover = Carrying.recover

    def looked(self: Carrying, timings: dict[str, float]) -> None:
        recover(self, timings)
        if self.result["operation"]["outcome"] == "undone":
            seen.extend(trial.difference(self.parts.runtime.world))  # type: ignore[attr-defined]

    monkeypatch.setattr(Carrying, "recover", looked)
    return seen


@pytest.mark.parametrize("between", ["at once", pytest.param("later", marks=pytest.mark.slow), "rebooted"])
@pytest.mark.parametrize("trial", CASES, indirect=True)
def test_killed_anywhere(trial: Trial, undone: list[str], between: str) -> None:
    for number in range(1, trial.effects() + 1):
        rig = trial.fresh()
        rig.fail_at(number, "kill")
        said = _attempt(rig, trial.case.params(rig))
        assert said.startswith("killed"), said
        rig.mend()
        _between(rig, between)
        said = f"{number}, {said}, then {_attempt(rig, trial.case.params(rig))}"
        assert undone == [], said
        trial.reached(rig, said)


@pytest.mark.parametrize("kind", ["memory", "kubernetes"])
@pytest.mark.parametrize("trial", CASES, indirect=True)
def test_killed_anywhere_on_any_runtime(trial: Trial, undone: list[str], kind: str) -> None:
    """The same with places and a front that know nothing of Docker: a release rests on the protocol's contracts alone."""
    trial.kind = kind
    for number in range(1, trial.effects() + 1):
        rig = trial.fresh()
        rig.fail_at(number, "kill")
        said = _attempt(rig, trial.case.params(rig))
        rig.mend()
        said = f"{number}, {said}, then {_attempt(rig, trial.case.params(rig))}"
        assert undone == [], said
        trial.reached(rig, said)


def _between(rig: Rig, how: str) -> None:
    if how == "later":
        rig.world.pass_time()
    elif how == "rebooted":
        rig.world.reboot()


@pytest.mark.slow
@pytest.mark.parametrize("trial", CASES, indirect=True)
def test_killed_and_killed_again(trial: Trial, undone: list[str]) -> None:
    chance = random.Random(1)
    total = trial.effects()
    for number in range(1, total + 1):
        for _ in range(SECOND_KILLS):
            rig = trial.fresh()
            rig.fail_at(number, chance.choice(("kill", "kill", "torn", "error")))
            said = [_attempt(rig, trial.case.params(rig))]
            rig.fail_at(chance.randint(1, total), chance.choice(("kill", "torn")))
            said.append(_attempt(rig, trial.case.params(rig)))
            rig.mend()
            said.append(_attempt(rig, trial.case.params(rig)))
            assert undone == [], (number, said)
            trial.reached(rig, f"{number}, {said}")


@pytest.mark.parametrize("how", ["error", pytest.param("domain", marks=pytest.mark.slow), "late"])
@pytest.mark.parametrize("trial", [pytest.param(name, marks=pytest.mark.slow) if name in LONG else name for name in UNDOES_ITSELF], indirect=True)
def test_fails_anywhere(trial: Trial, undone: list[str], how: str) -> None:
    """A fault that shows itself ends in what was asked for or in exactly what was, already in the first run."""
    for number in range(1, trial.effects() + 1):
        rig = trial.fresh()
        rig.fail_at(number, how)
        said = f"{number}, {rig.world.effects}"
        try:
            rig.run(trial.case.params(rig))
        except (DomainError, OSError) as error:
            said = f"{number}, {error}"
            if rig.journal() == [] and trial.case.reached(rig):
                assert trial.difference(rig.world) == [], said
        rig.mend()
        said += f", then {_attempt(rig, trial.case.params(rig))}"
        assert undone == [], said
        trial.reached(rig, said)
