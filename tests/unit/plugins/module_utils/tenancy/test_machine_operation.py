# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's tenants from beginning to end, on a machine in a directory; what a call costs, counted; and what is refused by how the machine is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.commands import Ended
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.machine import disk, model
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.machine.operation import MachineOperation, gather

from .machine_world import GIB, START, World

CORES = 64


@pytest.fixture(autouse=True)
def _many_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: CORES)
    # Tests need not be root, and have no user redis.
    monkeypatch.setattr(disk, "write", lambda path, text, group, mode: (Path(path).parent.mkdir(parents=True, exist_ok=True), Path(path).write_text(text))[1])


def quota(world: World, *tenants: dict[str, Any], now: float = START + 100, perform: bool = True, **more: Any) -> dict[str, Any]:
    """A call of the module: its plan and facts."""
    shares = model.parse_shares([{"profile": "small", **tenant} for tenant in tenants])
    made = MachineOperation(world.machine(), shares, clock=lambda: now, history_path=str(world.root / "history.json"),
                            **{"overcommit": {"cpu": 1, "memory": 1}, "check": not perform, **more})
    plan = made.plan()
    if perform and plan.steps:
        made.perform(plan, {})
    return {"plan": plan, **made.facts()}


def steps(result: dict[str, Any]) -> list[str]:
    return [step.title for step in result["plan"].steps]


@pytest.mark.parametrize("version", [1, 2])
def test_first_then_nothing(tmp_path: Path, version: int) -> None:
    world = World(tmp_path, ["acme"], version=version)
    first = quota(world, {"name": "acme"})
    assert steps(first) == [
        "write /etc/sysgenpro/quota/acme.json", "write /etc/systemd/system/sysgenpro-postgresql-acme.slice.d/quota.conf",
        "write /etc/postgresql/17/acme/conf.d/sysgenpro_quota.conf", "write /etc/systemd/system/redis-server@acme.service.d/quota.conf",
        "write /etc/sysgenpro/redis/acme.quota.conf", "limit the container acme-blue-cron", "limit the container acme-blue-web",
        "have systemd take its limits", "have PostgreSQL read its settings", "start session stores anew with their limits"]
    assert world.called() == ["systemctl show", "docker ps", "docker inspect", "docker update", "docker update", "systemctl daemon-reload", "systemctl reload",
                              "systemctl restart", "systemctl show", "docker ps", "docker inspect"]
    assert (world.containers[0]["memory"], world.containers[0]["nano"]) == (2 * GIB, 2 * 10 ** 9)
    second = quota(world, {"name": "acme"})
    assert not second["plan"].steps and second["plan"].digest == quota(world, {"name": "acme"}, perform=False)["plan"].digest
    assert second["tenants"][0]["waits_for_restart"] is False


def test_check_mode_writes_nothing(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme"])
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    assert len(steps(quota(world, {"name": "acme"}, perform=False))) == 10
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before and world.called() == ["systemctl show", "docker ps", "docker inspect"]


def test_fifty_tenants_cost_as_many_calls_as_one(tmp_path: Path) -> None:
    names = [f"shop-{number}" for number in range(50)]
    world = World(tmp_path, names, memory=1024 * GIB)
    quota(world, *({"name": name} for name in names))
    assert world.called().count("docker update") == 2
    for _again in range(2):
        result = quota(world, *({"name": name} for name in names))
        assert not result["plan"].steps and result["calls"] == {"systemctl": 1, "docker": 2} and len(result["tenants"]) == 50
        assert world.called() == ["systemctl show", "docker ps", "docker inspect"]
    assert gather(world.machine(), clock=lambda: START, history_path=str(tmp_path / "history.json"))["calls"] == {"systemctl": 1, "docker": 2}


def test_a_changed_share_touches_its_own_tenant_only(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme", "bodega"])
    quota(world, {"name": "acme"}, {"name": "bodega"})
    world.called()
    result = quota(world, {"name": "acme", "limits": {"temp_files": "3Gi"}}, {"name": "bodega"})
    assert {step.parameters.get("tenant") for step in result["plan"].steps} == {"acme", None}
    assert ["systemctl", "reload", "postgresql@17-acme.service"] in world.programs and "systemctl restart" not in world.called()


def waits(result: dict[str, Any]) -> list[bool]:
    return [one["waits_for_restart"] for one in result["tenants"]]


def started(world: World, later: float) -> None:
    """PostgreSQL was started so many seconds after its files were written."""
    written = max(path.stat().st_mtime for path in world.root.glob("etc/postgresql/17/acme/conf.d/*"))
    world.units["postgresql@17-acme.service"]["InactiveExitTimestamp"] = f"@{int(written + later)}"


def test_connections_wait_for_a_restart(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme", "bodega"])
    # The first run of site: the role wrote the same number, and PostgreSQL runs with it.
    assert waits(quota(world, {"name": "acme"}, {"name": "bodega"})) == [False, False]
    assert "max_connections" not in (tmp_path / "etc/postgresql/17/acme/conf.d/sysgenpro_quota.conf").read_text()
    more = {"name": "acme", "limits": {"connections": 200}}
    assert waits(quota(world, more, {"name": "bodega"})) == waits(quota(world, more, {"name": "bodega"})) == [True, False]
    started(world, 5)
    assert waits(gather(world.machine(), clock=lambda: START, history_path=str(tmp_path / "history.json"))) == [False, False]
    quota(world, more, {"name": "bodega"})
    # Its file is written anew for another reason, by the role, with the number that it runs with.
    started(world, -5)
    assert waits(quota(world, more, {"name": "bodega"})) == [False, False]


@pytest.mark.parametrize(("later", "said"), [(-5, True), (0.5, False)])
def test_the_role_changed_them_and_did_or_did_not_restart(tmp_path: Path, later: float, said: bool) -> None:
    world = World(tmp_path, ["acme"])
    quota(world, {"name": "acme"})
    conf = tmp_path / "etc/postgresql/17/acme/conf.d/sysgenpro.conf"
    conf.write_text(conf.read_text().replace("150", "200"))
    started(world, later)
    assert waits(quota(world, {"name": "acme", "limits": {"connections": 200}})) == [said]


def test_what_somebody_took_away_comes_back(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme"])
    quota(world, {"name": "acme"})
    world.kernel("/sgp.slice/acme", "memory.max", "max")
    world.containers[0]["memory"] = 8 * GIB
    result = quota(world, {"name": "acme"})
    assert steps(result) == ["limit the container acme-blue-web", "have systemd take its limits"]
    assert result["plan"].steps[-1].parameters["untaken"] == [f"acme: database_memory is {1536 * 2 ** 20} bytes, and the kernel has no bound"]
    assert not quota(world, {"name": "acme"})["plan"].steps


def test_limits_that_do_not_hold_are_an_error(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme"])
    world.deaf.add("sysgenpro-postgresql-acme.slice")
    with pytest.raises(DomainError) as raised:
        quota(world, {"name": "acme"})
    assert raised.value.code == "limit_not_taken" and "acme: database_memory" in str(raised.value)


def test_gone_again_with_what_is_left(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme", "bodega"])
    quota(world, {"name": "acme"}, {"name": "bodega"})
    result = quota(world, absent=["acme"], leaves=True)
    assert len(steps(result)) == 8 and list(tmp_path.rglob("quota.conf")) and not (tmp_path / "etc/sysgenpro/quota/acme.json").exists()
    assert result["residue"]["acme"]["containers"] == "acme-blue-cron running, acme-blue-web running"
    assert result["residue"]["acme"]["cluster"] == "acme, port 5501" and "files" in result["residue"]["acme"]
    assert not quota(world, absent=["acme"])["plan"].steps and list(json.loads((tmp_path / "history.json").read_text())["samples"]) == ["bodega"]
    with pytest.raises(DomainError, match="absent is \\['bodega'\\]"):
        quota(world, {"name": "bodega"}, absent=["bodega"])


def test_parts_that_are_not_there_are_told(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme"])
    world.write("etc/redis/redis-acme.conf", "maxmemory 256mb\n")
    result = quota(world, {"name": "acme"}, {"name": "new"})
    assert [(one["name"], one["unlimited"]) for one in result["tenants"]] == [("acme", ["session_store"]), ("new", ["database", "session_store"])]
    assert not (tmp_path / "etc/sysgenpro/redis/acme.quota.conf").exists()


# -- refused, and nothing changed ----------------------------------------------------------------

def refused(world: World, *tenants: dict[str, Any], **more: Any) -> DomainError:
    before = {path: path.read_text() for path in world.root.rglob("*") if path.is_file()}
    with pytest.raises(DomainError) as raised:
        quota(world, *tenants, **more)
    assert {path: path.read_text() for path in world.root.rglob("*") if path.is_file()} == before
    assert set(world.called()) == {"systemctl show", "docker ps", "docker inspect"} and raised.value.unchanged == "Nothing was changed"
    return raised.value


def test_more_than_there_is_with_the_arithmetic(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme", "bodega"], memory=12 * GIB)
    error = refused(world, {"name": "acme"}, {"name": "bodega"})
    assert error.code == "overcommitted" and str(error).startswith(
        "more would be promised than there is. memory: acme 3 GiB for Odoo + 1.5 GiB for PostgreSQL + 256 MiB for sessions,"
        " bodega 3 GiB for Odoo + 1.5 GiB for PostgreSQL + 256 MiB for sessions, 4 GiB for a release = 13.5 GiB,"
        " and the machine has 12 GiB x 1 = 12 GiB.")
    assert steps(quota(world, {"name": "acme"}, {"name": "bodega"}, overcommit={"cpu": 1, "memory": 1.5}))


def test_cores_too_and_tenants_that_are_not_named_count(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme", "bodega"])
    quota(world, {"name": "acme", "limits": {"cpu": "60"}})
    world.called()
    error = refused(world, {"name": "bodega", "limits": {"cpu": "4500m"}})
    assert "cpu: bodega 4.5, acme 60 = 64.5 cores, and the machine has 64 cores x 1 = 64 cores" in str(error)
    assert steps(quota(world, {"name": "bodega", "limits": {"cpu": "4"}}))


def test_a_machine_that_lost_memory_stays_as_it_is(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme"])
    quota(world, {"name": "acme"})
    world.write("proc/meminfo", "MemTotal: 1048576 kB\nMemAvailable: 1024 kB\n")
    assert not quota(world, {"name": "acme"})["plan"].steps
    world.called()
    assert refused(world, {"name": "acme", "limits": {"database_memory": "2Gi"}}).code == "overcommitted"


@pytest.mark.parametrize(("limits", "uses", "said"), [
    ({"database_memory": "200Mi"}, {}, "acme: database_memory 200 MiB, and 300 MiB are used"),
    ({"connections": 110}, {"backends": 111}, "acme: connections 110, and 111 are used"),
    ({"web_memory": "90Mi"}, {}, "acme: web_memory of blue-web 90 MiB, and 100 MiB are used"),
    ({"pids": 64}, {"pids": 65}, "acme: pids of blue-web 64, and 65 are used"),
    ({"session_memory": "16Mi"}, {"session": 100}, "acme: session_memory 16 MiB, and 100 MiB are used"),
    ({"data": "4Ki"}, {}, "acme: data 4 KiB, and"), ({"storage": "1Ki"}, {}, "acme: storage 1 KiB, and"),
])
def test_below_what_runs(tmp_path: Path, limits: dict[str, Any], uses: dict[str, int], said: str) -> None:
    world = World(tmp_path, ["acme"])
    world.backends("/sgp.slice/acme", uses.get("backends", 3))
    world.use("/docker/1", memory=100 * 2 ** 20, pids=uses.get("pids", 5), seconds=1)
    world.use("/redis/acme", memory=uses.get("session", 20) * 2 ** 20, pids=5, seconds=1)
    quota(world, {"name": "acme"})
    world.called()
    error = refused(world, {"name": "acme", "limits": limits})
    assert error.code == "quota_below_use" and said in str(error)


def test_cache_of_files_is_no_use(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme"])
    world.use("/sgp.slice/acme", memory=300 * 2 ** 20, cache=5 * GIB, pids=5, seconds=1)
    assert quota(world, {"name": "acme"})["tenants"][0]["usage"]["database_memory"] == str(300 * 2 ** 20)


def test_a_machine_of_ones_own(tmp_path: Path) -> None:
    world = World(tmp_path, ["bank", "bank-uat", "bodega"], memory=1024 * GIB)
    error = refused(world, {"name": "bank", "profile": "regulated"}, {"name": "bodega"})
    assert error.code == "machine_shared" and "bank has the profile regulated, which wants a machine of its own; bodega would be beside it" in str(error)
    mine = [{"name": "bank", "profile": "regulated", "pool": "bank"}, {"name": "bank-uat", "pool": "bank"}]
    quota(world, *mine)
    world.called()
    assert refused(world, {"name": "bodega"}).code == "machine_shared"


def test_docker_that_does_not_answer(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme"])
    answers = world.run
    machine = world.machine()
    machine._program = lambda words: Ended(1, "", "Cannot connect") if words[0] == "docker" else answers(words)
    with pytest.raises(DomainError) as raised:
        machine.observe(["acme"])
    assert raised.value.code == "docker_down"
