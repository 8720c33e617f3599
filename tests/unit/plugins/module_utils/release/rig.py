# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sets the real operation on a world in memory."""

from __future__ import annotations

import copy
import datetime
import errno
import os
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import people
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.data import Data as Files
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.way_in import WayIn
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel import journal as journal_module
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel import wait
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.journal import Journal
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.restore import MARK
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import loss, rehearsal
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.answered import Edge
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import Desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.operation import ReleaseOperation
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.parts import Parts
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.front import MachineFront
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.pods import Ground
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release import samples
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.cluster import (
    FakeApi,
    WorldKubernetes,
    front_of,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.memory import MemoryFront, MemoryRuntime
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.world import (
    INSTANCE,
    NAME,
    Box,
    Data,
    FakeDatabase,
    Killed,
    World,
    WorldDocker,
)

JOBS = {"queue_job": samples.module(), "queue_job_cron_jobrunner": samples.module(depends=("queue_job",))}
R1 = samples.release("r1", **JOBS)
R2 = samples.release("r2", code="c", **JOBS)                        # function bodies changed
R3 = samples.release("r3", schema="d", **JOBS)                      # fields changed
SCHEMAS = {R1.reference: "s1", R2.reference: "s1", R3.reference: "s2"}
RELEASES = {release.reference: release for release in (R1, R2, R3)}


class TickingJournal(Journal):
    """A journal whose writing may be interrupted, also in the middle of a line and between its end and its keeping."""

    world: World

    def write(self, event: str, **data: Any) -> None:
        if self.world.fault == (len(self.world.effects) + 1, "torn"):
            with open(self.path, "a", encoding="utf-8") as stream:
                stream.write('{"at": "2026-11-21T10:00:00.000+00:00", "event": "' + event)
            raise Killed("journal")
        try:
            if self.world.journal_full:
                raise OSError(errno.ENOSPC, "No space left on device")
            with self.world.effect("journal " + event):
                super().write(event, **data)
        except OSError as error:
            raise journal_module._cannot_write(self.path, error) from error


class FakeRecovery:
    """The recovery points of ``World.points``; what they do is told in tests of ``_recovery``."""

    told: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, world: World, params: dict[str, Any]) -> None:
        self.world, self.params = world, params
        self.points = self

    def all(self) -> list[types.SimpleNamespace]:
        found = []
        for name, data in self.world.points.items():
            manifest = {"release": data.applied[-1], "identity": data.identity, "taken": {"at": "2026-11-21T00:00:00+00:00", "why": data.why}}
            found.append(types.SimpleNamespace(id=name, state="verified", problem="", taken=datetime.datetime(2026, 11, 21), manifest=manifest))
        return found

    def plan(self) -> types.SimpleNamespace:
        return types.SimpleNamespace(steps=("one",))

    def carry_out(self, _plan: Any, _timings: dict[str, float]) -> str:
        state, point = self.params["state"], f"20261121T10000{len(self.world.points)}-0a1b2c3d"
        with self.world.effect(state):
            if state == "captured":
                made = self.world.points[point] = copy.deepcopy(self.world.databases[NAME])
                made.why, made.keep_until = self.params["reason"], self.params["keep_until"] or ""
            elif state == "restored":
                target = self.params["target"]
                made = copy.deepcopy(self.world.points[self.params["point"]])
                made.connect, made.restored, made.comment = set(), self.params["point"], MARK.format(self.params["point"])
                self.world.databases[target["database"]] = made
                os.makedirs(target["filestore"], exist_ok=True)
        return point


class RigData(Files):
    """Files below the test's own directory, which are as they should be where the test says nothing else."""

    rig: Rig

    def check(self) -> None:
        self.rig.check_data()

    def clone_to(self, directory: str, name: str) -> None:
        with self.rig.world.effect("cp"):
            os.makedirs(os.path.join(directory, "filestore", name))


class Rig:
    """One world.

    :param patch: puts everything back after the test.
    :param kind: ``memory``; or ``docker``, with the real runtime and front of a machine on a daemon and an nftables that are in memory; or
        ``kubernetes``, with those of a cluster on an API that is in memory.
    """

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch, kind: str = "memory") -> None:
        self.directory, self.patch, self.kind = directory, patch, kind
        self.api: FakeApi | None = None
        directory.mkdir(parents=True, exist_ok=True)
        self.world = World(directory, RELEASES, dict(SCHEMAS))
        # What an operation that was undone may leave beside what it found, and what it may leave otherwise.
        self.also: dict[str, Any] = {}
        self.ignored: set[str] = set()
        self.check_data: Callable[[], None] = lambda: None
        self._connect()

    def parts(self, wanted: Desired) -> Parts:
        """The parts of an instance in this world."""
        world, params = self.world, wanted.params
        runtime: Any = MemoryRuntime(world)
        front: Any = MemoryFront(world)
        if self.kind == "docker":
            runtime = WorldDocker(world, wanted.instance, wanted.directory, params["subnet"], int(params["uid"]))
            front = MachineFront(wanted.instance, params["subnet"], params["edge"]["maintenance"], str(self.directory), world.nft)
        elif self.kind == "kubernetes":
            ground = Ground(wanted.instance, wanted.instance, int(params["uid"]))
            self.api = self.api or FakeApi(world, ground)
            runtime, front = WorldKubernetes(world, self.api, ground, wanted.directory), front_of(world, self.api, ground)
        else:
            runtime.tokens = self.tokens
        data = RigData(wanted.directory, wanted.database, int(params["uid"]))
        data.rig = self
        return Parts(
            runtime=runtime, front=front, database=FakeDatabase(wanted.database, WayIn("", 0)), data=data, journal=TickingJournal(wanted.state_directory),
            edge=Edge(params["edge"], wanted.instance), where=lambda: None, record=world.releases.__getitem__, sessions=lambda: None,
            prove=self._prove, request=self._request, recovery=lambda asked: FakeRecovery(world, asked))  # type: ignore[arg-type,return-value]

    def _connect(self) -> None:
        """Time, the disk and what is pure SQL of other tests' subjects."""
        world, patch = self.world, self.patch
        self.tokens: dict[str, str] = {}
        for name, stands_in in {"sleep": world.sleep, "monotonic": world.monotonic, "time": world.monotonic}.items():
            patch.setattr(wait.clock, name, stands_in, raising=False)
        patch.setattr(os, "fsync", lambda handle: None)
        for double in (TickingJournal, FakeDatabase):
            patch.setattr(double, "world", world, raising=False)
        patch.setattr(people, "first_password", self._first_password)
        patch.setattr(rehearsal, "copy_of", self._copied)
        patch.setattr(loss, "price", lambda *_a: {"since": "2026-11-21", "documents": [], "summary": "nothing"})
        patch.setattr(loss, "export", self._export)
        keep = os.replace

        def replace(source: Any, target: Any) -> None:
            if os.path.basename(os.path.dirname(target)) == "history":
                with world.effect("keep the journal"):
                    keep(source, target)
            else:
                keep(source, target)

        patch.setattr(journal_module.os, "replace", replace)

    def _request(self, address: str, _port: int, _method: str, _path: str, _host: str, headers: dict[str, str], **_more: Any) -> None:
        """Who is asked to tell browsers leads, and so does the front."""
        colour = headers["X-Sysgenpro-Leads"]
        assert colour in self.world.leading and self.world.front_colour() == colour
        self.world.called.append(colour)

    def _first_password(self, _database: Any, password: str) -> dict[str, Any]:
        with self.world.effect("first password"):
            self.world.first_password = password
        return {"administrator": ["admin"], "without_password": []}

    def _export(self, _database: Any, name: str, *_rest: Any) -> int:
        with self.world.effect("export"):
            return self.world.databases[name].orders

    def _copied(self, database: Any, clone: str, _scratch: str) -> None:
        import copy

        with self.world.effect("clone"):
            database.create(clone)
            kept = self.world.databases[clone].connect
            self.world.databases[clone] = copy.deepcopy(self.world.databases[NAME])
            self.world.databases[clone].connect = kept

    def _prove(self, address: str, series: Any, database: str, token: str, *_rest: Any) -> dict[str, Any]:
        box = next((b for b in self.world.boxes.values() if b.address == address), None)
        if not box or not box.running or box.waits or box.ending or not token:
            raise DomainError("not_ready", f"{address} is not ready: its process ended while starting")
        clone = box.label("kind") == "update"
        data = self.world.databases[database]
        if box.image in self.world.not_ready | self.world.spoilt or not (clone or self.world.may_connect(box)):
            raise DomainError("not_ready", f"{address} is not ready: web client: 500")
        if data.half or data.schema != self.world.schemas[box.image]:
            raise DomainError("not_ready", f"{address} is not ready: registry: a column is missing")
        self.world.proven.add(box.name)
        return {"assets": 3, "checks": []}

    # -- what tests do with it ------------------------------------------------------------------

    def params(self, release: Any = None, **changes: Any) -> dict[str, Any]:
        if self.world.jobs:
            changes.setdefault("modules__install", ["queue_job"])
        values = samples.params(root=str(self.directory / "instances"), release=release.reference if release else None,
                                **changes)
        if not os.path.exists(values["root"]):
            os.makedirs(os.path.join(values["root"], INSTANCE, "data", "filestore", NAME))
        return values

    def operation(self, params: dict[str, Any]) -> ReleaseOperation:
        return ReleaseOperation(params, self.parts)

    def run(self, params: dict[str, Any]) -> dict[str, Any]:
        """As the module does, each run a process of its own."""
        operation = self.operation(params)
        plan = operation.plan()
        further: Any = {}
        if plan.steps and operation.writes:
            further = operation.perform(plan, {})
        return {"changed": bool(plan.steps), "plan": plan, **further}

    def count(self, params: dict[str, Any]) -> int:
        """How many effects this run has."""
        before = len(self.world.effects)
        self.run(params)
        return len(self.world.effects) - before

    def fail_at(self, number: int, how: str) -> None:
        self.world.effects.clear()
        self.world.fault = (number, how)

    def mend(self) -> None:
        self.world.fault = None

    def journal(self) -> list[dict[str, Any]]:
        return Journal(os.path.join(str(self.directory), "instances", INSTANCE, "state")).read()


def running_r1(rig: Rig, colour: str = "blue") -> None:
    """An instance that runs r1 in one colour, as a release leaves it."""
    world = rig.world
    rig.run(rig.params(R1))
    world.look()
    assert world.front_colour() == "blue"
    if colour == "green":
        rig.run(rig.params(R2))
    world.effects.clear()


def released(world: World, release: Any) -> list[str]:
    """What is not as a settled release leaves it; empty where all is."""
    colour = world.front_colour()
    wrong = [] if colour else ["the front refuses"]
    kinds = ("web", "cron", *(["queue"] if world.jobs else []))
    want = {f"{INSTANCE}-{colour}-{kind}" for kind in kinds}
    running = {name for name, box in world.boxes.items() if box.running}
    if running != want:
        wrong.append(f"running: {sorted(running)}")
    wrong += [f"{name} is of another release" for name in running if world.boxes[name].label("release") != release.id]
    wrong += [f"{name} does not restart" for name in running if not world.boxes[name].restart]
    logins = {role for role, may in world.roles.items() if may}
    if logins != {f"{NAME}_{colour}_{kind}" for kind in kinds}:
        wrong.append(f"logins: {sorted(logins)}")
    data = world.databases.get(NAME, Data())
    if (data.schema, data.half, data.open, data.connect) != (world.schemas[release.reference], False, True, {NAME + "_owner"}):
        wrong.append(f"database: {data}")
    if not data.applied or data.applied[-1]["release"] != release.id:
        wrong.append("not recorded")
    if world.leading != {colour}:
        wrong.append(f"told to lead: {world.leading}")
    further = {name for name in world.databases if not name.startswith(NAME + "_was_")} - {NAME, NAME + "_undo"}
    return wrong + [f"left over: {name}" for name in sorted(further)]


__all__ = ["R1", "R2", "R3", "Box", "Data", "Killed", "Rig", "released", "running_r1"]
