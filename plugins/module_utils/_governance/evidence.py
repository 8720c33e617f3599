# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Evidence about an image: what a scanner found (Trivy's JSON) and what is in it (CycloneDX), each bound to the image's digest and signed."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from .._kernel.errors import DomainError, bad_input
from . import reports
from .incidents import INCIDENT, incident
from .ledger import SKEW
from .moments import read, written
from .reports import DIGEST
from .signers import ROLES, Signers
from .statements import EVIDENCE, opened, statement

KINDS = ("scan", "sbom", INCIDENT)


def summary(kind: str, content: bytes, image: str, made: str = "") -> dict[str, Any]:
    """What a report says of an image, as far as gates ask.

    :param image: digest of the image that it must be of. :param made: when it was made, for a report that does not say; who signs it vouches for that.
    :raises DomainError: ``evidence_refused``.
    """
    try:
        value = json.loads(content)
    except ValueError as error:
        raise refused(f"it is no JSON ({error})") from None
    if not isinstance(value, dict):
        raise refused("it is no report")
    try:
        found = reports.scan(value) if kind == "scan" else reports.bill(value) if kind == "sbom" else {**incident(value), "made": value.get("at")}
        images = found.pop("images")
    except ValueError as error:
        raise refused(str(error)) from None
    except (KeyError, TypeError, AttributeError) as error:
        raise refused(f"a part of it is missing or of another shape ({type(error).__name__}: {error})") from None
    if image not in images:
        raise refused(f"it does not name the image {image}, so it may be of another one")
    for one in found.get("findings") or ():
        if "published" in one:
            one["published"] = written(_made(one["published"], "PublishedDate"))
    moment = written(_made(found["made"] or made or None, "its moment (CreatedAt, descriptor.timestamp, endTimeUtc, metadata.timestamp or at)"))
    return {**found, "made": moment, "kind": kind, "sha256": hashlib.sha256(content).hexdigest()}


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
    if not DIGEST.fullmatch(image):
        raise bad_input("image", image, "the digest of an image, sha256: and 64 digits")
    return statement(EVIDENCE, {"image": image}, {**found, "by": by, "at": written(at)})


def opened_evidence(envelope: Any, signers: Signers, at: datetime.datetime) -> dict[str, Any]:
    """Signed evidence, with its ``image``. :raises ValueError: why it cannot be believed."""
    found = opened(envelope)
    value = dict(found.predicate)
    if found.kind != EVIDENCE or set(found.subject) != {"image"} or value.get("kind") not in KINDS:
        raise ValueError("it is no evidence about an image")
    try:
        dated, made = read("at", value["at"]), read("made", value["made"])
    except (KeyError, DomainError):
        raise ValueError("it is no evidence about an image") from None
    signers.verify(found.encoding, found.signature, str(value.get("by")), ROLES["evidence"], at)
    if dated > at + SKEW:
        raise ValueError("it is dated after it was taken in")
    if made > dated + SKEW:
        raise ValueError("the report is dated after it was signed")
    return {**value, "image": found.subject["image"]}
