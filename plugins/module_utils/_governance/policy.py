# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy: which gates an instance's plan must pass, by its class. Data, checked as a whole before anything of it counts."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._instance.names import NAME
from .._kernel.errors import bad_input
from . import expressions
from .cosign import PEM
from .gates import READY
from .hours import Hours, region_hours
from .moments import read
from .reports import NAMED, SEVERITIES
from .signers import PRINCIPAL, ROLES, Signers
from .waves import check_waves

STATES = ("released", "staged", "rolled_back", "absent")
WORD = re.compile(r"[a-z][a-z0-9_]{0,39}")
APPROVERS = ("app", "schema")
FROM_AWX = ("request", "app", "schema")


@dataclass(frozen=True)
class Gate:
    """:param kind: name of a ready gate; empty for an expression. :param states: for which it is asked. :param field: its path in the policy."""

    name: str
    kind: str
    options: Mapping[str, Any]
    states: Sequence[str]
    field: str
    expression: Any = None


@dataclass(frozen=True)
class Class:
    """:param breakable: gates that an emergency may break. :param review: hours until that must be reviewed.

    :param awx: by role, whose decisions count that were given in AWX and are signed by AWX alone.
    """

    name: str
    gates: Sequence[Gate]
    breakable: Sequence[str] = ()
    review: float = 72.0
    awx: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Governed:
    """What the policy says of an instance; none of it can be said by who releases."""

    class_name: str
    environment: str = ""
    region: str = ""
    lower: str = ""
    differences: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True)
class Policy:
    instances: Mapping[str, Governed]
    classes: Mapping[str, Class]
    regions: Mapping[str, Hours]
    default: str
    approval_hours: float = 72.0
    spools: bool = False
    raw: Mapping[str, Any] = field(default_factory=dict)
    baseline: Mapping[str, Any] = field(default_factory=dict)
    waves: Sequence[Mapping[str, Any]] = ()

    def of(self, instance: str) -> Governed:
        """What is not listed has the default's gates, so that a name which nobody knows opens nothing."""
        return self.instances.get(instance) or Governed(self.default)


def parse(value: Any, signers: Signers, now: datetime.datetime) -> Policy:
    """:raises DomainError: ``bad_input``, naming the field."""
    top = _mapping("policy", value, ("default", "instances", "classes", "regions", "approval_hours", "ledger_away", "baseline", "waves"),
                   ("default", "classes"))
    regions = {name: region_hours(f"policy.regions.{name}", one) for name, one in _mapping("policy.regions", top.get("regions", {})).items()}
    classes = {name: _class(f"policy.classes.{name}", name, one, signers, now) for name, one in _mapping("policy.classes", top["classes"]).items()}
    instances = {name: _instance(f"policy.instances.{name}", name, one, classes, regions)
                 for name, one in _mapping("policy.instances", top.get("instances", {})).items()}
    _one_of("policy.default", top["default"], classes)
    hours = _number("policy.approval_hours", top.get("approval_hours", 72), least=1)
    for name, one in instances.items():
        if one.lower and one.lower not in instances:
            raise bad_input(f"policy.instances.{name}.lower", one.lower, "an instance of policy.instances")
    away = top.get("ledger_away", "refuse")
    _one_of("policy.ledger_away", away, ("refuse", "spool"))
    return Policy(instances, classes, regions, top["default"], hours, away == "spool", top, _mapping("policy.baseline", top.get("baseline", {})),
                  check_waves("policy.waves", top.get("waves", []), instances, regions))


def _instance(path: str, name: str, value: Any, classes: Mapping[str, Class], regions: Mapping[str, Hours]) -> Governed:
    if not NAME.fullmatch(name):
        raise bad_input(path, name, "the name of an instance")
    one = _mapping(path, value, ("class", "environment", "region", "lower", "differences"), ("class", "environment"))
    _one_of(f"{path}.class", one["class"], classes)
    if one.get("region"):
        _one_of(f"{path}.region", one["region"], regions)
    for gate in classes[one["class"]].gates:
        if gate.kind in ("shop_closed", "freeze", "window") and not one.get("region"):
            raise bad_input(f"{path}.region", None, f"a region of policy.regions, whose time zone the gate {gate.kind} needs")
        if gate.kind == "soaked" and not one.get("lower"):
            raise bad_input(f"{path}.lower", None, "the instance whose soak time counts, which the gate soaked needs")
    listed = _list(f"{path}.differences", one.get("differences", []))
    differences = [_excepted(f"{path}.differences[{number}]", each, "what") for number, each in enumerate(listed)]
    return Governed(one["class"], str(one["environment"]), one.get("region") or "", one.get("lower") or "", differences)


def _class(path: str, name: str, value: Any, signers: Signers, now: datetime.datetime) -> Class:
    one = _mapping(path, value, ("gates", "breakable", "review_hours", "awx"), ("gates",))
    awx = _awx(f"{path}.awx", one.get("awx", {}))
    gates = [_gate(f"{path}.gates[{number}]", each, signers, now, awx) for number, each in enumerate(_list(f"{path}.gates", one["gates"]))]
    names = [gate.name for gate in gates]
    twice = next((each for each in names if names.count(each) > 1), None)
    if twice:
        raise bad_input(f"{path}.gates", twice, "each name once; give a gate that is used twice a name")
    breakable = _list(f"{path}.breakable", one.get("breakable", []))
    for each in breakable:
        _one_of(f"{path}.breakable", each, names)
    if breakable and not signers.people("emergency", now):
        raise bad_input(f"{path}.breakable", breakable, f"nothing, as long as the list of signers has nobody for {ROLES['emergency']}")
    if breakable and not signers.people("review", now):
        raise bad_input(f"{path}.breakable", breakable, f"nothing, as long as the list of signers has nobody for {ROLES['review']}")
    return Class(name, gates, breakable, _number(f"{path}.review_hours", one.get("review_hours", 72), least=1), awx)


def _awx(path: str, value: Any) -> dict[str, list[str]]:
    """Whose decisions are taken from AWX. Breaking a gate and reviewing that take a person's own key."""
    found = {}
    for role, names in _mapping(path, value, FROM_AWX).items():
        for name in _list(f"{path}.{role}", names):
            if not isinstance(name, str) or not PRINCIPAL.fullmatch(name):
                raise bad_input(f"{path}.{role}", name, "a name such as jane@example.com")
        found[role] = list(names)
    return found


def _gate(path: str, value: Any, signers: Signers, now: datetime.datetime, awx: Mapping[str, Sequence[str]]) -> Gate:
    if isinstance(value, Mapping) and "expression" in value:
        one = _mapping(path, value, ("name", "expression", "reason", "needs", "who", "states"), ("name", "expression", "reason", "needs", "who"))
        if not WORD.fullmatch(str(one["name"])) or one["name"] in READY:
            raise bad_input(f"{path}.name", one["name"], "a word of its own, in lower-case letters, digits and _")
        return Gate(one["name"], "", one, _states(path, one), path, expressions.compiled(f"{path}.expression", one["expression"]))
    kind = value.get("gate") if isinstance(value, Mapping) else None
    if kind not in READY:
        raise bad_input(f"{path}.gate", kind, "one of " + ", ".join(READY) + ", or an expression")
    defaults = READY[kind][1]
    one = _mapping(path, value, ("gate", "name", "states", *defaults), ("gate", *(name for name, default in defaults.items() if default is None)))
    options = {name: _option(f"{path}.{name}", name, one.get(name, default)) for name, default in defaults.items()}
    if kind == "approved":
        # A security key is nothing that AWX could tell of.
        people = {*signers.people(options["role"], now), *([] if options["security_key"] else awx.get(options["role"], ()))}
        if options["count"] > len(people):
            raise bad_input(f"{path}.count", options["count"], f"at most {len(people)}, since so many may approve: who has a key for {ROLES[options['role']]}, "
                            "or is named in awx of the class")
    name = str(one.get("name") or (f"{kind}_{options['role']}" if kind == "approved" else kind))
    if not WORD.fullmatch(name):
        raise bad_input(f"{path}.name", name, "a word in lower-case letters, digits and _")
    return Gate(name, kind, options, _states(path, one), path)


def _states(path: str, one: Mapping[str, Any]) -> Sequence[str]:
    states = _list(f"{path}.states", one.get("states", ["released", "staged"]))
    for state in states:
        _one_of(f"{path}.states", state, STATES)
    return states


def _option(path: str, name: str, value: Any) -> Any:
    if name in ("hours", "max_pause", "spare"):
        return _number(path, value, least=0)
    if name in ("count", "tolerated"):
        least = 1 if name == "count" else 0
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise bad_input(path, value, f"a whole number, {least} or more")
        return value
    if name in ("security_key", "afterwards", "reviewed", "folders"):
        if not isinstance(value, bool):
            raise bad_input(path, value, "true or false")
        return value
    if name == "role":
        _one_of(path, value, APPROVERS)
        return value
    if name == "most":
        for severity, most in _mapping(path, value, SEVERITIES).items():
            if isinstance(most, bool) or not isinstance(most, int) or most < 0:
                raise bad_input(f"{path}.{severity}", most, "a whole number, 0 or more")
        return value
    if name == "grace":
        return {severity: _number(f"{path}.{severity}", days, least=0) for severity, days in _mapping(path, value, NAMED).items()}
    if name == "keys":
        for each, key in _mapping(path, value).items():
            if not isinstance(key, str) or not PEM.fullmatch(key):
                raise bad_input(f"{path}.{each}", key, "a public key in PEM, such as cosign.pub")
        return value
    if name == "by":
        for each in _list(path, value):
            if not isinstance(each, str) or not each:
                raise bad_input(path, each, "names as in the list of commit signers")
        return value
    return [_excepted(f"{path}[{number}]", each, "id") for number, each in enumerate(_list(path, value))]


def _excepted(path: str, value: Any, what: str) -> Mapping[str, str]:
    """An exception has an owner, a reason and an end, or it is none."""
    one = _mapping(path, value, (what, "owner", "reason", "until"), (what, "owner", "reason", "until"))
    read(f"{path}.until", one["until"])
    return {key: str(each) for key, each in one.items()}


# -- shapes ---------------------------------------------------------------------------------------

def _mapping(path: str, value: Any, known: Sequence[str] = (), needed: Sequence[str] = ()) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise bad_input(path, value, "a dictionary")
    unknown = sorted(set(map(str, value)) - set(known)) if known else []
    if unknown:
        raise bad_input(path, ", ".join(unknown), "some of " + ", ".join(known))
    for name in needed:
        if value.get(name) in (None, ""):
            raise bad_input(f"{path}.{name}", None, "a value, which is needed")
    return value


def _list(path: str, value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise bad_input(path, value, "a list")
    return value


def _one_of(path: str, value: Any, choices: Any) -> None:
    if not isinstance(value, str) or value not in choices:
        raise bad_input(path, value, "one of " + ", ".join(choices))


def _number(path: str, value: Any, least: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < least:
        raise bad_input(path, value, f"a number, {least:g} or more")
    return float(value)
