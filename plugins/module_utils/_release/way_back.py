# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the way back leads, from what was applied. Pure: what ``status`` promises is what a rollback does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.text import local_time

Row = Mapping[str, Any]

# Classes that led back: to go back once more is to stay.
BACK = ("rollback", "restore")
# Classes that left the database as it was.
WITHOUT_LOSS = ("code", "adopt", *BACK)


@dataclass(frozen=True)
class WayBack:
    """:param target: the row to go back to; the newest itself where it was gone back to already.
    :param between: rows since then that changed the database, the newest first: beyond them only a recovery point leads.
    """

    target: Row
    stays: bool
    between: Sequence[Row]


def own(rows: Sequence[Row]) -> Sequence[Row]:
    """Those of this instance: a database that was made from another one's recovery point brought the rows of that along.

    :param rows: of ``sysgenpro.applied``, the newest first.
    """
    made = next((number for number, row in enumerate(rows) if row["class"] == "create"), len(rows))
    return rows[: made + 1]


def way_back(rows: Sequence[Row]) -> WayBack | None:
    """The way back from the newest row, or None where nothing else ever ran here.

    :param rows: of ``sysgenpro.applied``, the newest first; at least down to the newest one of another image.
    """
    rows = own(rows)
    if rows and rows[0]["class"] in BACK:
        return WayBack(rows[0], True, ())
    target = next((row for row in rows if row["image"] != rows[0]["image"]), None)
    if target is None:
        return None
    return WayBack(target, False, [row for row in rows if row["id"] > target["id"] and row["class"] not in WITHOUT_LOSS])


def described(rows: Sequence[Row]) -> dict[str, Any] | None:
    """The way back for people."""
    if not rows:
        return None
    way = way_back(rows)
    if way is None:
        return {"class": "none", "said": "nothing else ran here before"}
    name = way.target.get("name") or way.target["release"][7:19]
    if way.stays:
        return {"class": "none", "said": f"it was gone back to {name}; nothing was released since"}
    if way.between:
        return {"class": "data", "release": way.target["release"], "name": name,
                "said": "to {0} only with the data of before {1}".format(name, local_time(way.between[-1]["at"]))}
    return {"class": "code", "release": way.target["release"], "name": name, "said": f"to {name} by a switch, without loss"}
