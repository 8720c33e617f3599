# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a route is, whatever carries it: typed values, the exposure classes' defaults, and every check of the input.

Nothing in here knows of files or of Kubernetes objects; ``render_file`` and ``render_kubernetes`` are the two renderings of this model.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._kernel.errors import DomainError
from .certificates import UNFIT, Certificate
from .gateway import HTTP_ROUTE, INGRESS_ROUTE, OUTPUTS, Gateway, expressible, parse_gateway
from .names import host_name

# Ports of an instance's front, docs/reference/machine.md.
HTTP_PORT = 8069
WEBSOCKET_PORT = 8072

# Requests of one route that may wait. Beyond what an Odoo process lets wait to be accepted (BACKLOG of addons/sysgenpro_drain/herd.py, with room
# for connections that are closing) the kernel would drop some by chance.
MOST_WAITING = 10000

# What routers and services of an instance are called after its name; no instance may bear such a name itself.
RESERVED_SUFFIXES = ("-websocket", "-pages", "-closed", "-too-large", "-redirect")

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,60}[a-z0-9])?")
_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_|~-]+")
_ENTRY_POINT = re.compile(r"[A-Za-z0-9_-]+")
_NAMESPACE = re.compile(r"[a-z0-9](?:[a-z0-9-]*[a-z0-9])?")
_SECRET = re.compile(r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?")
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128")
_UNCHANGED = "Nothing was changed"


@dataclass(frozen=True)
class Exposure:
    """What an exposure class means where a route says nothing else.

    :param rate: requests a second and client address on average; 0 means no limit.
    :param burst: requests a client may send at once above that.
    :param indexed: whether search engines may list it.
    """

    entry_point: str
    redirect: bool
    allow: tuple[str, ...]
    rate: int
    burst: int
    hsts: int
    indexed: bool


# One page of Odoo's web client asks for up to a hundred assets, a shop's tills share one address, and after a hold they all ask at once.
EXPOSURES: Mapping[str, Exposure] = {
    "public": Exposure("websecure", True, (), 100, 1000, 31536000, True),
    "partner": Exposure("websecure", True, (), 50, 500, 31536000, False),
    "internal": Exposure("internal", False, _PRIVATE, 0, 0, 0, False),
}


@dataclass(frozen=True)
class Hold:
    """Bounds of the hold: how long and how many requests wait while the front refuses.

    :param timeout: seconds a request waits at most.
    :param interval: milliseconds before the first further attempt; Traefik lets it grow to twice that, jittered.
    :param attempts: connection attempts at most.
    :param requests: requests under way or waiting at a time, websockets not counted; more are answered 503.
    """

    timeout: int
    interval: int
    attempts: int
    requests: int


@dataclass(frozen=True)
class Route:
    """One instance at the edge. ``name`` is also its service's name; see ``docs`` of the module for the rest.

    :param front: IPv4 address; empty in a cluster, where the front is the Service ``name`` of ``namespace``.
    :param namespace: of the instance in its cluster; empty on a machine.
    :param secret: the TLS Secret of that namespace that somebody else keeps, such as cert-manager.
    :param gateway: what it is attached to, where it is an HTTPRoute in its cluster; else it is an IngressRoute.
    """

    name: str
    hosts: tuple[str, ...]
    exposure: str
    entry_point: str
    redirect: bool
    front: str
    namespace: str
    hold: Hold
    certificate: Certificate | None
    secret: str
    resolver: str
    tls_min: str
    allow: tuple[str, ...]
    trusted_proxies: tuple[str, ...]
    rate: int
    burst: int
    hsts: int
    indexed: bool
    max_body: int
    database_manager: bool
    headers: Mapping[str, str] = field(default_factory=dict)
    gateway: Gateway | None = None

    @property
    def output(self) -> str:
        return HTTP_ROUTE if self.gateway else INGRESS_ROUTE


def parse_routes(
    values: Iterable[Mapping[str, Any]], refused: list[DomainError] | None = None,
    complete: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict, in_cluster: bool = False,
) -> list[Route]:
    """Check and complete the routes of one machine, or of one cluster.

    :param refused: takes what is wrong with certificates, whose routes are then left out; without it that is raised as well.
    :param complete: reads what a route refers to; what it raises counts as what is raised here.
    :raises DomainError: ``bad_input``, ``host_taken`` or a code of ``certificates``, naming route and field.
    """
    routes: list[Route] = []
    names: set[str] = set()
    owners: dict[str, str] = {}
    spaces: dict[str, str] = {}
    for index, value in enumerate(values):
        try:
            route = _parse(index, complete(value), in_cluster)
        except DomainError as error:
            if refused is None or error.code not in UNFIT:
                raise
            refused.append(error)
            # A name that cannot be told without a library cannot be taken either.
            name = parse_name(value.get("name"), "routes[{0}]".format(index))
            hosts = _hosts(name, value.get("hosts")) if error.details["field"] != "hosts" else ()
        else:
            routes.append(route)
            name, hosts = route.name, route.hosts
        if name in names:
            raise invalid(name, "name", "to be given once; it is given twice")
        names.add(name)
        space = str(value.get("namespace") or name)
        if in_cluster and spaces.setdefault(space, name) != name:
            raise invalid(name, "namespace", "its own, and {0} is that of {1}".format(space, spaces[space]))
        for host in hosts:
            if host in owners:
                raise host_taken(host, name, owners[host])
            owners[host] = name
    return routes


def parse_name(value: Any, where: str) -> str:
    """An instance's name as this collection allows it at the edge."""
    name = str(value or "")
    if not _NAME.fullmatch(name):
        raise invalid(where, "name", "lower-case letters, digits and dashes, at most 62, not {0!r}".format(name))
    for suffix in RESERVED_SUFFIXES:
        if name.endswith(suffix):
            raise invalid(name, "name", "not to end in {0}, which names a part of another route".format(suffix))
    return name


def _parse(index: int, value: Mapping[str, Any], in_cluster: bool) -> Route:
    name = parse_name(value.get("name"), "routes[{0}]".format(index))
    exposure = EXPOSURES.get(value.get("exposure") or "public")
    if exposure is None:
        raise invalid(name, "exposure", "one of {0}".format(", ".join(EXPOSURES)))
    allow = _networks(name, "allow_list", value.get("allow_list")) or exposure.allow
    if value.get("exposure") == "partner" and not allow:
        raise invalid(name, "allow_list", "the partner's networks: exposure partner opens to nobody else")
    rate = value.get("rate_limit") or {}
    average = _bounded(name, "rate_limit.average", rate.get("average"), exposure.rate, 0, 1000000)
    burst_default = exposure.burst if rate.get("average") is None else 4 * average
    manager = bool(value.get("database_manager"))
    if manager and value.get("exposure") != "internal":
        raise invalid(name, "database_manager", "to be false unless exposure is internal")
    hosts = _hosts(name, value.get("hosts"))
    tls = value.get("tls") or {}
    entry_point = str(value.get("entry_point") or exposure.entry_point)
    if not _ENTRY_POINT.fullmatch(entry_point):
        raise invalid(name, "entry_point", "the name of an entry point, not {0!r}".format(entry_point))
    gateway = _gateway(name, value, entry_point, in_cluster)
    if gateway:
        expressible(name, hosts, tls)
    certificate, secret, resolver = (None, "", "") if gateway else _tls(name, hosts, tls, in_cluster)
    return Route(
        name=name,
        hosts=hosts,
        exposure=str(value.get("exposure") or "public"),
        entry_point=entry_point,
        redirect=exposure.redirect if value.get("redirect") is None else bool(value["redirect"]),
        front=_front(name, value.get("front"), in_cluster),
        namespace=_namespace(name, value.get("namespace"), in_cluster),
        hold=_hold(name, value.get("hold") or {}),
        certificate=certificate,
        secret=secret,
        resolver=resolver,
        tls_min=str(tls.get("min_version") or "1.2"),
        allow=allow,
        trusted_proxies=_networks(name, "trusted_proxies", value.get("trusted_proxies")),
        rate=average,
        burst=_bounded(name, "rate_limit.burst", rate.get("burst"), max(burst_default, 1), 1, 1000000),
        hsts=_bounded(name, "hsts", value.get("hsts"), exposure.hsts, 0, 63072000),
        indexed=exposure.indexed if value.get("indexed") is None else bool(value["indexed"]),
        max_body=_bounded(name, "max_body", value.get("max_body"), 268435456, 0, 1 << 50),
        database_manager=manager,
        headers=_headers(name, value.get("headers") or {}),
        gateway=gateway,
    )


def _hosts(name: str, values: Any) -> tuple[str, ...]:
    hosts = tuple(dict.fromkeys(host_name(name, str(value)) for value in values or ()))
    if not hosts:
        raise invalid(name, "hosts", "at least one host name")
    return hosts


def _front(name: str, value: Any, in_cluster: bool) -> str:
    if in_cluster:
        if value:
            raise invalid(name, "front", "left out: in a cluster it is the Service {0} of the instance's namespace".format(name))
        return ""
    try:
        return str(ipaddress.IPv4Address(str(value)))
    except ValueError:
        raise invalid(name, "front", "the IPv4 address of the instance's front, not {0!r}".format(value)) from None


def _namespace(name: str, value: Any, in_cluster: bool) -> str:
    if value and not in_cluster:
        raise invalid(name, "namespace", "left out: only a cluster has namespaces")
    namespace = str(value or name) if in_cluster else ""
    if namespace and (not _NAMESPACE.fullmatch(namespace) or len(namespace) > 63):
        raise invalid(name, "namespace", "the name of a namespace, not {0!r}".format(namespace))
    return namespace


def _gateway(name: str, value: Mapping[str, Any], entry_point: str, in_cluster: bool) -> Gateway | None:
    output = str(value.get("output") or INGRESS_ROUTE)
    if output not in OUTPUTS:
        raise invalid(name, "output", "one of {0}".format(", ".join(OUTPUTS)))
    if output != HTTP_ROUTE:
        if value.get("gateway"):
            raise invalid(name, "gateway", "left out unless output is http_route")
        return None
    if not in_cluster:
        raise invalid(name, "output", "left out: only a cluster has HTTPRoutes")
    return parse_gateway(name, value.get("gateway") or {}, entry_point)


def _networks(name: str, key: str, values: Any) -> tuple[str, ...]:
    networks = []
    for value in values or ():
        try:
            networks.append(str(ipaddress.ip_network(str(value))))
        except ValueError as error:
            raise invalid(name, key, "networks such as 192.0.2.0/24: {0}".format(error)) from None
    return tuple(networks)


def _bounded(name: str, key: str, value: Any, default: int, low: int, high: int) -> int:
    number = default if value is None else int(value)
    if not low <= number <= high:
        raise invalid(name, key, "a number from {0} to {1}, not {2}".format(low, high, number))
    return number


def _hold(name: str, value: Mapping[str, Any]) -> Hold:
    # 900 s: the library behind Traefik's retry stops by itself then (cenkalti/backoff, DefaultMaxElapsedTime).
    timeout = _bounded(name, "hold.timeout", value.get("timeout"), 300, 1, 900)
    interval = _bounded(name, "hold.interval", value.get("interval"), 250, 10, 10000)
    # The interval starts at `interval` and is jittered by half of it, so this many attempts outlast the timeout.
    enough = 2 * timeout * 1000 // interval + 2
    return Hold(
        timeout,
        interval,
        _bounded(name, "hold.attempts", value.get("attempts"), enough, 2, 1000000),
        _bounded(name, "hold.requests", value.get("requests"), 1000, 1, MOST_WAITING),
    )


def _headers(name: str, value: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    for key, text in value.items():
        if not _HEADER.fullmatch(str(key)):
            raise invalid(name, "headers", "names of HTTP headers, not {0!r}".format(key))
        if any(ord(char) < 32 or 127 <= ord(char) < 160 for char in str(text)):
            raise invalid(name, "headers", "values without control characters in {0}".format(key))
        headers[str(key)] = str(text)
    return headers


def _tls(name: str, hosts: tuple[str, ...], tls: Mapping[str, Any], in_cluster: bool) -> tuple[Certificate | None, str, str]:
    """Certificate, Secret and resolver, one of them given."""
    certificate, secret, resolver = tls.get("certificate"), str(tls.get("secret") or ""), str(tls.get("resolver") or "")
    if secret and not in_cluster:
        raise invalid(name, "tls.secret", "left out: only a cluster has Secrets")
    # A certificate that is given and empty is a file without content, so unreadable.
    if [bool(secret), bool(resolver), certificate is not None and not (certificate == "" and (secret or resolver))].count(True) != 1:
        raise invalid(name, "tls", "one of certificate with private_key, secret (in a cluster) and resolver")
    if secret:
        if not _SECRET.fullmatch(secret) or len(secret) > 253:
            raise invalid(name, "tls.secret", "the name of a Secret, not {0!r}".format(secret))
        return None, secret, ""
    if not resolver:
        return Certificate.load(name, hosts, str(certificate), str(tls.get("private_key") or "")), "", ""
    if not _ENTRY_POINT.fullmatch(resolver):
        raise invalid(name, "tls.resolver", "the name of a certificate resolver, not {0!r}".format(resolver))
    return None, "", resolver


def invalid(route: str, key: str, expected: str) -> DomainError:
    """The error for a field of a route that is not as it must be."""
    message = "route {0}: {1} must be {2}".format(route, key, expected)
    return DomainError("bad_input", message, unchanged=_UNCHANGED, route=route, field=key)


def host_taken(host: str, route: str, owner: str) -> DomainError:
    """The error for a host name that somebody else's route serves."""
    return DomainError(
        "host_taken",
        "route {0}: hosts names {1}, which {2} already serves".format(route, host, owner),
        unchanged=_UNCHANGED,
        advice="Give the name to one route only, or take it from the other in the same call",
        host=host, route=route, owner=owner,
    )
