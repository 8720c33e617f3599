# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other server-wide add-ons begin to do by themselves, in each of the ways that public ones do it, is told by the process that serves."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import rig as rigs

# As telegram pollers and job runners do: a worker of their own beside Odoo's.
_WORKER = """
from odoo.service import server

class WorkerPoller(server.Worker):
    def process_work(self):
        pass

def post_load():
    spawn, made = server.PreforkServer.process_spawn, {}
    def process_spawn(self):
        spawn(self)
        if not made:
            self.worker_spawn(WorkerPoller, made)
    server.PreforkServer.process_spawn = process_spawn
"""
# As runners of connector and AMQP do: a thread that the start of the server begins.
_START = """
import threading, time
from odoo.service import server

class Listener(threading.Thread):
    def run(self):
        time.sleep(3600)

def post_load():
    start = server.PreforkServer.start
    def begin(self):
        start(self)
        Listener(name="listener", daemon=True).start()
    server.PreforkServer.start = begin
"""
# As drivers of devices do: a thread that begins as the add-on is loaded.
_IMPORT = """
import threading, time

def _watch():
    time.sleep(3600)

threading.Thread(target=_watch, name="watcher", daemon=True).start()
"""
WAYS = {"sgp_worker": (_WORKER, "worker WorkerPoller"), "sgp_start": (_START, "thread listener"), "sgp_import": (_IMPORT, "thread watcher")}


@pytest.fixture
def loads(rig: rigs.Rig, tmp_path: Path) -> Callable[..., rigs.Odoo]:
    """An Odoo with add-ons beside the platform's, loaded before or after them."""
    for name, (text, _said) in WAYS.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text, encoding="utf-8")
        loads_ = '"post_load": "post_load", ' if "def post_load" in text else ""
        (tmp_path / name / "__manifest__.py").write_text(f'{{"name": "{name}", {loads_}"license": "LGPL-3", "installable": True}}', encoding="utf-8")
    tmp_path.chmod(0o755)
    for parent in tmp_path.parents[:2]:
        parent.chmod(0o755)
    return lambda part, addons, **more: rig.odoo(part, addons=addons, mounts={str(tmp_path): "/mnt/own"}, **more)


@pytest.mark.parametrize("first", [True, False], ids=["before the platform's", "after them"])
def test_own_work_is_told(loads: Callable[..., rigs.Odoo], first: bool) -> None:
    addons = (*WAYS, *rigs.ADDONS) if first else (*rigs.ADDONS, *WAYS)
    odoo = loads("own", addons)
    try:
        path = odoo.run_directory / ".own-work"
        expected = {f"{name}: {said}" for name, (_text, said) in WAYS.items()}
        rigs.wait_for(lambda: path.exists() and set(path.read_text().splitlines()) == expected, 60, "all three are told")
        assert not odoo.requests_under_way()
    finally:
        odoo.remove()


def test_nothing_is_told_of_odoos_own_and_what_was_told_is_forgotten(rig: rigs.Rig) -> None:
    (rig.directory / "run-plain").mkdir(exist_ok=True)
    (rig.directory / "run-plain" / ".own-work").write_text("gone: thread\n", encoding="utf-8")
    odoo = rig.odoo("plain")
    try:
        assert odoo.ready().status_code == 200
        assert not (odoo.run_directory / ".own-work").exists()
    finally:
        odoo.remove()
