# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The places of an instance as containers on its machine, with the files that each is given."""

from __future__ import annotations

import ipaddress
import json
import os
import shutil
from collections.abc import Mapping
from typing import Any

from .._instance import bounds
from .._instance.names import COLOURS, HOST_PARTS, LABEL, REHEARSAL
from .._kernel.files import read_text, remove_file, replace_file
from .._kernel.text import joined
from . import written
from .daemon import ContainerSpec, Daemon, memory_available
from .protocol import CHANGED_BY, ETC, HOME, RUN, Found, Outcome, Spec

WAIT = "wait"
"""A file beside those of a place: while it is there, what was started waits."""
_GATE = f'while [ -e {ETC}/{WAIT} ]; do sleep 0.05; done; exec "$@"'


class DockerRuntime:
    """The places of one instance; it outlives a restart of the daemon.

    :param directory: the instance's, ``/var/lib/sysgenpro/instances/<instance>``.
    :param subnet: its IPv4 network. :param uid: the user, and group, that its processes run as.
    :param sockets: where a container finds a directory of the machine: that of PostgreSQL's socket, that of Redis'.
    :param runs: where what goes on in its colours is told.
    """

    def __init__(self, daemon: Daemon, instance: str, directory: str, subnet: str, uid: int, sockets: Mapping[str, str],
                 runs: str = "/run/sysgenpro") -> None:
        self.daemon, self.instance, self.directory, self.uid, self.sockets = daemon, instance, directory, uid, sockets
        self.network = ipaddress.ip_network(subnet)
        self.runs = os.path.join(runs, instance)
        daemon.logs_to = os.path.join(directory, "state", "logs")

    def _name(self, place: str) -> str:
        # Whatever bears the instance's label and not its name is found, too; its place is its name.
        return place[1:] if place.startswith("/") else f"{self.instance}-{place}"

    # -- what is there ------------------------------------------------------------------------

    def observe(self) -> dict[str, Found]:
        found = {}
        for container in self.daemon.observe(self.instance):
            own = container.name.startswith(self.instance + "-")
            place = container.name[len(self.instance) + 1:] if own else "/" + container.name
            hands = joined([name for name, _at in written.changed(self._files(place))]) if own else ""
            found[place] = Found(container.name, container.state, container.running, container.label("release"), container.label("image"),
                                 CHANGED_BY + "hand: " + hands if hands else container.label("config"))
        return found

    def room(self) -> int:
        return memory_available()

    def share(self) -> list[dict[str, Any]]:
        found = bounds.read(self.instance, "web")
        return [{"what": "memory", "unit": "MB", "free": self.room() // 1024 ** 2, "needs": found.memory // 1024 ** 2}] if found else []

    def running(self, place: str) -> bool:
        return self.daemon.is_running(self._name(place))

    def outcome(self, place: str) -> Outcome:
        state = self.daemon.state(self._name(place))
        if not state:
            return Outcome(False)
        ended = not state.get("Running") and state.get("Status") != "created"
        return Outcome(True, ended, state.get("ExitCode") if ended else None, bool(state.get("OOMKilled")))

    def output(self, place: str) -> str:
        return self.daemon.output(self._name(place))

    def log(self, place: str, lines: int = 2000, seconds: int = 0) -> str:
        return self.daemon.logs(self._name(place), lines, seconds)

    def connections(self, place: str, port: int) -> int:
        return self.daemon.connections(self._name(place), port)

    # -- its life -----------------------------------------------------------------------------

    def fetch(self, reference: str, username: str | None, password: str | None, seconds: float) -> None:
        self.daemon.pull(reference, username, password, seconds)

    def make(self, place: str, spec: Spec) -> None:
        if spec.kind == "web" and spec.colour:
            self.forget_calls(spec.colour)
        self._write_files(place, spec.files)
        remove_file(os.path.join(self._files(place), WAIT))
        if spec.reach == "aside":
            self.daemon.ensure_network(self._name(place), str(self._aside), internal=True)
        network = {"instance": self.instance, "aside": self._name(place)}.get(spec.reach)
        labels = {"instance": self.instance, "colour": spec.colour, "kind": spec.kind if spec.colour else "update",
                  "release": spec.release, "image": spec.image, "config": spec.config}
        # Whatever was asked for: the machine's limit of what its tenants get.
        share = bounds.read(self.instance, spec.kind)
        self.daemon.create(ContainerSpec(
            name=self._name(place), image=spec.reference, command=["sh", "-c", _GATE, "sh", *spec.command] if spec.waits else spec.command,
            labels={LABEL + key: value for key, value in labels.items()}, uid=self.uid,
            mounts=self._mounts(place, spec), environment=spec.environment, memory=share.memory if share else spec.memory,
            cpus=float(share.cores) if share else spec.cpus, pids=share.pids if share else 1024, weight=share.weight if share else 0,
            network=network, address=self.address(place) if network else None, restart=spec.lasts))

    def warm(self, place: str) -> None:
        self._write(os.path.join(self._files(place), WAIT), "")
        self.daemon.start(self._name(place))

    def start(self, place: str) -> None:
        remove_file(os.path.join(self._files(place), WAIT))
        self.daemon.start(self._name(place))

    def ask_to_end(self, place: str) -> None:
        self.daemon.terminate(self._name(place))

    def ended(self, place: str, seconds: float) -> bool:
        return self.daemon.wait_end(self._name(place), seconds)

    def revive(self, place: str, seconds: float = 20) -> None:
        self.daemon.revive(self._name(place), seconds)

    def stop(self, place: str, seconds: float) -> None:
        self.daemon.stop(self._name(place), seconds)

    def remove(self, place: str) -> None:
        self.daemon.remove(self._name(place))
        if place == REHEARSAL:
            self.daemon.remove_network(self._name(place))

    def forget(self) -> None:
        for colour in COLOURS:
            self.mark_leading(colour, False)
        shutil.rmtree(os.path.join(self.directory, "config"), ignore_errors=True)

    # -- addresses, and what goes on ------------------------------------------------------------

    @property
    def _aside(self) -> ipaddress.IPv4Network:
        """A network of the same size that no instance has: a rehearsal's process reaches nobody in it."""
        return ipaddress.IPv4Network((int(self.network.network_address) + 2 ** 16, self.network.prefixlen))

    def address(self, place: str) -> str:
        return str((self._aside if place == REHEARSAL else self.network)[HOST_PARTS[place]])

    def addresses(self, place: str) -> list[str]:
        return [self.address(place)]

    def token(self, place: str) -> str:
        return read_text(os.path.join(self._files(place), "probe-token")) or ""

    def requests(self, colour: str) -> list[str]:
        found = []
        directory = self._told_in(colour)
        for entry in sorted(os.listdir(directory)) if os.path.isdir(directory) else []:
            try:
                value = json.loads(read_text(os.path.join(directory, entry)) or "")
                found.append("{method} {path} of user {uid}, since {since}".format(**value))
            except (ValueError, KeyError, TypeError):
                continue
        return found

    def own_work(self, colour: str) -> list[str]:
        return (read_text(os.path.join(self._told_in(colour), ".own-work")) or "").splitlines()

    def mark_leading(self, colour: str, leads: bool) -> None:
        """``/run/odoo/leading`` in its containers; tmpfiles.d(5) makes it again at a boot."""
        path = os.path.join(self._told_in(colour), "leading")
        kept = f"/etc/tmpfiles.d/sysgenpro-{self.instance}-{colour}.conf"
        if leads:
            self._make_directory(self._told_in(colour), 0o750)
            self._write(path, "")
            text = "d {0} 0750 {1} {1}\nf {2} 0400 {1} {1}\n".format(self._told_in(colour), self.uid, path)
            replace_file(kept, text.encode(), mode=0o644)
        else:
            remove_file(kept)
            remove_file(path)

    def forget_calls(self, colour: str) -> None:
        directory = self._told_in(colour)
        for name in os.listdir(directory) if os.path.isdir(directory) else []:
            if name.startswith("bundle_changed"):
                remove_file(os.path.join(directory, name))

    # -- files ----------------------------------------------------------------------------------

    def _told_in(self, colour: str) -> str:
        return os.path.join(self.runs, colour)

    def _files(self, place: str) -> str:
        return os.path.join(self.directory, "config", place)

    def _make_directory(self, path: str, mode: int) -> None:
        os.makedirs(path, mode=mode, exist_ok=True)
        os.chown(path, self.uid, self.uid)

    def _write(self, path: str, text: str) -> None:
        replace_file(path, text.encode(), mode=0o400, uid=self.uid, gid=self.uid)

    def _write_files(self, place: str, files: Mapping[str, str]) -> None:
        self._make_directory(self._files(place), 0o500)
        for name, text in files.items():
            self._write(os.path.join(self._files(place), name), text)
        written.note(self._files(place), files)

    def _mounts(self, place: str, spec: Spec) -> dict[str, tuple[str, str]]:
        """``{in the container: (on the machine, mode)}``."""
        mounts = {HOME: (os.path.join(self.directory, spec.data), "rw"), ETC: (self._files(place), "ro")}
        mounts.update({inside: (outside, "rw") for inside, outside in self.sockets.items()})
        if spec.colour:
            self._make_directory(self._told_in(spec.colour), 0o750)
            mounts[RUN] = (self._told_in(spec.colour), "rw")
        return mounts
