# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A route beside an instance's own that gives a share of its requests to a colour that does not lead. Pure.

It has the own route's rule, one priority above, so the own one stays as it is and is what is left when this goes. Where the own route is an HTTPRoute, so is
this; there a rule has no priority of its own, and a path that is a pattern stands above one that is a prefix. A browser stays with the colour that it was
led to for as long as a share lasts, since a page and what it loads are of one release. Websockets stay with the front.

Source: Traefik's CRDs (TraefikService, weighted), https://doc.traefik.io/traefik/reference/routing-configuration/kubernetes/crd/http/traefikservice/.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._instance.names import HTTP
from .pods import Ground

TRAEFIK, GATEWAY = "traefik.io/v1alpha1", "gateway.networking.k8s.io/v1"
# As good as the prefix / that the own route has, and above it; below all else of the own route, which _routing/render_gateway.py writes longer.
ANY = "^/"
COOKIE = "sgp_canary"


def name(ground: Ground) -> str:
    """Of both objects. A service's name in the namespace, as the own route's is the instance's."""
    return ground.instance + "-canary"


def objects(ground: Ground, own: Mapping[str, Any], place: str, percent: int, seconds: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """The service that shares, and the route that leads to it.

    :param own: the instance's IngressRoute or HTTPRoute. :param seconds: for which a browser stays with its colour.
    """
    attached = own["kind"] == "HTTPRoute"
    first = own["spec"]["rules" if attached else "routes"][0]
    to_front = {"name": ground.instance, "port": HTTP, "nativeLB": True, "serversTransport": ground.instance} if attached else {
        key: value for key, value in first["services"][0].items() if key != "kind"}
    shares = [{**to_front, "kind": "Service", "weight": 100 - percent}, {**to_front, "kind": "Service", "name": place, "port": HTTP, "weight": percent}]
    labels = ground.labels()
    service = {"apiVersion": TRAEFIK, "kind": "TraefikService", "metadata": ground.metadata(name(ground), labels), "spec": {"weighted": {
        "services": shares, "sticky": {"cookie": {"name": COOKIE, "secure": True, "httpOnly": True, "sameSite": "lax", "maxAge": seconds}}}}}
    if attached:
        backend = {"group": "traefik.io", "kind": "TraefikService", "name": name(ground), "weight": 1}
        return service, {"apiVersion": GATEWAY, "kind": "HTTPRoute", "metadata": ground.metadata(name(ground), labels), "spec": {
            **{key: own["spec"][key] for key in ("parentRefs", "hostnames")},
            "rules": [{"matches": [{"path": {"type": "RegularExpression", "value": ANY}}], "filters": first["filters"], "backendRefs": [backend]}]}}
    route = {"apiVersion": TRAEFIK, "kind": "IngressRoute", "metadata": ground.metadata(name(ground), labels), "spec": {
        **{key: value for key, value in own["spec"].items() if key != "routes"}, "routes": [{
            **first, "priority": int(first.get("priority") or 0) + 1, "services": [{"kind": "TraefikService", "name": name(ground)}]}]}}
    return service, route
