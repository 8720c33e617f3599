# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The database at one moment: what it references, a snapshot that a dump can take over, what is needed to rebuild it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any

from .._instance.database import Database
from .._kernel.errors import DomainError
from .model import STORED

with contextlib.suppress(ImportError):  # Database says so
    import psycopg2

# Rows fetched at a time.
BATCH = 5000
# How many attachments are told by name.
ATTACHMENTS = 20
# How often the lock is asked for while Odoo's garbage collector has it, which is for 10 s at most (ir_attachment.py).
TRIES = 3
# What would end the session that keeps the snapshot while the dump is made.
TIMEOUTS = ("idle_in_transaction_session_timeout", "idle_session_timeout", "lock_timeout", "statement_timeout", "transaction_timeout")

# The oldest transaction that may still be under way, as the 32 bits that a row's xmin has.
_HORIZON = "select (txid_snapshot_xmin(txid_current_snapshot()) %% 4294967296)::text"
# Rows that a transaction newer than the horizon wrote. Rows whose xmin wrapped round come too, which does no harm.
_SINCE = "select distinct store_fname from ir_attachment where store_fname is not null and age(xmin) <= age(%s::xid)"
# Odoo dates rows with the start of their transaction: what is under way now is dated from here on, and is in no snapshot of now.
_UNDER_WAY = """
select json_build_object(
  'since', to_char(least(clock_timestamp(), min(xact_start)) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"'),
  'horizon', (txid_snapshot_xmin(txid_current_snapshot()) % 4294967296)::text)
from pg_stat_activity where datname = current_database() and backend_type = 'client backend' and pid <> pg_backend_pid()
"""
_MOMENT = """
select json_build_object(
  'snapshot', pg_export_snapshot(),
  'at', to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"+00:00"'),
  'lsn', case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end::text,
  'timeline', (select timeline_id from pg_control_checkpoint()),
  'system', (select system_identifier::text from pg_control_system()))
"""
_DESCRIBE = """
select json_build_object(
  'name', d.datname, 'owner', pg_get_userbyid(d.datdba), 'bytes', pg_database_size(d.oid),
  'encoding', pg_encoding_to_char(d.encoding), 'collate', d.datcollate, 'ctype', d.datctype, 'connection_limit', d.datconnlimit,
  'provider', to_jsonb(d)->>'datlocprovider', 'locale', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'),
  'icu_rules', to_jsonb(d)->>'daticurules',
  'version', current_setting('server_version'), 'version_num', current_setting('server_version_num')::int,
  'extensions', (select json_object_agg(extname, extversion) from pg_extension),
  'attachments', (select count(*) from ir_attachment),
  'roles', (select json_agg(json_build_object(
      'name', r.rolname, 'login', r.rolcanlogin, 'connection_limit', r.rolconnlimit, 'settings', r.rolconfig,
      'member_of', (select json_agg(g.rolname order by g.rolname) from pg_auth_members m join pg_roles g on g.oid = m.roleid
                    where m.member = r.oid)) order by r.rolname)
    from pg_roles r where r.rolname not like 'pg\\_%%' and not r.rolsuper and (r.oid = d.datdba or r.oid in (
      select refobjid from pg_shdepend where dbid in (0, d.oid)) or pg_has_role(r.oid, d.datdba, 'member'))))
from pg_database d where d.datname = current_database()
"""


class Moment:
    """Sessions of one capture. ``close`` ends them; the snapshot lives as long as its session.

    :param database: the instance's.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self._stack = ExitStack()
        self._cursor: Any = None

    def close(self) -> None:
        self._stack.close()

    def horizon(self) -> str:
        with self.database.session() as cursor:
            cursor.execute(_HORIZON.replace("%%", "%"))
            return str(cursor.fetchone()[0])

    def referenced(self) -> Iterator[str]:
        """Names of all stored files that rows name now, in no order. Plain SQL: the ORM hides some rows.

        :raises DomainError: ``attachment_elsewhere``.
        """
        with self.database.session() as cursor:
            cursor.execute("begin read only")
            yield from stream(cursor, "select distinct store_fname from ir_attachment where store_fname is not null")

    def since(self, horizon: str) -> list[str]:
        """Names that rows written since the horizon name, and perhaps some others."""
        with self.database.session() as cursor:
            cursor.execute(_SINCE, (horizon,))
            return [row[0] for row in cursor.fetchall()]

    def freeze(self, horizon: str, pin: Any, seconds: int) -> tuple[dict[str, Any], float]:
        """Under a lock that keeps Odoo's garbage collector out, and nobody else: export a snapshot, pin what is new in it.

        The lock needs a session of its own, since a lock ends with its transaction and the snapshot's goes on.

        :param pin: called with each name; must only link.
        :param seconds: how long the lock may be waited for.
        :returns: the moment, and the seconds for which the lock was held.
        :raises DomainError: ``attachments_locked``.
        """
        keeper = self._stack.enter_context(self.database.session())
        # Those that this version has: transaction_timeout is there since 17.
        keeper.execute("select set_config(name, '0', false) from pg_settings where name = any(%s)", (list(TIMEOUTS),))
        with self.database.session() as guard:
            # Before the snapshot, so that nothing ends unseen between the two; before the lock, which is held for the snapshot alone.
            guard.execute(_UNDER_WAY)
            found: dict[str, Any] = guard.fetchone()[0]
            self._lock(guard, seconds)
            started = time.monotonic()
            try:
                keeper.execute("begin isolation level repeatable read read only")
                keeper.execute(_MOMENT)
                found.update(keeper.fetchone()[0])
                keeper.execute(_SINCE, (horizon,))
                for (stored,) in keeper.fetchall():
                    pin(stored)
            finally:
                guard.execute("rollback")
                held = time.monotonic() - started
        self._cursor = keeper
        return found, held

    @staticmethod
    def _lock(guard: Any, seconds: int) -> None:
        """As a statement that writes a row takes it: only SHARE and stronger wait, so nobody who works waits for this."""
        guard.execute("set lock_timeout = %s", (f"{seconds}s",))
        for attempt in range(TRIES):
            guard.execute("begin")
            try:
                guard.execute("lock table ir_attachment in row exclusive mode")
                return
            except psycopg2.errors.LockNotAvailable:
                guard.execute("rollback")
                if attempt == TRIES - 1:
                    guard.execute(
                        "select distinct a.pid, a.application_name, left(a.query, 120) from pg_locks l join pg_stat_activity a"
                        " using (pid) where l.relation = 'ir_attachment'::regclass and l.granted and l.mode in"
                        " ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock', 'ShareUpdateExclusiveLock')")
                    holders = "; ".join("session {} ({}): {}".format(*row) for row in guard.fetchall())
                    raise DomainError(
                        "attachments_locked", f"the table of attachments is locked by another for more than {TRIES * seconds} s: {holders}",
                        unchanged="Nothing was captured; earlier recovery points are as they were",
                        advice="Run this again when that session has ended") from None

    def listed(self) -> Iterator[str]:
        """Names of all stored files that the snapshot's rows name, sorted as bytes."""
        yield from stream(
            self._cursor, 'select distinct store_fname collate "C" as n from ir_attachment where store_fname is not null order by n')

    def describe(self) -> dict[str, Any]:
        """The database as the snapshot has it."""
        self._cursor.execute(_DESCRIBE.replace("%%", "%"))
        found: dict[str, Any] = self._cursor.fetchone()[0]
        return found

    def attachments(self, names: Sequence[str], limit: int = ATTACHMENTS) -> list[dict[str, Any]]:
        """Who names these files, for an error."""
        with self.database.session() as cursor:
            cursor.execute(
                "select id, name, res_model, res_id, store_fname, create_date::text from ir_attachment"
                " where store_fname = any(%s) order by id limit %s", (list(names[:1000]), limit))
            keys = ("id", "name", "res_model", "res_id", "store_fname", "created")
            return [dict(zip(keys, row)) for row in cursor.fetchall()]


def stream(cursor: Any, query: str) -> Iterator[str]:
    """The first column of a query, a batch at a time. The session must be in a transaction."""
    cursor.execute("declare stored no scroll cursor for " + query)
    try:
        while True:
            cursor.execute(f"fetch {BATCH} from stored")
            rows = cursor.fetchall()
            if not rows:
                return
            for (stored,) in rows:
                yield stored
    finally:
        if not cursor.connection.closed:
            cursor.execute("close stored")


def checked(names: Iterable[str]) -> Iterator[str]:
    """The names, as long as Odoo's own filestore can hold them.

    :raises DomainError: ``attachment_elsewhere``, as for files that an add-on keeps in another store.
    """
    for stored in names:
        if not STORED.fullmatch(stored):
            raise DomainError(
                "attachment_elsewhere", f"an attachment's file is {stored[:100]!r}, which is no name of Odoo's own filestore",
                unchanged="Nothing was captured; earlier recovery points are as they were",
                advice="Bring attachments back into the filestore: an add-on keeps them elsewhere")
        yield stored


def settings_of(database: Database) -> Mapping[str, Any]:
    """Grants and settings of the database, which no dump of it holds."""
    return database.grants().as_json()
