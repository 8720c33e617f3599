# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps that have to do with recovery points: one is taken before an update, one is restored and put in the database's place."""

from __future__ import annotations

import datetime
import os
from typing import Any

from ..._kernel.errors import known
from ..._kernel.plan import Step
from .. import loss
from ..lost_rows import Gap
from ..recovery import BEFORE, MOMENT, abandoned, free_name, recovery_params
from .base import StepsBase


class RecoverySteps(StepsBase):
    """Part of ``Steps``."""

    def do_recovery_point(self, step: Step) -> dict[str, Any]:
        """A point that is not verified is none: then nothing is held."""
        name = self.release.record.name or self.release.id
        taking = self.parts.recovery(recovery_params(self.wanted, "captured", reason=BEFORE + name, keep_until=self._kept_until()))
        point = taking.carry_out(taking.plan(), {})
        self.warnings.extend(taking.told.get("warnings", ()))
        verifying = self.parts.recovery(recovery_params(self.wanted, "verified", point=point))
        plan = verifying.plan()
        if plan.steps:
            verifying.carry_out(plan, {})
        return {"point": point}

    def _kept_until(self) -> str:
        """The way back stays for as long as what was abandoned does, however few points retention keeps."""
        days = known(self.wanted.params["recovery"])["keep_abandoned"]
        return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).isoformat(timespec="seconds")

    @property
    def _back(self) -> str:
        return self.wanted.database + "_back"

    def _restore(self, point: str, database: str, filestore: str, **more: Any) -> None:
        """Make a database and a filestore of a point. :param more: further parameters of ``pg_recovery_point``."""
        target = {"database": database, "filestore": filestore, "owner": self.database.owner, "uid": int(self.wanted.params["uid"])}
        restoring = self.parts.recovery(recovery_params(self.wanted, "restored", point=point, target=target, **more))
        plan = restoring.plan()
        if plan.steps:
            restoring.carry_out(plan, {})
            self.warnings.extend(restoring.told.get("warnings", ()))

    def do_restore_point(self, step: Step) -> dict[str, Any]:
        self._restore(step.parameters["point"], self._back, self.data.beside(self._back))
        self.give_extensions(self._back)
        taken = {*self.database.beside(self.wanted.database + "_was_"), *self.data.names()}
        return {"aside": free_name(self.wanted.database, datetime.datetime.now(datetime.timezone.utc), taken)}

    def do_restore_here(self, step: Step) -> dict[str, Any]:
        """The database of a new instance: another one's, under this one's identity, closed until its first colour is let in."""
        self._restore(step.parameters["point"], self.wanted.database, self.wanted.filestore, source=self.wanted.params["from_point"]["source"])
        self.give_extensions()
        self.database.take_over(self.wanted.identity)
        return {}

    def undo_restore_point(self, step: Step) -> None:
        self.database.drop(self._back)
        self.data.drop(self._back)

    def do_exchange(self, step: Step) -> dict[str, Any]:
        """Whoever serves has ended and the fence stands: nobody is in either."""
        self.database.exchange(self._back, self.context["aside"])
        self.data.exchange(self._back, self.context["aside"])
        return {}

    def undo_exchange(self, step: Step) -> None:
        self.database.exchange(self.context["aside"], self._back)
        self.data.exchange(self.context["aside"], self._back)

    def do_export(self, step: Step) -> dict[str, Any]:
        """What the abandoned database has and the restored one has not, for people to enter again; then it is closed for good."""
        aside = self.context["aside"]
        gap = Gap(**step.parameters["gap"]) if "gap" in step.parameters else Gap(step.parameters["since"], step.parameters["since"])
        self.database.close(aside)
        told = loss.price(self.database, gap, aside, self.wanted.database)
        directory = os.path.join(self.wanted.directory, "exports", self.context["operation"])
        rows = loss.export(self.database, aside, gap, directory, told)
        self.warnings.append(f"{told['summary']}; {rows} rows lie in {directory}, the abandoned database is kept as {aside}")
        return {"export": directory, "rows": rows, "loss": told}

    def expire_abandoned(self) -> None:
        """Drop abandoned databases that were kept for as long as was asked."""
        options = self.wanted.params["recovery"]
        if options:
            before = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=options["keep_abandoned"])
            for name in abandoned(self.wanted.database, self.database.beside(self.wanted.database + "_was_")):
                if datetime.datetime.strptime(name[-10:], MOMENT).replace(tzinfo=datetime.timezone.utc) < before:
                    self.database.drop(name)
                    self.data.drop(name)
