# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Gateways that routes are attached to: looked at before anything of a route is written, since what a listener is decides who can reach it."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from .._kernel.errors import DomainError, known
from .._kubernetes.api import Api
from . import api as traefik
from .certificates import HAS_CRYPTOGRAPHY, Certificate
from .model import Route
from .parts import REDIRECT_ENTRY_POINT
from .render_gateway import covers

_UNCHANGED = "Nothing was changed"


class Gateways:
    """Of one cluster; each is read once.

    :param entry_points: tells the addresses of entry points by name, of each Traefik.
    """

    def __init__(self, api: Api, entry_points: Callable[[], Mapping[str, Mapping[str, str]]]) -> None:
        self.api, self._entry_points = api, entry_points
        self._gateways: dict[tuple[str, str], dict[str, Any] | None] = {}
        self._pairs: dict[tuple[str, str], tuple[str, str]] = {}
        self._addresses: Mapping[str, Mapping[str, str]] | None = None

    def check(self, route: Route) -> None:
        """See that a route's listeners are what the route needs.

        :raises DomainError: ``gateway_missing``, ``gateway_unfit``, or what a certificate of the listener lacks (``Certificate.load``).
        """
        asked = known(route.gateway)
        where = "{0}/{1}".format(asked.namespace, asked.name)
        if (asked.namespace, asked.name) not in self._gateways:
            self._gateways[asked.namespace, asked.name] = self.api.get("Gateway", asked.namespace, asked.name)
        gateway = self._gateways[asked.namespace, asked.name]
        if gateway is None:
            raise DomainError("gateway_missing", "route {0}: there is no Gateway {1}".format(route.name, where), unchanged=_UNCHANGED,
                              advice="Have the role sysgenpro.odoo.traefik make it (traefik_gateway), or name another in gateway",
                              route=route.name, field="gateway")
        needed = [("section_name", asked.section, "HTTPS", route.entry_point)]
        if route.redirect:
            needed.append(("redirect_section_name", asked.redirect_section, "HTTP", REDIRECT_ENTRY_POINT))
        for key, section, protocol, entry_point in needed:
            found = next((each for each in gateway["spec"].get("listeners") or () if each.get("name") == section), None)
            reason = wrong(found, gateway, route, protocol) if found else "is not there"
            reason = reason or self._elsewhere(known(found), entry_point)
            if reason:
                raise DomainError(
                    "gateway_unfit", "route {0}: gateway.{1} names the listener {2} of Gateway {3}, which {4}".format(route.name, key, section, where, reason),
                    unchanged=_UNCHANGED, advice="Mend the listener, or name another; or take output ingress_route for this route",
                    route=route.name, field="gateway." + key)
            if protocol == "HTTPS" and HAS_CRYPTOGRAPHY:
                self._covered(route, gateway, known(found))

    def _elsewhere(self, listener: Mapping[str, Any], entry_point: str) -> str:
        """What Traefik would serve the listener at, where it is another entry point: that of an internal route decides who reaches it."""
        if self._addresses is None:
            try:
                self._addresses = self._entry_points()
            except traefik.Unreachable:
                # Where that is an error it was told before.
                return ""
        for pod, addresses in sorted(self._addresses.items()):
            found = sorted(name for name, address in addresses.items() if address.split("/")[0].endswith(":{0}".format(listener.get("port"))))
            if found != [entry_point]:
                return "has the port {0}: at {1} that is {2}, expected the entry point {3}".format(
                    listener.get("port"), pod, "the entry point " + " and ".join(found) if found else "no entry point", entry_point)
        return ""

    def _covered(self, route: Route, gateway: Mapping[str, Any], listener: Mapping[str, Any]) -> None:
        """See that one of the listener's certificates is for each host."""
        space = gateway["metadata"]["namespace"]
        named = [(each.get("namespace") or space, each["name"]) for each in (listener.get("tls") or {}).get("certificateRefs") or ()
                 if each.get("kind", "Secret") == "Secret"]
        for host in route.hosts:
            first: DomainError | None = None
            for where in named:
                try:
                    Certificate.load(route.name, [host], *self._pair(*where))
                    break
                except DomainError as error:
                    first = first or error
            else:
                if first:
                    raise first

    def _pair(self, namespace: str, name: str) -> tuple[str, str]:
        if (namespace, name) not in self._pairs:
            data = (self.api.get("Secret", namespace, name) or {}).get("data") or {}
            self._pairs[namespace, name] = (_text(data.get("tls.crt")), _text(data.get("tls.key")))
        return self._pairs[namespace, name]


def wrong(listener: Mapping[str, Any], gateway: Mapping[str, Any], route: Route, protocol: str) -> str:
    """Why a listener cannot take a route, by what the Gateway says of it; empty where it can."""
    if listener.get("protocol") != protocol:
        return "speaks {0}, expected {1}".format(listener.get("protocol"), protocol)
    if (listener.get("tls") or {}).get("mode", "Terminate") != "Terminate":
        return "passes TLS through, expected mode Terminate"
    left = [host for host in route.hosts if not covers(str(listener.get("hostname") or ""), host)]
    if left:
        return "is for {0} and not for {1}".format(listener["hostname"], ", ".join(left))
    allowed = listener.get("allowedRoutes") or {}
    kinds = [each.get("kind") for each in allowed.get("kinds") or ()]
    if kinds and "HTTPRoute" not in kinds:
        return "takes only {0}".format(", ".join(map(str, kinds)))
    if (allowed.get("namespaces") or {}).get("from", "Same") == "Same" and route.namespace != gateway["metadata"]["namespace"]:
        return "takes no route of another namespace (allowedRoutes.namespaces)"
    told = [each for each in (gateway.get("status") or {}).get("listeners") or () if each.get("name") == listener["name"]]
    return _complaint(condition for each in told for condition in each.get("conditions") or ())


def _complaint(conditions: Iterable[Mapping[str, Any]]) -> str:
    for each in conditions:
        if each.get("type") in ("Accepted", "Programmed", "ResolvedRefs") and each.get("status") == "False":
            return "is not {0}: {1} {2}".format(each["type"], each.get("reason"), each.get("message") or "").rstrip()
    return ""


def _text(part: Any) -> str:
    try:
        return base64.b64decode(part or "").decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
