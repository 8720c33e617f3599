# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What one look at an instance found, and the work that follows from it: the values that checks, plan and sequences share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._image.record import Release
from .._instance.database import DatabaseState
from .._instance.names import COLOURS, place
from .._runtime.protocol import Found
from .changes import Changes
from .lost_rows import Gap
from .model import Desired

# What is to be done where an update fails on a clone, or failed there.
MEND_RELEASE = "Build a release that mends it, or mend its cause and rehearse it again"


@dataclass(frozen=True)
class Back:
    """The recovery point that is gone back to.

    :param point: its id. :param taken: its moment, ISO 8601.
    :param applied: the row of ``sysgenpro.applied`` that was the newest at that moment.
    :param price: what ``loss.price`` says would be lost.
    :param gap: from when on the point may lack work; None where nothing is gone back from.
    """

    point: str
    taken: str
    applied: Mapping[str, Any]
    price: Mapping[str, Any]
    gap: Gap | None = None


@dataclass(frozen=True)
class Observed:
    """What one pass found.

    :param places: the instance's processes. :param front: where it leads; None while it refuses.
    :param target: the release asked for; None where it is the one that runs and nothing is to be installed.
    :param filestore: whether its directory is there. :param files: whether anything lies in it; only looked at where there is no database.
    :param memory: bytes that further places may be given. :param disk: bytes free where the cluster's files lie; 0 where that is not known.
    :param rehearsal: what a rehearsal of exactly this step measured.
    :param back: the recovery point to go back to, where going back takes one.
    :param stray: modules that lie in the data directory, where Odoo finds them before the release's.
    :param origin: the recovery point of another instance that a new one is made from.
    :param cannot_hold: why the front cannot make requests wait.
    :param lacks: what Odoo would have given the database and it has not. :param missing: what of that the cluster cannot give.
    """

    places: Mapping[str, Found]
    front: str | None
    database: DatabaseState
    filestore: bool = True
    target: Release | None = None
    changes: Changes | None = None
    memory: int = 0
    rehearsal: Mapping[str, Any] | None = None
    template: Mapping[str, Any] | None = None
    back: Back | None = None
    origin: Back | None = None
    files: bool = False
    disk: int = 0
    lacks: Sequence[str] = ()
    missing: Sequence[str] = ()
    stray: Sequence[str] = ()
    cannot_hold: str = ""

    @property
    def colour(self) -> str | None:
        """The colour that leads, or None where the front refuses or leads elsewhere."""
        return self.front if self.front in COLOURS else None

    def colours_with(self, kind: str) -> list[str]:
        """Where a kind runs: cron and queue in one colour, unless somebody's hand was in it."""
        return [colour for colour in COLOURS if (found := self.places.get(place(colour, kind))) and found.running]

    def fresh(self, wanted: Desired, colour: str, kind: str) -> bool:
        """Whether a kind of a colour runs as it is wanted."""
        found = self.places.get(place(colour, kind))
        return bool(found and found.running and found.image == wanted.image and found.config == wanted.digest_for(kind))


@dataclass(frozen=True)
class Work:
    """What there is to do with the database, from the records and the wishes.

    :param queue: whether jobs run afterwards.
    """

    kind: str
    update: Mapping[str, Sequence[str]]
    install: Sequence[str]
    uninstall: Sequence[str]
    languages: Sequence[str]
    queue: bool = False

    @property
    def touches_database(self) -> bool:
        return any(self.change.values())

    @property
    def change(self) -> dict[str, list[str]]:
        """What an update carries into the database; a rehearsal is of exactly this."""
        return {"update": sorted(self.update), "install": list(self.install), "uninstall": list(self.uninstall),
                "languages": list(self.languages)}


def update_of(wanted: Desired, seen: Observed) -> Work:
    """What an update would carry into the database; of nothing where there is nothing to carry."""
    installed, languages = seen.database.installed, seen.database.languages
    uninstall = [name for name in wanted.uninstall if name in installed]
    update = {name: why for name, why in (seen.changes.update if seen.changes else {}).items() if name not in uninstall}
    return Work("update", update, [name for name in wanted.install if name not in installed], uninstall,
                [code for code in wanted.languages if code not in languages])
