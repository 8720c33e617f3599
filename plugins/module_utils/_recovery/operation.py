# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation behind ``pg_recovery_point``: observe, plan, carry out under the instance's lock.

No journal is kept: what a crash leaves shows in the world itself, and the same command goes on from there.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Protocol

from .._documents.signing import Signer, check_signers
from .._documents.store import open_store
from .._instance.database import Database, DatabaseState
from .._instance.way_in import WayIn
from .._kernel.errors import DomainError, known
from .._kernel.execute import carry_out, undo
from .._kernel.journal import Journal, locked
from .._kernel.plan import Plan
from .._kernel.run import guard_digest
from .capture import Capture, check_identity
from .expire import Expire, Hold
from .model import Desired, desired, utc_now
from .plan import Observed, make_plan
from .points import Points, find
from .remembered import Remembered
from .restic import Restic
from .restore import Restore, Target, check_target
from .verify import Verify

# How the instance's lock names what is done here, before the state.
HELD_AS = "recovery point "


class Handlers(Protocol):
    """Steps of one state."""

    context: dict[str, Any]

    def close(self) -> None: ...


class RecoveryOperation:
    """What ``pg_recovery_point`` does.

    :raises DomainError: for parameters that cannot be.
    """

    writes = True

    def __init__(self, params: Mapping[str, Any]) -> None:
        check_signers(params["trusted_signers"])
        self.wanted = desired(params)
        keys = params["pruning"] if self.wanted.state == "absent" else None
        self.restic = Restic(self.wanted, keys)
        self.points = open_points(self.wanted, keys)
        self.database: Database | None = None
        if params["database"]:
            place = params["database"]
            self.database = Database(place["name"], WayIn.of(place))
        self.seen: Observed | None = None
        self.base: DatabaseState | None = None
        self._made: str | None = None
        # What is returned beside the facts, where there is something.
        self.told: dict[str, Any] = {}

    # -- observe and plan -----------------------------------------------------------------------

    def observe(self) -> Observed:
        """The documents, one query where a database matters, and one call of restic for an expiry. Writes nothing."""
        wanted = self.wanted
        repository_id = self.points.repository() if wanted.state in ("captured", "absent") else None
        tried = True
        if wanted.state == "captured":
            Remembered(wanted).check(repository_id)
            tried = Remembered(wanted).tried() == self.points.store.tried
            self.base = known(self.database).observe()
            check_identity(wanted, self.base)
        points = self.points.all()
        snapshots = self.restic.snapshots() if repository_id and wanted.state == "absent" else []
        target, fresh = {}, True
        if wanted.state == "restored":
            point = find(points, wanted.params["point"], wanted.source)
            target = Target(wanted, known(self.database)).observe()
            fresh = check_target(wanted, point, target)
        return Observed(utc_now(), repository_id, points, snapshots, target, fresh, tried)

    def plan(self) -> Plan:
        self.seen = self.observe()
        return make_plan(self.wanted, self.seen)

    # -- carry out ------------------------------------------------------------------------------

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        for path in (self.wanted.state_directory, self.wanted.work):
            os.makedirs(path, mode=0o700, exist_ok=True)
        holder = {"who": self.wanted.params["requested_by"] or "unknown", "operation": HELD_AS + self.wanted.state}
        with locked(self.wanted.state_directory, holder):
            if self.wanted.state == "captured" and Journal(self.wanted.state_directory).read():
                raise DomainError("release_interrupted", f"a release of {self.wanted.instance} was interrupted and is not finished",
                                  unchanged="Nothing was captured", advice="Run the release again first: it finishes or undoes it")
            plan = self.plan()
            guard_digest(plan, self.wanted.params["expected_plan_digest"])
            if plan.steps:
                self.carry_out(plan, timings)
        return self.told

    def carry_out(self, plan: Plan, timings: dict[str, float]) -> str | None:
        """The plan's steps, by who holds the instance's lock. Returns the point's id.

        :raises DomainError: of the step that failed, after what it made was removed.
        """
        handlers = self._handlers(plan)
        try:
            carry_out(_Silent(), plan.steps, handlers, timings)
        except DomainError as error:
            if isinstance(handlers, Verify):
                handlers.note_failure(error)
            undo(_Silent(), plan.steps, handlers)
            raise
        finally:
            handlers.close()
            timings.update(getattr(handlers, "timings", {}))
        self.seen = Observed(utc_now(), None, self.points.all())
        self.told = {key: handlers.context[key] for key in ("warnings", "losses") if handlers.context.get(key)}
        point: str | None = handlers.context.get("point")
        self._made = point
        return point

    def _handlers(self, plan: Plan) -> Handlers:
        wanted, seen = self.wanted, known(self.seen)
        if wanted.state == "captured":
            return Capture(wanted, known(self.database), self.restic, self.points, known(self.base))
        if wanted.state == "absent":
            return Expire(self.restic, self.points, {point.id: point for point in seen.points})
        point = find(list(seen.points), plan.facts["point"], wanted.source)
        if wanted.state == "verified":
            self.points.signer.make_key()
            return Verify(wanted, self.restic, self.points, point, self.database)
        if wanted.state == "held":
            return Hold(self.points, point, wanted.params["requested_by"], wanted.params["reason"])
        return Restore(wanted, self.restic, point, Target(wanted, known(self.database)))

    # -- what is --------------------------------------------------------------------------------

    def facts(self) -> Mapping[str, Any]:
        """The recovery points, and the one this was about."""
        if self.seen is None:
            return {"points": []}
        now = utc_now()
        shown = [point.facts(now) for point in self.seen.points]
        wanted = self._made or self.wanted.params["point"]
        try:
            about = find(list(self.seen.points), wanted, self.wanted.source).facts(now)
        except DomainError:
            about = None
        return {"point": about, "points": shown}


class _Silent:
    """There is no journal."""

    def write(self, event: str, **data: Any) -> None:
        del event, data


def open_points(wanted: Desired, keys: Mapping[str, str] | None = None) -> Points:
    """The documents of whose points are meant."""
    key = os.path.join(wanted.state_directory, "recovery_key")
    signer = Signer(key, wanted.params["trusted_signers"])
    return Points(open_store(wanted.params["repository"], keys), signer, wanted.source)


def information(params: Mapping[str, Any]) -> dict[str, Any]:
    """What ``pg_recovery_point_info`` returns. Writes nothing, and asks restic nothing."""
    check_signers(params["trusted_signers"])
    wanted = desired(params)
    points = open_points(wanted)
    now = utc_now()
    found = points.all()
    newest = {state: next((point.facts(now) for point in found if point.state in states), None) for state, states in (
        ("latest", ("captured", "verified")), ("latest_verified", ("verified",)))}
    manifests = {point.id: point.manifest for point in found if not point.problem} if params["manifests"] else {}
    return {"points": [point.facts(now) for point in found], **newest, "signer": points.signer.public, "manifests": manifests}
