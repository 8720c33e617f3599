# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster as it is, in as few calls as there are kinds: one paged list each, over all namespaces."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any

from .._kubernetes import labels
from .._kubernetes.api import Api, failures
from .._kubernetes.quantities import parse
from .network import Ground
from .plan import Item, Key, Observed, key_of
from .render import SELECTOR

NAMESPACED = ("NetworkPolicy", "ResourceQuota", "LimitRange", "Role", "RoleBinding")
CLUSTER_WIDE = ("PriorityClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding")


def observe(api: Api, wanted: Collection[str]) -> tuple[Observed, Ground]:
    """:param wanted: namespaces that are asked about.

    :raises DomainError: as the API gives it.
    """
    asks: list[tuple[str, str | None, str]] = [
        *((kind, None, SELECTOR) for kind in (*NAMESPACED, *CLUSTER_WIDE)), ("Namespace", None, ""), ("Node", None, ""),
        ("EndpointSlice", "default", "kubernetes.io/service-name=kubernetes")]
    done = api.many(lambda ask: api.every(*ask), asks)
    for _ask, error in failures(done):
        raise error
    found: dict[str, list[Item]] = {ask[0]: items for ask, items, _error in done}
    objects: dict[Key, Item] = {key_of(item): item for kind in (*NAMESPACED, *CLUSTER_WIDE) for item in found[kind]}
    namespaces = {item["metadata"]["name"]: item for item in found["Namespace"]}
    bare = {name for name in wanted if name in namespaces and ("ResourceQuota", name, "share") not in objects}
    running = requests(api.every("Pod"), bare) if bare else {}
    return Observed(objects, namespaces, found["Node"], running), Ground(addresses(found["EndpointSlice"]))


def addresses(slices: Sequence[Item]) -> tuple[tuple[str, int], ...]:
    """Where the API server answers behind its Service: a network policy sees a connection after its address was put in place."""
    return tuple(sorted({(address, int(port["port"])) for each in slices for port in each.get("ports") or () for endpoint in each.get("endpoints") or ()
                         for address in endpoint.get("addresses") or ()}))


def requests(pods: Sequence[Item], namespaces: Collection[str]) -> Mapping[str, Mapping[str, Decimal]]:
    """What pods that have not ended ask for, in the words of a quota."""
    found: dict[str, dict[str, Decimal]] = {}
    for pod in pods:
        namespace = pod["metadata"]["namespace"]
        if namespace not in namespaces or (pod.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        used = found.setdefault(namespace, {"pods": Decimal(0)})
        used["pods"] += 1
        for name, amount in asked(pod["spec"]).items():
            used[name] = used.get(name, Decimal(0)) + amount
    return found


def asked(spec: Mapping[str, Any]) -> dict[str, Decimal]:
    """What a pod asks for: its containers, and those beside them that begin earlier and stay."""
    stays = [each for each in spec.get("initContainers") or () if each.get("restartPolicy") == "Always"]
    found: dict[str, Decimal] = {}
    for container in [*spec.get("containers", ()), *stays]:
        resources = container.get("resources") or {}
        for word in ("requests", "limits"):
            for name, value in (resources.get(word) or {}).items():
                found[f"{word}.{name}"] = found.get(f"{word}.{name}", Decimal(0)) + parse(name, value)
    return found


def is_tenant(namespace: Item) -> bool:
    return (namespace["metadata"].get("labels") or {}).get(labels.PART) == "tenancy"
