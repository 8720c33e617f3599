# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam to governance: what a release knows becomes facts, and what it did an entry of the ledger. On a machine that is not governed it does nothing."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from .._estate.differences import differing
from .._estate.running import drifted
from .._governance import built
from .._governance.estate import estate_facts
from .._governance.gate import InstanceGate
from .._governance.moments import hours_between, read, written
from .._instance.shop import DATABASE_ERRORS, at_work, running_imports, unposted_closings
from .._instance.structure import structure
from .._kernel.errors import DomainError
from .._kernel.journal import operation_id
from .._kernel.plan import Plan
from .model import Desired
from .observed import Observed
from .parts import Parts
from .recovery import recovery_params
from .room import room
from .status import hands, operations

# How many of the newest operations may have ended without being written down.
LATELY = 50
UNREADABLE: tuple[type[BaseException], ...] = (DomainError, OSError, *DATABASE_ERRORS)


class Governed:
    """:raises DomainError: ``governance_unsafe``, ``governance_incomplete``, ``bad_input``."""

    def __init__(self, wanted: Desired, parts: Parts) -> None:
        governance = parts.governance()
        self.gate = InstanceGate(governance, wanted.identity) if governance else None
        self.parts = parts

    def judged(self, plan: Plan, wanted: Desired, seen: Observed) -> Plan:
        """The plan with all its gates. What needs no gate (nothing to do, a rehearsal on a clone) is as it was."""
        if self.gate is None or not plan.steps or wanted.state == "rehearsed":
            return plan
        if plan.facts["class"] == "update":
            # Who approved a change of the schema approved it of the structure that they saw.
            plan = replace(plan, subject={**plan.subject, "structure": structure(self.parts.database)})
        facts = self._facts(self.gate, plan, wanted, seen)
        return replace(plan, facts={**plan.facts, "gates": self.gate.judge(facts).as_dict(), "provenance": built.short(facts)})

    def admit(self, plan: Plan, wanted: Desired, seen: Observed) -> None:
        """Judge once more, write it down, and let it pass or not.

        :raises DomainError: ``gates_closed``, and where the ledger cannot be read or written.
        """
        if self.gate is not None and plan.steps and wanted.state != "rehearsed":
            self.record()
            facts = self._facts(self.gate, plan, wanted, seen)
            self.gate.admit(facts, self.gate.judge(facts))

    def record(self, after: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Write down what ended, from the journals: also what a run before this could not. Returns facts for the module's result.

        :param after: what the shop has under way after the operation that ended last; what it had before is in what the gates judged.
        """
        if self.gate is None:
            return {}
        # By their ends, which are told to the millisecond: names of two in the same second say nothing of their order.
        ended = sorted((found for entries in operations(self.parts.journal.history, LATELY) if (found := _ended(entries))), key=lambda one: one["ended"])
        if after and ended:
            ended[-1] = {**ended[-1], "shop": dict(after)}
        self.gate.record(ended)
        newest = self.gate.ledger.newest()
        return {"ledger": {"sequence": newest.sequence, "digest": newest.digest}} if newest else {}

    def record_late(self) -> dict[str, Any]:
        """The same after something was done: what is done is not undone for want of a ledger, and the next run writes it down."""
        try:
            return self.record(self._shop_after())
        except DomainError as error:
            return {"ledger": {"problem": f"what was done is not in the ledger yet, and the next run puts it there: {error.message}"}}

    def _shop_after(self) -> Mapping[str, Any] | None:
        """The retail checks once more, where a gate asked for any of them."""
        if self.gate is None or not any(self.gate.asks(kind) for kind in ("pos_closed", "imports", "closings")):
            return None
        return _readable(lambda: at_work(self.parts.database))

    def record_removed(self, plan: Plan, wanted: Desired) -> dict[str, Any]:
        """A removal, which has no journal."""
        if self.gate is None:
            return {}
        at = written(self.gate.governance.clock())
        body = {"operation": operation_id("absent"), "plan": plan.digest, "state": "absent", "class": "remove", "outcome": "done", "image": None,
                "who": wanted.params["requested_by"], "why": wanted.params["reason"], "began": at, "ended": at}
        try:
            self.gate.record([body])
        except DomainError as error:
            return {"ledger": {"problem": f"the removal is in the ledger only as what was admitted: {error.message}"}}
        return {}

    # -- facts ------------------------------------------------------------------------------------

    def _facts(self, gate: InstanceGate, plan: Plan, wanted: Desired, seen: Observed) -> dict[str, Any]:
        subject, now = plan.subject, gate.governance.clock()
        told = {"digest": plan.digest, "class": plan.facts["class"], "strategy": plan.facts["strategy"], "from": subject.get("from"), "to": subject.get("to"),
                "image": plan.after.get("image"), "updates": len(plan.facts["reasons"]), "steps": [step.name for step in plan.steps]}
        request = {"by": wanted.params["requested_by"], "reason": wanted.params["reason"], "state": "released" if wanted.state == "planned" else wanted.state}
        return gate.facts(told, request, {
            "recovery_point": _readable(lambda: self._recovery_point(wanted, now)) if gate.asks("recovery_point") else None,
            "rehearsal": _rehearsal(wanted, seen, now),
            **estate_facts(gate, str(told["image"] or ""), _found(gate.governance.policy.baseline, told, wanted, seen) if gate.asks("differences") else []),
            **self._shop(gate, seen), **self._beside(gate, str(plan.after.get("image") or ""), wanted, seen),
            "room": _readable(lambda: room(wanted, seen, self.parts.runtime.share())) if gate.asks("headroom") else None})

    def _shop(self, gate: InstanceGate, seen: Observed) -> dict[str, Any]:
        """What the shop has under way, of what a gate asks for; of an instance without a database nothing."""
        database = self.parts.database
        ways: dict[str, tuple[str, Callable[[], dict[str, Any]]]] = {
            "pos": ("pos_closed", lambda: {"open": database.open_pos_sessions()}),
            "imports": ("imports", lambda: {"running": running_imports(database)}),
            "closings": ("closings", lambda: {"open": unposted_closings(database)})}
        return {name: _readable(way) if seen.database.odoo and gate.asks(kind) else None for name, (kind, way) in ways.items()}

    def _beside(self, gate: InstanceGate, image: str, wanted: Desired, seen: Observed) -> dict[str, Any]:
        """What lies beside the image in its registry. One that does not answer closes the gates that ask for it, and no others: a way back may need none."""
        if wanted.reference is None or wanted.reference.digest != image or not any(gate.asks(kind) for kind in built.KINDS):
            return built.nothing()
        try:
            found = self.parts.attached(wanted.reference)
        except DomainError as error:
            return built.nothing(f"it cannot be read: {error.message}")
        return gate.built(image, seen.target.record.source if seen.target else None, found.documents, found.by, found.cosign)

    def _recovery_point(self, wanted: Desired, now: datetime.datetime) -> dict[str, Any] | None:
        """The newest verified point that this machine signed, wherever who releases says that points lie."""
        if not wanted.params["recovery"]:
            return None
        operation = self.parts.recovery(recovery_params(wanted, "verified", point="latest", trusted_signers=[]))
        points = [point for point in operation.points.all() if point.state == "verified"]
        newest = max(points, key=lambda point: point.taken, default=None)
        return {"id": newest.id if newest else None, "hours": hours_between(newest.taken, now) if newest else None, "count": len(points)}


def _readable(ask: Callable[[], dict[str, Any] | None]) -> dict[str, Any] | None:
    """A fact, or why it cannot be read: then its gate is closed, and the others are told all the same."""
    try:
        found = ask()
    except UNREADABLE as error:
        return {"problem": error.message if isinstance(error, DomainError) else f"{type(error).__name__}: {error}".strip()}
    return None if found is None else {**found, "problem": ""}


def _found(baseline: Mapping[str, Any], told: Mapping[str, Any], wanted: Desired, seen: Observed) -> list[dict[str, Any]]:
    """What this release would make otherwise than the policy's baseline, and what runs now otherwise than it was released.

    What runs otherwise holds up another release, so that somebody looks at it before its traces are gone. The same release again takes it back.
    """
    params = wanted.params
    settings = {"data_class": wanted.identity["data_class"], **{key: params[key] for key in ("processes", "config", "modules", "languages")}}
    found = [{"what": one["what"], "said": f"{one['value']!r}, baseline {one['baseline']!r}"} for one in differing(baseline, settings, only=True)]
    applied = seen.database.applied
    if not applied or not seen.colour or told["from"] == told["to"]:
        return found
    places = {name: {"running": one.running, "image": one.image, "hands": hands(one.config)}
              for name, one in seen.places.items()}
    drift = drifted({"image": applied["image"], "colour": seen.colour}, places, seen.front)
    return found + [{"what": f"running.{one['what']}", "said": f"{one['recorded']}; found: {one['found']}; {one['who']}"} for one in drift]


def _rehearsal(wanted: Desired, seen: Observed, now: datetime.datetime) -> dict[str, Any]:
    found = seen.rehearsal or {}
    at = found.get("at")
    return {"ok": found.get("ok", True) if found else None, "hours": hours_between(read("rehearsal.at", at), now) if at else None,
            "pause": found.get("pause"), "max_pause": wanted.params["bounds"]["max_pause"]}


def _ended(entries: list[dict[str, Any]]) -> Mapping[str, Any] | None:
    """An operation's entry in the ledger, from its journal; None for one that has no end."""
    if not entries or entries[0].get("event") != "open" or entries[-1].get("event") != "close":
        return None
    header, end = entries[0], entries[-1]
    return {"operation": header["operation"], "plan": header["plan"], "state": header["state"], "class": header["class"], "outcome": end["outcome"],
            "image": header["after"].get("image"), "release": header.get("release"), "name": header.get("name"), "who": header.get("who"),
            "why": header.get("why"), "began": header["at"], "ended": end["at"], "pause": end.get("pause"), "error": end.get("error", "")}
