# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database's locale against its machine: what a copy inside a hold would meet is known beforehand, and what is made of it is like it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from rig.instance import Instance
from rig.machine import PLACE, PORT, SOCKET

UNITS = "ansible_collections.sysgenpro.odoo.plugins.module_utils"
# What a plan sees, what the undo copy would do, and the rehearsal's clone.
LOOK = f"""
import json, os, sys, tempfile, types
sys.path.insert(0, {PLACE!r})
import psycopg2
from {UNITS}._instance.database import Database
from {UNITS}._instance.way_in import WayIn
from {UNITS}._release.checks import check_collation
from {UNITS}._release.clone import copy_of
from {UNITS}._kernel.errors import DomainError
name, what = sys.argv[1:]
database, said = Database(name, WayIn({SOCKET!r}, {PORT})), ""
seen = database.observe()
try:
    if what == "plan":
        check_collation(types.SimpleNamespace(database=name), seen)
    elif what == "copy":
        said = database.copy_for_undo() and ""
        database.drop(database.undo)
    elif what == "clone":
        with tempfile.TemporaryDirectory() as scratch:
            copy_of(database, name + "_rehearsal", scratch)
            assert not os.path.exists(scratch + "/dump")
except DomainError as error:
    said = error.code + ": " + str(error)
print(json.dumps({{"said": said, "collation": seen.collation, "limit": seen.settings["limit"], "directory": seen.directory}}))
"""
ICU = "locale_provider icu icu_locale 'de-DE' icu_rules '&b < a'"
# Of a database all that a copy must have of it; the collation's version is the machine's of the day on which it is made.
LIKE = ("select encoding, datcollate, datctype, datlocprovider, datlocale, daticurules from pg_database where datname = '{0}' union all"
        " select null, c, null, null, setrole::text, null from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase, unnest(setconfig) c"
        " where datname = '{0}' order by 1, 2")


def look(instance: Instance, what: str) -> dict[str, Any]:
    return dict(json.loads(instance.machine.python(LOOK, instance.database, what)))


@pytest.fixture
def strange(bodega: Instance) -> Instance:
    """Recorded another version of its collation than the machine has, as after an upgrade of the operating system."""
    bodega.small(ICU)
    bodega.machine.sql("postgres", f"update pg_database set datcollversion = '1.0' where datname = '{bodega.database}'")
    return bodega


def test_a_changed_collation_is_known_before_the_hold(strange: Instance) -> None:
    assert "undo_copy_failed" in look(strange, "copy")["said"], "what happened inside the hold"
    told = look(strange, "plan")
    assert told["said"].startswith("collation_changed: ") and "1.0" in told["said"] and told["collation"]["actual"] in told["said"]
    strange.machine.sql(strange.database, f"reindex database {strange.database}")
    strange.machine.sql(strange.database, f"alter database {strange.database} refresh collation version")
    assert look(strange, "plan")["said"] == "" and look(strange, "copy")["said"] == "", "what it advises suffices"


def test_template1_of_another_day_is_no_matter(bodega: Instance) -> None:
    """What is made is made of template0, which has no version."""
    sql = bodega.machine.sql
    sql("postgres", "create database kept template template1")
    sql("postgres", "update pg_database set datcollversion = '1.0', datlocprovider = 'c' where datname = 'template1'")
    try:
        assert [look(bodega, what)["said"] for what in ("plan", "copy", "clone")] == ["", "", ""]
        point = bodega.run("captured").ok().point["id"]
        bodega.run("verified", point=point).ok()
    finally:
        sql("postgres", "update pg_database t set datcollversion = k.datcollversion from pg_database k where t.datname = 'template1' and k.datname = 'kept'")
        sql("postgres", f"drop database kept; drop database if exists {bodega.database}_rehearsal")


@pytest.mark.parametrize("clause", [ICU, "locale_provider builtin builtin_locale 'C.UTF-8'", "lc_ctype 'C.UTF-8'"])
def test_what_is_made_of_it_is_like_it(bodega: Instance, clause: str) -> None:
    """The clone of a rehearsal and a restore; with what was done to extensions, which a rehearsal meets as well."""
    sql = bodega.machine.sql
    bodega.small(clause)
    sql(bodega.database, "create schema ext; create extension unaccent schema ext; alter function ext.unaccent(text) immutable;"
                         " create index on work (ext.unaccent(what)); alter database bodega_production set search_path = public, ext")
    sql("postgres", f"update pg_database set datcollversion = '1.0' where datname = '{bodega.database}' and datcollversion is not null")
    before = sql("postgres", LIKE.format(bodega.database))
    try:
        assert look(bodega, "clone")["said"] == ""
        assert sql("postgres", LIKE.format(bodega.database + "_rehearsal")) == before
        assert sql(bodega.database + "_rehearsal", "select provolatile from pg_proc where oid = 'ext.unaccent(text)'::regprocedure") == "i"
        assert "1" in sql("postgres", "select count(*) from pg_database where datname = 'bodega_production_rehearsal' and datconnlimit = -1")
    finally:
        sql("postgres", f"drop database if exists {bodega.database}_rehearsal")
    point = bodega.run("captured").ok().point["id"]
    noted = bodega.manifest(point)["postgresql"]["notes"]["collation"]
    assert noted["recorded"] != noted["actual"] or noted["recorded"] is None
    assert bodega.run("verified", point=point).ok().point["schema"] == "loaded"
    target = bodega.target()
    done = bodega.run("restored", point=point, target=target).ok()
    assert sql("postgres", LIKE.format(target["database"])) == before
    assert ("collation" in done.warnings) == (noted["recorded"] is not None)


def test_tablespaces_and_limits_are_seen(bodega: Instance) -> None:
    """Room is asked for where the database lies; a database that lets nobody in is known to."""
    sql = bodega.machine.sql
    bodega.machine.sh("install -d -o postgres -m 0700 /srv/slow")
    sql("postgres", "create tablespace slow location '/srv/slow'")
    try:
        assert look(bodega, "")["limit"] == -1 and "/srv/slow" not in look(bodega, "")["directory"]
        sql("postgres", f"alter database {bodega.database} set tablespace slow")
        sql("postgres", f"alter database {bodega.database} connection limit 5")
        seen = look(bodega, "")
        assert (seen["limit"], seen["directory"]) == (5, "/srv/slow")
        point = bodega.run("captured").ok().point["id"]
        assert bodega.manifest(point)["postgresql"]["notes"]["tablespaces"] == ["slow"]
        sql("postgres", f"alter database {bodega.database} set tablespace pg_default")
        sql("postgres", "drop tablespace slow")
        assert bodega.run("verified", point=point).ok().point["schema"] == "loaded"
        done = bodega.run("restored", point=point, target=bodega.target()).ok()
        assert "tablespace slow is not here" in done.warnings
    finally:
        bodega.drop_target()
        bodega.drop()
        sql("postgres", "drop tablespace if exists slow")


def test_a_locale_that_the_machine_has_not(bodega: Instance) -> None:
    """As on another machine: refused before anything is made, and nothing is said about the point."""
    bodega.machine.sh("apt-get install -y -q locales >/dev/null 2>&1; localedef -i nl_BE -f UTF-8 nl_BE.UTF-8; pg_ctlcluster 17 rp restart -m fast")
    bodega.machine.sql("postgres", f"drop database {bodega.database}")
    bodega.small("lc_ctype 'nl_BE.UTF-8'")
    point = bodega.run("captured").ok().point["id"]
    bodega.machine.sql("postgres", f"drop database {bodega.database}")
    bodega.machine.sh("localedef --delete-from-archive nl_BE.utf8; pg_ctlcluster 17 rp restart -m fast")
    bodega.run("restored", point=point, target=bodega.target(), check=True).fails("locale_missing", "nl_BE.UTF-8")
    bodega.run("verified", point=point).fails("schema_not_tried", "nl_BE.UTF-8")
    assert bodega.info()["points"][0]["state"] == "captured"
