# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's certificate authority: certificates for the edge and the registry."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from .base import LabError, locked, run, secrets

_DAYS = 825
_NAME = re.compile(r"(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?")


def _directory() -> Path:
    path = secrets() / "certificates"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


def authority() -> Path:
    """Return the authority's certificate (PEM); make the authority if there is none."""
    directory = _directory()
    certificate, key = directory / "ca.crt", directory / "ca.key"
    with locked("ca"):
        if not (certificate.exists() and key.exists()):
            run([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(_DAYS * 4),
                "-subj", "/O=SysGenPro lab/CN=SysGenPro lab CA", "-addext", "basicConstraints=critical,CA:TRUE,pathlen:0",
                "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", str(key), "-out", str(certificate),
            ])  # fmt: skip
            key.chmod(0o600)
    return certificate


def issue(names: Sequence[str], days: int = _DAYS) -> dict[str, str]:
    """Return paths of a certificate for all ``names`` (host names or IPv4 addresses), its key, and the authority.

    A certificate for the same names is issued once; one that ends within a day is issued again. ``days`` may be 0 or less for a certificate that
    has ended already, for tests.
    """
    for name in names:
        if not _NAME.fullmatch(name):
            raise LabError(f"{name!r} is no host name")
    ca = authority()
    stem = names[0].replace("*", "_") + ("" if days == _DAYS else f"-{days}d") + ("" if len(names) == 1 else f"+{len(names) - 1}")
    certificate, key, names_file = (_directory() / f"{stem}.{suffix}" for suffix in ("crt", "key", "names"))
    with locked("certificates"):
        same = names_file.exists() and names_file.read_text(encoding="utf-8").split() == list(names)
        valid = same and run(["openssl", "x509", "-in", str(certificate), "-noout", "-checkend", "86400"], check=False).returncode == 0
        if not valid and not (same and days <= 1):
            _sign(names, days, ca, certificate, key)
            names_file.write_text("\n".join(names) + "\n", encoding="utf-8")
    return {"certificate": str(certificate), "key": str(key), "authority": str(ca)}


def _sign(names: Sequence[str], days: int, ca: Path, certificate: Path, key: Path) -> None:
    kinds = ["IP" if re.fullmatch(r"[\d.]+", name) else "DNS" for name in names]
    extensions = certificate.with_suffix(".ext")
    extensions.write_text(
        f"subjectAltName={','.join(f'{kind}:{name}' for kind, name in zip(kinds, names, strict=True))}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n",
        encoding="utf-8",
    )
    request = certificate.with_suffix(".csr")
    run([
        "openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={names[0][:64]}",
        "-keyout", str(key), "-out", str(request),
    ])  # fmt: skip
    key.chmod(0o600)
    bundle = certificate.with_suffix(".tmp")
    run([
        "openssl", "x509", "-req", "-in", str(request), "-CA", str(ca), "-CAkey", str(ca.with_suffix(".key")), "-CAcreateserial",
        "-days", str(days), "-extfile", str(extensions), "-out", str(bundle),
    ])  # fmt: skip
    os.replace(bundle, certificate)
