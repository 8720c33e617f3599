# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Gateway API as the other output of a route: where a route is attached, and what of a route it has no word for.

Source: Gateway API 1.6, https://gateway-api.sigs.k8s.io/reference/spec/, and Traefik 3.7's pkg/provider/kubernetes/gateway.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError

INGRESS_ROUTE, HTTP_ROUTE = "ingress_route", "http_route"
OUTPUTS = (INGRESS_ROUTE, HTTP_ROUTE)

# Of the objects, where nothing else is said: as the role traefik makes them.
NAME, REDIRECT_SECTION = "traefik", "web"
# Host names of one HTTPRoute.
MOST_HOSTS = 16

_NAMES = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_UNCHANGED = "Nothing was changed"
_TLS = ("certificate", "private_key", "certificate_path", "private_key_path", "secret", "resolver", "unavailable")


@dataclass(frozen=True)
class Gateway:
    """What a route is attached to: a listener of a Gateway, and the one that sends HTTP to HTTPS."""

    namespace: str
    name: str
    section: str
    redirect_section: str


def parse_gateway(route: str, value: Mapping[str, Any], entry_point: str) -> Gateway:
    """The Gateway of a route.

    :param entry_point: of the route; its listener bears the same name where none is given.
    """
    given = {
        "namespace": value.get("namespace"), "name": value.get("name") or NAME,
        "section_name": value.get("section_name") or entry_point, "redirect_section_name": value.get("redirect_section_name") or REDIRECT_SECTION,
    }
    for key, text in given.items():
        if not _NAMES.fullmatch(str(text or "")) or len(str(text)) > (63 if key == "namespace" else 253):
            raise _refused("bad_input", route, "gateway." + key, "the name of a Gateway's {0}, not {1!r}".format(key.replace("_name", ""), text))
    return Gateway(*(str(text) for text in given.values()))


def expressible(route: str, hosts: Sequence[str], tls: Mapping[str, Any]) -> None:
    """See that a route has nothing that an HTTPRoute has no word for.

    :raises DomainError: ``http_route_cannot``, naming the field.
    """
    for key in _TLS:
        # A certificate that is given and empty is a file without content.
        if tls.get(key) is not None and (tls[key] != "" or key == "certificate"):
            raise _refused("http_route_cannot", route, "tls." + key, "left out with output http_route: TLS ends at the Gateway's listener",
                           "Give the certificate to the listener (certificateRefs), or take output ingress_route for this route")
    if (tls.get("min_version") or "1.2") != "1.2":
        raise _refused("http_route_cannot", route, "tls.min_version", "left out with output http_route: the oldest version is one for all of its listeners",
                       "Set it for all in Traefik's default TLS options, or take output ingress_route for this route")
    if len(hosts) > MOST_HOSTS:
        raise _refused("http_route_cannot", route, "hosts", "at most {0} names with output http_route, not {1}".format(MOST_HOSTS, len(hosts)),
                       "Take output ingress_route for this route")


def _refused(code: str, route: str, key: str, expected: str, advice: str = "") -> DomainError:
    return DomainError(code, "route {0}: {1} must be {2}".format(route, key, expected), unchanged=_UNCHANGED, advice=advice, route=route, field=key)
