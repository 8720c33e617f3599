# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of traefik_route and traefik_route_info, and what they make of them."""

from __future__ import annotations

import grp
from collections.abc import Mapping
from typing import Any

from .._kernel.errors import DomainError
from .api import Api
from .certificates import HAS_CRYPTOGRAPHY, read_pem, unavailable
from .io import Place
from .model import EXPOSURES, Route, parse_name, parse_routes
from .names import HAS_IDNA, likely
from .operation import RouteOperation

Spec = dict[str, Any]


def place_spec() -> Spec:
    """Options both modules take."""
    return {
        "provider": {"type": "str", "choices": ["file"], "default": "file"},
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
    }


def route_spec() -> Spec:
    """Options of one route."""
    number = {"type": "int"}
    networks = {"type": "list", "elements": "str"}
    return {
        "name": {"type": "str", "required": True},
        "hosts": {"type": "list", "elements": "str"},
        "exposure": {"type": "str", "choices": list(EXPOSURES), "default": "public"},
        "front": {"type": "str"},
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
                "resolver": {"type": "str"},
                "unavailable": {"type": "str"},
                "min_version": {"type": "str", "choices": ["1.2", "1.3"], "default": "1.2"},
            },
            "mutually_exclusive": [
                ("certificate", "certificate_path", "resolver"), ("private_key", "private_key_path", "resolver"),
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
        "pages": {"type": "str", "default": "http://172.28.0.2:8069"},
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
        tls = {"resolver": "unread"} if check_mode and not HAS_CRYPTOGRAPHY else _with_files(str(value.get("name")), tls)
        return {**value, "hosts": hosts, "tls": tls}

    return parse_routes(params["routes"], refused, complete)


def place(params: Mapping[str, Any], gid: int = -1) -> Place:
    """Where routes lie."""
    return Place(params["directory"].rstrip("/"), params["certificates"].rstrip("/"), gid, params["log"])


def operation(params: Mapping[str, Any], check_mode: bool) -> RouteOperation:
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
    return RouteOperation(
        place(params, _gid(params["group"], check_mode)),
        Api(params["api"]["url"]),
        [] if absent else read_routes(params, check_mode, refused),
        names,
        pages=params["pages"],
        purge=params["purge"],
        timeout=params["api"]["timeout"],
        required=not check_mode,
        refused=refused,
    )


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
