# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may sign what: OpenSSH's own list of allowed signers, and the verification of a signature against it by ``ssh-keygen``."""

from __future__ import annotations

import base64
import datetime
import hashlib
import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from .._kernel.commands import ProgramMissing, ProgramSlow, ended
from .._kernel.errors import DomainError, bad_input
from .moments import UTC

# The namespace of each role. A key signs for a role only where the list gives it that namespace, which ssh-keygen itself enforces.
DECIDING = ("request", "app", "schema", "emergency", "review")
ROLES = {name: f"release-{name}@sysgenpro" for name in (*DECIDING, "evidence", "build", "image")}
LEDGER = "ledger-{}@sysgenpro"
"""The namespace of an instance's ledger. The list gives a machine's key those of its instances, each by name or by a pattern with * and ?."""
# Of an AWX that says what people decided in it. What that is worth says the policy.
AWX = "release-awx@sysgenpro"
ROLE_SAID = "one of " + ", ".join(DECIDING)
PRINCIPAL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*@[A-Za-z0-9.-]+")
_LEDGERS = re.compile(r"ledger-[a-z0-9*?-]+@sysgenpro")
_KEY = re.compile(r"(?:ssh|ecdsa|sk)-[a-z0-9@.-]+")
_OPTION = re.compile(r'(namespaces|valid-after|valid-before)="([^"]*)"')
_MOMENT = {9: "%Y%m%dZ", 13: "%Y%m%d%H%MZ", 15: "%Y%m%d%H%M%SZ"}
# Of the flags of a security key: that its owner was verified.
VERIFIED = 0x04
EXPECTED = 'lines such as jane@example.com namespaces="release-app@sysgenpro",valid-before="20270101Z" ssh-ed25519 AAAA…'


@dataclass(frozen=True)
class Signer:
    """One line of the list.

    :param after: from when its signatures count, and :param before: until when; None is without bound.
    """

    name: str
    namespaces: tuple[str, ...]
    key: str
    after: datetime.datetime | None = None
    before: datetime.datetime | None = None

    def valid(self, at: datetime.datetime) -> bool:
        return (self.after is None or at >= self.after) and (self.before is None or at <= self.before)


def touched(signature: str) -> str:
    """What a security key says of its signature: ``verified`` (its owner gave a PIN or a fingerprint), ``touched``, or ``none``, as of a key that is none.

    Of the signature's own bytes (PROTOCOL.sshsig, PROTOCOL.u2f), which whoever verified it has believed.
    """
    try:
        raw = base64.b64decode("".join(line for line in signature.splitlines() if not line.startswith("-----")), validate=True)
        fields, rest = [], raw[len(b"SSHSIG") + 4:]
        for _each in range(5):  # key, namespace, reserved, hash, signature
            size = int.from_bytes(rest[:4], "big")
            fields.append(rest[4:4 + size])
            rest = rest[4 + size:]
        kind, size = fields[4][4:4 + int.from_bytes(fields[4][:4], "big")], int.from_bytes(fields[4][:4], "big") + 4
        if not kind.startswith(b"sk-"):
            return "none"
        flags = fields[4][size + 4 + int.from_bytes(fields[4][size:size + 4], "big")]
        return "verified" if flags & VERIFIED else "touched"
    except (ValueError, IndexError):
        return "none"


class Signers:
    """The list.

    :param text: in the format of ssh-keygen(1), ALLOWED SIGNERS. No patterns, no certificates, and moments in UTC: each line says one thing.
    :raises DomainError: ``bad_input``, naming the line.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.all = tuple(_parsed(text))

    def people(self, role: str, at: datetime.datetime) -> list[str]:
        """Who may sign for a role at a moment."""
        return sorted({signer.name for signer in self.all if ROLES[role] in signer.namespaces and signer.valid(at)})

    def may_write(self, name: str, instance: str, at: datetime.datetime) -> bool:
        """Whether somebody has a key for an instance's ledger, as ssh-keygen matches the list's patterns."""
        return any(signer.name == name and signer.valid(at) and any(fnmatchcase(LEDGER.format(instance), pattern) for pattern in signer.namespaces)
                   for signer in self.all)

    @property
    def digest(self) -> str:
        """Of the list: an entry that was verified by another list is verified again."""
        return "sha256:" + hashlib.sha256(self.text.encode()).hexdigest()

    def verify(self, text: str, signature: str, name: str, namespace: str, at: datetime.datetime) -> None:
        """:raises ValueError: why it cannot be believed.
        :raises DomainError: ``not_checked`` where ssh-keygen itself could not be asked.
        """
        if not PRINCIPAL.fullmatch(name):
            raise ValueError(f"{name!r} is nobody's name in the list of signers")
        with tempfile.TemporaryDirectory(prefix="sysgenpro-") as place:
            signers, signed = os.path.join(place, "allowed_signers"), os.path.join(place, "signature")
            for path, content in ((signers, self.text), (signed, signature)):
                with open(path, "w", encoding="utf-8") as stream:
                    stream.write(content)
            moment = at.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")
            try:
                done = ended(["ssh-keygen", "-q", "-Y", "verify", "-f", signers, "-I", name, "-n", namespace, "-s", signed, "-O", f"verify-time={moment}"],
                             given=text, seconds=30)
            except (OSError, ProgramMissing, ProgramSlow) as error:
                raise DomainError("not_checked", f"a signature could not be checked: {type(error).__name__}: {error}", unchanged="Nothing was changed",
                                  advice="Run the site playbook for this machine") from error
        if done.code:
            said = next((line.partition(": ")[2] for line in done.complaint.splitlines() if "expired" in line or "not yet valid" in line), "")
            raise ValueError(f"it is not signed by a key that {name} has for {namespace}" + (f" ({said})" if said else ""))


def _parsed(text: str) -> Iterator[Signer]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        field, words = f"allowed_signers, line {number}", line.split()
        options = words[1] if len(words) > 1 and not _KEY.fullmatch(words[1]) else ""
        key = words[2 if options else 1:][:2]
        found = dict(_OPTION.findall(options))
        if not PRINCIPAL.fullmatch(words[0]) or len(key) != 2 or not _KEY.fullmatch(key[0]) or _OPTION.sub("", options).strip(","):
            raise bad_input(field, line, EXPECTED)
        namespaces = tuple(found.get("namespaces", "").split(","))
        unknown = [name for name in namespaces if name not in (*ROLES.values(), AWX) and not _LEDGERS.fullmatch(name)]
        if unknown:
            raise bad_input(field, line,
                            "namespaces of " + ", ".join((*ROLES.values(), AWX)) + ", or ledger-<instance>@sysgenpro, in which * and ? may stand for letters")
        after, before = (_moment(field, found.get(name)) for name in ("valid-after", "valid-before"))
        if after and before and after >= before:
            raise bad_input(field, line, "valid-before to be later than valid-after")
        yield Signer(words[0], namespaces, " ".join(key), after, before)


def _moment(field: str, text: str | None) -> datetime.datetime | None:
    if text is None:
        return None
    try:
        return datetime.datetime.strptime(text, _MOMENT[len(text)]).replace(tzinfo=UTC)
    except (KeyError, ValueError):
        raise bad_input(field, text, "a moment in UTC such as 20270101Z or 20270101120000Z") from None
