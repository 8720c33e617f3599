# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a shop has under way that a release should not come between: imports of files, and closings that are not in the books yet. Odoo 14 to 19."""

from __future__ import annotations

from typing import Any

from .database import Database

try:
    import psycopg2

    DATABASE_ERRORS: tuple[type[BaseException], ...] = (psycopg2.Error,)
except ImportError:  # Cluster says so
    DATABASE_ERRORS = ()

# A transaction that reads a file of base_import keeps this lock until it ends, and an import is one transaction. Vacuum takes another lock.
_IMPORTS = """
select a.pid, extract(epoch from clock_timestamp() - a.xact_start)::int from pg_locks l join pg_stat_activity a on a.pid = l.pid
where l.locktype = 'relation' and l.relation = to_regclass('base_import_import') and l.mode in ('AccessShareLock', 'RowExclusiveLock', 'RowShareLock')
and l.database = (select oid from pg_database where datname = current_database()) and a.pid <> pg_backend_pid() and a.backend_type = 'client backend'
and a.usename not like 'pg\\_%' and a.application_name not like 'pg_dump%' group by 1, 2 order by 1
"""
# Of a till: it is being counted; its entry is a draft; or it is closed and sales of it are not in an entry.
_CLOSINGS = """
select s.id, s.name, case when s.state = 'closing_control' then 'is being counted' when m.state = 'draft' then 'has an entry that is not posted'
else 'is closed, and sales of it are in no entry' end
from pos_session s left join account_move m on m.id = s.move_id
where s.state = 'closing_control' or (s.state = 'closed' and (m.state = 'draft'
or exists (select from pos_order o where o.session_id = s.id and o.state = 'paid'))) order by 1
"""


def running_imports(database: Database) -> list[str]:
    """Imports of files that run now, a line each: people's, and those of jobs (``queue_job``) that have import in their name."""
    with database.session() as cursor:
        cursor.execute(_IMPORTS)
        found = [f"an import for {seconds or 0} s (session {pid})" for pid, seconds in cursor.fetchall()]
    return found + [name for name in database.running_jobs() if "import" in name.lower()]


def unposted_closings(database: Database) -> list[str] | None:
    """Closings of tills that are not in the books, a line each; None where there is no point of sale."""
    with database.session() as cursor:
        cursor.execute("select to_regclass('pos_session')")
        if not cursor.fetchone()[0]:
            return None
        cursor.execute(_CLOSINGS)
        return [f"{name or number} {what}" for number, name, what in cursor.fetchall()]


def at_work(database: Database) -> dict[str, Any]:
    """What is under way in a shop, in numbers; what there is none of is None."""
    closings = unposted_closings(database)
    return {"open": database.open_pos_sessions(), "imports": len(running_imports(database)), "closings": None if closings is None else len(closings)}
