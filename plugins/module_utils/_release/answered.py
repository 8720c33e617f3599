# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the edge answered while a release was under way: how many waited, how many were answered 5xx, and why.

From Traefik's access log in JSON (Traefik 3.7, "Access Logs"), which outlives a restart of the edge and tells requests apart. Where it cannot be
read, its metrics tell numbers only.
"""

from __future__ import annotations

import collections
import datetime
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .prove import edge_counts

#: Whoever the page was shown within this time, in seconds, was not let wait: the bounds of waiting are minutes.
AT_ONCE = 2.0
_PATHS = 3


@dataclass(frozen=True)
class Answer:
    """One request, as the edge logged it at its end.

    :param at: when it began, in epoch seconds.
    :param service: what answered; of the edge's own pages it ends in ``-pages``.
    """

    at: float
    seconds: float
    status: int
    service: str
    method: str
    path: str
    bus: bool

    @property
    def until(self) -> float:
        return self.at + self.seconds


class AccessLog:
    """The edge's access log, read from a position on, also across one rotation."""

    def __init__(self, path: str) -> None:
        self.path = path

    def position(self) -> dict[str, int] | None:
        """Where the log ends now; None where there is none that can be read."""
        try:
            with open(self.path, "rb") as stream:
                found = os.fstat(stream.fileno())
        except OSError:
            return None
        return {"inode": found.st_ino, "offset": found.st_size}

    def since(self, position: Mapping[str, int], instance: str) -> Iterator[Answer]:
        """What ended after ``position`` on the routes of an instance.

        :raises OSError: where the log cannot be read any more.
        """
        routers = {instance + "@file": False, instance + "-websocket@file": True}
        for line in self._lines(position):
            if instance not in line:
                continue
            try:
                value = json.loads(line)
                bus = routers.get(str(value.get("RouterName")))
                if bus is not None:
                    yield _answer(value, bus)
            except (ValueError, KeyError, TypeError, AttributeError):
                continue  # a line that is being written

    def _lines(self, position: Mapping[str, int]) -> Iterator[str]:
        for path in (self.path + ".1", self.path):
            if path != self.path and not os.path.exists(path):
                continue
            with open(path, encoding="utf-8", errors="replace") as stream:
                found = os.fstat(stream.fileno())
                if found.st_ino == position["inode"] and found.st_size >= position["offset"]:
                    stream.seek(position["offset"])
                elif path != self.path:
                    continue  # an older one than that
                yield from stream


def _answer(value: Mapping[str, Any], bus: bool) -> Answer:
    return Answer(
        epoch(value["StartUTC"]), float(value["Duration"]) / 1e9, int(value["DownstreamStatus"]), str(value.get("ServiceName") or ""),
        str(value.get("RequestMethod") or ""), str(value.get("RequestPath") or "").split("?", maxsplit=1)[0][:80], bus)


def epoch(moment: str) -> float:
    """Epoch seconds of an ISO 8601 moment in UTC, with up to nine digits of a second (Go's RFC3339Nano)."""
    whole, _point, rest = moment.rstrip("Z").split("+")[0].partition(".")
    parsed = datetime.datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=datetime.timezone.utc)
    return parsed.timestamp() + float("0." + (rest or "0"))


@dataclass(frozen=True)
class Held:
    """When requests were held, in epoch seconds.

    :param page: from when on the maintenance page was shown; None where it was not.
    """

    since: float
    until: float
    page: float | None = None


def held_of(entries: Sequence[Mapping[str, Any]], page: float | None) -> Held | None:
    """The hold that a journal tells of; None where nothing was held."""
    since = next((entry["at"] for entry in entries if entry["event"] == "begin" and entry.get("step") == "hold"), None)
    if since is None:
        return None
    # From where a step begins that lets go: whoever is answered before it is written down as done has waited as well.
    ends = [entry["at"] for entry in entries if (entry["event"], entry.get("step")) in (("begin", "let_go"), ("undo", "hold"))]
    return Held(epoch(since), epoch(ends[0] if ends else entries[-1]["at"]), page)


def tell(answers: Iterable[Answer], held: Held | None) -> dict[str, Any]:
    """What the answers come to: ``requests``, ``failed`` (5xx), ``limited`` (429, the rate limit of an address), ``waited`` (together, at the end
    of the hold), ``longest`` (of those, in seconds), ``reasons``."""
    requests = failed = limited = waited = 0
    longest = 0.0
    reasons: collections.Counter[str] = collections.Counter()
    paths: dict[str, list[str]] = {}
    for answer in answers:
        requests += 1
        if held and not answer.bus and answer.at < held.until <= answer.until:
            waited += 1
            longest = max(longest, answer.seconds)
        limited += answer.status == 429
        if answer.status >= 500:
            failed += 1
            reason = _reason(answer, held)
            reasons[reason] += 1
            seen = paths.setdefault(reason, [])
            if len(seen) < _PATHS and f"{answer.method} {answer.path}" not in seen:
                seen.append(f"{answer.method} {answer.path}")
    return {"requests": requests, "failed": failed, "limited": limited, "waited": waited, "longest": round(longest, 3),
            "reasons": [{"reason": reason, "count": count, "paths": paths[reason]} for reason, count in reasons.most_common()]}


def _reason(answer: Answer, held: Held | None) -> str:
    if not answer.service.split("@")[0].endswith("-pages"):
        return f"Odoo answered {answer.status}"
    if held and answer.at < held.until and held.since <= answer.until:
        if held.page is not None and answer.until >= held.page:
            return "the maintenance page was shown"
        if answer.seconds < AT_ONCE:
            return "turned away at once, as many waited as the route lets (hold.requests)"
        if answer.until <= held.until:
            return "waited for as long as the route lets (hold.timeout, hold.attempts)"
    return "the connection to Odoo broke, or Odoo answered 429 or 502 to 504"


def lines_of(found: Mapping[str, Any]) -> list[str]:
    """A count, as lines for people."""
    limited = ["{} of {} requests were answered 429 at the edge, beyond the route's rate_limit of one address".format(found["limited"], found["requests"])] \
        if found["limited"] else []
    if not found["failed"]:
        return limited
    return [*limited, "{} of {} requests were answered 5xx at the edge".format(found["failed"], found["requests"]), *(
        "  {} x {}{}".format(item["count"], item["reason"], ": " + ", ".join(item["paths"]) if item["paths"] else "")
        for item in found["reasons"])]


class Edge:
    """The edge as a release sees it: its metrics and its access log, each where there is one.

    :param params: the module's parameter ``edge``.
    """

    def __init__(self, params: Mapping[str, Any], instance: str) -> None:
        self._url = params.get("metrics_url")
        self._service = params.get("service") or instance + "@file"
        self._log = AccessLog(params["access_log"]) if params.get("access_log") else None
        self._instance = instance

    def counts(self) -> list[int] | None:
        """Requests and server errors so far; None where the edge does not say."""
        try:
            return list(edge_counts(self._url, self._service)) if self._url else None
        except OSError:
            return None

    def mark(self) -> dict[str, Any]:
        """Where counting begins; kept in the journal, so that a next run can count as well."""
        counts, position = self.counts(), self._log.position() if self._log else None
        return {**({"edge": counts} if counts else {}), **({"edge_log": position} if position else {})}

    def answered(self, entries: Sequence[Mapping[str, Any]], context: Mapping[str, Any], seconds: float) -> dict[str, Any] | None:
        """What was answered since ``mark``; None where nothing was marked, or nothing can be read. After a hold it waits until ``seconds`` after its end,
        since who waited is answered by then."""
        if not context.get("edge") and not context.get("edge_log"):
            return None
        held = held_of(entries, context.get("page_at"))
        while held and time.time() < held.until + seconds:
            time.sleep(min(1.0, max(0.05, held.until + seconds - time.time())))
        if self._log and context.get("edge_log"):
            try:
                return tell(self._log.since(context["edge_log"], self._instance), held)
            except OSError:
                pass
        now = self.counts()
        before = context.get("edge")
        if not now or not before or now[0] < before[0]:  # an edge that was restarted counts anew
            return None
        return {"requests": now[0] - before[0], "failed": now[1] - before[1], "limited": None, "waited": None, "longest": None, "reasons": []}
