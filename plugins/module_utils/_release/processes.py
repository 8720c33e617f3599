# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of an instance: their files and containers."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from typing import Any

from .._image.record import Record, Release
from .._instance.database import Database
from .._instance.names import LABEL, REALTIME
from .._kernel.files import read_text, remove_file, replace_file
from .._runtime.docker import ContainerSpec, DockerRuntime, parse_memory
from . import config
from .model import Desired

# What each kind of container runs with, where the operator gives no size.
_UPDATE_MEMORY = 4 * 1024 ** 3


class Processes:
    """Makes the containers of one instance and the files they are given."""

    def __init__(self, wanted: Desired, runtime: DockerRuntime, database: Database) -> None:
        self.wanted, self.runtime, self.database = wanted, runtime, database

    def name(self, colour: str, kind: str) -> str:
        return f"{self.wanted.instance}-{colour}-{kind}"

    @property
    def update_name(self) -> str:
        return self.wanted.instance + "-update"

    def run_directory(self, colour: str) -> str:
        return f"/run/sysgenpro/{self.wanted.instance}/{colour}"

    def prepare_kind(self, colour: str, kind: str, release: Release) -> None:
        """Files and container of a colour's kind, not started. What ran under this name is gone afterwards.

        The login role is given its password here, so a changed password reaches the incoming colour and no other.
        """
        if kind == "web":
            self.forget_calls(colour)
        role, password = self.database.role(colour, kind), self._password(colour + "_" + kind)
        self.database.set_password(role, password)
        self._write_files(colour + "-" + kind, release.record, kind, role, password)
        self.runtime.create(self._spec(colour, kind, release))

    def one_off(self, name: str, image: str, record: Record, arguments: list[str], database: str,
                data: str, role: str, network: tuple[str, str] | None = None, kind: str = "update") -> None:
        """A container that runs once: an update, a rehearsal. Without ``network`` it reaches nothing but the database."""
        self.database.set_password(role, self._password("update"))
        self._write_files(name, record, kind, role, self._password("update"), database)
        self.runtime.create(ContainerSpec(
            name=name, image=image, command=arguments, labels=self._labels("", "update", ""), uid=self._uid,
            mounts=self._mounts(name, None, data), environment=config.environment(self.wanted.params, kind),
            memory=_UPDATE_MEMORY, network=network[0] if network else None, address=network[1] if network else None,
            restart=False))

    def let_update_in(self) -> str:
        """Give the update's role its password. Returns it."""
        self.database.set_password(self.database.update_role, self._password("update"))
        return self._password("update")

    def write_script(self, name: str, text: str) -> None:
        """A Python script for ``odoo shell``, beside the one-off's other files."""
        self._write(os.path.join(self._files(name), "change.py"), text)

    def token(self, colour: str) -> str:
        """What the web process of a colour asks who wants to know whether it is ready."""
        return self.token_of(colour + "-web")

    def token_of(self, name: str) -> str:
        return read_text(os.path.join(self._files(name), "probe-token")) or ""

    def lead(self, colour: str, leads: bool) -> None:
        """Tell a colour whether requests are led to it (``/run/odoo/leading``), also after a reboot (tmpfiles.d(5))."""
        path = os.path.join(self.run_directory(colour), "leading")
        kept = f"/etc/tmpfiles.d/sysgenpro-{self.wanted.instance}-{colour}.conf"
        if leads:
            self._make_directory(self.run_directory(colour), 0o750)
            self._write(path, "")
            text = "d {0} 0750 {1} {1}\nf {2} 0400 {1} {1}\n".format(self.run_directory(colour), self._uid, path)
            replace_file(kept, text.encode(), mode=0o644)
        else:
            remove_file(kept)
            remove_file(path)

    def forget_calls(self, colour: str) -> None:
        """What a colour kept back to tell browsers (``sysgenpro_assets``) and never led to tell is nothing that its next release has to say."""
        directory = self.run_directory(colour)
        for name in os.listdir(directory) if os.path.isdir(directory) else []:
            if name.startswith("bundle_changed"):
                remove_file(os.path.join(directory, name))

    def under_way(self, colour: str) -> list[str]:
        """Requests under way in a colour, a line each, as ``sysgenpro_drain`` writes them down."""
        found = []
        directory = self.run_directory(colour)
        for entry in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            try:
                value = json.loads(read_text(os.path.join(directory, entry)) or "")
                found.append("{method} {path} of user {uid}, since {since}".format(**value))
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def own_work(self, colour: str) -> list[str]:
        """What add-ons began to do by themselves in a colour's web process, a line each, as ``sysgenpro_drain`` writes it down."""
        found = (read_text(os.path.join(self.run_directory(colour), ".own-work")) or "").splitlines()
        return ["{} works by itself in {}, also while that is only staged and twice while both colours run: if it must not, name the add-on in "
                "processes.cron_loads".format(line, colour) for line in found]

    # -- files --------------------------------------------------------------------------------

    @property
    def _uid(self) -> int:
        return int(self.wanted.params["uid"])

    def _password(self, key: str) -> str:
        return str(self.wanted.params["database"]["passwords"][key])

    def _files(self, name: str) -> str:
        return os.path.join(self.wanted.directory, "config", name)

    def _make_directory(self, path: str, mode: int) -> None:
        os.makedirs(path, mode=mode, exist_ok=True)
        os.chown(path, self._uid, self._uid)

    def _write(self, path: str, text: str) -> None:
        replace_file(path, text.encode(), mode=0o400, uid=self._uid, gid=self._uid)

    def _write_files(self, name: str, record: Record, kind: str, role: str, password: str,
                     database: str | None = None) -> None:
        directory = self._files(name)
        self._make_directory(directory, 0o500)
        params = self.wanted.params
        files = {
            "odoo.conf": config.odoo_conf(params, record, kind, role, database or self.wanted.database),
            "pgpass": config.pgpass(role, password),
        }
        if kind == "web":
            files["probe-token"] = secrets.token_hex(32)
        if params["session"]:
            files["session-password"] = params["session"]["password"]
        for file, text in files.items():
            self._write(os.path.join(directory, file), text)

    # -- containers ---------------------------------------------------------------------------

    def _labels(self, colour: str, kind: str, release: str, digest: str = "") -> dict[str, str]:
        values = {"instance": self.wanted.instance, "colour": colour, "kind": kind, "release": release,
                  "image": digest, "config": self.wanted.digest_for(kind)}
        return {LABEL + key: value for key, value in values.items()}

    def _mounts(self, name: str, colour: str | None, data: str) -> Mapping[str, tuple[str, str]]:
        params = self.wanted.params
        mounts = {
            "/var/lib/odoo": (data, "rw"),
            config.ETC: (self._files(name), "ro"),
            config.SOCKETS: (params["database"]["socket"], "rw"),
        }
        if params["session"]:
            mounts[config.SESSION_SOCKETS] = (os.path.dirname(params["session"]["socket"]), "rw")
        if colour:
            self._make_directory(self.run_directory(colour), 0o750)
            mounts["/run/odoo"] = (self.run_directory(colour), "rw")
        return mounts

    def _reports(self, colour: str) -> str:
        """Where a colour's documents get styles and pictures: from its own websocket process, which no hold keeps waiting."""
        return "http://{}:{}".format(self.wanted.address(colour + "-web"), REALTIME)

    def _spec(self, colour: str, kind: str, release: Release) -> ContainerSpec:
        params: Mapping[str, Any] = self.wanted.params
        processes = params["processes"]
        return ContainerSpec(
            name=self.name(colour, kind), image=release.reference, command=list(release.record.command),
            labels=self._labels(colour, kind, release.id, release.image_digest), uid=self._uid,
            mounts=self._mounts(colour + "-" + kind, colour, os.path.join(self.wanted.directory, "data")),
            environment={**config.environment(params, kind), "SYSGENPRO_REPORT_URL": self._reports(colour)},
            memory=parse_memory(f"processes.{kind}_memory", processes[kind + "_memory"]),
            cpus=float(processes[kind + "_cpus"]), network=self.wanted.instance,
            address=self.wanted.address(f"{colour}-{kind}"))
