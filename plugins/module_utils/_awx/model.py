# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the role ``awx`` is given, checked, and what AWX is to have of every verb."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import bad_input

DUTIES = ("requester", "release_manager", "dba", "operator", "auditor")
# With their reasons, which the guide has too: a person's key stays with the person; the others work on files of one's own machine or on AWX itself.
ELSEWHERE = ("approve", "reject", "withdraw", "init", "evidence", "awx")
# Runs only as a node of a workflow, with AWX' key.
DECISIONS = "awx_decisions"
# Who may start a verb by itself. Verbs that are not here are the operators'.
MAY: dict[str, Sequence[str]] = {
    "plan": ("requester", "release_manager", "dba", "operator"), "status": DUTIES, "windows": DUTIES, "report": DUTIES, "inventory_report": DUTIES,
    "drift": DUTIES,
    "release": ("release_manager",), "waves": ("release_manager",), "rollback": ("release_manager",), "simulate": ("release_manager", "auditor"),
    "audit": ("release_manager", "auditor"), "governance": ("auditor",), "logs": ("operator", "dba"), "recovery_point": ("operator", "dba"),
    "restore": ("operator", "dba"), DECISIONS: (),
}
# As often as an environment needs it that says nothing else, where there is such a verb.
SCHEDULES = (
    {"verb": "recovery_point", "rrule": "DTSTART:20260101T010000Z RRULE:FREQ=DAILY;INTERVAL=1"},
    {"verb": "expire", "rrule": "DTSTART:20260101T033000Z RRULE:FREQ=DAILY;INTERVAL=1"},
    {"verb": "audit", "rrule": "DTSTART:20260101T050000Z RRULE:FREQ=DAILY;INTERVAL=1"},
    {"verb": "drift", "rrule": "DTSTART:20260101T060000Z RRULE:FREQ=DAILY;INTERVAL=1"},
)
RRULE = re.compile(r"DTSTART(;TZID=[A-Za-z_/+-]+)?:[0-9]{8}T[0-9]{6}Z? RRULE:.*INTERVAL=[1-9][0-9]*.*")
NAME = re.compile(r"[a-z][a-z0-9_-]*")


@dataclass(frozen=True)
class Verb:
    """A playbook. :param options: of its play argument spec."""

    name: str
    title: str
    options: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Environment:
    """:param approvals: whether its releases take approvals, and so its workflows. :param credentials: of every template; :param credentials_for: and of one
    verb's.

    :param inventory: path in the project of inventories. :param inventory_credential: the vault credential that reads it; empty for none.
    """

    name: str
    inventory: str
    approvals: bool
    verbs: Sequence[Verb]
    credentials: Sequence[str]
    credentials_for: Mapping[str, Sequence[str]]
    schedules: Sequence[Mapping[str, Any]]
    inventory_credential: str = ""


def verbs_of(specs: Mapping[str, Mapping[str, Any]]) -> dict[str, Verb]:
    """:param specs: the content of ``<verb>.meta.yml`` by verb."""
    return {name: Verb(name, str(spec["short_description"]), spec["argument_specs"][name].get("options") or {})
            for name, spec in sorted(specs.items()) if name not in ELSEWHERE}


def environments_of(given: Sequence[Mapping[str, Any]], verbs: Mapping[str, Verb]) -> list[Environment]:
    """:raises DomainError: ``bad_input``, naming the field."""
    found = [_environment(f"awx_environments[{number}]", one, verbs) for number, one in enumerate(given)]
    names = [one.name for one in found]
    for name in names:
        if names.count(name) > 1:
            raise bad_input("awx_environments", name, "each environment once")
    return found


def _environment(path: str, one: Mapping[str, Any], verbs: Mapping[str, Verb]) -> Environment:
    if not NAME.fullmatch(str(one.get("name", ""))):
        raise bad_input(f"{path}.name", one.get("name"), "a name of lower-case letters, digits, '_' and '-'")
    if not one.get("inventory") or str(one["inventory"]).startswith("/") or ".." in str(one["inventory"]).split("/"):
        raise bad_input(f"{path}.inventory", one.get("inventory"), "a path in the repository of inventories, such as production/hosts.yml")
    named = one.get("verbs") or list(verbs)
    for name in (*named, *one.get("credentials_for", {})):
        if name not in verbs:
            raise bad_input(f"{path}.verbs", name, "some of " + ", ".join(verbs))
    mine = [verbs[name] for name in named]
    approvals = bool(one.get("approvals", False))
    missing = [name for name in ("plan", DECISIONS, "release") if approvals and name not in named]
    if missing:
        raise bad_input(f"{path}.verbs", missing[0], "plan, awx_decisions and release, as its releases are approved")
    schedules = one.get("schedules")
    if schedules is None:
        schedules = [each for each in SCHEDULES if each["verb"] in named]
    for number, each in enumerate(schedules):
        _check_schedule(f"{path}.schedules[{number}]", each, {verb.name: verb for verb in mine})
    return Environment(one["name"], str(one["inventory"]), approvals, mine, list(one.get("credentials", [])), one.get("credentials_for", {}), schedules,
                       str(one.get("inventory_credential") or ""))


def _check_schedule(path: str, one: Mapping[str, Any], verbs: Mapping[str, Verb]) -> None:
    """AWX refuses a schedule whose survey has a required question that nothing answers, after all else was made. So it is found here."""
    if one.get("verb") not in verbs:
        raise bad_input(f"{path}.verb", one.get("verb"), "some of " + ", ".join(verbs))
    if not RRULE.fullmatch(str(one.get("rrule", ""))):
        raise bad_input(f"{path}.rrule", one.get("rrule"), "such as DTSTART:20260101T010000Z RRULE:FREQ=DAILY;INTERVAL=1")
    options, given = verbs[one["verb"]].options, one.get("extra_data", {})
    for name, option in options.items():
        if option.get("required") and option.get("default") is None and name not in given:
            raise bad_input(f"{path}.extra_data.{name}", None, f"a value, which {one['verb']} needs and nobody is there to give")
    for name in given:
        if name not in options:
            raise bad_input(f"{path}.extra_data", name, "some of " + (", ".join(options) or "nothing"))


def check_approval_timeout(value: Any) -> None:
    """:raises DomainError: ``bad_input``."""
    if not isinstance(value, int) or value < 0:
        raise bad_input("awx_approval_timeout", value, "seconds, or 0 for an approval that never expires")
