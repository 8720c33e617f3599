# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever arrives together is answered: hundreds at once on two workers, on the websocket process, on the threaded server."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rig as rigs

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
from load.herd import Herd, Target, came_to, poll, websocket, write  # noqa: E402

MANY = 500


def listens(odoo: rigs.Odoo) -> dict[int, int]:
    """Backlog by port of all that listens in a container, as the kernel has it."""
    pid = rigs.docker("inspect", "--format", "{{.State.Pid}}", odoo.name)
    found = rigs.subprocess.run(["nsenter", "-t", pid, "-n", "ss", "-ltnH"], capture_output=True, text=True, check=True).stdout
    return {int(columns[3].rsplit(":", 1)[1]): int(columns[2]) for columns in map(str.split, found.splitlines())}


def asked_for() -> int:
    """The backlog that the add-on asks for."""
    text = (ROOT / "addons" / "sysgenpro_drain" / "herd.py").read_text(encoding="utf-8")
    found = re.search(r"^BACKLOG = (\d+)$", text, re.MULTILINE)
    assert found
    return int(found.group(1))


def test_every_serving_process_listens_with_room(rig: rigs.Rig, blue: rigs.Odoo) -> None:
    granted = int(rigs.docker("exec", blue.name, "cat", "/proc/sys/net/core/somaxconn"))
    assert granted >= 4096, "this machine's containers get less room than any kernel's default since 5.4"
    room = min(granted, asked_for())
    assert {port: listens(blue).get(port) for port in (8069, 8072)} == {8069: room, 8072: room}


def test_hundreds_write_at_once_on_two_workers(rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser) -> None:
    target = Target(blue.url, cookies={"session_id": user.sid})
    answers = Herd(target, write(target, "herd "), MANY).answers()
    assert came_to(answers) == {"200": MANY}
    assert rig.sql("select count(*), count(distinct name) from res_partner where name like 'herd %'") == f"{MANY}|{MANY}"


def test_hundreds_of_browsers_come_back_together(rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser) -> None:
    """The websocket process has far fewer database connections than browsers; before Odoo 16 polls are what comes back."""
    target = Target(f"http://{blue.address}:8072", cookies={"session_id": user.sid}, patience=150)
    answers = Herd(target, websocket(target) if rig.major >= 16 else poll(target), MANY).answers()
    assert came_to(answers) == {"101" if rig.major >= 16 else "200": MANY}
    assert "Pool Is Full" not in blue.logs()


@pytest.fixture
def threaded(rig: rigs.Rig) -> Iterator[rigs.Odoo]:
    made = rig.odoo("threaded", workers=0)
    yield made
    made.remove()


def test_the_threaded_server_has_room_too(rig: rigs.Rig, threaded: rigs.Odoo) -> None:
    user = rigs.Browser(threaded)
    assert listens(threaded)[8069] >= 4096
    target = Target(threaded.url, cookies={"session_id": user.sid})
    answers = Herd(target, write(target, "threads "), 100).answers()
    assert came_to(answers) == {"200": 100}
