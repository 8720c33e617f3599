# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The verb logs over containers that are there and over what was kept of those that are gone."""

from __future__ import annotations

import runpy
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import docker
import kubernetes
import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "playbooks" / "files" / "logs.py"


def line(ago: int, text: str) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - ago)) + ".000000001Z " + text


def shown(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    def logs(**asked: Any) -> list[bytes]:
        return [line(10, "now").encode()]

    labels = {"org.sysgenpro.kind": "web", "org.sysgenpro.colour": "green"}
    listed = [SimpleNamespace(labels=labels, logs=logs)]
    monkeypatch.setattr(docker, "from_env", lambda: SimpleNamespace(containers=SimpleNamespace(list=lambda **asked: listed)))
    given = {"--kinds": "web,cron,update", "--since": "1h", "--until": "0s", "--lines": "100", "--match": ""}
    given.update(zip(options[::2], options[1::2]))
    monkeypatch.setattr(sys, "argv", ["logs.py", "acme", "--root", str(root), *[word for pair in given.items() for word in pair]])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    return [" ".join(said.split(" ")[1:]) for said in capsys.readouterr().out.splitlines()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in {
        "acme-blue-web.1.log": f"{line(7200, 'long ago')}\n{line(600, 'before')}\n", "acme-update.1.log": line(500, "updated") + "\n",
        "acme-rehearsal.1.log": line(400, "rehearsed") + "\n", "acme-blue-cron.1.log": line(300, "worked") + "\n",
    }.items():  # fmt: skip
        path = tmp_path / "acme" / "state" / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_what_is_gone_and_what_is_there(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(root, monkeypatch, capsys) == [
        "blue web: before", "- update: updated", "- rehearsal: rehearsed", "blue cron: worked", "green web: now"]


@pytest.mark.parametrize(("options", "expected"), [
    (("--kinds", "update"), ["- update: updated", "- rehearsal: rehearsed"]), (("--kinds", "cron"), ["blue cron: worked"]),
    (("--match", "before|now"), ["blue web: before", "green web: now"]), (("--lines", "1"), ["green web: now"]),
    (("--since", "3h", "--until", "1h", "--kinds", "web", "--match", "long"), ["blue web: long ago"]),
])
def test_a_choice(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], expected: list[str]) -> None:
    assert shown(root, monkeypatch, capsys, *options) == expected


def test_pods_of_an_instance_in_a_cluster(root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Those of its places alone; what was kept of one that still ends is told once; a process that the kubelet began anew is read from both its lives."""
    def pod(place: str, restarts: int = 0) -> SimpleNamespace:
        return SimpleNamespace(metadata=SimpleNamespace(name=place + "-1", labels={"org.sysgenpro/place": place}),
                               status=SimpleNamespace(container_statuses=[SimpleNamespace(name="odoo", restart_count=restarts)]))

    kept = (root / "acme" / "state" / "logs" / "acme-blue-cron.1.log").read_text().strip()
    logs = {("green-web-1", False): [line(10, "now")], ("green-web-1", True): [line(20, "died")], ("blue-cron-1", False): [kept],
            ("toolbox-0", False): [line(5, "none of it")], ("update-1", False): []}
    api = SimpleNamespace(
        list_namespaced_pod=lambda namespace, **asked: SimpleNamespace(items=[pod("green-web", 1), pod("blue-cron"), pod("toolbox"), pod("update")]),
        read_namespaced_pod_log=lambda name, namespace, previous, **asked: [said.encode() + b"\n" for said in logs[name, previous]])
    monkeypatch.setattr(kubernetes.config, "load_incluster_config", lambda: None)
    monkeypatch.setattr(kubernetes.client, "CoreV1Api", lambda: api)
    assert shown(root, monkeypatch, capsys, "--namespace", "acme") == [
        "blue web: before", "- update: updated", "- rehearsal: rehearsed", "blue cron: worked", "green web: died", "green web: now"]
