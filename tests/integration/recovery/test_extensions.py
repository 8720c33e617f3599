# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody did to members of extensions, which no dump carries: a database can be made of every point that is called verified."""

from __future__ import annotations

import json

import pytest
from rig.instance import Instance

# What Odoo does to unaccent, and what stands on that. ``{s}`` is the extension's schema.
UNACCENT = """
create schema if not exists {s}; grant usage on schema {s} to public; create extension unaccent schema {s}; create extension if not exists pg_trgm schema {s};
alter function {s}.unaccent(text) immutable;
"""
INDEX = "create index work_trgm on work using gin ({s}.unaccent(what) {s}.gin_trgm_ops);"
STORED = "alter table work add column plain text generated always as (upper({s}.unaccent(what))) stored;"
PARTITION = "create table parts (what text) partition by list ({s}.unaccent(what)); create table part_a partition of parts for values in ('a');"
PREDICATE = "create index work_some on work (id) where {s}.unaccent(what) = 'order';"
CHECKED = "create view seen as select {s}.unaccent(what) as what from work; create materialized view kept as select * from seen;"

# Kinds of what is done to a member: name, what is done, and a query that tells it. All of them are done to one database.
ALTERED = [
    ("immutable", INDEX + STORED + PARTITION + PREDICATE + CHECKED, "select provolatile from pg_proc where oid = '{s}.unaccent(text)'::regprocedure"),
    ("settings", "alter function {s}.show_trgm(text) set search_path = {s}, pg_temp; alter function {s}.show_trgm(text) set work_mem = '8MB';",
     "select proconfig from pg_proc where oid = '{s}.show_trgm(text)'::regprocedure"),
    ("cost, parallel, security, strict, leakproof", "alter function {s}.similarity(text, text) cost 7 parallel restricted security definer leakproof"
     " called on null input;", "select procost, proparallel, prosecdef, proleakproof, proisstrict from pg_proc where oid = '{s}.similarity(text, text)'::regprocedure"),
    ("replaced", "create or replace function {s}.unaccent_lexize(internal, internal, internal, internal) returns internal language c as '$libdir/unaccent',"
     " 'unaccent_lexize' cost 9;", "select procost, provolatile from pg_proc where proname = 'unaccent_lexize'"),
    ("replaced by another body", "create or replace function {s}.word_similarity(text, text) returns real language sql immutable as 'select 0.25::real';",
     "select {s}.word_similarity('a', 'b')"),
    ("member dropped, and another in its place", "alter extension pg_trgm drop function {s}.show_limit(); drop function {s}.show_limit();"
     " create function {s}.show_limit() returns real language sql immutable as 'select 0.5::real';", "select {s}.show_limit()"),
    ("member added", "create function {s}.fold(text) returns text language sql immutable as 'select {s}.unaccent(lower($1))';"
     " alter extension unaccent add function {s}.fold(text); create index work_fold on work ({s}.fold(what));", "select {s}.fold('É')"),
    ("operator family", "create function {s}.same(text, text) returns boolean language sql immutable as 'select $1 = $2';"
     " create operator {s}.=~= (leftarg = text, rightarg = text, function = {s}.same);"
     " alter operator family {s}.gin_trgm_ops using gin add operator 77 {s}.=~= (text, text);",
     "select count(*) from pg_amop where amopstrategy = 77 and amopopr = '{s}.=~=(text, text)'::regoperator"),
    ("operator", "alter operator {s}.% (text, text) set (restrict = eqsel);", "select oprrest from pg_operator where oid = '{s}.%(text, text)'::regoperator"),
    ("dictionary", "alter text search dictionary {s}.unaccent (rules = 'xsyn_sample');", "select dictinitoption from pg_ts_dict where dictname = 'unaccent'"),
    ("comment", "comment on function {s}.unaccent(text) is 'ours, ''quoted'' and \\ back';", "select obj_description('{s}.unaccent(text)'::regprocedure, 'pg_proc')"),
]


def restored_as(bodega: Instance, point: str, query: str) -> str:
    target = bodega.target()
    done = bodega.run("restored", point=point, target=target).ok()
    assert "could not be altered" not in done.warnings
    found = bodega.machine.sql(target["database"], query)
    bodega.drop_target()
    return found


@pytest.mark.parametrize("schema", ["public", '"Odd ext"'])
def test_what_was_done_to_members_is_there_again(bodega: Instance, schema: str) -> None:
    sql, query = bodega.machine.sql, " union all ".join(f"select '{name}', (select q::text from ({query}) q)" for name, _done, query in ALTERED)
    done = "insert into work (what, amount) values ('órder', 1);" + UNACCENT + "".join(done for _name, done, _query in ALTERED)
    sql(bodega.database, done.replace("{s}", schema))
    before = sql(bodega.database, query.replace("{s}", schema))
    assert len(before.splitlines()) == len(ALTERED)
    point = bodega.run("captured").ok().point["id"]
    verified = bodega.run("verified", point=point).ok()
    assert verified.point["state"] == "verified" and verified.point["schema"] == "loaded"
    assert verified.point["verification"]["read"]["schema"]["left"] == []
    assert sql("postgres", "select count(*) from pg_database where datname ~ 'verify'") == "0"
    assert restored_as(bodega, point, query.replace("{s}", schema)) == before
    assert sql("postgres", "select count(*) from pg_extension where extname in ('unaccent', 'pg_trgm')") == "0", "nothing stays in postgres"


def test_the_manifest_names_and_does_not_quote(bodega: Instance) -> None:
    """What somebody wrote into a function is stored encrypted."""
    bodega.machine.sql(bodega.database, UNACCENT.format(s="public") + "create or replace function unaccent(text) returns text language sql immutable"
                       " as 'select $1 || ''not for everybody''';")
    point = bodega.run("captured").ok().point["id"]
    manifest = bodega.manifest(point)
    (told,) = manifest["postgresql"]["notes"]["alterations"]
    assert told == {"extension": "unaccent", "object": "function public.unaccent(pg_catalog.text)", "what": "was replaced"}
    assert "everybody" not in json.dumps(manifest)


def test_a_point_of_before_that_notes_nothing(bodega: Instance) -> None:
    """Of it what Odoo itself does to unaccent is tried where the load says so: at verification and at restore."""
    bodega.machine.sql(bodega.database, "insert into work (what, amount) values ('órder', 1);" + (UNACCENT + INDEX + STORED).format(s="public"))
    notes = "/opt/recovery-test/ansible_collections/sysgenpro/odoo/plugins/module_utils/_recovery/notes.py"
    bodega.machine.sh(f"cp {notes} /root/notes.py; printf '\\ndef write(directory, notes):\\n    pass\\n' >> {notes}")
    try:
        point = bodega.run("captured").ok().point["id"]
    finally:
        bodega.machine.sh(f"mv /root/notes.py {notes}")
    verified = bodega.run("verified", point=point).ok()
    assert verified.point["verification"]["read"]["schema"]["loosened"] is True
    assert restored_as(bodega, point, "select provolatile from pg_proc where oid = 'unaccent(text)'::regprocedure") == "i"


def test_what_cannot_be_done_again_is_told(bodega: Instance) -> None:
    """A table that was made a member: pg_dump leaves out its rows without a word."""
    bodega.machine.sql(bodega.database, "create extension pg_trgm; create table weights (n integer); alter extension pg_trgm add table weights;")
    done = bodega.run("captured").ok()
    assert "table public.weights was made a member of extension pg_trgm" in done.warnings
    assert bodega.manifest(done.point["id"])["postgresql"]["notes"]["not_carried"]
