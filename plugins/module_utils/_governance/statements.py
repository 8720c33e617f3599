# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""in-toto statements in DSSE envelopes, signed by SSH keys: what is written down so that anybody can check it.

``sig`` is the Base64 of the signature as ``ssh-keygen -Y sign`` prints it, over DSSE's pre-authentication encoding of the payload.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

STATEMENT = "https://in-toto.io/Statement/v1"
PAYLOAD = "application/vnd.in-toto+json"
ENTRY = "urn:sysgenpro:ledger-entry:1"
DECISION = "urn:sysgenpro:decision:1"
EVIDENCE = "urn:sysgenpro:evidence:1"
# https://slsa.dev/spec/v1.0/provenance and https://github.com/in-toto/attestation/blob/main/spec/predicates/cyclonedx.md
PROVENANCE = "https://slsa.dev/provenance/v1"
BILL = "https://cyclonedx.org/bom"
MOST = 4 * 1024 * 1024


@dataclass(frozen=True)
class Opened:
    """An envelope that was read; whether to believe it is another matter.

    :param encoding: the text that was signed. :param keyid: whose key it is said to be, where the predicate does not say it; DSSE does not sign it.
    """

    kind: str
    subject: Mapping[str, str]
    predicate: Mapping[str, Any]
    encoding: str
    signature: str
    keyid: str = ""


def statement(kind: str, subject: Mapping[str, str], predicate: Mapping[str, Any]) -> dict[str, Any]:
    """:param subject: names, each with a digest ``sha256:…``."""
    return {"_type": STATEMENT, "predicateType": kind, "predicate": dict(predicate),
            "subject": [{"name": name, "digest": {"sha256": digest.partition(":")[2]}} for name, digest in sorted(subject.items())]}


def sealed(value: Mapping[str, Any], sign: Callable[[str], str], keyid: str = "") -> dict[str, Any]:
    """The envelope of a statement. :param sign: gives the SSH signature of a text. :param keyid: whose it is, as the list of signers has it."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return {"payloadType": PAYLOAD, "payload": base64.b64encode(text.encode()).decode(),
            "signatures": [{**({"keyid": keyid} if keyid else {}), "sig": base64.b64encode(sign(_encoding(text)).encode()).decode()}]}


def opened(envelope: Any) -> Opened:
    """:raises ValueError: for what is no envelope of this kind."""
    try:
        if envelope["payloadType"] != PAYLOAD or len(envelope["signatures"]) != 1:
            raise ValueError
        text = base64.b64decode(envelope["payload"], validate=True).decode("ascii")
        signature = base64.b64decode(envelope["signatures"][0]["sig"], validate=True).decode("ascii")
        value = json.loads(text)
        if value["_type"] != STATEMENT or not isinstance(value["predicate"], dict):
            raise ValueError
        subject = {str(one["name"]): "sha256:" + str(one["digest"]["sha256"]) for one in _list(value["subject"])}
        return Opened(str(value["predicateType"]), subject, value["predicate"], _encoding(text), signature,
                      str(envelope["signatures"][0].get("keyid", "")))
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise ValueError("it is no signed in-toto statement") from None


def _list(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise ValueError
    return value


def _encoding(text: str) -> str:
    """DSSE's PAE. Type and payload are ASCII, so letters are bytes."""
    return f"DSSEv1 {len(PAYLOAD)} {PAYLOAD} {len(text)} {text}"
