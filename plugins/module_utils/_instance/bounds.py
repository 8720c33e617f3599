# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an instance's containers may take on its machine: written by tenant_quota, and read by whoever makes a container."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from .._kernel.files import read_text

DIRECTORY = "/etc/sysgenpro/quota"
ONCE = "once"
"""The kind of every container that runs once."""


@dataclass(frozen=True)
class Bounds:
    """:ivar memory: bytes, swap included. :ivar cores: at the most. :ivar pids: processes. :ivar weight: in Docker's ``cpu_shares``."""

    memory: int
    cores: Decimal
    pids: int
    weight: int

    def within(self, cores: int | None) -> Bounds:
        """On a machine with so many cores, more than which Docker refuses."""
        return Bounds(self.memory, min(self.cores, Decimal(cores or 1)), self.pids, self.weight)

    def as_dict(self) -> dict[str, Any]:
        return {"memory": self.memory, "cores": str(self.cores), "pids": self.pids, "weight": self.weight}


def read(instance: str, kind: str, directory: str = DIRECTORY) -> Bounds | None:
    """None where the instance has no share of its machine, or that is damaged; the next run of ``site`` mends it."""
    try:
        kinds: Mapping[str, Any] = json.loads(read_text(os.path.join(directory, instance + ".json")) or "{}").get("containers") or {}
        found = kinds.get(kind) or kinds.get(ONCE)
        return Bounds(int(found["memory"]), Decimal(found["cores"]), int(found["pids"]), int(found["weight"])) if found else None
    except (ValueError, TypeError, KeyError, AttributeError, InvalidOperation):
        return None
