# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A colour that is given a share of the requests, beside the one that leads: how it fares, by what Odoo's processes of both write. Pure.

Odoo writes a line for each request (odoo/netsvc.py, PerfFilter; werkzeug/serving.py, ``log_request``), such as

``2026-11-30 02:20:22,311 7 INFO acme werkzeug: 10.244.0.9 - - [30/Nov/2026 02:20:22] "POST /web/dataset/call_kw HTTP/1.1" 200 - 8 0.004 0.012``,

whose last two numbers are the seconds in the database and in Python; and a line of ``odoo.http`` at ``ERROR`` for what raised, which a call by JSON answers
with 200.
"""

from __future__ import annotations

import re
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

ENOUGH = 20
"""Requests of a colour below which its rate of errors and its pace say nothing."""
ERRORS_AT_LEAST = 2
_REQUEST = re.compile(
    r'^\S+ \S+ \d+ \w+ \S+ werkzeug: .*"[A-Z]+ (?P<path>\S+) HTTP/[0-9.]+" (?P<status>[0-9]{3}) \S+(?: \S+ (?P<database>[0-9.]+) (?P<rest>[0-9.]+))?')
_RAISED = re.compile(r"^\S+ \S+ \d+ (?:ERROR|CRITICAL) \S+ odoo\.(?:http|addons\.base\.models\.ir_http)\b")
# What stays open, and what whoever releases asks.
_NOT_ASKED = re.compile(r"/(?:websocket|longpolling|bus/|sysgenpro|web/health)")


@dataclass(frozen=True)
class Fared:
    """What a colour answered. :param pace: the median of its seconds; None where none was told."""

    requests: int
    failed: int
    pace: float | None

    @property
    def rate(self) -> float:
        """Of a hundred."""
        return 100 * self.failed / self.requests if self.requests else 0.0

    def as_json(self) -> dict[str, Any]:
        return {"requests": self.requests, "failed": self.failed, "pace": self.pace}


def fared(log: str) -> Fared:
    """Out of what a colour's web processes wrote."""
    requests = failed = 0
    seconds: list[float] = []
    for line in log.splitlines():
        found = _REQUEST.match(line)
        if found and not _NOT_ASKED.match(found["path"]):
            requests += 1
            failed += found["status"].startswith("5")
            if found["rest"]:
                seconds.append(float(found["database"]) + float(found["rest"]))
        elif _RAISED.match(line):
            failed += 1
    return Fared(requests, failed, round(statistics.median(seconds), 3) if seconds else None)


def verdict(new: Fared, old: Fared, allowed: Mapping[str, Any]) -> str:
    """Why the new colour fares worse than it may; empty where it does not.

    :param allowed: ``errors``: how many of a hundred requests more may fail than of the old colour; ``slower``: how many times as long its median may be.
    """
    if new.failed >= ERRORS_AT_LEAST and (new.requests < ENOUGH or new.rate > old.rate + allowed["errors"]):
        return f"{new.failed} of {new.requests} requests failed on it, and {old.failed} of {old.requests} on the other colour"
    if new.requests >= ENOUGH <= old.requests and new.pace and old.pace and new.pace > old.pace * allowed["slower"]:
        return f"half of {new.requests} requests took it longer than {new.pace:.3f} s, and the other colour {old.pace:.3f} s"
    return ""


def steps_of(asked: Mapping[str, Any]) -> tuple[int, ...]:
    """In their order. :raises ValueError: with what was expected."""
    steps = tuple(asked.get("steps") or ())
    if not steps or list(steps) != sorted(set(steps)) or not 0 < steps[0] <= steps[-1] <= 100:
        raise ValueError("numbers from 1 to 100, each larger than the one before")
    return steps
