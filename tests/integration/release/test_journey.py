# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every run of the tests sees: releases under load, killed, undone; and, marked slow, fences and bounds, of which a run tries some."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from estate import Estate, Seen, sound
from estate.edge import ORDINARY, Asked, shop, unharmed
from estate.outside import Writer
from estate.place import HOST
from estate.steps import CODE, JOURNAL, UPDATE, killed, moment, under_way, until


def test_code_and_update_under_load(estate: Estate, mark: str, figure: Callable[[str], None], tmp_path: Path) -> None:
    """By the playbooks, while a shop does all that shops do: a code release, an update, and the same once more, which changes nothing."""
    estate.runs("one-a")
    with shop(estate, HOST, tmp_path, ORDINARY) as load:
        code = estate.play("release", instance_release="one-b")
        sound(estate, "one-b", mark)
        update = estate.play("release", instance_release="two")
        sound(estate, "two", mark)
        again = estate.play("release", instance_release="two")
    assert [outcome.changed for outcome in (code, update, again)] == [1, 1, 0]
    kinds = estate.machine.sql("select class from sysgenpro.applied order by id desc limit 2").split()
    assert kinds == ["update", "code"], kinds
    figure(unharmed(load, ORDINARY))
    closes = load.summary().closes
    assert closes and set(closes) <= {"1000", "1001"}, f"websockets were not closed cleanly, or never: {closes}"


def test_killed_at_random(estate: Estate, mark: str, chance: random.Random, figure: Callable[[str], None]) -> None:
    """The module dies at one of a code release's steps and at two of an update's; the same command goes on."""
    code, (there, back) = chance.choice(CODE), chance.sample(UPDATE, 2)
    figure(f"killed in a code release at {code}, in updates at {there} and {back}")
    estate.runs("one-a")
    killed(estate, "one-a", "one-b", "begin", code, mark)
    killed(estate, "one-b", "two", "begin", there, mark)
    killed(estate, "two", "one-a", "begin", back, mark)


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
def test_failing_update_is_undone(estate: Estate, mark: str, here: None, figure: Callable[[str], None], tmp_path: Path) -> None:
    """It raises after it has committed changed data; requests wait and none fails."""
    current, target = estate.other_schema()
    estate.behave(during_update="raise 42")
    grants = Seen.look(estate).grants
    with shop(estate, HOST, tmp_path) as load:
        ran = estate.release(target)
    assert ran.error == "update_failed", ran.message
    assert "the shelves of 3 products cannot be told: 42" in ran.message
    assert sound(estate, current, mark).grants == grants
    figure(unharmed(load))


@pytest.mark.slow
def test_request_in_flight_finishes(estate: Estate, mark: str) -> None:
    """A request that began before a switch is answered by the colour it began on."""
    estate.runs("one-a")
    asked = Asked(estate, HOST, "/fault/slow?seconds=25")
    until(lambda: under_way(estate, "/fault/slow"))
    ran = estate.release("one-b").ok()
    assert ran.kind == "code" and not ran.result["operation"]["warnings"]
    assert asked.answer() == (200, "one-a"), asked.body
    switched, finished = (moment(ran.result["operation"]["steps"], "done", step) for step in ("switch", "finish"))
    assert switched < asked.ended < finished + 1, f"switched at {switched}, answered at {asked.ended}, the old colour was let end at {finished}"
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


def test_web_client_that_does_not_come_up(estate: Estate, mark: str, figure: Callable[[str], None], tmp_path: Path) -> None:
    """The update works, and the new colour answers, but people would see a blank page: undone before anyone does."""
    estate.runs("one-a")
    with shop(estate, HOST, tmp_path) as load:
        ran = estate.release("blank")
    assert ran.error == "not_ready", ran.message
    assert "forgotten" in ran.message, ran.message
    sound(estate, "one-a", mark)
    figure(unharmed(load))


@pytest.mark.slow
def test_second_run_is_told_who_is_at_work(estate: Estate, mark: str, here: None) -> None:
    """Two at once: the second one is refused, with who and since when."""
    current, target = estate.other_schema()
    estate.behave(during_update="sleep 6")
    other: list[object] = []
    first = threading.Thread(target=lambda: other.append(estate.release(target, requested_by="jane").ok()))
    first.start()
    until(lambda: '"step": "fence"' in estate.machine.sh(JOURNAL))
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
