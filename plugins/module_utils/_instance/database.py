# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The instance's database: what is in it, and the record of what was applied."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .._kernel.errors import DomainError
from . import administrator, given
from .cluster import PATIENCE, Cluster
from .names import logins_of

with contextlib.suppress(ImportError):  # Cluster says so
    import psycopg2
    from psycopg2 import sql

_OBSERVE = """
select json_build_object(
  'settings', json_build_object(
    'version', current_setting('server_version_num')::int,
    'max_connections', current_setting('max_connections')::int,
    'reserved', current_setting('superuser_reserved_connections')::int,
    'limit', (select datconnlimit from pg_database where datname = current_database())),
  'read_only', case when pg_is_in_recovery() then 'the cluster is a standby' when exists (select from pg_db_role_setting s, unnest(s.setconfig) c
    where (s.setdatabase = 0 or s.setdatabase = (select oid from pg_database where datname = %(name)s)) and (s.setrole = 0 or
      (select rolname from pg_roles r where r.oid = s.setrole) = any(%(logins)s)) and c ~* '^default_transaction_read_only=(on|true|yes|1|t)$')
    or (select reset_val from pg_settings where name = 'default_transaction_read_only') = 'on'
    then 'default_transaction_read_only is on' end,
  'closed', (select json_agg(what order by what) from (
    select rolname || case when rolvaliduntil < now() then ' has a password that ran out (VALID UNTIL)' when rolconnlimit = 0 then ' has CONNECTION LIMIT 0'
        else ' is no member of ' || %(owner)s end from pg_roles r
      where rolname = any(%(logins)s) and (rolvaliduntil < now() or rolconnlimit = 0
        or exists (select from pg_roles o where o.rolname = %(owner)s and not pg_has_role(r.oid, o.oid, 'member')))
    union all select 'the database has CONNECTION LIMIT ' || datconnlimit from pg_database where datname = %(name)s and datconnlimit = 0) c (what)),
  'roles', (select json_object_agg(rolname, rolcanlogin) from pg_roles where rolname like %(prefix)s),
  'databases', (select json_agg(datname) from pg_database where datname like %(prefix)s),
  'owner', (select pg_get_userbyid(datdba) from pg_database where datname = current_database()),
  'bytes', pg_database_size(current_database()),
  'directory', (select coalesce(nullif(pg_tablespace_location(dattablespace), ''), current_setting('data_directory'))
    from pg_database where datname = current_database()),
  'prepared', (select json_agg(gid) from pg_prepared_xacts where database = current_database()),
  'replication', (select json_agg(what order by what) from (
    select 'slot ' || slot_name from pg_replication_slots where database = current_database()
    union all select 'subscription ' || subname from pg_subscription
      where subdbid = (select oid from pg_database where datname = current_database())) r (what)),
  'sessions', (select json_agg(distinct usename) from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend' and usename <> current_user),
  'extensions', {extensions},
  'administrator', {administrator}
  {collation} {odoo} {platform})
"""
# Since 15: of a database whose two differ no copy can be made (CREATE DATABASE, "template database has a collation version mismatch").
_OBSERVE_COLLATION = """
  , 'collation', (select json_build_object('recorded', datcollversion, 'actual', pg_database_collation_actual_version(oid), 'name',
      coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale', datcollate)) from pg_database d where datname = current_database())
"""
_OBSERVE_ODOO = """
  , 'modules', (select json_object_agg(name, json_build_array(state, latest_version)) from ir_module_module
                where state not in ('uninstalled', 'uninstallable'))
  , 'partially_updated', (select value from ir_config_parameter where key = 'base.partially_updated_database')
  , 'languages', (select json_agg(code order by code) from res_lang where active)
"""
# What an extension brought is nobody's data.
_OBSERVE_OTHER = """
  , 'tables', (select count(*) from pg_class c where c.relkind in ('r', 'p', 'v', 'm', 'f')
               and c.relnamespace not in (select oid from pg_namespace where nspname ~ '^pg_' or nspname = 'information_schema')
               and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'))
"""
_OBSERVE_PLATFORM = """
  , 'identity', (select row_to_json(i) from sysgenpro.identity i)
  , 'applied', (select row_to_json(a) from (select id, release, image, reference, config_digest, class, operation, who,
                reason, at from sysgenpro.applied order by id desc limit 1) a)
"""
# Asked only where something is to be done with the database, or a module is to be judged that the release does not hold.
_ORIGINS = """
with m as (select * from ir_module_module where state not in ('uninstalled', 'uninstallable'))
select json_build_object(
  'imported', (select json_agg(name order by name) from m where (to_jsonb(m) ->> 'imported')::boolean),
  'depends', (select json_object_agg(name, needs) from (
      select m.name, json_agg(d.name order by d.name) from m join ir_module_module_dependency d on d.module_id = m.id group by 1) n (name, needs)),
  'with_models', (select json_agg(distinct d.module) from ir_model_data d join ir_model i on i.id = d.res_id
      where d.model = 'ir.model' and i.state = 'base' and d.name = 'model_' || replace(i.model, '.', '_')),
  'languages', (select json_agg(code order by code) from res_lang),
  'countries', (select json_agg(distinct lower(c.code)) from res_company k join res_partner p on p.id = k.partner_id join res_country c on c.id = p.country_id),
  'held', {held})
"""
_HELD = """(select json_agg(h.name order by h.name) from m join
  jsonb_object_keys((select record -> 'modules' from sysgenpro.applied order by id desc limit 1)) h (name) using (name))"""
_ROWS = """
select row_to_json(a) from (select id, release, image, reference, record->'source'->>'name' as name, config_digest, class, operation, who,
  reason, at from sysgenpro.applied {}) a
"""
_SCHEMA = """
create schema if not exists sysgenpro authorization current_user;
create table if not exists sysgenpro.identity (
  singleton boolean primary key default true check (singleton),
  instance text not null, tenant text not null, environment text not null, data_class text not null);
create table if not exists sysgenpro.applied (
  id bigint generated always as identity primary key,
  release text not null, image text not null, reference text not null, record jsonb not null,
  config_digest text not null, class text not null, operation text not null unique,
  who text not null, reason text not null, at timestamptz not null default now());
"""


@dataclass(frozen=True)
class Origins:
    """What a database says of where its modules (those that are not uninstalled) come from.

    :param imported: those that base_import_module says it imported. :param depends: what each depends on, as the database has it.
    :param with_models: those whose Python made or extended a model. :param held: those that the release which runs holds.
    :param languages: codes of all its languages, active or not. :param countries: of its companies, lower-case codes.
    """

    imported: Sequence[str] = ()
    depends: Mapping[str, Sequence[str]] = field(default_factory=dict)
    with_models: Sequence[str] = ()
    held: Sequence[str] = ()
    languages: Sequence[str] = ()
    countries: Sequence[str] = ()


@dataclass(frozen=True)
class DatabaseState:
    """What one pass over the cluster found.

    :param exists: whether the database is there.
    :param odoo: whether Odoo's tables are in it.
    :param tables: how many tables and views are in it; only where they are not Odoo's.
    :param bytes: its size. :param directory: where its files lie, and those of a copy would.
    :param collation: ``recorded`` and ``actual`` version of its collation, and its ``name``; None where there is no such thing.
    :param replication: slots and subscriptions of logical replication that belong to the database.
    :param sessions: roles that are connected to it, ``postgres`` not counted.
    :param modules: ``{name: (state, installed version)}`` of all that are not uninstalled.
    :param origins: where modules come from; None where nobody asked.
    :param read_only: why nobody can write to it, where it is so.
    :param closed: why logins of the instance's processes would not get in, a line each.
    :param administrator: see ``administrator.OBSERVE``.
    :param extensions: see ``given.OBSERVE``.
    :param applied: the newest row of ``sysgenpro.applied`` without its record; None where never released.
    """

    exists: bool
    odoo: bool = False
    settings: Mapping[str, int] = field(default_factory=dict)
    roles: Mapping[str, bool] = field(default_factory=dict)
    databases: Sequence[str] = ()
    owner: str = ""
    prepared: Sequence[str] = ()
    modules: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    partially_updated: str | None = None
    languages: Sequence[str] = ()
    identity: Mapping[str, str] | None = None
    applied: Mapping[str, Any] | None = None
    tables: int = 0
    bytes: int = 0
    directory: str = ""
    collation: Mapping[str, Any] | None = None
    replication: Sequence[str] = ()
    sessions: Sequence[str] = ()
    origins: Origins | None = None
    extensions: Mapping[str, Any] = field(default_factory=dict)
    read_only: str = ""
    closed: Sequence[str] = ()
    administrator: Mapping[str, Any] = field(default_factory=lambda: {"name": "postgres", "superuser": True, "lacks": []})

    @property
    def installed(self) -> set[str]:
        """Names of the modules that are installed."""
        return {name for name, (state, _version) in self.modules.items() if state == "installed"}


class Database(Cluster):
    """The database of one instance, in its cluster."""

    def observe(self) -> DatabaseState:
        """One session and one query where the database was released before.

        :raises DomainError: ``admin_rights``; ``database_down``, also for a database that is there and cannot be read: it is never taken for one that is not.
        """
        try:
            with self.session(patience=0) as cursor:
                for odoo, platform in ((True, True), (True, False), (False, False)):
                    try:
                        found = self._observe_with(cursor, odoo, platform)
                    except psycopg2.errors.UndefinedTable:
                        continue
                    return _state(found, odoo)
        except (psycopg2.Error, DomainError) as error:
            return self._without(error)
        raise AssertionError("the last query names no table of Odoo")

    def _without(self, error: Exception) -> DatabaseState:
        """The cluster without the database; whether it is there is asked, since the words of an error depend on the server's language."""
        with self.session("postgres", patience=0) as cursor:
            if not self.superuser:
                cursor.execute("select " + administrator.OBSERVE, {"owner": self.owner})
                may = cursor.fetchone()[0]
                # Without its membership it gets into no database of the owner's, without pg_monitor it is told nothing of any.
                administrator.check(may["name"], may["lacks"])
            found = self._observe_with(cursor, False, False)
            cursor.execute("select 1 from pg_database where datname = %s", (self.name,))
            if cursor.fetchone():
                raise DomainError("database_down", "the database {} is there and cannot be read: {}".format(
                    self.name, (str(error).strip().splitlines() or ["no reason given"])[0]),
                    unchanged="Nothing was changed by this call", advice="Mend that, then run this again") from error
        return DatabaseState(False, settings=found["settings"], roles=found["roles"] or {}, databases=found["databases"] or (),
                             directory=found["directory"], read_only=found["read_only"] or "", closed=found["closed"] or (),
                             administrator=found["administrator"])

    def _observe_with(self, cursor: Any, odoo: bool, platform: bool) -> dict[str, Any]:
        collation = _OBSERVE_COLLATION if cursor.connection.server_version >= 150000 else ""
        query = _OBSERVE.format(collation=collation, odoo=_OBSERVE_ODOO if odoo else _OBSERVE_OTHER,
                                platform=_OBSERVE_PLATFORM if platform else "", extensions=given.OBSERVE, administrator=administrator.OBSERVE)
        cursor.execute(query, {"prefix": self.name.replace("_", r"\_") + "%", "name": self.name,
                               "logins": logins_of(self.name), "owner": self.owner})
        found: dict[str, Any] = cursor.fetchone()[0]
        return found

    def offered_extensions(self) -> list[str]:
        """Which of those that Odoo gives the cluster can give."""
        with self.session("postgres") as cursor:
            return given.offered(cursor)

    def give_extensions(self, unaccent: bool, name: str | None = None) -> list[str]:
        """Give a database what Odoo gives its own; see ``given.give``. :param name: default the instance's own."""
        with self.session(name) as cursor:
            return given.give(cursor, unaccent)

    def applied_record(self) -> dict[str, Any]:
        """The record of the release that was applied last."""
        with self.session() as cursor:
            cursor.execute("select record from sysgenpro.applied order by id desc limit 1")
            record: dict[str, Any] = cursor.fetchone()[0]
            return record

    def history(self, limit: int) -> list[dict[str, Any]]:
        """The newest rows of what was applied, without records."""
        return self._rows("order by id desc limit %s", (limit,))

    def since_another(self) -> list[dict[str, Any]]:
        """The rows of what was applied, the newest first, down to the newest one of another image than what runs; where there is none, the newest."""
        return self._rows(
            "where id >= coalesce((select max(id) from sysgenpro.applied where image <>"
            " (select image from sysgenpro.applied order by id desc limit 1)), (select max(id) from sysgenpro.applied)) order by id desc", ())

    def _rows(self, which: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        with self.session() as cursor:
            cursor.execute(_ROWS.format(which), values)
            return [row[0] for row in cursor.fetchall()]

    def module_states(self) -> tuple[dict[str, str], str | None]:
        """States of the modules that are installed or on their way (``to install`` …) by name, and Odoo's mark of a database
        left half-updated."""
        with self.session() as cursor:
            cursor.execute("select name, state from ir_module_module where state = 'installed' or state like 'to %'")
            states = dict(cursor.fetchall())
            cursor.execute("select value from ir_config_parameter where key = 'base.partially_updated_database'")
            row = cursor.fetchone()
            return states, row[0] if row else None

    def with_origins(self, state: DatabaseState) -> DatabaseState:
        """The same, and where its modules come from. One query."""
        with self.session() as cursor:
            cursor.execute(_ORIGINS.format(held=_HELD if state.applied else "null"))
            found = {key: value for key, value in cursor.fetchone()[0].items() if value}
        return replace(state, origins=Origins(**found))

    def mark_installed(self, names: Sequence[str]) -> None:
        """Take modules for installed that Odoo left ``to upgrade`` and cannot update."""
        self._mark("to upgrade", "installed", names)

    def mark_uninstalled(self, names: Sequence[str]) -> None:
        """Take modules for not installed that Odoo left ``to install`` and cannot install."""
        self._mark("to install", "uninstalled", names)

    def _mark(self, before: str, after: str, names: Sequence[str]) -> None:
        """With the last of them goes Odoo's mark of a half-updated database, which later series leave for them and for nothing else
        (the end of ``load_modules``, odoo/modules/loading.py, 19): with it the next start would be an update."""
        with self.session() as cursor:
            cursor.execute("begin")
            cursor.execute("update ir_module_module set state = %s where state = %s and name = any(%s)", (after, before, list(names)))
            cursor.execute("delete from ir_config_parameter where key = 'base.partially_updated_database'"
                           " and not exists (select from ir_module_module where starts_with(state, 'to '))")
            cursor.execute("commit")

    def running_cron(self) -> list[str]:
        """Names of the scheduled actions that run now: Odoo locks the row of each, in every series."""
        with self.session() as cursor:
            cursor.execute(
                "select coalesce(to_jsonb(a.name), to_jsonb(c.id)) from ir_cron c left join ir_act_server a"
                " on a.id = c.ir_actions_server_id where c.id not in"
                " (select id from ir_cron for no key update skip locked)")
            names = []
            for (name,) in cursor.fetchall():
                # Translated names are JSON since 16.
                names.append(name.get("en_US", str(name)) if isinstance(name, dict) else str(name))
            return names

    def running_jobs(self) -> list[str]:
        """What the jobs of ``queue_job`` that run now do; a process that was killed may have left one that says so."""
        with self.session() as cursor:
            cursor.execute("select to_regclass('queue_job')")
            if not cursor.fetchone()[0]:
                return []
            cursor.execute("select coalesce(name, func_string, uuid) || ' (' || uuid || ')' from queue_job where state = 'started' order by 1")
            return [str(row[0]) for row in cursor.fetchall()]

    def open_pos_sessions(self) -> int | None:
        """How many point of sale sessions are open, those that are being opened or counted among them; None where there is no point of sale."""
        with self.session() as cursor:
            cursor.execute("select to_regclass('pos_session')")
            if not cursor.fetchone()[0]:
                return None
            cursor.execute("select count(*) from pos_session where state <> 'closed'")
            return int(cursor.fetchone()[0])

    def blockers(self, role: str) -> list[str]:
        """Who keeps the sessions of ``role`` waiting for a lock, a line each."""
        with self.session() as cursor:
            cursor.execute(
                "select distinct b.pid, b.usename, b.application_name, b.state, left(b.query, 200), w.wait_event"
                " from pg_stat_activity w, unnest(pg_blocking_pids(w.pid)) p left join pg_stat_activity b on b.pid = p"
                " where w.usename = %s and cardinality(pg_blocking_pids(w.pid)) > 0", (role,))
            return ["session {} of {} ({}, {}): {}".format(*row[:5]) for row in cursor.fetchall()]

    def record_applied(self, identity: Mapping[str, str], row: Mapping[str, Any]) -> None:
        """Write identity and what was applied, in one transaction; the same operation is written once."""
        connection = self.connect(self.name, PATIENCE)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(_SCHEMA)
                cursor.execute(sql.SQL(
                    "grant usage on schema sysgenpro to {0}; grant select on all tables in schema sysgenpro to {0}"
                ).format(sql.Identifier(self.owner)))
                cursor.execute(
                    "insert into sysgenpro.identity (instance, tenant, environment, data_class)"
                    " values (%(instance)s, %(tenant)s, %(environment)s, %(data_class)s)"
                    " on conflict (singleton) do nothing", dict(identity))
                cursor.execute(
                    "insert into sysgenpro.applied (release, image, reference, record, config_digest, class, operation,"
                    " who, reason) values (%(release)s, %(image)s, %(reference)s, %(record)s, %(config_digest)s,"
                    " %(class)s, %(operation)s, %(who)s, %(reason)s) on conflict (operation) do nothing",
                    {**row, "record": json.dumps(row["record"])})
        finally:
            connection.close()

    def take_over(self, identity: Mapping[str, str]) -> None:
        """Give a database that was restored from another instance this one's identity, and open it to this one's logins."""
        with self.session() as cursor:
            cursor.execute(
                "update sysgenpro.identity set instance = %(instance)s, tenant = %(tenant)s, environment = %(environment)s,"
                " data_class = %(data_class)s", dict(identity))
        with self.session("postgres") as cursor:
            cursor.execute(sql.SQL("alter database {} connection limit -1").format(sql.Identifier(self.name)))
            cursor.execute(sql.SQL("grant connect, temporary on database {0} to {1}").format(
                sql.Identifier(self.name), sql.Identifier(self.owner)))

    def forget_applied(self, operation: str) -> None:
        """Take back what an operation wrote down."""
        with self.session() as cursor:
            cursor.execute("select to_regclass('sysgenpro.applied')")
            if cursor.fetchone()[0]:
                cursor.execute("delete from sysgenpro.applied where operation = %s", (operation,))


def _state(found: Mapping[str, Any], odoo: bool) -> DatabaseState:
    modules = {name: (value[0], value[1] or "") for name, value in (found.get("modules") or {}).items()}
    return DatabaseState(
        exists=True, odoo=odoo, settings=found["settings"], roles=found["roles"] or {},
        databases=found["databases"] or (), owner=found["owner"] or "", prepared=found["prepared"] or (),
        replication=found["replication"] or (), sessions=found["sessions"] or (),
        modules=modules, partially_updated=found.get("partially_updated"), languages=found.get("languages") or (),
        identity=found.get("identity"), applied=found.get("applied"),
        tables=found.get("tables") or 0, bytes=found["bytes"], directory=found["directory"], collation=found.get("collation"),
        extensions=found["extensions"], read_only=found["read_only"] or "", closed=found["closed"] or (), administrator=found["administrator"])


__all__ = ["Database", "DatabaseState"]
