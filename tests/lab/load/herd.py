# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many who come at the same moment, each by a connection of its own: readers, writers, websockets, polls."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import resource
import ssl
import threading
import time
from collections.abc import Awaitable, Callable, Mapping

import aiohttp

from .browser import FixedResolver

Ask = Callable[[aiohttp.ClientSession, int], Awaitable[tuple[int, Mapping[str, str]]]]
"""What one of the herd does; gives the status and the headers of its answer."""


@dataclasses.dataclass(frozen=True)
class Answered:
    """What became of one of the herd.

    :ivar status: HTTP status, 101 for a websocket that opened and was subscribed, 0 where nothing was answered.
    :ivar seconds: from the beginning of the whole herd.
    :ivar reason: what happened where nothing was answered.
    """

    status: int
    seconds: float
    reason: str = ""
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Target:
    """Where a herd goes.

    :ivar base: as ``https://shop.example``.
    :ivar address: where the host is; None asks the resolver.
    :ivar ca: file with the authority to trust.
    :ivar cookies: of somebody who is logged in.
    """

    base: str
    address: str | None = None
    ca: str | None = None
    cookies: Mapping[str, str] = dataclasses.field(default_factory=dict)
    patience: float = 300.0


def get(target: Target, path: str) -> Ask:
    """Everybody reads."""
    async def ask(session: aiohttp.ClientSession, _number: int) -> tuple[int, Mapping[str, str]]:
        async with session.get(target.base + path, allow_redirects=False) as answer:
            await answer.read()
            return answer.status, dict(answer.headers)

    return ask


def write(target: Target, prefix: str) -> Ask:
    """Everybody writes a partner ``<prefix><number>``; an answer of Odoo's that is an error counts as status 0."""
    async def ask(session: aiohttp.ClientSession, number: int) -> tuple[int, Mapping[str, str]]:
        params = {"model": "res.partner", "method": "create", "args": [{"name": f"{prefix}{number}"}], "kwargs": {}}
        body = {"jsonrpc": "2.0", "method": "call", "params": params, "id": number}
        async with session.post(target.base + "/web/dataset/call_kw/res.partner/create", json=body) as answer:
            text = await answer.text()
            if answer.status == 200 and "result" not in json.loads(text):
                raise OSError(text[:300])
            return answer.status, dict(answer.headers)

    return ask


def websocket(target: Target) -> Ask:
    """Everybody opens a websocket, subscribes, and has it stay open for a moment."""
    async def ask(session: aiohttp.ClientSession, _number: int) -> tuple[int, Mapping[str, str]]:
        async with session.ws_connect(target.base + "/websocket", origin=target.base) as socket:
            await socket.send_json({"event_name": "subscribe", "data": {"channels": [], "last": 0}})
            try:
                message = await socket.receive(timeout=3)
            except TimeoutError:
                return 101, {}
            if message.type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR):
                raise OSError(f"closed: {socket.close_code}")
            return 101, {}

    return ask


def poll(target: Target) -> Ask:
    """Everybody polls (Odoo 14 and 15), and is content once the server holds the poll open."""
    async def ask(session: aiohttp.ClientSession, number: int) -> tuple[int, Mapping[str, str]]:
        body = {"jsonrpc": "2.0", "method": "call", "id": number, "params": {"channels": [], "last": 0, "options": {}}}
        async with session.post(target.base + "/longpolling/poll", json=body) as answer:
            if "result" not in await answer.json():
                raise OSError((await answer.text())[:300])
            return answer.status, dict(answer.headers)

    return ask


async def _run(target: Target, ask: Ask, count: int) -> list[Answered]:
    began = time.monotonic()
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)  # a socket each
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    trust = ssl.create_default_context(cafile=target.ca) if target.ca else None
    host = target.base.split("//", 1)[1].split(":")[0]
    connector = aiohttp.TCPConnector(
        limit=0, force_close=True, resolver=FixedResolver({host: target.address} if target.address else {}), **({"ssl": trust} if trust else {}))
    headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in target.cookies.items())} if target.cookies else {}
    timeout = aiohttp.ClientTimeout(total=target.patience)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout, headers=headers, cookie_jar=aiohttp.DummyCookieJar()) as session:
        session._retry_connection = False  # aiohttp would ask again by itself

        async def one(number: int) -> Answered:
            try:
                status, found = await ask(session, number)
                return Answered(status, time.monotonic() - began, headers={name.lower(): value for name, value in found.items()})
            except aiohttp.WSServerHandshakeError as error:
                return Answered(error.status, time.monotonic() - began)
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                return Answered(0, time.monotonic() - began, f"{type(error).__name__}: {error}")

        return list(await asyncio.gather(*(one(number) for number in range(count))))


class Herd:
    """A herd beside the test, which begins at once.

    :ivar began: when, in epoch seconds.
    """

    def __init__(self, target: Target, ask: Ask, count: int) -> None:
        self.began = time.time()
        self._found: list[Answered] = []
        self._patience = target.patience
        self._thread = threading.Thread(target=self._main, args=(target, ask, count), daemon=True)
        self._thread.start()

    def _main(self, target: Target, ask: Ask, count: int) -> None:
        with contextlib.suppress(RuntimeError):
            self._found = asyncio.run(_run(target, ask, count))

    def answers(self) -> list[Answered]:
        """Wait for all, then say what became of each."""
        self._thread.join(self._patience + 60)
        return self._found


def came_to(answers: list[Answered]) -> dict[str, int]:
    """How many were answered how: by status, or by what happened where there was no answer."""
    return dict(collections.Counter(one.reason[:120] or str(one.status) for one in answers))
