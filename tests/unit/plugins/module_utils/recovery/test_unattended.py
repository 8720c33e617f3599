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
import types
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery import unattended
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import utc_now


def point(state: str, hours: float) -> Any:
    return types.SimpleNamespace(state=state, taken=utc_now() - datetime.timedelta(hours=hours))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "metrics").mkdir()
    settings = {
        "params": {"instance": "acme", "database": {"name": "acme", "port": 5501, "socket": "/run/x"},
                   "repository": {"location": str(tmp_path / "repository"), "password": "p"}},
        "retention": {"last": 1}, "pruning": None, "oldest": 7200, "metrics": str(tmp_path / "metrics")}
    (tmp_path / "acme.json").write_text(json.dumps(settings))
    monkeypatch.setattr(unattended.read_settings, "__defaults__", (str(tmp_path),))
    return tmp_path


def having(monkeypatch: pytest.MonkeyPatch, *points: Any) -> None:
    monkeypatch.setattr(unattended, "open_points", lambda _wanted: types.SimpleNamespace(all=lambda: list(points)))


@pytest.mark.parametrize("arguments", [[], ["capture"], ["dance", "acme"], ["capture", "acme", "x"]])
def test_called_wrongly(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert unattended.main(arguments) == 2
    assert capsys.readouterr().err.startswith("usage: sysgenpro-recovery capture|verify|expire|check INSTANCE")


def test_no_settings_are_named(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert unattended.main(["capture", "other"]) == 1
    assert "no_settings: " in capsys.readouterr().err


def test_what_the_role_takes_to_the_machine_is_enough(tmp_path: Path) -> None:
    """Nothing but these files, without Ansible."""
    role = Path(__file__).parents[5] / "roles" / "recovery_point"
    parts = yaml.safe_load((role / "vars" / "main.yml").read_text(encoding="utf-8"))["__recovery_point_parts"]
    (tmp_path / "alone").mkdir()
    for part in parts:
        for file in (role.parents[1] / "plugins" / "module_utils").glob(part):
            (tmp_path / "alone" / part).parent.mkdir(exist_ok=True)
            shutil.copy(file, (tmp_path / "alone" / part).parent)
    done = subprocess.run([sys.executable, "-s", "-c", "import runpy, sys; sys.modules['ansible'] = None; sys.argv[1:] = [];"
                           " runpy.run_module('alone._recovery.unattended', run_name='__main__')"],
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
    assert len(seen) == 3 and {params["state"] for params in seen} == {unattended.VERBS[verb]}
    assert seen[0]["retention"] == ({"last": 1, "daily": 0, "weekly": 0, "monthly": 0} if verb == "expire" else None)
    text = (place / "metrics" / f"sysgenpro-recovery-acme-{verb}.prom").read_text()
    assert f'success{{instance_name="acme",verb="{verb}"}} 0' in text and "recovery_points" not in text


def test_nothing_to_verify_is_no_failure(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    having(monkeypatch)
    assert unattended.main(["verify", "acme"]) == 0
