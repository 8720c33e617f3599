# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An open browser's realtime connection: websocket from Odoo 16, longpolling before.

It reconnects as Odoo's own client does, and watches for the notification ``bundle_changed``, on which a browser tells
its user to refresh the page (Odoo: ``bus/static/src/services/assets_watchdog_service.js``).
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import aiohttp

from .browser import Answer, judge_rpc
from .records import CLOSE
from .work import Work

RECONNECT = 1.0
"""Seconds before it reconnects; Odoo's ``websocket_worker.js`` begins with 1 s as well."""

QUIET = 15.0
"""Seconds in which further ``bundle_changed`` are the same news: one comes per bundle; Odoo gathers them for 10 s."""


BACKLOG = 3.0
"""Seconds after a connection in which what comes may be older than the page that the browser loaded: Odoo hands a client without a
last notification all those of its last 50 s (``bus/models/bus.py``, ``TIMEOUT``), when it reconnects as well as at first."""


class Realtime:
    """Keeps one realtime connection of a tenant open."""

    def __init__(self, work: Work, stopping: asyncio.Event) -> None:
        self.work = work
        self.browser = work.browser
        self._stopping = stopping
        self._last = 0
        self._told = 0.0
        self._new = 0.0
        self._socket: aiohttp.ClientWebSocketResponse[Any] | None = None
        self._polling: asyncio.Task[Answer | None] | None = None
        self._checks: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Stay connected until the run is to stop."""
        connect = self._websocket if self.work.tenant.websocket else self._poll
        while not self._stopping.is_set():
            await connect()
        for check in list(self._checks):
            await check

    async def stop(self) -> None:
        """Close as a browser does that is closed: a poll under way is no longer waited for."""
        if self._socket:
            await self._socket.close()
        if self._polling:
            self._polling.cancel()

    async def _websocket(self) -> None:
        version = self.work.held.websocket_version if self.work.held else None
        began, started = time.time(), time.monotonic()
        url = self.work.tenant.url + "/websocket" + (f"?version={version}" if version else "")
        try:
            async with self.browser.session.ws_connect(url, origin=self.work.tenant.url) as socket:
                self.browser.record(began, time.monotonic() - started, "websocket", "/websocket", 101, "")
                self._socket = socket
                if self._stopping.is_set():  # while it was opening, when there was nothing to close yet
                    return
                self._subscribes()
                await socket.send_json({"event_name": "subscribe", "data": {"channels": [], "last": self._last}})
                async for message in socket:
                    if message.type in (aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY):
                        self._notified(json.loads(message.data))
            if not self._stopping.is_set():
                self.browser.record(time.time(), 0, CLOSE, "/websocket", socket.close_code or 1006, "")
                await asyncio.sleep(RECONNECT)
        except aiohttp.WSServerHandshakeError as error:
            self.browser.record(
                began, time.monotonic() - started, "websocket", "/websocket", error.status, f"status {error.status}"
            )
            await asyncio.sleep(RECONNECT)
        except (aiohttp.ClientError, OSError) as error:
            self.browser.record(
                began, time.monotonic() - started, "websocket", "/websocket", 0, f"{type(error).__name__}: {error}"
            )
            await asyncio.sleep(RECONNECT)
        finally:
            self._socket = None

    async def _poll(self) -> None:
        self._subscribes()
        params = {"channels": [], "last": self._last, "options": {}}
        self._polling = asyncio.create_task(self.browser.send(
            "longpolling", "POST", "/longpolling/poll", judge_rpc, waits=False,
            json={"jsonrpc": "2.0", "method": "call", "params": params, "id": 1},
        ))
        try:
            answer = await self._polling
        except asyncio.CancelledError:
            if self._stopping.is_set():
                return
            raise
        finally:
            self._polling = None
        if answer is None:
            await asyncio.sleep(RECONNECT)
        else:
            self._notified(json.loads(answer.body)["result"])

    def _subscribes(self) -> None:
        """What a client without a last notification is handed now says nothing about the page it holds."""
        if not self._last:
            self._new = time.monotonic() + BACKLOG

    def _notified(self, notifications: list[dict[str, Any]]) -> None:
        for notification in notifications:
            self._last = max(self._last, notification.get("id", 0))
            now = time.monotonic()
            if _kind(notification) == "bundle_changed" and now > self._new and now - self._told > QUIET:
                self._told = now
                check = asyncio.create_task(self._refresh())
                self._checks.add(check)
                check.add_done_callback(self._checks.discard)

    async def _refresh(self) -> None:
        """Told to refresh: the page must then name other bundles than the one that the browser holds."""
        began, held = time.time(), self.work.held
        page = await self.browser.page()
        if page is None:
            return
        early = held is not None and page.assets == held.assets
        self.browser.record(
            began, 0, "refresh", "/web", 200,
            "told to refresh before the new page was served" if early else "", waits=False,
        )
        self.work.held = page


def _kind(notification: dict[str, Any]) -> str:
    """``{"message": {"type": …}}``; before Odoo 15 ``{"channel": [database, type]}``."""
    message = notification.get("message")
    if isinstance(message, dict) and "type" in message:
        return str(message["type"])
    channel = notification.get("channel")
    return str(channel[1]) if isinstance(channel, list) and len(channel) > 1 else ""
