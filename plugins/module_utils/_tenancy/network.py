# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenant's network: all is denied, and these few paths are open. Pure.

Places with ``reach`` ``database`` or ``aside`` (updates, rehearsals) reach their database, the latter the session store too, since it must show that users stay
logged in; and nothing else, no name server either: whoever makes them gives them the addresses.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._instance.names import COLOURS, HTTP, REALTIME, place
from .._kubernetes.labels import KIND, PLACE, REACH, TOOLBOX
from .model import Target, Tenant

AGENT = 8068
"""The port on which a place tells of itself to the toolbox."""
NAME_SERVER = (53, 5353)
"""Ports of the cluster's name server. A policy sees a connection behind its Service, and a CoreDNS without rights listens at the second."""
# Well-known: https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-metadata-name
_NAME = "kubernetes.io/metadata.name"
ASIDE = "aside"
CONFINED = (ASIDE, "database")
SERVING = (*(place(colour, kind) for colour in COLOURS for kind in ("realtime", "web")), TOOLBOX)
"""Places that the edge may be led to; the toolbox serves the page that says that nothing else does."""

Item = dict[str, Any]
Rules = list[Item]


@dataclass(frozen=True)
class Edge:
    """Where the edge's pods run. :param pods: their labels; all pods of the namespace where none are named."""

    namespace: str
    pods: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Ground:
    """Of the cluster. :param api: addresses and ports of its API server, which the toolbox talks to."""

    api: tuple[tuple[str, int], ...] = ()


def policies(tenant: Tenant, edge: Edge, ground: Ground, labels: Mapping[str, str]) -> list[Item]:
    """The network policies of a tenant's namespace. The first denies for every pod all but the toolbox and the database; each further one opens.

    One for each set of pods, since every object is read again in each run.
    """
    toolbox = {"matchLabels": {PLACE: TOOLBOX}}
    places = [HTTP, REALTIME]
    inner = _ports([AGENT, *places])
    free = {"matchExpressions": [{"key": REACH, "operator": "NotIn", "values": list(CONFINED)}]}
    serving = {"matchExpressions": [{"key": PLACE, "operator": "In", "values": list(SERVING)}]}
    edge_peer: Item = {"namespaceSelector": {"matchLabels": {_NAME: edge.namespace}}}
    if edge.pods:
        edge_peer["podSelector"] = {"matchLabels": dict(edge.pods)}
    name_server = {"namespaceSelector": {"matchLabels": {_NAME: "kube-system"}}, "podSelector": {"matchLabels": {"k8s-app": "kube-dns"}}}
    outside: Rules = [{"ports": _ports(NAME_SERVER, "UDP") + _ports(NAME_SERVER), "to": [name_server]}]
    if tenant.redis:
        outside.append(_to(tenant.redis))
    outside += [_way(tenant, each) for each in range(len(tenant.egress)) if not tenant.egress[each].kinds]
    api = [{"ports": _ports([port]), "to": [{"ipBlock": {"cidr": _host(address)}}]} for address, port in ground.api]
    found = [
        _policy(tenant, labels, "every-pod", {}, ingress=[{"ports": inner, "from": [{"podSelector": toolbox}]}],
                egress=[_to(tenant.database)] if tenant.database else []),
        _policy(tenant, labels, "serving", serving, ingress=[{"ports": _ports(places), "from": [edge_peer]}]),
        _policy(tenant, labels, "toolbox", toolbox, egress=[{"ports": inner, "to": [{"podSelector": {}}]}, *api]),
        _policy(tenant, labels, "outside", free, egress=outside)]
    if tenant.redis:
        found.append(_policy(tenant, labels, "aside", {"matchLabels": {REACH: ASIDE}}, egress=[_to(tenant.redis)]))
    for name, target in (("into-database", tenant.database), ("into-redis", tenant.redis)):
        if target and target.namespace == tenant.namespace:
            found.append(_policy(tenant, labels, name, {"matchLabels": dict(target.pods)},
                                 ingress=[{"ports": _ports(target.ports), "from": [{"podSelector": {}}]}]))
    for number, way in enumerate(tenant.egress):
        if way.kinds:
            pods = {"matchExpressions": [{"key": KIND, "operator": "In", "values": list(way.kinds)}, *free["matchExpressions"]]}
            found.append(_policy(tenant, labels, f"way-{way.name}", pods, egress=[_way(tenant, number)]))
    return found


def _policy(tenant: Tenant, labels: Mapping[str, str], name: str, pods: Item, ingress: Rules | None = None, egress: Rules | None = None) -> Item:
    """Ways in and out are written also where there are none: else somebody else's would stand beside these."""
    types = [*(["Ingress"] if ingress is not None else []), *(["Egress"] if egress is not None else [])]
    return {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": name, "namespace": tenant.namespace, "labels": dict(labels)},
            "spec": {"podSelector": pods, "policyTypes": types, "ingress": ingress or [], "egress": egress or []}}


def _to(target: Target) -> Item:
    if target.network:
        peer: Item = {"ipBlock": {"cidr": str(target.network)}}
    else:
        peer = {"namespaceSelector": {"matchLabels": {_NAME: target.namespace}}, **({"podSelector": {"matchLabels": dict(target.pods)}} if target.pods else {})}
    return {"ports": _ports(target.ports), "to": [peer]}


def _way(tenant: Tenant, number: int) -> Item:
    way = tenant.egress[number]
    block: Item = {"cidr": str(way.network), **({"except": [str(each) for each in way.without]} if way.without else {})}
    return {**({"ports": _ports(way.ports, way.protocol)} if way.ports else {}), "to": [{"ipBlock": block}]}


def _ports(numbers: Sequence[int], protocol: str = "TCP") -> Rules:
    return [{"port": number, "protocol": protocol} for number in numbers]


def _host(address: str) -> str:
    return str(ipaddress.ip_network(address))
