# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release operation: observe in one pass, plan, carry out under lock and journal, finish or undo what was interrupted."""

from __future__ import annotations

import glob
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from .._image.record import Record, Release, parse_reference
from .._image.registry import fetch_record
from .._instance import given
from .._instance.database import Database, DatabaseState
from .._instance.filestore import check_filestore
from .._kernel.errors import DomainError, known
from .._kernel.execute import carry_out, undo
from .._kernel.files import read_text, replace_file
from .._kernel.journal import Journal, lock_holder, locked, now, one_of, operation_id
from .._kernel.plan import Plan, Step
from .._kernel.run import guard_digest
from .._runtime.docker import DockerRuntime, memory_available
from .._runtime.front import Front
from . import outcomes, recovery, rehearsal, removal
from .answered import lines_of
from .changes import Changes, classify
from .model import Desired, colour_of, desired
from .moved import check_place
from .plan import Observed, make_plan
from .session import check_session
from .steps import Steps, template_of
from .way_back import way_back

# Past these steps an operation is finished, not undone: requests were let go to the new colour.
NO_RETURN = ("let_go", "settle")
# Recovery points are taken by a timer, of which who releases knows nothing.
WAITED_FOR = ("recovery point captured", "recovery point verified", "recovery point absent")


def holds_files(path: str) -> bool:
    """Whether a directory is there with something in it."""
    return os.path.isdir(path) and bool(os.listdir(path))


def disk_free(path: str) -> int:
    """Bytes that PostgreSQL may still write there; 0 where that cannot be told."""
    return shutil.disk_usage(path).free if os.path.isdir(path) else 0


class ReleaseOperation:
    """What ``odoo_release`` and ``odoo_release_info`` share.

    :raises DomainError: for parameters that cannot be.
    """

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.wanted = desired(params)
        self.writes = self.wanted.state != "planned"
        self.runtime = DockerRuntime()
        self.runtime.logs_to = os.path.join(self.wanted.state_directory, "logs")
        database = params["database"]
        self.database = Database(database["name"], database["port"], database["socket"])
        self.front = Front(self.wanted.instance, self.wanted.address("front"))
        self.journal = Journal(self.wanted.state_directory)
        self.seen: Observed | None = None
        self.result: dict[str, Any] = {}
        self._after: Mapping[str, Any] | None = None

    # -- observe and plan -----------------------------------------------------------------------

    def observe(self) -> Observed:
        """One Docker call, one query, one nftables call; the registry only where the release is not the one that runs."""
        wanted = self.wanted
        containers = self.runtime.observe(wanted.instance)
        front = self.front.observe()
        database = self.database.observe()
        back = origin = None
        restores = wanted.params["from_point"] and wanted.state not in ("rolled_back", "absent")
        if restores and database.exists:
            recovery.check_origin(wanted, self.database)
        if restores and not database.exists:
            origin = recovery.find_origin(wanted)
            self.wanted = wanted = self._wish_for(origin.applied)
        elif wanted.reference is None and database.applied and wanted.state not in ("rolled_back", "absent"):
            self.wanted = wanted = self._wish_for(database.applied)
        if wanted.state == "rolled_back":
            self.wanted, back = self._previous(database)
            wanted = self.wanted
        target, changes = self._target(wanted, database, back)
        if self._asks_for_origins(database, target, changes):
            database = self.database.with_origins(database)
        lacks = given.lacking(database.extensions, given.wants_unaccent(wanted.params)) if wanted.state != "absent" else []
        seen = Observed(
            containers=containers, front=front, database=database, filestore=os.path.isdir(wanted.filestore),
            files=not database.odoo and holds_files(wanted.filestore), disk=disk_free(database.directory),
            target=target, changes=changes, memory=memory_available(),
            template=template_of(wanted.params["template"]) if not database.exists else None,
            back=back, origin=origin, stray=self._stray(database, target),
            lacks=lacks, missing=given.not_offered(lacks, self.database.offered_extensions()) if lacks else ())
        return replace(seen, rehearsal=rehearsal.stored(wanted, seen))

    def _stray(self, database: DatabaseState, target: Release | None) -> list[str]:
        """Modules in the data directory, which Odoo would run before those of any release (``addons_data_dir`` of odoo/tools/config.py)."""
        series = target.record.series if target else ".".join(database.modules.get("base", ("", ""))[1].split(".")[:2])
        found = glob.glob(os.path.join(self.wanted.directory, "data", "addons", series or "-", "*", "__manifest__.py"))
        return sorted(path.split(os.sep)[-2] for path in found)

    def _asks_for_origins(self, database: DatabaseState, target: Release | None, changes: Changes | None) -> bool:
        """Whether there is something to do with the database, or a module to judge that the release does not hold: one query more."""
        if not database.odoo:
            return False
        moving = any(state == "to upgrade" for state, _version in database.modules.values())
        lacking = target is not None and not database.installed <= set(target.record.modules)
        wanted = self.wanted
        wishes = [set(wanted.install) - database.installed, database.installed.intersection(wanted.uninstall), set(wanted.languages) - set(database.languages)]
        return moving or lacking or any(wishes) or bool(changes and changes.update)

    def plan(self) -> Plan:
        check_place(self.wanted.params)
        entries = self.journal.read()
        if entries:
            return self._recovery_plan(entries)
        self.seen = self.observe()
        if self.wanted.state == "absent":
            return removal.make_plan(self.wanted, self.seen)
        plan = make_plan(self.wanted, self.seen)
        if plan.steps:
            check_session(self.wanted.params["session"])
            check_filestore(self.wanted)
        if self.wanted.state == "rehearsed":
            return rehearsal.make_plan(self.wanted, self.seen, plan)
        if self.wanted.state == "staged":
            return _staged_only(plan, self.wanted, self.seen)
        return plan

    def _target(self, wanted: Desired, database: DatabaseState, back: recovery.Back | None) -> tuple[Release | None, Changes | None]:
        reference, applied = wanted.reference, database.applied
        if reference is None:
            return None, None
        if applied and applied["image"] == reference.digest:
            # Whether something can be installed is told by the record of what runs, which is not read otherwise.
            return self._running_release(applied) if set(wanted.install) - database.installed else None, None
        target = self._fetch(str(reference))
        if not applied or back:
            return target, None
        installed = {name: database.modules[name][1] for name in database.installed}
        before = Record.parse(self.database.applied_record())
        return target, classify(before, target.record, installed, list(database.languages))

    def _fetch(self, reference: str) -> Release:
        registry = self.wanted.params["registry"]
        return fetch_record(reference, registry.get("username"), registry.get("password"),
                            registry.get("ca_path"))

    def _previous(self, database: DatabaseState) -> tuple[Desired, recovery.Back | None]:
        """The wish for the release that ran before, with the recovery point it takes where more than code lies between."""
        rows = self.database.since_another() if database.applied else []
        point = self.wanted.params["point"]
        if point:
            # Gone back and nothing released since: to ask once more is to stay. An id is compared before the repository is asked anything.
            stays = bool(rows) and rows[0]["class"] == "restore"
            if stays and recovery.stands_on(self.database, point):
                return self._wish_for(rows[0]), None
            back = recovery.find_back(self.wanted, self.database, None)
            return self._wish_for(back.applied), None if stays and recovery.stands_on(self.database, back.point) else back
        if not rows:
            raise DomainError("nothing_before", f"nothing was released on {self.wanted.instance} yet",
                              unchanged="Nothing was changed")
        way = way_back(rows)
        if way is None:
            raise DomainError("nothing_before", f"{self.wanted.instance} never ran another release than this",
                              unchanged="Nothing was changed")
        if way.between and self.wanted.params["recovery"]:
            back = recovery.find_back(self.wanted, self.database, way.target)
            return self._wish_for(back.applied), back
        if way.between:
            raise DomainError(
                "update_between",
                "between this release and the one before lies an update of the database ({})".format(way.between[0]["operation"]),
                unchanged="Nothing was changed",
                advice="Going back costs data: give recovery, the repository with the recovery points, and a confirmation")
        return self._wish_for(way.target), None

    def _wish_for(self, applied: Mapping[str, Any]) -> Desired:
        return Desired(self.wanted.instance, self.wanted.identity, self.wanted.state, parse_reference(applied["reference"]), self.wanted.params)

    # -- carry out ------------------------------------------------------------------------------

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        os.makedirs(self.wanted.state_directory, mode=0o700, exist_ok=True)
        holder = {"who": self.wanted.params["requested_by"] or "unknown", "operation": self.wanted.state}
        with locked(self.wanted.state_directory, holder, WAITED_FOR, self.wanted.params["bounds"]["update"]):
            if self.journal.read():
                self._recover(timings)
            plan = self.plan()
            guard_digest(plan, self.wanted.params["expected_plan_digest"])
            if not plan.steps:
                return self.result
            self._confirmed(plan)
            if self.wanted.state == "absent":
                removed = removal.perform(self, plan, timings)
                self._after = plan.after
                return removed
            if self.wanted.state == "rehearsed":
                return rehearsal.perform(self, plan, timings)
            with self._place(plan):
                self._release(plan, timings)
        return self.result

    def _confirmed(self, plan: Plan) -> None:
        """:raises DomainError: ``confirmation_needed`` where the plan discards data and its digest was not given."""
        if plan.facts.get("price") and not self.wanted.params["expected_plan_digest"]:
            raise DomainError(
                "confirmation_needed",
                "going back to {point}, taken {taken}, discards data: {said}".format(said=plan.facts["price"]["summary"], **plan.facts),
                unchanged="Nothing was changed", advice=f"If that is meant, give expected_plan_digest: {plan.digest}", plan=plan.as_dict())

    @contextmanager
    def _place(self, plan: Plan) -> Iterator[None]:
        """Updates share a machine's processors; side by side each would make the other's pause longer."""
        if plan.facts["class"] not in ("update", "create", "restore"):
            yield
            return
        path = os.path.join(self.wanted.params["root"], ".updating")
        bounds = self.wanted.params["bounds"]
        with one_of(path, bounds["updates_at_once"], bounds["update"]):
            yield

    def _release(self, plan: Plan, timings: dict[str, float]) -> None:
        release = self.release_to_run()
        operation = operation_id(self.wanted.state)
        context: dict[str, Any] = {"operation": operation}
        self.begin(operation, plan, release, plan.facts["class"])
        handlers = Steps(self.wanted, release, self.runtime, self.front, self.database, context)
        try:
            carry_out(self.journal, plan.steps, handlers, timings)
        except DomainError as error:
            self._give_up(plan, handlers, error)
        self.report(operation, "done", handlers)
        self._after = plan.after

    def begin(self, operation: str, plan: Plan, release: Release, kind: str) -> None:
        """Open the journal with all that a next run needs to finish or undo this."""
        self._keep_release(release)
        self.journal.open({
            "operation": operation, "instance": self.wanted.instance, "plan": plan.digest, "class": kind,
            "strategy": plan.facts["strategy"], "state": self.wanted.state, "subject": dict(plan.subject),
            "before": dict(plan.before), "after": dict(plan.after),
            "steps": [step.as_dict() for step in plan.steps], "release": release.id, "name": release.record.name,
            "reasons": plan.facts["reasons"], "rehearsal": plan.facts["rehearsal"],
            "who": self.wanted.params["requested_by"], "why": self.wanted.params["reason"]})

    def _give_up(self, plan: Plan, handlers: Steps, error: DomainError) -> None:
        """Undo what can be undone and say what happened; past the point of no return only say it."""
        if any(name in handlers.context["begun"] for name in NO_RETURN) and self._leads(self.journal.read()[0]):
            raise DomainError(
                error.code, f"{self.wanted.instance} is released, but not settled: {error.message}",
                advice="Mend that, then run the same command again: it goes on where this stopped", **error.details)
        undo(self.journal, plan.steps, handlers)
        operation, advice = handlers.context["operation"], error.advice
        undone = outcomes.undone(self.wanted.instance, plan.facts["class"], self.wanted.state == "staged", plan.before)
        try:
            self.report(operation, "undone", handlers, error=error.message)
        except DomainError as unwritten:
            advice = f"{unwritten.message}: make room there, then run this again"
        raise DomainError(error.code, error.message, unchanged=undone, advice=advice,
                          **{**error.details, "operation": self.result.get("operation") or {"id": operation, "outcome": "undone"}})

    def report(self, operation: str, outcome: str, handlers: Steps, **data: Any) -> None:
        entries = self.journal.read()
        pause = pause_of(entries)
        answered = handlers.edge.answered(entries, handlers.context, self.wanted.params["bounds"]["count"])
        handlers.warnings += lines_of(answered) if answered else []
        self.journal.close(outcome, pause=pause, warnings=handlers.warnings, answered=answered, **data)
        self.result["operation"] = {"id": operation, "outcome": outcome, "pause": pause, "steps": entries[1:],
                                    "warnings": handlers.warnings, "answered": answered}

    # -- an operation that was interrupted -------------------------------------------------------

    def _recovery_plan(self, entries: list[dict[str, Any]]) -> Plan:
        header = entries[0]
        forward = self._goes_forward(entries)
        holder = lock_holder(self.wanted.state_directory)
        if holder and self.wanted.state != "planned":
            with locked(self.wanted.state_directory, {}):
                pass
        title = _recovery_title(entries, forward)
        return Plan((Step("recover", title, {"operation": header["operation"], "forward": forward}),),
                    header["before"], header["after"], header["subject"],
                    {"class": header["class"], "strategy": header["strategy"], "reasons": header["reasons"],
                     "rehearsal": header.get("rehearsal"), "running": holder}, recovers=True)

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
        return bool(colour_of(self.front.observe(), self.wanted) == header["after"].get("colour"))

    def _recover(self, timings: dict[str, float]) -> None:
        entries = self.journal.read()
        header = entries[0]
        steps = tuple(Step.from_dict(step) for step in header["steps"])
        done = [entry["step"] for entry in entries if entry["event"] == "done"]
        context: dict[str, Any] = {"operation": header["operation"],
                                   "begun": [entry["step"] for entry in entries if entry["event"] == "begin"]}
        for entry in entries:
            context.update(entry.get("data") or {})
        kind = rehearsal.RehearsalSteps if header["class"] == "rehearsal" else Steps
        handlers = kind(self.wanted, self._kept_release(), self.runtime, self.front, self.database, context)
        forward = self._goes_forward(entries)
        self.journal.write("recover", title=_recovery_title(entries, forward), forward=forward, who=self.wanted.params["requested_by"])
        if forward:
            carry_out(self.journal, [step for step in steps if step.name not in done], handlers, timings)
            self.report(header["operation"], "finished", handlers)
        else:
            self._forget_undone(entries, context)
            undo(self.journal, steps, handlers)
            self.report(header["operation"], "undone", handlers, error="it was interrupted")

    @staticmethod
    def _forget_undone(entries: list[dict[str, Any]], context: dict[str, Any]) -> None:
        """What an undo that was itself interrupted had already taken back need not be taken back again."""
        undone = {entry["step"] for entry in entries if entry["event"] == "undone"}
        kept = [name for name in context["begun"] if name not in undone or name == "update"]
        context["begun"] = kept

    def release_to_run(self) -> Release:
        """The release asked for: from the registry, or the one that runs from the database's own record."""
        seen = known(self.seen)
        return seen.target or self._running_release(known(seen.database.applied))

    def _running_release(self, applied: Mapping[str, Any]) -> Release:
        """The release that runs, from the database's own record."""
        return Release(applied["image"], applied["reference"], Record.parse(self.database.applied_record()))

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

    # -- what is --------------------------------------------------------------------------------

    def facts(self) -> Mapping[str, Any]:
        """What runs, for the module's result."""
        if self.seen is None:
            return {"instance": {"name": self.wanted.instance}}
        applied = self.seen.database.applied or {}
        runs = {"colour": colour_of(self.seen.front, self.wanted), "release": applied.get("release"), "image": applied.get("image"), "since": applied.get("at")}
        if self._after is not None:
            changed = self._after.get("release") != runs["release"]
            runs = {**{key: self._after.get(key) for key in ("colour", "release", "image")}, "since": now() if changed else runs["since"]}
        return {"instance": {"name": self.wanted.instance, **runs}}


def _recovery_title(entries: list[dict[str, Any]], forward: bool) -> str:
    begun = [entry for entry in entries if entry["event"] == "begin"]
    return "{} the operation {} of {} that was interrupted{}".format(
        "Finish" if forward else "Undo", entries[0]["operation"], entries[0]["at"], " in '{}'".format(begun[-1]["title"]) if begun else "")


def pause_of(entries: list[dict[str, Any]]) -> float:
    """Seconds from hold to let go (or to the end of its undo); 0 where nothing was held."""
    start = next((e["seconds"] for e in entries if e["event"] == "begin" and e["step"] == "hold"), None)
    if start is None:
        return 0.0
    end = next((e["seconds"] for e in entries if (e["event"], e.get("step")) in (("done", "let_go"), ("undone", "hold"))),
               entries[-1]["seconds"])
    return round(float(end) - float(start), 3)


def _staged_only(plan: Plan, wanted: Desired, seen: Observed) -> Plan:
    """The first steps of a code release: the other colour, proven and not routed."""
    if plan.facts["class"] in ("none", "cron"):
        return plan
    if plan.facts["class"] != "code":
        raise DomainError("cannot_stage", "this release is of class {}; only one of code can be staged beforehand".format(
            plan.facts["class"]), unchanged="Nothing was changed", advice="Release it")
    steps = tuple(step for step in plan.steps if step.name in ("pull", "extensions", "stage", "prove"))
    staged = seen.container(wanted, plan.after["colour"], "web")
    if staged and staged.running and wanted.reference and (staged.label("image"), staged.label("config")) == (
            wanted.reference.digest, wanted.config_digest):
        steps = ()
    return Plan(steps, plan.before, plan.before, {**plan.subject, "state": "staged"}, plan.facts)
