# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a release: what each does, and how it is undone.

Each is idempotent and each undo works whether or not its step took effect, so a crash anywhere costs nothing but time.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._image.record import Release
from .._instance import given, neutralize, people
from .._instance.cluster import Grants
from .._instance.database import Database
from .._instance.names import COLOURS, HTTP, KINDS, QUEUE, REALTIME, other
from .._instance.series import series_of
from .._kernel.commands import run_program
from .._kernel.errors import DomainError
from .._kernel.plan import Step
from .._kernel.text import joined
from .._kernel.wait import Deadline, WaitTimeout, wait_until
from .._runtime.docker import DockerRuntime
from .._runtime.front import Front
from . import update
from .answered import Edge
from .model import Desired
from .processes import Processes
from .prove import prove, request
from .queue_steps import QueueSteps
from .recovery import RecoverySteps

# Share of failed requests at the edge that a switch may bring at the most, where there were none before.
ERROR_RATE = 0.02
# Seconds in which a colour answers who asks it to tell browsers.
CALL = 5.0
# Requests below which a rate says nothing.
ENOUGH_REQUESTS = 20


class Steps(QueueSteps, RecoverySteps):
    """Carries out steps by name: ``do_<name>`` and, where there is something to undo, ``undo_<name>``.

    :param context: JSON-able facts that a next run needs; kept in the journal as they come.
    """

    def __init__(self, wanted: Desired, release: Release, runtime: DockerRuntime, front: Front, database: Database,
                 context: dict[str, Any]) -> None:
        self.wanted, self.release, self.context = wanted, release, context
        self.runtime, self.front, self.database = runtime, front, database
        context.setdefault("begun", [])
        self.processes = Processes(wanted, runtime, database)
        self.edge = Edge(wanted.params["edge"], wanted.instance)
        self.bounds: Mapping[str, int] = wanted.params["bounds"]
        self.warnings: list[str] = []

    # -- image and processes ------------------------------------------------------------------

    def do_pull(self, step: Step) -> dict[str, Any]:
        registry = self.wanted.params["registry"]
        self.runtime.pull(self.release.reference, registry.get("username"), registry.get("password"),
                          self.bounds["pull"])
        return {}

    def do_prepare(self, step: Step) -> dict[str, Any]:
        for kind in _kinds(step):
            self.processes.prepare_kind(step.parameters["colour"], kind, self.release)
        return {}

    def undo_prepare(self, step: Step) -> None:
        self._remove(step.parameters["colour"])

    def do_stage(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        if not self._is_staged(colour, _kinds(step)):
            self.do_prepare(step)
        self.database.allow_login(self.database.roles(colour), True)
        self.runtime.start(self.processes.name(colour, "web"))
        return {}

    undo_stage = undo_prepare

    def do_open(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        self._admit(self.database.role(colour, "web"))
        self.runtime.start(self.processes.name(colour, "web"))
        return {}

    undo_open = undo_prepare

    def do_prove(self, step: Step) -> dict[str, Any]:
        return self._prove(step.parameters["colour"])

    def do_start_cron(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        for each in COLOURS:
            if each != colour and self.runtime.is_running(self.processes.name(each, "cron")):
                raise DomainError("cron_twice", f"the cron process of {each} still runs")
        self._admit(self.database.role(colour, "cron"))
        name = self.processes.name(colour, "cron")
        if not self._fresh(self.runtime.observe(self.wanted.instance).get(name), "cron"):
            self.processes.prepare_kind(colour, "cron", self.release)
        self.runtime.start(name)
        return {}

    def undo_start_cron(self, step: Step) -> None:
        """Before the other colour's cron is revived: there is never more than one."""
        name = self.processes.name(step.parameters["colour"], "cron")
        self.runtime.stop(name, 30)

    def do_settle(self, step: Step) -> dict[str, Any]:
        """The old colour ends and loses its login; its containers stay for a quick way back. The undo copy has no use any more."""
        keep = step.parameters["keep"]
        old = other(keep)
        self.processes.lead(keep, True)
        self.processes.lead(old, False)
        self._call_browsers(keep)
        for kind in (*KINDS, QUEUE):
            self.runtime.stop(self.processes.name(old, kind), 30)
        self.processes.forget_calls(old)
        self.database.allow_login([*self.database.all_roles(old), self.database.update_role], False)
        self.database.allow_login(self.database.roles(keep), True)
        if self.context.get("grants"):
            self.database.apply_grants(Grants.from_json(self.context["grants"]), settings=False)
        self.runtime.remove(self.processes.update_name)
        self.database.drop(self.database.undo)
        self.expire_abandoned()
        return {}

    # -- cron ---------------------------------------------------------------------------------

    def do_cron_idle(self, step: Step) -> dict[str, Any]:
        running: list[str] = []

        def idle() -> bool:
            running[:] = self.database.running_cron()
            return not running

        try:
            wait_until(idle, Deadline(self.bounds["cron"]), interval=0.5)
        except WaitTimeout:
            raise DomainError("cron_busy", "the scheduled action {} still runs after {} s (bounds.cron)".format(
                joined(running), self.bounds["cron"])) from None
        return {}

    def do_stop_cron(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        if not colour:
            return {}
        name = self.processes.name(colour, "cron")
        self.runtime.terminate(name)
        if not self.runtime.wait_end(name, self.bounds["cron"]):
            raise DomainError("cron_busy", "the cron process of {} still runs {} after {} s (bounds.cron)".format(
                colour, joined(self.database.running_cron()) or "something", self.bounds["cron"]))
        return {}

    def undo_stop_cron(self, step: Step) -> None:
        """A scheduled action that runs on is not torn: nobody waits for it meanwhile but this."""
        if step.parameters["colour"]:
            self.runtime.revive(self.processes.name(step.parameters["colour"], "cron"), self.bounds["update"])

    # -- the front ----------------------------------------------------------------------------

    def do_switch(self, step: Step) -> dict[str, Any]:
        marked = self.edge.mark()
        self.front.lead(self.wanted.targets(step.parameters["colour"]))
        self.processes.lead(step.parameters["colour"], True)
        if step.parameters.get("from"):
            self.processes.lead(step.parameters["from"], False)
        self._call_browsers(step.parameters["colour"])
        return marked

    def undo_switch(self, step: Step) -> None:
        old, new = step.parameters.get("from"), step.parameters["colour"]
        self._lead_back(self.wanted.targets(old) if old else {})
        self.processes.lead(new, False)
        if old:
            self.processes.lead(old, True)
            # What began on the new colour is finished there, and its websockets are closed as they should be.
            self._drained(new, self.bounds["finish"])
            self.runtime.stop(self.processes.name(new, "web"), 30)

    def do_let_go(self, step: Step) -> dict[str, Any]:
        self.front.lead(self.wanted.targets(step.parameters["colour"]))
        self.processes.lead(step.parameters["colour"], True)
        self._call_browsers(step.parameters["colour"])
        return {}

    def _call_browsers(self, colour: str) -> None:
        """Have the colour that leads tell browsers that there is a new page; where it does not answer, a user's request will in a while."""
        with contextlib.suppress(OSError):
            request(self.wanted.address(colour + "-web"), HTTP, "GET", series_of(self.release.record.series).health, self.wanted.instance,
                    {"X-Sysgenpro-Leads": colour}, timeout=CALL)

    def undo_let_go(self, step: Step) -> None:
        """Only where it did not take effect; but the file for the next boot may say that it did."""
        self._lead_back({})
        self.processes.lead(step.parameters["colour"], False)

    def do_hold(self, step: Step) -> dict[str, Any]:
        marked = self.edge.mark()
        if step.parameters["strategy"] == "maintenance":
            self._show_maintenance()
            marked["page_at"] = self.context["page_at"]
        else:
            self.front.lead({})
        self.context["held_at"] = time.monotonic()
        return marked

    def undo_hold(self, step: Step) -> None:
        old = step.parameters["from"]
        self._lead_back(self.wanted.targets(old) if old else {})

    def _lead_back(self, targets: Mapping[int, str]) -> None:
        """A full disk keeps nobody waiting; only the next boot knows nothing of it."""
        lost = self.front.lead_back(targets)
        if lost:
            self.warnings.append(f"where the front leads could not be written down for the next boot: {lost}")

    def _show_maintenance(self) -> None:
        page = self.wanted.params["edge"]["maintenance"]
        self.context["page_at"] = time.time()
        self.front.lead({HTTP: page, REALTIME: page})

    def do_watch(self, step: Step) -> dict[str, Any]:
        before = self.context.get("edge")
        if not before:
            return {"watched": False}
        deadline = Deadline(self.bounds["watch"])
        total = errors = 0
        while not deadline.passed:
            time.sleep(min(1.0, deadline.left) or 0.05)
            now = self.edge.counts()
            if now:
                total, errors = now[0] - before[0], now[1] - before[1]
            rate_before = before[1] / before[0] if before[0] else 0.0
            if total >= ENOUGH_REQUESTS and errors / total > rate_before + ERROR_RATE:
                raise DomainError("error_rate", f"{errors} of {total} requests failed at the edge after the switch")
        return {"watched": True, "requests": total, "errors": errors}

    def do_finish(self, step: Step) -> dict[str, Any]:
        """Requests that the old colour works on finish; it gets no new ones."""
        colour = step.parameters["colour"]
        if self._drained(colour, self.bounds["finish"]):
            return {}
        self.warnings.append("ended on {} after {} s (bounds.finish): {}".format(
            colour, self.bounds["finish"], self._under_way(colour)))
        return {"ended": self._under_way(colour)}

    def do_drain(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        if colour and not self._drained(colour, self.bounds["drain"]):
            raise DomainError("drain_timeout", "still under way on {} after {} s (bounds.drain): {}".format(
                colour, self.bounds["drain"], self._under_way(colour)))
        return {}

    def _drained(self, colour: str, seconds: float) -> bool:
        """No connection twice in a row, so that one in the middle of its handshake is not overlooked."""
        name = self.processes.name(colour, "web")
        still = 0

        def idle() -> bool:
            nonlocal still
            still = still + 1 if self.runtime.connections(name, HTTP) == 0 else 0
            return still >= 2

        try:
            return bool(wait_until(idle, Deadline(seconds), interval=0.025))
        except WaitTimeout:
            return False

    def _under_way(self, colour: str) -> str:
        return joined(self.processes.under_way(colour)) or "requests that the image does not name"

    # -- fence, undo copy, update -------------------------------------------------------------

    def do_retire(self, step: Step) -> dict[str, Any]:
        """The grants are noted before the fence changes them, so that a crash in its middle loses none."""
        if step.parameters["colour"]:
            self.runtime.terminate(self.processes.name(step.parameters["colour"], "web"))
        return {"grants": self.database.grants().as_json()}

    def undo_retire(self, step: Step) -> None:
        colour = step.parameters["colour"]
        if not colour:
            return
        name = self.processes.name(colour, "web")
        self.runtime.revive(name)
        try:
            self._prove(colour)
        except DomainError as error:
            # It served before, and who waits must not go on waiting for an invoice that somebody spoilt since.
            if not self.runtime.is_running(name):
                raise
            self.warnings.append(f"{colour} was let in again as it was before, though it is not proven: {error.message}")

    def do_fence(self, step: Step) -> dict[str, Any]:
        shut = [role for colour in COLOURS for role in self.database.all_roles(colour)]
        self.database.fence(shut, [self.database.update_role])
        return {}

    def undo_fence(self, step: Step) -> None:
        if self.context.get("grants"):
            self.database.apply_grants(Grants.from_json(self.context["grants"]), settings=False)
        if step.parameters["colour"]:
            self.database.allow_login(self.database.roles(step.parameters["colour"]), True)
        self.database.allow_login([self.database.update_role], False)

    def do_undo_copy(self, step: Step) -> dict[str, Any]:
        return {"seconds": round(self.database.copy_for_undo(), 3)}

    def undo_undo_copy(self, step: Step) -> None:
        if "update" in self.context["begun"]:
            self.runtime.remove(self.processes.update_name)
            self.database.swap_undo_in(Grants.from_json(self.context["grants"]))
        else:
            self.database.drop(self.database.undo)

    def do_update(self, step: Step) -> dict[str, Any]:
        name = self.processes.update_name
        self._admit(self.database.update_role)
        self.processes.one_off(
            name, self.release.reference, self.release.record,
            update.command(self.release.record, step.parameters, self.wanted.database), self.wanted.database,
            os.path.join(self.wanted.directory, "data"), self.database.update_role)
        self.processes.write_script(name, update.script(step.parameters))
        holds = "hold" in self.context["begun"]
        seconds = update.watch(
            self.runtime, name, self.bounds["update"], lambda: self.database.blockers(self.database.update_role),
            self._overdue if holds else lambda: None, self._pause_left() if holds else self.bounds["update"])
        return {"seconds": round(seconds, 3)}

    def _pause_left(self) -> float:
        held_at = float(self.context.get("held_at", time.monotonic()))
        return max(0.0, self.bounds["max_pause"] - (time.monotonic() - held_at))

    def _overdue(self) -> None:
        self._show_maintenance()
        self.warnings.append("the pause went beyond {} s (bounds.max_pause); the maintenance page was shown".format(
            self.bounds["max_pause"]))

    def do_check_modules(self, step: Step) -> dict[str, Any]:
        self.warnings += update.settle(self.database, self.wanted, self.release.record, step.parameters)
        update.check(self.database, step.parameters)
        return {}

    def do_mark_installed(self, step: Step) -> dict[str, Any]:
        self.database.mark_installed(step.parameters["modules"])
        return {}

    def do_record(self, step: Step) -> dict[str, Any]:
        params = self.wanted.params
        self.database.record_applied(self.wanted.identity, {
            "release": self.release.id, "image": self.release.image_digest, "reference": self.release.reference,
            "record": self.release.record.raw, "config_digest": self.wanted.config_digest,
            "class": step.parameters["class"], "operation": self.context["operation"],
            "who": params["requested_by"], "reason": params["reason"]})
        return {}

    def undo_record(self, step: Step) -> None:
        self.database.forget_applied(self.context["operation"])

    # -- a new database -----------------------------------------------------------------------

    def do_extensions(self, step: Step) -> dict[str, Any]:
        """What is undone later stays: it is in nobody's way."""
        return {"extensions": self.give_extensions()}

    def do_create_database(self, step: Step) -> dict[str, Any]:
        self.database.create()
        self.give_extensions()
        return {}

    def undo_create_database(self, step: Step) -> None:
        self.runtime.remove(self.processes.update_name)
        self.database.allow_login([self.database.update_role], False)
        self.database.drop(self.wanted.database)
        shutil.rmtree(self.wanted.filestore, ignore_errors=True)

    def do_first_password(self, step: Step) -> dict[str, Any]:
        """Before any process of its own starts."""
        return {"people": people.first_password(self.database, str(self.wanted.params["admin_password"]))}

    def do_restore_template(self, step: Step) -> dict[str, Any]:
        """Database and files of a template, at the same time; a killed attempt is begun anew."""
        template = step.parameters["template"]
        dump = os.path.join(template, "database.dump")
        self.undo_create_database(step)
        self.database.create()
        listing = run_program(["pg_restore", "--list", dump], "template_failed", f"reading the template {template}")
        there = given.in_dump(listing)
        # Before it is loaded, since an index in it may use a function that only a superuser makes immutable.
        self.give_extensions(also=given.UNACCENT in there)
        params = self.wanted.params
        uid = int(params["uid"])
        os.makedirs(os.path.dirname(self.wanted.filestore), exist_ok=True)
        with ThreadPoolExecutor(1) as aside:
            files = aside.submit(shutil.copytree, os.path.join(template, "filestore"), self.wanted.filestore)
            with tempfile.NamedTemporaryFile("w", encoding="utf-8") as wanted:
                wanted.write(given.left_out(listing, there))
                wanted.flush()
                run_program(
                    ["pg_restore", "--host", self.database.socket, "--port", str(self.database.port), "--username",
                     "postgres", "--dbname", self.wanted.database, "--no-owner", "--no-privileges", "--role",
                     self.database.owner, "--jobs", "2", "--exit-on-error", "--use-list", wanted.name, dump],
                    "template_failed", f"restoring the template {template}")
            files.result()
        _own_tree(os.path.join(self.wanted.directory, "data"), uid)
        return {}

    undo_restore_template = undo_create_database
    undo_restore_here = undo_create_database

    def do_neutralize(self, step: Step) -> dict[str, Any]:
        """Before any process starts on it. What the image's add-ons switch off is asked of them, without any network, and done here."""
        arguments, role, scripts = neutralize.command(self.release.record.series, self.release.record.command, self.wanted.database), self.database.update_role, ""
        self._admit(role)
        if arguments:
            name = self.processes.update_name
            self.processes.one_off(name, self.release.reference, self.release.record, arguments, self.wanted.database,
                                   os.path.join(self.wanted.directory, "data"), role)
            update.watch(self.runtime, name, self.bounds["update"], lambda: self.database.blockers(role), lambda: None, self.bounds["update"])
            scripts = neutralize.scripts_in(self.runtime.output(name))
        neutralize.cut_off(self.database)
        with neutralize.as_owner(self.database, role, self.processes.let_update_in()) as cursor:
            return {"neutralized": neutralize.neutralize(cursor, scripts)}

    # -- shared -------------------------------------------------------------------------------

    def _prove(self, colour: str) -> dict[str, Any]:
        name = self.processes.name(colour, "web")
        try:
            found = prove(self.wanted.address(colour + "-web"), series_of(self.release.record.series),
                          self.wanted.database, self.processes.token(colour), self.wanted.instance,
                          self.bounds["ready"], lambda: self.runtime.is_running(name))
        except DomainError as error:
            error.details["log"] = self.runtime.logs(name, 200)
            raise
        self.warnings += self.processes.own_work(colour)
        return {"proven": found}

    def _admit(self, role: str) -> None:
        """Let a role in, through the fence where one stands."""
        if self.context.get("grants"):
            self.database.let_in(role)
        else:
            self.database.allow_login([role], True)

    def _is_staged(self, colour: str, kinds: Sequence[str]) -> bool:
        found = self.runtime.observe(self.wanted.instance)
        return all(self._fresh(found.get(self.processes.name(colour, kind)), kind) for kind in kinds) \
            and found[self.processes.name(colour, "web")].running

    def _remove(self, colour: str) -> None:
        for kind in (*KINDS, QUEUE):
            self.runtime.remove(self.processes.name(colour, kind))
        self.processes.forget_calls(colour)
        self.database.allow_login(self.database.all_roles(colour), False)


def _kinds(step: Step) -> tuple[str, ...]:
    """Of which a colour's containers are made."""
    return (*KINDS, QUEUE) if step.parameters.get("queue") else KINDS


def _own_tree(path: str, uid: int) -> None:
    for directory, _names, files in os.walk(path):
        os.chown(directory, uid, uid)
        for file in files:
            os.chown(os.path.join(directory, file), uid, uid, follow_symlinks=False)


def template_of(path: str | None) -> dict[str, Any] | None:
    """What a template says of itself.

    :raises DomainError: ``template_malformed``.
    """
    if not path:
        return None
    try:
        with open(os.path.join(path, "template.json"), encoding="utf-8") as stream:
            value: dict[str, Any] = json.load(stream)
        if not os.path.exists(os.path.join(path, "database.dump")) or not isinstance(value["modules"], list):
            raise ValueError("no database.dump, or modules is no list")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DomainError("template_malformed", f"template {path}: {error}",
                          unchanged="Nothing was changed") from None
    return value
