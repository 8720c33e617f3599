# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The policy as data, each gate by a table of facts, expressions, the place on a machine, and what another policy would have stopped."""

from __future__ import annotations

import copy
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance import policy as policies
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.facts import FACTS, described
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.gate import InstanceGate
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.gates import READY
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.judging import Verdict, judge
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.place import found
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import ROLES, Signers
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.build_gates import BUILD_TABLE
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import (
    IMAGE,
    INSTANCE,
    NOW,
    OTHER,
    PLAN,
    POLICY,
    House,
)

IDENTITY = {"instance": INSTANCE, "tenant": "acme", "environment": "production", "data_class": "production"}
SIGNERS = Signers("".join(f'{name}@example.com namespaces="{",".join(ROLES.values())}" ssh-ed25519 AAAA{name}\n' for name in ("anna", "aron")))
NOTHING: dict[str, Any] = {
    "now": NOW.isoformat(), "instance": {"name": INSTANCE, "tenant": "acme", "environment": "production", "class": "production", "region": "eu", "data_class": "production"},
    "request": {"by": "ruth", "reason": "", "state": "released"},
    "plan": {"digest": PLAN, "class": "update", "strategy": "hold", "from": "a", "to": "b", "image": IMAGE, "updates": 2, "steps": ["pull"]},
    "lower": None, "recovery_point": None, "rehearsal": {"ok": None, "hours": None, "pause": None, "max_pause": 55},
    "calendar": {"time_zone": "Europe/Berlin", "freezes": [], "window": None, "windows": 0, "next_window": None, "shop_open": False, "shop_until": None, "next_moment": "2026-12-01"},
    "decisions": [], "signers": {role: SIGNERS.people(role, NOW) for role in ROLES}, "pos": {"open": None}, "scan": None, "sbom": None, "differences": [],
    "waves": None, "room": None, "imports": None, "closings": None, "incidents": [],
    "provenance": None, "sources": [], "image_signatures": [], "attached": {"provenance": "there is none", "sbom": "there is none", "signatures": "there is none"}}


def changed(path: str, value: Any) -> dict[str, Any]:
    facts = copy.deepcopy(NOTHING)
    if not path:
        return {**facts, **value}
    *outer, last = path.split(".")
    target = facts
    for key in outer:
        target = target[key]
    target[last] = value
    return facts


def parsed(*gates: dict[str, Any], **more: Any) -> policies.Policy:
    return policies.parse({**POLICY, "classes": {"open": {"gates": []}, "production": {"gates": list(gates), **more}}}, SIGNERS, NOW)


def verdict(gate: dict[str, Any], facts: dict[str, Any]) -> Verdict:
    return judge(parsed(gate).classes["production"], facts, NOW)


LOWER = {"instance": "acme-uat", "image": IMAGE, "since": "x", "hours": 30.0, "incidents": []}
SCAN = {"by": "b", "made": "x", "hours": 1.0, "tool": "trivy", "counts": {"critical": 1, "high": 0, "medium": 7, "low": 0, "unknown": 0},
        "findings": [{"id": "CVE-1", "package": "p", "severity": "critical"}]}
def aged(published: str) -> dict[str, Any]:
    return {**SCAN, "findings": [{**SCAN["findings"][0], "published": published}]}


APPROVED = {"by": "anna@example.com", "role": "app", "verdict": "approved", "counts": True, "why_not": "", "reason": "", "security_key": "none"}
BARE = {"what": "config.workers", "owner": "", "reason": "", "until": "", "over": False, "declared": False, "said": "2, baseline 4"}
BEFORE = {"instance": "acme-canary", "wave": "canary", "hours": 5.0, "failed": False}
OVER = {"what": "workers", "owner": "anna", "reason": "peak", "until": "2026-01-01T00:00:00Z", "over": True}

OPENED = [{"id": "INC-7", "made": "x", "title": "tills hang", "instance": "acme-uat"}]
MEMORY = {"what": "memory", "unit": "MB", "free": 2000, "needs": 1900}
SEEN = ("recovery_point", "rehearsal", "pos", "room", "imports", "closings")

TABLE: list[tuple[dict[str, Any], str, Any, bool, str]] = [
    ({"gate": "soaked", "hours": 24}, "lower", None, False, "names no lower environment"),
    ({"gate": "soaked", "hours": 24}, "lower", {**LOWER, "hours": None}, False, "never ran"),
    ({"gate": "soaked", "hours": 24}, "lower", {**LOWER, "hours": 23.9}, False, "ran on acme-uat for 23.9 h, and 24 h are asked for"),
    ({"gate": "soaked", "hours": 0.02}, "lower", {**LOWER, "hours": 0.001}, False, "for 0 min, and 2 min are asked for"),
    ({"gate": "soaked", "hours": 24}, "lower", {**LOWER, "hours": 23.9, "incidents": OPENED}, False, "24 h are asked for; and open incidents about this image: INC-7"),
    ({"gate": "soaked", "hours": 24}, "lower", LOWER, True, "30 h"),
    ({"gate": "recovery_point", "hours": 2}, "recovery_point", None, False, "no verified recovery point"),
    ({"gate": "recovery_point", "hours": 2}, "recovery_point", {"id": None, "hours": None, "count": 0}, False, "no verified recovery point"),
    ({"gate": "recovery_point", "hours": 2}, "recovery_point", {"id": "p", "hours": 2.1, "count": 1}, False, "2.1 h old"),
    ({"gate": "recovery_point", "hours": 2}, "recovery_point", {"id": "p", "hours": 1.9, "count": 1}, True, "1.9 h old"),
    ({"gate": "recovery_point", "hours": 2}, "plan.class", "create", True, "no database yet"),
    ({"gate": "rehearsed"}, "plan.class", "code", True, "nothing of the database"),
    ({"gate": "rehearsed"}, "now", NOTHING["now"], False, "was not rehearsed"),
    ({"gate": "rehearsed"}, "rehearsal", {"ok": False, "hours": 1, "pause": None, "max_pause": 55}, False, "failed"),
    ({"gate": "rehearsed", "hours": 4}, "rehearsal", {"ok": True, "hours": 5.0, "pause": 1.0, "max_pause": 55}, False, "5 h ago"),
    ({"gate": "rehearsed"}, "rehearsal", {"ok": True, "hours": 5.0, "pause": 56.0, "max_pause": 55}, False, "56.0 s"),
    ({"gate": "rehearsed", "max_pause": 20}, "rehearsal", {"ok": True, "hours": 5.0, "pause": 21.0, "max_pause": 3000}, False, "21.0 s"),
    ({"gate": "rehearsed"}, "rehearsal", {"ok": True, "hours": 5.0, "pause": 54.0, "max_pause": 55}, True, "54.0 s of 55 s"),
    ({"gate": "freeze"}, "calendar.freezes", [{"summary": "Black Friday", "until": "x", "category": "peak"}], False, "Black Friday until x"),
    ({"gate": "freeze"}, "now", NOTHING["now"], True, "no freeze"),
    ({"gate": "window"}, "now", NOTHING["now"], False, "no change window for this instance"),
    ({"gate": "window"}, "calendar.windows", 3, False, "outside every change window"),
    ({"gate": "window"}, "calendar.window", {"summary": "Night", "until": "x"}, True, "inside the window Night"),
    ({"gate": "shop_closed"}, "calendar.shop_open", True, False, "are open until"),
    ({"gate": "shop_closed"}, "now", NOTHING["now"], True, "closed"),
    ({"gate": "requested"}, "now", NOTHING["now"], False, "nobody asked"),
    ({"gate": "requested"}, "decisions", [{**APPROVED, "role": "request"}], True, "asked for by anna"),
    ({"gate": "approved", "role": "app", "count": 2}, "decisions", [APPROVED], False, "1 of 2"),
    ({"gate": "approved", "role": "app", "count": 2}, "decisions", [APPROVED, APPROVED], False, "1 of 2"),
    ({"gate": "approved", "role": "app", "count": 2}, "decisions", [APPROVED, {**APPROVED, "by": "aron@example.com"}], True, "anna@example.com, aron@example.com"),
    ({"gate": "approved", "role": "schema"}, "decisions", [APPROVED], False, "0 of 1"),
    ({"gate": "approved", "role": "app", "security_key": True}, "decisions", [APPROVED], False, "not by a security key"),
    ({"gate": "approved", "role": "app", "security_key": True}, "decisions", [{**APPROVED, "security_key": "touched"}], False, "not by a security key"),
    ({"gate": "approved", "role": "app", "security_key": True}, "decisions", [{**APPROVED, "security_key": "verified"}], True, "anna"),
    ({"gate": "approved", "role": "schema"}, "plan.class", "code", True, "nothing of the schema"),
    ({"gate": "pos_closed"}, "pos.open", 3, False, "3 point of sale sessions"), ({"gate": "pos_closed"}, "pos.open", 0, True, "no point of sale session"),
    ({"gate": "pos_closed"}, "pos", None, True, "no point of sale"),
    ({"gate": "scanned", "most": {"critical": 0}}, "scan", None, False, "no scan"), ({"gate": "scanned", "most": {"critical": 0}}, "scan", SCAN, False, "1 critical, 0 allowed (CVE-1)"),
    ({"gate": "scanned", "most": {"critical": 1}}, "scan", SCAN, True, "scanned"), ({"gate": "scanned", "most": {"medium": 6}}, "scan", SCAN, False, "7 medium, 6 allowed"),
    ({"gate": "scanned", "most": {}, "hours": 0.5}, "scan", SCAN, False, "1 h old"),
    ({"gate": "scanned", "most": {"critical": 0}, "grace": {"critical": 7}}, "scan", SCAN, False, "1 critical, 0 allowed (CVE-1)"),
    ({"gate": "scanned", "most": {"critical": 0}, "grace": {"critical": 7}}, "scan", aged("2026-11-23T20:59:00+00:00"), False, "1 critical, 0 allowed (CVE-1)"),
    ({"gate": "scanned", "most": {"critical": 0}, "grace": {"critical": 7}}, "scan", aged("2026-11-23T21:01:00+00:00"), True, "known for a few days only: CVE-1"),
    ({"gate": "scanned", "most": {"critical": 0}, "grace": {"high": 7}}, "scan", aged("2026-11-30T20:00:00+00:00"), False, "1 critical"),
    ({"gate": "sbom"}, "sbom", None, False, "no SBOM"), ({"gate": "sbom"}, "sbom", {"components": 3, "by": "b"}, True, "3 components"),
    ({"gate": "soaked", "hours": 24}, "lower", {**LOWER, "incidents": OPENED}, False, "INC-7 since x on acme-uat (tills hang)"),
    ({"gate": "recovery_point", "hours": 2}, "recovery_point", {"problem": "the store does not answer"}, False, "cannot be read (recovery_point: the store"),
    ({"gate": "pos_closed"}, "pos", {"problem": "no right"}, False, "cannot be read (pos: no right)"),
    ({"gate": "headroom"}, "room", None, False, "nothing tells how much room"), ({"gate": "headroom"}, "room", {"problem": "no answer"}, False, "no answer"),
    ({"gate": "headroom"}, "room", {"bounds": [MEMORY, {"what": "disk", "unit": "MB", "free": 1, "needs": 2}]}, False, "disk: 1 MB free, 2 needed"),
    ({"gate": "headroom", "spare": 10}, "room", {"bounds": [MEMORY]}, False, "2000 MB free, 2090 needed"),
    ({"gate": "headroom"}, "room", {"bounds": [MEMORY]}, True, "memory 2000 of 1900 MB"),
    ({"gate": "imports"}, "imports", {"running": ["an import for 3 s"]}, False, "1 imports run: an import for 3 s"),
    ({"gate": "imports"}, "imports", {"problem": "database_down"}, False, "database_down"), ({"gate": "imports"}, "imports", {"running": [], "problem": ""}, True, "no import"),
    ({"gate": "closings"}, "closings", {"open": ["POS/7 is being counted"]}, False, "POS/7 is being counted"),
    ({"gate": "closings"}, "closings", {"problem": "UndefinedColumn: o.state"}, False, "UndefinedColumn"),
    ({"gate": "closings"}, "closings", {"open": []}, True, "in the books"), ({"gate": "closings"}, "closings", {"open": None}, True, "no point of sale"),
    ({"gate": "incidents"}, "incidents", OPENED, False, "open incidents about this image"), ({"gate": "incidents"}, "incidents", [], True, "no incident"),
    *BUILD_TABLE,
    ({"gate": "differences"}, "differences", [OVER], False, "workers (anna, until"),
    ({"gate": "differences"}, "differences", [BARE], False, "nobody declared: config.workers (2, baseline 4)"),
    ({"gate": "waves"}, "waves", None, False, "in no wave"), ({"gate": "waves"}, "waves", {"wave": "", "before": []}, False, "in no wave"),
    ({"gate": "waves"}, "waves", {"wave": "canary", "before": []}, True, "is the first"),
    ({"gate": "waves"}, "waves", {"wave": "eu", "before": [BEFORE]}, True, "1 instances of the waves before"),
    ({"gate": "waves", "hours": 24}, "waves", {"wave": "eu", "before": [BEFORE]}, False, "ran it for 5.0 of 24 h"),
    ({"gate": "waves"}, "waves", {"wave": "eu", "before": [{**BEFORE, "hours": None}]}, False, "acme-canary of canary does not run it"),
    ({"gate": "waves"}, "waves", {"wave": "eu", "before": [{**BEFORE, "failed": True}]}, False, "failed with it"),
    ({"gate": "waves", "tolerated": 1}, "waves", {"wave": "eu", "before": [{**BEFORE, "failed": True}]}, True, "wave eu"),
    ({"gate": "differences"}, "differences", [{**OVER, "over": False}], True, "1 approved"),
]


@pytest.mark.parametrize(("gate", "path", "value", "passed", "said"), TABLE, ids=[f"{case[0]['gate']}-{number}" for number, case in enumerate(TABLE)])
def test_ready_gate(gate: dict[str, Any], path: str, value: Any, passed: bool, said: str) -> None:
    found = verdict(gate, changed(path, value))
    assert (found.gates[0]["passed"], found.passed) == (passed, passed) and said in found.gates[0]["reason"], found.gates[0]
    # Who is refused is told what would satisfy it, and who can.
    assert passed or (found.gates[0]["needs"] and found.gates[0]["who"])


def test_nobody_is_approved_for() -> None:
    """Who leaves out who asks could approve for themselves."""
    found = verdict({"gate": "approved", "role": "app"}, {**changed("decisions", [APPROVED]), "request": {"by": " ", "reason": "", "state": "released"}})
    assert not found.passed and "is not named" in found.gates[0]["reason"]


def test_every_ready_gate_is_tried_both_ways() -> None:
    assert {(case[0]["gate"], case[3]) for case in TABLE} == {(name, way) for name in READY for way in (True, False)}


def test_all_gates_at_once() -> None:
    policy = parsed({"gate": "soaked", "hours": 1}, {"gate": "window"}, {"gate": "sbom"}, {"gate": "freeze"})
    found = judge(policy.classes["production"], NOTHING, NOW)
    assert [(gate["gate"], gate["passed"]) for gate in found.gates] == [("soaked", False), ("window", False), ("sbom", False), ("freeze", True)]


def test_a_gate_is_asked_for_its_states_only() -> None:
    gate = {"gate": "sbom", "states": ["released"]}
    assert len(verdict(gate, NOTHING).gates) == 1
    assert verdict(gate, changed("request.state", "rolled_back")).gates == []


def free(expression: Any, **more: Any) -> dict[str, Any]:
    return {"name": "small", "expression": expression, "reason": "too much at once", "needs": "a smaller release", "who": "who builds", **more}


@pytest.mark.parametrize(("expression", "passed"), [
    ("plan.updates < `3`", True), ("plan.updates < `2`", False), ("length(decisions[?counts]) == `0`", True), ("lower.hours > `1` || plan.class == 'update'", True),
    ("contains(plan.steps, 'pull')", True), ("!(calendar.shop_open) && pos.open == `null`", True), ("length(calendar.freezes[].summary) == `0`", True),
    ("scan.counts.critical == `null`", True), ("signers.app[0] == 'anna@example.com'", True)])
def test_expression(expression: str, passed: bool) -> None:
    found = verdict(free(expression), NOTHING)
    assert found.passed == passed
    assert passed or found.gates[0] == {"gate": "small", "passed": False, "reason": "too much at once", "needs": "a smaller release", "who": "who builds"}


@pytest.mark.parametrize(("expression", "said"), [
    ("plan.update < `3`", "there is no plan.update"), ("weather == 'fine'", "there is no weather"), ("decisions[?count]", "there is no decisions[].count"),
    ("calendar.freezes[0].name == 'x'", "there is no"), ("plan.class.name == 'x'", "there is no plan.class.name"), ("plan.updates <", "a JMESPath expression"),
    ("", "a value"), (None, "a value"), ("pos.open == null", "there is no null"), (3, "a JMESPath expression"), ("nosuch(plan.updates)", "")])
def test_expression_that_is_none(expression: Any, said: str) -> None:
    with pytest.raises(DomainError) as error:
        verdict(free(expression), NOTHING)
    assert error.value.code in ("bad_input", "policy_broken") and "policy.classes.production.gates[0]" in error.value.message and said in error.value.message


@pytest.mark.parametrize("expression", ["plan.updates", "plan", "sum(plan.steps) > `1`", "lower.hours > `1`"])
def test_what_gives_neither_true_nor_false_passes_nothing(expression: str) -> None:
    with pytest.raises(DomainError) as error:
        verdict(free(expression), NOTHING)
    assert error.value.code == "policy_broken"


SCANNED = {"gate": "scanned", "most": {"critical": 0}}
EXCEPTION = {"id": "CVE-1", "owner": "anna", "reason": "r", "until": "2027-01-01T00:00:00Z"}
ACME = {"class": "production", "environment": "production", "region": "eu"}


@pytest.mark.parametrize(("policy", "field"), [
    ({"default": "x"}, "policy.default"), ({"default": None}, "policy.default"), ({"surprise": 1}, "policy is"), ({"classes": {}}, "policy.instances"),
    ({"instances": {"acme": {"class": "x", "environment": "e"}}}, "policy.instances.acme.class"), ({"instances": {"Acme": ACME}}, "policy.instances.Acme"),
    ({"instances": {"acme": {"class": "open"}}}, "policy.instances.acme.environment"), ({"instances": {"acme": {**ACME, "region": "moon"}}}, "policy.instances.acme.region"),
    ({"instances": {"acme": {"class": "production", "environment": "e"}}, "gates": [{"gate": "freeze"}]}, "policy.instances.acme.region"),
    ({"instances": {"acme": ACME}, "gates": [{"gate": "soaked", "hours": 1}]}, "policy.instances.acme.lower"),
    ({"instances": {"acme": {**ACME, "lower": "nowhere"}}}, "policy.instances.acme.lower"),
    ({"instances": {"acme": {**ACME, "differences": [{"what": "x", "owner": "a", "reason": "r"}]}}}, "policy.instances.acme.differences[0].until"),
    ({"waves": {}}, "policy.waves"), ({"waves": [{"name": "eu"}]}, "policy.waves[0]"), ({"waves": [{"name": "eu", "regions": ["mars"]}]}, "policy.waves[0].regions"),
    ({"waves": [{"name": "a", "instances": ["nobody"]}]}, "policy.waves[0].instances"), ({"waves": [{"name": "a", "instances": "acme"}]}, "policy.waves[0].instances"),
    ({"waves": [{"name": "a", "regions": []}, {"name": "a", "regions": []}]}, "policy.waves[1].name"), ({"baseline": []}, "policy.baseline"),
    ({"gates": [{"gate": "sunny"}]}, "policy.classes.production.gates[0].gate"), ({"gates": ["freeze"]}, "policy.classes.production.gates[0].gate"), ({"gates": {}}, "policy.classes.production.gates"),
    ({"gates": [{"gate": "soaked"}]}, "policy.classes.production.gates[0].hours"), ({"gates": [{"gate": "soaked", "hours": "1"}]}, "policy.classes.production.gates[0].hours"),
    ({"gates": [{"gate": "soaked", "hours": -1}]}, "policy.classes.production.gates[0].hours"), ({"gates": [{"gate": "soaked", "hours": True}]}, "policy.classes.production.gates[0].hours"),
    ({"gates": [{"gate": "freeze", "hours": 1}]}, "policy.classes.production.gates[0] is"), ({"gates": [{"gate": "freeze"}, {"gate": "freeze"}]}, "policy.classes.production.gates is"),
    ({"gates": [{"gate": "approved", "role": "app", "count": 3}]}, "policy.classes.production.gates[0].count is 3, expected at most 2"),
    ({"gates": [{"gate": "approved", "role": "app", "security_key": "yes"}]}, "policy.classes.production.gates[0].security_key"),
    ({"gates": [{"gate": "approved", "role": "boss"}]}, "policy.classes.production.gates[0].role"), ({"gates": [{"gate": "approved", "role": "app", "count": 0}]}, "policy.classes.production.gates[0].count"),
    ({"gates": [{"gate": "freeze", "states": ["sometimes"]}]}, "policy.classes.production.gates[0].states"),
    ({"gates": [{**SCANNED, "most": {"awful": 0}}]}, "policy.classes.production.gates[0].most"), ({"gates": [{**SCANNED, "most": {"high": "0"}}]}, "policy.classes.production.gates[0].most.high"),
    ({"gates": [{**SCANNED, "exceptions": [{key: value for key, value in EXCEPTION.items() if key != "until"}]}]}, "policy.classes.production.gates[0].exceptions[0].until"),
    ({"gates": [{**SCANNED, "exceptions": [{**EXCEPTION, "until": "never"}]}]}, "policy.classes.production.gates[0].exceptions[0].until"),
    ({"gates": [{**SCANNED, "exceptions": [{**EXCEPTION, "owner": ""}]}]}, "policy.classes.production.gates[0].exceptions[0].owner"),
    ({"gates": [{**SCANNED, "grace": {"low": 3}}]}, "policy.classes.production.gates[0].grace"), ({"gates": [{**SCANNED, "grace": {"high": -1}}]}, "policy.classes.production.gates[0].grace.high"),
    ({"gates": [{"gate": "image_signature", "keys": {"a": "cosign.pub"}}]}, "policy.classes.production.gates[0].keys.a"),
    ({"gates": [{"gate": "image_signature", "count": 0}]}, "policy.classes.production.gates[0].count"),
    ({"gates": [{"gate": "commit_signatures", "by": "anna"}]}, "policy.classes.production.gates[0].by"),
    ({"gates": [{"gate": "commit_signatures", "reviewed": "no"}]}, "policy.classes.production.gates[0].reviewed"),
    ({"gates": [{"gate": "provenance", "afterwards": 1}]}, "policy.classes.production.gates[0].afterwards"),
    ({"gates": [free("now == now", name="freeze")]}, "policy.classes.production.gates[0].name"), ({"gates": [{"name": "x", "expression": "now"}]}, "policy.classes.production.gates[0].reason"),
    ({"breakable": ["freeze"]}, "policy.classes.production.breakable"), ({"review_hours": 0}, "policy.classes.production.review_hours"), ({"approval_hours": 0}, "policy.approval_hours"),
    ({"regions": {"eu": {"time_zone": "Mars"}}}, "policy.regions.eu.time_zone")])
def test_policy_that_is_none(policy: dict[str, Any], field: str) -> None:
    mine = {key: policy.pop(key) for key in ("gates", "breakable", "review_hours") if key in policy}
    value = {**POLICY, "classes": {"open": {"gates": []}, "production": {"gates": [], **mine}}, **policy}
    with pytest.raises(DomainError) as error:
        policies.parse(value, SIGNERS, NOW)
    assert error.value.code == "bad_input" and error.value.message.startswith(field), error.value.message


def test_nothing_is_breakable_without_somebody_to_break_and_to_review() -> None:
    nobody = Signers('anna@example.com namespaces="release-emergency@sysgenpro" ssh-ed25519 AAAA\n')
    for signers in (Signers(""), nobody):
        with pytest.raises(DomainError) as error:
            policies.parse({**POLICY, "classes": {"open": {"gates": []}, "production": {"gates": [{"gate": "freeze"}], "breakable": ["freeze"]}}}, signers, NOW)
        assert error.value.message.startswith("policy.classes.production.breakable")


def test_facts_have_what_gates_and_expressions_may_ask(tmp_path: Path) -> None:
    """Facts of a real gate have the documented shape, and nothing beside it."""
    house = House(tmp_path)
    gate = InstanceGate(house.governance(), IDENTITY)
    facts = gate.facts(NOTHING["plan"], NOTHING["request"], {key: NOTHING[key] for key in SEEN})
    assert set(facts) == set(FACTS)
    for name in ("instance", "request", "plan", "calendar", "signers", "rehearsal", "lower"):
        assert set(facts[name]) == set(FACTS[name]), name
    house.decide("anna@example.com")
    gate = InstanceGate(house.governance(), IDENTITY)
    facts = gate.facts(NOTHING["plan"], NOTHING["request"], {key: NOTHING[key] for key in SEEN})
    assert set(facts["decisions"][0]) == set(FACTS["decisions"][0])
    assert all(text for _path, text in described())


# -- the place on a machine -----------------------------------------------------------------------

def test_a_machine_that_is_not_governed(tmp_path: Path) -> None:
    assert found(str(tmp_path / "nothing")) is None


def loose(house: House) -> None:
    os.chmod(house.place / "policy.json", 0o666)


def loose_directory(house: House) -> None:
    os.chmod(house.place, 0o777)


def link(house: House) -> None:
    (house.place / "policy.json").rename(house.directory / "elsewhere.json")
    (house.place / "policy.json").symlink_to(house.directory / "elsewhere.json")


def loose_calendar(house: House) -> None:
    house.calendars["a.ics"] = "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"
    house.write()
    os.chmod(house.place / "calendars" / "a.ics", 0o620)


def missing(house: House) -> None:
    (house.place / "allowed_signers").unlink()


def no_json(house: House) -> None:
    (house.place / "policy.json").write_text("default: production")


def no_ledger(house: House) -> None:
    (house.place / "ledger.json").write_text("{}")


@pytest.mark.parametrize(("harm", "code"), [
    (loose, "governance_unsafe"), (loose_directory, "governance_unsafe"), (link, "governance_unsafe"), (loose_calendar, "governance_unsafe"),
    (missing, "governance_incomplete"), (no_json, "bad_input"), (no_ledger, "governance_incomplete")])
def test_a_place_that_cannot_be_believed(tmp_path: Path, harm: Any, code: str) -> None:
    house = House(tmp_path)
    harm(house)
    with pytest.raises(DomainError) as error:
        house.governance()
    assert error.value.code == code


def test_a_place_that_is_somebody_elses(tmp_path: Path) -> None:
    house = House(tmp_path)
    with pytest.raises(DomainError) as error:
        found(str(house.place), str(tmp_path), owner=os.getuid() + 1)
    assert error.value.code == "governance_unsafe" and f"belongs to user {os.getuid()}" in error.value.message


def test_environment_is_what_the_policy_says(tmp_path: Path) -> None:
    with pytest.raises(DomainError) as error:
        InstanceGate(House(tmp_path).governance(), {**IDENTITY, "environment": "development"})
    assert error.value.code == "bad_input" and error.value.message.startswith("environment is 'development', expected production")


def test_who_is_not_listed_has_the_defaults_gates(tmp_path: Path) -> None:
    assert InstanceGate(House(tmp_path).governance(), {**IDENTITY, "instance": "stranger", "environment": "development"}).policy.name == "production"


# -- soak time and what another policy would have stopped ------------------------------------------

@pytest.mark.parametrize(("releases", "hours"), [
    ([], None), ([(IMAGE, "done", 30)], 30.0), ([(OTHER, "done", 30)], None), ([(IMAGE, "undone", 30)], None),
    ([(IMAGE, "done", 30), (OTHER, "done", 10)], 20.0), ([(OTHER, "done", 30), (IMAGE, "finished", 10)], 10.0), ([(IMAGE, "done", 30), (IMAGE, "done", 10)], 30.0),
    ([(IMAGE, "done", 30), (OTHER, "undone", 10)], 30.0), ([(IMAGE, "done", 50), (OTHER, "done", 40), (IMAGE, "done", 5)], 5.0)])
def test_soak_time_by_the_ledger_of_the_lower_environment(tmp_path: Path, releases: list[tuple[str, str, int]], hours: float | None) -> None:
    import datetime

    house = House(tmp_path)
    end = house.now
    for number, (image, outcome, ago) in enumerate(releases):
        house.now = end - datetime.timedelta(hours=ago)
        house.ledger("acme-uat").append("release", {"plan": PLAN}, {"operation": str(number), "outcome": outcome, "state": "released", "image": image})
    house.now = end
    facts = InstanceGate(house.governance(), IDENTITY).facts(NOTHING["plan"], NOTHING["request"], {"recovery_point": None, "rehearsal": None, "pos": None})
    assert facts["lower"]["hours"] == hours


def test_simulate(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.policy["classes"]["production"]["gates"] = [{"gate": "shop_closed"}]
    house.write()
    for updates in (1, 9):
        gate = InstanceGate(house.governance(), IDENTITY)
        facts = gate.facts({**NOTHING["plan"], "updates": updates}, NOTHING["request"], {key: NOTHING[key] for key in ("recovery_point", "rehearsal", "pos")})
        gate.admit(facts, gate.judge(facts))
    other = json.loads(json.dumps(house.policy))
    other["classes"]["production"]["gates"].append(free("plan.updates < `5`"))
    found = house.ask("policy", policy=other)
    assert found["stopped"] == [2]
    assert found["cases"][0]["failed"] == [{"gate": "small", "reason": "too much at once"}]
    assert house.ask("policy")["stopped"] == []


def test_windows(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.calendars["a.ics"] = ("BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Christmas\r\nCATEGORIES:FREEZE\r\nDTSTART;VALUE=DATE:20261224\r\n"
                                "RESOURCES:region_eu\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n")
    house.write()
    told = house.ask("windows")
    assert (told["class"], told["region"]) == ("production", "eu")
    assert told["upcoming"] == [{"category": "freeze", "summary": "Christmas", "from": "2026-12-24T00:00:00+01:00", "until": "2026-12-25T00:00:00+01:00", "now": False}]


def test_what_governs(tmp_path: Path) -> None:
    house = House(tmp_path)
    told = house.ask("governance")
    assert told["classes"] == {"open": [], "production": ["approved_app", "approved_schema"]}
    assert told["signers"]["app"] == ["anna@example.com", "aron@example.com"] and told["ledger_key"].startswith("ssh-ed25519 ")


@pytest.mark.parametrize(("change", "said"), [
    ({}, ""), ({"policy": {"default": "x", "classes": {}}}, "policy.default"), ({"allowed_signers": "anna"}, "allowed_signers, line 1"),
    ({"calendars": [{"name": "a.ics", "content": "x"}]}, "a.ics")])
def test_a_candidate_is_tried_before_it_is_put_in_place(tmp_path: Path, change: dict[str, Any], said: str) -> None:
    house = House(tmp_path)
    asked = {"policy": house.policy, "allowed_signers": "\n".join(house.lines), **change}
    if not said:
        assert house.ask("candidate", **asked) == {"classes": ["open", "production"], "events": 0}
        return
    with pytest.raises(DomainError) as error:
        house.ask("candidate", **asked)
    assert error.value.code == "bad_input" and error.value.message.startswith(said)
