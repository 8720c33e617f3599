# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Store hours of a region: when shops are open, by the clock on their wall."""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._kernel.errors import bad_input
from .moments import UTC

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = datetime.timedelta(days=1)
SAID = "a list of {days: [mon, …], from: '08:00', to: '20:00'}"


@dataclass(frozen=True)
class Hours:
    """:param week: for each day of the week the spans in which shops are open. :param special: the same for single days, which take the place of the week's."""

    zone: zoneinfo.ZoneInfo
    week: Mapping[int, list[tuple[datetime.time, datetime.time]]] = field(default_factory=dict)
    special: Mapping[datetime.date, list[tuple[datetime.time, datetime.time]]] = field(default_factory=dict)

    def spans(self, day: datetime.date) -> list[tuple[datetime.datetime, datetime.datetime]]:
        """The spans of a day, as moments."""
        spans = self.special[day] if day in self.special else self.week.get(day.weekday(), [])
        return [(moment(day, start, self.zone), moment(day + DAY if end <= start else day, end, self.zone, last=True)) for start, end in spans]

    def open_until(self, at: datetime.datetime) -> datetime.datetime | None:
        """When the shops that are open close; None where none is."""
        today = at.astimezone(self.zone).date()
        ends = [end for day in (today - DAY, today) for start, end in self.spans(day) if start <= at < end]
        return max(ends, default=None)


def moment(day: datetime.date, clock: datetime.time, zone: datetime.tzinfo, last: bool = False) -> datetime.datetime:
    """A moment by the clock on the wall, in UTC.

    :param last: where the clock shows it twice, whether the last one is meant. Where it never does, it is as if the clock had gone on.
    """
    return datetime.datetime.combine(day, clock, zone).replace(fold=int(last)).astimezone(UTC)


def zone_of(path: str, name: Any) -> zoneinfo.ZoneInfo:
    """:raises DomainError: ``bad_input``."""
    try:
        return zoneinfo.ZoneInfo(str(name))
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise bad_input(path, name, "a time zone such as Europe/Berlin") from None


def region_hours(path: str, value: Any) -> Hours:
    """:raises DomainError: ``bad_input``."""
    if not isinstance(value, Mapping) or not set(value) <= {"time_zone", "store_hours", "special_days"} or "time_zone" not in value:
        raise bad_input(path, value, "time_zone, and perhaps store_hours and special_days")
    week: dict[int, list[tuple[datetime.time, datetime.time]]] = {}
    for number, one in enumerate(_list(f"{path}.store_hours", value.get("store_hours") or [])):
        here = f"{path}.store_hours[{number}]"
        if not isinstance(one, Mapping) or set(one) != {"days", "from", "to"} or not isinstance(one["days"], list) or not set(one["days"]) <= set(DAYS):
            raise bad_input(here, one, SAID)
        for day in one["days"]:
            _add(here, week.setdefault(DAYS.index(day), []), one)
    special: dict[datetime.date, list[tuple[datetime.time, datetime.time]]] = {}
    for number, one in enumerate(_list(f"{path}.special_days", value.get("special_days") or [])):
        here = f"{path}.special_days[{number}]"
        day = _day(here, one)
        spans = special.setdefault(day, [])
        if "from" in one:
            _add(here, spans, one)
    return Hours(zone_of(f"{path}.time_zone", value["time_zone"]), week, special)


def _add(path: str, spans: list[tuple[datetime.time, datetime.time]], one: Mapping[str, Any]) -> None:
    start, end = _clock(f"{path}.from", one["from"]), _clock(f"{path}.to", one["to"])
    midnight = datetime.time(0)
    if end <= start and end != midnight:
        raise bad_input(f"{path}.to", one["to"], f"a time after {one['from']}, or 00:00 for the day's end")
    if start == end:
        raise bad_input(f"{path}.to", one["to"], f"another time than {one['from']}")
    for other_start, other_end in spans:
        if start < (other_end if other_end != midnight else datetime.time.max) and other_start < (end if end != midnight else datetime.time.max):
            raise bad_input(path, f"{one['from']} to {one['to']}", f"hours that do not overlap {other_start:%H:%M} to {other_end:%H:%M} of the same day")
    spans.append((start, end))


def _clock(path: str, text: Any) -> datetime.time:
    try:
        return datetime.datetime.strptime(str(text), "%H:%M").time()
    except ValueError:
        raise bad_input(path, text, "a time such as '08:00', in quotes") from None


def _day(path: str, one: Any) -> datetime.date:
    if not isinstance(one, Mapping) or not set(one) <= {"day", "from", "to"} or ("from" in one) != ("to" in one):
        raise bad_input(path, one, "{day: '2026-12-25'} for a closed day, or with from and to")
    try:
        return datetime.date.fromisoformat(str(one.get("day")))
    except ValueError:
        raise bad_input(f"{path}.day", one.get("day"), "a day such as '2026-12-25'") from None


def _list(path: str, value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise bad_input(path, value, "a list")
    return value
