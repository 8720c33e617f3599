# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence about an image: what a scanner found (Trivy's JSON) and what is in it (CycloneDX), each bound to the image's digest and signed."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from .._kernel.errors import DomainError, bad_input
from .incidents import INCIDENT, incident
from .ledger import SKEW
from .moments import read, written
from .signers import ROLES, Signers
from .statements import EVIDENCE, opened, statement

SEVERITIES = ("critical", "high", "medium", "low", "unknown")
KINDS = ("scan", "sbom", INCIDENT)
# Findings that a statement names one by one; what a policy never looks at is counted.
NAMED = ("critical", "high")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def summary(kind: str, content: bytes, image: str) -> dict[str, Any]:
    """What a report says of an image, as far as gates ask.

    :param image: digest of the image that it must be of.
    :raises DomainError: ``evidence_refused``.
    """
    try:
        value = json.loads(content)
    except ValueError as error:
        raise refused(f"it is no JSON ({error})") from None
    if not isinstance(value, dict):
        raise refused("it is no report")
    try:
        found = _scan(value) if kind == "scan" else _sbom(value) if kind == "sbom" else _incident(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise refused(f"a part of it is missing or of another shape ({type(error).__name__}: {error})") from None
    if image not in found.pop("images"):
        raise refused(f"it does not name the image {image}, so it may be of another one")
    return {**found, "kind": kind, "sha256": hashlib.sha256(content).hexdigest()}


def _scan(value: Mapping[str, Any]) -> dict[str, Any]:
    if value.get("SchemaVersion") != 2 or "Metadata" not in value:
        raise refused("it is no report of Trivy (SchemaVersion 2), which trivy image --format json writes")
    metadata = value["Metadata"] or {}
    found = {}
    for result in value.get("Results") or ():
        for one in result.get("Vulnerabilities") or ():
            found[str(one["VulnerabilityID"]), str(one.get("PkgName", ""))] = str(one.get("Severity", "unknown")).lower()
    counts = Counter(severity if severity in SEVERITIES else "unknown" for severity in found.values())
    return {"tool": "trivy", "made": written(_made(value.get("CreatedAt"), "CreatedAt")),
            "images": [text for name in [*(metadata.get("RepoDigests") or ()), str(value.get("ArtifactName"))] for text in _DIGEST.findall(name)],
            "counts": {severity: counts[severity] for severity in SEVERITIES},
            "findings": [{"id": name, "package": package, "severity": severity} for (name, package), severity in sorted(found.items()) if severity in NAMED]}


def _sbom(value: Mapping[str, Any]) -> dict[str, Any]:
    if value.get("bomFormat") != "CycloneDX":
        raise refused("it is no CycloneDX in JSON")
    components = value.get("components") or []
    if not components:
        raise refused("it has no components, so it says nothing of what is in the image")
    metadata = value.get("metadata") or {}
    return {"tool": "cyclonedx", "made": written(_made(metadata.get("timestamp"), "metadata.timestamp")), "components": len(components),
            "images": list(_named(metadata.get("component") or {}))}


def _incident(value: Mapping[str, Any]) -> dict[str, Any]:
    try:
        return {**incident(value), "made": written(_made(value.get("at"), "at"))}
    except ValueError as error:
        raise refused(str(error)) from None


def _named(component: Mapping[str, Any]) -> Iterator[str]:
    """Digests by which a component of CycloneDX is named: as Trivy and Syft write them."""
    texts = [str(component.get(key, "")) for key in ("bom-ref", "name", "version", "purl")]
    texts += [str(one.get("value", "")) for one in component.get("properties") or ()]
    for text in texts:
        yield from _DIGEST.findall(text.replace("%3A", ":"))


def _made(text: Any, field: str) -> datetime.datetime:
    # Trivy writes nanoseconds, which Python reads none of.
    try:
        return read(field, re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", str(text)))
    except DomainError as error:
        raise refused(f"{error.message}, and an age is counted from it") from None


def refused(why: str) -> DomainError:
    return DomainError("evidence_refused", f"the report is no evidence: {why}", unchanged="Nothing was changed",
                       advice="Have the scanner look at this very image, by its digest, and give its report as it was written")


def made_statement(image: str, found: Mapping[str, Any], by: str, at: datetime.datetime) -> dict[str, Any]:
    if not _DIGEST.fullmatch(image):
        raise bad_input("image", image, "the digest of an image, sha256: and 64 digits")
    return statement(EVIDENCE, {"image": image}, {**found, "by": by, "at": written(at)})


def opened_evidence(envelope: Any, signers: Signers, at: datetime.datetime) -> dict[str, Any]:
    """Signed evidence, with its ``image``. :raises ValueError: why it cannot be believed."""
    found = opened(envelope)
    value = dict(found.predicate)
    if found.kind != EVIDENCE or set(found.subject) != {"image"} or value.get("kind") not in KINDS:
        raise ValueError("it is no evidence about an image")
    try:
        dated = read("at", value["at"])
    except (KeyError, DomainError):
        raise ValueError("it is no evidence about an image") from None
    signers.verify(found.encoding, found.signature, str(value.get("by")), ROLES["evidence"], at)
    if dated > at + SKEW:
        raise ValueError("it is dated after it was taken in")
    return {**value, "image": found.subject["image"]}
