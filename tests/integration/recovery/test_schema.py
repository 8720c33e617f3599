# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A verification makes a database of the point's schema: what would not load proves it bad, what the machine lacks proves nothing."""

from __future__ import annotations

import time

from rig.instance import Instance
from rig.machine import PORT, SOCKET

SCRATCH = "select datname from pg_database where datname ~ '-'"
# PostgreSQL lets a function be changed under what stands on it. Each of these is one statement of the dump that cannot be carried out.
ROTTEN = """
create extension unaccent;
create function fold(text) returns text language sql immutable as 'select public.unaccent(''public.unaccent'', $1)';
create function twice(n numeric) returns numeric language plpgsql immutable as 'begin return n * 2; end';
create index lang_fold on res_lang (fold(code));
alter table work add column double numeric generated always as (twice(amount)) stored;
create table parts (n numeric) partition by list (twice(n));
create or replace function fold(text) returns text language sql immutable as 'select unaccent($1)';
alter function twice volatile;
"""
# What takes long in a scratch database only.
SLOW = """
create function slow() returns integer language plpgsql as
  'begin if current_database() ~ ''-'' then perform pg_catalog.pg_sleep(60); end if; return 1; end';
create materialized view kept as select slow();
"""


def test_what_would_not_load_proves_the_point_bad(bodega: Instance) -> None:
    bodega.machine.sql(bodega.database, ROTTEN)
    point = bodega.run("captured").ok().point["id"]
    failed = bodega.run("verified", point=point).fails("not_verified", point, "CREATE TABLE public.parts", "IMMUTABLE")
    failures = failed.result["details"]["failures"]
    for said in ("generation expression is not immutable (at CREATE TABLE public.work)", "(at CREATE INDEX lang_fold ON public.res_lang USING btree"):
        assert any(said in each for each in failures), failures
    found = bodega.info()
    assert found["latest_verified"] is None and found["points"][0]["state"] == "failed"
    assert "CREATE TABLE public.parts" in found["points"][0]["verification"]["reason"]
    assert bodega.machine.sql("postgres", SCRATCH) == ""

    bodega.machine.sql(bodega.database, "drop index lang_fold; drop table parts; alter table work drop column double")
    mended = bodega.run("captured").ok().point["id"]
    assert bodega.run("verified", point=mended).ok().point["schema"] == "loaded"


def test_what_the_machine_lacks_proves_nothing(bodega: Instance) -> None:
    bodega.machine.sql(bodega.database, "create extension unaccent; create role bodega_reader; alter table work enable row level security;"
                                        " create policy seen on work to bodega_reader using (true)")
    point = bodega.run("captured").ok().point["id"]
    control = "/usr/share/postgresql/17/extension/unaccent.control"
    bodega.machine.sh(f"mv {control} /root/")
    try:
        bodega.run("verified", point=point).fails("schema_not_tried", "unaccent")
        bodega.run("restored", point=point, target=bodega.target(), check=True).fails("extension_missing", "unaccent")
        assert bodega.info()["points"][0]["state"] == "captured"
        skipped = bodega.run("verified", point=point, load_schema=False).ok().point
        assert (skipped["state"], skipped["schema"]) == ("verified", "skipped")
        assert bodega.run("verified", point=point, load_schema=False).ok().result["changed"] is False
    finally:
        bodega.machine.sh(f"mv /root/unaccent.control {control}")
    bodega.machine.sql(bodega.database, "drop policy seen on work; drop role bodega_reader")
    bodega.run("verified", point=point).fails("schema_not_tried", "bodega_reader")
    bodega.machine.sql("postgres", "create role bodega_reader")
    assert bodega.run("verified", point=point).ok().point["schema"] == "loaded", "what was skipped is done where it is asked for"
    assert bodega.run("verified", point=point).ok().result["changed"] is False
    bodega.machine.sql("postgres", "drop role bodega_reader")


def test_killed_bounded_closed_and_without_a_lock(bodega: Instance) -> None:
    sql = bodega.machine.sql
    sql(bodega.database, SLOW)
    point = bodega.run("captured").ok().point["id"]
    at = [{"event": "begin", "step": "load_schema", "do": (
        f"(for i in $(seq 300); do sleep 0.1; psql -XAtq -h {SOCKET} -p {PORT} -U postgres -c \"select 1 from pg_stat_activity where query ~ 'slow|kept' and datname ~ '-'\""
        f" | grep -q 1 && break; done; psql -XAtq -h {SOCKET} -p {PORT} -U postgres -c \"select count(*) from pg_locks l join pg_stat_activity a using (pid)"
        f" where l.database = (select oid from pg_database where datname = '{bodega.database}') and a.application_name ~ 'sysgenpro|pg_'\" > /root/locks;"
        f" psql -h {SOCKET} -p {PORT} -U bodega_production_blue_web -d sysgenpro-verify-{bodega.name} -c 'select 1' > /root/entered 2>&1;"
        " pkill -KILL -f 'import json, os, runp[y]') > /dev/null 2>&1 &")}]
    started = time.monotonic()
    assert bodega.run("verified", point=point, at=at).code == -9 and time.monotonic() - started < 60
    assert bodega.machine.sh("cat /root/locks").strip() == "0"
    assert "too many connections" in bodega.machine.sh("cat /root/entered") or "permission denied" in bodega.machine.sh("cat /root/entered")
    assert sql("postgres", SCRATCH) == f"sysgenpro-verify-{bodega.name}", "it was killed half-way"
    bodega.run("verified", point=point, bounds={"schema": 8}).fails("schema_not_tried", "8 s", "bounds.schema")
    assert sql("postgres", SCRATCH) == "" and bodega.info()["points"][0]["state"] == "captured"
