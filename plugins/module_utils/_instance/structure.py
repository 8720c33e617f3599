# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The structure of a database: its columns, constraints and indexes, a line each."""

from __future__ import annotations

from .._kernel.plan import digest_of
from .database import Database

SHAPE = """
select 'COLUMN', format('%s.%s', c.oid::regclass, a.attname), format('%s%s', format_type(a.atttypid, a.atttypmod), case when a.attnotnull then ' not null' end)
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
  where c.relkind in ('r', 'p', 'v', 'm') and c.relnamespace = 'public'::regnamespace
union all select 'CONSTRAINT', format('%s on %s', conname, conrelid::regclass), pg_get_constraintdef(oid) from pg_constraint
  where connamespace = 'public'::regnamespace and conrelid <> 0
union all select 'INDEX', format('%s', indexrelid::regclass), pg_get_indexdef(indexrelid) from pg_index i
  join pg_class c on c.oid = i.indexrelid where c.relnamespace = 'public'::regnamespace
order by 1, 2, 3
"""


def structure(database: Database) -> str:
    """The digest of it. Rows, and sequences that tills make, change nothing of it."""
    with database.session() as cursor:
        cursor.execute(SHAPE)
        return digest_of([list(row) for row in cursor.fetchall()])
