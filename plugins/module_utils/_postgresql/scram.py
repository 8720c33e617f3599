# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Does a stored SCRAM-SHA-256 verifier belong to a password? Verifiers are made by libpq; here they are only compared."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import stringprep
import unicodedata

# https://www.postgresql.org/docs/current/catalog-pg-authid.html
_VERIFIER = re.compile(r"SCRAM-SHA-256\$(\d+):([^$]+)\$([^:]+):(.+)")
# RFC 4013, 2.3 and 2.5
_PROHIBITED = (
    stringprep.in_table_c12,
    stringprep.in_table_c21_c22,
    stringprep.in_table_c3,
    stringprep.in_table_c4,
    stringprep.in_table_c5,
    stringprep.in_table_c6,
    stringprep.in_table_c7,
    stringprep.in_table_c8,
    stringprep.in_table_c9,
    stringprep.in_table_a1,
)


def verifies(verifier: str | None, password: str) -> bool:
    """Whether PostgreSQL would let ``password`` in by ``verifier``; false for none and for another kind (MD5)."""
    match = _VERIFIER.fullmatch(verifier or "")
    if not match:
        return False
    try:
        salt, stored = base64.b64decode(match[2], validate=True), base64.b64decode(match[3], validate=True)
    except binascii.Error:
        return False
    # RFC 5802, 3: SaltedPassword := Hi(Normalize(password), salt, i); StoredKey := H(HMAC(SaltedPassword, "Client Key"))
    salted = hashlib.pbkdf2_hmac("sha256", prepared(password), salt, int(match[1]))
    client = hmac.new(salted, b"Client Key", hashlib.sha256).digest()
    return hmac.compare_digest(hashlib.sha256(client).digest(), stored)


def prepared(password: str) -> bytes:
    """SASLprep (RFC 4013) as PostgreSQL does it: a password that the RFC forbids is taken as it is."""
    raw = password.encode("utf-8", "surrogateescape")
    if password.isascii():
        return raw
    mapped = "".join(
        " " if stringprep.in_table_c12(letter) else letter for letter in password if not stringprep.in_table_b1(letter)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    if not normal or any(table(letter) for letter in normal for table in _PROHIBITED) or not _direction(normal):
        return raw
    return normal.encode()


def _direction(text: str) -> bool:
    """RFC 3454, 6: letters from right to left stand alone, and first and last."""
    if not any(stringprep.in_table_d1(letter) for letter in text):
        return True
    if any(stringprep.in_table_d2(letter) for letter in text):
        return False
    return stringprep.in_table_d1(text[0]) and stringprep.in_table_d1(text[-1])
