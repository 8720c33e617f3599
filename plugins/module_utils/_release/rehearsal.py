# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rehearsal: an update carried out on a clone, which says beforehand what it does and how long it takes.

The clone is a dump of the database, restored beside it, with a filestore of its own made of hard links (Odoo never rewrites a
file of its filestore, and its garbage collector removes names only). Its processes have no network but an internal
one, so nothing of it acts outside.
"""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._instance.names import HOST_PARTS
from .._instance.series import series_of
from .._kernel.commands import run_program
from .._kernel.errors import DomainError
from .._kernel.execute import carry_out, undo
from .._kernel.files import read_text, replace_file
from .._kernel.journal import operation_id
from .._kernel.plan import Plan, Step, digest_of
from . import update
from .clone import copy_of
from .model import Desired
from .plan import MEND_RELEASE, update_of
from .prove import prove
from .steps import Steps

if TYPE_CHECKING:
    from .operation import ReleaseOperation
    from .plan import Observed

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
        return os.path.join(self.wanted.directory, "rehearsal")

    @property
    def container(self) -> str:
        return self.wanted.instance + "-rehearsal"

    def do_clone(self, step: Step) -> dict[str, Any]:
        self._remove_clone()
        os.makedirs(os.path.join(self.directory, "filestore"), mode=0o700)
        copy_of(self.database, self.clone, self.directory)
        self.give_extensions(self.clone)
        run_program(["cp", "-al", self.wanted.filestore, os.path.join(self.directory, "filestore", self.clone)], "clone_failed", "making its filestore")
        uid = int(self.wanted.params["uid"])
        for directory in (self.directory, os.path.join(self.directory, "filestore")):
            os.chown(directory, uid, uid)
        return {}

    def do_measure_copy(self, step: Step) -> dict[str, Any]:
        """The undo copy is made of the clone, as a release would make it of the database."""
        trial = self.clone + "_copy"
        self.database.drop(trial)
        started = time.monotonic()
        with self.database.session("postgres") as cursor:
            self.database.copy(cursor, self.clone, trial)
        seconds = round(time.monotonic() - started, 3)
        self.database.drop(trial)
        return {"copy_seconds": seconds}

    def do_rehearse(self, step: Step) -> dict[str, Any]:
        record = self.release.record
        self.database.allow_login([self.database.update_role], True)
        self.processes.one_off(self.container, self.release.reference, record,
                               update.command(record, step.parameters, self.clone), self.clone, self.directory,
                               self.database.update_role)
        self.processes.write_script(self.container, update.script(step.parameters))
        locks: dict[str, dict[str, Any]] = {}
        with self.database.session(self.clone) as cursor:
            cursor.execute(_NOTE_DDL)
            seconds = update.watch(
                self.runtime, self.container, self.bounds["update"], list, lambda: None, self.bounds["update"],
                sample=lambda: _sample_locks(cursor, locks))
            there = type(self.database)(self.clone, self.database.port, self.database.socket)
            self.warnings += update.settle(there, self.wanted, record, step.parameters)
            update.check(there, step.parameters)
            cursor.execute("select tag, object, command from sysgenpro_rehearsal.ddl order by id")
            ddl = [{"tag": row[0], "object": row[1], "command": " ".join(row[2].split())} for row in cursor.fetchall()]
            # The platform's own notes are not part of what is rehearsed.
            cursor.execute("drop event trigger sysgenpro_note; drop event trigger sysgenpro_note_drop")
        kept = [{**lock, "table": key.split(" ")[0], "mode": key.split(" ")[1]} for key, lock in sorted(locks.items())]
        return {"update_seconds": round(seconds, 3), "ddl": ddl, "locks": kept, "ddl_fingerprint": digest_of(
            sorted({(d["tag"], d["object"], d["command"]) for d in ddl}))}

    def do_try_out(self, step: Step) -> dict[str, Any]:
        network = ipaddress.ip_network(self.wanted.params["subnet"])
        aside = ipaddress.ip_network((int(network.network_address) + 2 ** 16, network.prefixlen))
        self.runtime.ensure_network(self.container, str(aside), internal=True)
        address = str(aside[HOST_PARTS["rehearsal"]])
        started = time.monotonic()
        self.processes.one_off(self.container, self.release.reference, self.release.record,
                               list(self.release.record.command), self.clone, self.directory,
                               self.database.update_role, (self.container, address), kind="web")
        self.runtime.start(self.container)
        prove(address, series_of(self.release.record.series), self.clone, self.processes.token_of(self.container),
              self.wanted.instance, self.bounds["ready"], lambda: self.runtime.is_running(self.container))
        return {"start_seconds": round(time.monotonic() - started, 3)}

    def do_remove_clone(self, step: Step) -> dict[str, Any]:
        self._remove_clone()
        return {}

    def _remove_clone(self) -> None:
        self.runtime.remove(self.container)
        self.runtime.remove_network(self.container)
        for name in (self.clone, self.clone + "_copy"):
            self.database.drop(name)
        self.database.allow_login([self.database.update_role], False)
        shutil.rmtree(self.directory, ignore_errors=True)

    def undo_clone(self, step: Step) -> None:
        self._remove_clone()


def perform(operation: ReleaseOperation, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
    """Carry a rehearsal out and store what it measured, also where it failed.

    :raises DomainError: ``rehearsal_failed`` with the cause; the instance is untouched in any case.
    """
    release = operation.release_to_run()
    change = next(step.parameters for step in plan.steps if step.name == "rehearse")
    name = operation_id("rehearsed")
    operation.begin(name, plan, release, "rehearsal")
    handlers = RehearsalSteps(operation.wanted, release, operation.runtime, operation.front, operation.database,
                              {"operation": name})
    result: dict[str, Any] = {
        "operation": name, "from": plan.before["release"], "to": release.id, "at": operation.journal.read()[0]["at"]}
    try:
        carry_out(operation.journal, plan.steps, handlers, timings)
        found = {key: handlers.context[key] for key in (
            "copy_seconds", "update_seconds", "start_seconds", "ddl", "locks", "ddl_fingerprint")}
        pause = sum(found[key] for key in ("copy_seconds", "update_seconds", "start_seconds"))
        result.update({"ok": True, "pause": round(pause, 3), **found})
        operation.report(name, "done", handlers)
    except DomainError as error:
        undo(operation.journal, plan.steps, handlers)
        result.update({"ok": False, "error": error.message, "code": error.code})
        operation.report(name, "undone", handlers, error=error.message)
        told = error.code in OF_THE_UPDATE and not error.details.get("passing")
        if told:
            _store(operation.wanted, result, change)
        raise DomainError("rehearsal_failed", f"the rehearsal failed: {error.message}",
                          unchanged="The instance was not touched; the clone was removed",
                          advice=MEND_RELEASE if told else "This says nothing about the release: mend the cause, then rehearse again",
                          rehearsal=result) from None
    _store(operation.wanted, result, change)
    return {"rehearsal": result, **operation.result}


def _store(wanted: Desired, result: Mapping[str, Any], change: Mapping[str, Any]) -> None:
    path = _path(wanted, str(result["from"]), str(result["to"]), change)
    os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
    replace_file(path, (json.dumps(result, indent=1) + "\n").encode())


def _sample_locks(cursor: Any, locks: dict[str, dict[str, Any]]) -> None:
    cursor.execute(_LOCKS)
    moment = time.monotonic()
    for table, mode in cursor.fetchall():
        lock = locks.setdefault(f"{table} {mode}", {"first": moment, "seconds": 0.0})
        lock["seconds"] = round(moment - lock["first"], 2)
