# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports of scanners and SBOMs, as they are written by others: Trivy's and Grype's JSON, SARIF 2.1.0, CycloneDX.

Each reader gives ``tool``, ``made`` (None where the report does not say), ``images`` (every digest that it names as its subject) and what was found.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

SEVERITIES = ("critical", "high", "medium", "low", "unknown")
# Findings that a statement names one by one; what a policy never looks at is counted.
NAMED = ("critical", "high")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
# CVSS's qualitative ratings, by which SARIF's property security-severity is read: https://www.first.org/cvss/v3.1/specification-document
RATINGS = ((9.0, "critical"), (7.0, "high"), (4.0, "medium"), (0.1, "low"))
LIKE_LOW = ("negligible", "info", "informational", "none")


def scan(value: Mapping[str, Any]) -> dict[str, Any]:
    """:raises ValueError: for what is no report of a known scanner. :raises KeyError, TypeError, AttributeError: where a part has another shape."""
    if value.get("SchemaVersion") == 2 and "Metadata" in value:
        return _trivy(value)
    if "matches" in value and "descriptor" in value:
        return _grype(value)
    if value.get("version") == "2.1.0" and isinstance(value.get("runs"), list):
        return _sarif(value)
    raise ValueError("it is no report of Trivy (SchemaVersion 2) or Grype in JSON, and no SARIF 2.1.0")


def bill(value: Mapping[str, Any]) -> dict[str, Any]:
    """An SBOM. :raises: as ``scan``."""
    if value.get("bomFormat") != "CycloneDX":
        raise ValueError("it is no CycloneDX in JSON")
    components = value.get("components") or []
    if not isinstance(components, list) or not components:
        raise ValueError("it has no components, so it says nothing of what is in the image")
    metadata = value.get("metadata") or {}
    return {"tool": "cyclonedx", "made": metadata.get("timestamp"), "components": len(components), "images": list(_named(metadata.get("component") or {}))}


def _found(tool: str, made: Any, images: list[str], findings: Mapping[tuple[str, str], Mapping[str, Any]]) -> dict[str, Any]:
    """:param findings: by id and package, each with ``severity`` and perhaps ``published``."""
    counts = Counter(_severity(one["severity"]) for one in findings.values())
    return {"tool": tool, "made": made, "images": images, "counts": {severity: counts[severity] for severity in SEVERITIES},
            "findings": [{"id": name, "package": package, "severity": _severity(one["severity"]),
                          **({"published": one["published"]} if one.get("published") else {})}
                         for (name, package), one in sorted(findings.items()) if _severity(one["severity"]) in NAMED]}


def _severity(text: Any) -> str:
    word = str(text or "unknown").lower()
    return word if word in SEVERITIES else "low" if word in LIKE_LOW else "unknown"


def _trivy(value: Mapping[str, Any]) -> dict[str, Any]:
    metadata = value["Metadata"] or {}
    found = {(str(one["VulnerabilityID"]), str(one.get("PkgName", ""))): {"severity": one.get("Severity"), "published": one.get("PublishedDate")}
             for result in value.get("Results") or () for one in result.get("Vulnerabilities") or ()}
    return _found("trivy", value.get("CreatedAt"), _digests(metadata.get("RepoDigests"), value.get("ArtifactName")), found)


def _grype(value: Mapping[str, Any]) -> dict[str, Any]:
    source, descriptor = value.get("source") or {}, value["descriptor"] or {}
    target: Mapping[str, Any] = source["target"] if source.get("type") == "image" else {}
    found = {(str(one["vulnerability"]["id"]), str(one["artifact"].get("name", ""))): {"severity": one["vulnerability"].get("severity")}
             for one in value["matches"] or ()}
    images = _digests(target.get("repoDigests"), target.get("manifestDigest"), target.get("userInput"))
    return _found(str(descriptor.get("name") or "grype"), descriptor.get("timestamp"), images, found)


def _sarif(value: Mapping[str, Any]) -> dict[str, Any]:
    """One run of one scanner; a file with several could hide that one of them saw another image."""
    if len(value["runs"]) != 1:
        raise ValueError(f"it has {len(value['runs'])} runs, and one is expected")
    run = value["runs"][0]
    driver, about = run["tool"]["driver"], run.get("properties") or {}
    rules = {str(rule["id"]): rule.get("properties") or {} for rule in driver.get("rules") or ()}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    places: list[str] = []
    for one in run.get("results") or ():
        # What is marked as suppressed counts, too: an exception stands in the policy.
        at = [place for location in one.get("locations") or () for place in _places(location)]
        places += at
        name = str(one.get("ruleId") or (one.get("rule") or {}).get("id"))
        found[name, at[0] if at else ""] = {"severity": _rated(one, rules.get(name) or {})}
    ended = [each["endTimeUtc"] for each in run.get("invocations") or () if each.get("endTimeUtc")]
    images = _digests(about.get("repoDigests"), about.get("imageName"), *(place.partition(":/")[0] for place in places))
    return _found(str(driver["name"]).lower(), ended[-1] if ended else None, images, found)


def _places(location: Mapping[str, Any]) -> Iterator[str]:
    for each in location.get("logicalLocations") or ():
        yield str(each.get("fullyQualifiedName") or "")
    uri = ((location.get("physicalLocation") or {}).get("artifactLocation") or {}).get("uri")
    if uri:
        yield str(uri)


def _rated(result: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
    """A severity by CVSS's score, as scanners give it; without one an error is high, since nobody knows better."""
    score = (result.get("properties") or {}).get("security-severity", rule.get("security-severity"))
    if score is None:
        return {"error": "high", "warning": "medium", "note": "low", "none": "low"}.get(str(result.get("level") or "warning"), "unknown")
    return next((word for least, word in RATINGS if float(score) >= least), "low")


def _digests(*names: Any) -> list[str]:
    texts = [str(text) for name in names for text in (name if isinstance(name, list) else [name])]
    return [found for text in texts for found in DIGEST.findall(text)]


def _named(component: Mapping[str, Any]) -> Iterator[str]:
    """Digests by which a component of CycloneDX is named: as Trivy and Syft write them."""
    texts = [str(component.get(key, "")) for key in ("bom-ref", "name", "version", "purl")]
    texts += [str(one.get("value", "")) for one in component.get("properties") or ()]
    for text in texts:
        yield from DIGEST.findall(text.replace("%3A", ":"))
