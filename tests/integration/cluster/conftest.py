# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's cluster with two nodes and an edge, and namespaces in it. A cluster that is up already is used and stays, as does ours with ``KEEP=1``."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "lab"))
from sgplab.cluster import control_plane, end, images, life
from sgplab.cluster.place import Place, existing

RESTRICTED = {"runAsNonRoot": True, "runAsUser": 1000, "fsGroup": 2000, "seccompProfile": {"type": "RuntimeDefault"}}
CLOSED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
#: Answers its own name by HTTP, and lives for an hour.
SERVE = "mkdir -p /tmp/www; hostname > /tmp/www/index.html; exec busybox httpd -f -p 8080 -h /tmp/www"


def eventually(what: Callable[[], Any], seconds: float = 30) -> Any:
    """What it returns as soon as that is true; the last value after some seconds."""
    deadline = time.monotonic() + seconds
    while not (found := what()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found


@dataclass
class Space:
    """A namespace for one test."""

    place: Place
    name: str

    def kubectl(self, *arguments: str, data: object = None, check: bool = True) -> str:
        return control_plane.kubectl(self.place, "-n", self.name, *arguments, data=data, check=check)

    def apply(self, *objects: dict[str, Any]) -> None:
        self.kubectl("apply", "-f", "-", data={"apiVersion": "v1", "kind": "List", "items": list(objects)})

    def pod(self, name: str, command: str = "exec sleep 3600", *, node: str = "", image: str = images.BUSYBOX, ready: bool = True, **further: Any) -> None:
        """A pod as the standard ``restricted`` wants it, with a writable /tmp."""
        container = {"name": "main", "image": image, "securityContext": CLOSED, **({"command": ["sh", "-c", command]} if command else {})}
        container |= further.pop("container", {})
        container["volumeMounts"] = [{"name": "tmp", "mountPath": "/tmp"}, *container.get("volumeMounts", [])]
        spec = {"securityContext": RESTRICTED, "automountServiceAccountToken": False, "terminationGracePeriodSeconds": 1, "containers": [container],
                "volumes": [{"name": "tmp", "emptyDir": {}}], **({"nodeName": node} if node else {}), **further}  # fmt: skip
        self.apply({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": {"app": name}}, "spec": spec})
        if ready:
            self.kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=90s")

    def service(self, name: str, port: int = 80, target: int = 8080) -> str:
        """A Service of the pods with its name; its address."""
        spec = {"selector": {"app": name}, "ports": [{"port": port, "targetPort": target}]}
        self.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name}, "spec": spec})
        return self.kubectl("get", "service", name, "-o", "jsonpath={.spec.clusterIP}")

    def inside(self, pod: str, command: str) -> subprocess.CompletedProcess[str]:
        kubectl = [control_plane.program("kubectl"), "--kubeconfig", str(self.place.admin), "-n", self.name]
        return subprocess.run([*kubectl, "exec", pod, "--", "sh", "-c", command], capture_output=True, text=True, check=False)

    def answers(self, pod: str, address: str, port: int = 80) -> str:
        """What an HTTP server says to a pod, or how the connection ended."""
        done = self.inside(pod, f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} {port}")
        return done.stdout.splitlines()[-1].strip() if done.returncode == 0 and done.stdout else done.stderr.strip().splitlines()[0]


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    before = existing()
    found = life.up(before[0].name if before else "lab", second=True, edge=True)
    yield found
    if not before and not os.environ.get("KEEP"):
        end.down()


@pytest.fixture
def space(place: Place) -> Iterator[Callable[[], Space]]:
    made: list[Space] = []

    def make() -> Space:
        name = f"cluster-test-{secrets.token_hex(3)}"
        control_plane.kubectl(place, "create", "-f", "-", data={
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"pod-security.kubernetes.io/enforce": "restricted"}}})
        made.append(Space(place, name))
        # Pods are refused until it is there.
        eventually(lambda: json.loads(made[-1].kubectl("get", "serviceaccount", "-o", "json"))["items"])
        return made[-1]

    yield make
    for each in made:
        control_plane.kubectl(place, "delete", "namespace", each.name, "--wait=false")
