# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database needs and no dump of it carries. Noted beside the dump, whose digest is signed and which is stored encrypted: definitions of
functions may hold what is nobody else's business. The manifest says of it only what there is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from .._instance import administrator
from .._instance.cluster import Cluster
from . import members

# Among the dump's files; PostgreSQL's programs read only those that its table of contents names.
FILE = "sysgenpro.json"

# Versions of the collations by which the database was sorted, and what the machine has; before 15 a database has none.
_COLLATION = "select to_jsonb(d)->>'datcollversion', {actual} from pg_database d where datname = current_database()"
_COLLATIONS = """
select json_object_agg(format('%I.%I', n.nspname, c.collname), json_build_object('provider', c.collprovider, 'version', c.collversion))
  from pg_collation c join pg_namespace n on n.oid = c.collnamespace where n.nspname <> 'pg_catalog'
"""
_TABLESPACES = """
select json_agg(distinct spcname) from pg_tablespace where spcname not in ('pg_default', 'pg_global') and (
  oid in (select reltablespace from pg_class) or oid = (select dattablespace from pg_database where datname = current_database()))
"""
# What was set for the whole cluster and changes what a statement means or whether it can be carried out; of settings of add-ons the names alone.
_SETTINGS = """
select json_object_agg(name, case when category = 'Customized Options' then null else setting end) from pg_settings
 where source in ('configuration file', 'command line', 'environment variable') and name not like '%\\_timeout' and (
   category in ('Customized Options', 'Lock Management') or category like 'Client Connection Defaults%'
   or category like 'Version and Platform Compatibility%') or name in ('block_size', 'max_identifier_length', 'max_index_keys')
"""


def take(cluster: Cluster) -> dict[str, Any]:
    """Note it. Locks nothing in the database."""
    with cluster.session() as live:
        found = describe(live)
        with cluster.session("postgres") as aside:
            return {**found, **members.noted(live, aside)}


def describe(cursor: Any) -> dict[str, Any]:
    """What depends on machine and cluster, of the database that the cursor is in."""
    cursor.execute(administrator.ENGLISH)  # categories are translated
    has_versions = cursor.connection.server_version >= 150000
    cursor.execute(_COLLATION.format(actual="pg_database_collation_actual_version(oid)" if has_versions else "null"))
    recorded, actual = cursor.fetchone()
    found: dict[str, Any] = {"collation": {"recorded": recorded, "actual": actual}}
    for name, query in (("collations", _COLLATIONS), ("tablespaces", _TABLESPACES), ("settings", _SETTINGS)):
        cursor.execute(query)
        found[name] = cursor.fetchone()[0]
    return found


def write(directory: str, notes: Mapping[str, Any]) -> None:
    with open(os.path.join(directory, FILE), "w", encoding="utf-8") as stream:
        json.dump(notes, stream, sort_keys=True)


def read(directory: str) -> dict[str, Any] | None:
    """What was noted of a dump; None of one that was made before anything was."""
    try:
        with open(os.path.join(directory, FILE), encoding="utf-8") as stream:
            found: dict[str, Any] = json.load(stream)
    except FileNotFoundError:
        return None
    return found


def told(notes: Mapping[str, Any]) -> dict[str, Any]:
    """What the manifest says of it: names, nothing that somebody wrote."""
    return {**{key: notes[key] for key in ("collation", "collations", "tablespaces", "settings", "unknown")},
            "alterations": [{key: alteration[key] for key in ("extension", "object", "what")} for alteration in notes["alterations"]],
            "not_carried": not_carried(notes)}


def not_carried(notes: Mapping[str, Any]) -> list[str]:
    """What was done to extensions and cannot be done again by itself; and extensions that could not be looked at."""
    told_only = ["{} {} of extension {}".format(alteration["object"], alteration["what"], alteration["extension"])
                 for alteration in notes["alterations"] if not alteration["statements"]]
    return told_only + [f"extension {name} could not be compared: {why}" for name, why in notes["unknown"].items()]


def differences(noted: Mapping[str, Any], here: Mapping[str, Any]) -> list[str]:
    """In what this cluster differs from the one that the database comes from."""
    theirs, ours = noted.get("settings") or {}, here.get("settings") or {}
    found = ["{} is {} here and was {}".format(name, _value(ours, name), _value(theirs, name))
             for name in sorted({*theirs, *ours}) if _value(theirs, name) != _value(ours, name)]
    before, now = (noted.get("collation") or {}).get("recorded"), (here.get("collation") or {}).get("recorded")
    if before != now:
        found.append(f"the version of the database's collation is {now} here and was {before}")
    return found


def _value(settings: Mapping[str, Any], name: str) -> str:
    return "not set" if name not in settings else "set" if settings[name] is None else str(settings[name])
