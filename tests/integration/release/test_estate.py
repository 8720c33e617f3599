# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two instances on one machine: waves that stop, and that go on after the playbook was killed; drift that somebody's hand made, and the gate that sees it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from estate import Estate
from estate.place import INSTANCE, NEIGHBOUR, ROOT
from test_governed import People

pytestmark = [pytest.mark.slow, pytest.mark.dear]


def canary(name: str) -> dict[str, str]:
    """Variables of the waves: one instance is the canary, the other is of the region eu."""
    return {"instance_ring": "{{{{ 'canary' if inventory_hostname == '{}' else '' }}}}".format(name), "instance_region": "eu"}


def operations(estate: Estate, instance: str) -> int:
    return int(estate.machine.sh(f"ls /var/lib/sysgenpro/instances/{instance}/state/history 2>/dev/null | wc -l"))


def running(estate: Estate, instance: str) -> str:
    names = {reference.rpartition("@")[2]: name for name, reference in estate.releases.items()}
    image = estate.machine.sh(f"docker ps -q --filter name={instance}- | xargs -r docker inspect --format '{{{{index .Config.Labels \"org.sysgenpro.image\"}}}}' | sort -u")
    return names.get(image.strip(), image.strip())


def killed(estate: Estate, said: str, **variables: Any) -> None:
    """Run the waves, and kill the whole playbook as soon as it has said something."""
    log = estate.state / "logs" / "killed-waves.log"
    # A session of its own, so that its workers and their ssh end with it.
    with log.open("w", encoding="utf-8") as stream, subprocess.Popen(
            estate.command("waves", **variables), cwd=ROOT, env=estate.environment(), stdin=subprocess.DEVNULL, stdout=stream,
            stderr=subprocess.STDOUT, start_new_session=True) as process:
        end = time.monotonic() + 600
        while said not in log.read_text(encoding="utf-8"):
            assert process.poll() is None and time.monotonic() < end, log.read_text(encoding="utf-8")[-3000:]
            time.sleep(0.1)
        os.killpg(process.pid, signal.SIGKILL)


def test_waves_stop_and_go_on(estate: Estate, tmp_path: Path) -> None:
    estate.runs("one-a")
    estate.play("release", limit=NEIGHBOUR, instance_release="one-a")
    page = tmp_path / "waves.html"
    wish = {"instance_release": "one-b", "waves_directory": str(tmp_path)}

    # The plan that was approved for the canary is another one: its wave stops, and nothing of the next begins.
    before = operations(estate, NEIGHBOUR)
    stopped = estate.play("waves", True, **wish, **canary(INSTANCE), release_expected_plan_digest={INSTANCE: "sha256:" + "0" * 64}).output
    assert "wave 1 canary: stopped" in stopped and "wave 2 eu: waiting" in stopped
    assert (running(estate, INSTANCE), running(estate, NEIGHBOUR)) == ("one-a", "one-a") and operations(estate, NEIGHBOUR) == before
    assert "stopped" in page.read_text(encoding="utf-8") and "waiting" in page.read_text(encoding="utf-8")

    killed(estate, "wave 1 canary: passed", **wish, **canary(NEIGHBOUR))
    assert running(estate, NEIGHBOUR) == "one-b"
    before = operations(estate, NEIGHBOUR)
    resumed = estate.play("waves", **wish, **canary(NEIGHBOUR)).output
    assert "wave 1 canary: passed" in resumed and "wave 2 eu: passed" in resumed
    assert running(estate, INSTANCE) == "one-b" and operations(estate, NEIGHBOUR) == before
    text = page.read_text(encoding="utf-8")
    assert text.index("1. canary") < text.index("2. eu") and "waiting" not in text

    assert estate.play("waves", **wish, **canary(NEIGHBOUR)).changed == 0
    refused = estate.play("waves", True, **wish, instance_ring="first").output
    assert "instance_ring is 'first', expected canary, or nothing" in refused
    assert "waves_regions is 'moon', expected regions of these instances: eu" in estate.play("waves", True, **wish, **canary(INSTANCE), waves_regions=["moon"]).output


def drift(estate: Estate, directory: Path, fails: bool = False, **variables: Any) -> str:
    return estate.play("drift", fails, drift_directory=str(directory), drift_strict=True, **variables).output


@pytest.fixture
def people(estate: Estate, tmp_path: Path) -> Iterator[People]:
    yield People(estate, tmp_path)
    estate.play("governance", governance_state="absent")
    estate.machine.sh("rm -rf /var/lib/sysgenpro/ledger /var/lib/sysgenpro/governance")


def test_drift_is_found_and_holds_up_a_release(estate: Estate, people: People, tmp_path: Path) -> None:
    # Its image is on the machine then, for a hand to run.
    estate.runs("one-b")
    estate.runs("one-a")
    estate.play("release", limit=NEIGHBOUR, instance_release="one-a")
    assert "nothing differs" in drift(estate, tmp_path, instance_release="one-a")
    assert "declared release" in drift(estate, tmp_path, True, instance_release="one-b")

    said = " ".join(drift(estate, tmp_path, True, instance_config={"log_level": "warn"}, instance_workers=4).split())
    assert "declared config.log_level: recorded not set, found warn" in said and "declared processes.web_workers: recorded" in said

    colour = estate.machine.sh(f"docker ps --format '{{{{.Names}}}}' --filter name={INSTANCE}-.*-web").strip().split("-")[-2]
    cron = f"{INSTANCE}-{colour}-cron"
    other = "green" if colour == "blue" else "blue"
    estate.machine.sh(f"echo 'log_level = debug' >> /var/lib/sysgenpro/instances/{INSTANCE}/config/{colour}-web/odoo.conf")
    estate.machine.sh(f"docker stop {cron} && docker rm -f {INSTANCE}-{other}-web 2>/dev/null;"
                      f" docker run -d --name {INSTANCE}-{other}-web --entrypoint sleep {estate.releases['one-b']} 600")
    said = drift(estate, tmp_path, True)
    assert f"{colour}-cron: recorded runs, found does not run" in " ".join(said.split())
    assert f"{colour}-web: odoo.conf: recorded as it was released, found changed; nobody recorded it" in " ".join(said.split())
    assert f"{other}-web: recorded rests, found runs; nobody recorded it" in " ".join(said.split()) and NEIGHBOUR + ": running" not in said
    assert "nobody recorded it" in (tmp_path / "drift.html").read_text(encoding="utf-8")

    people.gates = [{"gate": "differences"}]
    people.govern()
    assert f"running.{colour}-cron" in estate.release("one-b").message
    # The release that runs takes it back: what was given other files is made anew, in the other colour.
    estate.runs("one-a")
    assert estate.machine.sh(f"docker ps --format '{{{{.Names}}}}' --filter name={INSTANCE}-.*-web").strip() == f"{INSTANCE}-{other}-web"
    assert "nothing differs" in drift(estate, tmp_path)
    estate.play("report", limit=INSTANCE, report_directory=str(tmp_path), report_governance=True)
    text = (tmp_path / "governance.html").read_text(encoding="utf-8")
    assert INSTANCE in text and "all as they were written" in text and "<td>differences</td>" in text
    assert not [gate for gate in estate.release("one-b", state="planned").ok().result["plan"]["gates"]["gates"] if not gate["passed"]]


def test_the_baseline_of_the_policy(estate: Estate, people: People, tmp_path: Path) -> None:
    """What nobody declared is refused, what is declared passes, and what has ended does not."""
    estate.runs("one-a")
    answers = []
    policy: dict[str, Any] = {"default": "test", "baseline": {"processes": {"web_workers": 9}}, "classes": {"test": {"gates": [{"gate": "differences"}]}}}
    for differences in ([], [("2099-01-01T00:00:00Z", "a small machine")], [("2020-01-01T00:00:00Z", "a small machine")]):
        entry = {"class": "test", "environment": "test", "differences": [
            {"what": "processes.web_workers", "owner": "ops@example.com", "reason": reason, "until": until} for until, reason in differences]}
        estate.play("governance", governance_policy={**policy, "instances": {INSTANCE: entry}})
        gates = estate.release("one-b", state="planned").ok().result["plan"]["gates"]["gates"]
        answers.append((gates[0]["passed"], gates[0]["reason"]))
    assert [passed for passed, _reason in answers] == [False, True, False], json.dumps(answers)
    assert "nobody declared: processes.web_workers" in answers[0][1] and "have ended: processes.web_workers (ops@example.com" in answers[2][1]
    endless = {"class": "test", "environment": "test", "differences": [{"what": "x", "owner": "a", "reason": "r"}]}
    assert "differences[0].until" in estate.play("governance", True, governance_policy={**policy, "instances": {INSTANCE: endless}}).output
