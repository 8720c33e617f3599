# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal: an update carried out on a clone, which says beforehand what it does and how long it takes.

The clone is a dump of the database, restored beside it, with a filestore of its own made of hard links (Odoo never rewrites a
file of its filestore, and its garbage collector removes names only). Its processes have no network but an internal
one, so nothing of it acts outside.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from typing import Any

from .._image.record import Release
from .._instance.names import REHEARSAL
from .._instance.series import series_of
from .._instance.structure import SHAPE
from .._kernel.errors import DomainError
from .._kernel.execute import carry_out, undo
from .._kernel.files import read_text, replace_file
from .._kernel.plan import Plan, Step, digest_of
from .._kernel.wait import clock
from . import odoo_run
from .carrying import Carrying
from .clone import copy_of
from .model import Desired
from .observed import MEND_RELEASE, Observed, update_of
from .steps.all import Steps

# Failures that are the release's own; any other (no space, out of time, killed) says nothing about it and is not kept.
OF_THE_UPDATE = ("update_failed", "half_updated", "not_installed", "not_ready")

_NOTE_DDL = """
create schema sysgenpro_rehearsal;
create table sysgenpro_rehearsal.ddl (id serial primary key, tag text, object text, command text);
create function sysgenpro_rehearsal.note() returns event_trigger language plpgsql security definer
  set search_path = pg_catalog as $$
declare found record;
begin
  if tg_event = 'sql_drop' then
    for found in select * from pg_event_trigger_dropped_objects() where original and not is_temporary loop
      insert into sysgenpro_rehearsal.ddl (tag, object, command)
        values (tg_tag, found.object_identity, left(current_query(), 2000));
    end loop;
  else
    for found in select * from pg_event_trigger_ddl_commands() where schema_name is distinct from 'pg_temp' loop
      insert into sysgenpro_rehearsal.ddl (tag, object, command)
        values (found.command_tag, found.object_identity, left(current_query(), 2000));
    end loop;
  end if;
end $$;
create event trigger sysgenpro_note on ddl_command_end execute function sysgenpro_rehearsal.note();
create event trigger sysgenpro_note_drop on sql_drop execute function sysgenpro_rehearsal.note();
"""
# Only a superuser may note changes as they come (CREATE EVENT TRIGGER): others compare before and after.
# Table-level locks that keep readers or writers out (PostgreSQL documentation, "Table-Level Locks").
_LOCKS = """
select c.relname, l.mode from pg_locks l join pg_class c on c.oid = l.relation
where l.database = (select oid from pg_database where datname = current_database()) and l.granted
  and l.mode in ('AccessExclusiveLock', 'ExclusiveLock', 'ShareRowExclusiveLock', 'ShareLock')
  and c.relkind in ('r', 'p') and l.pid <> pg_backend_pid()
"""


def stored(wanted: Desired, seen: Observed) -> dict[str, Any] | None:
    """What the newest rehearsal of exactly this step measured, or None."""
    applied, work = seen.database.applied, update_of(wanted, seen)
    if not applied or not work.touches_database:
        return None
    text = read_text(_path(wanted, applied["release"], seen.target.id if seen.target else applied["release"], work.change))
    try:
        found: dict[str, Any] | None = json.loads(text) if text else None
    except ValueError:
        return None  # a damaged file measured nothing
    return found


def _path(wanted: Desired, before: str, after: str, change: Mapping[str, Any]) -> str:
    """One file for each step from one release to another, or to itself, and what it carries into the database."""
    return os.path.join(wanted.state_directory, "rehearsals", f"{before[7:23]}-{after[7:23]}-{digest_of(dict(change))[7:23]}.json")


def make_plan(wanted: Desired, seen: Observed, plan: Plan) -> Plan:
    """The steps of a rehearsal; none where there is nothing to rehearse, or it was rehearsed before."""
    if plan.facts["class"] != "update" or (seen.rehearsal and seen.rehearsal.get("ok")):
        return Plan((), plan.before, plan.before, plan.subject, plan.facts)
    change = next(step.parameters for step in plan.steps if step.name == "update")
    steps = (
        next(step for step in plan.steps if step.name == "pull"),
        Step("clone", "Clone database and filestore"),
        Step("measure_copy", "Measure the undo copy"),
        Step("rehearse", "Rehearse: " + next(s.title for s in plan.steps if s.name == "update"), change),
        Step("try_out", "Start the new release on the clone and prove it"),
        Step("remove_clone", "Remove the clone"),
    )
    return Plan(steps, plan.before, plan.before, {**plan.subject, "state": "rehearsed"}, plan.facts)


class RehearsalSteps(Steps):
    """The steps of a rehearsal. Undoing any of them removes the clone."""

    @property
    def clone(self) -> str:
        return self.wanted.database + "_rehearsal"

    @property
    def directory(self) -> str:
        return os.path.join(self.wanted.directory, REHEARSAL)

    def do_clone(self, step: Step) -> dict[str, Any]:
        self._remove_clone()
        os.makedirs(self.directory, mode=0o700)
        copy_of(self.database, self.clone, self.directory)
        self.give_extensions(self.clone)
        self.data.clone_to(self.directory, self.clone)
        return {}

    def do_measure_copy(self, step: Step) -> dict[str, Any]:
        """The undo copy is made of the clone, as a release would make it of the database."""
        trial = self.clone + "_copy"
        self.database.drop(trial)
        started = clock.monotonic()
        with self.database.session("postgres") as cursor:
            self.database.copy(cursor, self.clone, trial)
        seconds = round(clock.monotonic() - started, 3)
        self.database.drop(trial)
        return {"copy_seconds": seconds}

    def do_rehearse(self, step: Step) -> dict[str, Any]:
        record = self.release.record
        self.database.allow_login([self.database.update_role], True)
        self.processes.once(REHEARSAL, self.release, odoo_run.command(record, step.parameters, self.clone), self.clone,
                            files={"change.py": odoo_run.script(step.parameters)}, data=REHEARSAL)
        locks: dict[str, dict[str, Any]] = {}
        with self.database.session(self.clone) as cursor:
            before = self._note_ddl(cursor)
            seconds = odoo_run.watch(
                self.runtime, REHEARSAL, self.bounds["update"], list, lambda: None, self.bounds["update"],
                sample=lambda: _sample_locks(cursor, locks))
            there = type(self.database)(self.clone, self.database.way)
            self.warnings += odoo_run.settle(there, self.wanted, record, step.parameters)
            odoo_run.check(there, step.parameters)
            ddl = self._noted_ddl(cursor, before)
        kept = [{**lock, "table": key.split(" ")[0], "mode": key.split(" ")[1]} for key, lock in sorted(locks.items())]
        return {"update_seconds": round(seconds, 3), "ddl": ddl, "locks": kept, "ddl_fingerprint": digest_of(
            sorted({(d["tag"], d["object"], d["command"]) for d in ddl}))}

    def _note_ddl(self, cursor: Any) -> set[tuple[str, str, str]] | None:
        """Have changes of the schema noted. Returns its shape where that may not be done."""
        if self.database.superuser:
            cursor.execute(_NOTE_DDL)
            return None
        cursor.execute(SHAPE)
        return set(cursor.fetchall())

    def _noted_ddl(self, cursor: Any, before: set[tuple[str, str, str]] | None) -> list[dict[str, str]]:
        if before is not None:
            cursor.execute(SHAPE)
            after = set(cursor.fetchall())
            return [{"tag": f"{tag} {kind}", "object": name, "command": how} for tag, lines in (("DROP", before - after), ("ADD", after - before))
                    for kind, name, how in sorted(lines)]
        cursor.execute("select tag, object, command from sysgenpro_rehearsal.ddl order by id")
        found = [{"tag": row[0], "object": row[1], "command": " ".join(row[2].split())} for row in cursor.fetchall()]
        # The platform's own notes are not part of what is rehearsed.
        cursor.execute("drop event trigger sysgenpro_note; drop event trigger sysgenpro_note_drop")
        return found

    def do_try_out(self, step: Step) -> dict[str, Any]:
        started = clock.monotonic()
        record = self.release.record
        self.processes.once(REHEARSAL, self.release, record.command, self.clone, data=REHEARSAL, reach="aside", kind="web")
        self.runtime.start(REHEARSAL)
        self.parts.prove(self.runtime.address(REHEARSAL), series_of(record.series), self.clone, self.runtime.token(REHEARSAL),
                         self.wanted.instance, self.bounds["ready"], lambda: self.runtime.running(REHEARSAL))
        return {"start_seconds": round(clock.monotonic() - started, 3)}

    def do_remove_clone(self, step: Step) -> dict[str, Any]:
        self._remove_clone()
        return {}

    def _remove_clone(self) -> None:
        self.runtime.remove(REHEARSAL)
        for name in (self.clone, self.clone + "_copy"):
            self.database.drop(name)
        self.database.allow_login([self.database.update_role], False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def undo_clone(self, step: Step) -> None:
        self._remove_clone()


def perform(carrying: Carrying, release: Release, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
    """Carry a rehearsal out and store what it measured, also where it failed.

    :raises DomainError: ``rehearsal_failed`` with the cause; the instance is untouched in any case.
    """
    change = next(step.parameters for step in plan.steps if step.name == "rehearse")
    handlers = carrying.begin(plan, release, REHEARSAL, "rehearsed")
    result: dict[str, Any] = {
        "operation": handlers.context["operation"], "from": plan.before["release"], "to": release.id, "at": carrying.journal.read()[0]["at"]}
    try:
        carry_out(carrying.journal, plan.steps, handlers, timings)
        found = {key: handlers.context[key] for key in (
            "copy_seconds", "update_seconds", "start_seconds", "ddl", "locks", "ddl_fingerprint")}
        pause = sum(found[key] for key in ("copy_seconds", "update_seconds", "start_seconds"))
        result.update({"ok": True, "pause": round(pause, 3), **found})
        carrying.report("done", handlers)
    except DomainError as error:
        undo(carrying.journal, plan.steps, handlers)
        result.update({"ok": False, "error": error.message, "code": error.code})
        carrying.report("undone", handlers, error=error.message)
        told = error.code in OF_THE_UPDATE and not error.details.get("passing")
        if told:
            _store(carrying.wanted, result, change)
        raise DomainError("rehearsal_failed", f"the rehearsal failed: {error.message}",
                          unchanged="The instance was not touched; the clone was removed",
                          advice=MEND_RELEASE if told else "This says nothing about the release: mend the cause, then rehearse again",
                          rehearsal=result) from None
    _store(carrying.wanted, result, change)
    return {"rehearsal": result, **carrying.result}


def _store(wanted: Desired, result: Mapping[str, Any], change: Mapping[str, Any]) -> None:
    path = _path(wanted, str(result["from"]), str(result["to"]), change)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    replace_file(path, (json.dumps(result, indent=1) + "\n").encode())


def _sample_locks(cursor: Any, locks: dict[str, dict[str, Any]]) -> None:
    cursor.execute(_LOCKS)
    moment = clock.monotonic()
    for table, mode in cursor.fetchall():
        lock = locks.setdefault(f"{table} {mode}", {"first": moment, "seconds": 0.0})
        lock["seconds"] = round(moment - lock["first"], 2)
