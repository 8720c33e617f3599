# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every fault: the module dies anywhere, what it needs restarts, disks fill up, locks, hangs and herds. ``script/test --all``."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest
from estate import Estate, Seen, leave_mark, sound
from estate.edge import Asked, Herd, shop, unharmed
from estate.place import HOST
from estate.steps import CODE, UPDATE, killed
from sgplab import machines

pytestmark = pytest.mark.slow

JOURNAL = "cat /var/lib/sysgenpro/instances/fault-one/state/journal.jsonl 2>/dev/null || true"
CLUSTER = "postgresql@17-fault_one"
SERVICES = {"docker": "docker", "postgresql": CLUSTER, "redis": "redis-server@fault-one", "traefik": "traefik"}


def began(estate: Estate, step: str, seconds: float = 180) -> None:
    """Wait until a step has begun."""
    deadline = time.monotonic() + seconds
    while not any('"event": "begin"' in line and f'"step": "{step}"' in line for line in estate.machine.sh(JOURNAL).splitlines()):
        assert time.monotonic() < deadline, f"{step} never began"
        time.sleep(0.1)


class Beside:
    """A release that runs beside the test."""

    def __init__(self, estate: Estate, name: str, **parameters: object) -> None:
        self._thread = threading.Thread(target=self._run, args=(estate, name, parameters), daemon=True)
        self._thread.start()

    def _run(self, estate: Estate, name: str, parameters: dict[str, object]) -> None:
        self.ran = estate.release(name, **parameters)

    def end(self):  # type: ignore[no-untyped-def]
        self._thread.join(900)
        return self.ran


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
    deadline = time.monotonic() + 240
    while estate.machine.sh(JOURNAL):
        assert time.monotonic() < deadline, "the operation did not end"
        time.sleep(0.5)
    sound(estate, target, mark)


# -- what it needs restarts ----------------------------------------------------------------------------

@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("step", ["pull", "drain", "undo_copy", "update", "open", "settle"])
def test_service_restarted_during_an_update(estate: Estate, mark: str, here: None, tmp_path: Path, service: str, step: str) -> None:
    """Either it goes through, or it is undone with a reason and goes through when it is run again."""
    _current, target = estate.other_schema()
    estate.behave(during_update="sleep 2")
    with shop(estate, HOST, tmp_path) as load:
        ran = estate.release(target, at=[{"event": "begin", "step": step, "do": f"systemctl restart {SERVICES[service]}", "beside": True}])
        if ran.failed:
            print(f"{ran.error}: {ran.message}")
            again = estate.release(target)
            assert not again.failed, again.message
    sound(estate, target, mark)
    assert load.kept["fault"].whole, load.kept
    total = load.summary()
    print(f"{service} restarted at {step}: {'undone' if ran.failed else 'done'}; {total.failed} of {total.requests} failed {total.reasons}")
    if service in ("docker", "redis"):
        assert not total.failed, total.reasons


@pytest.mark.parametrize("service", SERVICES)
def test_service_restarted_during_a_code_release(estate: Estate, mark: str, tmp_path: Path, service: str) -> None:
    estate.runs("one-a")
    with shop(estate, HOST, tmp_path) as load:
        ran = estate.release("one-b", at=[{"event": "begin", "step": "prove", "do": f"systemctl restart {SERVICES[service]}", "beside": True}])
        if ran.failed:
            print(f"{ran.error}: {ran.message}")
            assert not estate.release("one-b").failed
    sound(estate, "one-b", mark)
    assert load.kept["fault"].whole, load.kept
    total = load.summary()
    print(f"{service} restarted: {'undone' if ran.failed else 'done'}; {total.failed} of {total.requests} failed {total.reasons}")
    if service in ("docker", "redis"):
        assert not total.failed, total.reasons


@pytest.mark.parametrize("service", SERVICES)
def test_service_restarted_on_an_ordinary_day(estate: Estate, mark: str, tmp_path: Path, service: str) -> None:
    """Says how many requests failed. Docker's restart costs none."""
    current, _target = estate.other_schema()
    with shop(estate, HOST, tmp_path) as load:
        time.sleep(4)
        estate.machine.sh(f"systemctl restart {SERVICES[service]}")
        time.sleep(8)
    sound(estate, current, mark)
    total = load.summary()
    print(f"{service} restarted on an ordinary day: {total.failed} of {total.requests} requests failed {total.reasons}")
    assert load.kept["fault"].whole, load.kept
    if service in ("docker", "redis"):
        assert not total.failed, total.reasons


@pytest.mark.parametrize("hard", [True, False])
def test_machine_rebooted_during_the_hold(estate: Estate, mark: str, here: None, hard: bool) -> None:
    """Front and fence stand as they stood; requests wait; the same command goes on."""
    _current, target = estate.other_schema()
    estate.behave(during_update="sleep 120")
    beside = Beside(estate, target)
    began(estate, "update")
    time.sleep(3)
    machines.reboot([estate.machine.name], hard=hard)
    beside.end()
    estate.machine.sh("until docker info >/dev/null 2>&1; do sleep 0.5; done; systemctl start " + CLUSTER)
    after = Seen.look(estate)
    assert after.journal, "the journal is gone"
    assert after.colour is None, f"the front refused before the reboot, and leads to {after.front} after it"
    assert not after.running("web") and not after.running("cron") and not after.running("update"), after.containers
    logins = {name for name, allowed in after.roles.items() if allowed}
    assert logins <= {"fault_one_update"}, f"the fence stood, and {logins} may log in after the reboot"
    waiting = Asked(estate, HOST, "/fault/release")
    time.sleep(2)
    assert not waiting.done, f"a request was not held: {waiting.answer()}"
    estate.machine.sql("update ir_config_parameter set value = 'sleep 1' where key = 'fault.during_update'", "fault_one_undo", check=False)
    estate.machine.sql("alter database fault_one_undo allow_connections true", "postgres")
    estate.machine.sql("update ir_config_parameter set value = 'sleep 1' where key = 'fault.during_update'", "fault_one_undo")
    estate.machine.sql("alter database fault_one_undo allow_connections false", "postgres")
    estate.release(target).ok()
    sound(estate, target, mark)
    assert waiting.answer()[0] == 200, waiting.body


# -- nothing left ----------------------------------------------------------------------------------------

def test_disk_full_while_pulling(estate: Estate, mark: str) -> None:
    """No room for the layers: nothing is held, nothing changes; with room the same command goes on."""
    current, target = estate.other_schema()
    machine = estate.machine
    reference = estate.releases[target]
    machine.sh("docker ps -aq --filter status=exited --filter label=org.sysgenpro.instance=fault-one | xargs -r docker rm")
    machine.sh(f"docker rmi -f $(docker images -q --no-trunc --digests --filter reference='*@{reference.split('@')[1]}') 2>/dev/null; docker rmi -f {reference}",
               check=False)
    machine.sh("docker image prune -f >/dev/null; mount -t tmpfs -o size=4k tmpfs /var/lib/docker/tmp")
    try:
        ran = estate.release(target)
    finally:
        machine.sh("umount -l /var/lib/docker/tmp")
    assert ran.error == "pull_failed" and "no space left" in ran.message, ran.message
    sound(estate, current, mark)
    estate.release(target).ok()
    sound(estate, target, mark)


def test_disk_full_while_updating(estate: Estate, mark: str, here: None) -> None:
    """The cluster lies on a small filesystem for a while, and the update fills it."""
    current, target = estate.other_schema()
    machine = estate.machine
    data = "/var/lib/postgresql/17/fault_one"
    estate.behave(during_update="fill 900000")
    used = int(machine.sh(f"du -sm {data}").split()[0])
    machine.sh(
        f"systemctl stop {CLUSTER}; mkdir -p /mnt/fault-small; mount -t tmpfs -o size={used + 350}m,mode=700,uid=$(id -u postgres),gid=$(id -g postgres)"
        f" tmpfs /mnt/fault-small; cp -a {data}/. /mnt/fault-small/; mount --bind /mnt/fault-small {data}; systemctl start {CLUSTER}")
    try:
        ran = estate.release(target)
        print(f"{ran.error}: {ran.message}")
        assert ran.failed and "space" in str(ran.result).lower(), ran.message
        if ran.error == "undo_failed":
            machine.sh(f"mount -o remount,size={used + 1500}m /mnt/fault-small; systemctl restart {CLUSTER}")
        machine.sql("select 1")
        machine.sh(f"mount -o remount,size={used + 1500}m /mnt/fault-small")
        sound_or_on = estate.release(current)
        assert not sound_or_on.failed, sound_or_on.message
        sound(estate, current, mark)
    finally:
        machine.sh(f"systemctl stop {CLUSTER}; umount {data}; rsync -a --delete /mnt/fault-small/ {data}/ || (rm -rf {data}/* && cp -a /mnt/fault-small/. {data}/);"
                   f" umount /mnt/fault-small; systemctl start {CLUSTER}")
    sound(estate, current, mark)


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


def test_update_that_hangs(estate: Estate, mark: str, here: None, tmp_path: Path) -> None:
    """It is ended at its bound and undone; who waited beyond max_pause saw the page, and nobody a failure before."""
    current, target = estate.other_schema()
    estate.behave(during_update="sleep 3600")
    with shop(estate, HOST, tmp_path) as load:
        ran = estate.release(target, bounds={"update": 15})
    assert ran.error == "update_timeout" and "bounds.update" in ran.message, ran.message
    sound(estate, current, mark)
    print(unharmed(load))


def test_cron_that_runs_for_minutes(estate: Estate, mark: str, here: None) -> None:
    """It is waited for within its bound, then named; it is not torn, and goes on."""
    current, target = estate.other_schema()
    machine = estate.machine
    estate.behave(cron_seconds="60")
    machine.sql("update ir_cron set active = true, nextcall = now() at time zone 'utc' - interval '1 minute' where id ="
                " (select res_id from ir_model_data where module = 'sgp_fault' and name = 'cron_sleep')")
    locked = "select count(*) from ir_cron where id not in (select id from ir_cron for no key update skip locked)"
    deadline = time.monotonic() + 150
    while machine.sql(locked) == "0":
        assert time.monotonic() < deadline, "the scheduled action never ran"
        time.sleep(0.5)
    try:
        ran = estate.release(target, bounds={"cron": 4})
        assert ran.error == "cron_busy" and "Count the shelves" in ran.message and "bounds.cron" in ran.message, ran.message
        assert machine.sql(locked) == "1", "the scheduled action was ended"
    finally:
        deadline = time.monotonic() + 120
        while machine.sql(locked) != "0" and time.monotonic() < deadline:
            time.sleep(1)
        machine.sql("update ir_cron set active = false where active and id = (select res_id from ir_model_data where module = 'sgp_fault' and name = 'cron_sleep')")
    sound(estate, current, mark)


def test_herd_at_let_go(estate: Estate, mark: str, here: None) -> None:
    """500 requests wait for two workers."""
    _current, target = estate.other_schema()
    estate.behave(during_update="sleep 15")
    beside = Beside(estate, target)
    began(estate, "update")
    herd = Herd(estate, HOST, "/web/login", 500)
    ran = beside.end().ok()
    answers = herd.answers()
    wrong = sorted({status for status, _seconds in answers if status != 200})
    print(f"500 waited for {ran.result['operation']['pause']} s; the last was answered after {max(seconds for _status, seconds in answers):.1f} s")
    assert len(answers) == 500 and not wrong, {status: sum(1 for one, _ in answers if one == status) for status in wrong}
    sound(estate, target, mark)


def test_mark_is_not_lost_when_written_last(estate: Estate, here: None) -> None:
    """A row of the last moment before the hold outlives an update that is undone."""
    current, target = estate.other_schema()
    estate.behave(during_update="raise 7")
    last = f"last moment {os.urandom(4).hex()}"
    estate.release(target, at=[{
        "event": "begin", "step": "hold",
        "do": "psql -qX -h /run/sysgenpro/fault-one/postgresql -p 5501 -U postgres -d fault_one"
              f" -c \"insert into fault_thing (name) values ('{last}')\""}])
    leave_mark(estate, last + " after")
    sound(estate, current, last, last + " after")
