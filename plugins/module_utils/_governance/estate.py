# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about the estate: what of an instance differs from the policy's baseline, and how the waves before it fared, by their ledgers."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.journal import ENDED_WELL
from .._kernel.text import covers
from .gate import CHANGES, InstanceGate, ran
from .moments import hours_between, read
from .policy import Policy

LOOKED_BACK = 200
"""Entries of another instance's ledger that are looked at."""


def estate_facts(gate: InstanceGate, image: str, found: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The facts ``differences`` and ``waves``.

    :param image: digest of the image that is to run.
    :param found: ``what`` differs and ``said``, how, of what the release would make and of what runs now.
    :raises DomainError: ``store_failed``, ``ledger_broken``.
    """
    now = gate.governance.clock()
    return {"differences": _differences(gate.governed.differences, found, now),
            "waves": _waves(gate, image, now) if gate.asks("waves") and gate.governance.policy.waves else None}


def _differences(declared: Sequence[Mapping[str, str]], found: Sequence[Mapping[str, Any]], now: datetime.datetime) -> list[dict[str, Any]]:
    known = [{**one, "over": read("until", one["until"]) <= now, "declared": True, "said": ""} for one in declared]
    bare = [one for one in found if not any(covers(str(each["what"]), str(one["what"])) for each in declared)]
    return known + [{"what": one["what"], "owner": "", "reason": "", "until": "", "over": False, "declared": False, "said": one["said"]} for one in bare]


def _waves(gate: InstanceGate, image: str, now: datetime.datetime) -> dict[str, Any]:
    policy = gate.governance.policy
    order = waves_of(policy, gate.governed.environment)
    mine = next((wave for wave, names in order.items() if gate.name in names), "")
    before: list[dict[str, Any]] = []
    for wave, names in order.items():
        if wave == mine or not mine:
            break
        before += [{"instance": name, "wave": wave, **_stands(gate, name, image, now)} for name in names]
    return {"wave": mine, "before": before}


def _stands(gate: InstanceGate, name: str, image: str, now: datetime.datetime) -> dict[str, Any]:
    """How another instance stands by its ledger. Where a store is away and the policy bears that, it is as if it did not run the image: it may have gone on."""
    ledger = gate.governance.ledger(name, own=False)
    try:
        entries = list(islice(ledger.newest_first(), LOOKED_BACK))
    except DomainError as error:
        if not gate.governance.policy.spools or not error.details.get("away"):
            raise
        return {"hours": None, "failed": False}
    since, until, _running = ran(entries, image, now)
    # Where another image runs by now, this one was taken back there: that wave did not pass.
    return {"hours": hours_between(since, now) if since and until == now else None, "failed": _failed(entries, image)}


def _failed(entries: Any, image: str) -> bool:
    """Whether the last operation that was to bring this image about did not end well."""
    for entry in entries:
        if entry.kind == "release" and entry.body.get("image") == image and entry.body.get("state") in CHANGES:
            return entry.body.get("outcome") not in ENDED_WELL
    return False


def waves_of(policy: Policy, environment: str) -> dict[str, list[str]]:
    """The instances of each wave of an environment, in order; each instance stands in the first that names it or its region."""
    found: dict[str, list[str]] = {}
    seen: set[str] = set()
    for wave in policy.waves:
        names = [name for name, one in policy.instances.items() if one.environment == environment and name not in seen
                 and (name in wave["instances"] or (one.region and one.region in wave["regions"]))]
        found[str(wave["name"])] = names
        seen.update(names)
    return found
