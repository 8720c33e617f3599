# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calendar events without systemd: each is read as systemd itself reads it, and said as cron has it."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.timer import runs
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.timer.calendar import parse_event

CASES = {
    "*-*-* 00/4:15:00": "15 0,4,8,12,16,20 * * *", "*-*-* 03:30:00": "30 3 * * *", "*-*-* *:45:00": "45 * * * *", "03:30": "30 3 * * *",
    "hourly": "0 * * * *", "daily": "0 0 * * *", "weekly": "0 0 * * 1", "monthly": "0 0 1 * *", "Mon..Fri 08,20:05": "5 8,20 * * 1,2,3,4,5",
    "Sat,Sun *-*-* 02:00": "0 2 * * 0,6", "sunday 02:00": "0 2 * * 0", "*-02-29 00:00": "0 0 29 2 *", "*-1..3-10/10 1..3:0/20": "0,20,40 1,2,3 10,20,30 1,2,3 *",
    "*-*-* 02:30:00 Europe/Berlin": "30 2 * * *", "*-*-* 00/4:15:00 UTC": "15 0,4,8,12,16,20 * * *"}
MOMENTS = [datetime.datetime(*each, tzinfo=datetime.timezone.utc).timestamp() for each in (  # type: ignore[arg-type]
    (2026, 11, 30, 2, 14, 59), (2026, 12, 31, 23, 59, 30), (2028, 2, 28, 12), (2026, 3, 28, 12), (2026, 10, 24, 22), (2027, 6, 5, 3, 30))]


@pytest.mark.parametrize(("text", "said"), CASES.items())
def test_said_as_cron_has_it(text: str, said: str) -> None:
    assert parse_event(text).cron() == said


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
@pytest.mark.parametrize("text", CASES)
def test_next_when_systemd_says_so(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the event names no zone it is the machine's for systemd and UTC for a cluster."""
    monkeypatch.setitem(os.environ, "TZ", "UTC")
    for since in MOMENTS:
        assert parse_event(text).next(since) == runs.due(text, since), datetime.datetime.fromtimestamp(since, datetime.timezone.utc)


def test_a_date_that_never_comes() -> None:
    assert parse_event("*-02-30 00:00").next(MOMENTS[0]) is None


@pytest.mark.parametrize("text", [
    "", "every day", "2026-12-24 18:00", "*-*-* 03:30:15", "*-*-* 24:00", "*-*-* 03:60", "*-13-01 00:00", "*-*-0 00:00", "*-*-* 5..3:00", "*-*-* 0/0:00",
    "Mon *-*-01 00:00", "Foo 00:00", "Fri..Mon 00:00", "Mo 00:00", "*-*~01 00:00", "03:30 Europe/Nowhere", "*..5:00"])
def test_what_a_cronjob_cannot_say_is_refused(text: str) -> None:
    with pytest.raises(DomainError, match="is refused, expected ") as error:
        parse_event(text)
    assert error.value.code == "calendar"


def test_without_systemd_the_same_events_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.shutil, "which", lambda _name: None)
    assert runs.due("*-*-* 03:30:00", MOMENTS[0]) == parse_event("*-*-* 03:30:00").next(MOMENTS[0])


def test_a_run_that_is_at_work_is_seen_by_others(tmp_path: object) -> None:
    assert not runs.under_way("acme", "capture", str(tmp_path))
    with runs.at_work("acme", "capture", str(tmp_path)):
        asked = subprocess.run(["flock", "--nonblock", "--exclusive", f"{tmp_path}/.acme-capture", "true"], check=False)
        assert asked.returncode == 1 and runs.under_way("acme", "capture", str(tmp_path)) and not runs.under_way("acme", "verify", str(tmp_path))
    assert not runs.under_way("acme", "capture", str(tmp_path))
