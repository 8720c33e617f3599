# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Odoo gives a database that it makes itself (odoo/service/db.py, _create_empty_database): pg_trgm, and where the configuration says
``unaccent = True`` that one as well, its function made immutable so that an index may use it.

14.0 and 15.0 give unaccent only, and leave its function as it is; what they do not use does them no harm, so there is one rule.
Of the rest of that function the owner needs nothing: it owns the database, and with it the schema ``public``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.plan import Step
from .extensions import make, make_immutable

TRIGRAM, UNACCENT = "pg_trgm", "unaccent"
# What is to be done to a database, beside making an extension.
IMMUTABLE = "unaccent(text) immutable"
# How odoo.conf says no (odoo/tools/config.py).
_NO = ("", "0", "f", "false", "n", "no", "none", "off")

# Of the database that one is connected to. Odoo looks for the function in the current schema, which is public, and takes any that is there.
OBSERVE = """json_build_object(
  'there', (select json_object_agg(e.extname, n.nspname) from pg_extension e join pg_namespace n on n.oid = e.extnamespace),
  'unaccent', (select p.provolatile from pg_proc p where p.proname = 'unaccent' and p.pronargs = 1
    and p.pronamespace = to_regnamespace('public')))"""
# A line of ``pg_restore --list``: the extension, and the comment on it.
_ENTRY = r"^\d+; \d+ \d+ (?:EXTENSION - |COMMENT - EXTENSION ){}(?: .*)?$"
_OFFERED = "select name from pg_available_extensions where name = any(%s)"


def wants_unaccent(params: Mapping[str, Any]) -> bool:
    """Whether the instance's configuration asks for unaccent."""
    options = {**params["config"], **params["config_secrets"]}
    return str(options.get(UNACCENT) or "").strip().lower() not in _NO


def lacking(found: Mapping[str, Any] | None, unaccent: bool) -> list[str]:
    """What Odoo would have given the database and it has not. Pure.

    :param found: what ``OBSERVE`` told; nothing for a database that is not there.
    """
    there, volatile = (found or {}).get("there") or {}, (found or {}).get("unaccent")
    lacks = [TRIGRAM] if TRIGRAM not in there else []
    if unaccent and volatile != "i":
        # Somebody's own function of that name serves Odoo as well and is left as it is; one in another schema does not, and stays there.
        new = UNACCENT not in there and volatile is None
        lacks += [UNACCENT] if new else []
        lacks += [IMMUTABLE] if new or there.get(UNACCENT) == "public" else []
    return lacks


def elsewhere(found: Mapping[str, Any] | None, unaccent: bool) -> str:
    """The schema where unaccent lies and Odoo does not look; nothing where it need not."""
    schema = str(((found or {}).get("there") or {}).get(UNACCENT, ""))
    return schema if unaccent and schema not in ("", "public") and (found or {}).get("unaccent") is None else ""


def not_offered(lacks: Sequence[str], offered: Sequence[str]) -> list[str]:
    """Those of what is lacking that the cluster cannot give, as their package is not on the machine."""
    return [name for name in lacks if name in (TRIGRAM, UNACCENT) and name not in offered]


def check(missing: Sequence[str], new: bool) -> None:
    """A database is not made without what Odoo gives it, nor run without what its configuration asks for.

    :raises DomainError: ``extension_missing``.
    """
    refused = [name for name in missing if new or name == UNACCENT]
    if refused:
        raise DomainError(
            "extension_missing", "the cluster does not offer PostgreSQL's {}, which Odoo {}".format(
                " and ".join(refused), "gives each database that it makes" if new else "is to use by config.unaccent"),
            unchanged="Nothing was changed",
            advice="Install postgresql-contrib of the cluster's major version (part of Debian's postgresql-<version>), then run this again")


def step(lacks: Sequence[str], missing: Sequence[str]) -> list[Step]:
    """For a database that is there already; nothing is held for it, as nobody who works notices."""
    todo = [name for name in lacks if name not in missing]
    return [Step("extensions", "Give the database what Odoo gives its own: " + ", ".join(todo), {"names": todo})] if todo else []


def offered(cursor: Any) -> list[str]:
    """Which of them the cluster can give."""
    cursor.execute(_OFFERED, ([TRIGRAM, UNACCENT],))
    return [row[0] for row in cursor.fetchall()]


def give(cursor: Any, unaccent: bool) -> list[str]:
    """Give the database that the superuser's cursor is in what it lacks and the cluster has: a restore is not to fail for want of an index' tool.

    Returns what was done; a second time nothing.
    """
    cursor.execute("select " + OBSERVE)
    lacks = lacking(cursor.fetchone()[0], unaccent)
    missing = not_offered(lacks, offered(cursor)) if lacks else []
    if UNACCENT in missing:
        missing.append(IMMUTABLE)
    todo = [name for name in lacks if name not in missing]
    for name in todo:
        if name == IMMUTABLE:
            make_immutable(cursor)
        else:
            make(cursor, name, "public")
    return todo


def in_dump(listing: str) -> list[str]:
    """Which of them a dump makes. :param listing: what ``pg_restore --list`` says."""
    return [name for name in (TRIGRAM, UNACCENT) if re.search(_ENTRY.format(name), listing, re.MULTILINE)]


def left_out(listing: str, names: Sequence[str]) -> str:
    """The list without the making of extensions that are there already: they are the superuser's, and whoever loads may not comment on them."""
    return re.sub("|".join(_ENTRY.format(name) for name in names), r";\g<0>", listing, flags=re.MULTILINE) if names else listing
