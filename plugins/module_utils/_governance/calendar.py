# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calendar: what of freezes, change windows and store hours holds at a moment, and when it may be next."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .events import FREEZES, WINDOW, Event, read_file, with_replacements
from .hours import DAY, Hours
from .moments import UTC, written

HORIZON = 366 * DAY
# The gates that a moment can pass.
TIMED = ("freeze", "window", "shop_closed")


@dataclass(frozen=True)
class Span:
    start: datetime.datetime
    end: datetime.datetime
    summary: str
    category: str


class Calendar:
    """Events of all files. :raises DomainError: ``bad_input``."""

    def __init__(self, files: Mapping[str, str]) -> None:
        self.events: list[Event] = []
        for name, text in sorted(files.items()):
            self.events += with_replacements(read_file(name, text))

    def spans(self, start: datetime.datetime, end: datetime.datetime, words: Sequence[str], hours: Hours | None) -> list[Span]:
        """What touches a span of time, of all events that concern an instance."""
        zone = hours.zone if hours else UTC
        found = [Span(here, there, event.summary, event.category) for event in self.events if event.concerns(words)
                 for here, there in event.between(start, end, zone)]
        return sorted(found, key=lambda span: (span.start, span.end, span.summary))

    def facts(self, now: datetime.datetime, words: Sequence[str], hours: Hours | None, asked: Sequence[str] = TIMED) -> dict[str, Any]:
        """The facts ``calendar``. :param asked: the gates that ``next_moment`` has to pass."""
        zone = hours.zone if hours else UTC
        spans = self.spans(now, now + HORIZON, words, hours)
        here = [span for span in spans if span.start <= now < span.end]
        freezes = [span for span in here if span.category in FREEZES]
        windows = [span for span in spans if span.category == WINDOW]
        opened = next((span for span in here if span.category == WINDOW), None)
        later = next((span for span in windows if span.start > now), None)
        close = hours.open_until(now) if hours else None
        following = self._next(now, spans, hours, asked)

        def said(at: datetime.datetime | None) -> str | None:
            return written_in(at, zone) if at else None

        return {
            "time_zone": str(zone), "freezes": [{"summary": span.summary, "until": said(span.end), "category": span.category} for span in freezes],
            "window": {"summary": opened.summary, "until": said(opened.end)} if opened else None, "windows": len(windows),
            "next_window": said(later.start) if later else None, "shop_open": close is not None, "shop_until": said(close), "next_moment": said(following)}

    def _next(self, now: datetime.datetime, spans: Sequence[Span], hours: Hours | None, asked: Sequence[str]) -> datetime.datetime | None:
        """The first moment from now on that passes: where something begins or ends, or now."""
        freezes = [span for span in spans if span.category in FREEZES] if "freeze" in asked else []
        windows = [span for span in spans if span.category == WINDOW]
        shops = hours if "shop_closed" in asked else None
        turns = {now, *(span.end for span in freezes), *(span.start for span in windows)}
        if shops:
            first = now.astimezone(shops.zone).date()
            turns.update(end for number in range(-1, HORIZON.days) for _start, end in shops.spans(first + number * DAY))
        for at in sorted(turn for turn in turns if turn >= now):
            if any(span.start <= at < span.end for span in freezes) or (shops and shops.open_until(at)):
                continue
            if "window" in asked and not any(span.start <= at < span.end for span in windows):
                continue
            return at
        return None

    def upcoming(self, now: datetime.datetime, words: Sequence[str], hours: Hours | None, days: int, most: int) -> list[dict[str, Any]]:
        """Freezes and windows to come, for people."""
        zone = hours.zone if hours else UTC
        return [{"category": span.category, "summary": span.summary, "from": written_in(span.start, zone), "until": written_in(span.end, zone),
                 "now": span.start <= now < span.end} for span in self.spans(now, now + days * DAY, words, hours)[:most]]


def written_in(at: datetime.datetime, zone: datetime.tzinfo) -> str:
    """A moment by the clock of a zone, with its offset, so that it is one moment for everybody."""
    return at.astimezone(zone).isoformat(timespec="seconds") if zone is not UTC else written(at)


__all__ = ["TIMED", "Calendar", "Span", "written_in"]
