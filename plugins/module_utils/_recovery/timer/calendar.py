# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calendar events where there is no systemd: what of systemd.time(7) a CronJob can say, when it comes next, and how cron(5) says it."""

from __future__ import annotations

import calendar
import datetime
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass

from ..._kernel.errors import DomainError

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SHORT = {"hourly": "*-*-* *:00:00", "daily": "*-*-* 00:00:00", "weekly": "Mon *-*-* 00:00:00", "monthly": "*-*-01 00:00:00"}
_EVENT = re.compile(r"(?:(?P<week>[A-Za-z][A-Za-z,.]*) +)?(?:(?P<year>\*)-(?P<month>[0-9*,./]+)-(?P<day>[0-9*,./]+) +)?"
                    r"(?P<hour>[0-9*,./]+):(?P<minute>[0-9*,./]+)(?::00?)?(?: +(?P<zone>[A-Za-z][A-Za-z0-9_+/-]*))?")
# What a part may be (systemd.time(7), "Calendar Events"): all, one, from..to, each with a step.
_PART = re.compile(r"(?P<first>\*|[0-9]+)(?:\.\.(?P<last>[0-9]+))?(?:/(?P<step>[0-9]+))?")
_LIMITS = {"month": (1, 12), "day": (1, 31), "hour": (0, 23), "minute": (0, 59)}
# Days after which a date that comes at all has come: the 29th of February, over a year that has none.
_HORIZON = 8 * 366


@dataclass(frozen=True)
class Event:
    """A calendar event. Each part has all its values; days of the week are 0 (Monday) to 6. :param zone: its name; ``UTC`` where none is said."""

    month: Sequence[int]
    day: Sequence[int]
    hour: Sequence[int]
    minute: Sequence[int]
    week: Sequence[int]
    zone: str

    def cron(self) -> str:
        """As a CronJob has it."""
        week = [(number + 1) % 7 for number in self.week]
        return " ".join(_said(values, first, last) for values, (first, last) in (
            (self.minute, _LIMITS["minute"]), (self.hour, _LIMITS["hour"]), (self.day, _LIMITS["day"]), (self.month, _LIMITS["month"]), (sorted(week), (0, 6))))

    def next(self, since: float) -> float | None:
        """When it comes next after a moment (both in seconds since 1970); None where never."""
        zone = zoneinfo.ZoneInfo(self.zone)
        day = datetime.datetime.fromtimestamp(since, zone).date()
        for _each in range(_HORIZON):
            if day.month in self.month and day.day in self.day and day.weekday() in self.week:
                for hour in self.hour:
                    for minute in self.minute:
                        found = datetime.datetime.combine(day, datetime.time(hour, minute), zone)
                        # An hour that summer time leaves out does not come, as for systemd and for CronJobs.
                        comes = datetime.datetime.fromtimestamp(found.timestamp(), zone).time() == found.time()
                        if comes and found.timestamp() > since:
                            return found.timestamp()
            day += datetime.timedelta(days=1)
        return None


def parse_event(text: str) -> Event:
    """:raises DomainError: ``calendar``, for what is no calendar event or none that a CronJob can say."""
    found = _EVENT.fullmatch(_SHORT.get(text.strip().lower(), text.strip()))
    if not found:
        raise _no_event(text, "a calendar event such as '*-*-* 00/4:15:00' or 'Sun 03:30', every year and to the minute")
    month, day, hour, minute = (_values(text, name, found[name] or "*") for name in _LIMITS)
    week = _week(text, found["week"])
    if len(day) < calendar.monthrange(2024, 1)[1] and len(week) < len(_DAYS):
        raise _no_event(text, "days of the week or of the month; a CronJob cannot ask for both")
    zone = found["zone"] or "UTC"
    try:
        zoneinfo.ZoneInfo(zone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        raise _no_event(text, f"a time zone that is known here; {zone} is not") from None
    return Event(month, day, hour, minute, week, zone)


def _no_event(text: str, expected: str) -> DomainError:
    return DomainError("calendar", f"{text!r} is refused, expected {expected}", unchanged="Nothing was changed")


def _values(text: str, name: str, said: str) -> Sequence[int]:
    least, most = _LIMITS[name]
    values: set[int] = set()
    for part in said.split(","):
        found = _PART.fullmatch(part)
        if not found or (found["first"] == "*" and found["last"]):
            raise _no_event(text, f"for the {name} values such as *, 3, 1..5 or 00/4")
        first = least if found["first"] == "*" else int(found["first"])
        last = int(found["last"]) if found["last"] else most if found["first"] == "*" or found["step"] else first
        step = int(found["step"] or 1)
        if not least <= first <= last <= most or not step:
            raise _no_event(text, f"for the {name} values from {least} to {most}")
        values.update(range(first, last + 1, step))
    return sorted(values)


def _week(text: str, said: str | None) -> Sequence[int]:
    if not said:
        return tuple(range(len(_DAYS)))
    values: set[int] = set()
    for part in said.lower().split(","):
        ends = [next((number for number, day in enumerate(_DAYS) if len(name) >= 3 and calendar.day_name[number].lower().startswith(name)), None)
                for name in part.split("..")]
        if None in ends or len(ends) > 2 or ends[0] > ends[-1]:  # type: ignore[operator]
            raise _no_event(text, "days such as Mon, Mon..Fri or Sat,Sun")
        values.update(range(ends[0], ends[-1] + 1))  # type: ignore[operator, arg-type]
    return sorted(values)


def _said(values: Sequence[int], first: int, last: int) -> str:
    return "*" if len(values) == last - first + 1 else ",".join(str(value) for value in values)
