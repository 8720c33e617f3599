# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies beside an image, believed or not: the facts ``provenance``, ``sources``, ``image_signatures`` and ``attached``, and an SBOM.

A builder's key counts while the list of signers has it, by the clock of who judges: a date in a statement is its signer's own word.
"""

from __future__ import annotations

import datetime
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.plan import digest_of
from . import cosign
from .evidence import summary
from .moments import hours_between, read
from .signers import PRINCIPAL, ROLES, Signers
from .statements import BILL, PROVENANCE, Opened, opened

KINDS = ("provenance", "sbom", "image_signature", "commit_signatures")
"""Gates that ask for what lies beside an image."""
NONE = "there is none"


def nothing(why: str = "") -> dict[str, Any]:
    """The facts where nothing is known. :param why: why it could not be looked for."""
    return {"provenance": None, "sources": [], "image_signatures": [], "sbom": None,
            "attached": {"provenance": why or NONE, "sbom": why or NONE, "signatures": why or NONE}}


def short(found: Mapping[str, Any]) -> dict[str, Any] | None:
    """What is kept of these facts in a release's journal, for people; None where nothing is believed."""
    provenance, sbom = found["provenance"], found["sbom"]
    if not (provenance or sbom or found["image_signatures"]):
        return None
    return {**{key: (provenance or {}).get(key) for key in ("by", "builder", "base", "finished", "afterwards")}, "sources": found["sources"],
            "components": (sbom or {}).get("components"), "signed": [f"{one['by']} ({one['how']})" for one in found["image_signatures"]]}


def facts(image: str, source: Mapping[str, Any] | None, documents: Mapping[str, bytes], by: str, signatures: Sequence[tuple[bytes, str]],
          keys: Mapping[str, str], signers: Signers, now: datetime.datetime) -> dict[str, Any]:
    """:param image: digest of the image that is to be released. :param source: what its own record says it was made from; None where that is not at hand.
    :param documents: by name, such as ``provenance.dsse.json``. :param by: who is said to have signed the image.
    :param signatures: of cosign, payload and signature each. :param keys: public keys of cosign's, by name.
    """
    found, attached = nothing(), {}
    bill: dict[str, Any] = {}

    def provenance() -> None:
        statement = _believed(image, documents, "provenance", PROVENANCE, signers, now)
        value = _read(statement)
        _check_source(statement.predicate, source)
        made = read("finishedOn", value["finished"])
        found["sources"] = value.pop("sources")
        bill["digest"] = value.pop("bill")
        found["provenance"] = {**value, "by": statement.keyid, "hours": hours_between(made, now), "sha256": _sha256(documents["provenance.dsse.json"])}

    def sbom() -> None:
        statement = _believed(image, documents, "sbom", BILL, signers, now)
        value = summary("sbom", json.dumps(statement.predicate).encode(), image)
        if bill.get("digest") != digest_of(statement.predicate):
            raise ValueError("the build's statement names another one, so it may be of another build" if bill else "the build's statement is not believed")
        found["sbom"] = {**value, "by": statement.keyid, "hours": hours_between(read("made", value["made"]), now)}

    def image_signature() -> None:
        found["image_signatures"] = [*_ssh(image, documents, by, signers, now), *cosign.signed(image, signatures, keys)]
        if not found["image_signatures"]:
            raise ValueError(NONE)

    for name, look in (("provenance", provenance), ("sbom", sbom), ("signatures", image_signature)):
        attached[name] = _why_not(look)
    return {**found, "attached": attached}


def _why_not(look: Callable[[], None]) -> str:
    try:
        look()
    except (ValueError, DomainError) as error:
        return error.message if isinstance(error, DomainError) else str(error)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        return f"a part of it is missing or of another shape ({type(error).__name__}: {error})"
    return ""


def _believed(image: str, documents: Mapping[str, bytes], name: str, kind: str, signers: Signers, now: datetime.datetime) -> Opened:
    """A statement of this kind about this very image, signed by a builder. :raises ValueError: why it cannot be believed."""
    content = documents.get(name + ".dsse.json")
    if content is None:
        raise ValueError("it is not signed" if name + ".json" in documents else NONE)
    try:
        envelope = json.loads(content)
    except ValueError:
        raise ValueError("it is no signed in-toto statement") from None
    statement = opened(envelope)
    signers.verify(statement.encoding, statement.signature, statement.keyid, ROLES["build"], now)
    if statement.kind != kind:
        raise ValueError(f"it says something else: {statement.kind}")
    if list(statement.subject.values()) != [image]:
        raise ValueError("it is about another image")
    return statement


def _read(statement: Opened) -> dict[str, Any]:
    """SLSA's provenance as facts. :raises ValueError: where a part is missing."""
    definition, run = statement.predicate["buildDefinition"], statement.predicate["runDetails"]
    materials = definition["resolvedDependencies"]
    base = next((one["digest"]["sha256"] for one in materials if one["name"] == "base"), "")
    if not base:
        raise ValueError("it does not say on which base image it was built")
    bill = next((one["digest"]["sha256"] for one in run["byproducts"] if one["name"] == "sbom.cdx.json"), "")
    return {"builder": str(run["builder"]["id"]), "base": "sha256:" + base, "finished": str(run["metadata"]["finishedOn"]),
            "afterwards": definition["internalParameters"]["afterwards"] is not False, "bill": "sha256:" + bill,
            "sources": [_source(one, definition["externalParameters"]["source"]) for one in materials if one["name"] not in ("base", "python_lock")]}


def _source(one: Mapping[str, Any], source: Mapping[str, Any]) -> dict[str, Any]:
    about, commit = one.get("annotations") or {}, one["digest"].get("gitCommit") or ""
    url = next((addon.get("url", "") for addon in source["addons"] if addon["name"] == one["name"]), "")
    return {"name": str(one["name"]), "url": str(url), "commit": str(commit), "signed_by": str(about.get("signed_by") or ""),
            "reviewed": about.get("reviewed") is True}


def _check_source(predicate: Mapping[str, Any], source: Mapping[str, Any] | None) -> None:
    """What the statement says it was built from, its list of materials and the image's own record have to be one."""
    definition = predicate["buildDefinition"]
    said = definition["externalParameters"]["source"]
    if source is not None and said != source:
        raise ValueError("it names another source than the record in the image")
    commits = {addon["name"]: addon.get("commit") for addon in said["addons"]}
    listed = {one["name"]: one["digest"].get("gitCommit") for one in definition["resolvedDependencies"] if one["name"] not in ("base", "python_lock")}
    base = next((one["digest"]["sha256"] for one in definition["resolvedDependencies"] if one["name"] == "base"), "")
    if commits != listed or not str(said["base"]).endswith("@sha256:" + base):
        raise ValueError("its materials are not those of its source")


def _ssh(image: str, documents: Mapping[str, bytes], by: str, signers: Signers, now: datetime.datetime) -> list[dict[str, str]]:
    signature = documents.get("image.sig")
    if signature is None:
        return []
    if not PRINCIPAL.fullmatch(by):
        raise ValueError("nobody is named who signed the image")
    signers.verify(image, signature.decode("ascii", "replace"), by, ROLES["image"], now)
    return [{"by": by, "how": "ssh"}]


def _sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
