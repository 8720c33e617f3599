# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A user's browser: sends requests, and judges each answer as the user would."""

from __future__ import annotations

import asyncio
import dataclasses
import itertools
import json
import re
import socket
import ssl
import time
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from .config import Config, Tenant
from .records import Record, Records

USER_AGENT = "Mozilla/5.0 (X11; Linux x86_64) sysgenpro-load"
_CSRF = re.compile(r"""csrf_token["']?\s*[:=]\s*["']([^"']+)["']""")
_CSRF_INPUT = re.compile(r"""name="csrf_token"\s+value="([^"]+)""")
_WORKER_VERSION = re.compile(r'"websocket_worker_version":\s*"([^"]+)"')
_PAGE_END = "</html>"


@dataclasses.dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Any
    body: bytes

    @property
    def text(self) -> str:
        """The body, decoded leniently."""
        return self.body.decode("utf-8", "replace")


@dataclasses.dataclass(frozen=True)
class Page:
    """The web client as one page load shows it."""

    assets: tuple[str, ...]
    csrf_token: str
    websocket_version: str | None


class RpcError(Exception):
    """A JSON-RPC call that was not answered with a result; already recorded."""


class FixedResolver(AbstractResolver):
    """Leads a host name to a given address, so that nothing on the controller needs to know the lab's names."""

    def __init__(self, addresses: dict[str, str]) -> None:
        self._addresses = addresses

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        address = self._addresses.get(host, host)
        found = await asyncio.get_running_loop().getaddrinfo(address, port, family=family, type=socket.SOCK_STREAM)
        return [
            ResolveResult(hostname=host, host=str(entry[4][0]), port=port, family=entry[0], proto=0, flags=0)
            for entry in found
        ]

    async def close(self) -> None:
        """Nothing to let go of."""


class Browser:
    """One browser with its cookies at one tenant."""

    def __init__(self, config: Config, tenant: Tenant, records: Records) -> None:
        self.tenant = tenant
        self._records = records
        self._ids = itertools.count(1)
        trust = ssl.create_default_context()
        if config.ca:
            trust.load_verify_locations(config.ca)
        resolver = FixedResolver({tenant.host: tenant.address} if tenant.address else {})
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=trust, resolver=resolver, limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=config.patience),
            headers={"User-Agent": USER_AGENT},
            cookie_jar=aiohttp.CookieJar(unsafe=True),
        )
        # aiohttp repeats a GET whose kept connection was closed under it; here that has to count.
        self.session._retry_connection = False

    async def close(self) -> None:
        """End all connections."""
        await self.session.close()

    def record(self, began: float, seconds: float, kind: str, path: str, status: int, reason: str, **more: Any) -> None:
        """Keep what happened to one request; ``began`` in epoch seconds."""
        self._records.add(
            Record(round(began, 4), round(max(seconds, 0.0), 4), self.tenant.name, kind, path, status, reason, **more)
        )

    async def send(
        self, kind: str, method: str, path: str, judge: Callable[[Answer], str],
        took: Callable[[], float] = lambda: 0.0, marker: str = "", waits: bool = True, **options: Any,
    ) -> Answer | None:
        """Send one request, judge its answer, record it.

        :param judge: says why an answer is wrong, or nothing.
        :param took: seconds the client spent on purpose while sending.
        :returns: the answer if it was right, else None.
        """
        began, started, status = time.time(), time.monotonic(), 0
        answer = None
        try:
            async with self.session.request(
                method, self.tenant.url + path, allow_redirects=False, **options
            ) as response:
                status = response.status
                answer = Answer(status, response.headers, await response.read())
            reason = judge(answer)
        except TimeoutError:
            reason = "no answer in time"
        except (aiohttp.ClientError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
        spent = took()
        self.record(began, time.monotonic() - started - spent, kind, path.split("?")[0], status, reason,
                    marker=marker, waits=waits, took=round(spent, 4))
        return None if reason else answer

    async def login(self, kind: str = "login") -> bool:
        """Log in by the form, as a person does."""
        form = await self.send(kind, "GET", f"/web/login?db={self.tenant.database}", _form)
        if form is None:
            return False
        fields = {
            "csrf_token": _csrf(form.text), "redirect": "",
            "login": self.tenant.login, "password": self.tenant.password,
        }
        return await self.send(kind, "POST", "/web/login", _logged_in, data=fields) is not None

    async def page(self, kind: str = "page") -> Page | None:
        """Load the web client's page."""
        answer = await self.send(kind, "GET", "/web", _client_page)
        if answer is None:
            return None
        version = _WORKER_VERSION.search(answer.text)
        return Page(_assets(answer.text), _csrf(answer.text), version.group(1) if version else None)

    async def asset(self, path: str, kind: str = "asset") -> bool:
        """Load one script or stylesheet."""
        return await self.send(kind, "GET", path, _asset) is not None

    async def call(
        self, kind: str, model: str, method: str, args: list[Any], kwargs: dict[str, Any] | None = None,
        marker: str = "",
    ) -> Any:
        """Call a model's method as the web client does.

        :raises RpcError: when the answer was wrong; it is recorded already.
        """
        params = {"model": model, "method": method, "args": args, "kwargs": kwargs or {}}
        payload = {"jsonrpc": "2.0", "method": "call", "params": params, "id": next(self._ids)}
        answer = await self.send(
            kind, "POST", f"/web/dataset/call_kw/{model}/{method}", judge_rpc, marker=marker, json=payload
        )
        if answer is None:
            raise RpcError(f"{model}.{method}")
        return json.loads(answer.body)["result"]


def judge_rpc(answer: Answer) -> str:
    """Why a JSON-RPC answer is wrong: Odoo reports errors with status 200."""
    if answer.status != 200:
        return _status(answer)
    try:
        data = json.loads(answer.body)
    except ValueError:
        return "no JSON"
    error = data.get("error")
    if error:
        detail = error.get("data") or {}
        if error.get("code") == 100 or "SessionExpired" in str(detail.get("name")):
            return "logged out"
        return "error {}: {}".format(detail.get("name", error.get("code")), str(detail.get("message"))[:160])
    return "" if "result" in data else "neither result nor error"


def _status(answer: Answer) -> str:
    location = answer.headers.get("Location", "")
    if "/web/login" in location:
        return "logged out"
    return f"status {answer.status}" + (f" to {location}" if location else "")


def _form(answer: Answer) -> str:
    if answer.status != 200:
        return _status(answer)
    return "" if _csrf(answer.text) else "no login form"


def _logged_in(answer: Answer) -> str:
    if answer.status not in (302, 303):
        return "login refused" if answer.status == 200 else _status(answer)
    return "login refused" if "/web/login?" in answer.headers.get("Location", "") else ""


def _client_page(answer: Answer) -> str:
    if answer.status != 200:
        return _status(answer)
    if not answer.text.rstrip().endswith(_PAGE_END):
        return "page torn"
    return "" if _assets(answer.text) and _csrf(answer.text) else "not the web client"


def _asset(answer: Answer) -> str:
    if answer.status != 200:
        return f"missing asset ({_status(answer)})"
    kind = answer.headers.get("Content-Type", "")
    if "javascript" not in kind and "css" not in kind:
        return f"asset of type {kind}"
    return "" if answer.body else "empty asset"


def _csrf(text: str) -> str:
    found = _CSRF_INPUT.search(text) or _CSRF.search(text)
    return found.group(1) if found else ""


class _AssetParser(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        source = values.get("src") if tag == "script" else None
        if tag == "link" and values.get("rel") == "stylesheet":
            source = values.get("href")
        if source and source.startswith("/") and not source.startswith("//"):
            self.found.append(source)


def _assets(text: str) -> tuple[str, ...]:
    parser = _AssetParser()
    parser.feed(text)
    return tuple(parser.found)
