# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gates that are ready. Each judges facts and says why, what would satisfy it, and who can. Pure.

A gate's options and their defaults stand in ``READY``; None is an option that must be given.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

from .._kernel.text import joined, lasting
from .gates_build import GATES as BUILD
from .gates_estate import READY_ESTATE as ESTATE
from .gates_shop import SHOP, lower_incidents
from .moments import read
from .reports import SEVERITIES
from .result import Facts, Result
from .result import people as _people
from .result import short as _short

RELEASER = "whoever releases"


def soaked(facts: Facts, options: Facts) -> Result:
    lower, image = facts["lower"], facts["plan"]["image"]
    if not lower:
        return Result(False, "the policy names no lower environment for this instance", "lower, in the policy's entry of the instance", "who keeps the policy")
    if lower.get("unread"):
        return Result(False, f"the ledger of {lower['instance']} cannot be read: {lower['unread']}", "see that the ledger's store answers", "an operator")
    if lower["hours"] is None:
        return Result(False, f"by its ledger {lower['instance']} never ran {_short(image)}", f"release it on {lower['instance']} first, and let it run for "
                      f"{options['hours']:g} h", RELEASER)
    opened = lower_incidents(facts)
    if lower["hours"] < options["hours"]:
        short = Result(False, f"{_short(image)} ran on {lower['instance']} for {lasting(lower['hours'])}, "
                              f"and {lasting(options['hours'], up=True)} are asked for",
                       f"wait for {lasting(options['hours'] - lower['hours'], up=True)}", RELEASER)
        return short.and_also(opened) if opened else short
    return opened or Result(True, f"{_short(image)} ran on {lower['instance']} for {lasting(lower['hours'])}")


def recovery_point(facts: Facts, options: Facts) -> Result:
    point = facts["recovery_point"]
    needs = ("take and verify a recovery point (playbook recovery_point)", "an operator")
    if facts["plan"]["class"] == "create":
        return Result(True, "there is no database yet")
    if not point or not point["id"]:
        return Result(False, "there is no verified recovery point", *needs)
    if point["hours"] > options["hours"]:
        return Result(False, f"the newest verified recovery point {point['id']} is {lasting(point['hours'])} old, "
                      f"and {lasting(options['hours'])} are allowed", *needs)
    return Result(True, f"recovery point {point['id']} is verified and {lasting(point['hours'])} old")


def rehearsed(facts: Facts, options: Facts) -> Result:
    found = facts["rehearsal"]
    needs = ("rehearse it (playbook plan with plan_rehearse=true)", "an operator")
    if facts["plan"]["class"] != "update":
        return Result(True, "nothing of the database is updated")
    if not found or found["ok"] is None:
        return Result(False, "this update was not rehearsed", *needs)
    if not found["ok"]:
        return Result(False, "the rehearsal of this update failed", "build a release that mends it, and rehearse it", "who builds")
    if found["hours"] is None or found["hours"] > options["hours"]:
        return Result(False, f"it was rehearsed {lasting(found['hours'] or 0)} ago, and the data allow {lasting(options['hours'])}", *needs)
    longest = options["max_pause"] if options["max_pause"] else found["max_pause"]
    if found["pause"] is None or found["pause"] > longest:
        return Result(False, f"the rehearsal predicts a pause of {found['pause'] or 0:.1f} s, and {longest:g} s are allowed",
                      "make the update shorter, or release in a window whose policy allows the pause", "who builds, or who keeps the policy")
    return Result(True, f"rehearsed {lasting(found['hours'])} ago, pause {found['pause']:.1f} s of {longest:g} s")


def freeze(facts: Facts, _options: Facts) -> Result:
    calendar = facts["calendar"]
    if not calendar["freezes"]:
        return Result(True, "no freeze")
    freezes = joined([f"{one['summary']} until {one['until']}" for one in calendar["freezes"]])
    return Result(False, f"inside a freeze: {freezes}", _wait(calendar), _breaker(facts))


def window(facts: Facts, _options: Facts) -> Result:
    calendar = facts["calendar"]
    if calendar["window"]:
        return Result(True, f"inside the window {calendar['window']['summary']} until {calendar['window']['until']}")
    reason = "outside every change window" if calendar["windows"] else "the calendar has no change window for this instance"
    return Result(False, reason, _wait(calendar), _breaker(facts))


def shop_closed(facts: Facts, _options: Facts) -> Result:
    calendar = facts["calendar"]
    if not calendar["shop_open"]:
        return Result(True, "shops are closed")
    return Result(False, f"shops of the region {facts['instance']['region']} are open until {calendar['shop_until']} ({calendar['time_zone']})",
                  _wait(calendar), _breaker(facts))


def requested(facts: Facts, _options: Facts) -> Result:
    found = [one["by"] for one in facts["decisions"] if one["role"] == "request" and one["counts"]]
    if found:
        return Result(True, "asked for by " + joined(found))
    return Result(False, "nobody asked for this plan with a signature", f"approve it as request, plan {facts['plan']['digest']}", _people(facts, "request"))


def approved(facts: Facts, options: Facts) -> Result:
    role, count = options["role"], options["count"]
    if role == "schema" and facts["plan"]["class"] != "update":
        return Result(True, "nothing of the schema is changed")
    if not facts["request"]["by"].strip():
        return Result(False, "who asks for the release is not named, so nobody knows who may not approve it", "requested_by", RELEASER)
    mine = [one for one in facts["decisions"] if one["role"] == role]
    against = [f"{one['by']}: {one['reason'] or 'no reason given'}" for one in mine if one["verdict"] == "rejected"]
    needs = f"{count} to approve it as {role}, plan {facts['plan']['digest']}"
    if against:
        return Result(False, f"rejected as {role} by {joined(against)}", "that it is withdrawn, or another plan", _people(facts, role))
    weak = [one for one in mine if one["counts"] and options["security_key"] and one["security_key"] != "verified"]
    found = sorted({one["by"] for one in mine if one["counts"] and one not in weak})
    if len(found) >= count:
        return Result(True, f"approved as {role} by {joined(found)}")
    void = [f"{one['by']} ({one['why_not']})" for one in mine if not one["counts"]]
    void += [f"{one['by']} (not by a security key that verified its owner)" for one in weak]
    return Result(False, f"{len(found)} of {count} approved it as {role}" + (f"; does not count: {joined(void)}" if void else ""), needs, _people(facts, role))


def pos_closed(facts: Facts, _options: Facts) -> Result:
    count = (facts["pos"] or {}).get("open")
    if count is None:
        return Result(True, "there is no point of sale")
    if count:
        return Result(False, f"{count} point of sale sessions are open", "close them in the shops", "the shops")
    return Result(True, "no point of sale session is open")


def scanned(facts: Facts, options: Facts) -> Result:
    found, image = facts["scan"], facts["plan"]["image"]
    needs = (f"scan {_short(image)} and sign what was found (playbook evidence)", _people(facts, "evidence"))
    if not found:
        return Result(False, f"there is no scan of {_short(image)}", *needs)
    if found["hours"] > options["hours"]:
        return Result(False, f"the scan is {lasting(found['hours'])} old, and {lasting(options['hours'])} are allowed", *needs)
    now = read("now", facts["now"])
    excepted = {one["id"]: one for one in options["exceptions"] if read("until", one["until"]) > now}
    young = sorted({one["id"] for one in found["findings"] if one["id"] not in excepted and _young(one, options["grace"], now)})
    left = [one for one in found["findings"] if one["id"] not in excepted and one["id"] not in young]
    over = []
    for severity, most in sorted(options["most"].items(), key=lambda item: SEVERITIES.index(item[0])):
        mine = [one["id"] for one in left if one["severity"] == severity]
        named = sorted(set(mine))
        counted = found["counts"][severity] - len([one for one in found["findings"] if one["severity"] == severity]) + len(mine)
        if counted > most:
            over.append(f"{counted} {severity}, {most} allowed" + (f" ({joined(named, 4)})" if named else ""))
    if over:
        return Result(False, "the scan found " + "; ".join(over), "mend them, or an exception in the policy with owner, reason and end",
                      "who builds, or who keeps the policy")
    gone = sorted({one["id"] for one in found["findings"]}.intersection(excepted))
    return Result(True, f"scanned {lasting(found['hours'])} ago" + (f", with exceptions for {joined(gone)}" if gone else "")
                  + (f", known for a few days only: {joined(young, 4)}" if young else ""))


def _young(finding: Facts, grace: Facts, now: datetime.datetime) -> bool:
    """Whether a finding was published so few days ago that the policy bears it. Of one whose day is not known nobody says so."""
    days, published = grace.get(finding["severity"], 0), finding.get("published")
    return bool(days and published) and now - read("published", published) < datetime.timedelta(days=days)


READY: dict[str, tuple[Callable[[Facts, Facts], Result], dict[str, Any]]] = {
    "soaked": (soaked, {"hours": None}),
    "recovery_point": (recovery_point, {"hours": None}),
    "rehearsed": (rehearsed, {"hours": 168.0, "max_pause": 0.0}),
    "freeze": (freeze, {}),
    "window": (window, {}),
    "shop_closed": (shop_closed, {}),
    "requested": (requested, {}),
    "approved": (approved, {"role": None, "count": 1, "security_key": False}),
    "pos_closed": (pos_closed, {}),
    "scanned": (scanned, {"hours": 168.0, "most": None, "grace": {}, "exceptions": []}),
    **BUILD,
    **ESTATE,
    **SHOP,
}
"""Each gate by its name, with its options."""


def _wait(calendar: Facts) -> str:
    return f"wait until {calendar['next_moment']}" if calendar["next_moment"] else "wait; the calendar has no moment within a year in which it may be"


def _breaker(facts: Facts) -> str:
    who = facts["signers"]["emergency"]
    return f"in an emergency {joined(who)}, with a reason" if who else "nobody may break it"
