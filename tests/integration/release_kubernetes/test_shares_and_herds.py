# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Requests as a real Traefik shares and holds them: a share for a new colour, grown until it leads or taken back by itself; and hundreds who wait for an update."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api
from ansible_collections.sysgenpro.odoo.tests.integration.release_kubernetes.conftest import EDGE, Instance
from load.herd import Herd, Target, came_to, write
from sgplab import certificates

HERD = 500
FOLLOWS = 3.0
"""Seconds in which the cluster has followed its Service: who comes before that is answered by the old colour, and waited for."""


@pytest.fixture(scope="module")
def shop(instance: Instance) -> Instance:
    """At r1."""
    return instance.create()


def shares(shop: Instance, api: Api) -> list[Any]:
    """What is left of a share."""
    return [found for kind in ("IngressRoute", "HTTPRoute", "TraefikService") if (found := api.get(kind, shop.name, shop.name + "-canary"))]


def test_a_share_grows_until_it_leads(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    shop.tell(instance_canary={"steps": [30, 100], "watch": 20})
    before = shop.leading()
    with shop.load() as requests:
        shop.release("r2")
    found = shop.status()
    assert found["instance"]["colour"] != before and found["history"][0]["name"] == "r2"
    assert shares(shop, api) == []
    told = _told(shop)
    assert [each["percent"] for each in told] == [30, 100]
    # A browser stays with its colour, and there are few of them: so of the first share little can be said.
    assert told[0]["old"]["requests"] > 20 < told[1]["new"]["requests"], told
    figure(f"canary of 30, then 100 of 100: {len(requests)} requests, {sum(bool(each.reason) for each in requests)} failed; new and old answered {told}")
    shop.tell(instance_canary={"steps": [30, 100], "watch": 20})
    assert "changed=0" in shop.release("r2")


def test_one_that_fares_worse_is_taken_back_by_itself(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    """Its pods have a tenth of a processor, so what takes the old colour one slice of it takes the new one many."""
    before = shop.leading()
    shop.tell(instance_canary={"steps": [40, 100], "watch": 60, "slower": 2.0}, instance_processes={"web_cpus": 0.1})
    with shop.load() as requests:
        said = shop.release("r2", fails=True)
    found = re.search(r"with (?:40|100) of 100 requests led to it \w+ fares worse than \w+: half of [^:]*", " ".join(said.split()))
    assert found, said[-3000:]
    assert shop.leading() == before and shop.status()["instance"]["interrupted"] is None
    assert shares(shop, api) == []
    figure(f"canary taken back: {len(requests)} requests, {sum(bool(each.reason) for each in requests)} failed; {found[0]}")


def _told(shop: Instance) -> list[dict[str, Any]]:
    """What the last operation's journal has of its canary."""
    path = shop.shell(f"ls -t /var/lib/sysgenpro/instances/{shop.name}/state/history/* | head -1").strip()
    entries = [json.loads(line) for line in shop.shell(f"cat {path}").splitlines()]
    found: list[dict[str, Any]] = next(entry["data"]["canary"] for entry in entries if entry["event"] == "done" and entry.get("step") == "canary")
    return found


def test_hundreds_of_writers_wait_for_an_update(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    shop.tell(instance_canary={}, instance_processes={})
    edge = api.get("Service", *EDGE)
    assert edge
    where = Target(f"https://{shop.host}", edge["spec"]["clusterIP"], str(certificates.authority()))
    where = Target(where.base, where.address, where.ca, {"session_id": _logged_in(where, shop.database)})
    mark = f"herd {secrets.token_hex(4)}"
    said: list[str] = []
    releasing = threading.Thread(target=lambda: said.append(shop.release("r3")))
    releasing.start()
    until = time.monotonic() + 240
    while _front(shop, api) != "none":
        assert time.monotonic() < until, "nothing was held"
        time.sleep(0.1)
    time.sleep(FOLLOWS)
    began = time.monotonic()
    herd = Herd(where, write(where, mark + "/"), HERD)
    while _front(shop, api) == "none":
        time.sleep(0.1)
    let_go = time.monotonic() - began
    answers = herd.answers()
    releasing.join()
    assert said and shop.status()["history"][0]["name"] == "r3"
    assert came_to(answers) == {"200": HERD}
    # The front leads a moment before this test sees that it does.
    assert min(one.seconds for one in answers) > let_go - 1.5, "somebody was answered while requests were held"
    assert _partners(where, mark) == HERD
    figure(f"{HERD} writers waited {let_go:.1f} s for an update in the cluster: all answered, the last after {max(one.seconds for one in answers):.1f} s")


def _front(shop: Instance, api: Api) -> str:
    found = api.get("Service", shop.name, shop.name)
    assert found
    return str(found["spec"]["selector"].get("org.sysgenpro/place"))


def _call(where: Target, path: str, cookie: str = "", **params: Any) -> tuple[Any, str]:
    """Result and session of a call by JSON."""
    host = where.base.removeprefix("https://")
    connection = http.client.HTTPSConnection(host, timeout=60, context=ssl.create_default_context(cafile=where.ca))
    connection._create_connection = lambda _to, *rest: socket.create_connection((str(where.address), 443), *rest)  # type: ignore[attr-defined]
    try:
        connection.request("POST", path, json.dumps({"jsonrpc": "2.0", "params": params}), {"Content-Type": "application/json", "Cookie": cookie})
        answer = connection.getresponse()
        body = json.loads(answer.read())
        found = re.search(r"session_id=([^;]+)", answer.headers.get("Set-Cookie", ""))
        return body["result"], found[1] if found else ""
    finally:
        connection.close()


def _logged_in(where: Target, database: str) -> str:
    return _call(where, "/web/session/authenticate", db=database, login="admin", password="admin")[1]


def _partners(where: Target, mark: str) -> int:
    return int(_call(where, "/web/dataset/call_kw", f"session_id={where.cookies['session_id']}", model="res.partner", method="search_count",
                     args=[[["name", "like", mark + "/"]]], kwargs={})[0])
