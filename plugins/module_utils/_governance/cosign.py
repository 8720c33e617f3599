# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signatures of ``cosign sign --key``: a key's signature over a "simple signing" payload that names an image's digest.

https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md. Verified by ``openssl``, with SHA-256, for keys on an elliptic curve and RSA.
Certificates of Fulcio and entries of Rekor are not looked at: who signed is whose key it is.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence

from .._kernel.commands import ProgramMissing, ProgramSlow, ended
from .._kernel.errors import DomainError

TYPE = "cosign container image signature"
PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----\s[A-Za-z0-9+/=\s]+-----END PUBLIC KEY-----\s*")


def signed(image: str, signatures: Sequence[tuple[bytes, str]], keys: Mapping[str, str]) -> list[dict[str, str]]:
    """Whose signatures an image has, each once: ``by`` is the name of the key.

    :param keys: PEM by name.
    :raises DomainError: ``not_checked`` where openssl itself could not be asked.
    """
    about = [(payload, signature) for payload, signature in signatures if names(payload) == image]
    return [{"by": name, "how": "cosign"} for name, key in sorted(keys.items()) if any(_verified(payload, signature, key) for payload, signature in about)]


def names(payload: bytes) -> str:
    """The digest that a payload is about; empty for what is no payload of cosign's."""
    try:
        critical = json.loads(payload)["critical"]
        return str(critical["image"]["docker-manifest-digest"]) if critical["type"] == TYPE else ""
    except (ValueError, KeyError, TypeError):
        return ""


def _verified(payload: bytes, signature: str, key: str) -> bool:
    try:
        raw = base64.b64decode(signature, validate=True)
    except (binascii.Error, ValueError):
        return False
    with tempfile.TemporaryDirectory(prefix="sysgenpro-") as place:
        paths = [os.path.join(place, name) for name in ("key", "signature", "payload")]
        for path, content in zip(paths, (key.encode(), raw, payload)):
            with open(path, "wb") as stream:
                stream.write(content)
        try:
            done = ended(["openssl", "dgst", "-sha256", "-verify", paths[0], "-signature", paths[1], paths[2]], seconds=30)
        except (OSError, ProgramMissing, ProgramSlow) as error:
            raise DomainError("not_checked", f"a signature of cosign could not be checked: {type(error).__name__}: {error}", unchanged="Nothing was changed",
                              advice="Install openssl on this machine") from error
    return done.code == 0
