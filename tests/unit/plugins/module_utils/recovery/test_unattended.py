# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine's timers run: what they say, how they end, what they leave for Prometheus."""

from __future__ import annotations

import datetime
import json
import shutil
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import utc_now
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.timer import runs, unattended

HOUR = 3600.0


def point(state: str, hours: float, verified: float = 0, name: str = "", lost: int = 0) -> Any:
    """Taken and verified so many hours ago."""
    at = (utc_now() - datetime.timedelta(hours=verified)).isoformat()
    return types.SimpleNamespace(id=name, state=state, taken=utc_now() - datetime.timedelta(hours=hours), verification={"at": at}, problem="",
                                 losses=({"ab/x": {}}, ["cd/y"] * lost))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "metrics").mkdir()
    settings = {
        "params": {"instance": "acme", "database": {"name": "acme", "port": 5501, "socket": "/run/x"},
                   "repository": {"location": str(tmp_path / "repository"), "password": "p"}},
        "retention": {"last": 1}, "pruning": None, "oldest": 7200, "metrics": str(tmp_path / "metrics")}
    (tmp_path / "acme.json").write_text(json.dumps(settings))
    monkeypatch.setattr(unattended.read_settings, "__defaults__", (str(tmp_path),))
    monkeypatch.setattr(runs, "RUNS", str(tmp_path / "runs"))
    return tmp_path


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """systemd: an event comes every so many hours, as the calendar says. What is in the set that is returned is at work."""
    working: set[str] = set()

    def told(arguments: list[str], *_rest: Any) -> str:
        since = float(arguments[-2].partition("@")[2])
        moment = datetime.datetime.fromtimestamp(since + float(arguments[-1]) * HOUR, datetime.timezone.utc)
        return f"Normalized form: x\n    Next elapse: Wed {moment:%Y-%m-%d %H:%M:%S} CET\n       (in UTC): Wed {moment:%Y-%m-%d %H:%M:%S} UTC\n"

    monkeypatch.setattr(runs, "run_program", told)
    monkeypatch.setattr(runs, "under_way", lambda _instance, verb: verb in working)
    monkeypatch.setattr(runs.shutil, "which", lambda _name: "/usr/bin/systemd-analyze")
    return working


def having(monkeypatch: pytest.MonkeyPatch, *points: Any) -> None:
    monkeypatch.setattr(unattended, "open_points", lambda _wanted: types.SimpleNamespace(all=lambda: list(points)))


@pytest.mark.parametrize("arguments", [[], ["capture"], ["dance", "acme"], ["capture", "acme", "x"]])
def test_called_wrongly(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert unattended.main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: sysgenpro-recovery capture|verify|expire|check INSTANCE")


def test_no_settings_are_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unattended.main(["capture", "other"]) == 1
    assert "no_settings: " in capsys.readouterr().err


def test_a_loss_that_nobody_accepted_fails_the_check(place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """As long as the newest point has it; what was accepted is told in the metrics alone."""
    having(monkeypatch, point("verified", 1, lost=2), point("verified", 2))
    assert unattended.main(["check", "acme"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("attachments_lost: ") and "lacks 2 files" in said
    told = (place / "metrics" / "sysgenpro-recovery-acme-check.prom").read_text()
    assert 'sysgenpro_recovery_losses{instance_name="acme",kind="new"} 2' in told and 'kind="accepted"} 1' in told
    having(monkeypatch, point("captured", 0.5), point("verified", 1, lost=2))
    assert unattended.main(["check", "acme"]) == 0


def test_what_the_role_takes_to_the_machine_is_enough(tmp_path: Path) -> None:
    """Nothing but these files, without Ansible."""
    role = Path(__file__).parents[5] / "roles" / "recovery_point"
    packages = yaml.safe_load((role / "vars" / "main.yml").read_text(encoding="utf-8"))["__recovery_point_packages"]
    (tmp_path / "alone").mkdir()
    for package in packages:
        (tmp_path / "alone" / package).mkdir()
        for file in (role.parents[1] / "plugins" / "module_utils" / package).glob("*.py"):
            shutil.copy(file, tmp_path / "alone" / package)
    done = subprocess.run([sys.executable, "-s", "-c", "import runpy, sys; sys.modules['ansible'] = None; sys.argv[1:] = [];"
                           " runpy.run_module('alone._recovery.timer.unattended', run_name='__main__')"],
                          cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stderr.startswith("usage: sysgenpro-recovery"), done.stderr


@pytest.mark.parametrize(("points", "code", "said"), [
    ([], 1, "acme has no verified recovery point"),
    ([("captured", 0.1)], 1, "acme has no verified recovery point"),
    ([("verified", 3)], 1, "at most 7200 s are allowed"),
    ([("verified", -1), ("verified", 1)], 1, "dated 3600 s in the future"),
    ([("captured", 0.1), ("verified", 1), ("verified", 9)], 0, "the newest verified point is 36")])
def test_check(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], points: list[tuple[str, float]], code: int, said: str
) -> None:
    having(monkeypatch, *(point(*each) for each in points))
    assert unattended.main(["check", "acme"]) == code
    told = capsys.readouterr()
    assert said in told.out + told.err
    text = (place / "metrics" / "sysgenpro-recovery-acme-check.prom").read_text()
    assert f'sysgenpro_recovery_last_run_success{{instance_name="acme",verb="check"}} {1 - code}\n' in text
    verified = sum(1 for state, _hours in points if state == "verified")
    assert f'sysgenpro_recovery_points{{instance_name="acme",state="verified"}} {verified}\n' in text
    assert ("sysgenpro_recovery_newest_timestamp_seconds" in text) == bool(points)


SCHEDULE = {"capture": "4", "verify": "24", "expire": "24"}


@pytest.mark.parametrize(("ended", "working", "missed", "code"), [
    ({}, (), (), 0),
    ({"capture": 1, "verify": 23, "expire": 23}, (), (), 0),
    ({"capture": 4.1, "verify": 1, "expire": 1}, (), (), 0),
    ({"capture": 5, "verify": 1, "expire": 1}, (), ("capture",), 1),
    ({"capture": 5, "verify": 1, "expire": 1}, ("capture",), (), 0),
    ({"capture": 1, "verify": 25, "expire": 49}, (), ("verify", "expire"), 1),
    ({"capture": 1, "verify": 25, "expire": 49}, ("verify",), ("expire",), 1)])
def test_what_was_missed_is_named(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], machine: set[str], ended: dict[str, float],
    working: tuple[str, ...], missed: tuple[str, ...], code: int
) -> None:
    having(monkeypatch, point("verified", 1))
    machine.update(working)
    scheduled(place, SCHEDULE, oldest=7200)
    for verb, hours in ended.items():
        runs.note("acme", verb, time.time() - hours * HOUR)
    assert unattended.main(["check", "acme"]) == code
    said = capsys.readouterr().err
    assert ("missed_run: " in said) == bool(missed)
    text = (place / "metrics" / "sysgenpro-recovery-acme-check.prom").read_text()
    for verb in SCHEDULE:
        assert (f"{verb} of acme was due at " in said) == (verb in missed), said
        assert f'sysgenpro_recovery_missed{{instance_name="acme",verb="{verb}"}} {int(verb in missed)}\n' in text


def test_what_never_ran_counts_from_the_first_look(place: Path, machine: set[str]) -> None:
    now = time.time()
    assert runs.missed("acme", {"capture": "4"}, now) == {}
    assert list(runs.missed("acme", {"capture": "4"}, now + 5 * HOUR)) == ["capture"]


@pytest.mark.parametrize(("hours", "working", "said"), [
    (3, (), ""), (4.1, (), ""), (5, (), "the next one was due at "), (5, ("capture",), ""), (5, ("verify",), ""), (5, ("expire",), "the next one")])
def test_how_old_a_point_may_be_follows_from_the_schedule(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], machine: set[str], hours: float, working: tuple[str, ...], said: str
) -> None:
    having(monkeypatch, point("verified", hours))
    machine.update(working)
    scheduled(place, {"capture": "4"}, oldest=0)
    assert unattended.main(["check", "acme"]) == bool(said)
    assert said in capsys.readouterr().err


def scheduled(place: Path, schedule: dict[str, str], **more: Any) -> None:
    path = place / "acme.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "schedule": schedule, **more}))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_when_systemd_says_that_it_is_due() -> None:
    """``systemd-analyze calendar`` has no JSON."""
    since = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.timezone.utc).timestamp()
    assert runs.due("*-*-* 00/4:15:00 UTC", since) == since + HOUR / 4
    assert runs.due("2100-01-01 00:00:00 UTC", since) == 4102444800
    assert runs.due("2020-01-01 00:00:00 UTC", since) is None
    with pytest.raises(DomainError, match="reading 'every day'"):
        runs.due("every day", since)


@pytest.mark.parametrize(("points", "expected"), [
    ([("A", "verified", 1), ("B", "verified", 1)], [set()]),
    ([("A", "verified", 9), ("B", "verified", 1)], [{"A"}]),
    ([("A", "captured", 9), ("B", "verified", 9)], [{"B"}]),
    ([("A", "verified", 9), ("B", "verified", 9), ("C", "failed", 9), ("D", "verified", 9)], [{"A", "B"}, {"A", "D"}])])
def test_which_points_are_read_again(points: list[tuple[str, str, float]], expected: list[set[str]]) -> None:
    """The newest, and one of the others by chance."""
    found = unattended.to_reread([point(state, 10, verified, name) for name, state, verified in points], int(5 * HOUR))
    assert {each.id for each in found} in expected
    assert unattended.to_reread([point("verified", 10, 9, "A")], 0) == []


def test_an_old_point_is_read_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch, point("verified", 1, 1, "A"), point("verified", 99, 99, "B"))
    scheduled(place, {}, reread=3600 * 24)
    seen: list[tuple[str, int]] = []

    class Seen:
        def __init__(self, params: dict[str, Any]) -> None:
            seen.append((params["point"], params["max_age"]))

        def plan(self) -> Any:
            return types.SimpleNamespace(steps=())

    monkeypatch.setattr(unattended, "RecoveryOperation", Seen)
    assert unattended.main(["verify", "acme"]) == 0
    assert seen == [("latest", 0), ("B", 86400)]
    assert runs.last("acme", "verify") and not runs.last("acme", "capture")


@pytest.mark.parametrize("verb", ["capture", "expire"])
def test_a_lock_is_waited_for_and_another_error_is_not(place: Path, monkeypatch: pytest.MonkeyPatch, verb: str) -> None:
    errors = [DomainError("locked", "a release"), DomainError("locked", "a release"), DomainError("store_failed", "gone")]
    seen: list[Any] = []

    class Failing:
        def __init__(self, params: dict[str, Any]) -> None:
            seen.append(params)

        def plan(self) -> Any:
            raise errors[len(seen) - 1]

    monkeypatch.setattr(unattended, "RecoveryOperation", Failing)
    monkeypatch.setattr(unattended.time, "sleep", lambda _seconds: None)
    assert unattended.main([verb, "acme"]) == 1
    assert runs.last("acme", verb) is None
    assert len(seen) == 3 and {params["state"] for params in seen} == {unattended.VERBS[verb]}
    assert seen[0]["retention"] == ({"last": 1, "daily": 0, "weekly": 0, "monthly": 0} if verb == "expire" else None)
    text = (place / "metrics" / f"sysgenpro-recovery-acme-{verb}.prom").read_text()
    assert f'success{{instance_name="acme",verb="{verb}"}} 0' in text and "recovery_points" not in text


def test_nothing_to_verify_is_no_failure(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch)
    assert unattended.main(["verify", "acme"]) == 0
