# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates about the shop and its ground: room for a second colour, imports and closings under way, incidents that are open. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .._kernel.text import joined
from .result import Result

Facts = Mapping[str, Any]
MOST_NAMED = 4


def unknown(facts: Facts, names: tuple[str, ...]) -> Result | None:
    """What cannot be known passes nothing, and says so. None where all of it is known."""
    problems = [f"{name}: {found['problem']}" for name in names if isinstance(found := facts.get(name), Mapping) and found.get("problem")]
    if not problems:
        return None
    return Result(False, f"it cannot be read ({joined(problems)})", "that it can be read, then the same command again", "an operator")


def headroom(facts: Facts, options: Facts) -> Result:
    room = facts["room"]
    spare = 1 + options["spare"] / 100
    if not room or not room["bounds"]:
        return Result(False, "nothing tells how much room there is for a second colour", "a share of the tenant (playbook site, tenant_quota)", "an operator")
    short = [f"{one['what']}: {one['free']} {one['unit']} free, {round(one['needs'] * spare, 1):g} needed" for one in room["bounds"]
             if one["free"] < one["needs"] * spare]
    if short:
        return Result(False, f"a second colour does not fit: {joined(short)}", "free that much, or a larger share of the tenant", "an operator")
    return Result(True, "a second colour fits: " + joined([f"{one['what']} {one['free']} of {one['needs']} {one['unit']}" for one in room["bounds"]]))


def imports(facts: Facts, _options: Facts) -> Result:
    running = (facts["imports"] or {}).get("running") or []
    if running:
        return Result(False, f"{len(running)} imports run: {joined(running, MOST_NAMED)}", "wait until they have ended", "who imports")
    return Result(True, "no import runs")


def closings(facts: Facts, _options: Facts) -> Result:
    found = (facts["closings"] or {}).get("open")
    if found is None:
        return Result(True, "there is no point of sale")
    if found:
        return Result(False, f"{len(found)} closings are not in the books: {joined(found, MOST_NAMED)}", "close and post them in the shops' back office",
                      "the shops, and who keeps their books")
    return Result(True, "all closings are in the books")


def incidents(facts: Facts, _options: Facts) -> Result:
    found = facts["incidents"]
    if found:
        return _open(found, facts)
    return Result(True, "no incident is open about this image")


def lower_incidents(facts: Facts) -> Result | None:
    """Soak time counts only without open incidents. None where none is open."""
    found = facts["lower"]["incidents"]
    return _open(found, facts) if found else None


def _open(found: Any, facts: Facts) -> Result:
    said = joined([f"{one['id']} since {one['made']} on {one['instance']}" + (f" ({one['title']})" if one["title"] else "") for one in found], MOST_NAMED)
    who = joined(facts["signers"]["evidence"]) or "nobody: the list of signers has no key for release-evidence@sysgenpro"
    return Result(False, f"open incidents about this image: {said}", "see to them, and sign that they are closed (playbook evidence)", who)


SHOP: dict[str, tuple[Callable[[Facts, Facts], Result], dict[str, Any]]] = {
    "headroom": (headroom, {"spare": 0.0}),
    "imports": (imports, {}),
    "closings": (closings, {}),
    "incidents": (incidents, {}),
}
"""As ``gates.READY``."""

# Which fact a ready gate reads that may be unreadable.
READS: dict[str, tuple[str, ...]] = {"recovery_point": ("recovery_point",), "pos_closed": ("pos",), "headroom": ("room",), "imports": ("imports",),
                                     "closings": ("closings",)}
UNSURE = tuple(sorted({name for names in READS.values() for name in names}))
