# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a machine is found to be: values that the adapter fills, and that plan and report read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..._instance.bounds import Bounds
from .cgroups import NO_GROUP, Group
from .model import Share
from .render import Place


@dataclass(frozen=True)
class Sizes:
    """Bytes on disk. :ivar data: of PostgreSQL, its WAL and temporary files included. :ivar storage: of the filestore. :ivar at: when that was measured."""

    data: int = 0
    wal: int = 0
    temp_files: int = 0
    storage: int = 0
    at: float = 0.0


@dataclass(frozen=True)
class Container:
    """:ivar place: such as ``blue-web``. :ivar bounds: as Docker has them; 0 for none."""

    id: str
    place: str
    kind: str
    running: bool
    bounds: Bounds
    group: Group = NO_GROUP


@dataclass(frozen=True)
class Database:
    """:ivar group: of its slice. :ivar connections: that are open. :ivar started: when, in seconds since 1970; 0 where it does not run.
    :ivar written: when the file was written that says how many there may be.
    """

    place: Place
    active: bool = False
    group: Group = NO_GROUP
    connections: int = 0
    started: float = 0.0
    written: float = 0.0


@dataclass(frozen=True)
class Store:
    """The session store. :ivar reads: whether its settings take in the quota's file, as the role redis writes them."""

    active: bool = False
    group: Group = NO_GROUP
    clients: int = 0
    reads: bool = True


@dataclass(frozen=True)
class Tenant:
    """What is there of one tenant. :ivar files: the texts of its share's files, by path."""

    database: Database | None = None
    store: Store | None = None
    containers: tuple[Container, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    sizes: Sizes | None = None


@dataclass(frozen=True)
class Observed:
    """:ivar shares: that earlier calls wrote down, by tenant. :ivar weighs_io: whether the kernel divides disks by weight. :ivar available: bytes of memory."""

    tenants: Mapping[str, Tenant]
    shares: Mapping[str, Share]
    cores: int
    memory: int
    available: int
    version: int
    controllers: frozenset[str]
    weighs_io: bool = False
