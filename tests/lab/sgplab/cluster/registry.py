# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's registry: Debian's, on the nodes' bridge, with TLS by the lab's authority. Host, machines and nodes reach it by the same address."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import ssl
from pathlib import Path

from .. import certificates
from . import packages, processes
from .place import HOST, Place

PORT = 5000
#: What a reference begins with: ``ADDRESS/odoo@sha256:…``.
ADDRESS = f"{HOST}:{PORT}"
#: Docker asks this folder for every connection; it needs no restart.
_DOCKER = Path("/etc/docker/certs.d") / ADDRESS


def config(place: Place, issued: dict[str, str]) -> str:
    """Return the registry's configuration."""
    return f"""\
version: 0.1
log: {{level: warn}}
storage: {{filesystem: {{rootdirectory: {place.root / 'registry'}}}, delete: {{enabled: true}}}}
http: {{addr: "{ADDRESS}", tls: {{certificate: {issued['certificate']}, key: {issued['key']}}}}}
"""


def hosts(authority: Path) -> str:
    """Return what containerd is told of the registry."""
    return f'server = "https://{ADDRESS}"\n[host."https://{ADDRESS}"]\n  capabilities = ["pull", "resolve"]\n  ca = "{authority}"\n'


def _answers(authority: str) -> bool:
    context = ssl.create_default_context(cafile=authority)
    try:
        with socket.create_connection((HOST, PORT), 2) as plain, context.wrap_socket(plain, server_hostname=HOST):
            return True
    except OSError:
        return False


def ensure(place: Place) -> None:
    """Have the registry run, and this host's Docker and the nodes' containerd trust it."""
    issued = certificates.issue([HOST])
    (place.root / "registry").mkdir(exist_ok=True)
    path, text = place.root / "registry.yml", config(place, issued)
    path.write_text(text, encoding="utf-8")
    trust = place.root / "registries" / ADDRESS / "hosts.toml"
    trust.parent.mkdir(parents=True, exist_ok=True)
    trust.write_text(hosts(Path(issued["authority"])), encoding="utf-8")
    _DOCKER.mkdir(parents=True, exist_ok=True)
    (_DOCKER / "ca.crt").write_bytes(Path(issued["authority"]).read_bytes())
    processes.ensure(place, "registry", [str(packages.path("docker-registry")), "serve", str(path)], text)
    processes.wait(place, "registry", lambda: _answers(issued["authority"]))


def put(place: Place, files: Path) -> None:
    """Have the registry hold what another registry's directory holds: by links, of what is there already nothing."""
    def link(source: str, target: str) -> None:
        with contextlib.suppress(FileExistsError):
            os.link(source, target)

    shutil.copytree(files, place.root / "registry", copy_function=link, dirs_exist_ok=True)


def drop() -> None:
    """Have this host's Docker trust it no longer."""
    (_DOCKER / "ca.crt").unlink(missing_ok=True)
    for folder in (_DOCKER, _DOCKER.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()
