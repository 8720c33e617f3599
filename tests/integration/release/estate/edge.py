# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through the machine's edge: one at a time, one beside the test, many at once, and a shop's whole day."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import threading
import time
import urllib.parse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from load import BackgroundLoad, Config, Pace, Tenant
from load.herd import Target

if TYPE_CHECKING:
    from .place import Estate

PATIENCE = 300
LIGHT = Pace(lists=1.0, writes=1.5, pages=0, logins=0, uploads=0.25, slow_uploads=0, realtime_users=0)
"""For tests that look at something else, and need somebody at work meanwhile."""
ORDINARY = Pace(lists=0.5, writes=1.5, pages=0.2, logins=0.2, uploads=0.25, slow_uploads=0.2, slow_upload_seconds=6.0, realtime_users=1)
"""One of each: lists, writes, whole pages with their assets, logins, files at once and over a bad line, and an open websocket or poll."""


class _Connection(http.client.HTTPSConnection):
    """HTTPS to a host name whose address the test knows."""

    def __init__(self, host: str, address: str, authority: str) -> None:
        super().__init__(host, 443, timeout=PATIENCE, context=ssl.create_default_context(cafile=authority))
        self._create_connection = lambda _to, *rest: socket.create_connection((address, 443), *rest)


def get(estate: Estate, host: str, path: str, call: str = "") -> tuple[int, str]:
    """Status and body of one request over a connection of its own. :param call: JSON that is posted."""
    status, body, _headers = fetch(estate, host, path, call)
    return status, body


def fetch(estate: Estate, host: str, path: str, call: str = "") -> tuple[int, str, Mapping[str, str]]:
    """Status, body and headers of one request over a connection of its own; names of headers in lower case."""
    connection = _Connection(host, estate.machine.address, estate.authority)
    try:
        connection.request("POST" if call else "GET", path, call or None, {"Content-Type": "application/json"} if call else {})
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
        return answer.status, body, {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()


class Asked:
    """One request beside the test.

    :ivar ended: when it was answered, in epoch seconds.
    """

    def __init__(self, estate: Estate, host: str, path: str) -> None:
        self.status, self.body, self.ended = 0, "", 0.0
        self.headers: Mapping[str, str] = {}
        self._thread = threading.Thread(target=self._ask, args=(estate, host, path), daemon=True)
        self._thread.start()

    def _ask(self, estate: Estate, host: str, path: str) -> None:
        try:
            self.status, self.body, self.headers = fetch(estate, host, path)
        except OSError as error:
            self.body = f"{type(error).__name__}: {error}"
        self.ended = time.time()

    @property
    def done(self) -> bool:
        return not self._thread.is_alive()

    def answer(self) -> tuple[int, str]:
        """Wait for the answer."""
        self._thread.join(PATIENCE)
        return self.status, self.body


def target(estate: Estate, host: str) -> Target:
    """Where a herd of one who is logged in goes."""
    status, form, headers = fetch(estate, host, "/web/login")
    csrf = re.search(r'name="csrf_token"\s+value="([^"]+)', form)
    assert status == 200 and csrf, f"{status} {form[:300]}"
    fields = urllib.parse.urlencode({"csrf_token": csrf.group(1), "login": "admin", "password": "admin"})
    connection = _Connection(host, estate.machine.address, estate.authority)
    try:
        connection.request("POST", "/web/login", fields, {"Content-Type": "application/x-www-form-urlencoded", "Cookie": _cookie(headers["set-cookie"])})
        answer = connection.getresponse()
        answer.read()
        assert answer.status in (302, 303), answer.status
        name, _is, value = _cookie(answer.getheader("Set-Cookie") or headers["set-cookie"]).partition("=")
    finally:
        connection.close()
    return Target(f"https://{host}", estate.machine.address, estate.authority, {name: value}, PATIENCE)


def _cookie(header: str) -> str:
    found = re.search(r"session_id=[^;]+", header)
    assert found, header
    return found.group(0)


@contextmanager
def shop(estate: Estate, host: str, directory: Path, pace: Pace = LIGHT) -> Iterator[BackgroundLoad]:
    """A shop at work beside the test; ``kept`` of it says afterwards what became of its writes."""
    directory.mkdir(parents=True, exist_ok=True)
    tenant = Tenant(name="fault", url=f"https://{host}", database="fault_one", address=estate.machine.address, pace=pace, series=estate.series)
    with BackgroundLoad(Config(tenants=(tenant,), ca=estate.authority, patience=PATIENCE), str(directory)) as load:
        yield load


def unharmed(load: BackgroundLoad, kinds: Pace = LIGHT) -> str:
    """Fail unless every request of a shop was answered rightly and all its writes are there. Returns a line for people.

    :param kinds: its pace: each kind of work in it must have been done.
    """
    total = load.summary()
    worked(load, kinds)
    assert not total.failed, f"{total.failed} of {total.requests} requests failed: {total.reasons}"
    return f"{total.requests} requests, none failed, longest {total.longest} s, {total.together} waited together at most; {load.kept['fault'].written} writes kept"


def worked(load: BackgroundLoad, kinds: Pace = LIGHT) -> None:
    """Fail unless a shop did all that it was to do, and all its writes are there."""
    total, kept = load.summary(), load.kept["fault"]
    assert kept.whole and kept.written, f"writes: {kept}"
    realtime = {"websocket", "longpolling"}
    expected = {kind for kind in ("list", "write", "page", "login", "upload", "slow_upload") if getattr(kinds, f"{kind}s")}
    assert not expected - set(total.kinds), f"nobody did {expected - set(total.kinds)}, only {total.kinds}"
    assert not kinds.realtime_users or realtime & set(total.kinds), f"there was no realtime connection, only {total.kinds}"
