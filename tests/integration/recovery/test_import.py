# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Backups of a real Odoo 19 database become an instance's, whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rig.backup import PLACE, Backups, Bodega
from rig.machine import PORT, SOCKET, UID, Machine

SMALL = {"dump.sql": "small.sql"}
# Turns bits in the middle of an entry.
FLIP = """
import sys, zipfile
path, name = sys.argv[1:]
with zipfile.ZipFile(path) as archive:
    entry = archive.getinfo(name)
with open(path, "r+b") as file:
    file.seek(entry.header_offset + 30 + len(name) + entry.compress_size // 2)
    old = file.read(8)
    file.seek(-8, 1)
    file.write(bytes(255 - byte for byte in old))
"""
# Adds a file that says it is a pebibyte.
BOMB = """
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "a") as archive:
    archive.writestr("filestore/ab/ab" + "0" * 38, bytes(10))
    archive.filelist[-1].file_size = 1 << 50
"""
# Adds an entry that would be written outside.
OUTSIDE = """
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], "a") as archive:
    archive.writestr(sys.argv[2], b"outside")
"""
DATA = "select md5(string_agg(t::text, '' order by id)) from {} t"


@pytest.fixture(scope="module")
def backups(machine: Machine) -> Backups:
    return Backups(machine)


@pytest.fixture(autouse=True)
def passwords_wanted(machine: Machine) -> None:
    """The loading login comes with a password, as the role postgresql has it."""
    machine.sh("grep -q _import /etc/postgresql/17/rp/pg_hba.conf || sed -i '1i local all /_import$ scram-sha-256' /etc/postgresql/17/rp/pg_hba.conf;"
               " pg_ctlcluster 17 rp reload")


@pytest.fixture
def bodega(machine: Machine) -> Iterator[Bodega]:
    made = Bodega(machine)
    yield made
    made.clear()


@pytest.mark.parametrize(("name", "dumps"), [
    ("odoo", {"dump.sql": "dump.sql"}), ("packed", {"dump.sql.gz": "dump.sql.gz"}), ("custom", {"database.dump": "database.dump"}),
    ("foreign", {"dump.sql": "foreign.sql"})])
def test_every_kind_of_dump_becomes_the_owners(backups: Backups, bodega: Bodega, name: str, dumps: dict[str, str]) -> None:
    archive = backups.make(name, dumps)
    planned = bodega.run(archive, check=True).ok()
    assert planned.result["changed"] and planned.result["archive"]["postgresql"] == 17 and bodega.is_clear()

    done = bodega.run(archive, series="19.0").ok()
    print(name, done.result["timings"], done.result["files"], done.result["left_out"], "KiB", done.peak)
    assert done.result["series"] == "19.0" and done.result["modules"]["stock"].startswith("19.0.")
    assert done.result["losses"] == {"missing": 0, "torn": 0, "missing_names": [], "torn_names": []}
    sql = bodega.machine.sql
    others = ("select string_agg(relname, ' ') from pg_class where relnamespace = 'public'::regnamespace"
              f" and relowner <> '{bodega.database}_owner'::regrole")
    assert sql(bodega.database, others) == "", "every object is the owner's"
    assert sql("postgres", f"select count(*) from pg_roles where rolname = '{bodega.database}_import'") == "0"
    assert sql(bodega.database, "select count(*) from ir_cron where active") == "0", "it was neutralized"
    assert sql(bodega.database, "select to_regnamespace('sysgenpro') is null") == "t"
    files = bodega.machine.sh(f"cd {bodega.filestore} && find . -type f -printf '%U %f\\n' | sort -u; find . -type f | xargs sha1sum"
                              " | awk '{n=split($2,p,\"/\"); if (p[n] != $1) print \"TORN\"}'").split("\n")
    assert "TORN" not in files and all(line.startswith(f"{UID} ") for line in files if line)
    assert len([line for line in files if line]) == done.result["files"]["loaded"] == done.result["archive"]["files"]
    inside = f"psql -XAtq -h {SOCKET} -p {PORT} -U bodega_production_blue_web -d {bodega.database} -c 'select count(*) > 0 from res_users'"
    assert bodega.machine.sh(inside).strip() == "t", "the instance's own login is let in"

    again = bodega.run(archive).ok()
    assert not again.result["changed"] and again.result["modules"] == done.result["modules"]
    if name == "foreign":
        left_out = done.result["left_out"]
        assert left_out["owners"] > 1 and (left_out["privileges"], left_out["comments"], left_out["monitoring"]) == (2, 2, 1)
        assert sql(bodega.database, "select count(*) from pg_extension where extname in ('pg_trgm', 'pg_stat_statements')") == "1"
        bodega.run(backups.make("other", {"dump.sql": "dump.sql"}, manifest={"a": 1})).fails("target_exists", bodega.database)


def test_rows_arrive_unchanged(backups: Backups, bodega: Bodega) -> None:
    bodega.run(backups.make("odoo"), neutralize=False).ok()
    machine = backups.machine
    machine.sql("postgres", "drop database if exists reference with (force)")
    machine.sql("postgres", "create database reference encoding 'UTF8' lc_collate 'C' template template0")
    try:
        machine.sh(f"pg_restore --no-owner --exit-on-error -h {SOCKET} -p {PORT} -U postgres -d reference {PLACE}/database.dump")
        for query in (
                "select string_agg(relname || relkind::text, ' ' order by relname) from pg_class where relnamespace = 'public'::regnamespace",
                "select md5(string_agg(pg_get_constraintdef(oid) || conname, ' ' order by conname, conrelid::regclass::text)) from pg_constraint",
                *(DATA.format(table) for table in ("ir_ui_view", "ir_attachment", "res_partner", "product_template", "ir_model_data"))):
            assert machine.sql(bodega.database, query) == machine.sql("reference", query), query
    finally:
        machine.sql("postgres", "drop database reference with (force)")


def test_lost_files(backups: Backups, bodega: Bodega) -> None:
    named = backups.named
    archive = backups.make("lossy", SMALL, leave_out=named[:3], tear=named[3:5])
    failed = bodega.run(archive).fails("files_lost", "3 are missing", "2 are torn")
    assert failed.result["details"]["losses"]["missing_names"] == named[:3] and failed.result["details"]["losses"]["torn_names"] == named[3:5]
    assert bodega.is_clear()
    done = bodega.run(archive, accept_losses=True).ok()
    assert done.result["losses"]["missing"] == 3 and done.result["losses"]["torn"] == 2
    assert bodega.machine.sh(f"cd {bodega.filestore} && ls {' '.join(named[:5])} 2>/dev/null", check=False) == ""


@pytest.mark.parametrize(("event", "step"), [("begin", "load"), ("begin", "compare"), ("done", "neutralize"), ("begin", "open")])
def test_killed_it_begins_anew(backups: Backups, bodega: Bodega, event: str, step: str) -> None:
    archive = backups.make("small", SMALL)
    killed = bodega.run(archive, at=[{"event": event, "step": step, "do": "kill"}])
    assert killed.failed and not killed.result
    done = bodega.run(archive).ok()
    assert done.result["plan"]["steps"][0]["name"] == "clean_up"
    assert not bodega.run(archive).ok().result["changed"]


def test_killed_within_the_load(backups: Backups, bodega: Bodega) -> None:
    archive = backups.make("slow", {"dump.sql": backups.small("slow", "SELECT pg_sleep(300);")})
    loading = f"psql -XAtq -h {SOCKET} -p {PORT} -U postgres -c \"select 1 from pg_stat_activity where query like 'SELECT pg_sleep%'\""
    do = f'module=$PPID; (until [ "$({loading})" = 1 ]; do sleep 0.2; done; kill -9 $module) &'
    killed = bodega.run(archive, at=[{"event": "begin", "step": "load", "do": do}])
    assert killed.failed and not killed.result and not bodega.is_clear()
    bodega.run(backups.make("small", SMALL)).ok()


def test_a_note_left_by_a_crash_costs_a_whole_database_nothing(backups: Backups, bodega: Bodega) -> None:
    archive = backups.make("small", SMALL)
    killed = bodega.run(archive, at=[{"event": "begin", "step": "open", "do": f"cp {bodega.directory}/state/restoring-* {PLACE}/note"}])
    killed.ok()
    bodega.machine.sql(bodega.database, "create table written_since ()")
    bodega.machine.sh(f"cp {PLACE}/note {bodega.directory}/state/restoring-{bodega.database}.json")
    bodega.run(backups.make("other", SMALL, manifest={"another": 1})).fails("target_exists")
    assert [step["name"] for step in bodega.run(archive).ok().result["plan"]["steps"]] == ["open"]
    assert bodega.machine.sql(bodega.database, "select to_regclass('written_since') is not null") == "t"


@pytest.mark.parametrize(("extra", "code", "words"), [
    ("COPY public.ir_cron TO PROGRAM 'touch /tmp/owned';", "load_failed", "permission denied"),
    ("DO $$ BEGIN RESET ROLE; EXECUTE $x$COPY public.ir_cron TO PROGRAM 'touch /tmp/owned'$x$; END $$;", "load_failed", "permission denied"),
    ("DO $$ BEGIN RESET SESSION AUTHORIZATION; EXECUTE 'CREATE ROLE evil SUPERUSER'; END $$;", "load_failed", "permission denied"),
    ("\\! touch /tmp/owned", "dump_malformed", "command of psql"),
    ("SELECT 1 \\gexec", "dump_malformed", "command of psql"),
    ("CREATE EXTENSION adminpack_of_nobody;", "load_failed", "adminpack_of_nobody"),
    ("COPY public.ir_cron (id, active) FROM stdin;\n7\tnotabool\n\\.\n", "load_failed", "boolean"),
    ("SELECT 'open", "dump_malformed", "ends within"),
])
def test_dumps_that_are_refused(backups: Backups, bodega: Bodega, extra: str, code: str, words: str) -> None:
    bodega.machine.sh("rm -f /tmp/owned")
    bodega.run(backups.make("evil", {"dump.sql": backups.small("evil", extra)})).fails(code, words, "removed")
    assert bodega.is_clear()
    assert bodega.machine.sh("ls /tmp/owned 2>/dev/null", check=False) == ""
    assert bodega.machine.sql("postgres", "select count(*) from pg_roles where rolname = 'evil'") == "0"


def test_nothing_is_changed_for_what_cannot_be(backups: Backups, bodega: Bodega) -> None:
    machine, small = bodega.machine, backups.make("small", SMALL)
    machine.sh(f"head -c 100000 {small} > {PLACE}/cut.zip; cp {small} {PLACE}/flipped.zip;"
               f" cd {PLACE} && printf 'CREATE TABLE x ();\\n' > other.sql && sed 's/version 17.6/version 99.1/' small.sql > newer.sql")
    machine.sh(f"python3 - {PLACE}/flipped.zip dump.sql", data=FLIP)
    machine.sh(f"cp {small} {PLACE}/bomb.zip; python3 - {PLACE}/bomb.zip", data=BOMB)
    outside = {"up": "filestore/../../../../../outside", "root": "/var/tmp/outside", "back": "..\\\\outside"}
    for name, entry in outside.items():
        machine.sh(f"cp {small} {PLACE}/{name}.zip; python3 - {PLACE}/{name}.zip '{entry}'", data=OUTSIDE)
        bodega.run(f"{PLACE}/{name}.zip").fails("archive_malformed", "outside")
        assert bodega.is_clear() and not machine.sh("find / -xdev -name '*outside' -not -path '/proc/*' -not -path '/sys/*'").strip()
    for given, code, words in (
            ({"archive": f"{PLACE}/none.zip"}, "no_archive", "none.zip"), ({"archive": f"{PLACE}/dump.sql"}, "not_a_zip", "dump.sql"),
            ({"archive": f"{PLACE}/cut.zip"}, "archive_truncated", "cut.zip"), ({"archive": "relative.zip"}, "bad_input", "archive"),
            ({"archive": f"{PLACE}/flipped.zip"}, "archive_damaged", "dump.sql"),
            ({"archive": f"{PLACE}/bomb.zip"}, "no_space", "MiB are needed"),
            ({"archive": backups.make("bare", {})}, "no_dump", "none of"),
            ({"archive": backups.make("program", {"dump.sql": "other.sql"})}, "no_odoo", "ir_module_module"),
            ({"archive": backups.make("newer", {"dump.sql": "newer.sql"})}, "newer_postgresql", "99"),
            ({"archive": small, "series": "18.0"}, "other_series", "19.0"),
            ({"archive": small, "expected_plan_digest": "sha256:0"}, "plan_changed", "sha256:0"),
            ({"archive": small, "database": {"name": "nobodys", "port": PORT, "socket": SOCKET}}, "no_owner", "nobodys_owner")):
        bodega.run(**given).fails(code, words)
        assert bodega.is_clear(), given
    bodega.run(backups.make("unsaid", SMALL, manifest={"none": 1}), series="18.0").fails("other_series", "19.0", "removed")
    machine.sh(f"install -d -o {UID} -g {UID} {bodega.filestore}")
    bodega.run(small).fails("target_exists", bodega.filestore)
