# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a share is on a machine: the text of each file, and what each container is told. Pure.

The roles make an instance's parts; beside their files lie these, which systemd, PostgreSQL and Redis read after them. So neither is written over the other.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from ..._instance.bounds import DIRECTORY, ONCE, Bounds
from .model import KINDS, ONCE_MEMORY, Share

HEAD = "# Written by sysgenpro.odoo.tenant_quota: the share of {name}{profile}\n"
DEFINITIONS = DIRECTORY.lstrip("/")
CONNECTIONS = re.compile(r"(?m)^max_connections\s*=\s*'?(\d+)")
SPARE_PROCESSES = 64
"""Of PostgreSQL beside its connections: its own workers, and a parallel query's."""


@dataclass(frozen=True)
class Place:
    """Where an instance's cluster is. :ivar connections: that the role's own file gives it."""

    major: int
    name: str
    connections: int = 0

    @property
    def unit(self) -> str:
        return f"postgresql@{self.major}-{self.name}.service"

    @property
    def slice(self) -> str:
        return f"sysgenpro-postgresql-{self.name}.slice"


@dataclass(frozen=True)
class File:
    """One file. :param path: from the root. :param reads: who has to read it anew: ``systemd``, ``postgresql``, ``redis`` or nobody."""

    path: str
    text: str
    reads: str = ""
    group: str = "root"
    mode: int = 0o644


def definition(name: str) -> str:
    """The file by which a share is known."""
    return f"{DEFINITIONS}/{name}.json"


def files(share: Share, cluster: Place | None, session: bool) -> Iterator[File]:
    """All files of a share, those of parts that are there.

    :param cluster: its PostgreSQL, where it is there. :param session: whether its session store is.
    """
    head = HEAD.format(name=share.name, profile=f", {share.profile}" if share.profile else "")
    containers = {kind: bounds(share, kind).as_dict() for kind in (*KINDS, ONCE)}
    yield File(definition(share.name), json.dumps({**share.as_dict(), "containers": containers}, indent=1, sort_keys=True) + "\n")
    if cluster:
        yield File(f"etc/systemd/system/{cluster.slice}.d/quota.conf", head + slice_text(share), "systemd")
        settings = f"etc/postgresql/{cluster.major}/{cluster.name}/conf.d/sysgenpro_quota.conf"
        yield File(settings, head + postgresql_text(share, cluster), "postgresql", "postgres")
    if session:
        yield File(f"etc/systemd/system/redis-server@{share.name}.service.d/quota.conf", head + store_text(share), "systemd")
        yield File(f"etc/sysgenpro/redis/{share.name}.quota.conf", head + redis_text(share), "redis", "redis", 0o640)


def slice_text(share: Share) -> str:
    """PostgreSQL's slice. At its limit the kernel takes the files' cache back first, then it ends a process.

    No ``MemoryHigh``: what cannot be taken back is then slowed by seconds for each piece of memory, so that nobody is served for long minutes. PostgreSQL whose
    process was ended recovers in seconds.
    """
    limits = share.limits
    return "\n".join((
        "[Slice]", "CPUAccounting=yes", "MemoryAccounting=yes", "TasksAccounting=yes", "IOAccounting=yes", f"CPUWeight={weight(share)}",
        f"CPUQuota={percent(limits['database_cpu'])}%", f"IOWeight={weight(share)}", "MemoryHigh=infinity",
        f"MemoryMax={share.whole('database_memory')}", "MemorySwapMax=0", f"TasksMax={share.whole('connections') + SPARE_PROCESSES}", ""))


def postgresql_text(share: Share, cluster: Place) -> str:
    """Connections only where the role's own file has others: it knows of restarts that a changed number waits for.

    ``temp_file_limit`` is one session's, ``max_wal_size`` what checkpoints aim at; a slot that nobody reads loses its WAL beyond the last one.
    """
    wal = share.whole("wal") // 2 ** 20
    return "\n".join((
        *([] if cluster.connections == share.whole("connections") else [f"max_connections = {share.whole('connections')}"]),
        f"temp_file_limit = '{share.whole('temp_files') // 1024}kB'", f"max_wal_size = '{wal}MB'",
        f"max_slot_wal_keep_size = '{wal}MB'", ""))


def store_text(share: Share) -> str:
    """Twice the sessions' memory: while Redis writes its file anew, it has a copy of what changes meanwhile."""
    return "\n".join(("[Service]", "MemoryAccounting=yes", "TasksAccounting=yes", f"MemoryMax={store_memory(share)}", "MemorySwapMax=0", "TasksMax=64", ""))


def store_memory(share: Share) -> int:
    return 2 * share.whole("session_memory") + 64 * 2 ** 20


def redis_text(share: Share) -> str:
    return f"maxmemory {share.whole('session_memory')}\nmaxclients {share.whole('session_clients')}\n"


def bounds(share: Share, kind: str) -> Bounds:
    """Of a container of a kind; what is of no lasting kind runs once, as an update does."""
    of = kind if kind in KINDS else "web"
    memory = share.limits[f"{of}_memory"] if kind in KINDS else ONCE_MEMORY
    return Bounds(int(memory), share.limits[f"{of}_cpu"], share.whole("pids"), max(2, int(share.limits["cpu"] * 1024)))


def weight(share: Share) -> int:
    """For systemd: 100 for each core that is promised."""
    return max(1, min(10000, int(share.limits["cpu"] * 100)))


def percent(cores: Decimal) -> int:
    return max(1, int(cores * 100))
