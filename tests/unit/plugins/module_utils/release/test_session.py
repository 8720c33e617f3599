# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking a session store, which here is a socket that answers as Redis does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import session

PASSWORD = "a b {{ x }} $é '\""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Callable[..., tuple[str, list[bytes]]]]:
    listening: list[socket.socket] = []

    def start(*answers: bytes) -> tuple[str, list[bytes]]:
        path, asked = str(tmp_path / "redis.sock"), list[bytes]()
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        listening.append(server)

        def serve() -> None:
            for answer in answers:
                stream, _address = server.accept()
                asked.append(stream.recv(65536))
                stream.sendall(answer)
                stream.close()

        threading.Thread(target=serve, daemon=True).start()
        return path, asked

    yield start
    for server in listening:
        server.close()


def ask(path: str) -> None:
    session.check_session({"socket": path, "username": "odoo", "password": PASSWORD})


def test_it_lets_in(redis: Callable[..., tuple[str, list[bytes]]]) -> None:
    path, asked = redis(b"+OK\r\n")
    ask(path)
    secret = PASSWORD.encode()
    assert asked == [b"*3\r\n$4\r\nAUTH\r\n$4\r\nodoo\r\n$%d\r\n%s\r\n" % (len(secret), secret)]
    session.check_session(None)


def test_a_password_that_it_does_not_know(redis: Callable[..., tuple[str, list[bytes]]]) -> None:
    path, _asked = redis(b"-WRONGPASS invalid username-password pair or user is disabled.\r\n")
    with pytest.raises(DomainError) as error:
        ask(path)
    assert error.value.code == "session_denied" and "session.password" in error.value.message and "WRONGPASS" in error.value.message
    assert PASSWORD not in str(error.value)


def test_one_that_restarts_is_waited_for(redis: Callable[..., tuple[str, list[bytes]]]) -> None:
    path, asked = redis(b"-LOADING Redis is loading the dataset in memory\r\n", b"", b"+OK\r\n")
    ask(path)
    assert len(asked) == 3


def test_one_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "PATIENCE", 0)
    with pytest.raises(DomainError) as error:
        ask(str(tmp_path / "nothing.sock"))
    assert error.value.code == "session_down"
