# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a machine's tenants: use, who is noisy by what, room for a second colour, and what is foretold. The clock is handed in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.machine import history, model, told
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.machine.history import History, Sample
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.machine.operation import gather
from hypothesis import given
from hypothesis import strategies as st

from .machine_world import GIB, START, World
from .test_machine_operation import _many_cores, quota  # noqa: F401

HOUR, DAY = 3600.0, 86400.0


def look(world: World, now: float, **more: Any) -> dict[str, Any]:
    return gather(world.machine(), clock=lambda: now, history_path=str(world.root / "history.json"), **more)


def at(moment: float, size: float) -> Sample:
    return Sample(moment, {"data": int(size), "storage": 1000, "wal": 5})


@pytest.mark.parametrize(("samples", "said"), [
    ([], {}), ([at(0, 1), at(DAY, 2)], {}), ([at(0, 1), at(HOUR, 2), at(2 * HOUR, 3)], {}),
    # A tenth of a GiB each day, 20 GiB at the most.
    ([at(day * DAY, GIB + day * GIB / 10) for day in range(11)], {"data": {"per_day": round(GIB / 10), "reached": "1970-07-10T00:00:00Z"}}),
    ([at(day * DAY, 5 * GIB) for day in range(11)], {}), ([at(day * DAY, 5 * GIB - day) for day in range(11)], {}),
    ([at(day * DAY, 25 * GIB + day * GIB) for day in range(11)], {"data": {"per_day": GIB, "reached": "1970-01-11T00:00:00Z"}}),
    ([at(day * DAY, GIB + day * 86400) for day in range(11)], {"data": {"per_day": 86400, "reached": None}}),
])
def test_forecast(samples: list[Sample], said: dict[str, Any]) -> None:
    assert history.forecast(samples, {"data": 20 * GIB, "storage": 20 * GIB, "wal": GIB}, 10 * DAY) == said


@given(st.integers(1, 400))
def test_the_history_is_bounded_and_keeps_its_span(count: int) -> None:
    kept = History()
    for hour in range(count):
        assert kept.due("acme", hour * HOUR)
        kept.add("acme", at(hour * HOUR, hour))
    samples = kept.samples["acme"]
    assert not kept.due("acme", count * HOUR - 1)
    assert len(samples) <= history.MOST and samples[0].at == 0 and samples[-1].at == (count - 1) * HOUR
    assert [one.at for one in samples] == sorted({one.at for one in samples})


def test_a_clock_that_was_set_back() -> None:
    kept = History({"acme": [at(DAY, 1), at(2 * DAY, 2)]})
    assert kept.due("acme", DAY + 1)
    kept.add("acme", at(DAY + 1, 3))
    assert [one.at for one in kept.samples["acme"]] == [DAY, DAY + 1]


@pytest.mark.parametrize("text", [None, "", "{", "[]", '{"samples": {"acme": [3]}}', '{"samples": 3}'])
def test_a_damaged_history_is_an_empty_one(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "not yet there" / "history.json"
    if text is not None:
        path.parent.mkdir()
        path.write_text(text)
    assert history.load(str(path)) == History()
    kept = History({"acme": [Sample(1.0, {"data": 1}, {"database": [1.0, 2, 3, 4]})]}, {"acme": 150})
    history.save(kept, str(path))
    assert history.load(str(path)) == kept and path.stat().st_mode & 0o777 == 0o600


def test_one_sample_an_hour_and_sizes_are_counted_as_often(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme"])
    for minutes in (0, 30, 59, 60, 90, 121):
        quota(world, {"name": "acme"}, now=START + minutes * 60)
        world.write(f"var/lib/sysgenpro/instances/acme/data/filestore/{minutes}", "x" * 50_000)
    samples = json.loads((tmp_path / "history.json").read_text())["samples"]["acme"]
    assert [(each[0] - START) / 60 for each in samples] == [0, 60, 121]
    assert samples[0][1]["storage"] < samples[1][1]["storage"] < samples[2][1]["storage"]
    then = look(world, START + 122 * 60)["tenants"][0]["usage"]["storage"]
    assert int(then) == samples[2][1]["storage"] < int(look(world, START + 122 * 60, measure=True)["tenants"][0]["usage"]["storage"])


@pytest.mark.parametrize("version", [1, 2])
def test_use(tmp_path: Path, version: int) -> None:
    world = World(tmp_path, ["acme"], version=version)
    world.backends("/sgp.slice/acme", 7)
    quota(world, {"name": "acme"}, now=START)
    world.use("/sgp.slice/acme", memory=GIB, pids=33, seconds=100 + 90)
    world.use("/docker/1", memory=GIB, pids=44, seconds=5 + 120)
    world.container("acme", "green-web", "web", 2 * GIB)
    world.use("/docker/3", memory=GIB // 2, pids=50, seconds=700)
    result = look(world, START + 60)["tenants"][0]
    assert {key: result["usage"][key] for key in ("database_memory", "database_cpu", "web_memory", "web_cpu", "pids", "connections", "session_memory")} == {
        "database_memory": str(GIB), "database_cpu": "1.5", "web_memory": str(GIB), "web_cpu": "2", "pids": "50", "connections": "7", "session_memory": str(20 * 2 ** 20)}
    assert int(result["usage"]["data"]) >= int(result["usage"]["wal"]) > 0 and result["limits"]["web_memory"] == str(2 * GIB)
    # It takes all of its two cores.
    assert result["noisy"] == [{"name": "acme", "by": "web_cpu", "uses": "2", "of": "2", "is": "enforced"}] and result["fullest"] == {"limit": "web_cpu", "used": 1.0}


@pytest.mark.parametrize(("group", "uses", "said"), [
    ("/sgp.slice/acme", {"memory": int(1.45 * GIB), "pids": 9, "seconds": 100}, [("database_memory", "enforced")]),
    ("/docker/1", {"memory": GIB, "pids": 1000, "seconds": 5}, [("pids", "enforced")]),
    ("/docker/1", {"memory": GIB, "pids": 9, "seconds": 5, "periods": 100, "throttled": 19}, []),
    ("/docker/1", {"memory": GIB, "pids": 9, "seconds": 5, "periods": 100, "throttled": 20}, [("web_cpu_throttled", "enforced")]),
    ("/sgp.slice/acme", {"memory": GIB, "pids": 9, "seconds": 100, "killed": 2}, [("database_out_of_memory", "enforced")]),
    ("/redis/acme", {"memory": 240 * 2 ** 20, "pids": 5, "seconds": 1}, [("session_memory", "enforced")]),
])
def test_who_is_noisy_by_what(tmp_path: Path, group: str, uses: dict[str, Any], said: list[tuple[str, str]]) -> None:
    world = World(tmp_path, ["acme", "bodega"])
    quota(world, {"name": "acme"}, {"name": "bodega"}, now=START)
    world.use(group, **uses)
    result = look(world, START + 60)
    assert [(one["by"], one["is"]) for one in result["noisy"]] == said and {one["name"] for one in result["noisy"]} <= {"acme"}


def test_an_hour_later_what_was_is_no_noise(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme"])
    world.use("/docker/1", memory=GIB, pids=9, seconds=5, periods=100, throttled=90, killed=1)
    quota(world, {"name": "acme"}, now=START)
    world.use("/docker/1", memory=GIB, pids=9, seconds=5, periods=200, throttled=95, killed=1)
    assert look(world, START + 60)["noisy"] == []


def test_a_process_that_was_ended_below_counts(tmp_path: Path) -> None:
    """Version 1 tells of it only where it was."""
    world = World(tmp_path, ["acme"], version=1)
    quota(world, {"name": "acme"}, now=START)
    world.kernel("/sgp.slice/acme/pg", "memory.events", "oom_kill_disable 0\nunder_oom 0\noom_kill 2")
    assert [(one["by"], one["uses"]) for one in look(world, START + 60)["noisy"]] == [("database_out_of_memory", "2")]


@pytest.mark.parametrize(("available", "backends", "fits"), [(8, 3, True), (2, 3, False), (8, 106, False), (8, 105, True)])
def test_room_for_a_second_colour(tmp_path: Path, available: int, backends: int, fits: bool) -> None:
    world = World(tmp_path, ["acme"])
    world.backends("/sgp.slice/acme", backends)
    quota(world, {"name": "acme"})
    world.write("proc/meminfo", f"MemTotal: {64 * 2 ** 20} kB\nMemAvailable: {available * 2 ** 20} kB\n")
    found = look(world, START)["tenants"][0]["second_colour"]
    assert found == {"fits": fits, "memory": {"free": str(available * GIB), "needs": str(3 * GIB)}, "connections": {"free": str(145 - backends), "needs": "40"}}


@pytest.mark.parametrize(("controllers", "io", "said"), [
    ("cpu io memory pids", False, {"web_cpu": "enforced", "database_memory": "enforced", "pids": "enforced", "connections": "enforced", "temp_files": "enforced",
                                   "wal": "advisory", "data": "metered", "storage": "metered", "io": "advisory", "session_memory": "enforced"}),
    ("cpu io memory pids", True, {"io": "enforced"}),
    ("memory", True, {"web_cpu": "advisory", "cpu": "advisory", "pids": "advisory", "io": "advisory", "cron_memory": "enforced"}),
])
def test_every_limit_says_whether_it_holds(tmp_path: Path, controllers: str, io: bool, said: dict[str, str]) -> None:
    world = World(tmp_path, ["acme"])
    world.write("cg/cgroup.controllers", controllers + "\n")
    if io:
        world.write("cg/io.cost.qos", "8:0 enable=1 ctrl=auto\n")
    found = told.kinds_of_limit(world.machine().observe(["acme"]))
    assert {key: found[key] for key in said} == said and set(found) == {*model.LIMITS, "io"}


def test_only_those_that_have_a_share(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme", "bodega"])
    quota(world, {"name": "acme"})
    assert [one["name"] for one in look(world, START)["tenants"]] == ["acme"]
    with pytest.raises(DomainError, match="names is \\['bodega'\\], expected tenants that have a share"):
        look(world, START, names=["bodega"])
    (tmp_path / "etc/sysgenpro/quota/acme.json").write_text("{")
    assert look(world, START)["tenants"] == []


def test_what_is_promised(tmp_path: Path) -> None:
    world = World(tmp_path, ["acme", "bodega"])
    quota(world, {"name": "acme"}, {"name": "bodega", "profile": "medium"})
    found = look(world, START, releases=2)["machine"]
    # Of both what lasts, and the releases of both: an update of the small one, a second colour of the medium one.
    assert found["memory"]["promised"] == str(int((3 + 1.5 + 0.25 + 7 + 6 + 0.5 + 4 + 7) * GIB)) and found["cpu"] == {"promised": "5", "there": "64"}
