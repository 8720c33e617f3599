# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster or its superuser put into a database is left out of an import with all that hangs on it, and nothing of Odoo's is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from rig.backup import PLACE, Backups, Bodega
from rig.elsewhere import Elsewhere
from rig.machine import Machine

# Odoo's rows, as the small backup has them, and those that every case adds: they are there whatever is left out.
OWN = "create table public.own (id integer primary key, name text); insert into public.own values (1, 'kept'), (2, 'kept');"
CRON = "create extension pg_cron; select cron.schedule('nightly', '0 0 * * *', 'vacuum'); insert into cron.job_run_details (jobid, runid) values (1, 1);"
FDW = """
create extension postgres_fdw; create server far foreign data wrapper postgres_fdw options (host 'far.example.com');
create user mapping for postgres server far options (user 'x', password 'secret of far');
create foreign table public.remote_orders (id integer not null, note text default 'x') server far;
comment on foreign table public.remote_orders is 'far away'; comment on column public.remote_orders.id is 'id';
create view public.remote_view as select id from public.remote_orders; comment on view public.remote_view is 'x'; grant select on public.remote_view to p_reader;
create view public.remote_view_of_view as select id from public.remote_view;
create table public.parts (id integer) partition by range (id); create table public.parts_1 partition of public.parts for values from (1) to (10);
create foreign table public.parts_2 partition of public.parts for values from (10) to (20) server far; insert into public.parts values (5);
"""
DBLINK = """
create extension dblink; create view public.linked as select * from dblink('host=far.example.com', 'select 1') as t (id integer);
create materialized view public.linked_rows as select id from public.linked with no data; create index on public.linked_rows (id);
create function public.late() returns integer language plpgsql as $$ begin perform dblink_exec('x'); return 1; end $$;
"""
PYTHON = """
create extension plpython3u; create function public.py(n integer) returns integer immutable language plpython3u as $$ return n; begin; $$;
comment on function public.py(integer) is 'x'; create index own_py on public.own (public.py(id));
create function public.py_trigger() returns trigger language plpython3u as $$ return None $$;
create trigger t before update on public.own for each row execute function public.py_trigger(); comment on trigger t on public.own is 'x';
create view public.with_py as select public.py(id) from public.own; create aggregate public.py_sum(integer) (sfunc = int4pl, stype = integer);
"""
SEARCH = """
create text search template public.mine (lexize = dsimple_lexize); create text search dictionary public.mine_dict (template = public.mine);
create text search configuration public.mine_conf (copy = simple); alter text search configuration public.mine_conf alter mapping for word with public.mine_dict;
create text search dictionary public.own_dict (template = simple); create index own_mine on public.own using gin (to_tsvector('simple', name));
"""
OPCLASS = """
create operator class public.mine_ops for type integer using btree as operator 1 <, operator 2 <=, operator 3 =, operator 4 >=, operator 5 >,
  function 1 btint4cmp(integer, integer);
create index own_mine on public.own (id public.mine_ops); create index own_id on public.own (id);
"""
UNACCENT = "create extension unaccent{}; alter function {}unaccent(text) immutable; create index own_unaccent on public.own ({}unaccent(name));"
GENERATED = "create extension unaccent; alter function unaccent(text) immutable; create table public.gen (a text, b text generated always as (unaccent(a)) stored);" \
            " insert into public.gen values ('é');"
POLICY = """
create policy mine on public.own for select to p_reader using (true); create policy all_of on public.own for all using (true); comment on policy mine on public.own is 'x';
alter table public.own enable row level security; alter table public.own force row level security;
"""

CASES: dict[str, tuple[str, dict[str, int], str, str]] = {
    "pg_cron": (CRON, {"monitoring": 1, "hanging": 4}, "select to_regnamespace('cron') is null", "t"),
    "a publication of all": ("create publication p for all tables; comment on publication p is 'x';", {"replication": 1}, "select count(*) from pg_publication", "0"),
    "a publication of one": ("create publication p for table public.own;", {"replication": 2}, "select count(*) from pg_publication", "0"),
    "a publication of a schema": ("create publication p for tables in schema public;", {"replication": 2}, "select count(*) from pg_publication", "0"),
    "a subscription": ("create subscription s connection 'host=far.example.com password=secret' publication p with (connect = false);", {"replication": 1},
                       "select count(*) from pg_subscription", "0"),
    "an event trigger": ("create function public.ev() returns event_trigger language plpgsql as $$ begin raise exception 'no'; end $$;"
                         " create event trigger ev on sql_drop execute function public.ev(); alter event trigger ev enable always;", {"event_triggers": 2},
                         "select count(*) from pg_event_trigger", "0"),
    "postgres_fdw": (FDW, {"foreign": 6, "hanging": 5}, "select count(*) || ' ' || (select count(*) from parts) from pg_foreign_server", "0 1"),
    "dblink": (DBLINK, {"foreign": 1, "hanging": 3}, "select to_regclass('linked') is null and to_regprocedure('late()') is not null", "t"),
    "plpython3u": (PYTHON, {"languages": 3, "hanging": 4}, "select count(*) || ' ' || (to_regprocedure('py_sum(integer)') is not null) from pg_trigger where not tgisinternal", "0 true"),
    "a transform": ("create extension jsonb_plpython3u cascade;", {"languages": 2}, "select count(*) from pg_language where lanname like 'plpy%'", "0"),
    "an internal function": ("create function public.my_abs(integer) returns integer language internal immutable as 'int4abs';"
                             " create index own_abs on public.own (public.my_abs(id));", {"languages": 1, "hanging": 1}, "select to_regclass('own_abs') is null", "t"),
    "pgaudit": ("create extension pgaudit; create extension pg_stat_statements; create view public.slow as select query from pg_stat_statements;",
                {"monitoring": 2, "hanging": 1}, "select to_regclass('slow') is null", "t"),
    "policies": (POLICY, {"policies": 2}, "select string_agg(polname, ' ') from pg_policy", "all_of"),
    "a tablespace": ("create table public.fast (id integer primary key) tablespace fast; insert into public.fast values (7); create index on public.own (name) tablespace fast;",
                     {"tablespaces": 2}, "select id from public.fast", "7"),
    "an access method": ("create access method mine type table handler heap_tableam_handler; create table public.kept (id integer) using mine; insert into public.kept values (7);",
                         {"access_methods": 2}, "select id from public.kept", "7"),
    "casts": ("create cast (integer as text) with inout as implicit; create view public.by_cast as select id = name as y from public.own;"
              " create type public.pair as (a integer); create function public.to_pair(integer) returns public.pair language sql as 'select row($1)::public.pair';"
              " create cast (integer as public.pair) with function public.to_pair(integer);", {"casts": 1},
              "select count(*) || ' ' || (to_regclass('by_cast') is not null) from pg_cast where casttarget = 'public.pair'::regtype", "1 true"),
    "operator classes": (OPCLASS, {"operator_classes": 2, "hanging": 1}, "select (to_regclass('own_mine') is null) || ' ' || (to_regclass('own_id') is not null)", "true true"),
    "text search": (SEARCH, {"text_search": 1, "hanging": 2}, "select to_regclass('own_mine') is not null and exists (select from pg_ts_dict where dictname = 'own_dict')", "t"),
    "a leakproof function": ("create function public.lp(text) returns text language sql immutable leakproof as 'select lower($1)'; create index own_lp on public.own (public.lp(name));",
                             {}, "select to_regclass('own_lp') is not null and not proleakproof from pg_proc where proname = 'lp'", "t"),
    "large objects": ("select lo_from_bytea(4711, 'content'); alter large object 4711 owner to p_shop; grant select on large object 4711 to p_reader; comment on large object 4711 is 'x';",
                      {"comments": 1}, "select convert_from(lo_get(4711), 'UTF8')", "content"),
    "default privileges": ("alter default privileges for role p_shop grant select on tables to p_reader; alter table public.own owner to p_shop;", {"owners": 7, "privileges": 1},
                           "select count(*) from pg_default_acl", "0"),
    "statistics": ("create statistics public.st on id, name from public.own; alter table public.own alter column name set statistics 500; analyze;", {},
                   "select count(*) from pg_statistic_ext", "1"),
    "what the superuser keeps in a schema of its own": (
        "create schema audit; create table audit.rows (id integer); insert into audit.rows values (1); create extension file_fdw with schema audit;", {"foreign": 1},
        "select count(*) from audit.rows", "1"),
    "unaccent": (UNACCENT.format("", "", ""), {}, "select to_regclass('own_unaccent') is not null", "t"),
    "unaccent elsewhere": ("create schema ext; " + UNACCENT.format(" schema ext", "ext.", "ext."), {}, "select to_regclass('own_unaccent') is not null", "t"),
    "unaccent generated": (GENERATED, {}, "select b from gen", "e"),
}


@pytest.fixture(scope="module")
def elsewhere(machine: Machine) -> Iterator[Elsewhere]:
    machine.sh("grep -q _import /etc/postgresql/17/rp/pg_hba.conf || sed -i '1i local all /_import$ scram-sha-256' /etc/postgresql/17/rp/pg_hba.conf;"
               " pg_ctlcluster 17 rp reload")
    made = Elsewhere(machine, Backups(machine))
    yield made
    made.remove()


@pytest.fixture
def bodega(machine: Machine) -> Iterator[Bodega]:
    made = Bodega(machine)
    yield made
    made.clear()


def imported(bodega: Bodega, archive: str, **changes: Any) -> dict[str, Any]:
    done = bodega.run(archive, **changes).ok()
    print(done.result["left_out"], done.result["left_out_titles"])
    assert bodega.machine.sql(bodega.database, "select count(*) from own where name = 'kept'") == "2"
    assert bodega.machine.sql(bodega.database, "select count(*) from ir_module_module") == "1"
    assert "secret" not in str(done.result)
    return done.result


@pytest.mark.parametrize("case", CASES)
def test_left_out_with_all_that_hangs_on_it(elsewhere: Elsewhere, bodega: Bodega, case: str) -> None:
    made, left_out, query, expected = CASES[case]
    result = imported(bodega, elsewhere.backup(OWN + made))
    counted = {kind: result["left_out"].get(kind, 0) for kind in left_out}
    assert counted == left_out, result["left_out_titles"]
    usual = {"owners", "privileges", "comments", "sessions", "timeouts", "settings"}
    assert set(result["left_out"]) - usual == set(left_out) - usual and len(result["left_out_titles"]) == sum(
        count for kind, count in result["left_out"].items() if kind not in usual), "all of them are named"
    assert bodega.machine.sql(bodega.database, query) == expected
    bodega.machine.sql("postgres", f"drop database {bodega.database} with (force)")


@pytest.mark.parametrize(("options", "edit", "kind"), [
    ("--format=custom", "cat", "database.dump"), ("--inserts", "cat", "dump.sql"), ("--clean", "cat", "dump.sql"),
    ("", "sed '1i SET default_with_oids = false;'", "dump.sql")])
def test_all_of_it_at_once_and_however_it_was_dumped(elsewhere: Elsewhere, bodega: Bodega, options: str, edit: str, kind: str) -> None:
    made = [sql.replace(" p ", f" p{len(name)} ") for name, (sql, *_rest) in CASES.items() if name in (
        "pg_cron", "a publication of all", "a subscription", "an event trigger", "postgres_fdw", "dblink", "plpython3u", "policies", "a tablespace", "casts", "an access method",
        "text search")]
    result = imported(bodega, elsewhere.backup(OWN + "".join(made), options, edit, kind))
    wanted = {"monitoring", "replication", "event_triggers", "foreign", "languages", "policies", "tablespaces", "casts", "access_methods", "text_search", "hanging"}
    assert wanted <= set(result["left_out"]), wanted - set(result["left_out"])


@pytest.mark.parametrize(("made", "edit", "words"), [
    # A table of the shop that needs what is left out: nothing of Odoo's is.
    ("create extension plpython3u; create function public.py() returns integer language plpython3u as $$ return 1 $$;"
     " create table public.sale_order (id integer default public.py()); insert into public.sale_order values (1);", "cat", ("needs what cannot be made here", "CREATE TABLE public.sale_order")),
    ("create type public.mine; create function public.mine_in(cstring) returns public.mine language internal immutable strict as 'int4in';"
     " create function public.mine_out(public.mine) returns cstring language internal immutable strict as 'int4out';"
     " create type public.mine (input = public.mine_in, output = public.mine_out, like = integer); create table public.sale_order (id public.mine);", "cat",
     ("CREATE TABLE public.sale_order",)),
    # Another locale is another order: what is unique or found by an index may differ.
    ("create table public.names (name text collate \"C.utf8\");", "sed 's/C.utf8/xx_XX.utf8/'", ("xx_XX", "locale-gen")),
    ("", "sed 's/public.own (id/public.gone (id/'", ("public.gone",)),
])
def test_what_is_odoos_own_is_never_left_out(elsewhere: Elsewhere, bodega: Bodega, made: str, edit: str, words: tuple[str, ...]) -> None:
    failed = bodega.run(elsewhere.backup(OWN + made, edit=edit)).fails("load_failed", "removed", *words)
    assert "install" in failed.message or "locale-gen" in failed.message
    assert bodega.is_clear()


def test_the_dump_is_what_it_is_taken_for(elsewhere: Elsewhere) -> None:
    """The dump that the cases are made of is pg_dump's: what it calls things is what is looked for."""
    elsewhere.backup(OWN + CRON + FDW)
    text = elsewhere.machine.sh(f"cat {PLACE}/elsewhere")
    assert "COPY cron.job " in text and "CREATE FOREIGN TABLE public.remote_orders" in text and "secret of far" in text
