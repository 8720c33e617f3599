# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A route as objects of a cluster, and as what Traefik makes of them. Pure.

All objects of a route lie in its instance's namespace and refer to nothing outside of it. So Traefik needs neither ``allowCrossNamespace`` nor
``allowExternalNameServices`` nor references to other providers, and with all of them off nobody who may write in one namespace can lead requests into
another. The edge's pages are reached through a headless Service of the namespace whose one endpoint is the address of the pages' own Service. The one
exception is the Gateway that an HTTPRoute is attached to.
"""

from __future__ import annotations

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .._kernel.errors import known
from .._kernel.plan import digest_of
from . import render_gateway
from .cluster_parts import ORDER, PAGES, Item, Key, Names, of, service_of, to_front, to_pages
from .model import HTTP_PORT, Route
from .parts import TRANSPORT, middlewares, routers, tls_options

PROVIDER = "@kubernetescrd"

ROUTE = "org.sysgenpro/route"
# Whose routes are whose where several inventories have routes in one cluster: one removes none of another's.
SCOPE = "org.sysgenpro/scope"
LABELS = {"app.kubernetes.io/managed-by": "sysgenpro", "org.sysgenpro/part": "route"}
OURS = "org.sysgenpro/part=route"
DIGEST = "org.sysgenpro/digest"

# Written in this order, and removed in the reverse one: what refers to others comes last.
REFERRED = ("Secret", "Service", "EndpointSlice", "ServersTransport", "TLSOption", "Middleware", "TraefikService")
ROUTES = ("IngressRoute", "HTTPRoute")
KINDS = REFERRED + ROUTES

_SLICE_LABELS = {"kubernetes.io/service-name": PAGES, "endpointslice.kubernetes.io/managed-by": "org.sysgenpro"}


@dataclass(frozen=True)
class Pages:
    """The server of the edge's pages: an IPv4 address and a port."""

    address: str
    port: int

    @classmethod
    def of(cls, url: str) -> Pages | None:
        """Of a URL that has the address itself; None of any other."""
        parts = urlsplit(url)
        try:
            return cls(str(ipaddress.IPv4Address(parts.hostname or "")), parts.port or 80) if parts.scheme == "http" else None
        except ValueError:
            return None


def key_of(item: Mapping[str, Any]) -> Key:
    """Kind and name: what tells the objects of one namespace apart."""
    return str(item["kind"]), str(item["metadata"]["name"])


def secret_name(route: Route) -> str:
    """Of the Secret that the IngressRoute names; empty where a resolver fetches the certificate. A given one's name changes with its content."""
    return "{0}-tls-{1}".format(route.name, route.certificate.digest) if route.certificate else route.secret


def objects(route: Route, pages: Pages, scope: str = "default") -> list[Item]:
    """The objects of one route, those that others refer to first. A Secret's data is the only secret in them."""
    name = route.name
    found = [_secret(route)] if route.certificate else []
    found += _pages(pages)
    found.append(of("ServersTransport", name, {"spec": TRANSPORT}))
    if not route.gateway:
        found.append(of("TLSOption", name, {"spec": tls_options(route)}))
    for part, value in middlewares(route).items():
        found.append(of("Middleware", part, {"spec": _in_cluster(value, name)}))
    found += render_gateway.objects(route) if route.gateway else _ingress_routes(route)
    return [_marked(item, route, scope) for item in found]


def _marked(item: Item, route: Route, scope: str) -> Item:
    """With namespace, labels and the digest of what was asked, so that a field which is asked for no more is seen, too."""
    metadata = item["metadata"]
    metadata.update({"namespace": route.namespace, "labels": {**LABELS, ROUTE: route.name, SCOPE: scope, **metadata.get("labels", {})}})
    said = metadata.get("annotations") or {}
    metadata["annotations"] = {**said, DIGEST: digest_of({**shown(item), **({"annotations": said} if said else {})})}
    return item


def shown(item: Mapping[str, Any]) -> Item:
    """An object as it may be shown and compared: without what the cluster adds, and a Secret without its data."""
    metadata = {key: item["metadata"][key] for key in ("name", "namespace") if key in item["metadata"]}
    content = {key: value for key, value in item.items() if key not in ("apiVersion", "kind", "metadata", "data", "stringData", "status")}
    return {"kind": item["kind"], **metadata, **content}


def as_applied(item: Mapping[str, Any]) -> Item:
    """What was once applied, from an object as the cluster shows it: without what the cluster added. Not of Secrets."""
    metadata = item["metadata"]
    kept = {"name": metadata["name"], "namespace": metadata["namespace"],
            "labels": {key: value for key, value in (metadata.get("labels") or {}).items() if key in (*LABELS, ROUTE, SCOPE, *_SLICE_LABELS)},
            "annotations": {key: value for key, value in (metadata.get("annotations") or {}).items() if key in (DIGEST, render_gateway.ENTRY_POINT)}}
    content = {key: value for key, value in shown(item).items() if key not in ("kind", "name", "namespace")}
    if item["kind"] == "Service":
        content = {"spec": {"clusterIP": "None", "ports": [{key: port.get(key) for key in ("name", "port", "protocol")} for port in item["spec"]["ports"]]}}
    return {"apiVersion": item["apiVersion"], "kind": item["kind"], "metadata": kept, **content}


def _secret(route: Route) -> Item:
    certificate = known(route.certificate)
    data = {"tls.crt": certificate.chain, "tls.key": certificate.private_key}
    # Its name is that of its content, so nobody has a reason to change it; immutable, nobody can.
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": secret_name(route)}, "type": "kubernetes.io/tls", "immutable": True,
            "data": {key: base64.b64encode(text.encode()).decode() for key, text in data.items()}}


def _pages(pages: Pages) -> list[Item]:
    """Without an address of its own: a cluster's range has few thousand of them, and Traefik reads the endpoints themselves."""
    service = {"spec": {"clusterIP": "None", "ports": [{"name": "http", "port": pages.port, "protocol": "TCP"}]}}
    slice_ = of("EndpointSlice", PAGES, {
        "addressType": "IPv4", "endpoints": [{"addresses": [pages.address], "conditions": {"ready": True, "serving": True}}],
        "ports": [{"name": "http", "port": pages.port, "protocol": "TCP"}]}, "discovery.k8s.io/v1")
    slice_["metadata"]["labels"] = dict(_SLICE_LABELS)
    return [of("Service", PAGES, service, "v1"), slice_]


def _in_cluster(middleware: Mapping[str, Any], route: str) -> dict[str, Any]:
    if "errors" not in middleware:
        return dict(middleware)
    return {"errors": {**middleware["errors"], "service": to_pages(route)}}


def _ingress_routes(route: Route) -> list[Item]:
    found = routers(route)
    name = route.name
    rules = [found[name + part] for part in ORDER if name + part in found]
    tls: dict[str, Any] = {"options": {"name": name}}
    if secret_name(route):
        tls["secretName"] = secret_name(route)
    if route.resolver:
        tls.update({"certResolver": rules[0]["tls"]["certResolver"], "domains": rules[0]["tls"]["domains"]})
    items = [of("IngressRoute", name, {"spec": {
        "entryPoints": [route.entry_point], "routes": [_rule(router, service_of(route, router["service"])) for router in rules], "tls": tls}})]
    if route.redirect:
        redirect = found[name + "-redirect"]
        # Nothing reaches its service; a router without one is none to Traefik.
        items.append(of("IngressRoute", name + "-redirect", {"spec": {
            "entryPoints": redirect["entryPoints"], "routes": [_rule(redirect, to_front(name, HTTP_PORT))]}}))
    return items


def _rule(router: Mapping[str, Any], service: Mapping[str, Any]) -> dict[str, Any]:
    return {"kind": "Rule", "match": router["rule"], "priority": router["priority"], "services": [dict(service)],
            "middlewares": [{"name": part} for part in router["middlewares"]]}


# -- what Traefik makes of them -------------------------------------------------------------


def served(items: Mapping[Key, Mapping[str, Any]], names: Names) -> dict[str, Any]:
    """The dynamic configuration that Traefik's provider for its own kinds makes of a route's objects, as far as it follows from them.

    Also of objects that somebody changed.
    """
    found: dict[str, dict[str, Any]] = {"routers": {}, "services": {}, "middlewares": {}}
    for (kind, name), item in items.items():
        namespace = item["metadata"]["namespace"]
        if kind == "IngressRoute":
            for index, rule in enumerate(item["spec"].get("routes") or ()):
                router = names.router(namespace, name, index, rule["match"])
                found["routers"][router] = _router(item, rule, names, names.service(router))
                for service in (rule.get("services") or ())[:1]:
                    found["services"][names.service(router)] = _served_service(namespace, service, names)
        elif kind == "Middleware":
            value = dict(item["spec"])
            if "errors" in value:
                service = names.page_service(namespace, name)
                found["services"][service] = _served_service(namespace, value["errors"]["service"], names)
                value = {"errors": {**value["errors"], "service": service}}
            found["middlewares"][names.of(namespace, name)] = value
        elif kind == "TraefikService":
            parts = {names.part_of(namespace, name, index, each["name"], each["port"]): each
                     for index, each in enumerate((item["spec"].get("weighted") or {}).get("services") or ())}
            found["services"].update({part: _served_service(namespace, each, names) for part, each in parts.items()})
            found["services"][names.of(namespace, name)] = {"weighted": {"services": [
                {"name": part, "weight": each.get("weight", 1)} for part, each in parts.items()]}}
    return {"http": found}


def _router(item: Mapping[str, Any], rule: Mapping[str, Any], names: Names, service: str) -> dict[str, Any]:
    namespace, tls = item["metadata"]["namespace"], item["spec"].get("tls")
    found: dict[str, Any] = {"rule": rule["match"], "service": service, **{key: rule[key] for key in ("priority",) if key in rule},
                             "entryPoints": item["spec"].get("entryPoints") or [],
                             "middlewares": [names.of(namespace, part["name"]) for part in rule.get("middlewares") or ()]}
    if tls:
        found["tls"] = {key: tls[key] for key in ("certResolver", "domains") if key in tls}
        if tls.get("options"):
            found["tls"]["options"] = names.of(namespace, tls["options"]["name"])
    return found


def _served_service(namespace: str, service: Mapping[str, Any], names: Names) -> dict[str, Any]:
    transport = service.get("serversTransport")
    return {"loadBalancer": {"serversTransport": names.of(namespace, transport)} if transport else {}}
