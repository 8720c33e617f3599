# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gates over the whole estate: what differs from the baseline, and the waves before this one. Pure, as those of ``gates.py``."""

from __future__ import annotations

from .._kernel.text import joined
from .result import Facts, Result

KEEPER = "who keeps the policy"


def differences(facts: Facts, _options: Facts) -> Result:
    """Neither a declared difference that has ended, nor one that nobody declared."""
    found = facts["differences"]
    over = [f"{one['what']} ({one['owner']}, until {one['until']})" for one in found if one["over"]]
    # Facts of a ledger's older entries do not tell which were undeclared.
    bare = [f"{one['what']} ({one['said']})" for one in found if not one.get("declared", True)]
    if not over and not bare:
        return Result(True, f"{len(found)} approved differences" if found else "no difference is declared")
    reasons = ([f"approved differences have ended: {joined(over)}"] if over else []) + ([f"nobody declared: {joined(bare, 6)}"] if bare else [])
    owners = sorted({one["owner"] for one in found if one["over"]})
    return Result(False, "; ".join(reasons), "take them back, or have them declared in the policy with owner, reason and end", joined([*owners, KEEPER]))


def waves(facts: Facts, options: Facts) -> Result:
    """Every instance of the waves before ran this very image for so long, without a release of it that failed since."""
    found = facts["waves"]
    if not found or not found["wave"]:
        return Result(False, "the policy has this instance in no wave", "policy.waves, with this instance or its region", KEEPER)
    lacking = [one for one in found["before"] if one["hours"] is None or one["hours"] < options["hours"] or one["failed"]]
    if len(lacking) <= options["tolerated"]:
        return Result(True, f"wave {found['wave']}; {len(found['before']) - len(lacking)} instances of the waves before run it" if found["before"]
                      else f"wave {found['wave']} is the first")
    said = [f"{one['instance']} of {one['wave']} {_stands(one, options['hours'])}" for one in lacking]
    return Result(False, f"waves before {found['wave']} did not pass: {joined(said, 6)}",
                  "release them first (playbook waves), and wait until they ran long enough",
                  "whoever releases")


def _stands(one: Facts, hours: float) -> str:
    if one["failed"]:
        return "failed with it"
    return "does not run it" if one["hours"] is None else f"ran it for {one['hours']:.1f} of {hours:g} h"


READY_ESTATE = {
    "differences": (differences, {}),
    "waves": (waves, {"hours": 0.0, "tolerated": 0}),
}
