# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same edge in a cluster: a real Traefik that reads a real cluster's objects, and fronts that are Services there.

The cluster is that of ``KUBECONFIG``. Traefik and the servers run beside it on its node, so what leads to a front goes through the node's own data plane:
while the Service has no endpoint, that refuses. Namespaces begin with ``routes-``.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api, failures
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.io_kubernetes import Cluster
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.io_kubernetes import Edge as Pods
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.render_kubernetes import shown

PORTS = {8069: "http", 8072: "bus"}
PREFIX = "routes-"
# So that purging here takes nobody else's routes.
SCOPE = "test"


def configured() -> bool:
    """Whether there is a cluster to test on."""
    return bool(os.environ.get("KUBECONFIG"))


class Ground:
    """One cluster for one test: namespaces, fronts and the servers behind them."""

    def __init__(self) -> None:
        self.api = Api.open()
        # Of this host, as the cluster's node sees it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            host = urlsplit(self.api._host)
            probe.connect((host.hostname, host.port or 443))
            self.address = probe.getsockname()[0]
        self.world = Cluster(self.api, Pods("none", "none", 1), scope=SCOPE)
        # Of a test that was killed: its hosts would be somebody else's.
        self._remove([name for name in self.world.observe()[0].objects if name.startswith(PREFIX)])
        self.suffix = secrets.token_hex(3)
        self.namespaces: set[str] = set()
        self.fronts: dict[int, str] = {}
        self.servers: dict[tuple[int, int], int] = {}

    def called(self, name: str) -> str:
        """The instance, and namespace, that stands for a test's name."""
        return "{0}{1}-{2}".format(PREFIX, name, self.suffix) if name == name.lower() and "/" not in name else name

    def front(self, name: str, number: int) -> None:
        """Make an instance's namespace and front."""
        if name not in self.namespaces:
            self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
            self.api.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": name}, "spec": {
                "ports": [{"name": label, "port": port, "protocol": "TCP"} for port, label in PORTS.items()]}})
            self.namespaces.add(name)
        self.fronts[number] = name
        for (served, port), where in self.servers.items():
            if served == number:
                self._publish(number, port, where)

    def serve(self, number: int, port: int, where: int) -> None:
        """Have a front lead to a port of this host."""
        self.servers[number, port] = where
        if number in self.fronts:
            self._publish(number, port, where)

    def _publish(self, number: int, port: int, where: int) -> None:
        name = self.fronts[number]
        self.api.apply({
            "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4",
            "metadata": {"name": "{0}-{1}".format(name, PORTS[port]), "namespace": name, "labels": {"kubernetes.io/service-name": name}},
            "endpoints": [{"addresses": [self.address], "conditions": {"ready": True}}],
            "ports": [{"name": PORTS[port], "port": where, "protocol": "TCP"}]})

    def close(self) -> None:
        # A namespace goes in its own time, and its routes' hosts are taken until then.
        self._remove(self.namespaces)
        done = self.api.many(lambda name: self.api.delete("Namespace", None, name), sorted(self.namespaces))
        assert not failures(done)

    def _remove(self, names: Iterable[str]) -> None:
        there = self.world.observe()[0].objects
        spaces = {name: next(iter(items.values()))["metadata"]["namespace"] for name, items in there.items()}
        assert not self.world.remove({name: there[name] for name in names if name in there}, spaces)

    def routes(self) -> list[str]:
        """Which of this test's routes are there, by the names that the test gave."""
        # Each lies in a namespace of its own name, as the module is told; else what a copied label says would count.
        found = self.world.observe({name: name for name in self.namespaces})[0].objects
        return sorted(name[len(PREFIX):].rsplit("-", 1)[0] for name in found if name in self.namespaces)

    def kept(self, name: str) -> str:
        """All that is there of a route; empty where it is not."""
        found = self.world.observe()[0].objects.get(name, {})
        return json.dumps([shown(found[key]) for key in sorted(found)]) if found else ""

    def secrets(self) -> int:
        """How many Secrets this test's routes have."""
        return sum(key[0] == "Secret" for name, items in self.world.observe()[0].objects.items() if name in self.namespaces for key in items)
