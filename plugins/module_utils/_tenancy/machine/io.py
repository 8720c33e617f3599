# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine: read in bulk, by one call of systemctl and two of docker however many tenants there are; and what is written to it.

No PostgreSQL and no Redis is asked: what they have open and use is read from the kernel and from their files, their settings from what was written for them.
"""

from __future__ import annotations

import glob
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..._instance.bounds import Bounds
from ..._instance.names import LABEL, NAME
from ..._kernel.commands import Ended, ProgramMissing, ended
from ..._kernel.errors import DomainError
from ..._kernel.files import read_text
from . import disk
from .cgroups import Groups
from .model import Share, from_dict
from .render import CONNECTIONS, DEFINITIONS, Place
from .seen import Container, Database, Observed, Sizes, Store, Tenant

Run = Callable[[Sequence[str]], Ended]

_PROPERTIES = ("Id", "ActiveState", "ControlGroup", "MainPID", "InactiveExitTimestamp")
_ASKED = ('{"id":{{json .Id}},"name":{{json .Name}},"labels":{{json .Config.Labels}},"running":{{json .State.Running}},"pid":{{json .State.Pid}},'
          '"memory":{{json .HostConfig.Memory}},"nano":{{json .HostConfig.NanoCpus}},"pids":{{json .HostConfig.PidsLimit}},'
          '"weight":{{json .HostConfig.CpuShares}}}')
# "postgres: 17/acme_production: acme_production_blue_web acme_production [local] idle", or an address with its port.
_BACKEND = re.compile(r"^postgres: .* (\[local\]|[0-9A-Fa-f.:]+\([0-9]+\))( |$)")


def _run(arguments: Sequence[str]) -> Ended:
    return ended(arguments, seconds=120)


class Machine:
    """:param root: of its files. :param groups: its control groups. :param run: runs a program; all of these are elsewhere in tests.

    :ivar calls: how often each program was called.
    """

    def __init__(self, root: str = "/", groups: Groups | None = None, run: Run = _run, proc: str = "/proc") -> None:
        self.root, self.groups, self.proc = root, groups or Groups(), proc
        self.calls: Counter[str] = Counter()
        self._program = run

    # -- reading ------------------------------------------------------------------------------

    def observe(self, names: Collection[str], measured: Collection[str] = ()) -> Observed:
        """:param names: of the tenants asked about. :param measured: those whose bytes on disk are counted, which reads every directory of theirs.

        :raises DomainError: ``docker_down``, ``systemd_refused``.
        """
        clusters, shares = self._clusters(), self.shares()
        wanted = sorted(set(names))
        stores = {name for name in wanted if os.path.exists(self._at(f"etc/redis/redis-{name}.conf"))}
        units = self._units([unit for name in wanted for unit in _units_of(name, clusters.get(name), name in stores)])
        containers = self._containers()
        tenants = {name: Tenant(
            database=self._database(clusters[name], units) if name in clusters else None, store=self._store(name, units) if name in stores else None,
            containers=tuple(containers.get(name, ())), files=dict(self._files(name, clusters.get(name))),
            sizes=self._sizes(name, clusters.get(name)) if name in measured else None) for name in wanted}
        memory = disk.meminfo(self.proc)
        return Observed(tenants, shares, os.cpu_count() or 1, memory.get("MemTotal", 0), memory.get("MemAvailable", 0), self.groups.version,
                        self.groups.controllers, disk.weighs(self.groups.root))

    def shares(self) -> dict[str, Share]:
        """Shares that were written down."""
        found = {}
        for path in sorted(glob.glob(self._at(DEFINITIONS, "*.json"))):
            try:
                share = from_dict(json.loads(read_text(path) or ""))
            except (ValueError, TypeError, AttributeError, DomainError):
                # Damaged, or of another time: a call that has this tenant writes it anew.
                continue
            found[share.name] = share
        return found

    def _clusters(self) -> dict[str, Place]:
        found = {}
        for path in sorted(glob.glob(self._at("etc/postgresql/*/*/conf.d/sysgenpro.conf"))):
            text = read_text(path) or ""
            instance, connections = re.search(r"/run/sysgenpro/([a-z0-9-]+)/postgresql", text), CONNECTIONS.search(text)
            major, name = path.split(os.sep)[-4:-2]
            if instance and major.isdigit():
                found[instance[1]] = Place(int(major), name, int(connections[1]) if connections else 0)
        return found

    def _units(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        if not names:
            return {}
        done = self._call(["systemctl", "show", "--timestamp=unix", "--property=" + ",".join(_PROPERTIES), *names])
        if done.code:
            raise DomainError("systemd_refused", f"systemd does not tell of its units: {done.first('systemctl')}", unchanged="Nothing was changed")
        blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in done.output.strip().split("\n\n")]
        return {block.get("Id", ""): block for block in blocks}

    def _containers(self) -> dict[str, list[Container]]:
        """All containers that are an instance's; none where there is no Docker."""
        if not os.path.exists(self._at("run/docker.sock")):
            return {}
        listed = self._docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={LABEL}instance").output.split()
        if not listed:
            return {}
        # One that is gone meanwhile is complained of, and the others are told all the same.
        lines = self._call(["docker", "container", "inspect", "--format", _ASKED, *listed]).output.splitlines()
        found: dict[str, list[Container]] = {}
        for item in sorted((json.loads(line) for line in lines if line.startswith("{")), key=lambda one: str(one["name"])):
            found.setdefault(item["labels"][LABEL + "instance"], []).append(self._container(item))
        return found

    def _container(self, item: Mapping[str, Any]) -> Container:
        instance, name = item["labels"][LABEL + "instance"], str(item["name"]).lstrip("/")
        place = name[len(instance) + 1:] if name.startswith(instance + "-") else name
        bounds = Bounds(int(item["memory"] or 0), Decimal(int(item["nano"] or 0)) / 10 ** 9, max(0, int(item["pids"] or 0)), int(item["weight"] or 0))
        group = self.groups.read(self.groups.of_process(item["pid"], self.proc)) if item["running"] else Container.group
        return Container(item["id"], place, item["labels"].get(LABEL + "kind", ""), bool(item["running"]), bounds, group)

    def _database(self, place: Place, units: Mapping[str, Mapping[str, str]]) -> Database:
        unit, group = units.get(place.unit, {}), units.get(place.slice, {}).get("ControlGroup", "")
        if unit.get("ActiveState") != "active" or not group:
            return Database(place)
        own = self._at(f"etc/postgresql/{place.major}/{place.name}/conf.d")
        says = [path for path in (f"{own}/sysgenpro_quota.conf", f"{own}/sysgenpro.conf") if CONNECTIONS.search(read_text(path) or "")]
        titles = (disk.title(self.proc, pid) for pid in self.groups.processes(group))
        return Database(place, True, self.groups.read({"": group}), sum(1 for title in titles if _BACKEND.match(title)), _seconds(unit),
                        os.stat(says[0]).st_mtime if says else 0.0)

    def _store(self, name: str, units: Mapping[str, Mapping[str, str]]) -> Store:
        unit = units.get(f"redis-server@{name}.service", {})
        reads = f"{name}.quota.con" in (read_text(self._at(f"etc/redis/redis-{name}.conf")) or "")
        if unit.get("ActiveState") != "active" or not unit.get("ControlGroup"):
            return Store(reads=reads)
        # One of its sockets is the one that it listens at.
        return Store(True, self.groups.read({"": unit["ControlGroup"]}), max(0, disk.sockets(self.proc, int(unit.get("MainPID") or 0)) - 1), reads)

    def _files(self, name: str, cluster: Place | None) -> Iterator[tuple[str, str]]:
        for path in paths_of(name, cluster):
            text = read_text(self._at(path))
            if text is not None:
                yield path, text

    def _sizes(self, name: str, cluster: Place | None) -> Sizes:
        base = self._at(f"var/lib/postgresql/{cluster.major}/{cluster.name}") if cluster else ""
        temporary = [os.path.join(base, "base", "pgsql_tmp"), *glob.glob(os.path.join(base, "pg_tblspc", "*", "*", "pgsql_tmp"))] if base else []
        return Sizes(disk.tree(base) if base else 0, disk.tree(os.path.join(base, "pg_wal")) if base else 0, sum(map(disk.tree, temporary)),
                     disk.tree(self._at(f"var/lib/sysgenpro/instances/{name}/data")))

    # -- writing ------------------------------------------------------------------------------

    def write(self, path: str, text: str, group: str, mode: int) -> None:
        """:raises DomainError: ``file_failed``."""
        disk.write(self._at(path), text, group, mode)

    def remove(self, path: str) -> None:
        disk.remove(self._at(path))

    def limit(self, bounds: Bounds, ids: Sequence[str]) -> None:
        """Give containers, running or not, their bounds. :raises DomainError: ``limit_not_taken``."""
        done = self._call([
            "docker", "container", "update", "--memory", str(bounds.memory), "--memory-swap", str(bounds.memory), "--cpus", f"{bounds.cores:f}",
            "--cpu-shares", str(bounds.weight), "--pids-limit", str(bounds.pids), *ids])
        if done.code:
            raise DomainError("limit_not_taken", f"Docker does not limit a container: {done.first('docker')}",
                              advice="Mend the cause that is named, then run this again")

    def units(self, *arguments: str) -> None:
        """:raises DomainError: ``systemd_refused``."""
        done = self._call(["systemctl", *arguments])
        if done.code:
            raise DomainError("systemd_refused", f"systemctl {arguments[0]} did not do it: {done.first('systemctl')}",
                              advice="What was written stays. Mend the cause, then run this again")

    def _docker(self, *arguments: str) -> Ended:
        done = self._call(["docker", *arguments])
        if done.code:
            raise DomainError("docker_down", f"docker {arguments[0]}: {done.first('docker')}", advice="Start Docker, then run this again")
        return done

    def _call(self, arguments: Sequence[str]) -> Ended:
        self.calls[arguments[0]] += 1
        try:
            return self._program(arguments)
        except ProgramMissing:
            return Ended(127, "", f"the command {arguments[0]} is not on this machine")

    def _at(self, *parts: str) -> str:
        return os.path.join(self.root, *parts)


def paths_of(name: str, cluster: Place | None) -> Iterable[str]:
    """Every file that a share may have, of parts that are there and of a session store that is gone."""
    yield f"{DEFINITIONS}/{name}.json"
    if cluster:
        yield f"etc/systemd/system/{cluster.slice}.d/quota.conf"
        yield f"etc/postgresql/{cluster.major}/{cluster.name}/conf.d/sysgenpro_quota.conf"
    yield f"etc/systemd/system/redis-server@{name}.service.d/quota.conf"
    yield f"etc/sysgenpro/redis/{name}.quota.conf"


def _units_of(name: str, cluster: Place | None, store: bool) -> Iterable[str]:
    if not NAME.fullmatch(name):
        raise AssertionError("a name that was not checked")
    if cluster:
        yield from (cluster.slice, cluster.unit)
    if store:
        yield f"redis-server@{name}.service"


def _seconds(unit: Mapping[str, str]) -> float:
    """When a unit was started: ``@1764460800``."""
    word = unit.get("InactiveExitTimestamp", "").lstrip("@")
    return float(word) if word.isdigit() else 0.0
