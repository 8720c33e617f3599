# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates given for a route: read, checked against key, clock and host names, and named by digest.

Whatever is wrong with one is its tenant's own trouble: an error here names its route, and never stands in the way of other routes.
"""

from __future__ import annotations

import datetime
import errno
import hashlib
import os
import re
import stat
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
_CERTIFICATE = re.compile(_BEGIN + r"\s.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY = re.compile(r"-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY)-----\s.*?-----END \1-----", re.DOTALL)
# A chain of ten certificates with their text above is a tenth of it.
_LARGEST = 1 << 20
_ADVICE = "Give it a certificate in PEM that is valid now and covers its host names, with the certificate's own unencrypted key"

# What may be wrong with what is given for a certificate or a name, and is that tenant's own trouble.
UNFIT = ("certificate_unreadable", "certificate_key_mismatch", "certificate_expired", "certificate_not_yet_valid", "certificate_wrong_host",
         "missing_library")


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
        try:
            return cls._load(route, hosts, chain, private_key, now or datetime.datetime.now(datetime.timezone.utc))
        except DomainError:
            raise
        except Exception as error:
            # The library's errors for what others made are many, from UnsupportedAlgorithm to a field that is no date.
            raise _refused("certificate_unreadable", route, "certificate or key cannot be read: {0}".format(type(error).__name__)) from None

    @classmethod
    def _load(cls, route: str, hosts: Sequence[str], chain: str, private_key: str, moment: datetime.datetime) -> Certificate:
        text = _blocks(route, chain)
        leaf = _read_chain(route, text)
        key = _check_key(route, leaf, private_key)
        before, after = _validity(leaf)
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
    try:
        leaf = _read_chain("", _blocks("", chain))
        before, after = _validity(leaf)
    except ValueError as error:
        raise _refused("certificate_unreadable", "", "the certificate cannot be read: {0}".format(error)) from None
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


def read_pem(route: str, key: str, path: str) -> str:
    """The text of a file that is given for a certificate or its key.

    :raises DomainError: ``certificate_unreadable``; also for what is no file, such as a pipe, which nobody may write to.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, "rb") as stream:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "it is no file")
            content = stream.read(_LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        if os.path.islink(path) and not os.path.exists(path):
            reason = "it is a link to {0}, which is not there".format(os.readlink(path))
        raise _refused("certificate_unreadable", route, "tls.{0} {1} cannot be read: {2}".format(key, path, reason)) from None
    what = ""
    if not content.strip():
        what = "is empty"
    elif len(content) > _LARGEST:
        what = "is larger than {0} bytes".format(_LARGEST)
    elif content[:1] == b"\x30" and b"-----BEGIN" not in content:
        what = "is DER, expected PEM (openssl x509 or openssl pkey, with -inform der)"
    elif b"-----BEGIN" not in content:
        what = "is no PEM file"
    if what:
        raise _refused("certificate_unreadable", route, "tls.{0} {1} {2}".format(key, path, what))
    # What stands above the blocks may be in any encoding; the blocks are ASCII.
    return content.decode("utf-8", "replace")


def unavailable(route: str, reason: str) -> DomainError:
    """The error for what the controller was to give and could not."""
    return _refused("certificate_unreadable", route, "the controller cannot read instance_tls: {0}".format(reason))


def unreadable(route: str, what: str) -> DomainError:
    """The error for a certificate that is not to be had."""
    return _refused("certificate_unreadable", route, what)


def _blocks(route: str, chain: str) -> str:
    """The certificates of a chain, without what programs write above and between them."""
    blocks = _CERTIFICATE.findall(chain)
    if not blocks:
        raise _refused("certificate_unreadable", route, "the certificate is no PEM certificate")
    if len(blocks) != chain.count(_BEGIN):
        raise _refused("certificate_unreadable", route, "a certificate of the chain is torn")
    return "".join(_normal(block) for block in blocks)


def _read_chain(route: str, chain: str) -> x509.Certificate:
    try:
        parsed = [_load_certificate(block.encode()) for block in _CERTIFICATE.findall(chain)]
    except ValueError:
        raise _refused("certificate_unreadable", route, "the certificate is no PEM certificate") from None
    for lower, upper in zip(parsed, parsed[1:]):
        if lower.issuer != upper.subject:
            raise _refused(
                "certificate_unreadable", route,
                "the chain must be leaf first, each issued by the next: {0} is not issued by {1}".format(
                    lower.subject.rfc4514_string(), upper.subject.rfc4514_string()
                ),
            )
    return parsed[0]


def _check_key(route: str, leaf: x509.Certificate, private_key: str) -> str:
    """The key's own block, if it is the leaf's."""
    blocks = [_normal(match.group()) for match in _KEY.finditer(private_key)]
    if len(blocks) != 1:
        what = "there is no PEM private key" if not blocks else "{0} private keys are given, expected one".format(len(blocks))
        raise _refused("certificate_unreadable", route, what)
    try:
        key = _serialization.load_pem_private_key(blocks[0].encode(), None)
    except TypeError:
        raise _refused("certificate_unreadable", route, "the private key is encrypted") from None
    except ValueError:
        raise _refused("certificate_unreadable", route, "the private key is no unencrypted PEM private key") from None
    form = (_serialization.Encoding.DER, _serialization.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        raise _refused("certificate_key_mismatch", route, "the private key is not the certificate's")
    return blocks[0]


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
    advice = "The role sysgenpro.odoo.traefik installs it" if code == "missing_library" else _ADVICE
    return DomainError(code, message, unchanged="Nothing was changed", advice=advice, route=route, field="tls")
