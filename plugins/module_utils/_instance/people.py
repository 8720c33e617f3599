# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may log in to a new database. Odoo makes its first user with the password ``admin``, demo data make more with theirs, and everybody knows them."""

from __future__ import annotations

import base64
import hashlib
import secrets

from .._kernel.errors import DomainError
from .database import Database

# Odoo's own, from 16.0 on; an older one takes them as well (odoo/addons/base/models/res_users.py, MIN_ROUNDS).
ROUNDS = 600_000
_OF_ADMIN = (
    "update res_users set password = %s where id = (select res_id from ir_model_data where module = 'base' and name = 'user_admin' and model = 'res.users')"
    " returning id, login")
_OF_OTHERS = "update res_users set password = null where password is not null and id <> %s returning login"


def sealed(password: str, rounds: int = ROUNDS) -> str:
    """What Odoo keeps of a password: passlib's form of PBKDF2-SHA512 (https://passlib.readthedocs.io, passlib.hash.pbkdf2_digest)."""
    salt = secrets.token_bytes(16)
    return "$pbkdf2-sha512${}${}${}".format(rounds, _text(salt), _text(hashlib.pbkdf2_hmac("sha512", password.encode(), salt, rounds)))


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode().rstrip("=").replace("+", ".")


def first_password(database: Database, password: str) -> dict[str, list[str]]:
    """Give the first user of a new database a password of its own, and take theirs from all others. The server is told what Odoo keeps of it.

    :returns: whose it is, and who has none any more.
    :raises DomainError: ``no_administrator``.
    """
    with database.session() as cursor:
        cursor.execute("begin")
        cursor.execute(_OF_ADMIN, (sealed(password),))
        administrator = cursor.fetchone()
        if not administrator:
            raise DomainError("no_administrator", f"the new database {database.name} has no user base.user_admin to give a password to")
        cursor.execute(_OF_OTHERS, (administrator[0],))
        others = sorted(row[0] for row in cursor.fetchall())
        cursor.execute("commit")
    return {"administrator": [administrator[1]], "without_password": others}
