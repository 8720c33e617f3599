# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster has beside its programs: names, storage, metrics, definitions for routes, and on demand an edge. Each is applied when it changed."""

from __future__ import annotations

import hashlib
import json
import string
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..base import LabError, say
from . import control_plane, images, processes, programs
from .place import DNS_SERVICE, DOMAIN, FIRST, Place

FILES = Path(__file__).resolve().parent / "files"
#: Manifest: deployment that has to be available before a cluster is up, with its namespace.
MANIFESTS = {"dns": ("kube-system", "coredns"), "storage": ("", ""), "metrics": ("kube-system", "metrics-server"), "edge": ("edge", "traefik")}
_OWNER = ("apply", "--server-side", "--force-conflicts", "--field-manager=lab")


def values(place: Place) -> dict[str, str]:
    """Return what the manifests' ``$names`` stand for."""
    return {
        "domain": DOMAIN, "dns": DNS_SERVICE, "node": FIRST.name, "volumes": str(place.root / "volumes"), "coredns": images.COREDNS, "busybox": images.BUSYBOX,
        "metrics": images.METRICS, "traefik": images.TRAEFIK,
    }  # fmt: skip


def manifest(name: str, given: Mapping[str, str]) -> str:
    """Return a manifest with all names put in; ``$$`` is a dollar. Raises KeyError for a name that nobody gave."""
    return string.Template((FILES / f"{name}.yaml").read_text(encoding="utf-8")).substitute(given)


def _applied(place: Place) -> dict[str, str]:
    path = place.root / "applied.json"
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.exists() else {}


def apply(place: Place, name: str, text: str) -> None:
    """Have a manifest applied that changed since it was."""
    found = hashlib.sha256(text.encode()).hexdigest()
    if _applied(place).get(name) == found:
        return
    control_plane.kubectl(place, *_OWNER, "-f", "-", data=text)
    (place.root / "applied.json").write_text(json.dumps({**_applied(place), name: found}, indent=2), encoding="utf-8")


def definitions(place: Place) -> None:
    """Have the resources of Traefik and of the Gateway API defined."""
    for name in ("traefik", "gateway"):
        apply(place, f"definitions-{name}", "\n---\n".join(path.read_text(encoding="utf-8") for path in programs.definitions(name)))


def ensure(place: Place, names: Sequence[str]) -> None:
    """Have the manifests applied, and the provisioner of storage running on the host."""
    for name in names:
        apply(place, name, manifest(name, values(place)))
    if "storage" in names:
        (place.root / "volumes").mkdir(exist_ok=True)
        config = place.root / "storage.json"
        given = values(place)
        config.write_text(json.dumps({"nodePathMap": [{"node": "DEFAULT_PATH_FOR_NON_LISTED_NODES", "paths": [given["volumes"]]}]}), encoding="utf-8")
        processes.ensure(place, "local-path-provisioner", [
            programs.program("local-path-provisioner"), "start", "--kubeconfig", str(place.admin), "--config", str(config), "--namespace", "local-path-storage",
            "--helper-image", given["busybox"], "--configmap-name", "local-path-config", "--service-account-name", "helper",
        ])  # fmt: skip


def wait(place: Place, names: Sequence[str], seconds: int = 90) -> None:
    """Wait until what the manifests deploy is available. Raises LabError."""
    for name in names:
        namespace, deployment = MANIFESTS[name]
        if deployment:
            try:
                control_plane.kubectl(place, "-n", namespace, "rollout", "status", f"deployment/{deployment}", f"--timeout={seconds}s")
            except LabError as error:
                pods = control_plane.kubectl(place, "-n", namespace, "get", "pods", "-o", "wide")
                raise LabError(f"{deployment} in {namespace} is not available:\n{pods}{error}") from error
            say(f"{name} is there")
