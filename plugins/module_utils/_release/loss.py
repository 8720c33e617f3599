# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What going back costs: the documents made since a moment, the numbers given out, and an export of them that people can read."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._instance.database import Database
from .._kernel.files import replace_file
from .lost_rows import Gap, LostRows, bookkeeping, table_of

with contextlib.suppress(ImportError):  # Database says so
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


def price(database: Database, gap: Gap, name: str | None = None, restored: str | None = None) -> dict[str, Any]:
    """Count what was made and changed and is not in the point.

    Of what was under way at its moment it counts everything that a transaction then open may have written, unless ``restored`` tells.

    :param name: of the database; default the instance's own.
    :param restored: name of the database that was made from the point.
    :returns: ``since``, ``documents`` (a list with name, made, changed, numbers, first, last), ``others`` (rows by table, of all that no document counts),
        ``unknown`` (tables whose rows bear no date, where PostgreSQL cannot tell either) and ``summary``, a sentence.
    """
    with LostRows(database, gap, name, restored) as lost:
        counted = [document for document in DOCUMENTS
                   if document.table in lost.columns and set(document.needs) <= set(lost.columns[document.table])]
        found = [_count(lost, document) for document in counted]
        others = {table: rows for table in sorted(lost.columns) if (rows := _rest(lost, table, counted))}
        unknown = lost.unknown()
    documents = [item for item in found if item["made"] or item["changed"]]
    return {"since": gap.taken, "documents": documents, "others": others, "unknown": unknown, "summary": summary(documents, others, unknown)}


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


def _count(lost: LostRows, document: Document) -> dict[str, Any]:
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


def _rest(lost: LostRows, table: str, counted: Sequence[Document]) -> int:
    """Rows of a table that no document counts."""
    told = [document.condition for document in counted if document.table == table]
    if "true" in told:
        return 0
    made, changed, given = lost.conditions(table)
    others = sql.SQL(" and not coalesce({}, false)") if told else sql.SQL("")
    lost.cursor.execute(sql.SQL("select count(*) from {} where ({} or {}){}").format(
        table_of(table), made, changed, others.format(sql.SQL("({})".format(") or (".join(told))) if told else sql.SQL(""))), given)
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
    with LostRows(database, gap, name, database.name) as lost:
        for table in sorted(lost.columns):
            if bookkeeping(table):
                continue
            count = _exporttable_of(lost, table, directory)
            if count:
                rows[table] = count
    replace_file(os.path.join(directory, "README.md"), _readme(name, told, rows).encode(), mode=0o600)
    return sum(rows.values())


def _exporttable_of(lost: LostRows, table: str, directory: str) -> int:
    columns, cursor = lost.columns[table], lost.cursor
    kept = sorted(column for column in columns if not any(word in column for word in _SECRET))
    kept.sort(key=lambda column: (column != "id", column not in ("name", "create_date"), column))
    if not kept:
        return 0
    made, changed, given = lost.conditions(table)
    query = sql.SQL("copy (select {columns} from {table} where {made} or {changed} order by {order}) to stdout with (format csv, header)").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, kept)), table=table_of(table), made=made, changed=changed,
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
