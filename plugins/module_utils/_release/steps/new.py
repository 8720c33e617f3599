# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of a new instance: its database made, out of a template or a recovery point, and kept from acting outside where it is a copy."""

from __future__ import annotations

import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..._instance import given, neutralize, people
from ..._instance.names import UPDATE
from ..._kernel.commands import run_program
from ..._kernel.plan import Step
from .. import odoo_run
from .base import StepsBase


class NewSteps(StepsBase):
    """Part of ``Steps``."""

    def do_create_database(self, step: Step) -> dict[str, Any]:
        self.database.create()
        self.give_extensions()
        return {}

    def undo_create_database(self, step: Step) -> None:
        self.runtime.remove(UPDATE)
        self.database.allow_login([self.database.update_role], False)
        self.database.drop(self.wanted.database)
        self.data.drop()

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
        with ThreadPoolExecutor(1) as aside:
            files = aside.submit(self.data.copy_from, os.path.join(template, "filestore"))
            with tempfile.NamedTemporaryFile("w", encoding="utf-8") as wanted:
                wanted.write(given.left_out(listing, there))
                wanted.flush()
                run_program(
                    ["pg_restore", *self.database.way.words(), "--dbname", self.wanted.database, "--no-owner", "--no-privileges", "--role",
                     self.database.owner, "--jobs", "2", "--exit-on-error", "--use-list", wanted.name, dump],
                    "template_failed", f"restoring the template {template}")
            files.result()
        self.data.own()
        return {}

    undo_restore_template = undo_create_database
    undo_restore_here = undo_create_database

    def do_neutralize(self, step: Step) -> dict[str, Any]:
        """Before any process starts on it. What the image's add-ons switch off is asked of them, without any network, and done here."""
        record, role, scripts = self.release.record, self.database.update_role, ""
        arguments = neutralize.command(record.series, record.command, self.wanted.database)
        self.admit(role)
        if arguments:
            self.processes.once(UPDATE, self.release, arguments, self.wanted.database)
            odoo_run.watch(self.runtime, UPDATE, self.bounds["update"], lambda: self.database.blockers(role), lambda: None, self.bounds["update"])
            scripts = neutralize.scripts_in(self.runtime.output(UPDATE))
        neutralize.cut_off(self.database)
        with neutralize.as_owner(self.database, role, self.processes.let_update_in()) as cursor:
            return {"neutralized": neutralize.neutralize(cursor, scripts)}
