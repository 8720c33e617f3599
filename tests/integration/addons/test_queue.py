# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that runs the jobs of OCA's real ``queue_job``: asked to end, killed, and beside its colour's web process."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import rig as rigs

sys.path.insert(0, str(Path(__file__).parents[1] / "release"))
from estate import jobs  # noqa: E402

CHANNELS = {"ODOO_QUEUE_JOB_SCHEME": "http", "ODOO_QUEUE_JOB_HOST": "127.0.0.1", "ODOO_QUEUE_JOB_PORT": "8069", "ODOO_QUEUE_JOB_CHANNELS": "root:2"}


class OwnRig(rigs.Rig):
    """Beside that of the other tests, whose database is to stay without these modules."""

    def name(self, part: str) -> str:
        return f"{super().name(part)}-queue"


@pytest.fixture(scope="module", params=(os.environ.get("SYSGENPRO_TEST_SERIES") or "19.0,14.0").split(","))
def rig(request: pytest.FixtureRequest) -> Iterator[rigs.Rig]:
    made = OwnRig(request.param, Path(tempfile.mkdtemp(prefix=f"{rigs.PREFIX}-")))
    try:
        made.start()
        yield made
    finally:
        made.stop()


@pytest.fixture(scope="module")
def places(rig: rigs.Rig, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Mounts and environment of containers that have the add-ons, which are installed."""
    place = tmp_path_factory.mktemp("jobs")
    for parent in (place, *place.parents[:2]):
        parent.chmod(0o755)
    jobs.write(place, rig.series)
    mounts = {str(place / "queue" / "odoo" / "addons"): "/mnt/queue", str(place / "jobs"): "/mnt/jobs", str(jobs.libraries(place)): "/opt/libraries"}
    made: dict[str, Any] = {"mounts": mounts, "environment": {"PYTHONPATH": "/opt/libraries"}}
    once = rig.odoo("install", http=False, workers=0, command=("odoo", "-i", jobs.ADDON, "--stop-after-init"), **made)
    assert once.wait() == 0, once.logs()[-3000:]
    once.remove()
    return made


@pytest.fixture(scope="module")
def web(rig: rigs.Rig, places: dict[str, Any]) -> Iterator[rigs.Odoo]:
    """Where jobs are asked for. It does not load the runner."""
    made = rig.odoo("asked", **places)
    yield made
    made.remove()


@pytest.fixture
def ask(rig: rigs.Rig, web: rigs.Odoo) -> Callable[[int, float], None]:
    rig.sql("delete from fault_run; delete from queue_job")

    def asked(number: int, seconds: float) -> None:
        answer = requests.get(f"{web.url}/fault/job?number={number}&seconds={seconds}", timeout=60)
        assert answer.status_code == 200, answer.text[:500]

    return asked


def start(rig: rigs.Rig, places: dict[str, Any], workers: int) -> rigs.Odoo:
    """The queue's process, as ``odoo_release`` runs it."""
    return rig.odoo(
        "queue", http=False, workers=workers, addons=("queue_job", *rigs.ADDONS), mounts=places["mounts"],
        config={"http_enable": True, "http_interface": "127.0.0.1", "limit_time_real": 1800},
        environment={**places["environment"], **CHANNELS, "SYSGENPRO_KIND": "queue"})


def executions(rig: rigs.Rig, number: int) -> list[str]:
    return rig.sql(f"select what from fault_run where number = {number} order by id").split()


def begun(rig: rigs.Rig) -> int:
    """The job that just began to run."""
    query = "select number from fault_run group by 1 having count(*) = 1"
    return int(rigs.wait_for(lambda: rig.sql(query).strip(), 120, "a job runs"))


def all_done(rig: rigs.Rig) -> None:
    rigs.wait_for(lambda: rig.sql("select count(*) from queue_job where state <> 'done'") == "0", 180, "all jobs are done")


def test_asked_to_end_it_finishes_what_runs_and_takes_no_other(rig: rigs.Rig, places: dict[str, Any], ask: Callable[[int, float], None]) -> None:
    """One worker and two jobs at once: one runs, one was asked for and waits to be accepted, others are pending."""
    numbers = (1, 2, 3, 4)
    for number in numbers:
        ask(number, 8)
    queue = start(rig, places, workers=1)
    try:
        running = begun(rig)
        queue.signal()
        assert queue.wait() == 0
        found = {number: executions(rig, number) for number in numbers}
        assert found.pop(running) == ["begun", "done"] and list(found.values()).count([]) >= 2, f"{running} ran, {found}: {queue.logs()[-3000:]}"
        assert "ending: no other job is taken" in queue.logs()
        queue = start(rig, places, workers=2)
        all_done(rig)
        assert [executions(rig, number) for number in numbers] == [["begun", "done"]] * 4
    finally:
        queue.remove()


def test_killed_it_leaves_nothing_behind_for_ever(rig: rigs.Rig, places: dict[str, Any], ask: Callable[[int, float], None]) -> None:
    """What ran is begun once more, what was only asked for for the first time."""
    numbers = (11, 12, 13)
    for number in numbers:
        ask(number, 8)
    queue = start(rig, places, workers=1)
    try:
        running = begun(rig)
        queue.signal("KILL")
        queue.wait()
        queue = start(rig, places, workers=2)
        all_done(rig)
        assert {number: executions(rig, number) for number in numbers} == {
            number: ["begun", "begun", "done"] if number == running else ["begun", "done"] for number in numbers}
    finally:
        queue.remove()


def test_it_serves_nobody_and_leaves_its_colours_notes_alone(rig: rigs.Rig, places: dict[str, Any], ask: Callable[[int, float], None]) -> None:
    directory = rig.directory / "run-queue"
    directory.mkdir(exist_ok=True)
    (directory / "4711-1").write_text("{}", encoding="utf-8")  # of the web process of the same colour
    ask(21, 3)
    queue = start(rig, places, workers=1)
    try:
        rigs.wait_for(lambda: executions(rig, 21) == ["begun"], 120, "the job runs")
        assert [path.name for path in directory.iterdir()] == ["4711-1"]
        listening = {line.split()[1] for line in rigs.docker("exec", queue.name, "cat", "/proc/net/tcp").splitlines()[1:] if line.split()[3] == "0A"}
        assert listening == {"0100007F:1F85"}, "at 127.0.0.1:8069 alone, and no websocket process"
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{queue.url}/web/login", timeout=10)
        all_done(rig)
    finally:
        queue.remove()
