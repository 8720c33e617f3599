# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The calendar: time zones, days on which clocks are set, repetitions and exceptions; and everything that could mean two things is refused."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.calendar import TIMED, Calendar
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.hours import region_hours
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

UTC = datetime.timezone.utc
WORDS = ["acme-production", "tenant_acme", "environment_production", "region_eu"]
BERLIN = {"time_zone": "Europe/Berlin", "store_hours": [{"days": ["mon", "tue", "wed", "thu", "fri", "sat"], "from": "08:00", "to": "20:00"}]}


def event(**lines: str | None) -> str:
    """An event; a name with ``__`` has parameters, as ``DTSTART__TZID_Europe/Berlin``."""
    base: dict[str, str | None] = {"UID": "1", "SUMMARY": "Freeze", "CATEGORIES": "FREEZE", "DTSTART": "20261201T000000Z", "DTEND": "20261202T000000Z"}
    return "BEGIN:VEVENT\r\n" + "".join(f"{key}:{value}\r\n" for key, value in {**base, **lines}.items() if value is not None) + "END:VEVENT\r\n"


def ics(*events: str) -> str:
    return "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//\r\n" + "".join(events) + "END:VCALENDAR\r\n"


def calendar(*events: str) -> Calendar:
    return Calendar({"a.ics": ics(*events)})


def at(text: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(text).astimezone(UTC)


def frozen(found: Calendar, text: str, words: list[str] | None = None, region: Any = None) -> list[str]:
    hours = region_hours("r", region or {"time_zone": "Europe/Berlin"})
    return [one["until"] for one in found.facts(at(text), words or WORDS, hours)["freezes"]]


@pytest.mark.parametrize(("lines", "inside", "outside", "until"), [
    ({}, "2026-12-01T12:00:00+00:00", "2026-12-02T00:00:00+00:00", "2026-12-02T01:00:00+01:00"),
    ({"DTSTART": None, "DTEND": None, "DTSTART;TZID=America/New_York": "20261201T090000", "DURATION": "PT8H"}, "2026-12-01T14:00:00+00:00",
     "2026-12-01T13:59:59+00:00", "2026-12-01T23:00:00+01:00"),
    # Whole days are those of the region.
    ({"DTSTART": None, "DTEND": None, "DTSTART;VALUE=DATE": "20261224", "DTEND;VALUE=DATE": "20261227"}, "2026-12-23T23:00:00+00:00", "2026-12-26T23:00:00+00:00",
     "2026-12-27T00:00:00+01:00"),
    ({"DTSTART": None, "DTEND": None, "DTSTART;VALUE=DATE": "20261224"}, "2026-12-24T12:00:00+01:00", "2026-12-25T00:00:00+01:00", "2026-12-25T00:00:00+01:00"),
    # From 22:00 to 02:00 over the night in which clocks go back (25 October 2026, 03:00 becomes 02:00): the end shows twice, and the later one counts.
    ({"DTSTART": None, "DTEND": None, "DTSTART;TZID=Europe/Berlin": "20261020T220000", "DTEND;TZID=Europe/Berlin": "20261021T023000", "RRULE": "FREQ=DAILY;COUNT=9"},
     "2026-10-25T02:15:00+01:00", "2026-10-25T02:31:00+01:00", "2026-10-25T02:30:00+01:00"),
    # The same hour by the clock on the wall in summer and in winter.
    ({"DTSTART": None, "DTEND": None, "DTSTART;TZID=Europe/Berlin": "20261001T080000", "DURATION": "PT1H", "RRULE": "FREQ=WEEKLY;UNTIL=20261231T230000Z"},
     "2026-11-26T08:30:00+01:00", "2026-11-26T09:30:00+01:00", "2026-11-26T09:00:00+01:00"),
    ({"DTSTART": None, "DTEND": None, "DTSTART;TZID=Europe/Berlin": "20261001T080000", "DURATION": "PT1H", "RRULE": "FREQ=WEEKLY;UNTIL=20261126T070000Z"},
     "2026-11-26T08:30:00+01:00", "2026-12-03T08:30:00+01:00", "2026-11-26T09:00:00+01:00"),
    ({"DTSTART": None, "DTEND": None, "DTSTART;TZID=Europe/Berlin": "20261001T080000", "DURATION": "PT1H", "RRULE": "FREQ=WEEKLY;COUNT=20",
      "EXDATE;TZID=Europe/Berlin": "20261126T080000"}, "2026-12-03T08:30:00+01:00", "2026-11-26T08:30:00+01:00", "2026-12-03T09:00:00+01:00"),
    ({"DTSTART": None, "DTEND": None, "DTSTART;TZID=Europe/Berlin": "20261001T080000", "DURATION": "PT1H", "RDATE;TZID=Europe/Berlin": "20261126T080000"},
     "2026-11-26T08:30:00+01:00", "2026-11-27T08:30:00+01:00", "2026-11-26T09:00:00+01:00"),
    ({"DTSTART": None, "DTEND": None, "DTSTART;VALUE=DATE": "20260101", "RRULE": "FREQ=YEARLY;BYMONTH=3,6,9,12;BYMONTHDAY=-1;UNTIL=20301231"},
     "2026-12-31T12:00:00+01:00", "2026-12-30T12:00:00+01:00", "2027-01-01T00:00:00+01:00")])
def test_when(lines: dict[str, str | None], inside: str, outside: str, until: str) -> None:
    found = calendar(event(**lines))
    assert frozen(found, inside) == [until]
    assert frozen(found, outside) == []


def test_whole_days_are_those_of_the_region_that_asks() -> None:
    found = calendar(event(**{"DTSTART": None, "DTEND": None, "DTSTART;VALUE=DATE": "20261224"}))
    assert frozen(found, "2026-12-24T04:00:00+00:00", region={"time_zone": "America/Los_Angeles"}) == []
    assert frozen(found, "2026-12-25T04:00:00+00:00", region={"time_zone": "America/Los_Angeles"}) == ["2026-12-25T00:00:00-08:00"]


@pytest.mark.parametrize(("resources", "concerned"), [
    (None, True), ("acme-production", True), ("region_eu,region_us", True), ("tenant_acme", True), ("environment_production", True), ("region_us", False), ("bodega-production", False)])
def test_whom_it_concerns(resources: str | None, concerned: bool) -> None:
    assert bool(frozen(calendar(event(RESOURCES=resources)), "2026-12-01T12:00:00+00:00")) == concerned


def test_one_occurrence_that_was_moved() -> None:
    rule = event(RRULE="FREQ=WEEKLY;COUNT=5")
    found = calendar(rule, event(**{"RECURRENCE-ID": "20261208T000000Z", "DTSTART": "20261210T000000Z", "DTEND": "20261210T060000Z"}))
    assert frozen(found, "2026-12-08T12:00:00+00:00") == []
    assert frozen(found, "2026-12-10T03:00:00+00:00") == ["2026-12-10T07:00:00+01:00"]
    assert frozen(found, "2026-12-15T12:00:00+00:00") != []


@pytest.mark.parametrize("category", ["FREEZE", "PROMOTION", "Peak", "QUARTER-CLOSE"])
def test_what_freezes(category: str) -> None:
    assert frozen(calendar(event(CATEGORIES=category)), "2026-12-01T12:00:00+00:00")


@pytest.mark.parametrize(("lines", "said"), [
    ({"DTEND": "20261130T000000Z"}, "a moment after DTSTART"), ({"DTEND": "20261201T000000Z"}, "a moment after DTSTART"),
    ({"DTSTART": "20261201T000000", "DTEND": "20261202T000000"}, "nobody knows on whose clock"),
    ({"DTSTART": None, "DTEND": None, "DTSTART;TZID=Mars/Olympus": "20261201T000000", "DURATION": "PT1H"}, "a time zone such as"),
    ({"DTSTART": None, "DTSTART;TZID=Europe/Berlin": "20261201T000000"}, "the time zone of DTSTART"),
    ({"DTEND": None}, "an end, or a DURATION"), ({"CATEGORIES": None}, "one of FREEZE"), ({"CATEGORIES": "FREZE"}, "one of FREEZE"), ({"CATEGORIES": "FREEZE,WINDOW"}, "one of FREEZE"),
    ({"UID": None}, "UID"), ({"SUMMARY": None}, "SUMMARY"), ({"DTSTART": None}, "one day or one moment"), ({"DTSTART": "soon"}, ""),
    ({"RRULE": "FREQ=WEEKLY"}, "a rule has an end"), ({"RRULE": "FREQ=HOURLY;COUNT=3"}, "FREQ to be one of"), ({"RRULE": "FREQ=SOMETIMES;COUNT=3"}, ""),
    ({"RRULE": "FREQ=DAILY;COUNT=3", "DTEND": "20261203T000000Z"}, "do not overlap"),
    # On 25 October 2026 Berlin shows 02:30 twice; on 29 March 2026 it never does.
    ({"DTSTART": None, "DTEND": None, "DTSTART;TZID=Europe/Berlin": "20261025T023000", "DURATION": "PT4H"}, "show this one twice"),
    ({"DTSTART": None, "DTEND": None, "DTSTART;TZID=Europe/Berlin": "20260329T023000", "DURATION": "PT4H"}, "never show this one"),
    ({"DTSTART": None, "DTEND": None, "DTSTART;TZID=Europe/Berlin": "20261025T000000", "DTEND;TZID=Europe/Berlin": "20261025T023000"}, "show this one twice")])
def test_what_could_mean_two_things_or_nothing(lines: dict[str, str | None], said: str) -> None:
    with pytest.raises(DomainError) as error:
        calendar(event(**lines))
    assert error.value.code == "bad_input" and "a.ics" in error.value.message and said in error.value.message, error.value.message


def test_two_of_one_name() -> None:
    with pytest.raises(DomainError) as error:
        calendar(event(), event(SUMMARY="Another"))
    assert "a UID of its own" in error.value.message
    with pytest.raises(DomainError) as error:
        calendar(event(**{"RECURRENCE-ID": "20261208T000000Z"}))
    assert "that is repeated" in error.value.message


@pytest.mark.parametrize("text", ["", "BEGIN:VCALENDAR", "nonsense", "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VCALENDAR\r\n"])
def test_no_calendar(text: str) -> None:
    with pytest.raises(DomainError) as error:
        Calendar({"a.ics": text})
    assert error.value.code == "bad_input" and "a.ics" in error.value.message


def test_next_moment() -> None:
    hours = region_hours("r", BERLIN)
    window = event(UID="w", SUMMARY="Night", CATEGORIES="WINDOW", **{"DTSTART": None, "DTEND": None, "DTSTART;TZID=Europe/Berlin": "20261101T190000", "DURATION": "PT5H",
                                                                    "RRULE": "FREQ=DAILY;UNTIL=20261231T235959Z"})
    freeze = event(UID="f", SUMMARY="Black Friday", **{"DTSTART": None, "DTEND": None, "DTSTART;VALUE=DATE": "20261127", "DTEND;VALUE=DATE": "20261201"})
    found = calendar(window, freeze)
    facts = found.facts(at("2026-11-27T12:00:00+01:00"), WORDS, hours)
    assert facts["freezes"] == [{"summary": "Black Friday", "until": "2026-12-01T00:00:00+01:00", "category": "freeze"}]
    assert (facts["window"], facts["next_window"], facts["shop_open"], facts["shop_until"]) == (None, "2026-11-27T19:00:00+01:00", True, "2026-11-27T20:00:00+01:00")
    # 1 December, 00:00 is after that day's freeze and before its window; at 19:00 the window opens and shops close at 20:00.
    assert facts["next_moment"] == "2026-12-01T20:00:00+01:00"
    assert found.facts(at("2026-11-27T12:00:00+01:00"), WORDS, hours, [])["next_moment"] == "2026-11-27T12:00:00+01:00"
    inside = found.facts(at("2026-12-01T21:00:00+01:00"), WORDS, hours)
    assert (inside["window"], inside["next_moment"]) == ({"summary": "Night", "until": "2026-12-02T00:00:00+01:00"}, "2026-12-01T21:00:00+01:00")
    assert found.facts(at("2027-01-05T12:00:00+01:00"), WORDS, hours, TIMED)["next_moment"] is None


@pytest.mark.parametrize(("moment", "opened"), [
    ("2026-11-30T07:59:59+01:00", False), ("2026-11-30T08:00:00+01:00", True), ("2026-11-30T20:00:00+01:00", False), ("2026-11-29T12:00:00+01:00", False),
    ("2026-10-26T07:30:00+01:00", False), ("2026-10-24T08:30:00+02:00", True), ("2026-12-24T15:00:00+01:00", False), ("2026-12-24T13:00:00+01:00", True)])
def test_store_hours(moment: str, opened: bool) -> None:
    special = [{"day": "2026-12-24", "from": "08:00", "to": "14:00"}, {"day": "2026-12-25"}]
    assert bool(region_hours("r", {**BERLIN, "special_days": special}).open_until(at(moment))) == opened


def test_a_shop_that_closes_at_midnight() -> None:
    hours = region_hours("r", {"time_zone": "Europe/Berlin", "store_hours": [{"days": ["sat"], "from": "20:00", "to": "00:00"}]})
    assert hours.open_until(at("2026-10-24T23:30:00+02:00")) == at("2026-10-25T00:00:00+02:00")
    assert hours.open_until(at("2026-10-25T00:00:00+02:00")) is None


@pytest.mark.parametrize(("value", "field"), [
    ({}, "r is"), ({"time_zone": "Mars"}, "r.time_zone"), ({"time_zone": "../etc/passwd"}, "r.time_zone"),
    ({**BERLIN, "store_hours": [{"days": ["mon"], "from": "20:00", "to": "08:00"}]}, "r.store_hours[0].to"),
    ({**BERLIN, "store_hours": [{"days": ["mon"], "from": "08:00", "to": "08:00"}]}, "r.store_hours[0].to"),
    ({**BERLIN, "store_hours": [{"days": ["mon"], "from": "08:00", "to": "12:00"}, {"days": ["sun", "mon"], "from": "11:00", "to": "20:00"}]}, "r.store_hours[1] is"),
    ({**BERLIN, "store_hours": [{"days": ["mon"], "from": 480, "to": "20:00"}]}, "r.store_hours[0].from"),
    ({**BERLIN, "store_hours": [{"days": ["holiday"], "from": "08:00", "to": "20:00"}]}, "r.store_hours[0] is"),
    ({**BERLIN, "special_days": [{"day": "24.12.2026"}]}, "r.special_days[0].day"), ({**BERLIN, "special_days": [{"day": "2026-12-24", "from": "08:00"}]}, "r.special_days[0]")])
def test_hours_that_are_none(value: Any, field: str) -> None:
    with pytest.raises(DomainError) as error:
        region_hours("r", value)
    assert error.value.code == "bad_input" and error.value.message.startswith(field), error.value.message
