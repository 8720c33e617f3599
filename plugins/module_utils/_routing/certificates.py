# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates given for a route: read, checked against key, clock and host names, and named by digest."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .._kernel.errors import DomainError

if TYPE_CHECKING:
    from cryptography import x509

try:
    from cryptography.hazmat.primitives import serialization as _serialization
    from cryptography.x509 import load_pem_x509_certificate as _load_certificate
    from cryptography.x509.extensions import ExtensionNotFound, SubjectAlternativeName
    from cryptography.x509.general_name import DNSName

    HAS_CRYPTOGRAPHY = True
except ImportError:
    HAS_CRYPTOGRAPHY = False

_BEGIN = "-----BEGIN CERTIFICATE-----"
_END = "-----END CERTIFICATE-----"


# What may be wrong with a certificate that is given, and is that tenant's own trouble.
UNFIT = ("certificate_unreadable", "certificate_key_mismatch", "certificate_expired", "certificate_not_yet_valid", "certificate_wrong_host")


@dataclass(frozen=True)
class Certificate:
    """A chain with its private key, fit for the hosts it was loaded for.

    :param chain: PEM, leaf first.
    :param private_key: PEM; never shown, not even by ``repr``.
    :param names: DNS names of the leaf.
    :param digest: of chain and key, 16 hexadecimal digits; names the files they lie in.
    :param fingerprint: SHA-256 of the leaf's DER form, hexadecimal, as a TLS client sees it.
    """

    chain: str
    private_key: str = field(repr=False)
    names: tuple[str, ...]
    not_before: datetime.datetime
    not_after: datetime.datetime
    digest: str
    fingerprint: str
    subject: str

    @classmethod
    def load(
        cls, route: str, hosts: Sequence[str], chain: str, private_key: str, now: datetime.datetime | None = None
    ) -> Certificate:
        """Read and check a certificate.

        :param now: the moment to check validity at, with time zone; default is the clock.
        :raises DomainError: ``certificate_unreadable``, ``certificate_key_mismatch``, ``certificate_expired``,
            ``certificate_not_yet_valid``, ``certificate_wrong_host`` or ``missing_library``.
        """
        if not HAS_CRYPTOGRAPHY:
            raise _refused("missing_library", route, "Python's library cryptography is not installed on the machine")
        leaf = _read_chain(route, chain)
        _check_key(route, leaf, private_key)
        before, after = _validity(leaf)
        moment = now or datetime.datetime.now(datetime.timezone.utc)
        if moment > after:
            raise _refused("certificate_expired", route, "the certificate expired at {0}".format(after.isoformat()))
        if moment < before:
            raise _refused(
                "certificate_not_yet_valid", route, "the certificate is valid only from {0}".format(before.isoformat())
            )
        names = _names(leaf)
        for host in hosts:
            if not any(covers(name, host) for name in names):
                raise _refused(
                    "certificate_wrong_host", route,
                    "the certificate is for {0} and does not cover {1}".format(", ".join(names) or "no name", host),
                )
        text, key = _normal(chain), _normal(private_key)
        return cls(
            text, key, names, before, after,
            hashlib.sha256((text + key).encode()).hexdigest()[:16],
            _fingerprint(leaf),
            leaf.subject.rfc4514_string(),
        )

    def as_dict(self) -> dict[str, Any]:
        """What a result may show."""
        return {
            "subject": self.subject,
            "names": list(self.names),
            "not_before": self.not_before.isoformat(),
            "not_after": self.not_after.isoformat(),
            "fingerprint": self.fingerprint,
        }


def describe(chain: str) -> dict[str, Any]:
    """What a chain's leaf says, without judging it.

    :raises DomainError: ``certificate_unreadable`` or ``missing_library``.
    """
    if not HAS_CRYPTOGRAPHY:
        raise _refused("missing_library", "", "Python's library cryptography is not installed on the machine")
    leaf = _read_chain("", chain)
    before, after = _validity(leaf)
    return {
        "subject": leaf.subject.rfc4514_string(),
        "names": list(_names(leaf)),
        "not_before": before.isoformat(),
        "not_after": after.isoformat(),
        "fingerprint": _fingerprint(leaf),
    }


def covers(name: str, host: str) -> bool:
    """Whether a certificate's DNS name stands for a host: equal, or ``*`` for exactly one label (RFC 6125)."""
    name, host = name.lower(), host.lower()
    if name.startswith("*."):
        return "." in host and host.split(".", 1)[1] == name[2:]
    return name == host


def _read_chain(route: str, chain: str) -> x509.Certificate:
    blocks = [part.split(_END)[0] for part in chain.split(_BEGIN)[1:]]
    try:
        parsed = [_load_certificate("{0}{1}{2}\n".format(_BEGIN, block, _END).encode()) for block in blocks]
    except ValueError:
        parsed = []
    if not parsed:
        raise _refused("certificate_unreadable", route, "the certificate is no PEM certificate")
    for lower, upper in zip(parsed, parsed[1:]):
        if lower.issuer != upper.subject:
            raise _refused(
                "certificate_unreadable", route,
                "the chain must be leaf first, each issued by the next: {0} is not issued by {1}".format(
                    lower.subject.rfc4514_string(), upper.subject.rfc4514_string()
                ),
            )
    return parsed[0]


def _check_key(route: str, leaf: x509.Certificate, private_key: str) -> None:
    try:
        key = _serialization.load_pem_private_key(private_key.encode(), None)
    except (ValueError, TypeError):
        raise _refused(
            "certificate_unreadable", route, "the private key is no unencrypted PEM private key"
        ) from None
    form = (_serialization.Encoding.DER, _serialization.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise _refused("certificate_key_mismatch", route, "the private key is not the certificate's")


def _validity(leaf: x509.Certificate) -> tuple[datetime.datetime, datetime.datetime]:
    # The properties with a time zone came with cryptography 42; Debian 12 and Ubuntu 24.04 have older ones.
    if hasattr(leaf, "not_valid_after_utc"):
        return leaf.not_valid_before_utc, leaf.not_valid_after_utc
    utc = datetime.timezone.utc
    return leaf.not_valid_before.replace(tzinfo=utc), leaf.not_valid_after.replace(tzinfo=utc)


def _names(leaf: x509.Certificate) -> tuple[str, ...]:
    # Browsers look at the alternative names only, never at the common name (RFC 9110, 4.3.4).
    try:
        found = leaf.extensions.get_extension_for_class(SubjectAlternativeName)
    except ExtensionNotFound:
        return ()
    return tuple(found.value.get_values_for_type(DNSName))


def _fingerprint(leaf: x509.Certificate) -> str:
    return hashlib.sha256(leaf.public_bytes(_serialization.Encoding.DER)).hexdigest()


def _normal(pem: str) -> str:
    return pem.replace("\r\n", "\n").strip() + "\n"


def _refused(code: str, route: str, what: str) -> DomainError:
    message = "route {0}: {1}".format(route, what)
    return DomainError(code, message, unchanged="Nothing was changed", route=route, field="tls")
