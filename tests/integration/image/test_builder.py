# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""pip in a real build container, behind an index whose authority only the builder knows."""

from __future__ import annotations

import http.server
import ipaddress
import os
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import builder
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.container import PYTHON, BuildContainer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

from .test_build import IMAGE, wheel


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A builder's files: its bundle with the index's authority, its pip.conf with the index. And the lock of what lies there."""
    root = tmp_path_factory.mktemp("machine")
    network = docker.from_env().networks.get("bridge").attrs["IPAM"]["Config"][0]
    address = network.get("Gateway") or str(next(ipaddress.ip_network(network["Subnet"]).hosts()))
    key, certificate = root / "key.pem", root / builder.BUNDLE
    certificate.parent.mkdir(parents=True)
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=index", "-addext", "subjectAltName=DNS:index.test",
                    "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)  # fmt: skip
    (root / "simple").mkdir()
    lock = wheel(root / "simple" / "sgp-probe")
    (root / "simple" / "sgp-probe" / "index.html").write_text('<a href="sgp_probe-1.0-py3-none-any.whl">sgp_probe-1.0-py3-none-any.whl</a>')

    class Index(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args: object, **named: object) -> None:
            super().__init__(*args, directory=str(root), **named)  # type: ignore[misc,arg-type]

        def log_message(self, *args: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer((address, 0), Index)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    (root / "etc" / "pip.conf").write_text(f"[global]\nindex-url = https://index.test:{server.server_port}/simple\nretries = 0\n")
    (root / "hosts").write_text(f"127.0.0.1 localhost\n{address} index.test\n")
    yield root, lock
    server.shutdown()


def install(root: Path, lock: str) -> str:
    hosts = [(str(root / "hosts"), "/etc/hosts")]
    with BuildContainer(docker.from_env(), IMAGE, f"sysgenpro-build-test-{os.getpid()}", "bridge", hosts, {}) as container:
        container.install_python(lock)
        return container.run(["python3", "-c", "import sgp_probe; print(sgp_probe.VALUE)"], "probe", {"PYTHONPATH": f"/{PYTHON}"})


def test_pip_reaches_the_builders_index(machine: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    root, lock = machine
    read = builder.settings
    monkeypatch.setattr(builder, "settings", lambda _root, _environ: read(str(root), {}))
    assert install(root, lock).strip() == "42"
    monkeypatch.setattr(builder, "settings", lambda _root, _environ: builder.Settings(environment={"PIP_INDEX_URL": "https://127.0.0.1:9/simple", "PIP_RETRIES": "0"}))
    with pytest.raises(DomainError, match="python_lock"):
        install(root, lock)


def test_without_the_builders_authority_it_does_not(machine: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the test above shows the authority, and not just the index."""
    root, lock = machine
    read = builder.settings
    monkeypatch.setattr(builder, "BUNDLE", "nowhere")
    monkeypatch.setattr(builder, "settings", lambda _root, _environ: read(str(root), {}))
    with pytest.raises(DomainError) as error:
        install(root, lock)
    assert error.value.code == "build_failed" and ("certificate" in error.value.message.lower() or "no matching distribution" in error.value.message.lower())
