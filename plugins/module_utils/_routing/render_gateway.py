# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A route as HTTPRoutes of Gateway API, and what Traefik makes of them. Pure.

What Gateway API has no word for are Traefik's own objects of the same namespace: middlewares by filters of type ExtensionRef, and for the hold, which needs the
front's own address and connections that are not kept, backends of kind TraefikService.

An HTTPRoute names no priorities: Traefik 3.7 computes them (pkg/provider/kubernetes/gateway/httproute.go). A path that is a regular expression counts 10000 and
100 for each of its letters, a header 100, ``/`` 1; then the longest host and the place from the end are added. So what must win is written to be the longest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from .._kernel.errors import known
from .cluster_parts import ORDER, Item, Key, Names, normal, of, service_of
from .gateway import Gateway
from .model import Route
from .parts import REDIRECT_ENTRY_POINT, announced, routers
from .paths import bus_pattern, closed_pattern

GROUP = "gateway.networking.k8s.io"
API = GROUP + "/v1"
PROVIDER = "@kubernetesgateway"
CONTROLLER = "traefik.io/gateway-controller"
# Of an HTTPRoute: the entry point that its listener is expected to be, which nothing in it says.
ENTRY_POINT = "org.sysgenpro/entry-point"

# As good as the prefix /, and above it: for what is narrowed by something else than its path.
ANY = "^/"
# A group that takes nothing and counts as four letters.
_NOTHING = "(?:)"


def objects(route: Route) -> list[Item]:
    """Of one route: its services, and its HTTPRoutes that refer to them."""
    found, name = routers(route), route.name
    rules = [found[name + part] for part in ORDER if name + part in found]
    items = [of("TraefikService", service, {"spec": {"weighted": {"services": [{**service_of(route, service), "weight": 1}]}}})
             for service in dict.fromkeys(rule["service"] for rule in rules)]
    gateway = known(route.gateway)
    matches = _matches(route)
    items.append(_http_route(route, name, gateway, gateway.section, route.entry_point, [
        _rule(rule, matches[part]) for part, rule in zip((part for part in ORDER if name + part in found), rules)]))
    if route.redirect:
        # Nothing reaches its backend; a rule without one is not the same to every version of Traefik.
        redirect = {**found[name + "-redirect"], "service": name}
        items.append(_http_route(route, name + "-redirect", gateway, gateway.redirect_section, REDIRECT_ENTRY_POINT, [_rule(redirect, [{"path": _path("/")}])]))
    return items


def _http_route(route: Route, name: str, gateway: Gateway, section: str, entry_point: str, rules: list[dict[str, Any]]) -> Item:
    item = of("HTTPRoute", name, {"spec": {
        # All that the cluster would fill in is said, so that what it shows is what was asked.
        "parentRefs": [{"group": GROUP, "kind": "Gateway", "namespace": gateway.namespace, "name": gateway.name, "sectionName": section}],
        "hostnames": list(route.hosts), "rules": rules}}, API)
    item["metadata"]["annotations"] = {ENTRY_POINT: entry_point}
    return item


def _rule(router: Mapping[str, Any], matches: list[dict[str, Any]]) -> dict[str, Any]:
    return {"matches": matches, "filters": [extension(name) for name in router["middlewares"]], "backendRefs": [backend(router["service"])]}


def extension(middleware: str) -> dict[str, Any]:
    """A Middleware of Traefik as a filter."""
    return {"type": "ExtensionRef", "extensionRef": {"group": "traefik.io", "kind": "Middleware", "name": middleware}}


def backend(service: str) -> dict[str, Any]:
    """A TraefikService as a backend."""
    return {"group": "traefik.io", "kind": "TraefikService", "name": service, "weight": 1}


def _matches(route: Route) -> dict[str, list[dict[str, Any]]]:
    """By the part of a route; closed paths above bodies that are too large, those above the bus, and that above all else, as ``parts`` says by numbers."""
    bus = bus_pattern()
    closed = closed_pattern(route.database_manager)
    while len(closed) < len(bus) + len(_NOTHING):
        closed += _NOTHING
    large = [{"type": "RegularExpression", "name": "Content-Length", "value": announced(route.max_body)}] if route.max_body else []
    return {
        "": [{"path": _path("/")}],
        "-websocket": [{"path": _path(bus, "RegularExpression")}],
        "-closed": [{"path": _path(closed, "RegularExpression")}],
        "-too-large": [{"path": _path(path, "RegularExpression"), "headers": large} for path in (ANY, bus)],
    }


def _path(value: str, kind: str = "PathPrefix") -> dict[str, str]:
    return {"type": kind, "value": value}


# -- what Traefik makes of them -------------------------------------------------------------


def served(items: Mapping[Key, Mapping[str, Any]], names: Names) -> dict[str, Any]:
    """The dynamic configuration of HTTPRoutes, as far as it follows from them; also of HTTPRoutes that somebody changed."""
    found: dict[str, dict[str, Any]] = {"routers": {}, "services": {}, "middlewares": {}}
    for (kind, _name), item in items.items():
        if kind != "HTTPRoute":
            continue
        spec, entry_point = item["spec"], str((item["metadata"].get("annotations") or {}).get(ENTRY_POINT, ""))
        rules = spec.get("rules") or []
        for parent in spec.get("parentRefs") or ():
            for index, rule in enumerate(rules):
                for match in rule.get("matches") or ():
                    text, priority = _written(spec.get("hostnames") or (), match)
                    router = router_name(item["metadata"], parent, entry_point, index, text)
                    found["routers"][router] = _router(item, rule, names, text, priority + len(rules) - index, entry_point, router + "-wrr")
                    found["services"][router + "-wrr"] = {"weighted": {"services": [
                        {"name": names.of(item["metadata"]["namespace"], each["name"]), "weight": each.get("weight", 1)}
                        for each in rule.get("backendRefs") or ()]}}
    return {"http": found}


def _router(item: Mapping[str, Any], rule: Mapping[str, Any], names: Names, text: str, priority: int, entry_point: str, service: str) -> dict[str, Any]:
    namespace, name = item["metadata"]["namespace"], str(item["metadata"]["name"])
    middlewares = [names.of(namespace, each["extensionRef"]["name"]) for each in rule.get("filters") or () if "extensionRef" in each]
    # No instance's name ends so. All else ends TLS, and was it not so at its listener, it would be served in the clear.
    tls: dict[str, Any] = {} if name.endswith("-redirect") else {"tls": {}}
    return {"rule": text, "priority": priority, "entryPoints": [entry_point], "middlewares": middlewares, "service": service, **tls}


def router_name(metadata: Mapping[str, Any], parent: Mapping[str, Any], entry_point: str, index: int, rule: str) -> str:
    """Traefik's name of a router (makeRouterName)."""
    parts = (str(metadata["namespace"]), str(metadata["name"]), str(parent.get("namespace") or metadata["namespace"]), str(parent.get("name")),
             entry_point, str(index))
    label = normal("httproute-{0}-{1}-gw-{2}-{3}-ep-{4}-{5}".format(*parts))
    told = "".join("{0}:{1}".format(len(part.encode()), part) for part in parts) + rule
    return "{0}-{1}".format(label, hashlib.sha256(told.encode()).digest()[:10].hex())


def _written(hosts: Any, match: Mapping[str, Any]) -> tuple[str, int]:
    """A match as Traefik writes it, and what it counts (buildMatchRule)."""
    path = match.get("path") or _path("/")
    value, priority = str(path.get("value", "/")), 1
    if path.get("type") == "RegularExpression":
        rules, priority = ["PathRegexp({0})".format(_quoted(value))], 10000 + 100 * len(value)
    elif path.get("type") == "Exact":
        rules, priority = ["Path({0})".format(_quoted(value))], 100000
    elif value != "/":
        short = value[:-1] if value.endswith("/") else value
        rules, priority = ["(Path({0}) || PathPrefix({1}))".format(_quoted(short), _quoted(short + "/"))], 10000 + 100 * len(value)
    else:
        rules = ["PathPrefix({0})".format(_quoted("/"))]
    for header in match.get("headers") or ():
        kind = "HeaderRegexp" if header.get("type") == "RegularExpression" else "Header"
        rules.append("{0}({1},{2})".format(kind, _quoted(header["name"]), _quoted(header["value"])))
        priority += 100
    every = ["Host({0})".format(_quoted(host)) for host in hosts]
    if every:
        rules.insert(0, every[0] if len(every) == 1 else "({0})".format(" || ".join(every)))
        priority += max(len(host) for host in hosts)
    return " && ".join(rules), priority


def _quoted(text: str) -> str:
    """As Go's %q, of the ASCII that patterns, hosts and names are made of."""
    return json.dumps(text)


def untaken(item: Mapping[str, Any]) -> list[str]:
    """Why Traefik has not taken an HTTPRoute as it is now, by its own word in the object's status; empty where it has."""
    metadata = item["metadata"]
    label = "HTTPRoute {0}/{1}".format(metadata["namespace"], metadata["name"])
    told = [each for each in (item.get("status") or {}).get("parents") or () if each.get("controllerName") == CONTROLLER]
    found = []
    for parent in (item.get("spec") or {}).get("parentRefs") or ():
        of_it = [each for each in told if all(each["parentRef"].get(key) == parent.get(key) for key in ("name", "namespace", "sectionName"))]
        if not of_it:
            found.append("{0}: no Traefik says that its Gateway {1}/{2} has it".format(label, parent.get("namespace"), parent.get("name")))
        for condition in (each for status in of_it for each in status.get("conditions") or () if each.get("type") in ("Accepted", "ResolvedRefs")):
            if condition.get("observedGeneration") != metadata.get("generation"):
                found.append("{0}: Traefik has not looked at it since it changed".format(label))
            elif condition.get("status") != "True":
                found.append("{0} is not {1}: {2} {3}".format(label, condition["type"], condition.get("reason"), condition.get("message") or "").rstrip())
    return found


def covers(pattern: str, host: str) -> bool:
    """Whether a Gateway's or HTTPRoute's host name takes a host: ``*.`` stands for one label or more; empty takes all."""
    return not pattern or pattern.lower() == host or (pattern.startswith("*.") and host.endswith(pattern[1:].lower()))
