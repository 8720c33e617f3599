# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of traefik_route and traefik_route_info, and what they make of them."""

from __future__ import annotations

import grp
import re
from collections.abc import Mapping
from typing import Any

from .._kernel.errors import DomainError, bad_input
from .._kubernetes.api import Api as KubernetesApi
from . import io, render_file, render_kubernetes
from .api import Api
from .certificates import HAS_CRYPTOGRAPHY, read_pem, unavailable
from .gateway import HTTP_ROUTE, INGRESS_ROUTE, OUTPUTS
from .io import Place
from .io_kubernetes import Cluster, Edge
from .model import EXPOSURES, Route, parse_name, parse_routes
from .names import HAS_IDNA, likely
from .operation import RouteOperation, Routing
from .operation_kubernetes import ClusterOperation, facts
from .plan_kubernetes import index

Spec = dict[str, Any]

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?")
# The server of the edge's pages by provider, as the role traefik makes it.
PAGES = {"file": "http://172.28.0.2:8069", "kubernetes": "http://sysgenpro-pages.sysgenpro-edge:8069"}


def place_spec() -> Spec:
    """Options both modules take."""
    return {
        "provider": {"type": "str", "choices": ["file", "kubernetes"], "default": "file"},
        "directory": {"type": "path", "default": "/etc/traefik/dynamic"},
        "certificates": {"type": "path", "default": "/etc/traefik/certificates"},
        "log": {"type": "str", "default": "/var/log/traefik/traefik.log"},
        "api": {
            "type": "dict",
            "default": {},
            "apply_defaults": True,
            "options": {
                "url": {"type": "str", "default": "http://127.0.0.1:8080"},
                "timeout": {"type": "int", "default": 30},
            },
        },
        "kubeconfig": {"type": "path"},
        "context": {"type": "str"},
        "scope": {"type": "str", "default": "default"},
        "edge": {
            "type": "dict",
            "default": {},
            "apply_defaults": True,
            "options": {
                "namespace": {"type": "str", "default": "sysgenpro-edge"},
                "selector": {"type": "str", "default": "app.kubernetes.io/name=traefik"},
                "port": {"type": "int", "default": 8080},
                "urls": {"type": "list", "elements": "str", "default": []},
            },
        },
    }


def gateway_spec() -> Spec:
    """Options of the Gateway that HTTPRoutes are attached to."""
    return {"type": "dict", "options": {key: {"type": "str"} for key in ("namespace", "name", "section_name", "redirect_section_name")}}


def route_spec() -> Spec:
    """Options of one route."""
    number = {"type": "int"}
    networks = {"type": "list", "elements": "str"}
    return {
        "name": {"type": "str", "required": True},
        "hosts": {"type": "list", "elements": "str"},
        "exposure": {"type": "str", "choices": list(EXPOSURES), "default": "public"},
        "front": {"type": "str"},
        "namespace": {"type": "str"},
        "output": {"type": "str", "choices": list(OUTPUTS)},
        "gateway": gateway_spec(),
        "entry_point": {"type": "str"},
        "redirect": {"type": "bool"},
        "allow_list": networks,
        "trusted_proxies": networks,
        "rate_limit": {"type": "dict", "options": {"average": number, "burst": number}},
        "hsts": number,
        "indexed": {"type": "bool"},
        "max_body": number,
        "database_manager": {"type": "bool", "default": False},
        "headers": {"type": "dict"},
        "hold": {
            "type": "dict",
            "options": {"timeout": number, "interval": number, "attempts": number, "requests": number},
        },
        "tls": {
            "type": "dict",
            "options": {
                "certificate": {"type": "str"},
                "private_key": {"type": "str", "no_log": True},
                "certificate_path": {"type": "path"},
                "private_key_path": {"type": "path", "no_log": False},
                "secret": {"type": "str", "no_log": False},
                "resolver": {"type": "str"},
                "unavailable": {"type": "str"},
                "min_version": {"type": "str", "choices": ["1.2", "1.3"], "default": "1.2"},
            },
            "mutually_exclusive": [
                ("certificate", "certificate_path", "secret", "resolver"), ("private_key", "private_key_path", "secret", "resolver"),
            ],
        },
    }


def module_spec() -> Spec:
    """Options of traefik_route."""
    return {
        **place_spec(),
        "state": {"type": "str", "choices": ["present", "absent", "rendered"], "default": "present"},
        "routes": {"type": "list", "elements": "dict", "required": True, "options": route_spec()},
        "absent": {"type": "list", "elements": "str", "default": []},
        "purge": {"type": "bool", "default": False},
        "group": {"type": "str", "default": "traefik"},
        "pages": {"type": "str"},
        "output": {"type": "str", "choices": list(OUTPUTS), "default": INGRESS_ROUTE},
        "gateway": gateway_spec(),
        "force": {"type": "bool", "default": False},
        "expected_plan_digest": {"type": "str"},
    }


def read_routes(params: Mapping[str, Any], check_mode: bool = False, refused: list[DomainError] | None = None) -> list[Route]:
    """The routes asked for, with certificates read from their paths.

    In check mode a machine without the libraries was never converged: certificates are then left out of the plan, and names are what they likely are.

    :raises DomainError: as ``model.parse_routes`` does, and ``certificate_unreadable`` for a path.
    """
    def complete(value: Mapping[str, Any]) -> dict[str, Any]:
        hosts, tls = value.get("hosts"), value.get("tls") or {}
        if check_mode and not HAS_IDNA:
            hosts = [likely(str(host)) or host for host in hosts or ()]
        attached = _attached(params, value)
        if attached.get("output") != HTTP_ROUTE:
            tls = {"resolver": "unread"} if check_mode and not HAS_CRYPTOGRAPHY else _with_files(str(value.get("name")), tls)
        return {**value, "hosts": hosts, "tls": tls, **attached}

    return parse_routes(params["routes"], refused, complete, in_cluster(params))


def _attached(params: Mapping[str, Any], value: Mapping[str, Any]) -> dict[str, Any]:
    """The output of a route, and its Gateway: what the route says, else what is said for all."""
    output = value.get("output") or params.get("output")
    if output != HTTP_ROUTE:
        return {"output": output}
    said = [dict(each or {}) for each in (params.get("gateway"), value.get("gateway"))]
    given = [{key: text for key, text in each.items() if text is not None} for each in said]
    return {"output": output, "gateway": {"namespace": params["edge"]["namespace"], **given[0], **given[1]}}


def in_cluster(params: Mapping[str, Any]) -> bool:
    """Whether the routes are a cluster's."""
    return params.get("provider") == "kubernetes"


def pages(params: Mapping[str, Any]) -> str:
    """The server of the edge's pages, as the role traefik makes it."""
    return str(params["pages"] or PAGES[str(params["provider"])])


def place(params: Mapping[str, Any], gid: int = -1) -> Place:
    """Where routes lie."""
    return Place(params["directory"].rstrip("/"), params["certificates"].rstrip("/"), gid, params["log"])


def cluster(params: Mapping[str, Any]) -> Cluster:
    """The cluster, with its edge.

    :raises DomainError: as ``Api.open`` does.
    """
    edge, scope = params["edge"], str(params["scope"])
    if not _LABEL.fullmatch(scope):
        raise bad_input("scope", scope, "up to 63 letters, digits, dashes, dots and underscores, as the value of a label")
    where = Edge(edge["namespace"], edge["selector"], edge["port"], tuple(url.rstrip("/") for url in edge["urls"]))
    return Cluster(KubernetesApi.open(params["kubeconfig"], params["context"]), where, scope=scope, force=bool(params.get("force")))


def operation(params: Mapping[str, Any], check_mode: bool) -> Routing:
    """The operation that ``state`` present or absent asks for.

    :raises DomainError: for parameters that are not as they must be; the world was not looked at yet.
    """
    absent = params["state"] == "absent"
    if absent and params["purge"]:
        raise DomainError(
            "bad_input", "purge must be false with state absent", unchanged="Nothing was changed"
        )
    names = [parse_name(value.get("name"), "routes") for value in params["routes"]] if absent else []
    names += [parse_name(name, "absent") for name in params["absent"]]
    both = {value.get("name") for value in params["routes"]} & set(params["absent"])
    if both and not absent:
        raise DomainError(
            "bad_input", "absent must not name what routes does: {0}".format(", ".join(sorted(both))), unchanged="Nothing was changed"
        )
    refused: list[DomainError] = []
    routes = [] if absent else read_routes(params, check_mode, refused)
    further = {"pages": pages(params), "purge": params["purge"], "timeout": params["api"]["timeout"], "required": not check_mode, "refused": refused}
    if in_cluster(params):
        return ClusterOperation(cluster(params), routes, names, **further)
    return RouteOperation(place(params, _gid(params["group"], check_mode)), Api(params["api"]["url"]), routes, names, **further)


def rendered(params: Mapping[str, Any]) -> dict[str, Any]:
    """What ``present`` would write, and the routes. Of a cluster at most the pages' Service is read, where ``pages`` names one.

    :raises DomainError: as ``read_routes`` does.
    """
    routes = read_routes(params)
    if in_cluster(params):
        found = _pages_of(params)
        items = {route.name: index(render_kubernetes.objects(route, found, str(params["scope"]))) for route in routes}
        # A Secret without its data: nothing that is returned holds a key.
        return {"rendered": {"{0} {1}/{2}".format(kind, item["metadata"]["namespace"], name): {part: value for part, value in item.items() if part != "data"}
                             for every in items.values() for (kind, name), item in every.items()},
                "routes": [facts(route, items[route.name]) for route in routes]}
    where = place(params)
    files = {where.file(route.name): render_file.text(render_file.configuration(route, pages(params), where.certificates)) for route in routes}
    return {"rendered": files, "routes": [io.facts(route, where) for route in routes]}


def _pages_of(params: Mapping[str, Any]) -> render_kubernetes.Pages:
    known = render_kubernetes.Pages.of(pages(params))
    return known or cluster(params).pages(pages(params))


def _gid(group: str, check_mode: bool) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        # In check mode on a machine that is not converged yet the group is only about to be made.
        if check_mode:
            return -1
        raise DomainError(
            "bad_input", "group must be a group of the machine, and {0} is none".format(group),
            unchanged="Nothing was changed", advice="The role sysgenpro.odoo.traefik makes it",
        ) from None


def _with_files(route: str, given: Mapping[str, Any]) -> dict[str, Any]:
    tls = dict(given)
    if tls.pop("unavailable", None):
        raise unavailable(route, str(given["unavailable"]))
    for key in ("certificate", "private_key"):
        path = tls.pop(key + "_path", None)
        if path:
            tls[key] = read_pem(route, key + "_path", str(path))
    return tls
