# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument specs of tenant_quota and tenant_quota_info, and what they make of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._kernel.errors import bad_input
from .._kubernetes.api import Api
from . import info
from .machine import io as machine_io
from .machine import operation as on_machine
from .machine.model import COUNTS, LIMITS, parse_shares
from .model import COUNTED, EXPOSED, QUANTITIES, parse_name, parse_namespace, parse_tenants
from .network import Edge
from .operation import TenantsOperation
from .profiles import ISOLATION
from .removal import RemovalOperation

Spec = dict[str, Any]

KUBERNETES, DOCKER = "kubernetes", "docker"
_TEXTS: Spec = {"type": "list", "elements": "str"}
_OF_CLUSTERS = ("namespace", "isolation", "registries", "hosts", "services", "database", "redis", "egress", "people", "ci")
"""Fields of a tenant that mean nothing on a machine."""


def cluster_spec() -> Spec:
    """Options both modules take."""
    return {"runtime": {"type": "str", "choices": [KUBERNETES, DOCKER], "default": KUBERNETES}, "kubeconfig": {"type": "path"}, "context": {"type": "str"},
            "releases_at_once": {"type": "int", "default": 1}}


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
        "limits": {"type": "dict", "options": {**{name: {"type": "str"} for name in (*QUANTITIES, *LIMITS)},
                                               **{name: {"type": "int"} for name in (*COUNTED, *COUNTS)}}},
        "processes": {"type": "dict", "options": {"web_workers": {"type": "int", "default": 2}, "cron_threads": {"type": "int", "default": 1},
                                                  "db_maxconn": {"type": "int", "default": 8}, "queue_channels": {"type": "str"}}},
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
        "absent": {"type": "list", "elements": "str", "default": []},
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
    return {**cluster_spec(), "names": _TEXTS, "measure": {"type": "bool", "default": False}, "network_proven": {"type": "bool", "default": False}}


def operation(params: Mapping[str, Any], check: bool = False) -> TenantsOperation | RemovalOperation | on_machine.MachineOperation:
    """The operation that ``runtime`` and ``state`` ask for.

    :param check: nothing is written down, not even a sample for the history.
    :raises DomainError: for parameters that are not as they must be; the world was not looked at yet.
    """
    for resource, factor in params["overcommit"].items():
        if factor < 0:
            raise bad_input(f"overcommit.{resource}", factor, "0 (no bound) or more")
    if params["runtime"] == DOCKER:
        return _of_machine(params, check)
    _not_of_clusters(params)
    if params["state"] == "absent":
        names = [parse_name(index, value.get("name")) for index, value in enumerate(params["tenants"])]
        pairs = [(name, parse_namespace(name, value.get("namespace"))) for name, value in zip(names, params["tenants"])]
        return RemovalOperation(open_api(params), pairs, params["purge"], params["timeout"])
    if params["purge"]:
        raise bad_input("purge", params["purge"], "nothing with state present")
    tenants = parse_tenants(params["tenants"])
    edge = Edge(params["edge"]["namespace"], tuple(sorted((str(key), str(value)) for key, value in params["edge"]["pods"].items())))
    return TenantsOperation(open_api(params), tenants, edge, overcommit=params["overcommit"], force=params["force"], adopt=params["adopt"],
                            network_proven=params["network_proven"])


def _of_machine(params: Mapping[str, Any], check: bool) -> on_machine.MachineOperation:
    for key in ("kubeconfig", "context", "purge", "force", "adopt", "network_proven"):
        if params[key]:
            raise bad_input(key, params[key], "nothing with runtime docker")
    if params["releases_at_once"] < 0:
        raise bad_input("releases_at_once", params["releases_at_once"], "0 or more")
    absent = [parse_name(index, name, "absent[{0}]") for index, name in enumerate(params["absent"])]
    if params["state"] == "absent":
        absent += [parse_name(index, value.get("name")) for index, value in enumerate(params["tenants"])]
        return on_machine.MachineOperation(machine_io.Machine(), (), absent=absent, overcommit=params["overcommit"], check=check, leaves=True)
    for value in params["tenants"]:
        for key in _OF_CLUSTERS:
            if value.get(key) is not None:
                raise bad_input(f"tenants[{value.get('name')}].{key}", value[key], "nothing with runtime docker")
    return on_machine.MachineOperation(machine_io.Machine(), parse_shares(params["tenants"]), absent=absent, overcommit=params["overcommit"],
                                       releases=params["releases_at_once"], check=check)


def _not_of_clusters(params: Mapping[str, Any]) -> None:
    if params["absent"]:
        raise bad_input("absent", params["absent"], "nothing with runtime kubernetes; state absent removes tenants of a cluster")
    for value in params["tenants"]:
        limits = value.get("limits") or {}
        for key in LIMITS:
            if key not in (*QUANTITIES, *COUNTED) and limits.get(key) is not None:
                raise bad_input(f"tenants[{value.get('name')}].limits.{key}", limits[key], "nothing with runtime kubernetes")


def information(params: Mapping[str, Any]) -> dict[str, Any]:
    """What tenant_quota_info tells. :raises DomainError: as cluster or machine give it."""
    if params["runtime"] == DOCKER:
        return on_machine.gather(machine_io.Machine(), params["names"], measure=params["measure"], releases=params["releases_at_once"])
    return info.gather(open_api(params), params["names"], params["network_proven"])


def open_api(params: Mapping[str, Any]) -> Api:
    """The cluster that ``kubeconfig`` and ``context`` name. :raises DomainError: as ``Api.open`` does."""
    return Api.open(params["kubeconfig"], params["context"])
