# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Extensions in a database that is made, and what is done to their members, which no dump carries.

Each function takes a superuser's cursor in autocommit: what belongs to an extension is the superuser's, also where PostgreSQL lets others make it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError

with contextlib.suppress(ImportError):  # Cluster says so
    import psycopg2
    from psycopg2 import sql

# SQLSTATE of an index, a generated column or a partition key over a function that is not immutable (invalid_object_definition).
NOT_IMMUTABLE = "42P17"
# Members of unaccent that Odoo, or who follows its advice, makes immutable.
_UNACCENT = """
select p.oid::regprocedure::text, p.pronargs from pg_proc p
  join pg_depend d on d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e' and d.refclassid = 'pg_extension'::regclass
  join pg_extension e on e.oid = d.refobjid
 where e.extname = 'unaccent' and p.proname = 'unaccent' and p.provolatile <> 'i' order by 1
"""


def make(cursor: Any, name: str, schema: str = "", owner: str = "") -> bool:
    """An extension, with those that it needs, where it is not there. Returns whether it was made.

    :param schema: where to; made where it is not there, the default is the first of the session's search path.
    :param owner: whose a schema that is made becomes.
    :raises DomainError: ``extension_missing`` where its package is not on this machine, or does not fit the cluster.
    """
    cursor.execute("select 1 from pg_extension where extname = %s", (name,))
    if cursor.fetchone():
        return False
    if schema:
        cursor.execute("select to_regnamespace(quote_ident(%s)) is null", (schema,))
        if cursor.fetchone()[0]:
            cursor.execute(sql.SQL("create schema {}" + (" authorization {}" if owner else "")).format(
                *[sql.Identifier(each) for each in (schema, owner) if each]))
    where = sql.SQL(" schema {}").format(sql.Identifier(schema)) if schema else sql.SQL("")
    try:
        cursor.execute(sql.SQL("create extension {}{} cascade").format(sql.Identifier(name), where))
    except psycopg2.Error as error:
        raise DomainError("extension_missing", "the extension {} cannot be made: {}".format(name, first_line(error)),
                          advice="Install its package for the cluster's PostgreSQL version") from None
    return True


def make_immutable(cursor: Any, every: bool = False) -> list[str]:
    """What Odoo does to unaccent where it makes the extension (odoo/service/db.py): ``unaccent(text)`` is immutable, so that indexes may use it.

    Members of the extension alone, in whatever schema, never a function of that name that somebody else made. Once more changes nothing.

    :param every: the form that names a dictionary, too.
    :returns: what was altered.
    """
    cursor.execute(_UNACCENT)
    found = [function for function, arguments in cursor.fetchall() if every or arguments == 1]
    for function in found:
        cursor.execute(f"alter function {function} immutable")  # as regprocedure quotes it
    return found


def alter(cursor: Any, alterations: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Do to members of extensions what was done to them elsewhere.

    :param alterations: as ``_recovery.members`` notes them; ``statements`` of each are carried out together.
    :returns: those that could not be done, as where they need what is not loaded yet; each with ``error``.
    """
    left: list[Mapping[str, Any]] = []
    for alteration in alterations:
        cursor.execute("begin")
        try:
            for statement in alteration["statements"]:
                cursor.execute(statement)
        except psycopg2.Error as error:
            cursor.execute("rollback")
            left.append({**alteration, "error": first_line(error)})
        else:
            cursor.execute("commit")
    return left


def first_line(error: Any) -> str:
    """What PostgreSQL says, without the rows that it quotes."""
    text = error.diag.message_primary or str(error)
    return (text.strip().splitlines() or ["no reason given"])[0]
