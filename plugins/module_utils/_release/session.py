# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The session store, asked before anything is touched whether it lets the instance in: found out later, everybody would wait for it."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.wait import Deadline

# Seconds: for an answer, and for a Redis that restarts.
ANSWER, PATIENCE = 5, 10


def check_session(options: Mapping[str, Any] | None) -> None:
    """:raises DomainError: ``session_down``, ``session_denied``."""
    if not options:
        return
    deadline = Deadline(PATIENCE)
    while True:
        try:
            said = _login(options, options["username"], options["password"])
            break
        except OSError as error:
            if deadline.passed:
                raise DomainError(
                    "session_down", "the session store does not answer at {}: {}".format(_said(options), error),
                    unchanged="Nothing was changed", advice="Start it, or run the site playbook for this machine") from None
            time.sleep(0.3)
    if not said.startswith("+OK"):
        raise DomainError(
            "session_denied", "session.password: the session store at {} does not let {} in: {}".format(
                _said(options), options["username"], said.lstrip("-")),
            unchanged="Nothing was changed", advice="Run the site playbook for this machine, which gives Redis the password of the inventory")


def _said(options: Mapping[str, Any]) -> str:
    return str(options.get("socket") or "{host}, port {port}".format(**options))


def _connected(options: Mapping[str, Any]) -> socket.socket:
    """By its socket, or by TCP with TLS. :raises OSError: also where its certificate is not trusted."""
    if options.get("socket"):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.settimeout(ANSWER)
        try:
            stream.connect(options["socket"])
        except OSError:
            stream.close()
            raise
        return stream
    plain = socket.create_connection((options["host"], options["port"]), ANSWER)
    if not options["tls"]:
        return plain
    try:
        return ssl.create_default_context(cafile=options["ca_path"] or None).wrap_socket(plain, server_hostname=options["host"])
    except OSError:
        plain.close()
        raise


def _login(options: Mapping[str, Any], *login: str) -> str:
    """Redis' answer to AUTH (RESP, https://redis.io/docs/latest/develop/reference/protocol-spec/). :raises OSError:"""
    words = [word.encode() for word in ("AUTH", *login)]
    with _connected(options) as stream:
        stream.sendall(b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words))
        with stream.makefile("rb") as answers:
            line = answers.readline().decode(errors="replace").strip()
    if not line or line.startswith("-LOADING"):
        raise OSError(line.lstrip("-") or "it closed the connection")
    return line
