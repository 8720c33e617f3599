# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Releases under load: ours again and again until enough requests were served, today's way beside it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from estate import Estate
from estate.edge import PATIENCE
from estate.place import HOST
from estate.sources import ADDON
from load import BackgroundLoad, Config, Pace, Tenant

from . import today

BUSY = Pace(lists=4.0, writes=8.0, pages=0.2, logins=0.1, uploads=0.3, slow_uploads=0.1, realtime_users=2)
SETTLE = 2.0
"""Seconds of load before and after a release, so that what is cut off on either side is seen."""


@dataclass
class Seen:
    """What a kind of release did to those who worked meanwhile. Times in seconds."""

    releases: int = 0
    requests: int = 0
    failed: int = 0
    together: int = 0
    longest: float = 0.0
    unkept: int = 0
    pauses: list[float] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)

    def row(self, name: str) -> tuple[str, ...]:
        """A line of the table."""
        pause = f"{statistics.median(self.pauses):.1f} s" if self.pauses else "-"
        return (name, str(self.releases), str(self.requests), str(self.failed), str(self.together), f"{self.longest:.1f} s", pause, str(self.unkept))


HEADER = ("", "releases", "requests", "failed", "waited together", "longest wait", "median pause", "writes lost")


def ours(estate: Estate, directory: Path, names: tuple[str, str], requests: int, fails: str = "") -> Seen:
    """Go to and fro between two releases by ``odoo_release`` until ``requests`` were served.

    :param fails: code of the error that each release to the second name must end with.
    """
    estate.runs(names[0])
    seen = Seen()

    def once(number: int) -> None:
        target = names[1] if fails or number % 2 == 0 else names[0]
        ran = estate.release(target)
        if fails:
            assert ran.error == fails, ran.message
            operation = ran.result["details"]["operation"]
        else:
            operation = ran.ok().result["operation"]
        if operation.get("pause"):
            seen.pauses.append(operation["pause"])

    _under_load(seen, Tenant(name="bench", url=f"https://{HOST}", database="fault_one", address=estate.machine.address, pace=BUSY),
                estate, directory, once, requests)
    return seen


def theirs(estate: Estate, directory: Path, place: today.Today, update: bool, times: int) -> Seen:
    """Go to and fro as people do today."""
    seen = Seen()
    names = ("two", "one-a") if update else ("one-b", "one-a")

    def once(number: int) -> None:
        if update:
            seen.pauses.append(place.update(names[number % 2], ADDON))
        else:
            place.replace(names[number % 2])
            place.wait()

    tenant = Tenant(name="bench", url=f"https://{today.HOST}", database=today.NAME, address=estate.machine.address, pace=BUSY)
    _under_load(seen, tenant, estate, directory, once, times=times)
    return seen


def bare(place: today.Today, times: int) -> list[float]:
    """Seconds of stop, ``odoo -u`` and start while nobody works; the last one leaves the first release."""
    return [place.update(name, ADDON) for _ in range(times) for name in ("two", "one-a")]


def quiet(estate: Estate, times: int) -> list[float]:
    """Seconds of pause of our update while nobody works."""
    estate.runs("one-a")
    return [estate.release(name).ok().result["operation"]["pause"] for _ in range(times) for name in ("two", "one-a")]


def _under_load(seen: Seen, tenant: Tenant, estate: Estate, directory: Path, once: Callable[[int], None], requests: int = 0, times: int = 0) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    config = Config(tenants=(tenant,), ca=estate.authority, patience=PATIENCE)
    with BackgroundLoad(config, str(directory)) as load:
        while seen.releases < times or load.summary().requests < requests or not seen.releases:
            time.sleep(SETTLE)
            once(seen.releases)
            seen.releases += 1
        time.sleep(SETTLE)
    total, kept = load.summary(), load.kept[tenant.name]
    seen.requests, seen.failed, seen.longest, seen.reasons = total.requests, total.failed, total.longest, total.reasons
    seen.together = total.together
    seen.unkept = len(kept.lost) + len(kept.duplicated) + len(kept.damaged)
