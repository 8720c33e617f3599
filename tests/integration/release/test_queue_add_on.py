# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection takes for granted about OCA's ``queue_job`` holds for the real add-on of each series."""

from __future__ import annotations

import importlib.util
import re
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.filter import postgresql_clusters as tuning
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import queue_job
from estate.jobs import WHEELS, unpack

CHANNELS = ("root", "root:4", "root:4,root.mail:1", "mail:3", " root : 5 : sequential ,, mail", "root:2\nmail:1\n", "root:1:throttle=2", "root:0",
            "mail:1,root:3", "root:4,root.a.b:2:sequential:throttle=1")
BAD = ("root:x", ":4", "root: 4 4")


class _Anything(types.ModuleType):
    """A module that has every name that is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


@pytest.fixture(scope="module", params=sorted(WHEELS))
def add_on(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("add-on")
    return unpack(request.param, place, place)


@pytest.fixture
def channels(add_on: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The add-on's own reading of channels, without Odoo."""
    for name in ("queue_job", "queue_job.exception", "queue_job.job", "queue_job.jobrunner"):
        monkeypatch.setitem(sys.modules, name, _Anything(name))
    spec = importlib.util.spec_from_file_location("queue_job.jobrunner.channels", add_on / "jobrunner" / "channels.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module.ChannelManager


def test_channels_are_read_as_the_add_on_reads_them(channels: Any) -> None:
    for text in CHANNELS:
        found = {each["name"]: each["capacity"] for each in channels.parse_simple_config(text)}
        assert queue_job.root_capacity(text) == tuning._jobs({"queue_channels": text}) == found.get("root", 1), text
    for text in BAD:
        with pytest.raises((ValueError, TypeError)):
            channels.parse_simple_config(text)
        with pytest.raises(ValueError):
            queue_job.root_capacity(text)


def test_variables_come_before_every_configuration(add_on: Path) -> None:
    runner = (add_on / "jobrunner" / "runner.py").read_text(encoding="utf-8")
    named = set(re.findall(r"ODOO_QUEUE_JOB_[A-Z_]+", re.sub(r'""".*?"""', "", runner, flags=re.DOTALL)))
    for key in ("CHANNELS", "SCHEME", "HOST", "PORT"):
        assert re.search(rf'os\.environ\.get\(\s*"ODOO_QUEUE_JOB_{key}"\s*\)\s+or\s+queue_job_config\.get', runner), key
        named.discard("ODOO_QUEUE_JOB_" + key)
    # The others are refused, or are about the capacity.
    assert {name for name in named if not name.endswith("MAX_CAPACITY")} <= {
        "ODOO_QUEUE_JOB_HTTP_AUTH_USER", "ODOO_QUEUE_JOB_HTTP_AUTH_PASSWORD", "ODOO_QUEUE_JOB_JOBRUNNER_DB_"}, named


def test_jobs_come_by_requests_to_one_route(add_on: Path) -> None:
    assert '"/queue_job/runjob"' in (add_on / "controllers" / "main.py").read_text(encoding="utf-8")
    assert "/queue_job/runjob?" in (add_on / "jobrunner" / "runner.py").read_text(encoding="utf-8")


def test_the_runner_is_a_worker_of_the_prefork_server(add_on: Path) -> None:
    text = (add_on / "jobrunner" / "__init__.py").read_text(encoding="utf-8")
    for line in ("server.PreforkServer.process_spawn = prefork_process_spawn", "class WorkerJobRunner(server.Worker)", 'startswith("root:0")'):
        assert line in text, line


def test_what_a_killed_process_leaves_behind(add_on: Path) -> None:
    """Who locks running jobs finds dead ones by itself; the others' words are what the process does at its start."""
    runner = (add_on / "jobrunner" / "runner.py").read_text(encoding="utf-8")
    locks = any('_name = "queue.job.lock"' in path.read_text(encoding="utf-8") for path in (add_on / "models").glob("*.py"))
    assert locks == ("def requeue_dead_jobs" in runner)
    assert locks or "update queue_job set state='pending' where state in ('started', 'enqueued')" in runner
    job = (add_on / "job.py").read_text(encoding="utf-8")
    for state in ("pending", "enqueued", "started"):
        assert f'{state.upper()} = "{state}"' in job
    model = (add_on / "models" / "queue_job.py").read_text(encoding="utf-8")
    for field in ("name", "func_string", "uuid", "state", "date_enqueued", "date_started"):
        assert re.search(rf"^    {field} = fields\.", model, re.MULTILINE), field
