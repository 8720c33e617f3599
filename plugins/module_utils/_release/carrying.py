# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An operation while it is carried out: opened in the journal, reported, given up, and finished or undone where it was interrupted."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from .._image.record import Record, Release
from .._kernel.errors import DomainError
from .._kernel.execute import carry_out, undo
from .._kernel.files import read_text, replace_file
from .._kernel.journal import lock_holder, locked, operation_id
from .._kernel.plan import Plan, Step
from .._kernel.text import local_time
from . import outcomes
from .answered import lines_of
from .model import Desired
from .parts import Parts
from .steps.all import Steps

# Past these steps an operation is finished, not undone: requests were let go to the new colour.
NO_RETURN = ("let_go", "settle")


def made_from(source: Mapping[str, Any]) -> list[dict[str, str]]:
    """The add-ons that an image's own record names, for people: nobody looked at whether anybody signed them."""
    return [{"name": str(addon.get("name")), "url": str(addon.get("url") or ""), "commit": str(addon.get("commit") or "")}
            for addon in source.get("addons") or ()]


class Carrying:
    """One instance's operation under way.

    :param kinds: what carries out the steps of an operation, by its class; ``Steps`` where none is named.
    :ivar result: facts for the module's result.
    """

    def __init__(self, wanted: Desired, parts: Parts, kinds: Mapping[str, type[Steps]]) -> None:
        self.wanted, self.parts, self.kinds = wanted, parts, kinds
        self.journal = parts.journal
        self.result: dict[str, Any] = {}

    def handlers(self, kind: str, release: Release, context: dict[str, Any]) -> Steps:
        return self.kinds.get(kind, Steps)(self.wanted, release, self.parts, context)

    def begin(self, plan: Plan, release: Release, kind: str, verb: str) -> Steps:
        """Open the journal with all that a next run needs to finish or undo this. Returns what carries out its steps."""
        operation = operation_id(verb)
        self._keep_release(release)
        self.journal.open({
            "operation": operation, "instance": self.wanted.instance, "plan": plan.digest, "class": kind,
            "strategy": plan.facts["strategy"], "state": self.wanted.state, "subject": dict(plan.subject),
            "before": dict(plan.before), "after": dict(plan.after),
            "steps": [step.as_dict() for step in plan.steps], "release": release.id, "name": release.record.name,
            "reasons": plan.facts["reasons"], "rehearsal": plan.facts["rehearsal"],
            "settings": self.wanted.settings,
            "who": self.wanted.params["requested_by"], "why": self.wanted.params["reason"],
            "provenance": plan.facts.get("provenance") or {"sources": made_from(release.record.source), "base": release.record.source.get("base")}})
        return self.handlers(kind, release, {"operation": operation})

    def give_up(self, plan: Plan, handlers: Steps, error: DomainError) -> None:
        """Undo what can be undone and say what happened; past the point of no return only say it. Always raises."""
        if any(name in handlers.context["begun"] for name in NO_RETURN) and self._leads(self.journal.read()[0]):
            raise DomainError(
                error.code, f"{self.wanted.instance} is released, but not settled: {error.message}",
                advice="Mend that, then run the same command again: it goes on where this stopped", **error.details)
        undo(self.journal, plan.steps, handlers)
        operation, advice = handlers.context["operation"], error.advice
        undone = outcomes.undone(self.wanted.instance, plan.facts["class"], self.wanted.state == "staged", plan.before)
        try:
            self.report("undone", handlers, error=error.message)
        except DomainError as unwritten:
            advice = f"{unwritten.message}: make room there, then run this again"
        raise DomainError(error.code, error.message, unchanged=undone, advice=advice,
                          **{**error.details, "operation": self.result.get("operation") or {"id": operation, "outcome": "undone"}})

    def report(self, outcome: str, handlers: Steps, **data: Any) -> None:
        """Close the journal with what came of it."""
        entries = self.journal.read()
        pause = pause_of(entries)
        answered = self.parts.edge.answered(entries, handlers.context, self.wanted.params["bounds"]["count"])
        handlers.warnings += lines_of(answered) if answered else []
        self.journal.close(outcome, pause=pause, warnings=handlers.warnings, answered=answered, **data)
        self.result["operation"] = {"id": handlers.context["operation"], "outcome": outcome, "pause": pause, "steps": entries[1:],
                                    "warnings": handlers.warnings, "answered": answered}

    # -- an operation that was interrupted -------------------------------------------------------

    def recovery_plan(self, entries: list[dict[str, Any]]) -> Plan:
        """One step, that finishes or undoes what was interrupted."""
        header = entries[0]
        forward = self._goes_forward(entries)
        holder = lock_holder(self.wanted.state_directory)
        if holder and self.wanted.state != "planned":
            with self.parts.alone(locked(self.wanted.state_directory, {})):
                pass
        title = _recovery_title(entries, forward)
        return Plan((Step("recover", title, {"operation": header["operation"], "forward": forward}),),
                    header["before"], header["after"], header["subject"],
                    {"class": header["class"], "strategy": header["strategy"], "reasons": header["reasons"],
                     "rehearsal": header.get("rehearsal"), "running": holder}, recovers=True)

    def recover(self, timings: dict[str, float]) -> None:
        """Finish or undo it, as what was done and where the front leads tell."""
        entries = self.journal.read()
        header = entries[0]
        steps = tuple(Step.from_dict(step) for step in header["steps"])
        done = [entry["step"] for entry in entries if entry["event"] == "done"]
        context: dict[str, Any] = {"operation": header["operation"],
                                   "begun": [entry["step"] for entry in entries if entry["event"] == "begin"]}
        for entry in entries:
            context.update(entry.get("data") or {})
        handlers = self.handlers(header["class"], self._kept_release(), context)
        forward = self._goes_forward(entries)
        self.journal.write("recover", title=_recovery_title(entries, forward), forward=forward, who=self.wanted.params["requested_by"])
        if forward:
            carry_out(self.journal, [step for step in steps if step.name not in done], handlers, timings)
            self.report("finished", handlers)
        else:
            _forget_undone(entries, context)
            undo(self.journal, steps, handlers)
            self.report("undone", handlers, error="it was interrupted")

    def _goes_forward(self, entries: list[dict[str, Any]]) -> bool:
        """Past the point of no return, or where a switch of code took effect. What the front says decides."""
        header = entries[0]
        events = {entry["event"] for entry in entries}
        begun = {entry["step"] for entry in entries if entry["event"] == "begin"}
        settling = bool(begun.intersection(NO_RETURN))
        if "undo" in events or ("failed" in events and not settling):
            return False
        return (settling or "switch" in begun) and self._leads(header)

    def _leads(self, header: Mapping[str, Any]) -> bool:
        """Whether the front leads where the operation wanted it."""
        return bool(self.parts.front.leads() == header["after"].get("colour"))

    # -- the release, kept -------------------------------------------------------------------------

    @property
    def _release_path(self) -> str:
        return os.path.join(self.wanted.state_directory, "release.json")

    def _keep_release(self, release: Release) -> None:
        """So that a next run can go on without the registry."""
        replace_file(self._release_path, json.dumps({
            "image": release.image_digest, "reference": release.reference, "record": release.record.raw}).encode())

    def _kept_release(self) -> Release:
        try:
            kept = json.loads(read_text(self._release_path) or "{}")
            return Release(kept["image"], kept["reference"], Record.parse(kept["record"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DomainError("state_damaged", f"{self._release_path} is not what was written there: {error!r}", unchanged="Nothing was changed",
                              advice="Put back from a backup of the machine what the interrupted operation kept there") from None


def pause_of(entries: list[dict[str, Any]]) -> float:
    """Seconds from hold to let go (or to the end of its undo); 0 where nothing was held."""
    start = next((e["seconds"] for e in entries if e["event"] == "begin" and e["step"] == "hold"), None)
    if start is None:
        return 0.0
    end = next((e["seconds"] for e in entries if (e["event"], e.get("step")) in (("done", "let_go"), ("undone", "hold"))),
               entries[-1]["seconds"])
    return round(float(end) - float(start), 3)


def _forget_undone(entries: list[dict[str, Any]], context: dict[str, Any]) -> None:
    """What an undo that was itself interrupted had already taken back need not be taken back again."""
    undone = {entry["step"] for entry in entries if entry["event"] == "undone"}
    context["begun"] = [name for name in context["begun"] if name not in undone or name == "update"]


def _recovery_title(entries: list[dict[str, Any]], forward: bool) -> str:
    begun = [entry for entry in entries if entry["event"] == "begin"]
    return "{} the operation {} of {} that was interrupted{}".format(
        "Finish" if forward else "Undo", entries[0]["operation"], local_time(entries[0]["at"]), " in '{}'".format(begun[-1]["title"]) if begun else "")
