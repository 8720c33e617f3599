# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What both outputs of a route in a cluster are made of, and how Traefik names what it reads there. Pure.

Source of names: Traefik 3.7's pkg/provider/kubernetes/crd/name_builder.go.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .model import HTTP_PORT, WEBSOCKET_PORT, Route

Item = dict[str, Any]
Key = tuple[str, str]

TRAEFIK = "traefik.io/v1alpha1"
# The Service in each namespace that leads to the edge's pages. A fixed name, as a Service's may have 63 letters and an instance's has up to 62.
PAGES = "edge-pages"
# The routers of a route that share its entry point, in the order that they have in its object. Traefik names a router by its place there, so
# an order that depended on options would give metrics other names when an option changes.
ORDER = ("", "-websocket", "-closed", "-too-large")


def of(kind: str, name: str, content: Mapping[str, Any], api: str = TRAEFIK) -> Item:
    """An object without its namespace and labels."""
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name}, **content}


def to_pages(route: str) -> dict[str, Any]:
    return {"name": PAGES, "port": "http", "serversTransport": route}


def to_front(route: str, port: int) -> dict[str, Any]:
    # By the Service's address, not by those of its pods: while it has none it refuses, and requests wait.
    return {"name": route, "port": port, "nativeLB": True, "serversTransport": route}


def service_of(route: Route, service: str) -> dict[str, Any]:
    """Where a router's service leads, by the name that it has in ``parts``."""
    if service == route.name + "-pages":
        return to_pages(route.name)
    return to_front(route.name, WEBSOCKET_PORT if service == route.name + "-websocket" else HTTP_PORT)


@dataclass(frozen=True)
class Names:
    """How one Traefik names what it reads in a cluster. :param safe: its ``safeNaming``; without it names of two namespaces can be the same."""

    safe: bool

    def of(self, namespace: str, name: str) -> str:
        return "{0}_{1}".format(namespace, name) if self.safe else normal("{0}-{1}".format(namespace, name))

    def router(self, namespace: str, ingress_route: str, index: int, rule: str) -> str:
        if self.safe:
            return "{0}_{1}_{2}".format(namespace, ingress_route, index)
        return normal("{0}-{1}-{2}".format(namespace, ingress_route, hashlib.sha256(rule.encode()).digest()[:10].hex()))

    def service(self, router: str) -> str:
        return router + "_lb" if self.safe else router

    def page_service(self, namespace: str, middleware: str) -> str:
        return self.of(namespace, middleware) + "-errorpage-service"

    def part_of(self, namespace: str, traefik_service: str, index: int, service: str, port: Any) -> str:
        """A Service that a weighted TraefikService leads to."""
        if self.safe:
            return "{0}_{1}_wrr_{2}_{0}_{3}_{4}".format(namespace, traefik_service, index, service, port)
        return normal("{0}-{1}-{2}".format(namespace, service, port))


def normal(name: str) -> str:
    return "-".join(part for part in re.split("[^A-Za-z0-9]+", name) if part)
