# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The line: capture a real Odoo database, verify it, bring it back beside the first, find both equal."""

from __future__ import annotations

import pytest
from rig.instance import Instance
from rig.machine import UID


def test_captured_verified_restored(acme: Instance) -> None:
    check = acme.run("captured", check=True).ok()
    assert check.result["changed"] and not acme.machine.sh(f"ls -A {acme.directory}/recovery /var/lib/recovery/acme 2>/dev/null || true")

    before = acme.contents()
    first = acme.run("captured").ok()
    print("first capture", first.result["timings"], first.point)
    assert first.point["state"] == "captured" and first.point["files"] == len(before["files"]) > 500
    young = acme.run("captured", max_age=3600).ok()
    assert not young.result["changed"] and young.point["id"] == first.point["id"]

    verified = acme.run("verified").ok()
    print("verified", verified.result["timings"])
    assert verified.point["state"] == "verified" and verified.point["id"] == first.point["id"]
    assert not acme.run("verified").ok().result["changed"]

    new = acme.attach("written after the first", b"x" * 100_000)
    second = acme.run("captured").ok()
    print("second capture", second.result["timings"], second.point)
    assert second.point["files"] == first.point["files"] + 1
    assert second.point["added"] < first.point["added"] / 3
    assert acme.manifest(second.point["id"])["files"]["read"] == 1, "only the new file was read"

    target = acme.target()
    restored = acme.run("restored", point=first.point["id"], target=target).ok()
    print("restored", restored.result["timings"])
    assert acme.contents(target["database"], target["filestore"]) == before
    assert new not in before["files"]
    assert acme.machine.sql("postgres", "select datconnlimit, datacl::text from pg_database where datname = 'acme_scratch'").startswith("0|")
    refused = acme.machine.sh("psql -h /var/run/postgresql -p 5501 -U acme_production_blue_web -d acme_scratch -c 'select 1' 2>&1", check=False)
    assert "FATAL" in refused, "the restored database is closed to who could act on it"
    assert acme.settings(target["database"]) == acme.settings(acme.database) != ""
    assert acme.settings(target["database"]).count("search_path") == 1
    again = acme.run("restored", point=first.point["id"], target=target).ok()
    assert not again.result["changed"], "the same point lies there, untouched"
    acme.run("restored", point=second.point["id"], target=target).fails("target_exists", "acme_scratch")


def test_another_owner(bodega: Instance) -> None:
    """Into an instance with other roles: all that is Odoo's is the new owner's, the platform's schema is not."""
    bodega.run("captured").ok()
    target = bodega.target(owner="acme_production_owner")
    bodega.run("restored", target=target).ok()
    owners = bodega.machine.sql(target["database"], """
        select string_agg(distinct pg_get_userbyid(relowner), ',') filter (where nspname = 'public'),
               string_agg(distinct pg_get_userbyid(relowner), ',') filter (where nspname = 'sysgenpro'),
               (select pg_get_userbyid(proowner) from pg_proc where proname = 'doubled')
          from pg_class c join pg_namespace n on n.oid = relnamespace where nspname in ('public', 'sysgenpro') and relkind in ('r', 'v', 'S', 'i')""")
    assert owners == "acme_production_owner|postgres|acme_production_owner"
    said = bodega.machine.sql(target["database"], "set role acme_production_owner; select instance from sysgenpro.identity; select count(*) from work_by_what;"
                              " delete from sysgenpro.identity", check=False)
    assert said.splitlines() == ["bodega-production", "0"], "the owner reads the identity, and cannot change it"
    assert bodega.machine.sql(target["database"], "select count(*) from sysgenpro.identity") == "1"


@pytest.mark.parametrize("locale", [
    "locale_provider icu icu_locale 'de-DE' icu_rules '&a < g'", "locale_provider builtin builtin_locale 'C.UTF-8'", "locale_provider libc lc_ctype 'C.UTF-8'"])
def test_locale_providers(bodega: Instance, locale: str) -> None:
    bodega.small(locale)
    bodega.run("captured").ok()
    target = bodega.target()
    bodega.run("restored", target=target).ok()
    query = "select datlocprovider, datcollate, datctype, datlocale, daticurules from pg_database where datname = '{}'"
    before, after = (bodega.machine.sql("postgres", query.format(name)) for name in (bodega.database, target["database"]))
    assert before == after and before.startswith(locale.split()[1][0].replace("l", "c"))


# Odoo's garbage collector, and somebody who writes, over and over: whoever waits longer than Odoo itself does fails.
_BUSY = """
import os, sys, time
import psycopg2
connection = psycopg2.connect(host="/var/run/postgresql", port=5501, user="postgres", dbname=sys.argv[1], options="-c lock_timeout=10s")
while os.path.exists(sys.argv[0]):
    with connection, connection.cursor() as cursor:
        if sys.argv[2] == "collect":
            cursor.execute("lock ir_attachment in share mode")
        else:
            cursor.execute("insert into ir_attachment (name) values ('busy')")
    time.sleep(0.02)
"""
_MANY = """
import hashlib, os, sys
import psycopg2
filestore, database = sys.argv[1:]
connection = psycopg2.connect(host="/var/run/postgresql", port=5501, user="postgres", dbname=database)
with connection, connection.cursor() as cursor:
    for number in range(100000):
        content = b"%d" % number
        name = hashlib.sha1(content).hexdigest()
        os.makedirs(os.path.join(filestore, name[:2]), exist_ok=True)
        with open(os.path.join(filestore, name[:2], name), "wb") as stream:
            stream.write(content)
        cursor.execute("insert into ir_attachment (name, store_fname) values (%s, %s)", (str(number), name[:2] + "/" + name))
"""


@pytest.mark.slow
def test_memory_is_bounded(bodega: Instance) -> None:
    """100,000 attachments take no more than some tens of MiB more than none do, and nobody waits for the lock longer than its own bound."""
    bodega.attach("one", b"one")
    base = max(bodega.run("captured").ok().peak, bodega.run("verified").ok().peak)
    bodega.machine.python(_MANY, bodega.filestore, bodega.database)
    bodega.machine.sh(f"chown -R {UID}:{UID} {bodega.filestore}")
    bodega.machine.sh("cat > /root/busy.py", data=_BUSY)
    busy = [bodega.machine.background(f"exec python3 /root/busy.py {bodega.database} {what}") for what in ("collect", "write")]
    try:
        first, again = bodega.run("captured").ok(), bodega.run("captured").ok()
        assert all(each.poll() is None for each in busy), "somebody waited for the lock longer than Odoo does"
    finally:
        bodega.machine.sh("rm /root/busy.py")
        for each in busy:
            each.wait(60)
    verified = bodega.run("verified").ok()
    restored = bodega.run("restored", target=bodega.target()).ok()
    peaks = {name: ran.peak // 1024 for name, ran in (("first", first), ("again", again), ("verified", verified), ("restored", restored))}
    print("base MiB", base // 1024, "peaks MiB", peaks, first.result["timings"], again.result["timings"], verified.result["timings"],
          restored.result["timings"])
    assert first.point["files"] == 100_001
    assert max(peaks.values()) < base // 1024 + 48
