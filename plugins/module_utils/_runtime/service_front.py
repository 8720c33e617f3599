# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The front in a cluster: one Service whose selector names the colour that leads; without one that is ready its address refuses (hold).

The API is the memory of it, so nothing is written down for a next boot.
"""

from __future__ import annotations

import socket
from typing import Any

from .._instance.names import COLOURS, HTTP
from .._instance.names import place as place_of
from .._kernel.errors import DomainError
from .._kernel.wait import Deadline, WaitTimeout, clock, wait_until
from .._kubernetes.api import Api
from .._kubernetes.labels import INSTANCE, PLACE, TOOLBOX
from . import pods, shared_route
from .pods import Ground
from .protocol import ELSEWHERE, PAGE

NOBODY = "none"
"""The place that a front selects while it refuses."""
# Seconds: for the data plane of the node that this runs on to follow, and then for those of others, which nothing here sees. kube-proxy waits for
# one second at the most between two changes (--iptables-min-sync-period).
FOLLOWS, OTHERS = 15, 1.0
# Seconds within which every Traefik has taken over a change (its providersThrottleDuration is two), with some to spare.
EDGE = 4.0
# An address that does not refuse within so many seconds drops.
AT_ONCE = 1.0


class ServiceFront:
    """The front of one instance.

    :param probe: says how a connection to an address and port fares: ``open``, ``refused`` or ``dropped``.
    """

    def __init__(self, api: Api, ground: Ground, probe: Any = None) -> None:
        self.api, self.ground, self._probe = api, ground, probe or connects

    def leads(self) -> str | None:
        found = self._service()
        selected = (found["spec"].get("selector") or {}).get(PLACE, ELSEWHERE)
        targets = {NOBODY: None, TOOLBOX: PAGE, **{place_of(colour, "web"): colour for colour in COLOURS}}
        return targets.get(selected, ELSEWHERE)

    def lead(self, to: str | None) -> None:
        """Returns once it took effect where this runs, and time enough has passed for other nodes."""
        place = NOBODY if to is None else TOOLBOX if to == PAGE else place_of(to, "web")
        found = self._service()
        if (found["spec"].get("selector") or {}).get(PLACE) != place:
            self.api.merge("Service", self.ground.namespace, self.ground.instance,
                           {"spec": {"selector": {INSTANCE: self.ground.instance, PLACE: place}}})
        self._until_followed(str(found["spec"]["clusterIP"]), to)

    def lead_back(self, to: str | None) -> str:
        self.lead(to)
        return ""

    def share(self, to: str | None, percent: int = 0, seconds: int = 60) -> None:
        space = self.ground.namespace
        if to is None:
            for kind in ("IngressRoute", "HTTPRoute", "TraefikService"):
                self.api.delete(kind, space, shared_route.name(self.ground))
            clock.sleep(EDGE)
            return
        for item in shared_route.objects(self.ground, self._route(), place_of(to, "web"), percent, seconds):
            self.api.apply(item, force=True)
        clock.sleep(EDGE)

    def check_share(self) -> None:
        self._route()

    def _route(self) -> dict[str, Any]:
        space, name = self.ground.namespace, self.ground.instance
        found = self.api.get("IngressRoute", space, name) or self.api.get("HTTPRoute", space, name)
        if found is None:
            raise DomainError("route_missing", f"there is no route {self.ground.namespace}/{self.ground.instance} of Traefik whose requests could be shared",
                              unchanged="Nothing was changed",
                              advice="Give the instance hosts (instance_hosts) and run the site playbook; or release without canary")
        return found

    def forget(self) -> None:
        self.lead(None)

    def cannot_hold(self) -> str:
        """Seen on an address of the same cluster without anybody behind it."""
        found = self.api.get("Service", self.ground.namespace, NOBODY)
        address = str((found or self.api.apply(service(self.ground, NOBODY, NOBODY)))["spec"]["clusterIP"])
        return "" if self._probe(address, HTTP, AT_ONCE) == "refused" else (
            f"a Service of this cluster without a pod ({self.ground.namespace}/{NOBODY}, {address}) does not refuse connections at once, "
            "so no request can wait: the maintenance page is shown")

    def _service(self) -> dict[str, Any]:
        found = self.api.get("Service", self.ground.namespace, self.ground.instance)
        if found is None:
            raise DomainError("front_missing", f"there is no Service {self.ground.namespace}/{self.ground.instance}", unchanged="Nothing was changed",
                              advice="Run the site playbook for this instance, which makes it")
        return found

    def _until_followed(self, address: str, to: str | None) -> None:
        wanted = "refused" if to is None else "open"
        try:
            wait_until(lambda: self._probe(address, HTTP, AT_ONCE) == wanted, Deadline(FOLLOWS), interval=0.05)
        except WaitTimeout:
            if to is None and not (self._probe(address, HTTP, AT_ONCE) == "dropped" and self.cannot_hold()):
                raise DomainError("front_hangs", f"the Service {self.ground.namespace}/{self.ground.instance} ({address}) still does not refuse {FOLLOWS} s "
                                  "after it was told to", advice="Look at the data plane of this cluster (kube-proxy)") from None
            return  # whoever leads there proved it ready: who waits goes on waiting
        clock.sleep(OTHERS)


def service(ground: Ground, name: str, place: str) -> dict[str, Any]:
    """A Service that leads to a place."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": ground.metadata(name, ground.labels()),
            "spec": {"type": "ClusterIP", "selector": {INSTANCE: ground.instance, PLACE: place}, "ports": pods.ports()}}


def connects(address: str, port: int, seconds: float) -> str:
    """How a connection fares: ``open``, ``refused``, ``dropped``."""
    try:
        with socket.create_connection((address, port), seconds):
            return "open"
    except ConnectionRefusedError:
        return "refused"
    except OSError:
        return "dropped"
