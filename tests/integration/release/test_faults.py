# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults of the release itself: the module dies anywhere, locks, hangs, what never ends, and herds. ``script/test --all``."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from estate import Estate, leave_mark, sound
from estate.edge import ORDINARY, Asked, shop, worked
from estate.place import HOST, INSTANCE
from estate.steps import CODE, JOURNAL, UPDATE, Beside, began, killed, moment, under_way, until
from load import BackgroundLoad

pytestmark = pytest.mark.slow

# -- the module dies -----------------------------------------------------------------------------------

@pytest.mark.parametrize("event", ["begin", "done"])
@pytest.mark.parametrize("step", UPDATE)
def test_killed_in_an_update(estate: Estate, mark: str, step: str, event: str) -> None:
    current, target = estate.other_schema()
    killed(estate, current, target, event, step, mark)


@pytest.mark.parametrize("step", CODE)
def test_killed_in_a_code_release(estate: Estate, mark: str, step: str) -> None:
    """Nobody waits longer than usual: one of the colours leads at every moment."""
    estate.runs("one-a")
    killed(estate, "one-a", "one-b", "begin", step, mark)


@pytest.mark.parametrize("step", ["open", "update", "undo_copy", "fence", "retire", "hold", "stop_cron", "prepare"])
def test_killed_while_undoing(estate: Estate, mark: str, here: None, step: str) -> None:
    """It fails, undoes itself, and dies at that too. The same command finishes the undo, then tries anew."""
    current, target = estate.other_schema()
    if step == "open":
        estate.runs("one-a")
        current, target = "one-a", "blank"
    else:
        estate.behave(during_update="raise 1")
    event = "undo" if step != "update" else "failed"
    ran = estate.release(target, at=[{"event": event, "step": step, "do": "kill"}])
    assert ran.did and not ran.result, ran.message
    again = estate.release(target)
    assert again.error == ("not_ready" if step == "open" else "update_failed"), again.message
    sound(estate, current, mark)


def test_controller_killed(estate: Estate, mark: str, here: None) -> None:
    """The controller dies in the middle of an update; the operation goes on by itself."""
    _current, target = estate.other_schema()
    estate.behave(during_update="sleep 5")
    with subprocess.Popen(estate.command("release", instance_release=target), env=estate.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True) as playbook:
        began(estate, "fence")
        os.killpg(playbook.pid, signal.SIGKILL)
    until(lambda: not estate.machine.sh(JOURNAL), 240, "the operation did not end")
    sound(estate, target, mark)


# -- in the way, without end -----------------------------------------------------------------------------

def test_session_that_keeps_a_lock(estate: Estate, mark: str) -> None:
    """A superuser's program takes its lock again whenever it is ended: the update waits for its bound, is undone, and the program named."""
    current, target = estate.other_schema()
    program = (
        "env PGAPPNAME=nightly_copy timeout 300 sh -c 'while :; do psql -qX -h /run/sysgenpro/fault-one/postgresql -p 5501 -U postgres -d fault_one"
        " -c \"begin; lock table fault_thing in access exclusive mode; select pg_sleep(120)\" >/dev/null 2>&1; sleep 0.1; done'")
    stop = estate.machine.background(f"until [ -e /run/fault-go ]; do sleep 0.02; done; rm -f /run/fault-go; exec {program}")
    try:
        ran = estate.release(target, bounds={"update": 20}, at=[{"event": "begin", "step": "update", "do": "touch /run/fault-go"}])
    finally:
        estate.machine.sh("for p in $(pgrep -x timeout); do grep -qz nightly_copy /proc/$p/environ && kill $p; done; true")
        stop.wait(60)
        estate.machine.sql("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'nightly_copy'", "postgres")
    assert ran.error == "update_timeout", ran.message
    assert "nightly_copy" in ran.message and "bounds.update" in ran.message, ran.message
    sound(estate, current, mark)


def paged(load: BackgroundLoad, since: float) -> int:
    """Fail unless whoever was not answered got the maintenance page, and nobody did before ``since``. Returns how many did."""
    unanswered = [record for record in load.records.all() if record.reason]
    other = [record for record in unanswered if record.status != 503]
    assert not other, other
    early = [record for record in unanswered if record.until < since]
    assert not early, f"before {since}: {early}"
    assert unanswered, "nobody who worked meanwhile saw the page"
    worked(load, ORDINARY)
    return len(unanswered)


def is_page(asked: Asked) -> None:
    """Fail unless a request was answered with the page that a shop assistant understands."""
    status, body = asked.answer()
    assert status == 503 and "Nothing is lost" in body, f"{status} {body[:300]}"
    assert int(asked.headers["retry-after"]) > 0, asked.headers


def test_update_that_hangs(estate: Estate, mark: str, here: None, figure: Callable[[str], None], tmp_path: Path) -> None:
    """It is ended at its bound and undone. Who waits beyond max_pause sees the page, and nobody sees anything else, or sees it before."""
    current, target = estate.other_schema()
    estate.behave(during_update="sleep 3600")
    with shop(estate, HOST, tmp_path, ORDINARY) as load:
        beside = Beside(estate, target, bounds={"update": 15, "max_pause": 3})
        began(estate, "hold")
        asked = Asked(estate, HOST, "/fault/release")
        ran = beside.end()
    assert ran.error == "update_timeout" and "bounds.update" in ran.message, ran.message
    sound(estate, current, mark)
    is_page(asked)
    # The journal's clock is the load's, to the millisecond.
    number = paged(load, moment(ran.result["details"]["operation"]["steps"], "begin", "hold") + 3)
    assert any("bounds.max_pause" in text for text in ran.result["details"]["operation"]["warnings"]), ran.result["details"]["operation"]
    figure(f"an update that hangs: {number} of {load.summary().requests} requests saw the page, none failed otherwise")


def test_pause_that_is_predicted_too_long(estate: Estate, mark: str, here: None, figure: Callable[[str], None], tmp_path: Path) -> None:
    """A rehearsal says that the update takes longer than anybody may wait: the page is there from the beginning, and the update goes through."""
    _current, target = estate.other_schema()
    estate.behave(during_update="sleep 4")
    estate.release(target, state="rehearsed").ok()
    with shop(estate, HOST, tmp_path, ORDINARY) as load:
        beside = Beside(estate, target, bounds={"max_pause": 0})
        began(estate, "update")
        asked = Asked(estate, HOST, "/fault/release")
        ran = beside.end().ok()
    assert ran.result["plan"]["strategy"] == "maintenance", ran.result["plan"]
    predicted = ran.result["plan"]["rehearsal"]["pause"]
    sound(estate, target, mark)
    is_page(asked)
    number = paged(load, moment(ran.result["operation"]["steps"], "begin", "hold"))
    figure(f"predicted {predicted:.1f} s, paused {ran.result['operation']['pause']:.1f} s: {number} of {load.summary().requests} requests saw the page,"
           " none failed otherwise")


def test_request_without_end_in_a_code_release(estate: Estate, mark: str) -> None:
    """Past bounds.finish the old colour ends all the same; the request is named, and whoever sent it is asked to try again."""
    # Both images are there: Odoo itself ends a request after two minutes (limit_time_real).
    for name in ("one-b", "one-a"):
        estate.runs(name)
    asked = Asked(estate, HOST, "/fault/slow?seconds=900")
    until(lambda: under_way(estate, "/fault/slow"))
    ran = estate.release("one-b", bounds={"finish": 3}).ok()
    assert ran.kind == "code"
    warnings = ran.result["operation"]["warnings"]
    assert any("/fault/slow" in text and "bounds.finish" in text for text in warnings), warnings
    sound(estate, "one-b", mark)
    is_page(asked)
    # A worker that was killed leaves what it had written down until its colour starts again; no other test is to take that for its own request.
    estate.machine.sh(f"rm -f /run/sysgenpro/{INSTANCE}/*/[0-9]*")


ACTION = "(select res_id from ir_model_data where module = 'sgp_fault' and name = 'cron_sleep')"
RUNS = f"select count(*) from ir_cron where id = {ACTION} and id not in (select id from ir_cron for no key update skip locked)"
GO = f"update ir_cron set active = true, nextcall = now() at time zone 'utc' - interval '1 minute' where id = {ACTION}"


@contextmanager
def scheduled(estate: Estate, seconds: int) -> Iterator[None]:
    """A scheduled action that takes so long, once it is due. It is waited for, and must have begun once and come to its end once."""
    machine = estate.machine
    machine.sql("delete from fault_thing where name like 'shelves %'")
    estate.behave(cron_seconds=str(seconds))
    try:
        yield
        until(lambda: machine.sql(RUNS) == "0", seconds + 60, "the scheduled action did not end")
    finally:
        machine.sql(f"update ir_cron set active = false where active and id = {ACTION}")
    told = machine.sql("select name from fault_thing where name like 'shelves %' order by id").splitlines()
    assert told == ["shelves begun", "shelves counted"], f"it was torn or begun again: {told}"


def due(estate: Estate) -> str:
    """A shell command: the scheduled action is due, the cron process is told as Odoo tells it, and it has begun."""
    login = "psql -XAtq -h /run/sysgenpro/fault-one/postgresql -p 5501 -U postgres"
    estate.machine.write("/var/lib/sysgenpro/fault-due.sh", f"""\
{login} -d fault_one -c "{GO}"
for i in $(seq 600); do
  [ $(( i % 20 )) = 1 ] && {login} -d postgres -c "notify cron_trigger, 'fault_one'"
  [ "$({login} -d fault_one -c "{RUNS}")" = 0 ] || exit 0
  sleep 0.1
done
exit 1
""".encode())
    return "sh /var/lib/sysgenpro/fault-due.sh"


@pytest.mark.dear
def test_cron_that_runs_for_minutes(estate: Estate, mark: str, here: None) -> None:
    """It is waited for within its bound, then named; it is not torn, and goes on."""
    current, target = estate.other_schema()
    with scheduled(estate, 60):
        estate.machine.sh(due(estate))
        ran = estate.release(target, bounds={"cron": 4})
        assert ran.error == "cron_busy" and "Count the shelves" in ran.message and "bounds.cron" in ran.message, ran.message
        assert estate.machine.sql(RUNS) == "1", "the scheduled action was ended"
    sound(estate, current, mark)


@pytest.mark.dear
def test_cron_that_begins_at_the_last_moment(estate: Estate, mark: str, here: None) -> None:
    """After the last look and before the cron process is told to end: the release is given up, and neither it nor its undo tears the action."""
    current, target = estate.other_schema()
    command = due(estate)
    with scheduled(estate, 50):
        ran = estate.release(target, bounds={"cron": 4}, at=[{"event": "done", "step": "cron_idle", "do": command}])
        assert ran.did and ran.did[0]["code"] == 0, f"the scheduled action never began: {ran.did}"
        assert ran.error == "cron_busy" and "Count the shelves" in ran.message and "bounds.cron" in ran.message, ran.message
    sound(estate, current, mark)


def test_mark_is_not_lost_when_written_last(estate: Estate, here: None) -> None:
    """A row of the last moment before the hold outlives an update that is undone."""
    current, target = estate.other_schema()
    estate.behave(during_update="raise 7")
    last = f"last moment {os.urandom(4).hex()}"
    ran = estate.release(target, at=[{
        "event": "begin", "step": "hold",
        "do": "psql -qX -h /run/sysgenpro/fault-one/postgresql -p 5501 -U postgres -d fault_one"
              f" -c \"insert into fault_thing (name) values ('{last}')\""}])
    assert ran.error == "update_failed" and ran.did[0]["code"] == 0, ran.message
    leave_mark(estate, last + " after")
    sound(estate, current, last, last + " after")
