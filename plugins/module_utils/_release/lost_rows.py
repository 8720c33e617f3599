# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rows of a database a recovery point has not: as conditions for queries, table by table."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .._instance.database import Database

with contextlib.suppress(ImportError):  # Database says so
    import psycopg2
    from psycopg2 import sql

# Odoo's own tables are nobody's work, and hold settings that nobody should read; of them only what people attach and count with.
_TECHNICAL = ("ir_", "bus_", "auth_", "base_", "report_")
_WORK = ("ir_attachment", "ir_sequence", "ir_sequence_date_range", "ir_property")
_NOISE = ("res_users_log", "res_device_log", "res_users_apikeys", "mail_presence", "mail_push", "mail_push_device", "mail_mail_server")

# A row of a date that is in the point all the same: it was there with this date, and was not changed since.
_KEPT = """exists (
  select from unnest(%(kept)s::bigint[], %(kept_made)s::timestamp[], %(kept_changed)s::timestamp[]) k (k_id, k_made, k_changed)
  where k_id = id and k_made is not distinct from create_date and {newer})"""
# Dated after the point; or while transactions were under way at its moment, by a transaction that may have been one of them.
_LATER = "{date} > %(taken)s or ({date} >= %(since)s and {recent} and not {kept})"


@dataclass(frozen=True)
class Gap:
    """From when on a recovery point may lack work.

    Odoo dates a row with the start of its transaction, so what was under way at the point's moment is dated before it and is not in it.

    :param taken: the point's moment, ISO 8601 with zone. :param since: when the oldest transaction then under way had begun.
    :param horizon: no transaction before this one was under way, as the 32 bits of a row's ``xmin``; empty where it is not known.
    :param system: the cluster that counts so.
    """

    taken: str
    since: str
    horizon: str = ""
    system: str = ""

    @classmethod
    def of(cls, manifest: Mapping[str, Any]) -> Gap:
        """Of a point's manifest; the first ones did not say since when."""
        taken = manifest["taken"]
        return cls(taken["at"], taken.get("since") or taken["at"], taken.get("horizon", ""), manifest.get("postgresql", {}).get("system", ""))

    def as_json(self) -> dict[str, str]:
        return asdict(self)


def bookkeeping(table: str) -> bool:
    """Whether a table is Odoo's own, in which nobody works."""
    return table in _NOISE or (table.startswith(_TECHNICAL) and table not in _WORK)


def _utc(text: str) -> str:
    """Odoo stores moments in UTC without a zone."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat(" ")


def _columns(cursor: Any) -> dict[str, dict[str, str]]:
    """Columns with their types of every table but the system's, an extension's and this platform's own; of one in parts, those of the whole."""
    cursor.execute(
        "select case when n.nspname = 'public' then c.relname else n.nspname || '.' || c.relname end,"
        " json_object_agg(a.attname, format_type(a.atttypid, null))"
        " from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relkind in ('r', 'p') and not c.relispartition and n.nspname !~ '^pg_' and n.nspname not in ('information_schema', 'sysgenpro')"
        " and not exists (select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') group by 1")
    return dict(cursor.fetchall())


def table_of(name: str) -> Any:
    return sql.Identifier(*name.split(".", 1))


class LostRows:
    """Which rows of a database a recovery point has not: conditions for queries, by table."""

    def __init__(self, database: Database, gap: Gap, name: str | None, restored: str | None) -> None:
        self._stack = contextlib.ExitStack()
        self.cursor = self._stack.enter_context(database.session(name))
        self._restored = self._stack.enter_context(database.session(restored)) if restored else None
        self.columns = _columns(self.cursor)
        self.cursor.execute("select system_identifier::text from pg_control_system()")
        counts = bool(gap.horizon) and self.cursor.fetchone()[0] == gap.system
        self._loaded = not counts or self._made_since(gap.horizon)
        self._recent = sql.SQL("age(xmin) <= age(%(horizon)s::xid)" if counts else "true")
        self._given = {"taken": _utc(gap.taken), "since": _utc(gap.since), "horizon": gap.horizon}

    def __enter__(self) -> LostRows:
        return self

    def __exit__(self, *_error: object) -> None:
        self._stack.close()

    def _made_since(self, horizon: str) -> bool:
        """Whether the whole database was loaded after the point, as by a way back: then every row looks new to PostgreSQL."""
        self.cursor.execute(
            "select coalesce(max(age(xmin)), 0) <= age(%s::xid) from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace", (horizon,))
        return bool(self.cursor.fetchone()[0])

    def dated(self, table: str) -> bool:
        return self.columns[table].get("create_date", "").startswith(("timestamp", "date"))

    def unknown(self) -> list[str]:
        """Tables with rows of which nobody can tell since when they are there."""
        found = []
        for table in sorted(self.columns) if self._loaded and not self._restored else ():
            if not self.dated(table) and not bookkeeping(table):
                self.cursor.execute(sql.SQL("select exists (select from {})").format(table_of(table)))
                found += [table] if self.cursor.fetchone()[0] else []
        return found

    def _undated(self, table: str) -> tuple[Any, Any, dict[str, Any]]:
        """Rows that only tie others together, as tags to a product: PostgreSQL knows which transaction wrote them."""
        nothing = sql.SQL("false").format()
        if self._loaded and not self._restored:
            return nothing, nothing, self._given
        recent, kept = self._recent, []
        if self._restored:
            self.cursor.execute(sql.SQL("select ({0}.*)::text from {0} where {1}").format(table_of(table), recent), self._given)
            asked = [row[0] for row in self.cursor.fetchall()]
            try:
                self._restored.execute(sql.SQL("select ({0}.*)::text from {0} where ({0}.*)::text = any(%s)").format(table_of(table)), (asked,))
                kept = [row[0] for row in self._restored.fetchall()]
            except psycopg2.ProgrammingError:
                pass  # the older release has no such table
        return sql.SQL("({} and ({}.*)::text <> all(%(same)s))").format(recent, table_of(table)), nothing, {**self._given, "same": kept}

    def conditions(self, table: str) -> tuple[Any, Any, dict[str, Any]]:
        """Which rows were made, which of the others were changed, and the values that both need."""
        columns = self.columns[table]
        if not self.dated(table):
            return self._undated(table)
        kept = self._kept(table, columns)

        def later(date: str, newer: str) -> Any:
            there = sql.SQL(_KEPT).format(newer=sql.SQL(newer)) if kept else sql.SQL("false")
            return sql.SQL(_LATER).format(date=sql.Identifier(date), recent=self._recent, kept=there)

        # A row that was written past the ORM may have no date.
        made = sql.SQL("coalesce({}, {})").format(later("create_date", "true"), sql.SQL("false") if self._loaded else self._recent)
        changed = later("write_date", "k_changed >= write_date") if "write_date" in columns else sql.SQL("false").format()
        return made, sql.SQL("coalesce(not {} and ({}), false)").format(made, changed), {**self._given, **kept}

    def _kept(self, table: str, columns: Mapping[str, str]) -> dict[str, Any]:
        """Rows dated while transactions were under way that are in the point all the same: those that committed in time."""
        if not self._restored or columns.get("id") not in ("smallint", "integer", "bigint"):
            return {}
        dates = sql.SQL("greatest(create_date, write_date)" if "write_date" in columns else "create_date")
        among = {"table": table_of(table), "dates": dates, "recent": self._recent}
        dated = sql.SQL("select id from {table} where {dates} >= %(since)s and coalesce(create_date <= %(taken)s, true) and {recent}").format(**among)
        self.cursor.execute(dated, self._given)
        asked = [row[0] for row in self.cursor.fetchall()]
        if not asked:
            return {}
        try:
            self._restored.execute(sql.SQL("select id, create_date::text, ({dates})::text from {table} where id = any(%(asked)s)").format(**among),
                                   {"asked": asked})
        except psycopg2.ProgrammingError:
            return {}  # the older release has no such table
        rows = self._restored.fetchall()
        return {key: [row[number] for row in rows] for number, key in enumerate(("kept", "kept_made", "kept_changed"))} if rows else {}
