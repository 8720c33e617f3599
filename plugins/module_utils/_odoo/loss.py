# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What going back costs: the documents made since a moment, the numbers given out, and an export of them that people can read."""

from __future__ import annotations

import contextlib
import datetime
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.files import replace_file
from .database import Database

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


def price(database: Database, since: str, name: str | None = None) -> dict[str, Any]:
    """Count what was made and changed after ``since``.

    :param since: ISO 8601 with zone: the moment that would be gone back to.
    :param name: of the database; default the instance's own.
    :returns: ``since``, ``documents`` (a list with name, made, changed, numbers, first, last) and ``summary``, a sentence.
    """
    moment = _utc(since)
    with database.session(name) as cursor:
        columns = _columns(cursor)
        found = [_count(cursor, document, columns[document.table], moment) for document in DOCUMENTS
                 if document.table in columns and set(document.needs) <= columns[document.table]]
    documents = [item for item in found if item["made"] or item["changed"]]
    return {"since": since, "documents": documents, "summary": summary(documents)}


def summary(documents: Sequence[Mapping[str, Any]]) -> str:
    """A sentence for who has to confirm."""
    made = ["{made} {name}".format(**item) for item in documents if item["made"]]
    changed = ["{changed} {name}".format(**item) for item in documents if item["changed"]]
    parts = []
    if made:
        parts.append("made and lost: " + ", ".join(made))
    if changed:
        parts.append("changes lost to: " + ", ".join(changed))
    return "; ".join(parts) or "nothing was made or changed since"


def _utc(text: str) -> str:
    """Odoo stores moments in UTC without a zone."""
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return moment.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat(" ")


def _columns(cursor: Any) -> dict[str, set[str]]:
    cursor.execute(
        "select c.table_name, array_agg(c.column_name::text) from information_schema.columns c join information_schema.tables t"
        " using (table_schema, table_name) where c.table_schema = 'public' and t.table_type = 'BASE TABLE' group by 1"
        " having 'create_date' = any(array_agg(c.column_name::text))")
    return {table: set(columns) for table, columns in cursor.fetchall()}


def _count(cursor: Any, document: Document, columns: set[str], moment: str) -> dict[str, Any]:
    number = next((name for name in document.number if name in columns), None)
    table = sql.Identifier(document.table)
    numbered = sql.SQL("{0}::text is not null and {0}::text not in %(unnumbered)s").format(sql.Identifier(number)) if number else sql.SQL("false")
    shown = sql.SQL("{}::text").format(sql.Identifier(number)) if number else sql.SQL("''::text")
    written = sql.SQL("write_date > %(moment)s") if "write_date" in columns else sql.SQL("false")
    cursor.execute(
        sql.SQL(
            "select count(*) filter (where create_date > %(moment)s), count(*) filter (where create_date <= %(moment)s and {written}),"
            " count(*) filter (where create_date > %(moment)s and {numbered}),"
            " (array_agg({shown} order by id) filter (where create_date > %(moment)s and {numbered}))[:%(limit)s],"
            " (array_agg({shown} order by id desc) filter (where create_date > %(moment)s and {numbered}))[1]"
            " from {table} where (create_date > %(moment)s or {written}) and {condition}"
        ).format(written=written, numbered=numbered, shown=shown, table=table, condition=sql.SQL(document.condition)),
        {"moment": moment, "unnumbered": _UNNUMBERED, "limit": SHOWN})
    made, changed, given, numbers, last = cursor.fetchone()
    return {"name": document.name, "table": document.table, "made": made, "changed": changed, "given_out": given,
            "numbers": numbers or [], "last": last or ""}


def export(database: Database, name: str, since: str, directory: str, told: Mapping[str, Any]) -> int:
    """Write every row made or changed since a moment to CSV files, one a table, and ``README.md`` that says what is there.

    Passwords, tokens and secrets of any table stay out. Only root can read it: it holds personal data.

    :param name: of the database, which nobody else may be in.
    :param told: what ``price`` said.
    :returns: rows written.
    """
    moment, rows = _utc(since), {}
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with database.session(name) as cursor:
        for table, columns in sorted(_columns(cursor).items()):
            if table in _NOISE or (table.startswith(_TECHNICAL) and table not in _WORK):
                continue
            count = _export_table(cursor, table, columns, moment, directory)
            if count:
                rows[table] = count
    replace_file(os.path.join(directory, "README.md"), _readme(name, told, rows).encode(), mode=0o600)
    return sum(rows.values())


def _export_table(cursor: Any, table: str, columns: set[str], moment: str, directory: str) -> int:
    kept = sorted(column for column in columns if not any(word in column for word in _SECRET))
    kept.sort(key=lambda column: (column != "id", column not in ("name", "create_date"), column))
    changed = sql.SQL("greatest(create_date, write_date)" if "write_date" in columns else "create_date")
    order = sql.SQL("id" if "id" in columns else "create_date")
    query = sql.SQL("select {columns} from {table} where {changed} > {moment} order by {order}").format(
        columns=sql.SQL(", ").join(map(sql.Identifier, kept)), table=sql.Identifier(table), changed=changed, moment=sql.Literal(moment),
        order=order)
    path = os.path.join(directory, table + ".csv")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
        cursor.copy_expert(sql.SQL("copy ({}) to stdout with (format csv, header)").format(query), stream)
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
    lines += ["", "Rows by table (a file each; a row with create_date before that moment was changed since):", ""]
    lines += [f"- {table}.csv: {count}" for table, count in sorted(rows.items())]
    return "\n".join(lines) + "\n"
