# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates by ACME, from a real authority (Let's Encrypt's Pebble) that asks a real Traefik (RFC 8555, RFC 8737)."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from .conftest import Edge, free_port

sys.path.insert(0, str(Path(__file__).parents[2] / "lab"))
from sgplab import tools

pytestmark = pytest.mark.slow


@dataclass
class Authority:
    """Pebble, and the DNS by which it finds every host on loopback."""

    directory: str
    trusted: Path
    settings: Path
    dns: int

    def start(self) -> list[subprocess.Popen[bytes]]:
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        environment = {**os.environ, "PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0"}
        started = [
            subprocess.Popen([str(tools.ensure("pebble-challtestsrv")), "-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-dns01", f"127.0.0.1:{self.dns}",
                              "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "", "-management", f"127.0.0.1:{free_port()}"], **quiet),
            subprocess.Popen([str(tools.ensure("pebble")), "-config", str(self.settings), "-dnsserver", f"127.0.0.1:{self.dns}"], env=environment, **quiet)]
        context = ssl.create_default_context(cafile=str(self.trusted))
        deadline = time.monotonic() + 20
        while True:
            try:
                urllib.request.urlopen(self.directory, timeout=2, context=context).read()
                return started
            except OSError:
                assert time.monotonic() < deadline, "the authority did not start"
                time.sleep(0.1)


@pytest.fixture
def certified(tmp_path: Path, make_certificate: Callable[..., tuple[str, str]]) -> Iterator[Edge]:
    """Traefik with the resolver ``authority``."""
    certificate, key = make_certificate("localhost")
    (tmp_path / "ca.crt").write_text(certificate)
    (tmp_path / "ca.key").write_text(key)
    port = free_port()
    authority = Authority(f"https://localhost:{port}/dir", tmp_path / "ca.crt", tmp_path / "pebble.json", free_port())
    edge = Edge(tmp_path / "traefik", certificatesResolvers={"authority": {"acme": {
        "caServer": authority.directory, "caCertificates": [str(authority.trusted)], "email": "operator@example.test",
        "storage": str(tmp_path / "acme.json"), "tlsChallenge": {}}}})
    authority.settings.write_text(json.dumps({"pebble": {
        "listenAddress": f"127.0.0.1:{port}", "managementListenAddress": f"127.0.0.1:{free_port()}",
        "certificate": str(tmp_path / "ca.crt"), "privateKey": str(tmp_path / "ca.key"),
        "httpPort": edge.ports["web"], "tlsPort": edge.ports["websecure"]}}))
    started = authority.start()
    edge.start()
    yield edge
    edge.stop()
    for process in started:
        process.terminate()
        process.wait(10)


def issuer(edge: Edge, host: str) -> str:
    """Who signed what the edge shows for a host, and for which names; nothing where it shows none yet."""
    try:
        with edge.connect(host) as stream:
            shown = ssl.DER_cert_to_PEM_cert(stream.getpeercert(True) or b"")  # type: ignore[attr-defined]
    except ssl.SSLError:
        return ""
    done = subprocess.run(["openssl", "x509", "-noout", "-issuer", "-ext", "subjectAltName"], input=shown, capture_output=True, text=True, check=True)
    return done.stdout


def wait_for(edge: Edge, host: str) -> str:
    deadline = time.monotonic() + 60
    while "Pebble" not in issuer(edge, host):
        assert time.monotonic() < deadline, f"no certificate for {host}: {issuer(edge, host)} {edge.log.read_text()[-2000:]}"
        time.sleep(0.2)
    return issuer(edge, host)


def test_certificates_come_from_the_authority(certified: Edge, serve: Any, pages: Any, route: Any) -> None:
    serve(1)
    first = {**route(), "tls": {"resolver": "authority"}}
    assert certified.run([first])["changed"]
    assert "DNS:acme.example.test" in wait_for(certified, "acme.example.test")
    assert certified.request("acme.example.test")[0] == 200
    assert not certified.run([first])["changed"]
    more = {**first, "hosts": ["acme.example.test", "shop.acme.example.test"]}
    assert certified.run([more])["changed"]
    assert "DNS:shop.acme.example.test" in wait_for(certified, "shop.acme.example.test")
    assert [(item["name"], item["served"]) for item in certified.info()["routes"]] == [("acme", True)]
