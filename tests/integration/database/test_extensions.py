# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database has the extensions that Odoo gives its own, wherever it comes from, and Odoo's own code is asked what those are."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import given
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.data import Data
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import Desired, desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.rehearsal import RehearsalSteps
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.steps.all import Steps
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release import samples
from cluster import NAME, PORT, Server
from sgplab import images

# What a shop has that was made by Odoo with unaccent = True.
SHOP = """
create table res_partner (id serial primary key, name varchar);
insert into res_partner (name) values ('Äpfel & Bücher'), ('Crème fraîche');
create index res_partner__name_index on res_partner using gin (unaccent(name) gin_trgm_ops);
alter table res_partner add plain varchar generated always as (unaccent(name::text)) stored;
"""
MADE = "select extname from pg_extension where extname in ('pg_trgm', 'unaccent') order by 1"
IMMUTABLE = "select provolatile from pg_proc where oid = to_regprocedure('public.unaccent(text)')"


@pytest.fixture
def database(server: Server) -> Iterator[Database]:
    made = server.instance()
    yield made
    server.instance()


@pytest.fixture
def wish(server: Server, tmp_path: Path) -> Callable[..., Desired]:
    def make(**config: Any) -> Desired:
        params = samples.params(root=str(tmp_path), config=config, database__name=NAME, database__port=PORT, database__socket=server.socket)
        return desired(params)

    return make


class Nothing:
    """No container, and nobody asks for one."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_a, **_k: None


def steps(wanted: Desired, database: Database, kind: Any = Steps) -> Any:
    parts = types.SimpleNamespace(runtime=Nothing(), front=Nothing(), edge=Nothing(), database=database,
                                  data=Data(wanted.directory, wanted.database, os.getuid()))
    return kind(wanted, types.SimpleNamespace(), parts, {})


def have(server: Server, name: str = NAME) -> tuple[list[str], str]:
    volatile = server.sql(IMMUTABLE, name)
    return [row[0] for row in server.sql(MADE, name)], volatile[0][0] if volatile else ""


BOTH, ONE = (["pg_trgm", "unaccent"], "i"), (["pg_trgm"], "")


@pytest.mark.parametrize(("config", "found"), [({"unaccent": True}, BOTH), ({"unaccent": "true"}, BOTH), ({"unaccent": "False"}, ONE), ({}, ONE)])
def test_a_new_database_has_them(server: Server, database: Database, wish: Callable[..., Desired], config: Any, found: Any) -> None:
    handlers = steps(wish(**config), database)
    for _again in range(2):
        handlers.do_create_database(None)
    assert have(server) == found
    # The instance's own logins use them, and make tables where Odoo does: on PostgreSQL 15 and later Odoo has to grant that itself.
    server.sql("create table t (name varchar); create index on t using gin (name gin_trgm_ops)", NAME, user=NAME + "_blue_web")
    if found is BOTH:
        server.sql(SHOP, NAME, user=NAME + "_blue_web")
    encoding = server.sql(f"select pg_encoding_to_char(encoding), datcollate from pg_database where datname = '{NAME}'")
    assert encoding == [("UTF8", "C")]


@pytest.mark.parametrize("unaccent", [False, True])
def test_one_that_is_there_is_told_what_it_lacks_and_given_it_once(server: Server, database: Database, unaccent: bool) -> None:
    database.create()
    lacks = given.lacking(database.observe().extensions, unaccent)
    assert lacks == ["pg_trgm", *(["unaccent", given.IMMUTABLE] if unaccent else [])]
    assert given.not_offered(lacks, database.offered_extensions()) == []
    assert database.give_extensions(unaccent) == lacks
    assert database.give_extensions(unaccent) == [] == given.lacking(database.observe().extensions, unaccent)
    assert have(server) == (BOTH if unaccent else ONE)


def test_people_who_work_are_not_kept_waiting(server: Server, database: Database) -> None:
    """No table is locked: who has one of them locked for good is in nobody's way."""
    database.create()
    server.sql("create table work (name varchar)", NAME, user=NAME + "_blue_web")
    import psycopg2

    other = psycopg2.connect(host=server.socket, port=PORT, user=NAME + "_blue_web", dbname=NAME)
    with other.cursor() as cursor:
        cursor.execute("lock table work in access exclusive mode")
        with database.session() as ours:
            ours.execute("set lock_timeout = '2s'")
            assert given.give(ours, True)
    other.close()


SCHEMA = "create schema extensions; create extension unaccent schema extensions;"
WRAPPER = """create function public.unaccent(text) returns text language sql {} as $$ select extensions.unaccent('extensions.unaccent', $1) $$"""


@pytest.mark.parametrize(("there", "unaccent", "lacks", "elsewhere"), [
    ("create extension unaccent", True, [given.IMMUTABLE], ""), ("create extension unaccent", False, [], ""),
    ("create extension unaccent; alter function unaccent(text) immutable", True, [], ""),
    (SCHEMA + WRAPPER.format("immutable"), True, [], ""), (SCHEMA + WRAPPER.format("stable"), True, [], ""),
    (SCHEMA, True, [], "extensions"), (SCHEMA, False, [], ""), ("drop extension pg_trgm; create schema x; create extension pg_trgm schema x", False, [], ""),
    ("alter database shop set search_path = pg_catalog", True, ["unaccent", given.IMMUTABLE], "")])
def test_what_somebody_made_himself(server: Server, database: Database, there: str, unaccent: bool, lacks: list[str], elsewhere: str) -> None:
    """Odoo takes any function of that name in public; one that it cannot see is told and stays where it is."""
    database.create()
    server.sql("create extension pg_trgm; " + there, NAME)
    found = database.observe().extensions
    assert (given.lacking(found, unaccent), given.elsewhere(found, unaccent)) == (lacks, elsewhere)
    assert database.give_extensions(unaccent) == lacks
    assert given.lacking(database.observe().extensions, unaccent) == []


@pytest.mark.usefixtures("programs")
@pytest.mark.parametrize("config", [{"unaccent": True}, {}])
def test_from_a_template(server: Server, database: Database, wish: Callable[..., Desired], config: Any) -> None:
    """Also from one whose indexes need the altered function, which no dump says."""
    template = _shop(server, database)
    server.instance()
    handlers = steps(wish(**config), database)
    step = types.SimpleNamespace(parameters={"template": str(template)})
    handlers.do_restore_template(step)
    assert have(server) == BOTH
    assert server.sql("select count(*) from res_partner where unaccent(name) = 'Apfel & Bucher'", NAME, user=NAME + "_blue_web") == [(1,)]
    assert server.sql("select pg_get_userbyid(relowner) from pg_class where relname = 'res_partner'", NAME) == [(NAME + "_owner",)]


def _shop(server: Server, database: Database) -> Path:
    """A dump of one, where the server's programs see it."""
    database.create()
    database.give_extensions(True)
    server.sql(SHOP, NAME, user=NAME + "_blue_web")
    template = server.directory / "template"
    shutil.rmtree(template, ignore_errors=True)
    (template / "filestore").mkdir(parents=True)
    template.chmod(0o777)
    server.run("pg_dump", "--format", "custom", "--no-owner", "--file", str(template / "database.dump"), NAME)
    return template


@pytest.mark.usefixtures("programs")
def test_copies_and_clones(server: Server, database: Database, wish: Callable[..., Desired], monkeypatch: pytest.MonkeyPatch) -> None:
    database.create()
    wanted = wish(unaccent=True)
    place = server.directory / "instance"
    shutil.rmtree(place, ignore_errors=True)
    (place / "data/filestore" / NAME).mkdir(parents=True)
    place.chmod(0o777)
    monkeypatch.setattr(Desired, "directory", property(lambda self: str(place)))
    monkeypatch.setattr("os.makedirs", _open_to_all)
    handlers = steps(wanted, database, RehearsalSteps)
    handlers.do_clone(None)
    assert have(server, NAME + "_rehearsal") == BOTH, "the clone is as the database will be when it is updated"
    assert have(server) == ([], ""), "a rehearsal does nothing to the database itself"
    steps(wanted, database).do_extensions(None)
    server.sql(SHOP, NAME, user=NAME + "_blue_web")
    database.copy_for_undo()
    server.sql(f"alter database {NAME}_undo allow_connections true")
    assert have(server, NAME + "_undo") == BOTH


def _open_to_all(path: Any, mode: int = 0o777, exist_ok: bool = False) -> None:
    """The server's programs run as another user here."""
    Path(path).mkdir(parents=True, exist_ok=exist_ok)
    for each in (Path(path), Path(path).parent):
        each.chmod(0o777)


def test_without_the_package(server: Server, database: Database) -> None:
    """Told by name before anything is made; a restore goes on without."""
    if not server.container:
        pytest.skip("only where the cluster is a container's own")
    place = f"/usr/share/postgresql/{server.major}/extension"
    move = "for f in unaccent pg_trgm; do mv {0}/$f.control{1} {0}/$f.control{2}; done"
    database.create()
    subprocess.run(["docker", "exec", server.container, "sh", "-ec", move.format(place, "", ".away")], check=True)
    try:
        lacks = given.lacking(database.observe().extensions, True)
        missing = given.not_offered(lacks, database.offered_extensions())
        assert missing == ["pg_trgm", "unaccent"]
        assert database.give_extensions(True) == []
    finally:
        subprocess.run(["docker", "exec", server.container, "sh", "-ec", move.format(place, ".away", "")], check=True)
    assert database.give_extensions(True) == lacks


_READ = """
import ast, json
source = open("/usr/lib/python3/dist-packages/odoo/service/db.py").read()
made = next(node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.FunctionDef) and node.name == "_create_empty_database")
print(json.dumps([node.value for node in ast.walk(made) if isinstance(node, ast.Constant) and isinstance(node.value, str)]))
"""
# Everything that it says to PostgreSQL, and where this platform does the same; what is new in a series fails here.
KNOWN = {
    "select datname from pg_database where datname = %s": "create() looks first",
    "create database %s encoding 'unicode' %s template %s": "create()", "create database {} encoding 'unicode' {} template {}": "create()",
    "lc_collate 'c'": "create()", "create extension if not exists pg_trgm": "extensions", "create extension if not exists unaccent": "extensions",
    "alter function unaccent(text) immutable": "extensions", "grant create on schema public to public": "the owner of a database owns its schema public",
}


@pytest.mark.parametrize("series", ["19.0", "14.0"])
def test_odoo_itself_gives_no_more(series: str) -> None:
    image = images.ensure(f"odoo-{series}")
    done = subprocess.run(["docker", "run", "--rm", "-i", "--entrypoint", "python3", image, "-c", _READ], check=True, capture_output=True, text=True)
    said = {" ".join(text.lower().split()) for text in json.loads(done.stdout)}
    statements = {text for text in said if re.match(r"(select|create|alter|grant|revoke|comment|set|lc_collate) ?", text) and " " in text}
    assert statements and statements <= set(KNOWN), statements - set(KNOWN)
    wanted = {name for name in (given.TRIGRAM, given.UNACCENT) if f"create extension if not exists {name}" in statements}
    assert wanted == ({"pg_trgm", "unaccent"} if series == "19.0" else {"unaccent"})


TRIGRAMS = "select indexname, indexdef like '%unaccent(%' from pg_indexes where indexdef like '%gin_trgm_ops%' order by 1"
# As docs/guides/trigram-indexes.md says it, for a database that was made without them.
MAKE_INDEXES = "env.registry.check_indexes(env.cr, env.registry); env.cr.commit()"


def _odoo(server: Server, *arguments: str, given: str = "") -> None:
    done = subprocess.run(
        ["docker", "run", "--rm", "-i", "-v", f"{server.socket}:/run/pg", "--user", "20001:20001", "-e", "HOME=/tmp", "--entrypoint", "odoo",
         images.ensure("odoo-19.0"), *arguments[:1], "-d", NAME, "--db_host", "/run/pg", "--db_port", str(PORT), "-r", NAME + "_update",
         "--data-dir", "/tmp/data", "--no-http", *arguments[1:]], input=given, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_odoo_makes_its_indexes(server: Server, database: Database, figure: Callable[[str], None]) -> None:
    """In a new database all; one that was made without the extension gets none by itself, and those of its fields by what the docs say.

    What a model makes in its own way (here the digits of telephone numbers) comes with the next update of its module.
    """
    database.create()
    _odoo(server, "server", "-i", "base,contacts,product", "--stop-after-init")
    assert server.sql(TRIGRAMS, NAME) == []
    assert database.give_extensions(True)
    _odoo(server, "shell", given=MAKE_INDEXES)
    later = server.sql(TRIGRAMS, NAME)
    server.instance()
    database.create()
    database.give_extensions(True)
    _odoo(server, "server", "-i", "base,contacts,product", "--stop-after-init")
    whole = server.sql(TRIGRAMS, NAME)
    assert later == [row for row in whole if row[0].endswith("_index")] and all(unaccented for _name, unaccented in later)
    assert len(later) >= 4
    figure(f"trigram indexes of base, contacts and product on PostgreSQL {server.major}: {len(whole)}, without pg_trgm 0, given later {len(later)}")


def test_an_import_gives_them(server: Server, tmp_path: Path) -> None:
    """A backup of a shop that had none; what its configuration asks for beside is the release's to give, which adopts it."""
    import zipfile

    from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.importing.operation import ImportOperation

    database = server.instance()
    database.create()
    server.sql("""create table ir_module_module (name varchar, state varchar, latest_version varchar);
        insert into ir_module_module values ('base', 'installed', '19.0.1.3'); create table ir_config_parameter (key varchar primary key, value text);
        create table ir_attachment (id serial primary key, store_fname varchar); create table res_lang (code varchar, active boolean)""", NAME)
    assert have(server) == ([], "")
    dump = server.run("pg_dump", "--no-owner", NAME)
    server.instance()
    archive = tmp_path / "shop.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("dump.sql", dump)
    operation = ImportOperation({
        "instance": NAME, "archive": str(archive), "root": str(tmp_path), "uid": 20001, "series": "19.0", "accept_losses": False, "neutralize": True,
        "database": {"name": NAME, "port": PORT, "socket": server.socket}, "bounds": {"load": 600}, "requested_by": "", "reason": "",
        "expected_plan_digest": None})
    operation.perform(operation.plan(), {})
    assert have(server) == ONE
    server.sql("create table t (name varchar); create index on t using gin (name gin_trgm_ops)", NAME, user=NAME + "_blue_web")
    server.instance()
