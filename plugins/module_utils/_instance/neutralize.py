# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeping a copy of a shop from acting as the shop: no mail, no scheduled action, no webhook, no payment.

From 16.0 on Odoo and its add-ons bring scripts (``data/neutralize.sql``), which ``odoo neutralize`` carries out in one transaction: one constraint
that one of them meets, and nothing is neutralized. So they are asked for (``--stdout``) and carried out here, statement by statement. What is known
here comes on top, for every series and for backups without an image: by name (neutral_list) and by shape (neutral_shapes). At the end everything
that may act is counted again, whatever was done before, and what still acts is an error with its name.

All is done by a login that is no superuser: a trigger or an index of the database is somebody's code.
"""

# Names of tables and columns are the catalog's or this list's, and no values come from anywhere else.
# ruff: noqa: S608

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .database import Database
from .neutral_list import BARRIER, PARAMETERS, Switch
from .neutral_shapes import SECRET, Columns, Selections, switches
from .script import Script
from .series import series_of

with contextlib.suppress(ImportError):  # Database says so
    import psycopg2
    from psycopg2 import sql

# How many rows are taken one by one where a constraint forbids something for all of them at once.
BY_ROW = 10_000
_COLUMNS = """
select c.relname, a.attname, format_type(coalesce(nullif(t.typbasetype, 0), t.oid), null)
  from pg_class c join pg_attribute a on a.attrelid = c.oid join pg_type t on t.oid = a.atttypid
 where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and a.attnum > 0 and not a.attisdropped and a.attgenerated = ''
"""
_SELECTIONS = """
select replace(f.model, '.', '_'), f.name, array_agg(s.value::text order by s.sequence) from ir_model_fields f
  join ir_model_fields_selection s on s.field_id = f.id group by 1, 2
"""
# Somebody's triggers and rules, and how each is put back: (off, on).
_GUARDS = """
select format('alter table only %s disable trigger %I', t.tgrelid::regclass, t.tgname),
       format('alter table only %s enable %s trigger %I', t.tgrelid::regclass, case t.tgenabled when 'A' then 'always' when 'R' then 'replica' else '' end,
         t.tgname)
  from pg_trigger t join pg_class c on c.oid = t.tgrelid
 where not t.tgisinternal and t.tgenabled <> 'D' and c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
union all
select format('alter table only %s disable rule %I', r.ev_class::regclass, r.rulename),
       format('alter table only %s enable %s rule %I', r.ev_class::regclass, case r.ev_enabled when 'A' then 'always' when 'R' then 'replica' else '' end,
         r.rulename)
  from pg_rewrite r join pg_class c on c.oid = r.ev_class
 where r.rulename <> '_RETURN' and r.ev_enabled <> 'D' and c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
"""
_TARGET = re.compile(rb"(?:update\s+(?:only\s+)?|delete\s+from\s+(?:only\s+)?|insert\s+into\s+|truncate\s+(?:table\s+)?)(?:public\.)?\"?(\w+)", re.IGNORECASE)
_PARAMETER = re.compile(rb"insert\s+into\s+ir_config_parameter\s*\(\s*key\s*,\s*value[^)]*\)\s*values\s*\(\s*('[\w.\-]+')\s*,\s*('[^']*'|\w+)",
                        re.IGNORECASE)
_FRAME = re.compile(rb"(begin|commit|start\s+transaction|end)\b[^;]*;", re.IGNORECASE)
# Where one of these is off, the row is no connection any more, whatever else stands in it.
_CONNECTION = {"active", "state", "enabled"}
# Archiving one of these would take more from the copy than a way out.
_NEVER_ARCHIVED = re.compile(r"res_.*|ir_.*|website|product_.*|account_move.*|account_journal|stock_.*|sale_.*|purchase_.*|pos_config")


@contextlib.contextmanager
def as_owner(database: Database, role: str, password: str) -> Iterator[Any]:
    """A cursor of ``role``, whose statements are the owner's; who made the database can do no more than Odoo itself."""
    connection = database.way.connect(
        database.name, role, password=password, application_name="sysgenpro neutralize",
        options="-c lock_timeout=60s -c statement_timeout=0 -c row_security=off -c search_path=public")
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("set role {}").format(sql.Identifier(database.owner)))
            yield cursor
    finally:
        connection.close()


def neutralize(cursor: Any, scripts: str = "") -> int:
    """Switch off what may act outside, in one transaction. Returns how many statements changed something.

    :param scripts: those of the image's add-ons, as SQL.
    :raises DomainError: ``not_neutralized``, with the name of what still acts. Nothing was changed then.
    """
    cursor.execute("begin")
    try:
        work = _Work(cursor)
        with work.unguarded():
            if scripts:
                work.carry_out(scripts)
            work.switch_off()
            work.mail_barrier()
            work.parameters()
            work.prove()
        cursor.execute("commit")
    except BaseException:
        with contextlib.suppress(psycopg2.Error):
            cursor.execute("rollback")
        raise
    return work.done


class _Work:
    def __init__(self, cursor: Any) -> None:
        self.cursor, self.done = cursor, 0
        # What an image's script or a parameter asked for and could not be done, and why rows stayed as they are: by table.
        self.failed: dict[str, str] = {}
        self.reasons: dict[str, str] = {}
        self.columns = self._columns()
        self.switches = switches(self.columns, self._selections())

    def _columns(self) -> Columns:
        self.cursor.execute(_COLUMNS)
        found: dict[str, dict[str, str]] = {}
        for table, name, kind in self.cursor.fetchall():
            found.setdefault(table, {})[name] = kind
        return found

    def _selections(self) -> Selections:
        if not {"ir_model_fields", "ir_model_fields_selection"} <= set(self.columns):
            return {}
        self.cursor.execute(_SELECTIONS)
        return {(table, name): values for table, name, values in self.cursor.fetchall()}

    @contextlib.contextmanager
    def unguarded(self) -> Iterator[None]:
        """Without triggers and rules of the shop's own. What holds rows together, foreign keys, stays. A rollback puts all of it back."""
        self.cursor.execute(_GUARDS)
        guards = [(off, on) for off, on in self.cursor.fetchall() if not self._try(off)]
        yield
        # A table whose foreign keys are still to be looked at cannot be altered.
        self.cursor.execute("set constraints all immediate")
        for _off, on in guards:
            self.cursor.execute(on)

    def _try(self, statement: str | bytes) -> str:
        """Carry out one statement, or leave no trace of it. Returns why it failed, without values."""
        self.cursor.execute("savepoint one")
        why = ""
        try:
            self.cursor.execute(statement)
            self.done += self.cursor.rowcount > 0
        except psycopg2.Error as error:
            why = (error.diag.message_primary or str(error)).strip().splitlines()[0]
            self.cursor.execute("rollback to one")
        self.cursor.execute("release one")
        return why

    # -- the image's scripts ----------------------------------------------------------------------

    def carry_out(self, text: str) -> None:
        stream = iter([text.encode()])
        try:
            for statement in Script(lambda _size: next(stream, b"")).statements():
                if not _FRAME.fullmatch(statement.text):
                    self._carry_out(statement.text, statement.title)
        except DomainError as error:
            raise unread(error.message) from None

    def _carry_out(self, statement: bytes, title: str) -> None:
        why, table = self._try(statement), _target(statement)
        if not why or (table and table not in self.columns) or self._by_row(statement, table):
            return
        given = _PARAMETER.match(statement)
        if not given or self._parameter(given.group(1).decode(), given.group(2).decode()):
            self.failed[table or title] = why

    def _by_row(self, statement: bytes, table: str) -> bool:
        """What could not be done for all rows at once: without columns that are not there, as Odoo's own script for Poland names one; each column
        for itself; each row for itself, and archived where that is a connection. Whether no row is left."""
        parts = _update_parts(statement)
        if parts is None or not table:
            return False
        changes = [change for name, change in parts[0] if name in self.columns[table]]
        where = parts[1].decode() or "true"
        if not changes or not self._try(_statement(table, ", ".join(changes), where)):
            return bool(changes) or not self._try(f'select from "{table}" where {where} limit 1')
        archive = ["active = false"] if self.columns[table].get("active") == "boolean" and not _NEVER_ARCHIVED.fullmatch(table) else []
        return self._rows(table, where, [", ".join(changes), *archive])

    # -- what is known here -----------------------------------------------------------------------

    def switch_off(self) -> None:
        for switch in self.switches:
            if self._try(_statement(switch.table, switch.ways[0], switch.loud)):
                self._rows(switch.table, switch.loud, switch.ways)

    def _rows(self, table: str, where: str, ways: Sequence[str]) -> bool:
        """Each row in the first way that no constraint forbids; the newest first, so that of two which exclude one another that one stays."""
        self.cursor.execute("savepoint rows")
        try:
            order = "id desc" if "id" in self.columns[table] else "ctid"
            self.cursor.execute(f'select ctid::text from "{table}" where {where} order by {order} limit {BY_ROW}')
            rows = [row[0] for row in self.cursor.fetchall()]
        except psycopg2.Error:
            self.cursor.execute("rollback to rows")
            return False
        finally:
            self.cursor.execute("release rows")
        left = 0
        for row in rows:
            reasons = []
            for way in ways:
                reasons.append(self._try(_statement(table, way, f"ctid = '{row}'")))
                if not reasons[-1]:
                    break
            else:
                left += 1
                self.reasons[table] = reasons[0]
        return not left and len(rows) < BY_ROW

    def mail_barrier(self) -> None:
        """One active mail server that leads nowhere."""
        there = self.columns.get("ir_mail_server", {})
        if "active" not in there:
            return
        values = {"name": f"'{BARRIER}'", "smtp_port": "1025", "smtp_host": "'invalid'", "smtp_encryption": "'none'", "active": "true",
                  "smtp_authentication": "'login'", "server_env_defaults": "'{\"x_smtp_host_env_default\": \"invalid\"}'"}
        given = {name: value for name, value in values.items() if name in there}
        why = self._try("insert into ir_mail_server ({}) select {} where not exists (select from ir_mail_server where active)".format(
            ", ".join(given), ", ".join(given.values())))
        if why:
            self.failed["ir_mail_server"] = why

    def parameters(self) -> None:
        if not {"key", "value"} <= set(self.columns.get("ir_config_parameter", ())):
            return
        self._try("update ir_config_parameter set value = gen_random_uuid()::text where key = 'database.uuid'")
        for table, name, key, value in PARAMETERS:
            if table not in self.columns or (name and name not in self.columns[table]):
                continue
            why = self._parameter(f"'{key}'", f"'{value}'")
            if why:
                self.failed["ir_config_parameter " + key] = why
        if {"key", "active"} <= set(self.columns.get("ir_ui_view", ())):
            self._try("update ir_ui_view set active = true where key in ('web.neutralize_banner', 'website.neutralize_ribbon')")
        if {"fields_id", "value_text"} <= set(self.columns.get("ir_property", ())):
            self._properties()

    def _parameter(self, key: str, value: str) -> str:
        """Without ON CONFLICT: a database may have lost the index that this needs. Returns why it failed."""
        return self._try(f"update ir_config_parameter set value = {value} where key = {key}") or self._try(
            f"insert into ir_config_parameter (key, value) select {key}, {value} where not exists (select from ir_config_parameter where key = {key})")

    def _properties(self) -> None:
        """Before 18.0 a value of its own for each company is a row here."""
        self.cursor.execute("select distinct f.id, f.name from ir_property p join ir_model_fields f on f.id = p.fields_id where p.value_text is not null")
        for field, name in self.cursor.fetchall():
            if SECRET.fullmatch(name):
                why = self._try(f"update ir_property set value_text = null where fields_id = {int(field)}")
                if why:
                    self.failed["ir_property " + name] = why

    # -- the proof --------------------------------------------------------------------------------

    def prove(self) -> None:
        """Whatever was done: what acts still? A table of an image's script that could not be carried out acts as well, unless it is known here."""
        loud: dict[str, str] = {}
        for switch in self.switches:
            count = self._count(switch)
            if count:
                name = switch.table + "".join(f".{each}" for each in switch.needs[:1])
                loud[name] = f"{count} rows" + (f": {self.reasons[switch.table]}" if switch.table in self.reasons else "")
        if "active" in self.columns.get("ir_mail_server", {}):
            self.cursor.execute("select count(*) from ir_mail_server where active")
            if not self.cursor.fetchone()[0]:
                loud["ir_mail_server"] = "no active one is left, and Odoo would send by its configuration"
        covered = {switch.table for switch in self.switches if not switch.needs or _CONNECTION.intersection(switch.needs)}
        loud.update({name: why for name, why in self.failed.items() if name not in covered})
        if loud:
            raise DomainError(
                "not_neutralized", "what could not be switched off would still act outside: "
                + "; ".join(f"{name} ({why})" for name, why in sorted(loud.items())),
                advice="Look at what keeps these rows as they are, a constraint or an add-on of your own, and mend it where the copy comes from;"
                       " or give the add-on a data/neutralize.sql", acting=loud)

    def _count(self, switch: Switch) -> int:
        self.cursor.execute(f'select count(*) from "{switch.table}" where {switch.loud}')
        return int(self.cursor.fetchone()[0])


def cut_off(database: Database) -> int:
    """Take the logins at other servers (postgres_fdw and its like) out of a copy, which only a superuser may; without one a foreign table answers nothing.

    Event triggers are somebody's code, and do not run meanwhile. Returns how many logins there were.
    """
    with database.session() as cursor:
        cursor.execute("select format('drop user mapping for %s server %I', case umuser when 0 then 'public' else quote_ident(usename) end, srvname)"
                       " from pg_catalog.pg_user_mappings")
        logins = [row[0] for row in cursor.fetchall()]
        if not logins:
            return 0
        cursor.execute("select format('alter event trigger %I ', evtname),"
                       " case evtenabled when 'A' then 'enable always' when 'R' then 'enable replica' else 'enable' end"
                       " from pg_catalog.pg_event_trigger where evtenabled <> 'D'")
        triggers = cursor.fetchall()
        cursor.execute("begin")
        for statement in (*(trigger + "disable" for trigger, _on in triggers), *logins, *(trigger + on for trigger, on in triggers)):
            cursor.execute(statement)
        cursor.execute("commit")
    return len(logins)


def _statement(table: str, way: str, where: str) -> str:
    return f'delete from "{table}" where {where}' if way == "delete" else f'update "{table}" set {way} where {where}'


def _target(statement: bytes) -> str:
    found = _TARGET.match(statement)
    return found.group(1).decode() if found else ""


def _update_parts(statement: bytes) -> tuple[list[tuple[str, str]], bytes] | None:
    """What an UPDATE sets, as (column, change), and where; None for what is not as simple as that."""
    found = re.fullmatch(rb"update\s+(?:only\s+)?(?:public\.)?\"?\w+\"?\s+set\s+(.*?);?\s*", statement, re.IGNORECASE | re.DOTALL)
    if not found:
        return None
    text = re.sub(rb"--[^\n]*", b"", found.group(1))
    depth, quoted, start, end, where = 0, False, 0, len(text), b""
    changes = []
    for match in re.finditer(rb"'|\(|\)|,|\b(?:where|from|returning)\b", text, re.IGNORECASE):
        word = match.group().lower()
        if word == b"'":
            quoted = not quoted
        elif quoted:
            continue
        elif word in b"()":
            depth += 1 if word == b"(" else -1
        elif word == b"," and not depth:
            changes.append(text[start:match.start()])
            start = match.end()
        elif word != b"," and not depth:
            if word != b"where":
                return None
            end, where = match.start(), text[match.end():]
            break
    changes.append(text[start:end])
    named = [re.fullmatch(rb"\s*\"?(\w+)\"?\s*=.*", change, re.DOTALL) for change in changes]
    if not all(named):
        return None
    return [(each.group(1).decode().lower(), each.group().decode().strip()) for each in named if each], where


def command(series: str, program: Sequence[str], database: str) -> list[str] | None:
    """What the one-off container runs to tell its add-ons' scripts; None where the series has none."""
    if series_of(series).number < 16:
        return None
    return [*program, "neutralize", "--stdout", "-d", database]


def scripts_in(output: str) -> str:
    """The scripts out of what ``command`` printed; an add-on may print while it is loaded. :raises DomainError: ``neutralize_unread``."""
    found = re.search(r"^BEGIN;$(.*)^COMMIT;$", output, re.MULTILINE | re.DOTALL)
    if not found:
        raise unread("it printed none")
    return found.group(1)


def unread(why: str) -> DomainError:
    return DomainError("neutralize_unread", f"the image does not tell what its add-ons switch off in a copy (odoo neutralize --stdout): {why}",
                       advice="Look whether the image runs that command, then run the same command again")
