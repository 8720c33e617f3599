# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shares of a machine: what is asked for, what it comes to in files, and what is refused."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import bounds as kept
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy import arguments
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.machine import model, render
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.profiles import PROFILES

FULL = {"cpu": "1", "web_cpu": "1", "cron_cpu": "1", "queue_cpu": "1", "database_cpu": "1500m", "web_memory": "1Gi", "cron_memory": "512Mi", "queue_memory": "512Mi",
        "database_memory": "1Gi", "session_memory": "64Mi", "temp_files": "1G", "wal": "1Gi", "data": "10Gi", "storage": "10Gi", "pids": 500, "connections": 120,
        "session_clients": 100}


def share(**more: Any) -> model.Share:
    return model.parse_shares([{"name": "acme", "profile": "small", **more}])[0]


@pytest.mark.parametrize(("tenant", "said"), [
    ({"name": "Acme"}, "tenants[0].name is 'Acme'"), ({"name": "acme-"}, "tenants[0].name is 'acme-'"), ({"name": ""}, "tenants[0].name is ''"),
    ({"profile": "huge"}, "tenants[acme].profile is 'huge', expected one of small, medium, large, dedicated, regulated"),
    ({"profile": None}, "tenants[acme].limits.cpu is None, expected a value, or a profile that has one"),
    ({"limits": {"database_memory": "lots"}}, "tenants[acme].limits.database_memory is 'lots', expected a quantity"),
    ({"limits": {"database_memory": "2gb"}}, "tenants[acme].limits.database_memory is '2gb', expected a quantity"),
    ({"limits": {"database_memory": "-1Gi"}}, "expected a quantity above 0"), ({"limits": {"database_memory": "0"}}, "expected a quantity above 0"),
    ({"limits": {"database_memory": "1Mi"}}, "expected at least 128 MiB, below which nothing starts"), ({"limits": {"pids": 3}}, "expected at least 64"),
    ({"limits": {"web_cpu": "1m"}}, "expected at least 10m"), ({"limits": {"connections": 0}}, "expected a count above 0"),
    ({"limits": {"claims": 3}}, "tenants[acme].limits.claims is 3, expected nothing on a machine"),
    ({"processes": {"web_workers": -1}}, "tenants[acme].processes.web_workers is -1, expected a count"),
    ({"processes": {"db_maxconn": 0}}, "tenants[acme].processes.db_maxconn is 0, expected a count"),
    ({"processes": {"queue_channels": "root:many"}}, "tenants[acme].processes.queue_channels is 'root:many', expected channels"),
])
def test_bad_input_is_named(tenant: dict[str, Any], said: str) -> None:
    with pytest.raises(DomainError) as raised:
        share(**tenant)
    assert said in str(raised.value) and raised.value.code == "bad_input" and raised.value.unchanged == "Nothing was changed"


def test_two_tenants_with_one_name() -> None:
    with pytest.raises(DomainError, match=r"tenants\[1\].name is 'acme', expected a name that no other tenant has"):
        model.parse_shares([{"name": "acme", "profile": "small"}, {"name": "acme", "profile": "medium"}])


def test_more_connections_than_there_are_with_the_arithmetic() -> None:
    with pytest.raises(DomainError) as raised:
        share(processes={"web_workers": 6, "db_maxconn": 16})
    assert raised.value.code == "connections_short"
    assert "acme has 150 and needs 292 = 2 colours x ((6 web + 1 cron) x 16 + 16 websocket) + 16 update + 20 reserve" in str(raised.value)


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_agree_with_themselves(name: str) -> None:
    """Web and cron fit into what the cluster counts for a colour, and queue jobs find connections."""
    profile = PROFILES[name]
    found = share(profile=name, processes={"queue_channels": "root:4"} if name == "small" else {})
    assert found.limits["web_memory"] + found.limits["cron_memory"] <= model.parse("", profile.colour_memory)
    assert found.limits["cpu"] == model.parse("", profile.cpu) and found.limits["storage"] == model.parse("", profile.storage)
    assert bool(found.pool) == (profile.isolation != "shared")


def test_the_page_of_shares_has_the_profiles() -> None:
    page = (Path(__file__).parents[5] / "docs" / "concepts" / "shares.md").read_text()
    rows = {row[0]: row[1:] for line in page.splitlines() if line.startswith("| `") and len(row := [cell.strip() for cell in line.strip("|").split(" | ")]) == 7}

    def said(word: str, name: str) -> str:
        value = getattr(PROFILES[name].machine, word) if hasattr(PROFILES[name].machine, word) else getattr(PROFILES[name], word)
        return model.shown(word, model.parse("", value)).replace("1024 GiB", "1 TiB")

    for head, cells in rows.items():
        words = re.findall(r"`([a-z_]+)`", head)
        for name, cell in zip(PROFILES, cells):
            told = ", ".join(said(word, name) for word in words)
            assert cell == (told if words != ["data", "storage"] else told.replace(" GiB,", ",").replace(" TiB,", ",")), (head, name)
    assert {word for head in rows for word in re.findall(r"`([a-z_]+)`", head)} == {word for word in model.LIMITS if not word.startswith("queue_")}


def test_limits_alone_are_enough_and_come_back() -> None:
    found = share(profile=None, limits=FULL)
    assert found.profile == "" and found.limits["database_cpu"] == Decimal("1.5") and found.limits["temp_files"] == 10 ** 9
    assert model.from_dict(json.loads(json.dumps(found.as_dict()))) == found
    assert model.from_dict(share().as_dict()) == share()


def test_what_a_share_takes() -> None:
    found = share(processes={"queue_channels": "root:1"})
    gib = 2 ** 30
    assert found.colour_memory == 4 * gib and found.lasting_memory == 4 * gib + 1536 * 2 ** 20 + 256 * 2 ** 20 and found.release_memory == 4 * gib
    assert share(profile="large").release_memory == 20 * gib


def test_files() -> None:
    place = render.Place(17, "acme_db")
    found = {file.path: file for file in render.files(share(profile=None, limits=FULL), place, session=True)}
    assert found["etc/systemd/system/sysgenpro-postgresql-acme_db.slice.d/quota.conf"].text.splitlines()[1:] == [
        "[Slice]", "CPUAccounting=yes", "MemoryAccounting=yes", "TasksAccounting=yes", "IOAccounting=yes", "CPUWeight=100", "CPUQuota=150%", "IOWeight=100",
        "MemoryHigh=infinity", "MemoryMax=1073741824", "MemorySwapMax=0", "TasksMax=184"]
    database = found["etc/postgresql/17/acme_db/conf.d/sysgenpro_quota.conf"]
    assert database.text.splitlines()[1:] == ["max_connections = 120", "temp_file_limit = '976562kB'", "max_wal_size = '1024MB'", "max_slot_wal_keep_size = '1024MB'"]
    # The role's own number is the role's.
    same = {file.path: file.text for file in render.files(share(profile=None, limits=FULL), render.Place(17, "acme_db", 120), session=True)}
    assert same[database.path].splitlines()[1:] == database.text.splitlines()[2:]
    # PostgreSQL reads conf.d in this order, and the last one counts.
    assert sorted(["sysgenpro.conf", database.path.rsplit("/", 1)[1]])[-1] == "sysgenpro_quota.conf"
    store = found["etc/sysgenpro/redis/acme.quota.conf"]
    assert (store.text.splitlines()[1:], store.group, store.mode) == (["maxmemory 67108864", "maxclients 100"], "redis", 0o640)
    assert "MemoryMax=201326592" in found["etc/systemd/system/redis-server@acme.service.d/quota.conf"].text
    assert list(render.files(share(), None, session=False)) == [next(iter(render.files(share(), place, session=True)))]


@pytest.mark.parametrize(("kind", "memory"), [("web", 2), ("cron", 1), ("queue", 1), ("update", 4), ("rehearsal", 4), ("", 4)])
def test_who_makes_a_container_finds_its_bounds(tmp_path: Any, kind: str, memory: int) -> None:
    (tmp_path / "acme.json").write_text(next(iter(render.files(share(), None, session=False))).text)
    found = kept.read("acme", kind, str(tmp_path))
    assert found == render.bounds(share(), kind) and found.memory == memory * 2 ** 30
    assert found.within(1).cores == 1 and found.pids == 1024 and found.weight == 1024


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"containers": 3}', '{"containers": {"web": {"memory": "x"}}}'])
def test_bounds_that_are_not_there_or_damaged_are_none(tmp_path: Any, text: str | None) -> None:
    if text is not None:
        (tmp_path / "acme.json").write_text(text)
    assert kept.read("acme", "web", str(tmp_path)) is None


def given(**more: Any) -> dict[str, Any]:
    return {"runtime": "docker", "state": "present", "kubeconfig": None, "context": None, "tenants": [{"name": "acme", "profile": "small"}], "purge": [], "absent": [],
            "edge": {"namespace": "traefik", "pods": {}}, "overcommit": {"cpu": 1, "memory": 1}, "force": False, "adopt": False, "network_proven": False,
            "timeout": 60, "releases_at_once": 1, **more}


@pytest.mark.parametrize(("more", "said"), [
    ({"kubeconfig": "/k"}, "kubeconfig is '/k', expected nothing with runtime docker"), ({"purge": ["acme"]}, "purge is ['acme']"),
    ({"tenants": [{"name": "acme", "profile": "small", "hosts": ["a.example.com"]}]}, "tenants[acme].hosts is ['a.example.com']"),
    ({"overcommit": {"cpu": -1}}, "overcommit.cpu is -1"), ({"absent": ["A"]}, "absent[0] is 'A'"), ({"releases_at_once": -1}, "releases_at_once is -1"),
    ({"runtime": "kubernetes", "absent": ["acme"]}, "absent is ['acme'], expected nothing with runtime kubernetes"),
    ({"runtime": "kubernetes", "tenants": [{"name": "acme", "profile": "small", "limits": {"wal": "1Gi"}}]}, "tenants[acme].limits.wal is '1Gi'"),
])
def test_words_of_the_other_ground_are_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(DomainError) as raised:
        arguments.operation(given(**more))
    assert said in str(raised.value) and raised.value.code == "bad_input"
