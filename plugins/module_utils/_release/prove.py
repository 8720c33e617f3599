# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Proving a colour ready on its own address, before a single request is led to it."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from ansible.module_utils.urls import open_url

from .._instance.names import HTTP, REALTIME
from .._instance.series import Series
from .._kernel.errors import DomainError
from .._kernel.wait import Deadline, WaitTimeout, wait_until

_ASSET = re.compile(r"""(?:src|href)=["'](/web/(?:assets|content)/[^"']+?\.(?:js|css))["']""")
# A bundle may take long the first time; in seconds.
_REQUEST = 120
# Halves of what is proven inside (addons/sysgenpro_ready/proof.py).
PARTS = ("login", "pages")


class NotReady(Exception):
    """Why a colour is not ready; final, waiting does not help."""


def prove(address: str, series: Series, database: str, token: str, host: str, seconds: float,
          alive: Callable[[], bool]) -> dict[str, Any]:
    """Prove that a colour serves this database: registry, web client, assets, printing, websocket.

    :param address: the colour's own IPv4 address.
    :param token: what ``/sysgenpro/ready`` asks for.
    :param host: the host name browsers use.
    :param alive: whether its container still runs; a dead one is not waited for.
    :return: what was proven, for the journal.
    :raises DomainError: ``not_ready``, naming what does not come up.
    """
    deadline = Deadline(seconds)
    try:
        _wait_for_port(address, series, host, deadline, alive)
        with ThreadPoolExecutor(1) as aside:
            # The websocket process loads a registry of its own.
            realtime = aside.submit(_wait_for_realtime, address, series, host, deadline)
            found = _inside(address, token, host, series, database, deadline)
            assets = _assets(address, host, found.get("assets", []), deadline)
            realtime.result()
    except (NotReady, WaitTimeout, OSError, http.client.HTTPException) as error:
        raise DomainError("not_ready", f"{address} is not ready: {error}") from None
    return {"assets": assets, "checks": found.get("checks", [])}


def _wait_for_port(address: str, series: Series, host: str, deadline: Deadline, alive: Callable[[], bool]) -> None:
    def answers() -> bool:
        try:
            return request(address, HTTP, "GET", series.health, host)[0] < 500
        except OSError:
            if not alive():
                raise NotReady("its process ended while starting") from None
            return False

    try:
        wait_until(answers, deadline, interval=0.1)
    except WaitTimeout as error:
        raise NotReady(f"it does not answer {series.health}: {error}") from None


def _inside(address: str, token: str, host: str, series: Series, database: str, deadline: Deadline) -> dict[str, Any]:
    """Ask the process itself, two of its workers at the same time. An image without the add-on is asked for its login page instead."""
    with ThreadPoolExecutor(len(PARTS)) as workers:
        answers = [answer for answer in workers.map(lambda part: _part(address, token, host, part, database, deadline), PARTS) if answer]
    if answers:
        # Both begin with the same checks; an image of before the parts were known gives all of it twice.
        checks = {check["name"]: check for answer in answers for check in answer["checks"]}
        return {"checks": list(checks.values()), "assets": list(dict.fromkeys(url for answer in answers for url in answer["assets"]))}
    status, body, headers = request(address, HTTP, "GET", "/web/login", host)
    if status != 200:
        raise NotReady(f"/web/login answers {status} {headers.get('Location', '')}")
    return {"assets": sorted(set(_ASSET.findall(body.decode(errors="replace"))))}


def _part(address: str, token: str, host: str, part: str, database: str, deadline: Deadline) -> dict[str, Any] | None:
    """A part of the proof; None from an image that gives none."""
    status, body, _headers = request(address, HTTP, "POST", "/sysgenpro/ready", host,
                                     {"X-Sysgenpro-Token": token, "X-Sysgenpro-Part": part}, timeout=max(5.0, deadline.left))
    if status == 404:
        return None
    try:
        found: dict[str, Any] = json.loads(body)
    except ValueError:
        raise NotReady(f"/sysgenpro/ready answers {status}") from None
    broken = ["{}: {}".format(c["name"], c.get("detail", "")) for c in found.get("checks", []) if not c.get("ok")]
    if status != 200 or not found.get("ok") or broken:
        raise NotReady("; ".join(broken) or f"/sysgenpro/ready answers {status}")
    if found.get("database") != database:
        raise NotReady("it serves the database {!r}, not {!r}".format(found.get("database"), database))
    return {"checks": found.get("checks", []), "assets": found.get("assets", [])}


def _assets(address: str, host: str, urls: list[str], deadline: Deadline) -> int:
    for url in urls:
        status, body, _headers = request(address, HTTP, "GET", url, host, timeout=max(5.0, deadline.left))
        if status != 200 or not body:
            raise NotReady(f"the asset {url} answers {status} with {len(body)} bytes")
    return len(urls)


def _wait_for_realtime(address: str, series: Series, host: str, deadline: Deadline) -> None:
    """The second process starts after the first."""
    while True:
        try:
            return _realtime(address, series, host)
        except ConnectionRefusedError:
            if deadline.passed:
                raise
            time.sleep(0.1)


def _realtime(address: str, series: Series, host: str) -> None:
    """A websocket opens (RFC 6455, section 4.1), or before Odoo 16 the longpolling process answers."""
    if not series.websocket:
        status, said, _headers = request(address, REALTIME, "POST", "/web/webclient/version_info", host, {"Content-Type": "application/json"},
                                         body=b'{"jsonrpc": "2.0", "method": "call", "params": {}}')
        if status != 200 or b"server_version" not in said:
            raise NotReady(f"the longpolling process answers {status}")
        return
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
               "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(), "Origin": "http://" + host}
    status = request(address, REALTIME, "GET", series.realtime, host, headers, timeout=20, read=False)[0]
    if status != 101:
        raise NotReady(f"the websocket answers {status} instead of 101")


def request(address: str, port: int, method: str, path: str, host: str, headers: Mapping[str, str] | None = None,
            timeout: float = _REQUEST, read: bool = True, body: bytes = b"") -> tuple[int, bytes, Mapping[str, str]]:
    """One HTTP request to a process' own address. :raises OSError: also where HTTP is not spoken."""
    connection = http.client.HTTPConnection(address, port, timeout=timeout)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        values = {"Host": host, "X-Forwarded-Host": host, "X-Forwarded-Proto": "https", "X-Forwarded-For": "127.0.0.1",
                  "Content-Length": str(len(body)), **(headers or {})}
        for key, value in values.items():
            connection.putheader(key, value)
        connection.endheaders(body or None)
        response = connection.getresponse()
        content = response.read() if read and response.status != 101 else b""
        return response.status, content, dict(response.getheaders())
    except http.client.HTTPException as error:
        raise OSError(f"no HTTP from {address}:{port}: {error!r}") from None
    finally:
        connection.close()


def edge_counts(url: str, service: str) -> tuple[int, int]:
    """Requests and server errors of a service so far, from Traefik's metrics (Prometheus text format 0.0.4).

    The router's counters say what clients were answered; the service's count each attempt of a held request as an error.

    :raises OSError: where the edge does not answer.
    """
    total = errors = 0
    with closing(open_url(url, timeout=5, http_agent="sysgenpro")) as response:
        for line in response.read().decode().splitlines():
            if line.startswith("traefik_router_requests_total{") and f'service="{service}"' in line:
                count = int(float(line.rsplit(" ", 1)[1]))
                total += count
                if re.search(r'code="5\d\d"', line):
                    errors += count
    return total, errors
