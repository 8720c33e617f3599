# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._postgresql.scram import prepared, verifies

# RFC 7677, 3: user "user", password "pencil", this salt, 4096 iterations; keys computed by PostgreSQL 17 for the same.
SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
STORED = "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY="
SERVER = "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
VERIFIER = f"SCRAM-SHA-256$4096:{SALT}${STORED}:{SERVER}"


def test_knows_the_password_of_the_rfc() -> None:
    assert verifies(VERIFIER, "pencil")
    assert not verifies(VERIFIER, "Pencil")


@pytest.mark.parametrize(
    "verifier", [None, "", "md5" + "0" * 32, "pencil", "SCRAM-SHA-256$4096:?$?:?", VERIFIER.replace("4096", "4095"), VERIFIER[:-80]]
)
def test_anything_else_does_not_fit(verifier: str | None) -> None:
    assert not verifies(verifier, "pencil")


@pytest.mark.parametrize(
    ("password", "bytes_"),
    [
        # RFC 4013, 3: the examples, where PostgreSQL takes a forbidden password as it is
        ("I\u00adX", b"IX"),
        ("user", b"user"),
        ("\u00aa", b"a"),
        ("\u2168", b"IX"),
        ("\u0007", b"\x07"),
        ("\u06271", "\u06271".encode()),
        ("a\u00a0b", b"a b"),
        ("\u00ad", "\u00ad".encode()),
        ("\ue000", "\ue000".encode()),
    ],
)
def test_prepares_as_postgresql_does(password: str, bytes_: bytes) -> None:
    assert prepared(password) == bytes_
