# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the administrator's role in PostgreSQL may do. On a machine it is a superuser. A managed service gives none: there a role with a few rights does it all
but what is named here, and what it lacks is found out before anything is touched.

Since PostgreSQL 16 who makes a role may pass it on, and neither acts as it nor inherits from it before it gave itself that (PostgreSQL documentation,
CREATE ROLE, createrole_self_grant); the role's maker is a member of it then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.text import joined

OBSERVE = """(select json_build_object('name', r.rolname, 'superuser', r.rolsuper, 'lacks', case when r.rolsuper then '[]'::json else (
    select coalesce(json_agg(what order by n), '[]'::json) from (values
      (1, 'CREATEDB', not r.rolcreatedb), (2, 'CREATEROLE', not r.rolcreaterole),
      (3, 'membership in pg_signal_backend', not pg_has_role(r.oid, 'pg_signal_backend', 'usage')),
      (4, 'membership in pg_monitor', not pg_has_role(r.oid, 'pg_monitor', 'usage')),
      (5, 'membership in ' || %(owner)s, exists (select from pg_roles o where o.rolname = %(owner)s and not pg_has_role(r.oid, o.oid, 'usage')))
    ) l (n, what, lacking) where lacking) end)
  from pg_roles r where r.rolname = current_user)"""
"""``name``, ``superuser``, and what it ``lacks``."""

ENGLISH = "select set_config('lc_messages', 'C', false) from pg_roles where rolname = current_user and rolsuper"
"""Have PostgreSQL speak English where its words are read. Only a superuser may; what a managed service speaks is left to it."""


def check(name: str, lacks: Sequence[str]) -> None:
    """:raises DomainError: ``admin_rights``, naming what the administrator's role lacks."""
    if lacks:
        raise DomainError(
            "admin_rights", f"{name}, as whom PostgreSQL is administered (database.admin), is no superuser and lacks {joined(list(lacks))}",
            unchanged="Nothing was changed", advice="Have whoever owns the PostgreSQL server give it that: "
            "ALTER ROLE … CREATEDB CREATEROLE; GRANT pg_signal_backend, pg_monitor TO …; the membership in the instance's owner is given by site")


def check_immutable(found: Mapping[str, Any], lacks: Sequence[str], immutable: str) -> None:
    """What Odoo's ``unaccent`` needs of a database that lacks it. :raises DomainError: ``admin_rights``."""
    if immutable in lacks and not found["superuser"]:
        raise DomainError("admin_rights", f"config.unaccent needs {immutable}, which only a superuser can do, and {found['name']} (database.admin) is none",
                          unchanged="Nothing was changed", advice="Have a superuser do it in the instance's database, or take unaccent out of config")


def join(version: int) -> str:
    """The statement's end by which an administrator becomes a member that acts as the owner. :param version: server_version_num."""
    return " to current_user with inherit true, set true" if version >= 160000 else " to current_user"
