# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Giving what was loaded without owners to an instance's owner."""

from __future__ import annotations

import contextlib
from typing import Any

with contextlib.suppress(ImportError):  # Database says so
    from psycopg2 import sql

# Objects outside the system's schemas and the platform's own, except those of extensions: statement by object.
_OBJECTS = """
with spaces as (
  select oid, nspname from pg_namespace where nspname !~ '^pg_' and nspname not in ('information_schema', 'sysgenpro')),
mine as (
  select format('alter schema %%I owner to %%I', nspname, %(owner)s) as statement, 'pg_namespace'::regclass as class, oid
    from spaces where nspname <> 'public'
  union all
  select format('alter %%s %%s owner to %%I', case c.relkind when 'v' then 'view' when 'm' then 'materialized view'
      when 'S' then 'sequence' when 'f' then 'foreign table' else 'table' end, c.oid::regclass, %(owner)s), 'pg_class'::regclass, c.oid
    from pg_class c join spaces s on s.oid = c.relnamespace
   where c.relkind in ('r', 'p', 'v', 'm', 'f') or (c.relkind = 'S' and not exists (
      select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype in ('a', 'i')))
  union all
  select format('alter %%s %%s owner to %%I', case p.prokind when 'a' then 'aggregate' when 'p' then 'procedure' else 'function' end,
      p.oid::regprocedure, %(owner)s), 'pg_proc'::regclass, p.oid
    from pg_proc p join spaces s on s.oid = p.pronamespace
  union all
  select format('alter type %%s owner to %%I', t.oid::regtype, %(owner)s), 'pg_type'::regclass, t.oid
    from pg_type t join spaces s on s.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
   where t.typtype in ('d', 'e', 'r') or (t.typtype = 'c' and c.relkind = 'c'))
select statement from mine where not exists (
  select from pg_depend d where d.classid = mine.class and d.objid = mine.oid and d.deptype = 'e')
"""


def adopt_objects(cursor: Any, owner: str) -> None:
    """Make ``owner`` the owner of Odoo's objects; the platform's schema stays the superuser's, readable to the owner."""
    cursor.execute("begin")
    cursor.execute(_OBJECTS, {"owner": owner})
    for (statement,) in cursor.fetchall():
        cursor.execute(statement)
    cursor.execute("select to_regnamespace('sysgenpro') is not null, to_regnamespace('public') is not null")
    platform, public = cursor.fetchone()
    role = sql.Identifier(owner)
    if platform:
        cursor.execute(sql.SQL("grant usage on schema sysgenpro to {0}; grant select on all tables in schema sysgenpro to {0}").format(role))
    if public:
        cursor.execute(sql.SQL("grant all on schema public to {}").format(role))
    cursor.execute("commit")
