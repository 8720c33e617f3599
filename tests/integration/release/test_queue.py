# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs of OCA's ``queue_job``, the real add-on, on the newest and the oldest series: each is executed once, in the leading colour, whatever happens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from estate import Estate, Seen, sound
from estate.edge import ORDINARY, shop, unharmed
from estate.jobs import Asking, ask, executions, once_each, workers
from estate.place import HOST, INSTANCE
from estate.steps import Beside, began, killed, until
from sgplab.base import locked

MACHINE = os.environ.get("SYSGENPRO_FAULT_MACHINE_QUEUE", "queue-fault")
SERIES = ("19.0", "14.0")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", params=SERIES)
def estate(request: pytest.FixtureRequest) -> Iterator[Estate]:
    """An estate that runs jobs."""
    if request.param not in os.environ.get("SYSGENPRO_TEST_SERIES", request.param):
        pytest.skip(f"SYSGENPRO_TEST_SERIES leaves {request.param} out")
    name = f"{MACHINE}-{request.param.split('.')[0]}"
    with locked(f"faults-{name}"):
        made = Estate.open(name, series=request.param, jobs=True)
        yield made
        made.close()


def all_done(estate: Estate) -> None:
    """Wait for as long as jobs are done; a busy machine takes its time."""
    left = left_over(estate)
    while left:
        until(lambda before=left: left_over(estate) != before, 120, f"{left} jobs are left, and none is done")  # type: ignore[misc]
        left = left_over(estate)


def left_over(estate: Estate) -> int:
    return int(estate.machine.sql("select count(*) from queue_job where state not in ('done', 'failed', 'cancelled')"))


def test_only_the_queue_loads_the_runner(estate: Estate) -> None:
    """The operator's ``server_wide_modules`` names it; web and cron do not load it, and it asks its own container on its own address."""
    seen = sound(estate, "one-a")
    for kind, loads in (("web", False), ("cron", False), ("queue", True)):
        conf = estate.machine.sh(f"cat /var/lib/sysgenpro/instances/{INSTANCE}/config/{seen.colour}-{kind}/odoo.conf")
        line = next(line for line in conf.splitlines() if line.startswith("server_wide_modules"))
        assert ("queue_job" in line) is loads, f"{kind}: {line}"
    listening = estate.machine.sh(f"docker exec {INSTANCE}-{seen.colour}-queue cat /proc/net/tcp")
    found = {line.split()[1] for line in listening.splitlines()[1:] if line.split()[3] == "0A"}
    assert "0100007F:1F85" in found and not any(address.startswith("00000000") for address in found), found


def test_code_and_update_under_load(estate: Estate, figure: Callable[[str], None], tmp_path: Path) -> None:
    """Jobs are asked for by the clock through a release of code and an update, while a shop works."""
    estate.runs("one-a")
    with shop(estate, HOST, tmp_path, ORDINARY) as load, Asking(estate, HOST, 1, 0.3) as asking:
        until(lambda: len(asking.asked) > 5)
        code = estate.release("one-b").ok()
        sound(estate, "one-b")
        update = estate.release("two").ok()
        sound(estate, "two")
    assert (code.kind, update.kind) == ("code", "update")
    assert not asking.failed, asking.failed
    all_done(estate)
    once_each(estate, asking.asked)
    assert workers(estate) <= {"blue_queue", "green_queue"}
    figure(f"{estate.series}: {len(asking.asked)} jobs, each once; {unharmed(load, ORDINARY)}")


def test_staged_takes_none(estate: Estate) -> None:
    """The other colour is started and proven while jobs come: not one of them runs there."""
    estate.runs("one-a")
    leads = Seen.look(estate).colour
    estate.machine.sql("delete from fault_run")
    with Asking(estate, HOST, 1, 0.1) as asking:
        until(lambda: len(asking.asked) > 5)
        estate.release("one-b", state="staged").ok()
        staged = Seen.look(estate)
        count = len(asking.asked)
        until(lambda: len(asking.asked) > count + 10)
    all_done(estate)
    assert len(staged.running("web")) == 2 and staged.running("queue") == [f"{INSTANCE}-{leads}-queue"], staged.containers
    assert workers(estate) == {f"{leads}_queue"}
    once_each(estate, asking.asked)


@pytest.mark.parametrize("target", ["one-b", "two"])
def test_running_job_is_waited_for(estate: Estate, target: str) -> None:
    """It comes to its end before the release goes on, and what is pending goes on in the new colour."""
    estate.runs("one-a")
    estate.machine.sql("delete from fault_run")
    numbers = list(range(1, 11))
    beside = Beside(estate, target)
    began(estate, "stop_cron", 600)  # the last moment before the queue is asked to end
    for number in numbers:
        ask(estate, HOST, number, 8)
    beside.end().ok()
    all_done(estate)
    once_each(estate, numbers)
    assert len(workers(estate)) == 2, "all were executed in one colour"
    sound(estate, target)


@pytest.mark.parametrize("target", ["one-b", "two"])
def test_job_that_runs_on_is_named(estate: Estate, target: str) -> None:
    """Past its bound the release is given up, the job named and not torn; jobs go on in the old colour."""
    estate.runs("one-a")
    beside = Beside(estate, target, bounds={"queue": 3})
    began(estate, "stop_cron", 600)
    ask(estate, HOST, 71, 45)
    ran = beside.end()
    assert ran.error == "queue_busy" and "job 71" in ran.message and "bounds.queue" in ran.message, ran.message
    all_done(estate)
    assert executions(estate, 71)[-2:] == ["begun", "done"]
    sound(estate, "one-a")


@pytest.mark.parametrize(("step", "target"), [("stop_queue", "one-b"), ("start_queue", "one-b"), ("stop_queue", "two"), ("update", "two"), ("start_queue", "two")])
def test_killed(estate: Estate, step: str, target: str) -> None:
    """The module dies where jobs change their place; the same command goes on, and every job is executed once."""
    estate.runs("one-a")
    with Asking(estate, HOST, 1, 0.2) as asking:
        until(lambda: len(asking.asked) > 3)
        seen = killed(estate, "one-a", target, "begin", step)
    assert not asking.failed, asking.failed
    all_done(estate)
    once_each(estate, asking.asked)
    assert seen.running("queue") == [f"{INSTANCE}-{seen.colour}-queue"]


def test_left_behind_by_a_killed_process(estate: Estate) -> None:
    """Power goes in the middle of jobs: those begun are begun once more, as the add-on does it or has people do it, and nobody waits for ever."""
    estate.runs("one-a")
    colour = Seen.look(estate).colour
    for number in (81, 82, 83):
        ask(estate, HOST, number, 6)
    until(lambda: "begun" in executions(estate, 81) and "begun" in executions(estate, 82))
    estate.machine.sh(f"docker kill {INSTANCE}-{colour}-queue && docker start {INSTANCE}-{colour}-queue")
    all_done(estate)
    for number in (81, 82):
        assert executions(estate, number)[-3:] == ["begun", "begun", "done"], executions(estate, number)
    assert executions(estate, 83)[-2:] == ["begun", "done"]


def test_channels_are_the_queues_alone(estate: Estate) -> None:
    """Another capacity makes the queue's process anew where it is, and nobody else's."""
    estate.runs("one-a")
    before = sound(estate, "one-a")
    ran = estate.release("one-a", processes={"queue_channels": "root:1"}).ok()
    assert [step["name"] for step in ran.result["plan"]["steps"]] == ["stop_queue", "start_queue"]
    after = sound(estate, "one-a")
    assert after.colour == before.colour
    same = {name for name, found in before.containers.items() if after.containers.get(name) == found and found["running"]}
    assert same == {f"{INSTANCE}-{before.colour}-{kind}" for kind in ("web", "cron")}
    assert not estate.release("one-a", processes={"queue_channels": "root:1"}).ok().result["changed"]


def test_without_jobs_there_is_no_process(estate: Estate) -> None:
    """A capacity of none ends it; where it comes from a wish, the next one brings it back."""
    estate.runs("one-a")
    estate.release("one-a", processes={"queue_channels": "root:0"}).ok()
    assert not Seen.look(estate).running("queue")
    estate.runs("one-a")
    sound(estate, "one-a")
