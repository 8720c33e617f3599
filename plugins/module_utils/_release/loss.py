# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What going back costs: the documents made since a moment, the numbers given out, and an export of them that people can read."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from .._instance.database import Database
from .._kernel.files import replace_file

with contextlib.suppress(ImportError):  # Database says so
    import psycopg2
    from psycopg2 import sql


@dataclass(frozen=True)
class Document:
    """A kind of document that a retailer must hear about.

    :param number: columns that may bear its number, the first that the table has counts (they differ from 14 to 19).
    :param condition: which rows count; uses only columns named in ``needs``.
    """

    name: str
    table: str
    number: Sequence[str] = ()
    condition: str = "true"
    needs: Sequence[str] = ()


DOCUMENTS = (
    Document("orders", "sale_order", ("name",)),
    Document("POS orders", "pos_order", ("pos_reference", "name")),
    Document("invoices", "account_move", ("name",), "move_type in ('out_invoice','out_refund','in_invoice','in_refund','out_receipt','in_receipt')",
             ("move_type",)),
    Document("journal entries", "account_move", ("name",), "move_type = 'entry'", ("move_type",)),
    Document("payments", "account_payment", ("name",)),
    Document("POS payments", "pos_payment"),
    Document("stock moves", "stock_move", ("reference",)),
    Document("transfers", "stock_picking", ("name",)),
    Document("purchase orders", "purchase_order", ("name",)),
    Document("customers and contacts", "res_partner"),
)
# How many of the other tables are named in a sentence.
NAMED = 4
# No number yet.
_UNNUMBERED = ("", "/", "New")
# How many numbers a plan names; the export has them all.
SHOWN = 20
# Columns that no export may hold, whatever their table.
_SECRET = ("password", "pass", "secret", "token", "totp", "key", "credential", "access_url")
# Odoo's own tables are nobody's work, and hold settings that nobody should read; of them only what people attach and count with.
_TECHNICAL = ("ir_", "bus_", "auth_", "base_", "report_")
_WORK = ("ir_attachment", "ir_sequence", "ir_sequence_date_range", "ir_property")
_NOISE = ("res_users_log", "res_device_log", "res_users_apikeys", "mail_presence", "mail_push", "mail_push_device", "mail_mail_server")


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


def price(database: Database, gap: Gap, name: str | None = None, restored: str | None = None) -> dict[str, Any]:
    """Count what was made and changed and is not in the point.

    Of what was under way at its moment it counts everything that a transaction then open may have written, unless ``restored`` tells.

    :param name: of the database; default the instance's own.
    :param restored: name of the database that was made from the point.
    :returns: ``since``, ``documents`` (a list with name, made, changed, numbers, first, last), ``others`` (rows by table, of all that no document counts),
        ``unknown`` (tables whose rows bear no date, where PostgreSQL cannot tell either) and ``summary``, a sentence.
    """
    with _Lost(database, gap, name, restored) as lost:
        counted = [document for document in DOCUMENTS
                   if document.table in lost.columns and set(document.needs) <= set(lost.columns[document.table])]
        found = [_count(lost, document) for document in counted]
        others = {table: rows for table in sorted(lost.columns) if (rows := _rest(lost, table, counted))}
        unknown = lost.unknown()
    documents = [item for item in found if item["made"] or item["changed"]]
    return {"since": gap.taken, "documents": documents, "others": others, "unknown": unknown, "summary": summary(documents, others, unknown)}


def bookkeeping(table: str) -> bool:
    """Whether a table is Odoo's own, in which nobody works."""
    return table in _NOISE or (table.startswith(_TECHNICAL) and table not in _WORK)


def summary(documents: Sequence[Mapping[str, Any]], others: Mapping[str, int] | None = None, unknown: Sequence[str] = ()) -> str:
    """A sentence for who has to confirm; what it does not name it counts."""
    made = ["{made} {name}".format(**item) for item in documents if item["made"]]
    changed = ["{changed} {name}".format(**item) for item in documents if item["changed"]]
    parts = []
    if made:
        parts.append("made and lost: " + ", ".join(made))
    if changed:
        parts.append("changes lost to: " + ", ".join(changed))
    work = {table: rows for table, rows in (others or {}).items() if not bookkeeping(table)}
    own = {table: rows for table, rows in (others or {}).items() if bookkeeping(table)}
    if work:
        most = sorted(work, key=lambda table: (-work[table], table))
        parts.append("{}{} rows in {} other tables ({}{})".format(
            "and " if parts else "", sum(work.values()), len(work), ", ".join(f"{table} {work[table]}" for table in most[:NAMED]),
            ", …" if len(most) > NAMED else ""))
    if unknown:
        parts.append(f"rows of {len(unknown)} tables bear no date and cannot be counted")
    if not parts:
        parts.append("nothing was made or changed since")
    if own:
        parts.append(f"{sum(own.values())} rows of Odoo's own bookkeeping in {len(own)} tables")
    return "; ".join(parts)


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


def _table(name: str) -> Any:
    return sql.Identifier(*name.split(".", 1))


class _Lost:
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

    def __enter__(self) -> _Lost:
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
                self.cursor.execute(sql.SQL("select exists (select from {})").format(_table(table)))
                found += [table] if self.cursor.fetchone()[0] else []
        return found

    def _undated(self, table: str) -> tuple[Any, Any, dict[str, Any]]:
        """Rows that only tie others together, as tags to a product: PostgreSQL knows which transaction wrote them."""
        nothing = sql.SQL("false").format()
        if self._loaded and not self._restored:
            return nothing, nothing, self._given
        recent, kept = self._recent, []
        if self._restored:
            self.cursor.execute(sql.SQL("select ({0}.*)::text from {0} where {1}").format(_table(table), recent), self._given)
            asked = [row[0] for row in self.cursor.fetchall()]
            try:
                self._restored.execute(sql.SQL("select ({0}.*)::text from {0} where ({0}.*)::text = any(%s)").format(_table(table)), (asked,))
                kept = [row[0] for row in self._restored.fetchall()]
            except psycopg2.ProgrammingError:
                pass  # the older release has no such table
        return sql.SQL("({} and ({}.*)::text <> all(%(same)s))").format(recent, _table(table)), nothing, {**self._given, "same": kept}

    def conditions(self, table: str) -> tuple[Any, Any, dict[str, Any]]:
        """Which rows were made, which of the others were changed, and the values that both need."""
        columns = self.columns[table]
        if not self.dated(table):
            return self._undated(table)
        kept = self._kept(table, columns)
        there = sql.SQL(
            "exists (select from unnest(%(kept)s::bigint[], %(kept_made)s::timestamp[], %(kept_changed)s::timestamp[]) k (k_id, k_made, k_changed)"
            " where k_id = id and k_made is not distinct from create_date and {})")
        made, changed = (sql.SQL("{date} > %(taken)s or ({date} >= %(since)s and {recent} and not {kept})").format(
            date=sql.Identifier(date), recent=self._recent, kept=there.format(sql.SQL(newer)) if kept else sql.SQL("false"))
            for date, newer in (("create_date", "true"), ("write_date", "k_changed >= write_date")))
        # A row that was written past the ORM may have no date.
        made = sql.SQL("coalesce({}, {})").format(made, sql.SQL("false") if self._loaded else self._recent)
        if "write_date" not in columns:
            changed = sql.SQL("false").format()
        return made, sql.SQL("coalesce(not {} and ({}), false)").format(made, changed), {**self._given, **kept}

    def _kept(self, table: str, columns: Mapping[str, str]) -> dict[str, Any]:
        """Rows dated while transactions were under way that are in the point all the same: those that committed in time."""
        if not self._restored or columns.get("id") not in ("smallint", "integer", "bigint"):
            return {}
        dates = sql.SQL("greatest(create_date, write_date)" if "write_date" in columns else "create_date")
        among = {"table": _table(table), "dates": dates, "recent": self._recent}
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


def _count(lost: _Lost, document: Document) -> dict[str, Any]:
    columns = lost.columns[document.table]
    number = next((name for name in document.number if name in columns), None)
    numbered = sql.SQL("{0}::text is not null and {0}::text not in %(unnumbered)s").format(sql.Identifier(number)) if number else sql.SQL("false")
    shown = sql.SQL("{}::text").format(sql.Identifier(number)) if number else sql.SQL("''::text")
    made, changed, given = lost.conditions(document.table)
    lost.cursor.execute(
        sql.SQL(
            "with lost as (select id, {made} as made, {numbered} as numbered, {shown} as shown from {table}"
            " where ({made} or {changed}) and {condition})"
            " select count(*) filter (where made), count(*) filter (where not made), count(*) filter (where made and numbered),"
            " (array_agg(shown order by id) filter (where made and numbered))[:%(limit)s],"
            " (array_agg(shown order by id desc) filter (where made and numbered))[1] from lost"
        ).format(made=made, changed=changed, numbered=numbered, shown=shown, table=sql.Identifier(document.table),
                 condition=sql.SQL(document.condition)),
        {**given, "unnumbered": _UNNUMBERED, "limit": SHOWN})
    count, others, given_out, numbers, last = lost.cursor.fetchone()
    return {"name": document.name, "table": document.table, "made": count, "changed": others, "given_out": given_out,
            "numbers": numbers or [], "last": last or ""}


def _rest(lost: _Lost, table: str, counted: Sequence[Document]) -> int:
    """Rows of a table that no document counts."""
    told = [document.condition for document in counted if document.table == table]
    if "true" in told:
        return 0
    made, changed, given = lost.conditions(table)
    others = sql.SQL(" and not coalesce({}, false)") if told else sql.SQL("")
    lost.cursor.execute(sql.SQL("select count(*) from {} where ({} or {}){}").format(
        _table(table), made, changed, others.format(sql.SQL("({})".format(") or (".join(told))) if told else sql.SQL(""))), given)
    return int(lost.cursor.fetchone()[0])


def export(database: Database, name: str, gap: Gap, directory: str, told: Mapping[str, Any]) -> int:
    """Write every row that was made or changed and that the instance's database, made from the point, has not to CSV files, one a table, and
    ``README.md`` that says what is there.

    Passwords, tokens and secrets of any table stay out. Only root can read it: it holds personal data.

    :param name: of the abandoned database, which nobody else may be in.
    :param told: what ``price`` said.
    :returns: rows written.
    """
    rows = {}
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with _Lost(database, gap, name, database.name) as lost:
        for table in sorted(lost.columns):
            if bookkeeping(table):
                continue
            count = _export_table(lost, table, directory)
            if count:
                rows[table] = count
    replace_file(os.path.join(directory, "README.md"), _readme(name, told, rows).encode(), mode=0o600)
    return sum(rows.values())


def _export_table(lost: _Lost, table: str, directory: str) -> int:
    columns, cursor = lost.columns[table], lost.cursor
    kept = sorted(column for column in columns if not any(word in column for word in _SECRET))
    kept.sort(key=lambda column: (column != "id", column not in ("name", "create_date"), column))
    if not kept:
        return 0
    made, changed, given = lost.conditions(table)
    query = sql.SQL("copy (select {columns} from {table} where {made} or {changed} order by {order}) to stdout with (format csv, header)").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, kept)), table=_table(table), made=made, changed=changed,
        order=sql.SQL("id" if "id" in columns else "create_date" if lost.dated(table) else "1"))
    path = os.path.join(directory, table.replace("/", "_") + ".csv")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        cursor.copy_expert(cursor.mogrify(query, given), stream)
    count = int(cursor.rowcount)
    if not count:
        os.unlink(path)
    return count


def _readme(name: str, told: Mapping[str, Any], rows: Mapping[str, int]) -> str:
    lines = [f"# What was made or changed in {name} since {told['since']} and is not in what runs now", ""]
    lines += [
        "- {name}: {made} made, {changed} changed".format(**item)
        + (", {given_out} numbers given out, {first} to {last}".format(first=item["numbers"][0], **item) if item["numbers"] else "")
        for item in told["documents"]]
    lines += [f"- {rows} rows of {table}" for table, rows in sorted(told.get("others", {}).items())]
    lines += ["", "Rows by table (a file each; a row with create_date before that moment was changed since):", ""]
    lines += [f"- {table}.csv: {count}" for table, count in sorted(rows.items())]
    return "\n".join(lines) + "\n"
