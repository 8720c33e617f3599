# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import re
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.filter import postgresql_clusters as tuning
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import connections
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.config import REALTIME_MAXCONN
from hypothesis import given
from hypothesis import strategies as st

WORDS = dict.fromkeys(tuning.LOGINS, "x")


def machine(**further: Any) -> dict[str, Any]:
    return {"memory": 16384, "cores": 8, "major": 17, **further}


def cluster(**further: Any) -> dict[str, Any]:
    return {"instance": "acme-production", "number": 1, "share": 0.5, "passwords": WORDS, **further}


def settings(result: dict[str, Any]) -> dict[str, str]:
    return {setting["name"]: setting["value"] for setting in result["settings"]}


def test_derives_what_the_instance_number_gives() -> None:
    result = tuning.postgresql_clusters([cluster()], machine())[0]
    assert (result["database"], result["port"], result["gid"], result["major"]) == ("acme_production", 5501, 20001, 17)
    assert (result["weight"], result["memory_high"], result["memory_low"]) == (500, 8192, 1024)


def test_computes_from_size_and_share_and_says_why() -> None:
    result = tuning.postgresql_clusters([cluster()], machine())[0]
    values = settings(result)
    assert values["shared_buffers"] == "1024MB"
    assert values["effective_cache_size"] == "3072MB"
    assert values["max_parallel_workers"] == "4"
    assert values["random_page_cost"] == "1.1"
    assert all(setting["reason"] for setting in result["settings"])
    assert "16384 MiB x share 0.5" in next(s["reason"] for s in result["settings"] if s["name"] == "shared_buffers")


def test_has_room_for_both_colours_and_an_update() -> None:
    assert connections.REALTIME_CONNECTIONS == REALTIME_MAXCONN
    values = settings(tuning.postgresql_clusters([cluster(workers=4, cron_threads=2, db_maxconn=8)], machine())[0])
    assert int(values["max_connections"]) == 2 * (6 * 8 + REALTIME_MAXCONN) + 8 + connections.RESERVE


def test_what_the_inventory_asks_for_wins_once() -> None:
    asked = tuning.postgresql_clusters([cluster(settings={"work_mem": "9MB"})], machine(settings={"work_mem": "8MB", "jit": "on"}))
    names = [setting["name"] for setting in asked[0]["settings"]]
    assert len(names) == len(set(names))
    assert (settings(asked[0])["work_mem"], settings(asked[0])["jit"]) == ("9MB", "on")


@given(memory=st.integers(512, 2**21), cores=st.integers(1, 256), share=st.floats(0.01, 1), workers=st.integers(1, 64))
def test_never_promises_more_memory_than_the_share(memory: int, cores: int, share: float, workers: int) -> None:
    given_machine = machine(memory=memory, cores=cores)
    result = tuning.postgresql_clusters([cluster(share=share, workers=workers)], given_machine)[0]
    values = settings(result)
    buffers, work = (int(values[name][:-2]) for name in ("shared_buffers", "work_mem"))
    assert 32 <= buffers <= max(32, memory * share / 8)
    assert 4 <= work <= max(4, memory * share / 2)
    assert int(values["max_parallel_workers_per_gather"]) <= int(values["max_parallel_workers"]) <= max(1, cores)


@pytest.mark.parametrize(
    ("clusters", "message"),
    [
        ([cluster(number=251)], "acme-production: number is 251, expected 1 to 250"),
        ([cluster(share=0)], "share is 0.0, expected more than 0"),
        ([cluster(database="Acme")], "database is 'Acme'"),
        ([cluster(database="x" * 49)], "expected lower-case letters, digits and _, a letter first, at most 48"),
        ([cluster(passwords={})], "passwords is 'without blue_web, blue_cron, green_web, green_cron, update'"),
        ([cluster(listen_addresses=["10.0.0.1"])], "networks is"),
        ([cluster(), cluster(number=2)], "instance acme-production is given twice"),
        ([cluster(share=0.4), cluster(instance="b", share=0.4)], "number 1 is given twice"),
        ([cluster(share=0.7), cluster(instance="b", number=2, share=0.4)], "the shares add up to 1.1, expected at most 1"),
    ],
)
def test_refuses_and_names_the_field(clusters: list[dict[str, Any]], message: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        tuning.postgresql_clusters(clusters, machine())
    assert message in str(error.value)


def test_a_size_of_its_own_takes_the_place_of_a_share() -> None:
    machine = {"memory": 8192, "cores": 4, "major": 17}
    found = tuning.postgresql_clusters([cluster(memory=1536, cores=2, connections=150), cluster(instance="b", number=2, share=0.5)], machine)
    values = {setting["name"]: setting["value"] for setting in found[0]["settings"]}
    assert (values["shared_buffers"], values["max_connections"], values["max_parallel_workers"]) == ("384MB", "150", "2")
    # Of 150, what leaves 5 to the superuser and 40 to the other colour.
    assert [one["connection_limit"] for one in found] == [105, -1]
    assert (found[0]["memory_high"], found[0]["weight"]) == (1536, 200) and found[0]["share"] == 1536 / 8192


@pytest.mark.parametrize(("further", "said"), [
    ({"memory": 9000}, "memory is 9000, expected 64 to the 8192 MiB"), ({"memory": 6144, "cores": 1}, "the shares add up to 1.25"),
    ({"connections": 50}, "connections is 50, expected 108 at least: 2 colours x ((2 web + 1 cron) x 8 + 16 websocket) + 8 update + 20 reserve")])
def test_refuses_a_size_that_cannot_be(further: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=re.escape(said)):
        tuning.postgresql_clusters([cluster(**further), cluster(instance="b", number=2, share=0.5)], {"memory": 8192, "cores": 4, "major": 17})
