# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release needs restarts: Docker, PostgreSQL, Redis, the edge, the whole machine; during releases and on an ordinary day."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from estate import Estate, Seen, sound
from estate.edge import LIGHT, ORDINARY, Asked, shop, worked
from estate.place import HOST
from estate.steps import Beside, began
from load import BackgroundLoad, Pace, Record
from sgplab import machines

pytestmark = pytest.mark.slow

CLUSTER = "postgresql@17-fault_one"
SERVICES = {"docker": "docker", "postgresql": CLUSTER, "redis": "redis-server@fault-one", "traefik": "traefik"}
WORKERS = 2
MISSED = 3.0
"""Seconds of arrivals that a restart may harm: until Odoo's master has seen that its database is gone, and ends."""
STATUSES = {"postgresql": {200, 404, 500, 502, 503}, "traefik": {0}}
"""What those are answered whom a restart meets: Odoo says that it failed (in JSON with 200) or finds nothing, the edge shows its page; of the
edge itself nothing comes."""


def counted(load: BackgroundLoad, what: str) -> str:
    """How many requests failed, for people."""
    total = load.summary()
    return f"{what}: {total.failed} of {total.requests} requests failed {total.reasons or ''}".rstrip()


def harmed(load: BackgroundLoad, service: str, pace: Pace) -> list[Record]:
    """Fail unless nothing written is lost, and of the requests only those came to nothing that a restart may have met. Returns these.

    PostgreSQL is missed by whoever is at work at that moment: then Odoo's master sees that it is gone and ends, and from there the edge holds
    what comes until Docker has started it again. So nobody fails again and again, and nobody is logged out.
    """
    worked(load, pace)
    found = [record for record in load.records.all() if record.reason]
    assert {record.status for record in found} <= STATUSES.get(service, set()), found
    assert not [record for record in found if "logged out" in record.reason or "login refused" in record.reason], found
    # Those who are at work at that moment, and those who came since: a few seconds' worth. A login is three requests; a page's assets follow at once.
    arriving = pace.lists + pace.writes + pace.pages + 3 * pace.logins + pace.uploads + pace.slow_uploads
    assert sum(record.kind != "asset" for record in found) <= MISSED * arriving + pace.realtime_users + WORKERS, found
    return found


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("step", ["pull", "drain", "undo_copy", "update", "open", "settle"])
def test_service_restarted_during_an_update(
    estate: Estate, mark: str, here: None, figure: Callable[[str], None], tmp_path: Path, service: str, step: str,
) -> None:
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
    figure(counted(load, f"{service} restarted at {step}, {'undone' if ran.failed else 'done'}"))
    harmed(load, service, LIGHT)


@pytest.mark.parametrize("service", SERVICES)
def test_service_restarted_during_a_code_release(
    estate: Estate, mark: str, figure: Callable[[str], None], tmp_path: Path, service: str,
) -> None:
    estate.runs("one-a")
    with shop(estate, HOST, tmp_path) as load:
        ran = estate.release("one-b", at=[{"event": "begin", "step": "prove", "do": f"systemctl restart {SERVICES[service]}", "beside": True}])
        if ran.failed:
            print(f"{ran.error}: {ran.message}")
            assert not estate.release("one-b").failed
    sound(estate, "one-b", mark)
    figure(counted(load, f"{service} restarted, {'undone' if ran.failed else 'done'}"))
    harmed(load, service, LIGHT)


@pytest.mark.parametrize("service", SERVICES)
def test_service_restarted_on_an_ordinary_day(estate: Estate, mark: str, figure: Callable[[str], None], tmp_path: Path, service: str) -> None:
    """Nobody notices Docker, Redis or the edge. Of PostgreSQL those notice it whom it meets; whoever comes later waits for it."""
    current, _target = estate.other_schema()
    with shop(estate, HOST, tmp_path, ORDINARY) as load:
        time.sleep(8)
        since = time.time()
        estate.machine.sh(f"systemctl restart {SERVICES[service]}")
        back = time.time()
        time.sleep(12)
    sound(estate, current, mark)
    figure(counted(load, f"{service} restarted on an ordinary day"))
    worked(load, ORDINARY)
    found = harmed(load, "" if service == "traefik" else service, ORDINARY)
    late = [record for record in found if record.at > back or record.until < since]
    assert not late, f"restarted from {since} to {back}: {late}"


@pytest.mark.dear
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
    estate.machine.sql("alter database fault_one_undo allow_connections true", "postgres")
    estate.machine.sql("update ir_config_parameter set value = 'sleep 1' where key = 'fault.during_update'", "fault_one_undo")
    estate.machine.sql("alter database fault_one_undo allow_connections false", "postgres")
    estate.release(target).ok()
    sound(estate, target, mark)
    assert waiting.answer()[0] == 200, waiting.body
