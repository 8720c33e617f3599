# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What ``release_gate_info`` tells: the audit of a ledger, the calendar to come, and what another policy would have stopped. Writes nothing."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from typing import Any

from .._documents.store import open_store
from .._kernel.errors import DomainError, bad_input
from . import policy as policies
from .audit import audit
from .calendar import Calendar
from .cluster_place import here
from .gate import CHANGES, words_of
from .judging import judge
from .ledger import Head, Ledger
from .moments import utc_now
from .place import Governance, check_instance
from .signers import ROLES, Signers


def information(params: Mapping[str, Any], place: Callable[[], Governance | None] = here,
                clock: Callable[[], datetime.datetime] = utc_now) -> dict[str, Any]:
    """:raises DomainError: ``not_governed``, ``bad_input``, ``store_failed``."""
    if params["query"] == "candidate":
        return _candidate(params, clock())
    if params["query"] == "governance":
        return _governs(_governing(place), clock())
    instance = check_instance(params["instance"] or "")
    if params["query"] == "ledger":
        points = [Head(point["sequence"], point["digest"], point["signers"] or "") for point in params["checkpoints"]]
        return audit(_ledger(params, instance, place, clock), points, clock(), params["since_checkpoint"])
    governance = _governing(place)
    if params["query"] == "windows":
        return _windows(governance, params, instance)
    return _simulated(governance, params, instance)


def _candidate(params: Mapping[str, Any], now: datetime.datetime) -> dict[str, Any]:
    """Whether a policy, a list of signers and calendars may be put in place: before they are."""
    signers = Signers(params["allowed_signers"] or "")
    policy = policies.parse(params["policy"], signers, now)
    calendar = Calendar({one["name"]: one["content"] for one in params["calendars"]})
    return {"classes": sorted(policy.classes), "events": len(calendar.events)}


def _governs(governance: Governance, now: datetime.datetime) -> dict[str, Any]:
    policy, signers = governance.policy, governance.signers
    return {"classes": {name: [gate.name for gate in one.gates] for name, one in policy.classes.items()}, "default": policy.default,
            "instances": {name: one.class_name for name, one in policy.instances.items()}, "events": len(governance.calendar.events),
            "signers": {role: signers.people(role, now) for role in ROLES}, "ledger_key": governance.signer().public}


def _governing(place: Callable[[], Governance | None]) -> Governance:
    governance = place()
    if governance is None:
        raise DomainError("not_governed", "neither policy nor signers nor a ledger are here", unchanged="Nothing was changed",
                          advice="Run the playbook governance for this machine, or for this instance of a cluster, first")
    return governance


def _ledger(params: Mapping[str, Any], instance: str, place: Callable[[], Governance | None], clock: Callable[[], datetime.datetime]) -> Ledger:
    """The one of this machine; or any, from its files and the public keys alone."""
    if not params["ledger"] and not params["allowed_signers"]:
        return _governing(place).ledger(instance, settles=False)
    if not params["ledger"] or not params["allowed_signers"]:
        raise bad_input("allowed_signers", params["allowed_signers"], "the list of signers, together with ledger")
    return Ledger(open_store({"region": "us-east-1", **params["ledger"]}), instance, Signers(params["allowed_signers"]), clock)


def _windows(governance: Governance, params: Mapping[str, Any], instance: str) -> dict[str, Any]:
    governed = governance.policy.of(instance)
    words = words_of(instance, params["tenant"], governed.environment or params["environment"], governed.region)
    hours, now = governance.policy.regions.get(governed.region), governance.clock()
    asked = [gate.kind for gate in governance.policy.classes[governed.class_name].gates]
    return {"calendar": governance.calendar.facts(now, words, hours, asked), "class": governed.class_name, "region": governed.region,
            "upcoming": governance.calendar.upcoming(now, words, hours, params["days"], 100)}


def _simulated(governance: Governance, params: Mapping[str, Any], instance: str) -> dict[str, Any]:
    """Every plan that was judged, judged again by another policy, on the facts that were written down then."""
    raw = params["policy"] or governance.policy.raw
    other = policies.parse(raw, governance.signers, governance.clock())
    cases = []
    for entry in governance.ledger(instance).newest_first():
        if entry.kind != "gate" or entry.body["facts"]["request"]["state"] not in (*CHANGES, "staged"):
            continue
        verdict = judge(other.classes[other.of(instance).class_name], entry.body["facts"], entry.at)
        cases.append({"sequence": entry.sequence, "at": entry.body["facts"]["now"], "plan": entry.body["plan"], "was": entry.body["outcome"],
                      "would_be": verdict.outcome, "failed": [{key: gate[key] for key in ("gate", "reason")} for gate in verdict.gates if not gate["passed"]]})
    return {"cases": cases, "stopped": [case["sequence"] for case in cases if case["would_be"] == "failed" and case["was"] != "failed"]}
