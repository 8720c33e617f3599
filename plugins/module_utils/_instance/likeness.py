# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a database like another one: encoding, locale and its provider. All else follows from a dump, or is set afterwards."""

from __future__ import annotations

import contextlib
import locale
from collections.abc import Mapping
from typing import Any

from .._kernel.errors import DomainError
from .cluster import CLOSED
from .extensions import first_line

with contextlib.suppress(ImportError):  # Cluster says so
    import psycopg2
    from psycopg2 import sql

# There on every machine, in whatever spelling.
_ALWAYS = ("", "C", "POSIX", "C.UTF-8", "C.UTF8")
# SQLSTATEs of a locale that the machine does not have, or that does not go with the encoding.
_LOCALE = ("42809", "22023", "42704", "42P17", "0A000", "42602")

_LIKE = """
select json_build_object(
  'encoding', pg_encoding_to_char(encoding), 'collate', datcollate, 'ctype', datctype, 'provider', to_jsonb(d)->>'datlocprovider',
  'locale', coalesce(to_jsonb(d)->>'datlocale', to_jsonb(d)->>'daticulocale'), 'icu_rules', to_jsonb(d)->>'daticurules')
from pg_database d where datname = %s
"""


def like(cursor: Any, name: str) -> dict[str, Any]:
    """What ``make`` needs to make another one like this."""
    cursor.execute(_LIKE, (name,))
    found: dict[str, Any] = cursor.fetchone()[0]
    return found


def make(cursor: Any, name: str, owner: str, wanted: Mapping[str, Any]) -> None:
    """An empty database that only its administrator gets into: a superuser is not counted, and whoever is none gets the few sessions that it needs.

    :param wanted: as ``like`` tells it.
    :raises DomainError: ``locale_missing``, ``database_not_made``.
    """
    database = sql.Identifier(name)
    try:
        cursor.execute("select rolsuper from pg_roles where rolname = current_user")
        superuser = cursor.fetchone()[0]
        cursor.execute(sql.SQL(
            "create database {} owner {} encoding {} lc_collate {} lc_ctype {}{} connection limit {} template template0").format(
                database, sql.Identifier(owner), sql.Literal(wanted["encoding"]), sql.Literal(wanted["collate"]), sql.Literal(wanted["ctype"]),
                provider(wanted, cursor.connection.server_version), sql.Literal(CLOSED[0 if superuser else 1])))
    except psycopg2.Error as error:
        if error.pgcode in _LOCALE:
            raise locale_missing(wanted, first_line(error)) from None
        raise DomainError("database_not_made", f"the database {name} cannot be made: {first_line(error)}",
                          advice="Mend that, then run the same command again") from None
    cursor.execute(sql.SQL("revoke all on database {} from public, {}").format(database, sql.Identifier(owner)))
    if not superuser:
        cursor.execute(sql.SQL("grant all on database {} to current_user").format(database))


def provider(wanted: Mapping[str, Any], version: int) -> Any:
    """The clause that gives a database the locale provider it had, whatever the cluster's default is; before 15 there is no choice.

    :param wanted: ``provider`` and ``locale`` as pg_database has them.
    """
    if version < 150000:
        return sql.SQL("")
    if wanted["provider"] == "i":
        clause = sql.SQL(" locale_provider icu icu_locale {}").format(sql.Literal(wanted["locale"]))
        return clause + sql.SQL(" icu_rules {}").format(sql.Literal(wanted["icu_rules"])) if wanted.get("icu_rules") else clause
    if wanted["provider"] == "b":
        return sql.SQL(" locale_provider builtin builtin_locale {}").format(sql.Literal(wanted["locale"]))
    return sql.SQL(" locale_provider libc")


def missing_locales(wanted: Mapping[str, Any]) -> list[str]:
    """Locales of the C library that a database like this needs and this machine has not. The cluster runs here, so it has the same ones."""
    missing = []
    for category, name in ((locale.LC_COLLATE, wanted["collate"]), (locale.LC_CTYPE, wanted["ctype"])):
        before = locale.setlocale(category)
        try:
            locale.setlocale(category, name)
        except locale.Error:
            missing += [name] if name.upper() not in _ALWAYS and name not in missing else []
        finally:
            locale.setlocale(category, before)
    return missing


def locale_missing(wanted: Mapping[str, Any], why: str) -> DomainError:
    named = {"i": "ICU's {}, ".format(wanted["locale"]), "b": "PostgreSQL's {}, ".format(wanted["locale"])}.get(wanted["provider"] or "", "")
    return DomainError(
        "locale_missing", "the database has the locale {}{} (encoding {}), which this machine or its PostgreSQL has not: {}".format(
            named, wanted["collate"] if wanted["collate"] == wanted["ctype"] else "{collate} and {ctype}".format(**wanted), wanted["encoding"], why),
        unchanged="Nothing was changed", advice="Generate the locale on this machine (locale-gen), restart the cluster, then run the same command again")
