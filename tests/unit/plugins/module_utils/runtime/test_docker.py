# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes as Docker takes them, and what a daemon left behind."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import time
import types
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import LABEL
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.text import parse_memory
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime import docker
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.daemon import (
    APIError,
    Container,
    Daemon,
    NotFound,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.docker import DockerRuntime
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.protocol import Found, Outcome, Spec
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(("text", "size"), [
    ("2g", 2 * 1024 ** 3), ("512m", 512 * 1024 ** 2), ("1.5G", 1536 * 1024 ** 2), ("64k", 65536), ("6291456b", 6291456)])
def test_sizes(text: str, size: int) -> None:
    assert parse_memory("processes.web_memory", text) == size


@pytest.mark.parametrize("text", ["", "g", ".g", "2", "2gb", "-1g", "1.2.3g", "²g", "1_0m", " 2g", "0g", "2 g", "infg"])
def test_what_is_no_size_names_the_field(text: str) -> None:
    with pytest.raises(DomainError) as error:
        parse_memory("processes.web_memory", text)
    assert error.value.code == "bad_input" and error.value.message.startswith("processes.web_memory is")


@given(st.text(max_size=6))
def test_any_text_gives_a_size_or_the_error(text: str) -> None:
    try:
        assert parse_memory("x", text) > 0
    except DomainError as error:
        assert error.code == "bad_input"


class LeftBehind:
    """Has an endpoint of a container that is gone; forgets it only by a name that no container has."""

    def __init__(self, left: bool, reason: str = "endpoint with name acme-blue-web already exists in network acme") -> None:
        self.left, self.reason = left, reason
        self.containers = {"acme-blue-web": "created"}

    def start(self, name: str) -> None:
        if self.left:
            raise APIError("409", explanation=self.reason)
        self.containers[name] = "running"

    def rename(self, old: str, new: str) -> None:
        self.containers[new] = self.containers.pop(old)

    def disconnect_container_from_network(self, container: str, network: str, force: bool) -> None:
        assert force and network == "acme"
        if container in self.containers:
            raise APIError("403", explanation="is not connected")
        if not self.left:
            raise NotFound("404")
        self.left = False


def runtime(daemon: LeftBehind) -> Any:
    made = Daemon.__new__(Daemon)
    made._client = types.SimpleNamespace(api=daemon)
    return made


@pytest.mark.parametrize("left", [True, False])
def test_an_endpoint_left_behind_does_not_keep_a_container_from_starting(left: bool) -> None:
    daemon = LeftBehind(left)
    runtime(daemon).start("acme-blue-web")
    assert daemon.containers == {"acme-blue-web": "running"}


def test_another_reason_is_told() -> None:
    daemon = LeftBehind(True, "driver failed programming external connectivity")
    with pytest.raises(DomainError, match="starting acme-blue-web: driver failed"):
        runtime(daemon).start("acme-blue-web")
    assert daemon.containers == {"acme-blue-web": "created"}


class Ending:
    """One container that is asked to end, and does so when it is looked at ``looks`` times."""

    def __init__(self, looks: int) -> None:
        self.running, self.policy, self.looks, self.did = True, "unless-stopped", looks, []

    def inspect_container(self, name: str) -> dict[str, Any]:
        if self.policy == "no":
            self.looks -= 1
            self.running = self.running and self.looks > 0
        return {"State": {"Running": self.running}, "HostConfig": {"RestartPolicy": {"Name": self.policy}}}

    def update_container(self, name: str, restart_policy: dict[str, str]) -> None:
        self.policy = restart_policy["Name"]

    def kill(self, name: str, signal: str) -> None:
        self.did.append(signal)

    def stop(self, name: str, timeout: int) -> None:
        self.did.append("stop")
        self.running = False

    def start(self, name: str) -> None:
        self.did.append("start")
        self.running = True


def test_what_was_revived_is_not_ended_by_reviving_it_again() -> None:
    """An undo is done again where it could not be written down that it was done: what serves by then goes on."""
    daemon = Ending(looks=3)
    again: Any = runtime(daemon)  # type: ignore[arg-type]
    again.terminate("acme-blue-web")
    again.revive("acme-blue-web", 5)
    assert daemon.did == ["SIGTERM", "start"] and daemon.policy == "unless-stopped"
    again.revive("acme-blue-web", 0)
    assert daemon.did == ["SIGTERM", "start"], "it was ended"


def test_what_does_not_end_is_made_to() -> None:
    daemon = Ending(looks=10**6)
    again: Any = runtime(daemon)  # type: ignore[arg-type]
    again.terminate("acme-blue-web")
    again.revive("acme-blue-web", 0.2)
    assert daemon.did == ["SIGTERM", "stop", "start"]


class Writing:
    """Containers with logs, as Docker gives them."""

    def __init__(self) -> None:
        self.said = {"acme-blue-web": b"2026-11-29T15:00:00.000000001Z hello\n"}

    def logs(self, name: str, timestamps: bool, tail: int) -> bytes:
        if name not in self.said:
            raise NotFound("404")
        return self.said[name]

    def remove_container(self, name: str, force: bool, v: bool) -> None:
        if self.said.pop(name, None) is None:
            raise NotFound("404")


def test_the_log_of_a_container_that_goes_is_kept(tmp_path: Path) -> None:
    daemon = Writing()
    made: Any = runtime(daemon)  # type: ignore[arg-type]
    made.logs_to = str(tmp_path / "logs")
    for number in range(5):
        daemon.said["acme-blue-web"] = b"%d\n" % number
        daemon.said["acme-blue-web-2"] = b"another's\n"
        made.remove("acme-blue-web")
        made.remove("acme-green-web")
    kept = sorted((tmp_path / "logs").iterdir())
    assert [path.read_bytes() for path in kept] == [b"2\n", b"3\n", b"4\n"]
    assert all(path.name.startswith("acme-blue-web.") and path.stat().st_mode & 0o777 == 0o600 for path in kept)
    made.remove("acme-blue-web-2")
    assert len(list((tmp_path / "logs").iterdir())) == 4


def test_a_log_that_cannot_be_kept_keeps_nobody(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    made: Any = runtime(Writing())  # type: ignore[arg-type]
    for place in ("", str(tmp_path / "file")):
        made._client.api.said["acme-blue-web"] = b"x"
        made.logs_to = place
        made.remove("acme-blue-web")
        assert not made._client.api.said


class Kept:
    """Takes what it is asked for, and keeps it."""

    def __init__(self) -> None:
        self.made: list[Any] = []
        self.did: list[tuple[str, ...]] = []

    def create(self, spec: Any) -> None:
        self.made.append(spec)

    def __getattr__(self, what: str) -> Any:
        return lambda *given, **_more: self.did.append((what, *map(str, given)))


def places(tmp_path: Path) -> tuple[DockerRuntime, Kept]:
    kept: Any = Kept()
    return DockerRuntime(kept, "acme-production", str(tmp_path / "acme"), "172.28.1.0/24", os.getuid(), {"/run/pg": "/run/x"}, str(tmp_path / "run")), kept


SPEC = Spec(kind="web", colour="blue", release="sha256:r", image="sha256:i", config="sha256:c", reference="r/odoo@sha256:i", command=["/usr/bin/odoo"],
            files={"odoo.conf": "[options]\n"}, environment={}, memory=1 << 30, waits=True)


def test_what_is_made_to_wait_waits_for_its_start_and_through_a_boot(tmp_path: Path) -> None:
    """The file that it waits for lies on the disk, and a place that is made anew does not inherit it."""
    runtime, kept = places(tmp_path)
    runtime.make("blue-web", SPEC)
    wait = tmp_path / "acme" / "config" / "blue-web" / "wait"
    assert not wait.exists() and kept.made[0].command[3:] == ["sh", "/usr/bin/odoo"]
    runtime.warm("blue-web")
    assert wait.exists() and kept.did[-1] == ("start", "acme-production-blue-web")
    runtime.start("blue-web")
    assert not wait.exists() and kept.did[-1] == ("start", "acme-production-blue-web")
    runtime.warm("blue-web")
    runtime.make("blue-web", dataclasses.replace(SPEC, waits=False))
    assert not wait.exists() and kept.made[-1].command == ["/usr/bin/odoo"]


def test_a_container_gets_what_its_tenant_may_take(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever was asked for: a release between two runs of site is limited as well."""
    runtime, kept = places(tmp_path)
    asked = dataclasses.replace(SPEC, memory=8 << 30, cpus=8.0)
    monkeypatch.setattr(docker.bounds.read, "__defaults__", (str(tmp_path),))
    runtime.make("blue-web", asked)
    share = docker.bounds.Bounds(2 << 30, Decimal("1.5"), 700, 512)
    (tmp_path / "acme-production.json").write_text(json.dumps({"containers": {"web": share.as_dict(), "once": {**share.as_dict(), "memory": 4 << 30}}}))
    runtime.make("blue-web", asked)
    runtime.make("update", dataclasses.replace(asked, kind="update", colour=""))
    assert [(one.memory >> 30, one.cpus, one.pids, one.weight) for one in kept.made] == [(8, 8.0, 1024, 0), (2, 1.5, 700, 512), (4, 1.5, 700, 512)]


def test_the_gate_passes_on_arguments_signals_and_the_exit_code(tmp_path: Path) -> None:
    """With a real shell."""
    gate = docker._GATE.replace(docker.ETC, str(tmp_path))
    (tmp_path / "wait").touch()
    command = ["sh", "-c", gate, "sh", "sh", "-c", 'trap "exit 7" TERM; echo "$1"; while :; do sleep 0.02; done', "sh", "two words"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        time.sleep(0.3)
        assert process.poll() is None
        (tmp_path / "wait").unlink()
        assert process.stdout is not None and process.stdout.readline() == "two words\n"
        process.terminate()
        assert process.wait(10) == 7


def test_places_and_whatever_else_bears_the_label(tmp_path: Path) -> None:
    runtime, kept = places(tmp_path)
    labels = {LABEL + "release": "r", LABEL + "image": "i", LABEL + "config": "c"}
    kept.observe = lambda instance: [Container("acme-production-blue-web", "running", labels), Container("by-hand", "exited", {})]  # type: ignore[method-assign]
    assert runtime.observe() == {"blue-web": Found("acme-production-blue-web", "running", True, "r", "i", "c"), "/by-hand": Found("by-hand", "exited", False)}
    runtime.remove("/by-hand")
    runtime.remove("rehearsal")
    assert kept.did[-3:] == [("remove", "by-hand"), ("remove", "acme-production-rehearsal"), ("remove_network", "acme-production-rehearsal")]


@pytest.mark.parametrize(("state", "outcome"), [
    ({}, Outcome(False)), ({"Running": True, "Status": "running", "ExitCode": 0}, Outcome(True)),
    ({"Running": False, "Status": "created", "ExitCode": 0}, Outcome(True)), ({"Running": False, "Status": "exited", "ExitCode": 3}, Outcome(True, True, 3)),
    ({"Running": False, "Status": "exited", "ExitCode": 137, "OOMKilled": True}, Outcome(True, True, 137, True))])
def test_how_a_place_stands(tmp_path: Path, state: dict[str, Any], outcome: Outcome) -> None:
    runtime, kept = places(tmp_path)
    kept.state = lambda name: state  # type: ignore[attr-defined]
    assert runtime.outcome("update") == outcome
