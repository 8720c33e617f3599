# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instance's PostgreSQL cluster as a whole: sessions, who may log in, the fence, databases made, copied and exchanged.

Every method opens the session it needs: a server that restarts in the middle costs a wait, not the release.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.wait import Deadline
from .names import COLOURS, KINDS, OWNER, QUEUE, UPDATE, role
from .way_in import WayIn

try:
    import psycopg2
    from psycopg2 import sql
    from psycopg2.extensions import encrypt_password

    HAS_PSYCOPG2 = True
except ImportError:
    HAS_PSYCOPG2 = False

# How long a server that restarts is waited for, in seconds.
PATIENCE = 60
# Databases from this size, in bytes, are copied file by file.
LARGE = 512 * 1024 ** 2
# Connection limits of a database that was not opened yet, or is closed: for a superuser as administrator, and for another role.
CLOSED = (0, 19)
# Settings that are lists, whose items may be quoted (GUC_LIST_QUOTE, src/backend/utils/misc/guc_tables.c).
LISTS = ("search_path", "temp_tablespaces", "session_preload_libraries", "local_preload_libraries")


@dataclass(frozen=True)
class Grants:
    """What belongs to a database but is not copied with it: its grants and its settings."""

    grants: Sequence[tuple[str, str, bool]]
    settings: Sequence[tuple[str, str, str]]

    def as_json(self) -> dict[str, Any]:
        return {"grants": [list(g) for g in self.grants], "settings": [list(s) for s in self.settings]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Grants:
        return cls([(g[0], g[1], g[2]) for g in value["grants"]], [(s[0], s[1], s[2]) for s in value["settings"]])


class Cluster:
    """The cluster of one instance.

    :param name: of the instance's database; the names of its roles and of what lies beside it follow from it.
    :param way: the administrator's way in.
    """

    def __init__(self, name: str, way: WayIn) -> None:
        if not HAS_PSYCOPG2:
            raise DomainError("psycopg2_missing", "the Python library psycopg2 is not on this machine",
                              unchanged="Nothing was changed", advice="Run the site playbook for this machine")
        self.name, self.way = name, way
        self.owner = role(name, OWNER)
        self.undo = name + "_undo"
        self.failed = name + "_failed"
        self.update_role = role(name, UPDATE)

    def role(self, colour: str, kind: str) -> str:
        return role(self.name, f"{colour}_{kind}")

    def roles(self, colour: str) -> list[str]:
        """Those that may log in while the colour works; the queue's is let in where there are jobs."""
        return [self.role(colour, kind) for kind in KINDS]

    def all_roles(self, colour: str) -> list[str]:
        """All login roles of a colour that there are."""
        return [*self.roles(colour), *(role for role in self.queue_roles if role == self.role(colour, QUEUE))]

    @cached_property
    def queue_roles(self) -> list[str]:
        """The queue's login roles, where the role ``postgresql`` has made them. They come and go with it alone."""
        with self.session("postgres") as cursor:
            cursor.execute("select rolname from pg_roles where rolname = any(%s)", ([self.role(colour, QUEUE) for colour in COLOURS],))
            return [row[0] for row in cursor.fetchall()]

    @cached_property
    def superuser(self) -> bool:
        """Whether the administrator is one; see ``administrator``."""
        if not self.way.remote and self.way.user == "postgres":
            return True
        with self.session("postgres") as cursor:
            cursor.execute("select rolsuper from pg_roles where rolname = current_user")
            return bool(cursor.fetchone()[0])

    # -- sessions ---------------------------------------------------------------------------------

    @contextmanager
    def session(self, database: str | None = None, patience: float = PATIENCE) -> Iterator[Any]:
        """A cursor in autocommit. :raises DomainError: ``database_down``."""
        connection = self.connect(database or self.name, patience)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def connect(self, database: str, patience: float) -> Any:
        deadline = Deadline(patience)
        while True:
            try:
                return self.way.connect(database, application_name="sysgenpro")
            except psycopg2.OperationalError as error:
                text = str(error).strip()
                if "does not exist" in text:
                    raise
                if deadline.passed:
                    raise DomainError(
                        "database_down",
                        "PostgreSQL does not answer on {}: {}".format(self.way.said(), text.splitlines()[-1] if text else "no reason given"),
                        unchanged="Nothing was changed by this call", advice=self.way.why_down()) from None
                time.sleep(0.3)

    # -- who may log in ---------------------------------------------------------------------------

    def set_password(self, role: str, password: str) -> None:
        """Set a login role's password; the server is given its SCRAM verifier and never the password."""
        with self.session("postgres") as cursor:
            verifier = encrypt_password(password, role, scope=cursor.connection, algorithm="scram-sha-256")
            cursor.execute(sql.SQL("alter role {} password %s").format(sql.Identifier(role)), (verifier,))

    def allow_login(self, roles: Iterable[str], allowed: bool) -> None:
        with self.session("postgres") as cursor:
            for role in roles:
                cursor.execute(sql.SQL("alter role {} " + ("login" if allowed else "nologin")).format(
                    sql.Identifier(role)))

    def grants(self) -> Grants:
        """What a copy of the database would lack."""
        with self.session("postgres") as cursor:
            cursor.execute(
                "select coalesce(r.rolname, ''), x.privilege_type, x.is_grantable from pg_database d,"
                " aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) x"
                " left join pg_roles r on r.oid = x.grantee where d.datname = %s order by 1, 2", (self.name,))
            grants = [(row[0], row[1], row[2]) for row in cursor.fetchall()]
            cursor.execute(
                "select coalesce(r.rolname, ''), split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)"
                " from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase"
                " left join pg_roles r on r.oid = s.setrole, unnest(s.setconfig) c"
                " where d.datname = %s order by 1, 2", (self.name,))
            return Grants(grants, [(row[0], row[1], row[2]) for row in cursor.fetchall()])

    def apply_grants(self, wanted: Grants, settings: bool = True) -> None:
        """Make the database's grants exactly these (and set its settings, for a copy that has none).

        In one transaction, since whoever serves opens sessions all the time.
        """
        database = sql.Identifier(self.name)
        with self.session("postgres") as cursor:
            cursor.execute("begin")
            for grantee, privilege, _option in self.grants().grants:
                cursor.execute(sql.SQL("revoke {} on database {} from {}").format(
                    sql.SQL(privilege), database, _grantee(grantee)))
            for grantee, privilege, option in wanted.grants:
                cursor.execute(sql.SQL("grant {} on database {} to {}" + (" with grant option" if option else "")
                                       ).format(sql.SQL(privilege), database, _grantee(grantee)))
            for role, name, value in wanted.settings if settings else ():
                apply_setting(cursor, self.name, role, name, value)
            cursor.execute("commit")

    def fence(self, shut: Sequence[str], allowed: Sequence[str], seconds: float = 30) -> None:
        """Let only ``allowed`` into the database: ``shut`` lose their login, all others the right to connect.

        :raises DomainError: ``fence_failed`` where a session does not end.
        """
        self.allow_login(shut, False)
        self.allow_login(allowed, True)
        # A superuser always gets in.
        allowed = [*allowed, *([] if self.superuser else [self.way.user])]
        database = sql.Identifier(self.name)
        with self.session("postgres") as cursor:
            for grantee, privilege, _option in self.grants().grants:
                if privilege == "CONNECT":
                    cursor.execute(sql.SQL("revoke connect on database {} from {}").format(
                        database, _grantee(grantee)))
            for role in allowed:
                cursor.execute(sql.SQL("grant connect on database {} to {}").format(database, sql.Identifier(role)))
            deadline = Deadline(seconds)
            while True:
                left = self._terminate(cursor, " and usename <> all(%s)", (self.name, list(allowed)))
                if not left:
                    return
                if deadline.passed:
                    raise DomainError("fence_failed", "sessions of {} in {} do not end".format(
                        ", ".join(sorted({row[1] for row in left})), self.name))
                time.sleep(0.05)

    def _terminate(self, cursor: Any, which: str = "", values: Sequence[Any] = ()) -> list[tuple[int, str]]:
        """End sessions in a database. Returns those that were there, with their roles. :raises DomainError: ``fence_failed``."""
        values = values or (self.name,)
        where = " from pg_stat_activity where datname = %s and pid <> pg_backend_pid()" + which
        try:
            cursor.execute("select pid, usename, pg_terminate_backend(pid)" + where, values)
        except psycopg2.errors.InsufficientPrivilege as error:
            cursor.execute("select distinct usename" + where, values)
            raise DomainError("fence_failed", "sessions in {} may not be ended by {}, among them those of {}: {}".format(
                values[0], self.way.user, ", ".join(sorted(str(row[0]) for row in cursor.fetchall())), str(error).strip().splitlines()[0]),
                advice="Nobody but a superuser ends a superuser's sessions: have whoever owns them end them") from None
        return [(row[0], row[1] or "?") for row in cursor.fetchall()]

    def let_in(self, role: str) -> None:
        """Open the fence for one more role."""
        self.allow_login([role], True)
        with self.session("postgres") as cursor:
            cursor.execute(sql.SQL("grant connect on database {} to {}").format(
                sql.Identifier(self.name), sql.Identifier(role)))

    # -- databases --------------------------------------------------------------------------------

    def create(self, name: str | None = None) -> None:
        """An empty database of the owner's, closed to everyone else; one that exists is left alone.

        Encoding and collation are those that Odoo gives its databases (odoo/service/db.py).
        """
        name = name or self.name
        with self.session("postgres") as cursor:
            cursor.execute("select 1 from pg_database where datname = %s", (name,))
            if not cursor.fetchone():
                cursor.execute(sql.SQL(
                    "create database {} owner {} encoding 'UTF8' lc_collate 'C' template template0").format(
                        sql.Identifier(name), sql.Identifier(self.owner)))
            cursor.execute(sql.SQL("revoke connect, temporary on database {} from public").format(
                sql.Identifier(name)))

    def drop(self, name: str) -> None:
        """Drop a database whoever is in it; absent is fine."""
        with self.session("postgres") as cursor:
            cursor.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))

    def copy_for_undo(self) -> float:
        """Copy the database, which nobody may be in, aside. Returns seconds.

        :raises DomainError: ``undo_copy_failed``.
        """
        started = time.monotonic()
        self.drop(self.undo)
        with self.session("postgres") as cursor:
            try:
                self.copy(cursor, self.name, self.undo, "allow_connections false")
            except psycopg2.Error as error:
                cursor.execute(
                    "select distinct coalesce(usename, backend_type) || ' (' || coalesce(application_name, '') || ')'"
                    " from pg_stat_activity where datname = %s", (self.name,))
                inside = [row[0] for row in cursor.fetchall()]
                raise DomainError("undo_copy_failed", "the undo copy could not be made: {}{}".format(
                    str(error).strip().splitlines()[0], ": " + ", ".join(inside) if inside else "")) from None
        return time.monotonic() - started

    def copy(self, cursor: Any, source: str, target: str, options: str = "") -> None:
        """Copy a database that nobody is in, the quicker way for its size: through WAL, or file by file with two checkpoints
        (PostgreSQL documentation, CREATE DATABASE, STRATEGY)."""
        cursor.execute("select pg_database_size(%s)", (source,))
        size = cursor.fetchone()[0]
        strategy = ""
        if cursor.connection.server_version >= 150000:
            strategy = " strategy wal_log" if size < LARGE else " strategy file_copy"
        cursor.execute(sql.SQL("create database {} template {} owner {} " + options + strategy).format(
            sql.Identifier(target), sql.Identifier(source), sql.Identifier(self.owner)))

    def swap_undo_in(self, grants: Grants) -> None:
        """Put the undo copy in the database's place. Killed anywhere, the same call goes on."""
        if {self.name, self.undo} <= set(self.beside(self.name)):
            self.drop(self.failed)
        self.exchange(self.undo, self.failed)
        self.apply_grants(grants)
        self.drop(self.failed)

    def exchange(self, new: str, aside: str) -> None:
        """Put ``new`` in the database's place and keep what was there as ``aside``. Killed anywhere, the same call goes on; with the two names
        exchanged it is taken back."""
        there = self.beside(self.name)
        with self.session("postgres") as cursor:
            if new in there:
                if self.name in there:
                    self._rename(cursor, self.name, aside)
                self._rename(cursor, new, self.name)
            cursor.execute(sql.SQL("alter database {} allow_connections true connection limit -1").format(sql.Identifier(self.name)))

    def beside(self, prefix: str) -> list[str]:
        """Names of the cluster's databases that begin with ``prefix``."""
        with self.session("postgres") as cursor:
            cursor.execute("select datname from pg_database where starts_with(datname, %s)", (prefix,))
            return [row[0] for row in cursor.fetchall()]

    def comment(self) -> str:
        """The database's comment; a restore writes there which recovery point it is of."""
        with self.session("postgres") as cursor:
            cursor.execute("select shobj_description(oid, 'pg_database') from pg_database where datname = %s", (self.name,))
            row = cursor.fetchone()
            return str(row[0] or "") if row else ""

    def close(self, name: str) -> None:
        """Let nobody but the administrator into a database any more: a superuser is not counted, and whoever is none gets the few sessions that it needs."""
        database = sql.Identifier(name)
        with self.session("postgres") as cursor:
            cursor.execute(sql.SQL("alter database {} allow_connections true connection limit {}").format(
                database, sql.Literal(CLOSED[0 if self.superuser else 1])))
            cursor.execute(sql.SQL("revoke all on database {} from public").format(database))
            if not self.superuser:
                cursor.execute("select distinct r.rolname from pg_database d, aclexplode(d.datacl) x join pg_roles r on r.oid = x.grantee"
                               " where d.datname = %s", (name,))
                for (grantee,) in cursor.fetchall():
                    cursor.execute(sql.SQL("revoke all on database {} from {}").format(database, sql.Identifier(grantee)))
                cursor.execute(sql.SQL("grant connect on database {} to current_user").format(database))

    def _rename(self, cursor: Any, old: str, new: str) -> None:
        cursor.execute(sql.SQL("alter database {} allow_connections false").format(sql.Identifier(old)))
        try:
            cursor.execute("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s", (old,))
        except psycopg2.errors.InsufficientPrivilege:
            self._terminate(cursor, values=(old,))
        cursor.execute(sql.SQL("alter database {} rename to {}").format(sql.Identifier(old), sql.Identifier(new)))


def apply_setting(cursor: Any, database: str, role: str, key: str, value: str) -> None:
    """A setting of a database, or of a role in it. A list's quotes survive only by way of the session's own setting."""
    scope = sql.SQL("database {}").format(sql.Identifier(database))
    if role:
        scope = sql.SQL("role {} in {}").format(sql.Identifier(role), scope)
    if key in LISTS:
        cursor.execute("select set_config(%s, %s, false)", (key, value))
        cursor.execute(sql.SQL("alter {} set {} from current").format(scope, sql.Identifier(key)))
    else:
        cursor.execute(sql.SQL("alter {} set {} to {}").format(scope, sql.Identifier(key), sql.Literal(value)))


def _grantee(name: str) -> Any:
    return sql.Identifier(name) if name else sql.SQL("public")
