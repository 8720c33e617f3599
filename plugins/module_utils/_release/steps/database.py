# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of the database: fence, undo copy, update, and the record of what was applied."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..._instance.cluster import Grants
from ..._instance.names import COLOURS, UPDATE, place
from ..._kernel.errors import DomainError
from ..._kernel.plan import Step
from ..._kernel.wait import clock
from .. import odoo_run
from .front import FrontSteps


class DatabaseSteps(FrontSteps):
    """Part of ``Steps``."""

    def do_retire(self, step: Step) -> dict[str, Any]:
        """The grants are noted before the fence changes them, so that a crash in its middle loses none."""
        if step.parameters["colour"]:
            self.runtime.ask_to_end(place(step.parameters["colour"], "web"))
        return {"grants": self.database.grants().as_json()}

    def undo_retire(self, step: Step) -> None:
        colour = step.parameters["colour"]
        if not colour:
            return
        web = place(colour, "web")
        self.runtime.revive(web)
        try:
            self.prove(colour)
        except DomainError as error:
            # It served before, and who waits must not go on waiting for an invoice that somebody spoilt since.
            if not self.runtime.running(web):
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
            self.runtime.remove(UPDATE)
            self.database.swap_undo_in(Grants.from_json(self.context["grants"]))
        else:
            self.database.drop(self.database.undo)

    def do_update(self, step: Step) -> dict[str, Any]:
        self.admit(self.database.update_role)
        if not self.context.get("prepared"):
            self.prepare_update(step.parameters)
        holds = "hold" in self.context["begun"]
        seconds = odoo_run.watch(
            self.runtime, UPDATE, self.bounds["update"], lambda: self.database.blockers(self.database.update_role),
            self._overdue if holds else lambda: None, self._pause_left() if holds else self.bounds["update"])
        return {"seconds": round(seconds, 3)}

    def prepare_update(self, change: Mapping[str, Any], waits: bool = False) -> None:
        self.processes.once(UPDATE, self.release, odoo_run.command(self.release.record, change, self.wanted.database), self.wanted.database,
                            files={"change.py": odoo_run.script(change)}, waits=waits)

    def _pause_left(self) -> float:
        held_at = float(self.context.get("held_at", clock.monotonic()))
        return max(0.0, self.bounds["max_pause"] - (clock.monotonic() - held_at))

    def _overdue(self) -> None:
        self.show_maintenance()
        self.warnings.append("the pause went beyond {} s (bounds.max_pause); the maintenance page was shown".format(
            self.bounds["max_pause"]))

    def do_check_modules(self, step: Step) -> dict[str, Any]:
        self.warnings += odoo_run.settle(self.database, self.wanted, self.release.record, step.parameters)
        odoo_run.check(self.database, step.parameters)
        return {}

    def do_mark_installed(self, step: Step) -> dict[str, Any]:
        self.database.mark_installed(step.parameters["modules"])
        return {}

    def do_extensions(self, step: Step) -> dict[str, Any]:
        """What is undone later stays: it is in nobody's way."""
        return {"extensions": self.give_extensions()}

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
