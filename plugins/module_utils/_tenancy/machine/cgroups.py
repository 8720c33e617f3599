# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What control groups say, of version 1 and of version 2, in the same words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ..._kernel.files import read_text

_NONE = 2 ** 62
"""Version 1 writes "no limit" as a number near the largest one."""


@dataclass(frozen=True)
class Group:
    """One group; None where the kernel does not tell.

    :ivar memory: bytes that it cannot do without: what is used, less the files' cache that nobody used lately.
    :ivar memory_max: :ivar cores: :ivar pids_max: its bounds.
    :ivar seconds: of processor time. :ivar periods: that its processor time was counted in. :ivar throttled: of those, how many it spent at its bound.
    :ivar killed: processes that were ended for want of memory.
    """

    memory: int | None = None
    memory_max: int | None = None
    pids: int | None = None
    pids_max: int | None = None
    cores: Decimal | None = None
    seconds: float | None = None
    periods: int = 0
    throttled: int = 0
    killed: int = 0


NO_GROUP = Group()
"""Of what does not run."""


class Groups:
    """The tree of control groups. :param root: where it is mounted; elsewhere in tests."""

    def __init__(self, root: str = "/sys/fs/cgroup") -> None:
        self.root = root
        self.version = 2 if os.path.exists(os.path.join(root, "cgroup.controllers")) else 1

    @property
    def controllers(self) -> frozenset[str]:
        """Which of ``cpu``, ``memory``, ``pids``, ``io`` there are, in the words of version 2."""
        if self.version == 2:
            return frozenset((read_text(os.path.join(self.root, "cgroup.controllers")) or "").split())
        return frozenset(word for word, name in (("cpu", "cpu"), ("memory", "memory"), ("pids", "pids"), ("io", "blkio"))
                         if os.path.isdir(os.path.join(self.root, name)))

    def of_process(self, pid: int, proc: str = "/proc") -> dict[str, str]:
        """Where a process is, by controller; under ``""`` in version 2."""
        text = read_text(os.path.join(proc, str(pid), "cgroup")) or ""
        found = {}
        for line in text.splitlines():
            _number, names, path = line.split(":", 2)
            found.update(dict.fromkeys(names.split(","), path))
        return found

    def read(self, paths: Mapping[str, str]) -> Group:
        """:param paths: of a group by controller, or one for all under ``""``."""
        return (self._two if self.version == 2 else self._one)(paths)

    def processes(self, path: str) -> list[int]:
        """Of a group and all below it."""
        base = os.path.join(self.root, "" if self.version == 2 else "systemd", path.strip("/"))
        found: list[int] = []
        for directory, _names, names in os.walk(base):
            if "cgroup.procs" in names:
                found += [int(word) for word in (read_text(os.path.join(directory, "cgroup.procs")) or "").split()]
        return found

    def _two(self, paths: Mapping[str, str]) -> Group:
        def at(name: str) -> str:
            try:
                return read_text(os.path.join(self.root, paths.get("", "").strip("/"), name)) or ""
            except OSError:
                return ""

        time, quota = _table(at("cpu.stat")), at("cpu.max").split()
        return Group(
            memory=_working(_number(at("memory.current")), _table(at("memory.stat")).get("inactive_file", 0)), memory_max=_number(at("memory.max")),
            pids=_number(at("pids.current")), pids_max=_number(at("pids.max")),
            cores=Decimal(quota[0]) / Decimal(quota[1]) if len(quota) == 2 and quota[0] != "max" else None,
            seconds=time["usage_usec"] / 1e6 if "usage_usec" in time else None, periods=time.get("nr_periods", 0), throttled=time.get("nr_throttled", 0),
            killed=_table(at("memory.events")).get("oom_kill", 0))

    def _one(self, paths: Mapping[str, str]) -> Group:
        def at(controller: str, name: str) -> str:
            path = paths.get(controller, paths.get("", ""))
            try:
                return read_text(os.path.join(self.root, controller, path.strip("/"), name)) or "" if path else ""
            except OSError:
                return ""

        time, quota, period = _table(at("cpu", "cpu.stat")), _number(at("cpu", "cpu.cfs_quota_us")), _number(at("cpu", "cpu.cfs_period_us"))
        spent = _number(at("cpuacct", "cpuacct.usage"))
        return Group(
            memory=_working(_number(at("memory", "memory.usage_in_bytes")), _table(at("memory", "memory.stat")).get("total_inactive_file", 0)),
            memory_max=_number(at("memory", "memory.limit_in_bytes")), pids=_number(at("pids", "pids.current")), pids_max=_number(at("pids", "pids.max")),
            cores=Decimal(quota) / Decimal(period) if quota and period and quota > 0 else None, seconds=spent / 1e9 if spent is not None else None,
            periods=time.get("nr_periods", 0), throttled=time.get("nr_throttled", 0), killed=self._killed(paths))

    def _killed(self, paths: Mapping[str, str]) -> int:
        """Version 1 counts a process that was ended where it was, and not above."""
        path = paths.get("memory", paths.get("", ""))
        found = 0
        for directory, _names, _files in os.walk(os.path.join(self.root, "memory", path.strip("/"))) if path else ():
            found += _table(read_text(os.path.join(directory, "memory.oom_control")) or "").get("oom_kill", 0)
        return found


def _working(used: int | None, cache: int) -> int | None:
    return None if used is None else max(0, used - cache)


def _number(text: str) -> int | None:
    """None for ``max``, for what is not there, and for the number by which version 1 says that there is no limit."""
    word = text.strip()
    if not word.lstrip("-").isdigit() or int(word) > _NONE:
        return None
    return int(word)


def _table(text: str) -> dict[str, int]:
    rows = (line.split() for line in text.splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) == 2 and row[1].isdigit()}
