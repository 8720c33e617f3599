# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every run of the tests sees: releases under load, killed, fenced, undone, bounded."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from estate import Estate, Seen, sound
from estate.edge import Asked, shop, unharmed
from estate.outside import Writer
from estate.place import HOST
from estate.steps import UPDATE, killed


def until(what: Callable[[], object], seconds: float = 60) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, "it never came to pass"
        time.sleep(0.05)


def under_way(estate: Estate, path: str) -> bool:
    """Whether a colour has written a request down as under way."""
    return path in estate.machine.sh("cat /run/sysgenpro/fault-one/*/[0-9]* 2>/dev/null || true")


def test_code_and_update_under_load(estate: Estate, mark: str, tmp_path: Path) -> None:
    """By the playbooks: a code release, an update, and the same once more, which changes nothing."""
    estate.runs("one-a")
    with shop(estate, HOST, tmp_path) as load:
        estate.play("release", instance_release="one-b")
        sound(estate, "one-b", mark)
        outcome = estate.play("release", instance_release="two")
        sound(estate, "two", mark)
        assert "changed=1" in outcome.output, outcome.output[-1000:]
        again = estate.play("release", instance_release="two")
    assert "changed=0" in again.output and "changed=1" not in again.output, again.output[-1000:]
    print(unharmed(load))


@pytest.mark.slow
def test_killed_at_random(estate: Estate, mark: str, chance: random.Random) -> None:
    """The module dies at two of an update's steps; the same command goes on."""
    for step in chance.sample(UPDATE, 2):
        current, target = estate.other_schema()
        killed(estate, current, target, "begin", step, mark)


@pytest.mark.slow
def test_outside_writer_is_fenced(estate: Estate, mark: str, here: None) -> None:
    """A program of somebody else's writes all the time: not during the update, and again afterwards; nothing it was told is kept is lost."""
    _current, target = estate.other_schema()
    estate.behave(during_update="sleep 4")
    with Writer(estate) as writer:
        until(lambda: writer.acknowledged)
        ran = estate.release(target).ok()
        after = time.time()
        until(lambda: any(when > after for when, _text in writer.acknowledged))
    begin, end = writer.window(ran.result["operation"]["steps"], "fence", "let_go")
    torn = [text for when, text in writer.acknowledged if begin < when < end]
    assert not torn, f"written while the fence stood, {begin} to {end}: {torn}"
    assert writer.refused, "nobody was ever refused"
    kept = set(estate.machine.sql("select name from fault_thing where name like 'outside %'").splitlines())
    lost = [text for _when, text in writer.acknowledged if text not in kept]
    assert not lost, f"acknowledged and lost: {lost}"
    sound(estate, target, mark)


@pytest.mark.slow
def test_failing_update_is_undone(estate: Estate, mark: str, here: None, tmp_path: Path) -> None:
    """It raises after it has committed changed data; requests wait and none fails."""
    current, target = estate.other_schema()
    estate.behave(during_update="raise 42")
    grants = Seen.look(estate).grants
    with shop(estate, HOST, tmp_path) as load:
        ran = estate.release(target)
    assert ran.error == "update_failed", ran.message
    assert "the shelves of 3 products cannot be told: 42" in ran.message
    assert sound(estate, current, mark).grants == grants
    print(unharmed(load))


@pytest.mark.slow
def test_request_in_flight_finishes(estate: Estate, mark: str) -> None:
    """A request that began before a switch is answered by the colour it began on."""
    estate.runs("one-a")
    asked = Asked(estate, HOST, "/fault/slow?seconds=12")
    until(lambda: under_way(estate, "/fault/slow"))
    ran = estate.release("one-b").ok()
    assert ran.kind == "code" and not ran.result["operation"]["warnings"]
    assert asked.answer() == (200, "one-a"), asked.body
    sound(estate, "one-b", mark)


@pytest.mark.slow
def test_request_that_does_not_end_is_named(estate: Estate, mark: str) -> None:
    """It stands in an update's way past the bound: the release is given up, the request named, and answered."""
    current, target = estate.other_schema()
    asked = Asked(estate, HOST, "/fault/slow?seconds=25")
    until(lambda: under_way(estate, "/fault/slow"))
    ran = estate.release(target, bounds={"drain": 3})
    assert ran.error == "drain_timeout", ran.message
    assert "/fault/slow" in ran.message and "bounds.drain" in ran.message
    assert not asked.done
    sound(estate, current, mark)
    assert asked.answer() == (200, current), asked.body


def test_web_client_that_does_not_come_up(estate: Estate, mark: str, tmp_path: Path) -> None:
    """The update works, and the new colour answers, but people would see a blank page: undone before anyone does."""
    estate.runs("one-a")
    with shop(estate, HOST, tmp_path) as load:
        ran = estate.release("blank")
    assert ran.error == "not_ready", ran.message
    assert "forgotten" in ran.message, ran.message
    sound(estate, "one-a", mark)
    print(unharmed(load))


@pytest.mark.slow
def test_second_run_is_told_who_is_at_work(estate: Estate, mark: str, here: None) -> None:
    """Two at once: the second one is refused, with who and since when."""
    current, target = estate.other_schema()
    estate.behave(during_update="sleep 6")
    other: list[object] = []
    first = threading.Thread(target=lambda: other.append(estate.release(target, requested_by="jane").ok()))
    first.start()
    until(lambda: '"step": "fence"' in estate.machine.sh("cat /var/lib/sysgenpro/instances/fault-one/state/journal.jsonl 2>/dev/null || true"))
    ran = estate.release(current, requested_by="joe")
    first.join()
    assert ran.error == "locked", ran.message
    assert "jane" in ran.message and "since" in ran.message, ran.message
    assert other
    sound(estate, target, mark)


@pytest.mark.slow
@pytest.mark.parametrize("text", ["Ö'Brien \"& Söhne\" {{ 1/0 }} $HOME {% x %} 東京"])
def test_awkward_reason(estate: Estate, mark: str, text: str) -> None:
    """Whatever people write as a reason is kept as it is."""
    estate.runs("one-a")
    estate.release("one-b", reason=text, requested_by=text).ok()
    row = estate.machine.sql("select reason, who from sysgenpro.applied order by id desc limit 1")
    assert row == f"{text}|{text}"
    sound(estate, "one-b", mark)
