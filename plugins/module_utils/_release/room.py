# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How much room there is for a second colour: memory and disk of the machine, or the requests that a cluster's quota has left. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._instance.data import HEADROOM
from .._kernel.text import parse_memory
from .model import Desired
from .observed import Observed

MB = 1024 ** 2


def room(wanted: Desired, seen: Observed, share: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The fact ``room``, but for its problem.

    :param share: what the runtime says of a second colour by the instance's share; empty where it has none.
    """
    bounds = [dict(one) for one in share]
    if not bounds and seen.memory:
        needs = parse_memory("processes.web_memory", wanted.params["processes"]["web_memory"]) // 2 + HEADROOM
        bounds.append({"what": "memory", "unit": "MB", "free": seen.memory // MB, "needs": needs // MB})
    # Where the database lies on another machine, its disk is not seen.
    if bounds and seen.disk:
        needs = seen.database.bytes * 11 // 10 + HEADROOM
        bounds.append({"what": "disk", "unit": "MB", "free": seen.disk // MB, "needs": needs // MB})
    return {"bounds": bounds}
