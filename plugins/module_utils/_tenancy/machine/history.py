# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A small, bounded memory of what tenants used, and what follows from it. Pure but for ``load`` and ``save``; the clock is handed in."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..._kernel.files import read_text, replace_file

PATH = "/var/lib/sysgenpro/quota-history.json"
EVERY = 3600.0
"""Seconds between two samples of a tenant."""
MOST = 120
"""Samples of a tenant. Where there are more, every second one of the older half goes, so the span grows while the number does not."""
LEAST, SPAN = 3, 6 * 3600.0
"""Samples, and seconds between first and last, from which on something is foretold."""
GROWS = ("data", "storage", "wal")


@dataclass(frozen=True)
class Sample:
    """:ivar sizes: bytes by ``data``, ``wal``, ``temp_files``, ``storage``. :ivar spent: seconds of processor time, periods and throttled periods, by group."""

    at: float
    sizes: Mapping[str, int] = field(default_factory=dict)
    spent: Mapping[str, Sequence[float]] = field(default_factory=dict)


@dataclass
class History:
    """:ivar samples: of each tenant, the oldest first. :ivar connections: that a cluster was last seen to run with."""

    samples: dict[str, list[Sample]] = field(default_factory=dict)
    connections: dict[str, int] = field(default_factory=dict)

    def last(self, name: str) -> Sample | None:
        samples = self.samples.get(name)
        return samples[-1] if samples else None

    def due(self, name: str, now: float) -> bool:
        """Whether it is time for a sample; also after a clock that was set back."""
        last = self.last(name)
        return last is None or not 0 <= now - last.at < EVERY

    def add(self, name: str, sample: Sample) -> None:
        """After a clock that was set back, what lies in the future goes."""
        kept = [each for each in self.samples.get(name, ()) if each.at < sample.at]
        self.samples[name] = thinned([*kept, sample])

    def keep(self, names: Sequence[str]) -> None:
        """Forget all others."""
        self.samples = {name: samples for name, samples in self.samples.items() if name in names}
        self.connections = {name: count for name, count in self.connections.items() if name in names}


def thinned(samples: list[Sample]) -> list[Sample]:
    if len(samples) <= MOST:
        return samples
    half = MOST // 2
    return [*samples[:half][::2], *samples[half:]]


def load(path: str = PATH) -> History:
    """An empty one where the file is not there or damaged: it is worth no failure."""
    try:
        value = json.loads(read_text(path) or "{}")
        samples = {name: [Sample(float(at), dict(sizes), dict(spent)) for at, sizes, spent in each] for name, each in value.get("samples", {}).items()}
        return History(samples, {name: int(count) for name, count in value.get("connections", {}).items()})
    except (ValueError, TypeError, AttributeError):
        return History()


def save(history: History, path: str = PATH) -> None:
    """:raises OSError: as the file system gives it."""
    value = {"samples": {name: [[each.at, dict(each.sizes), {key: list(spent) for key, spent in each.spent.items()}] for each in samples]
                         for name, samples in history.samples.items()}, "connections": history.connections}
    os.makedirs(os.path.dirname(path), mode=0o711, exist_ok=True)
    replace_file(path, json.dumps(value, separators=(",", ":")).encode(), 0o600)


def forecast(samples: Sequence[Sample], bounds: Mapping[str, float], now: float) -> dict[str, dict[str, Any]]:
    """By a straight line through the samples, when each limit is reached; only of what grows.

    :returns: ``per_day`` in bytes, and ``reached``, a moment in UTC, or None where that is more than ten years away.
    """
    found: dict[str, dict[str, Any]] = {}
    if len(samples) < LEAST or samples[-1].at - samples[0].at < SPAN:
        return found
    for word in GROWS:
        points = [(each.at - now, float(each.sizes[word])) for each in samples if word in each.sizes]
        slope, level = _line(points)
        if slope <= 0 or word not in bounds:
            continue
        left = (bounds[word] - level) / slope
        reached = None
        if left < 10 * 365 * 86400:
            reached = datetime.datetime.fromtimestamp(now + max(0.0, left), datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        found[word] = {"per_day": round(slope * 86400), "reached": reached}
    return found


def _line(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Least squares: slope, and level at 0."""
    if len(points) < LEAST:
        return 0.0, 0.0
    x, y = (sum(values) / len(points) for values in zip(*points))
    spread = sum((at - x) ** 2 for at, _value in points)
    slope = sum((at - x) * (value - y) for at, value in points) / spread if spread else 0.0
    return slope, y - slope * x
