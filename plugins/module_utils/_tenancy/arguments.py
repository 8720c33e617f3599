# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of tenant_quota and tenant_quota_info, and what they make of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._kernel.errors import bad_input
from .._kubernetes.api import Api
from .model import COUNTED, EXPOSED, QUANTITIES, parse_name, parse_namespace, parse_tenants
from .network import Edge
from .operation import TenantsOperation
from .profiles import ISOLATION
from .removal import RemovalOperation

Spec = dict[str, Any]

_TEXTS: Spec = {"type": "list", "elements": "str"}


def cluster_spec() -> Spec:
    """Options both modules take."""
    return {"kubeconfig": {"type": "path"}, "context": {"type": "str"}}


def tenant_spec() -> Spec:
    """Options of one tenant."""
    target = {"type": "dict", "options": {"address": {"type": "str"}, "namespace": {"type": "str"}, "pods": {"type": "dict"},
                                          "ports": {"type": "list", "elements": "int"}}}
    people = {"users": _TEXTS, "groups": _TEXTS}
    return {
        "name": {"type": "str", "required": True},
        "namespace": {"type": "str"},
        "profile": {"type": "str"},
        "isolation": {"type": "str", "choices": list(ISOLATION)},
        "pool": {"type": "str"},
        "limits": {"type": "dict", "options": {**{name: {"type": "str"} for name in QUANTITIES}, **{name: {"type": "int"} for name in COUNTED}}},
        "registries": _TEXTS,
        "hosts": _TEXTS,
        "services": {"type": "list", "elements": "str", "choices": list(EXPOSED)},
        "database": target,
        "redis": target,
        "egress": {"type": "list", "elements": "dict", "options": {
            "name": {"type": "str", "required": True}, "cidr": {"type": "str", "required": True}, "except": _TEXTS,
            "ports": {"type": "list", "elements": "int"}, "protocol": {"type": "str", "choices": ["TCP", "UDP"], "default": "TCP"}, "kinds": _TEXTS}},
        "people": {"type": "dict", "options": people},
        "ci": {"type": "dict", "options": {**people, "service_accounts": _TEXTS}},
    }


def module_spec() -> Spec:
    """Options of tenant_quota."""
    return {
        **cluster_spec(),
        "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
        "tenants": {"type": "list", "elements": "dict", "required": True, "options": tenant_spec()},
        "purge": {"type": "list", "elements": "str", "default": []},
        "edge": {"type": "dict", "default": {}, "apply_defaults": True, "options": {
            "namespace": {"type": "str", "default": "traefik"}, "pods": {"type": "dict", "default": {}}}},
        "overcommit": {"type": "dict", "default": {}, "apply_defaults": True, "options": {
            "cpu": {"type": "float", "default": 1}, "memory": {"type": "float", "default": 1}}},
        "force": {"type": "bool", "default": False},
        "adopt": {"type": "bool", "default": False},
        "network_proven": {"type": "bool", "default": False},
        "timeout": {"type": "int", "default": 60},
        "expected_plan_digest": {"type": "str"},
    }


def info_spec() -> Spec:
    """Options of tenant_quota_info."""
    return {**cluster_spec(), "names": _TEXTS, "network_proven": {"type": "bool", "default": False}}


def operation(params: Mapping[str, Any]) -> TenantsOperation | RemovalOperation:
    """The operation that ``state`` asks for.

    :raises DomainError: for parameters that are not as they must be; the world was not looked at yet.
    """
    if params["state"] == "absent":
        names = [parse_name(index, value.get("name")) for index, value in enumerate(params["tenants"])]
        pairs = [(name, parse_namespace(name, value.get("namespace"))) for name, value in zip(names, params["tenants"])]
        return RemovalOperation(open_api(params), pairs, params["purge"], params["timeout"])
    if params["purge"]:
        raise bad_input("purge", params["purge"], "nothing with state present")
    for resource, factor in params["overcommit"].items():
        if factor < 0:
            raise bad_input(f"overcommit.{resource}", factor, "0 (no bound) or more")
    tenants = parse_tenants(params["tenants"])
    edge = Edge(params["edge"]["namespace"], tuple(sorted((str(key), str(value)) for key, value in params["edge"]["pods"].items())))
    return TenantsOperation(open_api(params), tenants, edge, overcommit=params["overcommit"], force=params["force"], adopt=params["adopt"],
                            network_proven=params["network_proven"])


def open_api(params: Mapping[str, Any]) -> Api:
    """The cluster that ``kubeconfig`` and ``context`` name. :raises DomainError: as ``Api.open`` does."""
    return Api.open(params["kubeconfig"], params["context"])
