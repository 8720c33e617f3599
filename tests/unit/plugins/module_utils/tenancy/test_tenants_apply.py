# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The order in which objects are made, and what a failure keeps back; against an API server in memory that speaks HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy import (
    admission,
    apply,
    model,
    network,
    plan,
    render,
)
from kubernetes import client

Answer = Callable[[str, str], tuple[int, dict[str, str]]]


class Server(ThreadingHTTPServer):
    """Keeps what it was asked, in order, and answers as it is told."""

    daemon_threads = True
    answer: Answer = staticmethod(lambda method, path: (200, {}))
    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_PATCH(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        path = self.path.split("?")[0]
        status, headers = self.server.answer(self.command, path)
        self.server.asked.append(path)
        body = json.dumps({"message": "no", "reason": "Refused"} if status > 299 else {}).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    do_DELETE = do_PATCH

    def log_message(self, *_arguments: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as found:
        found.asked = []
        threading.Thread(target=found.serve_forever, daemon=True).start()
        yield found
        found.shutdown()


@pytest.fixture
def api(server: Server) -> Api:
    return Api(client.ApiClient(client.Configuration(host=f"http://127.0.0.1:{server.server_address[1]}")), patience=5)


@pytest.fixture
def found() -> list[plan.Change]:
    tenants = model.parse_tenants([{"name": name, "profile": "small", "people": {"groups": [name]}} for name in ("acme", "bodega")])
    items = [*admission.cluster_objects(render.TENANCY), *(item for each in tenants for item in render.tenant_objects(each, network.Edge("traefik"), network.Ground()))]
    gone = plan.Change(("NetworkPolicy", "acme", "way-old"), None)
    return [*plan.changes(items, plan.Observed({}, {}), ["acme", "bodega"]), gone]


def test_what_confines_comes_before_what_opens(api: Api, server: Server, found: list[plan.Change]) -> None:
    done = apply.carry_out(api, found, False)
    assert not done.failed and not done.left and len(done.applied) == len(found)
    words = ["validatingadmissionpolicies", "validatingadmissionpolicybindings", "networkpolicies", "roles", "rolebindings"]
    ranks = [next((rank for rank, word in enumerate(words) if path.split("/")[-2] == word), None) for path in server.asked[:-1]]
    assert [rank for rank in ranks if rank is not None] == sorted(rank for rank in ranks if rank is not None)
    assert server.asked[-1].endswith("networkpolicies/way-old"), "what opens something is taken away last"


@pytest.mark.parametrize(("fails", "kept_back", "left"), [
    ("/namespaces/acme", "/namespaces/acme/", 8), ("networkpolicies/every-pod", "rolebindings", 2), ("/acme/resourcequotas/share", "/acme/rolebindings", 2),
    ("validatingadmissionpolicies/sysgenpro-pods", "/namespaces", 25)])
def test_a_failure_keeps_back_what_rests_on_it(api: Api, server: Server, found: list[plan.Change], fails: str, kept_back: str, left: int) -> None:
    server.answer = lambda _method, path: (403 if path.endswith(fails) and "bodega" not in path else 200, {})
    done = apply.carry_out(api, found, False)
    assert [error.code for _change, error in done.failed] == ["cluster_forbidden"]
    assert not [path for path in server.asked if kept_back in path and "bodega" not in path]
    assert len(done.left) == left and len(done.applied) + len(done.failed) + len(done.left) in (len(found), len(found) - 1)
    if "validating" not in fails:
        assert len([path for path in server.asked if "bodega" in path]) == 9, "the other tenant is wholly made"
    error = apply.failure(done, ["acme"])
    assert error.details["tenants"] == ["acme"] and len(error.details["not_begun"]) == left and "403" in error.message


def test_asked_to_come_later(api: Api, server: Server, found: list[plan.Change]) -> None:
    """A server that is busy is asked again when it says, and nothing is lost by it."""
    refused: set[str] = set()

    def answer(_method: str, path: str) -> tuple[int, dict[str, str]]:
        if path in refused or "bodega" in path:
            return 200, {}
        refused.add(path)
        return 429, {"Retry-After": "0.01"}

    server.answer = answer
    done = apply.carry_out(api, found, False)
    assert not done.failed and len(done.applied) == len(found) and api.calls["PATCH"] == len(found) - 1 + len(refused) - 1


def test_every_failure_is_told(api: Api, server: Server, found: list[plan.Change]) -> None:
    server.answer = lambda _method, path: (409 if "resourcequotas" in path or "limitranges" in path else 200, {})
    done = apply.carry_out(api, found, False)
    error = apply.failure(done, ["acme", "bodega"])
    assert error.code == "cluster_conflict" and len(error.details["failed"]) == 4 and error.message.startswith("4 of ")
