# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Expire: documents first, then snapshots, then the data that nothing needs any more. Interrupted, the next run goes on."""

from __future__ import annotations

from typing import Any

from .._kernel.plan import Step
from .model import Point
from .points import Points
from .restic import Restic


class Expire:
    """Steps of an expiry, with the key of pruning where one is given."""

    def __init__(self, restic: Restic, points: Points, found: dict[str, Point]) -> None:
        self.restic, self.points, self.found = restic, points, found
        self.context: dict[str, Any] = {}

    def close(self) -> None:
        """Nothing is kept open."""

    def do_remove(self, step: Step) -> dict[str, Any]:
        for point in step.parameters["points"]:
            self.points.remove(self.found[point])
        return {}

    def do_forget(self, step: Step) -> dict[str, Any]:
        self.restic.unlock()
        self.restic.forget(step.parameters["snapshots"])
        return {}

    def do_prune(self, step: Step) -> dict[str, Any]:
        self.restic.prune()
        return {}


class Hold:
    """The step of a hold."""

    def __init__(self, points: Points, point: Point, who: str, why: str) -> None:
        self.points, self.point, self.who, self.why = points, point, who, why
        self.context: dict[str, Any] = {}

    def close(self) -> None:
        """Nothing is kept open."""

    def do_hold(self, step: Step) -> dict[str, Any]:
        self.points.signer.make_key()
        self.points.add_hold(self.point, step.parameters["until"], self.why, self.who)
        return {"point": self.point.id}
