# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Events of iCalendar files (RFC 5545): read by the library ``icalendar``, repeated by ``dateutil``, by the clock on the wall of their time zone.

What could mean two things is refused: a wrong freeze is worse than none, since people rely on it.
"""

from __future__ import annotations

import datetime
import zoneinfo
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError, bad_input
from .hours import zone_of
from .moments import UTC

try:
    import icalendar
    from dateutil import rrule

    HAS_ICALENDAR = True
except ImportError:
    HAS_ICALENDAR = False

FREEZES = ("freeze", "promotion", "peak", "quarter-close")
WINDOW = "window"
CATEGORIES = (*FREEZES, WINDOW)
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Event:
    """One event, perhaps repeated. Times are those of the clock on the wall of its zone.

    :param zone: None for whole days, which are those of the region that is asked about.
    :param scope: names of instances and words such as ``region_eu``; none is for all.
    :param without: beginnings that were taken out. :param extra: beginnings beside the rule's.
    """

    field: str
    uid: str
    summary: str
    category: str
    start: datetime.datetime
    length: datetime.timedelta
    zone: zoneinfo.ZoneInfo | datetime.timezone | None
    scope: Sequence[str] = ()
    rule: Any = None
    without: frozenset[datetime.datetime] = frozenset()
    extra: Sequence[datetime.datetime] = ()
    replaces: datetime.datetime | None = None

    def between(self, start: datetime.datetime, end: datetime.datetime, region: datetime.tzinfo) -> Iterator[tuple[datetime.datetime, datetime.datetime]]:
        """Its occurrences that touch a span, in UTC."""
        zone = self.zone or region
        first, last = (at.astimezone(zone).replace(tzinfo=None) for at in (start, end))
        begins = self.rule.between(first - self.length - DAY, last + DAY, inc=True) if self.rule else [self.start]
        for begin in sorted({*begins, *self.extra} - self.without):
            here = begin.replace(tzinfo=zone).astimezone(UTC)
            # Where the clock shows the end twice, the later one: nobody is surprised by a freeze that is over an hour early.
            there = (begin + self.length).replace(tzinfo=zone, fold=1).astimezone(UTC)
            if here < end and there > start:
                yield here, there

    def concerns(self, words: Sequence[str]) -> bool:
        return not self.scope or bool(set(self.scope).intersection(words))


def read_file(name: str, text: str) -> list[Event]:
    """The events of a file.

    :raises DomainError: ``bad_input``, naming file, event and property; ``icalendar_missing``.
    """
    if not HAS_ICALENDAR:
        raise DomainError("icalendar_missing", f"the Python library icalendar is not on this machine, and {name} is a calendar",
                          unchanged="Nothing was changed", advice="Run the playbook governance for this machine, which installs it")
    try:
        calendar = icalendar.Calendar.from_ical(text)
    except (ValueError, KeyError, IndexError, TypeError) as error:
        raise bad_input(name, str(error).splitlines()[0], "a calendar as RFC 5545 has it") from None
    found = [_event(name, number, part) for number, part in enumerate(calendar.walk("VEVENT"), 1)]
    _check_together(found)
    return found


def _event(file: str, number: int, part: Any) -> Event:
    uid, summary = str(part.get("UID") or ""), str(part.get("SUMMARY") or "")
    path = f"{file}: {summary or uid or f'event {number}'}"
    if not uid or not summary:
        raise bad_input(f"{path}: {'SUMMARY' if uid else 'UID'}", None, "a text, by which people know the event")
    if getattr(part, "errors", None):
        raise bad_input(f"{path}: {part.errors[0][0]}", part.errors[0][1], "a value as RFC 5545 has it")
    category = _texts(part, "CATEGORIES")
    if len(category) != 1 or category[0].lower() not in CATEGORIES:
        raise bad_input(f"{path}: CATEGORIES", ",".join(category) or None, "one of " + ", ".join(CATEGORIES).upper())
    start, zone = _when(f"{path}: DTSTART", part.get("DTSTART"))
    length = _length(path, part, start, zone)
    rule = _rule(path, part, start, zone)
    event = Event(path, uid, summary, category[0].lower(), start, length, zone, _texts(part, "RESOURCES"), rule,
                  frozenset(_dates(path, part, "EXDATE", zone)), tuple(_dates(path, part, "RDATE", zone)),
                  _when(f"{path}: RECURRENCE-ID", part["RECURRENCE-ID"])[0] if "RECURRENCE-ID" in part else None)
    if not rule:
        _check_clear(f"{path}: DTSTART", start, zone)
        _check_clear(f"{path}: DTEND", start + length, zone)
    return event


def _when(path: str, value: Any) -> tuple[datetime.datetime, zoneinfo.ZoneInfo | datetime.timezone | None]:
    """Wall time and zone of a property. :raises DomainError: ``bad_input``."""
    if value is None or isinstance(value, list) or not isinstance(getattr(value, "dt", None), datetime.date):
        raise bad_input(path, value and str(value), "one day or one moment")
    at = value.dt
    if not isinstance(at, datetime.datetime):
        return datetime.datetime.combine(at, datetime.time(0)), None
    name = value.params.get("TZID")
    if name:
        return at.replace(tzinfo=None), zone_of(path, name)
    if at.tzinfo is None:
        raise bad_input(path, at.isoformat(), "a time zone (TZID) or UTC, since nobody knows on whose clock this is")
    return at.astimezone(UTC).replace(tzinfo=None), UTC


def _length(path: str, part: Any, start: datetime.datetime, zone: Any) -> datetime.timedelta:
    length: datetime.timedelta
    if "DURATION" in part:
        length = part["DURATION"].dt
    elif "DTEND" in part:
        end, its = _when(f"{path}: DTEND", part["DTEND"])
        if str(its) != str(zone):
            raise bad_input(f"{path}: DTEND", str(its or "a day"), f"the time zone of DTSTART, {zone or 'a day'}")
        length = end - start
    elif zone is None:
        length = DAY
    else:
        raise bad_input(f"{path}: DTEND", None, "an end, or a DURATION")
    if length <= datetime.timedelta(0):
        raise bad_input(f"{path}: DTEND", (start + length).isoformat(), f"a moment after DTSTART, {start.isoformat()}")
    return length


def _rule(path: str, part: Any, start: datetime.datetime, zone: Any) -> Any:
    """The rule by which it is repeated, on the clock on the wall."""
    found = part.get("RRULE")
    if found is None:
        return None
    field = f"{path}: RRULE"
    if isinstance(found, list):
        raise bad_input(field, len(found), "one rule; make two events of it")
    text = found.to_ical().decode()
    if not {"UNTIL", "COUNT"}.intersection(found):
        raise bad_input(field, text, "UNTIL or COUNT: a rule has an end, at which somebody looks whether it is still meant")
    if str(found.get("FREQ", [""])[0]) not in FREQUENCIES:
        raise bad_input(field, text, "FREQ to be one of " + ", ".join(FREQUENCIES))
    if "UNTIL" in found:
        until = found["UNTIL"][0]
        if isinstance(until, datetime.datetime):
            until = until.astimezone(zone or UTC).replace(tzinfo=None) if until.tzinfo else until
        else:
            until = datetime.datetime.combine(until, datetime.time.max).replace(microsecond=0)
        text = ";".join([word for word in text.split(";") if not word.startswith("UNTIL=")] + [f"UNTIL={until:%Y%m%dT%H%M%S}"])
    try:
        return rrule.rrulestr(text, dtstart=start)
    except ValueError as error:
        raise bad_input(field, text, f"a rule as RFC 5545 has it ({error})") from None


def _dates(path: str, part: Any, name: str, zone: Any) -> Iterator[datetime.datetime]:
    found = part.get(name)
    for group in found if isinstance(found, list) else [found] * (found is not None):
        for one in group.dts:
            if not isinstance(one.dt, datetime.datetime):
                yield datetime.datetime.combine(one.dt, datetime.time(0))
            elif one.dt.tzinfo is None and not group.params.get("TZID"):
                raise bad_input(f"{path}: {name}", one.dt.isoformat(), "the time zone of DTSTART")
            elif group.params.get("TZID") and str(group.params["TZID"]) == str(zone):
                yield one.dt.replace(tzinfo=None)
            elif one.dt.tzinfo is not None:
                yield one.dt.astimezone(zone or UTC).replace(tzinfo=None)
            else:
                raise bad_input(f"{path}: {name}", one.dt.isoformat(), f"the time zone of DTSTART, {zone}")


def _texts(part: Any, name: str) -> list[str]:
    found = part.get(name)
    parts = found if isinstance(found, list) else [found] * (found is not None)
    raw = ",".join(one.to_ical().decode() for one in parts).replace("\\,", ",")
    return [text.strip() for text in raw.split(",") if text.strip()]


def _check_clear(path: str, at: datetime.datetime, zone: Any) -> None:
    """A moment that the clock shows twice, or never, is no moment: when clocks are set."""
    if zone is None:
        return
    first, second = (at.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if first.utcoffset() != second.utcoffset():
        said = "once" if first.astimezone(UTC) > second.astimezone(UTC) else "twice"
        raise bad_input(path, at.isoformat(), f"a moment that clocks in {zone} show once; they {'never show' if said == 'once' else 'show'} this one"
                        + (" twice" if said == "twice" else "") + ", as they are set then. Give it in UTC")


def _check_together(events: Sequence[Event]) -> None:
    """:raises DomainError: ``bad_input`` for what overlaps itself, and for two of one name."""
    seen: dict[tuple[str, datetime.datetime | None], Event] = {}
    for event in events:
        other = seen.setdefault((event.uid, event.replaces), event)
        if other is not event:
            raise bad_input(f"{event.field}: UID", event.uid, f"a UID of its own; {other.summary} has it")
        begins = sorted({*(event.rule or ()), *event.extra, *([] if event.rule else [event.start])} - event.without)
        for one, following in zip(begins, begins[1:]):
            if following - one < event.length:
                raise bad_input(event.field, one.isoformat(), f"repetitions that do not overlap; the next begins at {following.isoformat()}")


def with_replacements(events: Sequence[Event]) -> list[Event]:
    """What one occurrence was moved to, and the rule without it. :raises DomainError: ``bad_input``."""
    whole = {event.uid: event for event in events if event.replaces is None}
    found: dict[str, Event] = dict(whole)
    moved = []
    for event in events:
        if event.replaces is None:
            continue
        if event.uid not in found:
            raise bad_input(f"{event.field}: RECURRENCE-ID", event.replaces.isoformat(), "an event with this UID that is repeated")
        before = found[event.uid]
        found[event.uid] = Event(**{**_fields(before), "without": before.without | {event.replaces}})
        moved.append(event)
    return [*found.values(), *moved]


def _fields(event: Event) -> Mapping[str, Any]:
    return {name: getattr(event, name) for name in event.__dataclass_fields__}
