# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The hold and what clients get of it, with real servers that come and go on a front."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from .conftest import Edge, Server, hello

Route = Callable[..., dict[str, Any]]
HOST = "acme.example.test"

# Whatever carries the routes.
pytestmark = pytest.mark.providers("file", "kubernetes", "gateway")


@pytest.mark.parametrize("method,body", [("GET", b""), ("POST", b"x" * 100000), ("PUT", b"y")])
def test_a_request_waits_while_the_front_refuses_and_goes_on_once(
    edge: Edge, route: Route, serve: Callable[..., Server], pages: Server, method: str, body: bytes
) -> None:
    edge.run([route()])
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(edge.request, HOST, "/web", method=method, body=body)
        while not counter(edge.metrics(), "traefik_service_requests_total", service=edge.service("acme"), code="502"):
            assert not waiting.done()
        assert not waiting.done()
        server = serve(1)
        status, _headers, answer = waiting.result()
    assert (status, answer) == (200, b"odoo %d" % len(body))
    assert [(seen[0], seen[1]) for seen in server.seen] == [(method, "/web")]
    assert pages.seen == []


@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_a_request_that_odoo_got_is_never_sent_again(
    edge: Edge, route: Route, serve: Callable[..., Server], pages: Server, method: str
) -> None:
    """The server reads it and dies without an answer."""

    def die(request: Any) -> None:
        request.rfile.read(int(request.headers.get("Content-Length") or 0))
        request.close_connection = True
        request.connection.shutdown(socket.SHUT_RDWR)

    server = serve(1, die)
    edge.run([route()])
    status, headers, body = edge.request(HOST, method=method, body=b"pay" if method != "GET" else b"")
    assert status == 503 and headers["retry-after"] == "30" and b"page of the edge" in body
    assert len(server.seen) == 1 and server.connections == 1


def test_every_request_dials_so_none_is_left_on_an_old_colour(
    edge: Edge, route: Route, serve: Callable[..., Server]
) -> None:
    server = serve(1)
    edge.run([route()])
    for _number in range(5):
        assert edge.request(HOST)[0] == 200
    assert server.connections == 5


@pytest.mark.parametrize("bound", [{"timeout": 1, "interval": 50}, {"timeout": 300, "interval": 10, "attempts": 3}])
def test_beyond_the_bounds_a_page_with_retry_after(
    edge: Edge, route: Route, pages: Server, bound: dict[str, int]
) -> None:
    edge.run([route(hold=bound)])
    status, headers, body = edge.request(HOST, "/web", headers={"Accept-Language": "fr", "Cookie": "session_id=secret"})
    assert status == 503 and headers["retry-after"] == "30" and b"page of the edge" in body
    method, path, sent = pages.seen[0]
    assert (method, path, sent.get("accept-language")) == ("GET", "/edge/503", "fr")
    assert "cookie" not in sent


def test_more_requests_than_may_wait_get_the_page_at_once_and_websockets_do_not_count(
    edge: Edge, route: Route, serve: Callable[..., Server], pages: Server
) -> None:
    edge.run([route(hold={"requests": 3, "timeout": 60, "interval": 50})])
    with ThreadPoolExecutor(8) as pool:
        sockets = [pool.submit(edge.request, HOST, "/websocket") for _number in range(4)]
        waiting = [pool.submit(edge.request, HOST, "/web") for _number in range(4)]
        # One of the four is refused; the other three wait on.
        while not any(request.done() for request in waiting):
            pass
        refused = [request for request in waiting if request.done()]
        assert len(refused) == 1
        status, headers, body = refused[0].result()
        assert status == 503 and headers["retry-after"] == "30" and b"page of the edge" in body
        assert not any(request.done() for request in sockets)
        serve(1)
        serve(1, port=8072)
        assert sorted(request.result()[0] for request in waiting) == [200, 200, 200, 503]
        assert [request.result()[0] for request in sockets] == [200] * 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 418, 422, 500, 501, 505])
def test_odoos_own_errors_pass_unchanged(
    edge: Edge, route: Route, serve: Callable[..., Server], pages: Server, status: int
) -> None:
    serve(1, lambda request: request.reply(status, b"odoo says", X_Odoo="1"))
    edge.run([route()])
    found, headers, body = edge.request(HOST)
    assert (found, headers["x-odoo"], body) == (status, "1", b"odoo says")
    assert pages.seen == []


def test_whom_the_rate_limit_turns_away_gets_the_page(
    edge: Edge, route: Route, serve: Callable[..., Server], pages: Server
) -> None:
    """It stays a 429, which programs know; people are told when to come again. Odoo is not asked."""
    server = serve(1)
    edge.run([route(rate_limit={"average": 1, "burst": 1})])
    found = [edge.request(HOST) for _number in range(3)]
    assert found[0][0] == 200 and b"page of the edge" not in found[0][2]
    limited = [answer for answer in found if answer[0] == 429]
    assert limited and all(b"page of the edge" in body and headers["retry-after"] == "30" for _status, headers, body in limited)
    assert len(server.seen) == 3 - len(limited)


def test_uploads_stream_and_one_in_flight_survives_a_switch(
    edge: Edge, route: Route, serve: Callable[..., Server]
) -> None:
    """The old server stops accepting half-way, a new one takes the front: the upload ends where it began."""
    half = threading.Event()
    size = 4 << 20

    def receive(request: Any) -> None:
        got = len(request.rfile.read(size // 2))
        half.set()
        got += len(request.rfile.read(size // 2))
        request.reply(200, b"old %d" % got)

    old = serve(1, receive)
    edge.run([route()])
    with edge.connect(HOST) as stream:
        head = "POST /web/binary/upload HTTP/1.1\r\nHost: {0}\r\nContent-Length: {1}\r\nConnection: close\r\n\r\n"
        stream.sendall(head.format(HOST, size).encode())
        # What is sent beyond the half fills buffers between; a proxy that collects the body first never sets the event.
        stream.sendall(b"a" * (size // 2 + 1))
        assert half.wait(20)
        old.close()
        serve(1)
        assert edge.request(HOST)[2] == b"odoo 0"
        stream.sendall(b"b" * (size // 2 - 1))
        answer = stream.recv(65536)
        while b"old" not in answer:
            answer += stream.recv(65536)
    assert b"old %d" % size in answer


def test_downloads_stream(edge: Edge, route: Route, serve: Callable[..., Server]) -> None:
    arrived = threading.Event()

    def send(request: Any) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "200000")
        request.end_headers()
        request.wfile.write(b"a" * 100000)
        assert arrived.wait(20)
        request.wfile.write(b"b" * 100000)

    serve(1, send)
    edge.run([route()])
    with edge.connect(HOST) as stream:
        stream.sendall("GET / HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\n\r\n".format(HOST).encode())
        got = b""
        while got.count(b"a") < 100000:
            got += stream.recv(65536)
        arrived.set()
        while got.count(b"b") < 100000:
            part = stream.recv(65536)
            assert part
            got += part


@pytest.mark.parametrize("path", ["/websocket", "/longpolling/poll"])
def test_a_websocket_goes_to_its_port_and_carries_bytes(
    edge: Edge, route: Route, serve: Callable[..., Server], path: str
) -> None:
    def echo(request: Any) -> None:
        request.send_response(101)
        request.send_header("Upgrade", "websocket")
        request.send_header("Connection", "Upgrade")
        request.end_headers()
        request.wfile.write(request.rfile.readline())
        request.close_connection = True

    web, bus = serve(1), serve(1, echo, 8072)
    edge.run([route()])
    with edge.connect(HOST) as stream:
        stream.sendall(
            "GET {0} HTTP/1.1\r\nHost: {1}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\n\r\n"
            .format(path, HOST).encode()
        )
        answer = stream.recv(65536)
        assert answer.startswith(b"HTTP/1.1 101")
        stream.sendall(b"ping\n")
        while b"ping" not in answer:
            answer += stream.recv(65536)
    assert [seen[1] for seen in bus.seen] == [path] and web.seen == []


def test_odoo_learns_who_asked_and_clients_cannot_lie(
    edge: Edge, route: Route, serve: Callable[..., Server]
) -> None:
    server = serve(1)
    edge.run([route()])
    lies = {"X-Forwarded-Host": "evil.test", "X-Forwarded-Proto": "http", "X-Forwarded-For": "8.8.8.8",
            "X-Sysgenpro-Instance": "bodega"}
    assert edge.request(HOST, headers=lies)[0] == 200
    sent = server.seen[0][2]
    assert sent["host"] == sent["x-forwarded-host"] == HOST
    assert (sent["x-forwarded-proto"], sent["x-forwarded-for"]) == ("https", "127.0.0.1")
    assert sent["x-sysgenpro-instance"] == edge.called("acme")


def test_metrics_bear_the_instances_name(edge: Edge, route: Route, serve: Callable[..., Server], pages: Server) -> None:
    serve(1, lambda request: request.reply(500) if request.path == "/bad" else hello(request))
    serve(1, port=8072)
    edge.run([route()])
    for path in ("/", "/", "/bad", "/websocket"):
        edge.request(HOST, path)
    text = edge.metrics()
    assert counter(text, "traefik_service_requests_total", service=edge.service("acme"), code="200") == 2
    assert counter(text, "traefik_service_requests_total", service=edge.service("acme"), code="500") == 1
    assert counter(text, "traefik_service_requests_total", service=edge.service("acme", "-websocket"), code="200") == 1


def test_what_a_hold_does_to_the_metrics(edge: Edge, route: Route, pages: Server) -> None:
    """Attempts count as 502 of the service; the router counts what the client was answered."""
    edge.run([route(hold={"timeout": 60, "interval": 10, "attempts": 4})])
    assert edge.request(HOST)[0] == 503
    text = edge.metrics()
    assert counter(text, "traefik_service_requests_total", service=edge.service("acme"), code="502") == 4
    assert counter(text, "traefik_router_requests_total", router=edge.router("acme"), code="503") == 1
    assert counter(text, "traefik_router_requests_total", router=edge.router("acme"), code="502") == 0


def counter(text: str, name: str, **labels: str) -> float:
    total = 0.0
    for line in text.splitlines():
        match = re.match(re.escape(name) + r"\{(.*)\} ([0-9.e+]+)$", line)
        if match and all('{0}="{1}"'.format(*item) in match.group(1) for item in labels.items()):
            total += float(match.group(2))
    return total
