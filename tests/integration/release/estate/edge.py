# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests through the machine's edge: one at a time, one beside the test, many at once, and a shop's whole day."""

from __future__ import annotations

import asyncio
import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aiohttp
from load import BackgroundLoad, Config, Pace, Tenant
from load.browser import FixedResolver

if TYPE_CHECKING:
    from .place import Estate

PATIENCE = 300
LIGHT = Pace(list_users=1, write_users=1, page_users=0, login_users=0, upload_users=1, slow_upload_users=0, realtime_users=0)
"""For tests that look at something else, and need somebody at work meanwhile."""
ORDINARY = Pace(
    list_users=1, write_users=1, page_users=1, page_think=4.0, login_users=1, login_think=4.0, upload_users=1, slow_upload_users=1,
    slow_upload_think=4.0, slow_upload_seconds=6.0, realtime_users=1)
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


async def _herd(estate: Estate, host: str, path: str, count: int) -> list[tuple[int, float]]:
    began = time.monotonic()
    connector = aiohttp.TCPConnector(
        limit=0, ssl=ssl.create_default_context(cafile=estate.authority), resolver=FixedResolver({host: estate.machine.address}))
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=PATIENCE)) as session:
        async def one() -> tuple[int, float]:
            try:
                async with session.get(f"https://{host}{path}") as answer:
                    await answer.read()
                    return answer.status, time.monotonic() - began
            except (aiohttp.ClientError, OSError, TimeoutError):
                return 0, time.monotonic() - began

        return list(await asyncio.gather(*(one() for _ in range(count))))


class Herd:
    """Many requests that begin at once, beside the test.

    :ivar began: when, in epoch seconds.
    """

    def __init__(self, estate: Estate, host: str, path: str, count: int) -> None:
        self.began = time.time()
        self._found: list[tuple[int, float]] = []
        self._thread = threading.Thread(target=self._run, args=(estate, host, path, count), daemon=True)
        self._thread.start()

    def _run(self, *arguments: Any) -> None:
        self._found = asyncio.run(_herd(*arguments))

    def answers(self) -> list[tuple[int, float]]:
        """Status and seconds of each; status 0 where none came."""
        self._thread.join(PATIENCE + 30)
        return self._found


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
    return f"{total.requests} requests, none failed, longest {total.longest} s; {load.kept['fault'].written} writes kept"


def worked(load: BackgroundLoad, kinds: Pace = LIGHT) -> None:
    """Fail unless a shop did all that it was to do, and all its writes are there."""
    total, kept = load.summary(), load.kept["fault"]
    assert kept.whole and kept.written, f"writes: {kept}"
    realtime = {"websocket", "longpolling"}
    expected = {kind for kind in ("list", "write", "page", "login", "upload", "slow_upload") if getattr(kinds, f"{kind}_users")}
    assert not expected - set(total.kinds), f"nobody did {expected - set(total.kinds)}, only {total.kinds}"
    assert not kinds.realtime_users or realtime & set(total.kinds), f"there was no realtime connection, only {total.kinds}"
