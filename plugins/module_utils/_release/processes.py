# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Odoo is given in each of an instance's places: its configuration, its secrets, its login. Where it runs is the runtime's business."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from .._image.record import Release
from .._instance.database import Database
from .._instance.names import REALTIME, UPDATE, place
from .._kernel.text import parse_memory
from .._runtime.protocol import Runtime, Scale, Spec
from . import config
from .model import Desired

# What a place that runs once may need, in bytes, where the operator gives no size.
_UPDATE_MEMORY = 4 * 1024 ** 3


def _many(processes: Mapping[str, Any]) -> dict[str, Any]:
    """How many web processes a colour has."""
    least, most = int(processes["web_replicas"]), int(processes["web_replicas_most"])
    scale = Scale(least, most, processes["web_busy_cpu"], processes["web_busy_metric"], processes["web_busy_target"]) if most > least else None
    return {"replicas": least, "scale": scale}


class Processes:
    """Makes the places of one instance."""

    def __init__(self, wanted: Desired, runtime: Runtime, database: Database) -> None:
        self.wanted, self.runtime, self.database = wanted, runtime, database

    def prepare(self, colour: str, kind: str, release: Release, waits: bool = False) -> None:
        """A colour's kind, not started. What ran there is gone afterwards.

        The login role is given its password here, so a changed password reaches the incoming colour and no other.
        """
        params = self.wanted.params
        processes = params["processes"]
        role, password = self.database.role(colour, kind), self._password(f"{colour}_{kind}")
        self.database.set_password(role, password)
        # Documents get styles and pictures from the colour's own websocket process, which no hold keeps waiting.
        reports = "http://{}:{}".format(self.runtime.address(place(colour, "web")), REALTIME)
        self.runtime.make(place(colour, kind), Spec(
            kind=kind, colour=colour, release=release.id, image=release.image_digest, config=self.wanted.digest_for(kind),
            reference=release.reference, command=list(release.record.command),
            files=self._files(release, kind, role, password, self.wanted.database),
            environment={**config.environment(params, kind), "SYSGENPRO_REPORT_URL": reports},
            memory=parse_memory(f"processes.{kind}_memory", processes[kind + "_memory"]), cpus=float(processes[kind + "_cpus"]), waits=waits,
            **(_many(processes) if kind == "web" else {})))

    def once(self, where: str, release: Release, command: Sequence[str], database: str, *, files: Mapping[str, str] | None = None,
             data: str = "data", reach: str = "database", kind: str = UPDATE, waits: bool = False) -> None:
        """A place that runs once: an update, a rehearsal. :param files: beside those that Odoo is given."""
        role, password = self.database.update_role, self.let_update_in()
        needs = [self.wanted.params["database"], *([self.wanted.params["session"] or {}] if reach == "aside" else [])]
        self.runtime.make(where, Spec(
            kind=kind, colour="", release="", image="", config=self.wanted.digest_for(UPDATE), reference=release.reference, command=list(command),
            files={**self._files(release, kind, role, password, database), **(files or {})}, environment=config.environment(self.wanted.params, kind),
            memory=_UPDATE_MEMORY, data=data, reach=reach, lasts=False, waits=waits,
            hosts=[each["host"] for each in needs if each.get("host")]))

    def let_update_in(self) -> str:
        """Give the update's role its password. Returns it."""
        self.database.set_password(self.database.update_role, self._password(UPDATE))
        return self._password(UPDATE)

    def _password(self, login: str) -> str:
        return str(self.wanted.params["database"]["passwords"][login])

    def _files(self, release: Release, kind: str, role: str, password: str, database: str) -> dict[str, str]:
        params = self.wanted.params
        files = {"odoo.conf": config.odoo_conf(params, release.record, kind, role, database), "pgpass": config.pgpass(role, password)}
        if kind == "web":
            files["probe-token"] = secrets.token_hex(32)
        files.update(config.authorities(params))
        if params["session"]:
            files["session-password"] = params["session"]["password"]
        return files
