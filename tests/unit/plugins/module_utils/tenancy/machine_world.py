# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine in a directory: files, control groups of either version, and systemctl and docker as they would answer. What is written takes effect when it is read."""

from __future__ import annotations

import configparser
import json
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.commands import Ended
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.machine import io
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.machine.cgroups import Groups

GIB = 2 ** 30
START = 1_790_000_000


class World:
    """A machine with tenants, each with a cluster, a session store and two containers."""

    def __init__(self, root: Path, names: Sequence[str], *, version: int = 2, memory: int = 64 * GIB) -> None:
        self.root, self.version = root, version
        self.units: dict[str, dict[str, str]] = {}
        self.containers: list[dict[str, Any]] = []
        self.programs: list[list[str]] = []
        self.deaf: set[str] = set()
        for name in ("run", "proc", "cg"):
            (root / name).mkdir()
        self.write("run/docker.sock", "")
        self.write("proc/meminfo", f"MemTotal: {memory // 1024} kB\nMemAvailable: {memory // 2048} kB\n")
        if version == 2:
            self.write("cg/cgroup.controllers", "cpuset cpu io memory pids\n")
        else:
            for controller in ("cpu", "cpuacct", "memory", "pids", "systemd"):
                (root / "cg" / controller).mkdir()
        for number, name in enumerate(names, 1):
            self._tenant(number, name)

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def machine(self) -> io.Machine:
        return io.Machine(str(self.root), Groups(str(self.root / "cg")), self.run, str(self.root / "proc"))

    def _tenant(self, number: int, name: str) -> None:
        database = name.replace("-", "_")
        self.write(f"etc/postgresql/17/{database}/conf.d/sysgenpro.conf",
                   f"unix_socket_directories = '/run/postgresql, /run/sysgenpro/{name}/postgresql'\nport = '{5500 + number}'\nmax_connections = '150'\n")
        self.write(f"etc/redis/redis-{name}.conf", f"include /etc/sysgenpro/redis/{name}.quota.con[f]\n")
        self.write(f"var/lib/postgresql/17/{database}/base/1/2", "x" * 5000)
        self.write(f"var/lib/postgresql/17/{database}/pg_wal/1", "x" * 9000)
        self.write(f"var/lib/sysgenpro/instances/{name}/data/filestore/f", "x" * 100)
        self.unit(f"sysgenpro-postgresql-{database}.slice", f"/sgp.slice/{database}")
        self.unit(f"postgresql@17-{database}.service", f"/sgp.slice/{database}/pg")
        self.unit(f"redis-server@{name}.service", f"/redis/{name}")
        for kind, memory in (("web", 2), ("cron", 1)):
            self.container(name, f"blue-{kind}", kind, memory * GIB)
        self.use(f"/sgp.slice/{database}", memory=300 * 2 ** 20, pids=20, seconds=100.0)
        self.use(f"/redis/{name}", memory=20 * 2 ** 20, pids=5, seconds=1.0)

    def unit(self, name: str, group: str) -> None:
        self.units[name] = {"Id": name, "ActiveState": "active", "ControlGroup": group, "MainPID": "0", "InactiveExitTimestamp": f"@{START}"}
        for text in ("memory.max", "pids.max"):
            self.kernel(group, text, "max")
        self.kernel(group, "cpu.max", "max 100000")

    def container(self, name: str, place: str, kind: str, memory: int, **more: Any) -> dict[str, Any]:
        number = len(self.containers) + 1
        found = {"id": f"{number:012d}" + "0" * 52, "name": f"/{name}-{place}", "labels": {"org.sysgenpro.instance": name, "org.sysgenpro.kind": kind}, "running": True,
                 "pid": 7000 + number, "memory": memory, "nano": 0, "pids": 1024, "weight": 0, **more}
        self.containers.append(found)
        group = f"/docker/{number}"
        self.write(f"proc/{found['pid']}/cgroup", f"0::{group}\n" if self.version == 2 else f"4:memory:{group}\n3:cpu,cpuacct:{group}\n8:pids:{group}\n0::{group}\n")
        self.use(group, memory=100 * 2 ** 20, pids=10, seconds=5.0)
        return found

    # -- the kernel ----------------------------------------------------------------------------

    _ONE: ClassVar = {"memory.max": ("memory", "memory.limit_in_bytes"), "pids.max": ("pids", "pids.max"), "memory.current": ("memory", "memory.usage_in_bytes"),
            "pids.current": ("pids", "pids.current"), "memory.events": ("memory", "memory.oom_control"), "cgroup.procs": ("systemd", "cgroup.procs")}

    def kernel(self, group: str, name: str, text: str) -> None:
        """One file of a group, written as version 2 has it."""
        base = f"cg{group}" if self.version == 2 else "cg"
        if self.version == 2:
            self.write(f"{base}/{name}", text + "\n")
        elif name in self._ONE:
            controller, other = self._ONE[name]
            self.write(f"cg/{controller}{group}/{other}", ("9223372036854771712" if text == "max" and controller == "memory" else text) + "\n")
        elif name == "cpu.max":
            quota, period = text.split()
            self.write(f"cg/cpu{group}/cpu.cfs_quota_us", ("-1" if quota == "max" else quota) + "\n")
            self.write(f"cg/cpu{group}/cpu.cfs_period_us", period + "\n")

    def use(self, group: str, *, memory: int, pids: int, seconds: float, periods: int = 0, throttled: int = 0, killed: int = 0, cache: int = 0) -> None:
        self.kernel(group, "memory.current", str(memory + cache))
        self.kernel(group, "pids.current", str(pids))
        self.kernel(group, "memory.events", f"oom 0\noom_kill {killed}")
        counted = f"nr_periods {periods}\nnr_throttled {throttled}\n"
        if self.version == 2:
            self.write(f"cg{group}/cpu.stat", f"usage_usec {int(seconds * 1e6)}\n{counted}")
            self.write(f"cg{group}/memory.stat", f"anon 1\ninactive_file {cache}\n")
        else:
            self.write(f"cg/cpu{group}/cpu.stat", counted)
            self.write(f"cg/cpuacct{group}/cpuacct.usage", f"{int(seconds * 1e9)}\n")
            self.write(f"cg/memory{group}/memory.stat", f"inactive_file 7\ntotal_inactive_file {cache}\n")

    def backends(self, group: str, count: int) -> None:
        """Processes of PostgreSQL: some of its own, and so many connections."""
        titles = ["/usr/lib/postgresql/17/bin/postgres\0-D\0x", "postgres: 17/a: checkpointer \0", "postgres: 17/a: walwriter \0",
                  *[f"postgres: 17/a: a_blue_web a {'[local]' if number % 2 else '10.0.0.9(5123)'} idle" for number in range(count)]]
        pids = range(9000, 9000 + len(titles))
        for pid, title in zip(pids, titles):
            self.write(f"proc/{pid}/cmdline", title)
        self.kernel(group + "/pg", "cgroup.procs", "\n".join(map(str, pids)))

    # -- programs ------------------------------------------------------------------------------

    def run(self, arguments: Sequence[str]) -> Ended:
        self.programs.append(list(arguments))
        return Ended(0, str(getattr(self, "_" + arguments[0])(list(arguments)) or ""), "")

    def _systemctl(self, arguments: list[str]) -> str:
        if arguments[1] == "show":
            names = [word for word in arguments[2:] if not word.startswith("--")]
            empty = {"ActiveState": "inactive", "ControlGroup": "", "MainPID": "0", "InactiveExitTimestamp": ""}
            return "\n\n".join("\n".join(f"{key}={value}" for key, value in self.units.get(name, {"Id": name, **empty}).items()) for name in names) + "\n"
        if arguments[1] == "daemon-reload":
            for name in self.units.keys() - self.deaf:
                self._take(name)
        return ""

    def _take(self, name: str) -> None:
        """What systemd does with a unit's further file."""
        read = configparser.ConfigParser(strict=False, interpolation=None)
        read.optionxform = str  # type: ignore[assignment,method-assign]
        path = self.root / "etc/systemd/system" / f"{name}.d/quota.conf"
        said = dict(read.items(read.sections()[0])) if path.exists() and read.read(path) else {}
        group = self.units[name]["ControlGroup"]
        self.kernel(group, "memory.max", said.get("MemoryMax", "max"))
        self.kernel(group, "pids.max", said.get("TasksMax", "max"))
        self.kernel(group, "cpu.max", f"{int(said['CPUQuota'][:-1]) * 1000} 100000" if "CPUQuota" in said else "max 100000")

    def _docker(self, arguments: list[str]) -> str:
        if arguments[1] == "ps":
            return "\n".join(one["id"] for one in self.containers)
        if arguments[2] == "inspect":
            return "\n".join(json.dumps(one) for one in self.containers if one["id"] in arguments)
        options = dict(zip(arguments[3::2], arguments[4::2]))
        for one in self.containers:
            if one["id"] in arguments:
                one.update(memory=int(options["--memory"]), nano=int(Decimal(options["--cpus"]) * 10 ** 9), pids=int(options["--pids-limit"]),
                           weight=int(options["--cpu-shares"]))
        return ""

    def called(self) -> list[str]:
        """The programs called since the last look, without what each was told of."""
        found = [re.sub(r" .*", "", " ".join(one[:2])) + " " + (one[2] if one[1] == "container" else one[1]) for one in self.programs]
        self.programs.clear()
        return found
