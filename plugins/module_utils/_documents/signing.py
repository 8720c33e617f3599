# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signed documents: canonical JSON and the SSH signature of its bytes, in one object that is written once."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.commands import ProgramMissing, ProgramSlow, ended, run_program
from .._kernel.errors import DomainError, bad_input
from .._kernel.files import read_text, remove_file, replace_file
from .._kernel.plan import canonical_json

NAMESPACE = "recovery-point@sysgenpro"
# The one principal in the list of signers; who signed is the key.
PRINCIPAL = "recovery-point"


class Signer:
    """Signs with the machine's Ed25519 key and believes it and the keys given.

    :param key: path of the private key; made at the first signature.
    :param trusted: further public keys, as ``ssh-ed25519 AAAA…``, of machines whose points are to be read.
    :param signs: what it signs, for messages. :param namespace: of its signatures.
    """

    def __init__(self, key: str, trusted: Sequence[str] = (), signs: str = "recovery points", namespace: str = NAMESPACE) -> None:
        self.key = key
        self.trusted = tuple(trusted)
        self.signs, self.namespace = signs, namespace

    @property
    def public(self) -> str:
        """The machine's public key; empty where there is none yet. Where only its file is lost, the private key tells it."""
        text = read_text(self.key + ".pub")
        if text is None:
            text = self._derived() if os.path.exists(self.key) else ""
        return " ".join(text.split()[:2])

    def _derived(self) -> str:
        return run_program(["ssh-keygen", "-y", "-P", "", "-f", self.key], "no_key", f"reading the key that signs {self.signs}", seconds=30)

    def make_key(self) -> None:
        """Make the key where there is none; it appears whole. A private key that is there is never made anew: it signed what there is."""
        if not os.path.exists(self.key):
            stage = self.key + ".new"
            for path in (stage, stage + ".pub"):
                remove_file(path)
            run_program(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.namespace.partition("@")[0], "-f", stage], "no_key",
                        f"making the key that signs {self.signs}")
            replace_file(self.key, (read_text(stage) or "").encode())
            for path in (stage, stage + ".pub"):
                remove_file(path)
            remove_file(self.key + ".pub")
        if not os.path.exists(self.key + ".pub"):
            replace_file(self.key + ".pub", self._derived().encode(), mode=0o644)

    def seal(self, payload: Mapping[str, Any]) -> bytes:
        """The document: its text and the signature over exactly that text."""
        text = canonical_json(payload)
        return (json.dumps({"document": text, "signature": self.sign(text)}, ensure_ascii=False, indent=0) + "\n").encode()

    def sign(self, text: str) -> str:
        """The SSH signature of a text. Of a person's key, its agent or security key is asked as ``ssh-keygen`` does."""
        return run_program(["ssh-keygen", "-q", "-Y", "sign", "-f", self.key, "-n", self.namespace], "not_signed", "signing", given=text, seconds=120)

    def open(self, sealed: bytes) -> dict[str, Any]:
        """The payload of a document whose signature is right.

        :raises ValueError: why it cannot be believed.
        """
        try:
            value = json.loads(sealed)
            text, signature = value["document"], value["signature"]
            payload = json.loads(text)
        except (ValueError, KeyError, TypeError):
            raise ValueError("it is no signed document") from None
        if not isinstance(payload, dict):
            raise ValueError("it is no signed document")
        self._verify(str(text), str(signature))
        return payload

    def _verify(self, text: str, signature: str) -> None:
        keys = [key for key in (self.public, *self.trusted) if key]
        if not keys:
            raise ValueError("no key is known that could have signed it: name it in trusted_signers")
        with tempfile.TemporaryDirectory(prefix="sysgenpro-") as place:
            signers, signed = os.path.join(place, "signers"), os.path.join(place, "signature")
            with open(signers, "w", encoding="utf-8") as stream:
                stream.writelines(f'{PRINCIPAL} namespaces="{NAMESPACE}" {key}\n' for key in keys)
            with open(signed, "w", encoding="utf-8") as stream:
                stream.write(signature)
            try:
                done = ended(["ssh-keygen", "-q", "-Y", "verify", "-f", signers, "-I", PRINCIPAL, "-n", NAMESPACE, "-s", signed], given=text, seconds=30)
            except (OSError, ProgramMissing, ProgramSlow) as error:
                # It says nothing about the document.
                raise DomainError("not_checked", f"a signature could not be checked: {type(error).__name__}: {error}", unchanged="Nothing was changed",
                                  advice="Run the site playbook for this machine") from error
        if done.code:
            raise ValueError("its signature is not that of a trusted key over this text")


def check_signers(keys: Sequence[str]) -> None:
    """:raises DomainError: ``bad_input`` for what is no single line with a public key."""
    for key in keys:
        if "\n" in key or len(key.split()) < 2 or not key.startswith(("ssh-", "ecdsa-", "sk-")):
            raise bad_input("trusted_signers", key, "public keys such as ssh-ed25519 AAAA…")
