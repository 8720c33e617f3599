# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journey on the oldest series: site, a code release, an update and one that fails, while a shop works and polls; and the way back."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from estate import Estate, leave_mark, sound
from estate.edge import ORDINARY, get, shop, unharmed
from estate.herds import waits_out_a_hold
from estate.place import HOST, INSTANCE, NEIGHBOUR, NEIGHBOUR_HOST
from sgplab.base import locked

MACHINE = os.environ.get("SYSGENPRO_FAULT_MACHINE_14", "fault-14")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("14.0" not in os.environ.get("SYSGENPRO_TEST_SERIES", "14.0"), reason="SYSGENPRO_TEST_SERIES leaves 14.0 out"),
]


@pytest.fixture(scope="module")
def old() -> Iterator[Estate]:
    """An estate of Odoo 14, made by the collection's own playbooks."""
    with locked(f"faults-{MACHINE}"):
        made = Estate.open(MACHINE, series="14.0")
        yield made
        made.close()


def test_site_once_more_changes_nothing(old: Estate) -> None:
    assert "changed=0" in old.play("site").output.split("PLAY RECAP")[1]


def test_longpolling_reaches_its_own_process(old: Estate) -> None:
    """An HTTP worker of several has no bus and says so (``bus.Bus unavailable``)."""
    call = {"jsonrpc": "2.0", "method": "call", "params": {"channels": [], "last": 0, "options": {"peek": True}}}
    status, said = get(old, HOST, "/longpolling/poll", json.dumps(call))
    assert status == 200 and "notifications" in json.loads(said).get("result", {}), said


def test_code_release(old: Estate, figure: Callable[[str], None], tmp_path: Path) -> None:
    old.runs("one-a")
    leave_mark(old, "code")
    with shop(old, HOST, tmp_path, ORDINARY) as load:
        assert old.release("one-b").ok().kind == "code"
        sound(old, "one-b", "code")
    figure(unharmed(load, ORDINARY))


def test_update(old: Estate, figure: Callable[[str], None], tmp_path: Path) -> None:
    old.runs("one-a")
    leave_mark(old, "update")
    with shop(old, HOST, tmp_path, ORDINARY) as load:
        assert old.release("two").ok().kind == "update"
        sound(old, "two", "update")
    figure(unharmed(load, ORDINARY))


def test_failing_update_is_undone(old: Estate, figure: Callable[[str], None], tmp_path: Path) -> None:
    current, target = old.other_schema()
    leave_mark(old, "undone")
    old.behave(during_update="raise 42")
    try:
        with shop(old, HOST, tmp_path, ORDINARY) as load:
            ran = old.release(target)
    finally:
        old.behave(during_update="")
    assert ran.error == "update_failed" and "the shelves of 3 products cannot be told: 42" in ran.message, ran.message
    sound(old, current, "undone")
    figure(unharmed(load, ORDINARY))


def test_herd_through_a_hold(old: Estate, figure: Callable[[str], None]) -> None:
    """As on the newest series: 500 write, 200 poll, on two workers and one process for polls."""
    figure(waits_out_a_hold(old, 500, 200))


def test_way_back(old: Estate) -> None:
    old.runs("one-a")
    leave_mark(old, "kept")
    old.release("two").ok()
    leave_mark(old, "given up")
    asked = old.machine.module({"state": "rolled_back", "release": None})
    assert asked.error == "confirmation_needed", asked.message
    digest = asked.result["details"]["plan"]["digest"]
    assert old.machine.module({"state": "rolled_back", "release": None, "expected_plan_digest": digest}).ok().kind == "restore"
    sound(old, "one-a", "kept")
    assert "given up" not in old.machine.sql("select name from fault_thing")


def test_restore_into_a_new_instance(old: Estate) -> None:
    """This series brings no way to neutralize itself."""
    leave_mark(old, "restored")
    old.machine.sql("insert into ir_mail_server (name, smtp_host, smtp_port, smtp_encryption, smtp_user, smtp_pass, active)"
                    " values ('Shop', 'mail.example.test', 25, 'none', 'shop', 'secret', true)")
    old.play("recovery_point", limit=INSTANCE)
    old.play("restore", limit=NEIGHBOUR, restore_source=INSTANCE)
    try:
        two = {"database": "fault_two", "port": 5502}
        assert old.machine.sql("select name from fault_thing where name = 'restored'", **two) == "restored"
        assert old.machine.sql("select count(*) from ir_cron where active", **two) == "0"
        assert old.machine.sql("select smtp_host, smtp_pass from ir_mail_server where active or smtp_host <> 'invalid' or smtp_pass <> ''", **two) == "invalid|"
        assert get(old, NEIGHBOUR_HOST, "/web/login")[0] == 200
    finally:
        old.play("release", limit=NEIGHBOUR, release_state="absent", release_purge=NEIGHBOUR)
        old.machine.sql("delete from ir_mail_server where name = 'Shop'")
