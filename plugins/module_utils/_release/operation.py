# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release operation: look in one pass, plan, carry out under lock and journal."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .._image.record import Release
from .._kernel.errors import DomainError, known
from .._kernel.execute import carry_out
from .._kernel.journal import locked, now, one_of
from .._kernel.plan import Plan
from .._kernel.run import guard_digest
from .._kernel.text import local_time
from . import rehearsal, removal
from .carrying import Carrying
from .governed import Governed
from .look import look, running_release
from .model import Desired, desired
from .observed import Observed
from .parts import Parts
from .plan import make_plan, staged_only

# Recovery points are taken by a timer, of which who releases knows nothing.
WAITED_FOR = ("recovery point captured", "recovery point verified", "recovery point absent")


class ReleaseOperation:
    """What ``odoo_release`` does.

    :param open_parts: makes the world of a checked wish, such as ``parts.on_this_machine``.
    :raises DomainError: for parameters that cannot be, before the world is asked anything.
    """

    def __init__(self, params: Mapping[str, Any], open_parts: Callable[[Desired], Parts]) -> None:
        self.wanted = desired(params)
        self.writes = self.wanted.state != "planned"
        self.parts = open_parts(self.wanted)
        self.governed = Governed(self.wanted, self.parts)
        self.seen: Observed | None = None
        self._after: Mapping[str, Any] | None = None

    def plan(self) -> Plan:
        self.parts.where()
        entries = self.parts.journal.read()
        if entries:
            return self._carrying().recovery_plan(entries)
        self.wanted, self.seen = look(self.wanted, self.parts)
        return self.governed.judged(self._planned(), self.wanted, self.seen)

    def _planned(self) -> Plan:
        seen = known(self.seen)
        if self.wanted.state == "absent":
            return removal.make_plan(self.wanted, seen)
        plan = make_plan(self.wanted, seen)
        if plan.steps:
            self.parts.sessions()
            self.parts.data.check()
        if self.wanted.state == "rehearsed":
            return rehearsal.make_plan(self.wanted, seen, plan)
        if self.wanted.state == "staged":
            return staged_only(plan, self.wanted, seen)
        return plan

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        os.makedirs(self.wanted.state_directory, mode=0o700, exist_ok=True)
        holder = {"who": self.wanted.params["requested_by"] or "unknown", "operation": self.wanted.state}
        with self.parts.alone(locked(self.wanted.state_directory, holder, WAITED_FOR, self.wanted.params["bounds"]["update"])):
            recovered: dict[str, Any] = {}
            if self.parts.journal.read():
                carrying = self._carrying()
                carrying.recover(timings)
                recovered = {**carrying.result, **self.governed.record_late()}
            plan = self.plan()
            guard_digest(plan, self.wanted.params["expected_plan_digest"])
            if not plan.steps:
                return recovered
            self._confirmed(plan)
            self.governed.admit(plan, self.wanted, known(self.seen))
            try:
                done = self._carried_out(plan, timings)
            except DomainError:
                self.governed.record_late()
                raise
            return {**done, **self.governed.record_late()}

    def _carried_out(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        if self.wanted.state == "absent":
            removed = removal.perform(self.wanted, self.parts, plan, timings)
            self._after = plan.after
            return {**removed, **self.governed.record_removed(plan, self.wanted)}
        if self.wanted.state == "rehearsed":
            return rehearsal.perform(self._carrying(), self.release_to_run(), plan, timings)
        with self._turn(plan):
            return self._release(plan, timings)

    def _carrying(self) -> Carrying:
        return Carrying(self.wanted, self.parts, {"rehearsal": rehearsal.RehearsalSteps})

    def _confirmed(self, plan: Plan) -> None:
        """:raises DomainError: ``confirmation_needed`` where the plan discards data and its digest was not given."""
        if plan.facts.get("price") and not self.wanted.params["expected_plan_digest"]:
            raise DomainError(
                "confirmation_needed",
                "going back to {point}, taken {taken}, discards data: {said}".format(
                    point=plan.facts["point"], taken=local_time(plan.facts["taken"]), said=plan.facts["price"]["summary"]),
                unchanged="Nothing was changed", advice=f"If that is meant, give expected_plan_digest: {plan.digest}", plan=plan.as_dict())

    @contextmanager
    def _turn(self, plan: Plan) -> Iterator[None]:
        """Updates share a machine's processors; side by side each would make the other's pause longer. In a cluster each has its tenant's share."""
        if self.wanted.runtime == "kubernetes" or plan.facts["class"] not in ("update", "create", "restore"):
            yield
            return
        path = os.path.join(self.wanted.params["root"], ".updating")
        bounds = self.wanted.params["bounds"]
        with one_of(path, bounds["updates_at_once"], bounds["update"]):
            yield

    def _release(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        carrying = self._carrying()
        handlers = carrying.begin(plan, self.release_to_run(), plan.facts["class"], self.wanted.state)
        try:
            carry_out(self.parts.journal, plan.steps, handlers, timings)
        except DomainError as error:
            carrying.give_up(plan, handlers, error)
        carrying.report("done", handlers)
        self._after = plan.after
        return carrying.result

    def release_to_run(self) -> Release:
        """The release asked for: from the registry, or the one that runs from the database's own record."""
        seen = known(self.seen)
        return seen.target or running_release(known(seen.database.applied), self.parts.database)

    def facts(self) -> Mapping[str, Any]:
        """What runs, for the module's result."""
        if self.seen is None:
            return {"instance": {"name": self.wanted.instance}}
        applied = self.seen.database.applied or {}
        runs = {"colour": self.seen.colour, "release": applied.get("release"), "image": applied.get("image"), "since": applied.get("at")}
        if self._after is not None:
            changed = self._after.get("release") != runs["release"]
            runs = {**{key: self._after.get(key) for key in ("colour", "release", "image")}, "since": now() if changed else runs["since"]}
        return {"instance": {"name": self.wanted.instance, **runs}}
