# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back across an update: by a recovery point, at a price that was confirmed, without a failed request."""

from __future__ import annotations

import json
import random
import re
from pathlib import Path
from typing import Any

import pytest
from estate import Estate, Seen, leave_mark, sound
from estate.edge import shop
from estate.machine import ROOT, Ran
from estate.place import HOST, INSTANCE
from estate.steps import BACK

ABANDONED = "select datname || ' ' || datconnlimit from pg_database where datname like 'fault_one_was_%' order by 1"
PARTNER = "insert into res_partner (name, create_date, write_date, active) values ('{0}', now() at time zone 'utc', now() at time zone 'utc', true)"


def back(estate: Estate, digest: str | None = None, **parameters: Any) -> Ran:
    """Call the module to go back. :param digest: of the plan that is confirmed."""
    at = parameters.pop("at", ())
    return estate.machine.module({"state": "rolled_back", "release": None, "expected_plan_digest": digest, **parameters}, at)


def updated(estate: Estate) -> None:
    """Have the instance run ``two``, which it was brought to from ``one-a`` by an update."""
    estate.runs("one-a")
    ran = estate.release("two").ok()
    assert ran.kind == "update"


@pytest.fixture
def abandoned(estate: Estate) -> Any:
    """Databases that a test abandoned are dropped after it."""
    yield lambda: estate.machine.sql(ABANDONED, "postgres").splitlines()
    for line in estate.machine.sql(ABANDONED, "postgres").splitlines():
        name = line.split()[0]
        estate.machine.sql(f"drop database {name} with (force)", "postgres")
        estate.machine.sh(f"rm -rf {ROOT}/{INSTANCE}/data/filestore/{name}")


def test_back_across_an_update(estate: Estate, mark: str, abandoned: Any, tmp_path: Path) -> None:
    """The price is told and confirmed; nobody is failed; what was abandoned is closed, and exported; a second run changes nothing."""
    updated(estate)
    later = mark + " later"
    leave_mark(estate, later)
    estate.machine.sql(PARTNER.format(later))
    asked = back(estate)
    assert asked.error == "confirmation_needed", asked.message
    assert "1 customers and contacts" in asked.message, asked.message
    assert sound(estate, "two", mark, later)
    digest = asked.result["details"]["plan"]["digest"]
    with shop(estate, HOST, tmp_path) as load:
        ran = back(estate, digest).ok()
        sound(estate, "one-a", mark)
    assert ran.kind == "restore"
    found = estate.machine.sql("select name from fault_thing").split("\n")
    assert later not in found, "what was made after the recovery point is still there"
    total = load.summary()
    assert total.requests and not total.failed, total.reasons
    closed = abandoned()
    assert len(closed) == 1 and closed[0].endswith(" 0"), closed
    directory = next(entry["data"]["export"] for entry in ran.result["operation"]["steps"] if entry.get("step") == "export" and entry["event"] == "done")
    assert later in estate.machine.sh(f"cat {directory}/res_partner.csv")
    told = estate.machine.sh(f"cat {directory}/README.md")
    assert re.search(r"customers and contacts: [1-9][0-9]* made", told), told
    assert "ir_config_parameter.csv" not in told, "settings, which may be secret, are in the export"
    assert not estate.machine.sh(f"find {directory} -perm /077 -type f")
    again = back(estate).ok()
    assert not again.result["changed"], again.result["plan"]
    print(f"{total.requests} requests, none failed, longest {total.longest} s; held for {ran.result['operation']['pause']} s")


def test_many_releases_of_a_configuration_between(estate: Estate, mark: str) -> None:
    """``status`` names the release before, however many rows ago, and that is where it goes back to; then that it was gone back."""
    estate.runs("one-a")
    assert estate.release("one-b").ok().kind == "code"
    estate.machine.sql(
        "insert into sysgenpro.applied (release, image, reference, record, config_digest, class, operation, who, reason)"
        " select release, image, reference, record, config_digest, class, 'between-' || n, who, reason from (select * from sysgenpro.applied"
        " order by id desc limit 1) a, generate_series(1, 30) n")
    try:
        assert "way back: to one-a by a switch" in estate.play("status").output
        assert back(estate).ok().kind == "code"
        assert "way back: it was gone back to one-a" in estate.play("status").output
        assert not back(estate).ok().result["changed"]
    finally:
        estate.machine.sql("delete from sysgenpro.applied where operation like 'between-%'")
    sound(estate, "one-a", mark)


def test_confirmation_of_another_plan(estate: Estate, mark: str) -> None:
    updated(estate)
    before = Seen.look(estate)
    ran = back(estate, "sha256:" + "0" * 64)
    assert ran.error == "plan_changed", ran.message
    Seen.look(estate).same_as(before)


@pytest.mark.parametrize(("point", "error"), [("20200101T000000-00000000", "unknown_point"), ("yesterday", "bad_input")])
def test_points_that_there_are_not(estate: Estate, mark: str, point: str, error: str) -> None:
    updated(estate)
    before = Seen.look(estate)
    ran = back(estate, point=point)
    assert ran.error == error, ran.message
    Seen.look(estate).same_as(before)


def test_release_without_its_recovery_point(estate: Estate, mark: str) -> None:
    """The repository cannot be written: nobody is held, nothing changes, and the reason is named."""
    estate.runs("one-a")
    place = f"/var/lib/sysgenpro/recovery/{INSTANCE}"
    machine = estate.machine
    machine.sh(f"mv {place} {place}.away; echo 'not a directory' > {place}")
    try:
        ran = estate.release("two")
    finally:
        machine.sh(f"rm -rf {place}; mv {place}.away {place}")
    assert ran.failed and ran.error not in ("step_failed",), ran.message
    kept = machine.sh(f"cd {ROOT}/{INSTANCE}/state/history && cat $(ls -t | head -n 1)")
    entries = [json.loads(line) for line in kept.splitlines()]
    assert entries[0]["operation"] == ran.result["details"]["operation"]["id"] and entries[-1]["outcome"] == "undone"
    begun = [entry["step"] for entry in entries if entry["event"] == "begin"]
    assert begun[-1] == "recovery_point" and "hold" not in begun, begun
    sound(estate, "one-a", mark)


@pytest.mark.slow
def test_transaction_open_across_the_point(estate: Estate, mark: str, abandoned: Any) -> None:
    """It began before the point and ended after it: its rows are dated before, and are not in it. What ended in time is in it and is no loss."""
    estate.runs("one-a")
    machine = estate.machine
    begin, end = PARTNER.format(mark + " open"), "/run/fault-commit"
    open_ = machine.background(
        f"rm -f {end}; (echo \"begin; {begin};\"; until [ -e {end} ]; do sleep 0.1; done; echo 'commit;') | "
        "PGAPPNAME=fault_open psql -qX -v ON_ERROR_STOP=1 -h /run/sysgenpro/fault-one/postgresql -p 5501 -U postgres -d fault_one")
    machine.sh("for i in $(seq 100); do psql -XAtq -h /run/sysgenpro/fault-one/postgresql -p 5501 -U postgres -d fault_one -c \"select 1 from"
               " pg_stat_activity where application_name = 'fault_open' and state = 'idle in transaction'\" | grep -q 1 && exit 0; sleep 0.1; done; exit 1")
    machine.sql(PARTNER.format(mark + " in time"))
    given = machine.parameters({})
    common = {"instance": INSTANCE, "repository": given["recovery"]["repository"],
              "database": {key: given["database"][key] for key in ("name", "port", "socket")}}
    point = machine.other_module("pg_recovery_point", {**common, "state": "captured"}).ok().result["point"]["id"]
    machine.sh(f"touch {end}")
    assert open_.wait(60) == 0
    machine.sql(PARTNER.format(mark + " later"))
    machine.other_module("pg_recovery_point", {**common, "state": "verified", "point": point}).ok()
    asked = back(estate, point=point)
    assert asked.error == "confirmation_needed", asked.message
    price = {item["name"]: item["made"] for item in asked.result["details"]["plan"]["price"]["documents"]}
    assert price["customers and contacts"] in (2, 3), price
    ran = back(estate, asked.result["details"]["plan"]["digest"], point=point).ok()
    export = next(entry["data"] for entry in ran.result["operation"]["steps"] if entry.get("step") == "export" and entry["event"] == "done")
    partners = machine.sh(f"cat {export['export']}/res_partner.csv")
    assert mark + " open" in partners and mark + " later" in partners and mark + " in time" not in partners, partners
    assert {item["name"]: item["made"] for item in export["loss"]["documents"]}["customers and contacts"] == 2
    assert machine.sql(f"select name from res_partner where name like '{mark}%'") == mark + " in time"


@pytest.mark.slow
@pytest.mark.parametrize("step", BACK)
def test_killed_on_the_way_back(estate: Estate, mark: str, abandoned: Any, step: str) -> None:
    """The same command goes on, or begins anew; what was made before the point is there, whatever happened."""
    updated(estate)
    digest = back(estate).result["details"]["plan"]["digest"]
    ran = back(estate, digest, at=[{"event": "begin", "step": step, "do": "kill"}])
    assert ran.did and not ran.result, ran.message
    back(estate, digest).ok()
    sound(estate, "one-a", mark)


@pytest.mark.slow
def test_cluster_restarted_on_the_way_back(estate: Estate, mark: str, abandoned: Any, chance: random.Random, tmp_path: Path) -> None:
    updated(estate)
    digest = back(estate).result["details"]["plan"]["digest"]
    step = chance.choice(BACK)
    ran = back(estate, digest, at=[{"event": "begin", "step": step, "do": "systemctl restart postgresql@17-fault_one", "beside": True}])
    if ran.failed:
        sound(estate, "two", mark)
        back(estate, digest).ok()
    sound(estate, "one-a", mark)
