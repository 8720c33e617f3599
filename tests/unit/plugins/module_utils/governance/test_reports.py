# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of scanners as they are written by Trivy, Grype and in SARIF: what gates ask of them, and those that are no evidence."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.evidence import summary
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import IMAGE, OTHER

AT = "2026-11-30T12:00:00Z"
NAME = f"registry:5000/odoo@{IMAGE}"
TRIVY: dict[str, Any] = {
    "SchemaVersion": 2, "CreatedAt": "2026-11-30T12:00:00.123456789Z", "ArtifactName": "registry:5000/odoo", "Metadata": {"RepoDigests": [NAME]},
    "Results": [{"Target": "debian", "Vulnerabilities": [
        {"VulnerabilityID": "CVE-1", "PkgName": "libc6", "Severity": "CRITICAL", "PublishedDate": "2026-11-20T10:15:08.24Z"},
        {"VulnerabilityID": "CVE-2", "PkgName": "perl", "Severity": "MEDIUM"}]}, {"Target": "python"}]}
GRYPE: dict[str, Any] = {
    "matches": [{"vulnerability": {"id": "CVE-1", "severity": "Critical"}, "artifact": {"name": "libc6", "version": "2.41"}},
                {"vulnerability": {"id": "CVE-2", "severity": "Medium"}, "artifact": {"name": "perl"}},
                {"vulnerability": {"id": "CVE-3", "severity": "Negligible"}, "artifact": {"name": "tar"}}],
    "source": {"type": "image", "target": {"userInput": "registry:5000/odoo", "imageID": "sha256:" + "11" * 32, "manifestDigest": IMAGE, "repoDigests": [NAME]}},
    "descriptor": {"name": "grype", "version": "0.104.0", "timestamp": "2026-11-30T12:00:00.123456789Z"}}


def sarif(**more: Any) -> dict[str, Any]:
    run = {
        "tool": {"driver": {"name": "Trivy", "rules": [{"id": "CVE-1", "properties": {"security-severity": "9.8"}}, {"id": "CVE-2", "properties": {"security-severity": "5.0"}}]}},
        "results": [{"ruleId": "CVE-1", "level": "error", "locations": [{"physicalLocation": {"artifactLocation": {"uri": "odoo"}}}]},
                    {"ruleId": "CVE-2", "level": "warning"}, {"ruleId": "CVE-4", "level": "error"}, {"ruleId": "CVE-5", "level": "note"}],
        "properties": {"imageName": "registry:5000/odoo", "repoDigests": [NAME]}, "invocations": [{"endTimeUtc": AT}], **more}
    return {"version": "2.1.0", "runs": [run]}


PLACED = sarif(properties={}, results=[{"ruleId": "CVE-1", "locations": [{"logicalLocations": [{"fullyQualifiedName": f"{NAME}:/usr/lib/libc.so.6"}]}]}])


@pytest.mark.parametrize(("report", "tool", "counts", "named"), [
    (TRIVY, "trivy", {"critical": 1, "medium": 1}, ["CVE-1"]), (GRYPE, "grype", {"critical": 1, "medium": 1, "low": 1}, ["CVE-1"]),
    (sarif(), "trivy", {"critical": 1, "high": 1, "medium": 1, "low": 1}, ["CVE-1", "CVE-4"]), (PLACED, "trivy", {"critical": 1}, ["CVE-1"]),
    ({**GRYPE, "matches": []}, "grype", {}, []), (sarif(results=[]), "trivy", {}, [])], ids=["trivy", "grype", "sarif", "sarif of grype", "grype clean", "sarif clean"])
def test_report(report: dict[str, Any], tool: str, counts: dict[str, int], named: list[str]) -> None:
    found = summary("scan", json.dumps(report).encode(), IMAGE)
    assert (found["tool"], found["made"]) == (tool, "2026-11-30T12:00:00+00:00")
    assert {name: count for name, count in found["counts"].items() if count} == counts and [one["id"] for one in found["findings"]] == named


def test_when_a_finding_became_known() -> None:
    found = summary("scan", json.dumps(TRIVY).encode(), IMAGE)
    assert found["findings"] == [{"id": "CVE-1", "package": "libc6", "severity": "critical", "published": "2026-11-20T10:15:08+00:00"}]
    assert "published" not in summary("scan", json.dumps(GRYPE).encode(), IMAGE)["findings"][0]


def without(report: dict[str, Any], *path: Any) -> dict[str, Any]:
    found = copy.deepcopy(report)
    *outer, last = path
    target: Any = found
    for key in outer:
        target = target[key]
    del target[last]
    return found


OF_ANOTHER: Callable[[dict[str, Any]], dict[str, Any]] = lambda report: json.loads(json.dumps(report).replace(IMAGE, OTHER))  # noqa: E731


@pytest.mark.parametrize(("report", "said"), [
    (OF_ANOTHER(TRIVY), "may be of another one"), (OF_ANOTHER(GRYPE), "may be of another one"), (OF_ANOTHER(sarif()), "may be of another one"), (OF_ANOTHER(PLACED), "may be of another"),
    (without(TRIVY, "CreatedAt"), "CreatedAt"), (without(GRYPE, "descriptor", "timestamp"), "descriptor.timestamp"), (sarif(invocations=[]), "endTimeUtc"),
    ({**GRYPE, "source": {"type": "directory", "target": "/srv"}}, "may be of another one"), (without(GRYPE, "matches", 0, "vulnerability", "id"), "of another shape"),
    ({**GRYPE, "descriptor": {**GRYPE["descriptor"], "timestamp": "yesterday"}}, "a moment with an offset"),
    (without(sarif(), "runs", 0, "tool"), "of another shape"), ({"version": "2.1.0", "runs": sarif()["runs"] * 2}, "2 runs"), ({"version": "2.1.0", "runs": []}, "0 runs"),
    ({"version": "2.0.0", "runs": sarif()["runs"]}, "no report of Trivy"), (sarif(results=[{"ruleId": "x", "properties": {"security-severity": "much"}}]), "much"), ({}, "no report of Trivy")])
def test_no_evidence(report: dict[str, Any], said: str) -> None:
    with pytest.raises(DomainError) as error:
        summary("scan", json.dumps(report).encode(), IMAGE)
    assert error.value.code == "evidence_refused" and said in error.value.message, error.value.message


def test_its_moment_may_be_given_where_it_says_none() -> None:
    assert summary("scan", json.dumps(sarif(invocations=[])).encode(), IMAGE, AT)["made"] == "2026-11-30T12:00:00+00:00"
    assert summary("scan", json.dumps(sarif()).encode(), IMAGE, "2030-01-01T00:00:00Z")["made"] == "2026-11-30T12:00:00+00:00", "what it says goes before"
    with pytest.raises(DomainError):
        summary("scan", json.dumps(sarif(invocations=[])).encode(), IMAGE, "today")
