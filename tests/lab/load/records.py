# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What happened to every request, kept as JSON lines, and what that comes to."""

from __future__ import annotations

import collections
import dataclasses
import json
import math
import threading
from collections.abc import Iterable
from typing import Any, TextIO

CLOSE = "websocket_close"
"""Kind of a record that is no request: a websocket ended; ``status`` is its close code (RFC 6455, 7.4)."""


@dataclasses.dataclass(frozen=True)
class Record:
    """One request.

    :ivar at: when it began, seconds since the epoch.
    :ivar seconds: how long its user waited, less what the client itself took its time for (a slow upload).
    :ivar status: HTTP status, 101 for a websocket that opened, 0 where nothing was answered.
    :ivar reason: why it counts as failed; empty where the answer was right.
    :ivar marker: what a write left in the database, to be counted afterwards.
    :ivar took: seconds the client itself took its time for.
    """

    at: float
    seconds: float
    tenant: str
    kind: str
    path: str
    status: int
    reason: str = ""
    marker: str = ""
    waits: bool = True
    took: float = 0.0

    @property
    def until(self) -> float:
        """When its answer was complete, seconds since the epoch."""
        return self.at + self.took + self.seconds


class Records:
    """All records of a run, in memory and, line by line, in a file. Safe to read from another thread."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._all: list[Record] = []
        self._lock = threading.Lock()

    def add(self, record: Record) -> None:
        """Keep one."""
        with self._lock:
            self._all.append(record)
            if self._stream:
                self._stream.write(json.dumps(dataclasses.asdict(record), ensure_ascii=False) + "\n")
                self._stream.flush()

    def all(self) -> list[Record]:
        """A copy of what there is so far."""
        with self._lock:
            return list(self._all)


def read_records(path: str) -> list[Record]:
    """Read a run's file; a last line that is still being written is left out."""
    with open(path, encoding="utf-8") as stream:
        return [Record(**json.loads(line)) for line in stream if line.endswith("\n")]


@dataclasses.dataclass(frozen=True)
class Summary:
    """What the requests of a tenant in a window of time come to.

    :ivar together: how many waited for their answers at one moment, at most.
    :ivar longest: the longest wait in seconds; ``longest_kind`` says of what.
    :ivar closes: websockets ended, by close code.
    """

    requests: int
    failed: int
    together: int
    reasons: dict[str, int]
    kinds: dict[str, int]
    p50: float
    p99: float
    longest: float
    longest_kind: str
    closes: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)


def summarise(
    records: Iterable[Record], tenant: str | None = None, since: float | None = None, until: float | None = None
) -> Summary:
    """Sum up the requests that were under way at any moment between ``since`` and ``until`` (epoch seconds)."""
    chosen = [
        record for record in records
        if (tenant is None or record.tenant == tenant)
        and (since is None or record.until >= since)
        and (until is None or record.at <= until)
    ]
    requests = [record for record in chosen if record.kind != CLOSE]
    waited = sorted((record for record in requests if record.waits), key=lambda record: record.seconds)
    return Summary(
        requests=len(requests),
        failed=sum(1 for record in requests if record.reason),
        together=_together(waited),
        reasons=dict(collections.Counter(f"{r.kind}: {r.reason}" for r in requests if r.reason).most_common()),
        kinds=dict(sorted(collections.Counter(record.kind for record in requests).items())),
        p50=_percentile(waited, 50),
        p99=_percentile(waited, 99),
        longest=round(waited[-1].seconds, 3) if waited else 0.0,
        longest_kind=waited[-1].kind if waited else "",
        closes=dict(collections.Counter(str(record.status) for record in chosen if record.kind == CLOSE)),
    )


def _together(waited: Iterable[Record]) -> int:
    """The most requests that were under way at one moment. One that ends when another begins is not beside it."""
    moments = sorted(moment for record in waited for moment in ((record.at, 1), (record.until, -1)))
    most = now = 0
    for _at, step in moments:
        now += step
        most = max(most, now)
    return most


def _percentile(waited: list[Record], percent: int) -> float:
    """Nearest rank."""
    if not waited:
        return 0.0
    return round(waited[max(math.ceil(len(waited) * percent / 100) - 1, 0)].seconds, 3)
