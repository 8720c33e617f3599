# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the people of a shop do all day: look at lists, write, load pages, upload, log in."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
import random
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from .browser import Answer, Browser, Page, RpcError
from .config import Config, Tenant
from .records import Records

AWKWARD = """Ö'Brien "& Söhne" {{ 1/0 }} $HOME {% x %} 東京"""
"""Company and attachment names as they occur: quotes, spaces, template marks, non-ASCII letters."""

LISTS = (
    ("res.partner", ["display_name", "email", "phone"]),
    ("res.users", ["name", "login"]),
    ("ir.module.module", ["name", "state"]),
)


class Work:
    """One tenant's people. Every write leaves ``<run>/<n>`` in the database, to be counted by ``verify``."""

    def __init__(self, config: Config, tenant: Tenant, records: Records, run: str, stopping: asyncio.Event) -> None:
        self.tenant = tenant
        self.run = run
        self._config = config
        self._records = records
        self._stopping = stopping
        self._markers = itertools.count(1)
        self._random = random.Random(f"{run}/{tenant.name}")
        self.browser = Browser(config, tenant, records)
        self.held: Page | None = None
        self.files: dict[str, str] = {}

    async def open(self) -> None:
        """Log the browser in whose session must last for the whole run, and load its page.

        :raises RuntimeError: when the tenant cannot be worked on at all.
        """
        if not await self.browser.login("first_login"):
            raise RuntimeError(f"{self.tenant.name}: cannot log in at {self.tenant.url}; see the records")
        self.held = await self.browser.page()
        if self.held is None:
            raise RuntimeError(f"{self.tenant.name}: the web client does not come up; see the records")

    def people(self) -> list[Awaitable[None]]:
        """Everyone who comes, one coroutine for each kind of work."""
        pace = self.tenant.pace
        kinds: list[tuple[float, Callable[[], Awaitable[None]]]] = [
            (pace.lists, self.look),
            (pace.writes, self.write),
            (pace.pages, self.visit),
            (pace.logins, self.come_and_go),
            (pace.uploads, self.upload),
            (pace.slow_uploads, self.upload_slowly),
        ]
        return [self._arrive(act, rate) for rate, act in kinds if rate]

    async def _arrive(self, act: Callable[[], Awaitable[None]], rate: float) -> None:
        """``rate`` a second arrive at moments that do not depend on each other (a Poisson process). Ends when all are answered."""
        loop = asyncio.get_running_loop()
        under_way: set[asyncio.Task[None]] = set()
        due = loop.time()
        while True:
            due += self._random.expovariate(rate)
            await self._pause(due - loop.time())
            if self._stopping.is_set():
                break
            task = asyncio.ensure_future(self._once(act))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        for task in list(under_way):
            await task

    async def _once(self, act: Callable[[], Awaitable[None]]) -> None:
        with contextlib.suppress(RpcError):  # recorded
            await act()

    async def _pause(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), max(seconds, 0))

    def _marker(self) -> str:
        return f"{self.run}/{next(self._markers)}"

    async def look(self) -> None:
        """One page of a list."""
        model, fields = self._random.choice(LISTS)
        await self.browser.call(
            "list", model, "search_read", [], {"domain": [], "fields": fields, "limit": 40, "order": "id"}
        )

    async def write(self) -> None:
        """A new record, whose name nobody else gives."""
        marker = self._marker()
        await self.browser.call(
            "write", "res.partner", "create", [{"name": marker, "street": AWKWARD}], marker=marker
        )

    async def visit(self) -> None:
        """A browser without a cache: the page and every script and stylesheet that it names, old ones included."""
        page = await self.browser.page()
        if page is None:
            return
        held = self.held.assets if self.held else ()
        for path in dict.fromkeys((*page.assets, *held)):
            await self.browser.asset(path)

    async def come_and_go(self) -> None:
        """Someone opens a browser, logs in, looks and leaves."""
        browser = Browser(self._config, self.tenant, self._records)
        try:
            if await browser.login():
                await browser.page()
        finally:
            await browser.close()

    async def upload(self) -> None:
        """A file at once."""
        content = self._content(self.tenant.pace.upload_bytes)
        await self._upload("upload", content, content, lambda: 0.0)

    async def upload_slowly(self) -> None:
        """A file over a bad line: the request is under way for ``slow_upload_seconds``."""
        content = self._content(self.tenant.pace.upload_bytes)
        pace = self.tenant.pace.slow_upload_seconds
        spent = 0.0

        async def drip() -> AsyncIterator[bytes]:
            nonlocal spent
            loop = asyncio.get_running_loop()
            size = max(len(content) // 16, 1)
            for start in range(0, len(content), size):
                yield content[start : start + size]
                began = loop.time()
                await asyncio.sleep(pace / 16)
                spent += loop.time() - began

        await self._upload("slow_upload", content, drip(), lambda: spent)

    def _content(self, size: int) -> bytes:
        return self._random.randbytes(size)

    async def _upload(
        self, kind: str, content: bytes, source: bytes | AsyncIterator[bytes], took: Callable[[], float]
    ) -> None:
        marker = self._marker()
        with aiohttp.MultipartWriter("form-data") as form:
            for name, value in (
                ("csrf_token", self.held.csrf_token if self.held else ""), ("model", "res.partner"), ("id", "1"),
            ):
                form.append(value).set_content_disposition("form-data", name=name)
            part = form.append(source, {"Content-Type": "application/octet-stream"})
            part.set_content_disposition("form-data", name="ufile", filename=f"{marker.replace('/', '-')}.bin")
        answer = await self.browser.send(
            kind, "POST", "/web/binary/upload_attachment", _uploaded, took=took, marker=marker, data=form
        )
        if answer is not None:
            self.files[marker] = hashlib.sha1(content, usedforsecurity=False).hexdigest()


def _uploaded(answer: Answer) -> str:
    if answer.status != 200:
        return "logged out" if "/web/login" in answer.headers.get("Location", "") else f"status {answer.status}"
    try:
        files = json.loads(answer.body)
    except ValueError:
        return "no JSON"
    return "" if files and files[0].get("id") else f"not stored: {str(files)[:160]}"
