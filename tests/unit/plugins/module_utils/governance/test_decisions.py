# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions and evidence: who may, about what, until when; and every way in which one is not taken or does not count."""

from __future__ import annotations

import base64
import copy
import datetime
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.gate import InstanceGate
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import ROLES
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.statements import opened, sealed, statement
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import (
    IMAGE,
    INSTANCE,
    NOW,
    OTHER,
    PLAN,
    House,
)
from cryptography.hazmat.primitives.asymmetric import ed25519

HOUR = datetime.timedelta(hours=1)
IDENTITY = {"instance": INSTANCE, "tenant": "acme", "environment": "production", "data_class": "production"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def facts(house: House, by: str = "ruth", plan: str = PLAN, kind: str = "update") -> dict[str, Any]:
    gate = InstanceGate(house.governance(), IDENTITY)
    return gate.facts({"digest": plan, "class": kind, "strategy": "hold", "from": "a", "to": "b", "image": IMAGE, "updates": 1, "steps": ["pull"]},
                      {"by": by, "reason": "", "state": "released"}, {"recovery_point": None, "rehearsal": None, "pos": None})


def closed(house: House, **more: Any) -> list[str]:
    """Names of the gates that are closed."""
    gate = InstanceGate(house.governance(), IDENTITY)
    return [str(one["gate"]) for one in gate.judge(facts(house, **more)).failed]


def why_not(house: House, name: str, **more: Any) -> str:
    return str(next(one["why_not"] for one in facts(house, **more)["decisions"] if one["by"] == name))


def refused(house: House, envelope: dict[str, Any], code: str = "decision_refused", instance: str = INSTANCE) -> str:
    before = house.ask("ledger")["head"]
    with pytest.raises(DomainError) as error:
        house.record(envelope, instance)
    assert error.value.code == code
    assert house.ask("ledger")["head"] == before
    return error.value.message


def test_application_and_schema_apart(house: House) -> None:
    assert closed(house) == ["approved_app", "approved_schema"]
    house.decide("anna@example.com")
    assert closed(house) == ["approved_schema"]
    assert closed(house, kind="code") == []
    house.decide("dora@example.com", "schema")
    assert closed(house) == []
    assert closed(house, plan=OTHER) == ["approved_app", "approved_schema"]


@pytest.mark.parametrize(("by", "role", "key", "said"), [
    ("anna@example.com", "schema", "", "not signed by a key that anna@example.com has for release-schema@sysgenpro"),
    ("dora@example.com", "app", "", "not signed by a key that dora@example.com has for release-app@sysgenpro"),
    ("anna@example.com", "app", "dora@example.com", "not signed by a key that anna@example.com has"),
    ("nobody@example.com", "app", "", "not signed by a key that nobody@example.com has"),
    ("build@example.com", "app", "", "not signed by a key that build@example.com has")])
def test_who_may_not(house: House, by: str, role: str, key: str, said: str) -> None:
    assert said in refused(house, house.signed(by, role, key=key))


@pytest.mark.parametrize(("change", "said"), [
    ({"at": NOW + HOUR}, "yet to come"), ({"at": NOW - 30 * HOUR}, "it ended at"), ({"hours": 100}, "the policy allows 72 h"), ({"instance": "acme-uat"}, "about acme-uat")])
def test_what_is_not_taken(house: House, change: dict[str, Any], said: str) -> None:
    assert said in refused(house, house.signed("anna@example.com", **change))


def pasted(envelope: dict[str, Any], **change: Any) -> dict[str, Any]:
    """The signature of one decision under the text of another."""
    found = opened(envelope)
    predicate = {**found.predicate, **{key: value for key, value in change.items() if key != "plan"}}
    value = statement(found.kind, {f"plan:{INSTANCE}": change.get("plan", PLAN)}, predicate)
    return {**envelope, "payload": sealed(value, lambda _text: "")["payload"]}


@pytest.mark.parametrize("change", [{"plan": OTHER}, {"until": "2027-01-01T00:00:00+00:00"}, {"by": "aron@example.com"}, {"role": "schema"}, {"verdict": "rejected"}])
def test_pasted(house: House, change: dict[str, Any]) -> None:
    assert "not signed" in refused(house, pasted(house.signed("anna@example.com"), **change))


def test_garbage(house: House) -> None:
    for envelope in ({}, {"payloadType": "x"}, {**house.signed("anna@example.com"), "signatures": []}, {**house.signed("anna@example.com"), "payload": "§"}):
        assert "no signed in-toto statement" in refused(house, envelope)
    extra = copy.deepcopy(house.signed("anna@example.com"))
    extra["signatures"].append(extra["signatures"][0])
    refused(house, extra)


def test_taken_once(house: House) -> None:
    envelope = house.decide("anna@example.com")
    assert not house.record(envelope), "the same one again changes nothing"
    assert [one["by"] for one in facts(house)["decisions"]] == ["anna@example.com"]


def test_used_up_by_a_release(house: House) -> None:
    """The same plan may come again: release, go back, release. It has to be approved again."""
    envelope = house.decide("anna@example.com")
    house.ledger().append("release", {"plan": PLAN}, {"operation": "one", "outcome": "undone", "state": "released"})
    house.ledger().append("release", {"plan": PLAN}, {"operation": "two", "outcome": "done", "state": "staged"})
    assert closed(house, kind="code") == [], "what was undone, or only staged, used nothing up"
    house.ledger().append("release", {"plan": PLAN}, {"operation": "three", "outcome": "done", "state": "released"})
    assert closed(house, kind="code") == ["approved_app"]
    assert "is used up" in refused(house, envelope)


def test_time_and_keys_end(house: House) -> None:
    house.decide("anna@example.com", hours=2)
    house.now += 3 * HOUR
    assert closed(house, kind="code") == ["approved_app"] and "it ended at" in why_not(house, "anna@example.com")
    house.decide("anna@example.com")
    line = next(number for number, line in enumerate(house.lines) if line.startswith("anna"))
    before = house.lines[line]
    house.lines[line] = house.line("anna@example.com", ROLES["app"], bounds=',valid-before="20261201003000Z"')
    house.write()
    assert closed(house, kind="code") == []
    house.now += HOUR
    assert "may not sign as app any more" in why_not(house, "anna@example.com")
    house.lines[line] = before.replace(before.split()[-1], house.lines[line + 1].split()[-1])
    house.write()
    assert facts(house)["decisions"] == [], "a key that is in the list no more decides nothing"


def test_the_requester_does_not_approve(house: House) -> None:
    house.decide("anna@example.com")
    for name in ("anna@example.com", "Anna", "anna@elsewhere.example"):
        assert closed(house, kind="code", by=name) == ["approved_app"]
        assert why_not(house, "anna@example.com", by=name) == "anna@example.com asked for the release"


def test_who_signed_the_request_does_not_approve(house: House) -> None:
    house.lines.append(house.line("anna@example.com", ROLES["request"]))
    house.write()
    house.decide("anna@example.com", "request")
    assert "asked for this release" in refused(house, house.signed("anna@example.com"))
    house.decide("aron@example.com")
    assert closed(house, kind="code") == []


def test_whoever_approved_and_then_asks_does_not_count_either(house: House) -> None:
    house.lines.append(house.line("anna@example.com", ROLES["request"]))
    house.write()
    house.decide("anna@example.com")
    house.decide("anna@example.com", "request")
    assert closed(house, kind="code") == ["approved_app"]


def test_two_of_two(house: House) -> None:
    house.policy["classes"]["production"]["gates"][0]["count"] = 2
    house.write()
    house.decide("anna@example.com")
    house.now += HOUR
    house.decide("anna@example.com")
    assert closed(house, kind="code") == ["approved_app"], "one person twice is one person"
    house.decide("aron@example.com")
    assert closed(house, kind="code") == []


def test_rejected_and_withdrawn(house: House) -> None:
    house.decide("anna@example.com")
    house.decide("aron@example.com", verdict="rejected", reason="the rehearsal is too slow")
    gate = InstanceGate(house.governance(), IDENTITY)
    found = gate.judge(facts(house)).failed[0]
    assert found["reason"] == "rejected as app by aron@example.com: the rehearsal is too slow"
    house.decide("aron@example.com", verdict="withdrawn")
    assert closed(house, kind="code") == []
    house.decide("anna@example.com", verdict="withdrawn")
    assert closed(house, kind="code") == ["approved_app"]


@pytest.mark.parametrize(("change", "field"), [
    ({"plan": "sha256:abc"}, "plan"), ({"by": "jane"}, "by"), ({"hours": 0}, "hours"), ({"role": "emergency"}, "reason"), ({"role": "nobody"}, "role"),
    ({"instance": "Acme!"}, "instance")])
def test_bad_input(house: House, change: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as error:
        house.signed(**{"by": "anna@example.com", "key": "anna@example.com", **change})
    assert error.value.code == "bad_input" and error.value.message.startswith(field)


# -- security keys --------------------------------------------------------------------------------

def text(*parts: bytes) -> bytes:
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def by_security_key(house: House, flags: int) -> dict[str, Any]:
    """What a security key would sign (PROTOCOL.u2f), with a key of our own; ssh-keygen itself verifies it."""
    key = ed25519.Ed25519PrivateKey.from_private_bytes(b"7" * 32)
    kind, application = b"sk-ssh-ed25519@openssh.com", b"ssh:"
    blob = text(kind, key.public_key().public_bytes_raw(), application)
    namespace = ROLES["app"].encode()
    house.lines.append(f'sara@example.com namespaces="{ROLES["app"]}" {kind.decode()} {base64.b64encode(blob).decode()}')
    house.write()

    def sign(what: str) -> str:
        message = b"SSHSIG" + text(namespace, b"", b"sha512", hashlib.sha512(what.encode()).digest())
        counter = (1).to_bytes(4, "big")
        raw = key.sign(hashlib.sha256(application).digest() + bytes([flags]) + counter + hashlib.sha256(message).digest())
        whole = b"SSHSIG" + (1).to_bytes(4, "big") + text(blob, namespace, b"", b"sha512", text(kind, raw) + bytes([flags]) + counter)
        lines = base64.b64encode(whole).decode()
        return "-----BEGIN SSH SIGNATURE-----\n" + "\n".join(lines[start:start + 70] for start in range(0, len(lines), 70)) + "\n-----END SSH SIGNATURE-----\n"

    found = opened(house.signed("sara@example.com", key="anna@example.com"))
    return sealed(statement(found.kind, found.subject, found.predicate), sign)


@pytest.mark.parametrize(("flags", "said"), [(0x01, "touched"), (0x05, "verified")])
def test_security_key(house: House, flags: int, said: str) -> None:
    house.policy["classes"]["production"]["gates"][0]["security_key"] = True
    house.record(by_security_key(house, flags))
    assert facts(house)["decisions"][0]["security_key"] == said
    assert (closed(house, kind="code") == []) == (said == "verified")
    assert house.ask("ledger")["findings"] == []


def test_a_plain_key_is_no_security_key(house: House) -> None:
    house.policy["classes"]["production"]["gates"][0]["security_key"] = True
    house.write()
    house.decide("anna@example.com")
    assert closed(house, kind="code") == ["approved_app"]


# -- evidence -------------------------------------------------------------------------------------

SCAN: dict[str, Any] = {
    "SchemaVersion": 2, "CreatedAt": "2026-11-30T12:00:00.123456789Z", "ArtifactName": "registry:5000/odoo", "Metadata": {"RepoDigests": [f"registry:5000/odoo@{IMAGE}"]},
    "Results": [{"Target": "debian", "Vulnerabilities": [
        {"VulnerabilityID": "CVE-2026-1", "PkgName": "libc6", "Severity": "CRITICAL"}, {"VulnerabilityID": "CVE-2026-2", "PkgName": "perl", "Severity": "MEDIUM"}]}]}
SBOM: dict[str, Any] = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "libc6"}], "metadata": {
    "timestamp": "2026-11-30T12:00:00Z", "component": {"bom-ref": f"pkg:oci/odoo@{IMAGE.replace(':', '%3A')}"}}}


def evidence(house: House, kind: str, report: Any, image: str = IMAGE, by: str = "build@example.com", **more: Any) -> dict[str, Any]:
    path = house.directory / "report.json"
    path.write_text(report if isinstance(report, str) else json.dumps(report))
    return house.signed(by, role="app", evidence={"kind": kind, "report": str(path), "image": image}, **more)


def gates(house: House, *gates: dict[str, Any]) -> None:
    house.policy["classes"]["production"]["gates"] = list(gates)
    house.write()


def test_scan(house: House) -> None:
    gates(house, {"gate": "scanned", "most": {"critical": 0, "medium": 1}}, {"gate": "sbom"})
    assert closed(house) == ["scanned", "sbom"]
    house.record(evidence(house, "scan", SCAN))
    house.record(evidence(house, "sbom", SBOM))
    found = InstanceGate(house.governance(), IDENTITY).judge(facts(house)).failed
    assert [one["reason"] for one in found] == ["the scan found 1 critical, 0 allowed (CVE-2026-1)"]
    exception = {"id": "CVE-2026-1", "owner": "anna@example.com", "reason": "not reachable", "until": "2026-12-01T00:00:00Z"}
    gates(house, {"gate": "scanned", "most": {"critical": 0, "medium": 1}, "exceptions": [exception]}, {"gate": "sbom"})
    assert closed(house) == []
    house.now += 4 * HOUR
    assert closed(house) == ["scanned"], "the exception has ended"
    house.now += 200 * HOUR
    assert "h old" in str(InstanceGate(house.governance(), IDENTITY).judge(facts(house)).failed[0]["reason"])


@pytest.mark.parametrize(("kind", "report", "said"), [
    ("scan", {**SCAN, "Metadata": {"RepoDigests": [f"registry:5000/odoo@{OTHER}"]}}, "may be of another one"),
    ("scan", {**SCAN, "SchemaVersion": 1}, "no report of Trivy"), ("scan", {**SCAN, "CreatedAt": None}, "CreatedAt"), ("scan", [], "no report"), ("scan", "{", "no JSON"),
    ("scan", {**SCAN, "Results": [{"Vulnerabilities": [{}]}]}, "of another shape"),
    ("sbom", {**SBOM, "components": []}, "no components"), ("sbom", {**SBOM, "bomFormat": "SPDX"}, "no CycloneDX"),
    ("sbom", {**SBOM, "metadata": {"timestamp": "2026-11-30T12:00:00Z"}}, "may be of another one")])
def test_reports_that_are_none(house: House, kind: str, report: Any, said: str) -> None:
    with pytest.raises(DomainError) as error:
        evidence(house, kind, report)
    assert error.value.code == "evidence_refused" and said in error.value.message


def test_who_may_not_sign_evidence(house: House) -> None:
    assert "has for release-evidence@sysgenpro" in refused(house, evidence(house, "scan", SCAN, by="anna@example.com"), "evidence_refused")


# -- a broken glass -------------------------------------------------------------------------------

def test_emergency(house: House) -> None:
    house.policy["classes"]["production"] = {"gates": [{"gate": "shop_closed"}, {"gate": "approved", "role": "app"}], "breakable": ["shop_closed"], "review_hours": 24}
    house.write()
    house.now = NOW - 9 * HOUR  # 13:00 in Berlin
    assert closed(house, kind="code") == ["shop_closed", "approved_app"]
    house.decide("emil@example.com", "emergency", reason="prices are wrong in all shops", at=house.now)
    assert closed(house, kind="code") == ["shop_closed", "approved_app"], "what cannot be broken holds all the same"
    house.decide("anna@example.com")
    gate = InstanceGate(house.governance(), IDENTITY)
    verdict = gate.judge(facts(house, kind="code"))
    assert (verdict.outcome, verdict.broken, verdict.by, verdict.why) == ("broken", ["shop_closed"], ["emil@example.com"], "prices are wrong in all shops")
    gate.admit(facts(house, kind="code"), verdict)
    due = house.ask("ledger")["reviews"]
    assert [(one["plan"], one["by"], one["reason"], one["overdue"]) for one in due] == [(PLAN, ["emil@example.com"], "prices are wrong in all shops", False)]
    house.now += 25 * HOUR
    assert house.ask("ledger")["reviews"][0]["overdue"]
    house.decide("vera@example.com", "review", reason="looked at with the shops")
    assert house.ask("ledger")["reviews"] == []


def test_no_emergency_by_who_asked(house: House) -> None:
    house.policy["classes"]["production"] = {"gates": [{"gate": "shop_closed"}], "breakable": ["shop_closed"]}
    house.write()
    house.now = NOW - 9 * HOUR
    house.decide("emil@example.com", "emergency", reason="now")
    assert closed(house, kind="code") == []
    assert closed(house, kind="code", by="emil") == ["shop_closed"]
