# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of the image and of a colour's places: fetched, made, started, proven, and the old colour put to rest."""

from __future__ import annotations

from typing import Any

from ..._instance.cluster import Grants
from ..._instance.names import COLOURS, KINDS, QUEUE, UPDATE, other, place
from ..._kernel.errors import DomainError
from ..._kernel.plan import Step
from ..._kernel.text import joined
from ..._kernel.wait import Deadline, WaitTimeout, wait_until
from .base import kinds_of
from .database import DatabaseSteps
from .recovery import RecoverySteps


class PlaceSteps(DatabaseSteps, RecoverySteps):
    """Part of ``Steps``."""

    def do_pull(self, step: Step) -> dict[str, Any]:
        registry = self.wanted.params["registry"]
        self.runtime.fetch(self.release.reference, registry.get("username"), registry.get("password"), self.bounds["pull"])
        return {}

    def do_prepare(self, step: Step) -> dict[str, Any]:
        """Whatever can be done before somebody has to wait: web and update are started so far that they wait for the database."""
        colour, change = step.parameters["colour"], step.parameters.get("change")
        for kind in kinds_of(step):
            self.processes.prepare(colour, kind, self.release, waits=kind == "web")
        if change:
            self.prepare_update(change, waits=True)
            self.runtime.warm(UPDATE)
        self.runtime.warm(place(colour, "web"))
        return {"prepared": True}

    def undo_prepare(self, step: Step) -> None:
        if step.parameters.get("change"):
            self.runtime.remove(UPDATE)
        self.take_away(step.parameters["colour"])

    def do_stage(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        if not self.is_staged(colour, kinds_of(step)):
            for kind in kinds_of(step):
                self.processes.prepare(colour, kind, self.release)
        self.database.allow_login(self.database.roles(colour), True)
        self.runtime.start(place(colour, "web"))
        return {}

    undo_stage = undo_prepare

    def do_open(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        self.admit(self.database.role(colour, "web"))
        self.runtime.start(place(colour, "web"))
        return {}

    undo_open = undo_prepare

    def do_prove(self, step: Step) -> dict[str, Any]:
        return self.prove(step.parameters["colour"])

    def do_settle(self, step: Step) -> dict[str, Any]:
        """The old colour ends and loses its login; its places stay for a quick way back. The undo copy has no use any more."""
        keep = step.parameters["keep"]
        old = other(keep)
        self.runtime.mark_leading(keep, True)
        self.runtime.mark_leading(old, False)
        self.call_browsers(keep)
        for kind in (*KINDS, QUEUE):
            self.runtime.stop(place(old, kind), 30)
        self.runtime.forget_calls(old)
        self.database.allow_login([*self.database.all_roles(old), self.database.update_role], False)
        self.database.allow_login(self.database.roles(keep), True)
        if self.context.get("grants"):
            self.database.apply_grants(Grants.from_json(self.context["grants"]), settings=False)
        self.runtime.remove(UPDATE)
        self.database.drop(self.database.undo)
        self.expire_abandoned()
        return {}

    # -- cron ---------------------------------------------------------------------------------

    def do_start_cron(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        for each in COLOURS:
            if each != colour and self.runtime.running(place(each, "cron")):
                raise DomainError("cron_twice", f"the cron process of {each} still runs")
        self.admit(self.database.role(colour, "cron"))
        cron = place(colour, "cron")
        if not self.made_so(self.runtime.observe().get(cron), "cron"):
            self.processes.prepare(colour, "cron", self.release)
        self.runtime.start(cron)
        return {}

    def undo_start_cron(self, step: Step) -> None:
        """Before the other colour's cron is revived: there is never more than one."""
        self.runtime.stop(place(step.parameters["colour"], "cron"), 30)

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
        cron = place(colour, "cron")
        self.runtime.ask_to_end(cron)
        if not self.runtime.ended(cron, self.bounds["cron"]):
            raise DomainError("cron_busy", "the cron process of {} still runs {} after {} s (bounds.cron)".format(
                colour, joined(self.database.running_cron()) or "something", self.bounds["cron"]))
        return {}

    def undo_stop_cron(self, step: Step) -> None:
        """A scheduled action that runs on is not torn: nobody waits for it meanwhile but this."""
        if step.parameters["colour"]:
            self.runtime.revive(place(step.parameters["colour"], "cron"), self.bounds["update"])
