# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent as it runs in a pod: asked by HTTP, on this machine's own connections and a directory of its own."""

from __future__ import annotations

import http.client
import json
import socket
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime import agent


@pytest.fixture
def port(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    for name in ("run", "state"):
        (tmp_path / name).mkdir()
    (tmp_path / "token").write_text("secret\n")
    for name, path in (("RUN", "run"), ("STATE", "state"), ("TOKEN", "token"), ("GO", "run/.go"), ("LEADING", "run/leading")):
        monkeypatch.setattr(agent, name, str(tmp_path / path))
    server = ThreadingHTTPServer(("127.0.0.1", 0), agent.Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()


def asked(port: int, change: Any = None, token: str = "secret") -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    body = None if change is None else change if isinstance(change, str) else json.dumps(change)
    connection.request("GET" if change is None else "POST", "/", body, {"X-Sysgenpro-Token": token})
    answer = connection.getresponse()
    text = answer.read()
    return answer.status, json.loads(text) if answer.status == 200 else None


def test_it_tells_who_knows_the_token(port: int, tmp_path: Path) -> None:
    assert asked(port, token="")[0] == asked(port, token="guessed")[0] == asked(port, {"go": True}, token="guessed")[0] == 403
    assert not (tmp_path / "run" / ".go").exists()
    (tmp_path / "token").write_text("")
    assert asked(port, token="")[0] == 403, "no token is nobody's token"


def test_it_tells_connections_requests_and_own_work(port: int, tmp_path: Path) -> None:
    (tmp_path / "run" / "17-1").write_text(json.dumps({"method": "POST", "path": "/shop", "uid": 7, "since": 1.5}))
    (tmp_path / "run" / "18-1").write_text("{")
    (tmp_path / "run" / ".own-work").write_text("poller: thread one\n")
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as one:
        accepted, _peer = listening.accept()
        status, said = asked(port)
        assert status == 200 and said["connections"][str(listening.getsockname()[1])] == 1
        accepted.close()
        one.close()
    assert said["requests"] == ["POST /shop of user 7, since 1.5"] and said["own_work"] == ["poller: thread one"] and said["gone"] is False


def test_it_lets_go_marks_and_forgets(port: int, tmp_path: Path) -> None:
    run = tmp_path / "run"
    (run / "bundle_changed-1").write_text("x")
    assert asked(port, {"go": True, "leading": True, "forget_calls": True})[1]["gone"] is True
    assert (run / "leading").exists() and not (run / "bundle_changed-1").exists()
    asked(port, {"leading": False})
    assert not (run / "leading").exists() and (run / ".go").exists()
    assert asked(port, "no json")[0] == 400


def test_a_pod_that_comes_later_finds_what_was_told_before(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(agent, "LOOK", 0.01)
    (tmp_path / "state" / "go").write_text("1")
    (tmp_path / "state" / "leading").write_text("1")
    threading.Thread(target=agent.follow, daemon=True).start()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline and not (asked(port)[1]["gone"] and (tmp_path / "run" / "leading").exists()):
        time.sleep(0.02)
    assert asked(port)[1]["gone"] and (tmp_path / "run" / "leading").exists()
