# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A base image in a machine's registry, as a base image lies in one anywhere: compressed once, then copied as the registry's own files."""

from __future__ import annotations

import hashlib
import json
import shutil
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

from . import images
from .base import LabError, cache, locked, run, say

_CONFIG = """\
version: 0.1
log: {{level: error}}
storage: {{filesystem: {{rootdirectory: {root}}}}}
http: {{addr: 127.0.0.1:{port}}}
"""
_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


def put(name: str, image: str, repository: str, directory: str = "/var/lib/docker-registry") -> str:
    """Have a machine's registry hold an image of this host. Returns its digest.

    :param image: short name, such as ``odoo-19.0``; also its tag.
    :param directory: where the machine's registry keeps its files.
    """
    tree = ensure(image, repository)
    packing = subprocess.Popen(["tar", "-C", str(tree / "files"), "-cf", "-", "docker"], stdout=subprocess.PIPE)
    # The files belong to whom the registry runs as, who owns the directory; the directory itself stays as the role made it.
    unpack = f"mkdir -p {directory} && tar -C {directory} --no-same-owner -xf - && chown -R --reference={directory} {directory}/docker"
    done = subprocess.run(["docker", "exec", "-i", f"sgp-lab-{name}", "sh", "-ec", unpack], stdin=packing.stdout, check=False)
    if packing.wait() or done.returncode:
        raise LabError(f"could not bring {image} into the registry of {name}")
    return (tree / "digest").read_text(encoding="utf-8")


def ensure(image: str, repository: str) -> Path:
    """Return a directory with ``files``, a registry's own with the image in them, and ``digest``; compress the image if that was not done yet."""
    reference = images.ensure(image)
    key = hashlib.sha256(json.dumps([reference, repository]).encode()).hexdigest()[:12]
    directory = cache() / "registry" / f"{image}-{key}"
    with locked(f"registry-{key}"):
        if not (directory / "digest").exists():
            say(f"compressing {image} for a registry")
            shutil.rmtree(directory, ignore_errors=True)
            (directory / "files").mkdir(parents=True)
            (directory / "digest").write_text(_push(reference, f"{repository}:{image}", directory), encoding="utf-8")
    return directory


def _push(reference: str, name: str, directory: Path) -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = directory / "config.yml"
    config.write_text(_CONFIG.format(root=directory / "files", port=port), encoding="utf-8")
    target = f"127.0.0.1:{port}/{name}"
    server = subprocess.Popen([_program(), "serve", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait(port)
        run(["docker", "tag", reference, target])
        run(["docker", "push", "--quiet", target])
        repository, _colon, tag = name.rpartition(":")
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v2/{repository}/manifests/{tag}", headers={"Accept": _MANIFEST}, method="HEAD")
        with urllib.request.urlopen(request) as answer:
            return str(answer.headers["Docker-Content-Digest"])
    finally:
        run(["docker", "rmi", target], check=False)
        server.terminate()
        server.wait()


def _program() -> str:
    found = shutil.which("docker-registry") or str(cache() / "tools" / "usr" / "bin" / "docker-registry")
    if not Path(found).exists():
        raise LabError("docker-registry is not on this host: script/common brings it")
    return found


def _wait(port: int) -> None:
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/"):
                return
        except OSError:
            time.sleep(0.1)
    raise LabError("the registry for the lab's base image did not start")
