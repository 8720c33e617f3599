# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was done to members of extensions. pg_dump writes ``create extension`` and nothing of it but grants.

Each extension of the database is made once more in the cluster's database ``postgres``, in a transaction that is rolled back, and the members of
the two are compared. So what is noted is what somebody did, and not what a version of the extension is like.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from .._instance.cluster import LISTS
from .._instance.extensions import first_line

with contextlib.suppress(ImportError):  # Database says so
    import psycopg2
    from psycopg2 import sql

# Seconds for which a lock of somebody in the database ``postgres`` is waited for.
PATIENCE = 2
# There in every database, and never made.
ALWAYS = "plpgsql"

# Members by what they are, with all that can be altered of them. Names come with their schemas, since the search path is empty.
_MEMBERS = """
select e.extname, i.type, i.identity, jsonb_strip_nulls(jsonb_build_object(
  'owner', pg_get_userbyid(coalesce(p.proowner, c.relowner, t.typowner, o.oprowner, f.opfowner, k.opcowner, x.dictowner, g.cfgowner, s.nspowner)),
  'comment', (select description from pg_description n where n.classoid = d.classid and n.objoid = d.objid and n.objsubid = 0),
  'volatility', p.provolatile, 'strict', p.proisstrict, 'definer', p.prosecdef, 'leakproof', p.proleakproof, 'parallel', p.proparallel,
  'cost', p.procost, 'rows', nullif(p.prorows, 0), 'settings', p.proconfig, 'support', nullif(p.prosupport::oid, 0)::regproc::text,
  'kind', p.prokind, 'body', case when p.prokind not in ('f', 'p') then null when {sql_body} is not null
      then md5(pg_get_functiondef(p.oid)) else md5(p.prosrc || coalesce(p.probin, '') || pg_get_function_arguments(p.oid)
      || coalesce(pg_get_function_result(p.oid), '')) end,
  'view', case when c.relkind in ('v', 'm') then md5(pg_get_viewdef(c.oid)) end, 'options', c.reloptions,
  'columns', case when c.relkind in ('r', 'p', 'f') then (
      select jsonb_agg(format('%%s %%s%%s', quote_ident(attname), format_type(atttypid, atttypmod), case when attnotnull then ' not null' else '' end)
                       order by attnum)
        from pg_attribute a where a.attrelid = c.oid and attnum > 0 and not attisdropped) end,
  'labels', (select jsonb_agg(enumlabel order by enumsortorder) from pg_enum where enumtypid = t.oid),
  'restrict', nullif(o.oprrest::oid, 0)::regproc::text, 'join', nullif(o.oprjoin::oid, 0)::regproc::text,
  'dictionary', x.dictinitoption,
  'mapping', case when g.oid is not null then (select jsonb_agg(format('%%s %%s %%s', maptokentype, mapseqno, mapdict::regdictionary)
      order by maptokentype, mapseqno) from pg_ts_config_map where mapcfg = g.oid) end,
  'family', case when f.oid is not null then (select jsonb_agg(item order by item) from (
      select format('operator %%s %%s%%s', amopstrategy, amopopr::regoperator, case when amopsortfamily > 0 then ' for order by '
          || (select format('%%I.%%I', nspname, opfname) from pg_opfamily q join pg_namespace z on z.oid = q.opfnamespace where q.oid = amopsortfamily)
          else '' end) as item from pg_amop where amopfamily = f.oid
      union all select format('function %%s (%%s, %%s) %%s', amprocnum, amproclefttype::regtype, amprocrighttype::regtype, amproc::regprocedure)
        from pg_amproc where amprocfamily = f.oid) items) end))
from pg_depend d join pg_extension e on e.oid = d.refobjid
cross join lateral pg_identify_object(d.classid, d.objid, d.objsubid) i
left join pg_proc p on d.classid = 'pg_proc'::regclass and p.oid = d.objid
left join pg_class c on d.classid = 'pg_class'::regclass and c.oid = d.objid
left join pg_type t on d.classid = 'pg_type'::regclass and t.oid = d.objid
left join pg_operator o on d.classid = 'pg_operator'::regclass and o.oid = d.objid
left join pg_opfamily f on d.classid = 'pg_opfamily'::regclass and f.oid = d.objid
left join pg_opclass k on d.classid = 'pg_opclass'::regclass and k.oid = d.objid
left join pg_ts_dict x on d.classid = 'pg_ts_dict'::regclass and x.oid = d.objid
left join pg_ts_config g on d.classid = 'pg_ts_config'::regclass and g.oid = d.objid
left join pg_namespace s on d.classid = 'pg_namespace'::regclass and s.oid = d.objid
where d.refclassid = 'pg_extension'::regclass and d.deptype = 'e' and e.extname <> %(always)s and (%(only)s is null or e.extname = %(only)s)
"""
_EXTENSIONS = """
select e.extname, n.nspname, e.extversion, v.trusted from pg_extension e join pg_namespace n on n.oid = e.extnamespace
  left join pg_available_extension_versions v on v.name = e.extname and v.version = e.extversion
 where e.extname <> %s order by e.oid
"""
_VOLATILITY = {"i": "immutable", "s": "stable", "v": "volatile"}
_PARALLEL = {"s": "parallel safe", "r": "parallel restricted", "u": "parallel unsafe"}
# What an alter of a function says, by what is altered of it; None: not with a value that is not there.
_FUNCTION: Mapping[str, Callable[[Any], str | None]] = {
    "volatility": lambda value: _VOLATILITY[value],
    "strict": lambda value: "strict" if value else "called on null input",
    "definer": lambda value: "security definer" if value else "security invoker",
    "leakproof": lambda value: "leakproof" if value else "not leakproof",
    "parallel": lambda value: _PARALLEL[value],
    "cost": lambda value: f"cost {value:g}",
    "rows": lambda value: f"rows {value:g}" if value else None,
    "support": lambda value: f"support {value}" if value else None,
}

Member = tuple[str, str, str]
Members = dict[Member, dict[str, Any]]


def noted(live: Any, aside: Any) -> dict[str, Any]:
    """What no dump carries of the extensions of a database.

    :param live: a cursor in the database, which is only read. :param aside: one in the database ``postgres``, in autocommit.
    :returns: ``extensions`` (schema and version by name), ``alterations`` (see ``compared``), and ``unknown``: why, by extension that could not
        be compared.
    """
    for cursor in (live, aside):
        cursor.execute("set search_path = ''")
    live.execute(_EXTENSIONS, (ALWAYS,))
    rows = live.fetchall()
    alterations: list[dict[str, Any]] = []
    unknown: dict[str, str] = {}
    # Where nobody is let be one, nobody altered what is a superuser's.
    live.execute("select rolsuper from pg_roles where rolname = current_user")
    superuser = live.fetchone()[0]
    for name, schema, version, _trusted in rows if superuser else ():
        try:
            pristine = _pristine(aside, name, schema, version)
        except psycopg2.Error as error:
            unknown[name] = first_line(error)
            continue
        alterations += compared(pristine, _members(live, name), lambda member: _definition(live, member))
    return {"extensions": {name: {"schema": schema, "version": version} for name, schema, version, _trusted in rows},
            "alterations": alterations, "unknown": unknown}


def _members(cursor: Any, name: str) -> Members:
    has_body = cursor.connection.server_version >= 140000
    cursor.execute(_MEMBERS.format(sql_body="p.prosqlbody" if has_body else "null"), {"always": ALWAYS, "only": name})
    return {(row[0], row[1], row[2]): row[3] for row in cursor.fetchall()}


def _pristine(cursor: Any, name: str, schema: str, version: str) -> Members:
    """Members as the extension itself makes them, under the very names that they have in the database. Nothing of it stays."""
    cursor.execute("begin")
    try:
        cursor.execute("set local lock_timeout = %s", (f"{PATIENCE}s",))
        cursor.execute(sql.SQL("drop extension if exists {} cascade").format(sql.Identifier(name)))
        # That of the system cannot be asked for in this way, not even where it is there.
        cursor.execute("select to_regnamespace(quote_ident(%s)) is null", (schema,))
        if cursor.fetchone()[0]:
            cursor.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
        cursor.execute(sql.SQL("create extension {} schema {} version {} cascade").format(
            sql.Identifier(name), sql.Identifier(schema), sql.Literal(version)))
        return _members(cursor, name)
    finally:
        cursor.execute("rollback")


def _definition(cursor: Any, member: Member) -> str:
    """The statement that makes a function or view; empty for anything else."""
    if member[1] in ("function", "procedure"):
        cursor.execute("select pg_get_functiondef(%s::regprocedure)", (member[2],))
        return str(cursor.fetchone()[0])
    if member[1] == "view":
        cursor.execute("select format('create or replace view %%s as %%s', %s, pg_get_viewdef(%s::regclass))", (member[2], member[2]))
        return str(cursor.fetchone()[0])
    return ""


def compared(pristine: Members, live: Members, definition: Callable[[Member], str]) -> list[dict[str, Any]]:
    """What was done to members, in an order in which it can be done again. Pure but for ``definition``.

    :returns: ``extension``, ``object``, ``what`` (no values: it is told where the statements are not) and ``statements`` of each; none of these
        where it can only be told.
    """
    gone = [_told(member, "is no member any more", _leave(member)) for member in sorted(set(pristine) - set(live))]
    changed: list[dict[str, Any]] = []
    for member in sorted(set(pristine) & set(live)):
        changed += _changed(member, pristine[member], live[member], definition)
    new = []
    for member in sorted(set(live) - set(pristine)):
        text = definition(member)
        new.append(_told(member, "was made a member", [text, "alter extension {} add {}".format(_quoted(member[0]), _named(member))] if text else []))
    return gone + changed + new


def _leave(member: Member) -> list[str]:
    """Out of the extension and gone: where the database has it still, it has it as an object of its own, which the dump makes."""
    return [f"alter extension {_quoted(member[0])} drop {_named(member)}", f"drop {_named(member)}"]


def _changed(member: Member, before: Mapping[str, Any], after: Mapping[str, Any], definition: Callable[[Member], str]) -> list[dict[str, Any]]:
    names = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    found = []
    if "body" in names or "view" in names:
        text = definition(member)
        found.append(_told(member, "was replaced", [text] if text else []))
        names = [name for name in names if name in ("owner", "comment", "options")]
    return found + [_told(member, "has another " + name, _statements(member, name, before.get(name), after.get(name))) for name in names]


def _statements(member: Member, name: str, before: Any, after: Any) -> list[str]:
    """How that is done again; empty where it cannot be."""
    alter = "alter " + _named(member)
    if name == "owner":
        return [f"{alter} owner to {_quoted(after)}"] if after else []
    if name == "comment":
        return ["comment on {} is {}".format(_named(member), _literal(after) if after is not None else "null")]
    if name == "settings":
        return [f"{alter} reset all"] + [_setting(alter, text) for text in after or ()]
    if name in _FUNCTION:
        text = _FUNCTION[name](after)
        return [f"{alter} {text}"] if text else []
    if name == "dictionary" and after:
        return [f"{alter} ({after})"]
    if name == "family":
        return [f"{alter} add {item}" for item in after or () if item not in (before or ())] + [
            f"{alter} drop {_short(item)}" for item in before or () if item not in (after or ())]
    if name in ("restrict", "join"):
        return ["{} set ({} = {})".format(alter, name, after or "none")]
    if name == "labels" and [label for label in after or () if label in (before or ())] == before:
        return _labels(alter, before, after)
    if name == "options":
        return [f"{alter} set ({', '.join(after)})"] if after and not before else []
    return []


def _setting(alter: str, text: str) -> str:
    """One of a function's settings. Those that are lists come as they were written."""
    key, _equals, value = text.partition("=")
    return "{} set {} = {}".format(alter, ".".join(_quoted(part) for part in key.split(".")),
                                   value if key in LISTS and value not in ("", '""') else _literal(value.strip('"') if key in LISTS else value))


def _labels(alter: str, before: list[str], after: list[str]) -> list[str]:
    made, there = [], list(before)
    for place, label in enumerate(after):
        if label in there:
            continue
        made.append("{} add value {} {}".format(alter, _literal(label), f"after {_literal(after[place - 1])}" if place else f"before {_literal(there[0])}"))
        there.append(label)
    return made


def _short(item: str) -> str:
    """An entry of an operator family as ``drop`` names it: its number and types."""
    word, number, rest = item.split(" ", 2)
    if word == "function":
        return f"{word} {number} {rest[:rest.index(')') + 1]}"
    return f"{word} {number} {rest[rest.index('('):].partition(' for order by ')[0]}"


def _told(member: Member, what: str, statements: list[str]) -> dict[str, Any]:
    return {"extension": member[0], "object": f"{member[1]} {member[2]}", "what": what, "statements": statements}


def _named(member: Member) -> str:
    """As statements name it: what pg_identify_object says is of the same words."""
    return f"{member[1]} {member[2]}"


def _quoted(name: str) -> str:
    return '"{}"'.format(name.replace('"', '""'))


def _literal(value: str) -> str:
    return "'{}'".format(value.replace("'", "''")) if "\\" not in value else "e'{}'".format(value.replace("\\", "\\\\").replace("'", "''"))
