# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tenant_quota_info tells: each tenant's share, what is used of it, who uses more than it asked for, and what is promised of the nodes."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from .._kernel.errors import DomainError, bad_input
from .._kubernetes import labels
from .._kubernetes.api import Api, failures
from .._kubernetes.quantities import parse
from . import shares
from .plan import Item, Observed, commitment, key_of, plain
from .render import SELECTOR

_METRICS = "/apis/metrics.k8s.io/v1beta1/pods"
# What tenants take from each other; a claim is a tenant's own.
_OF_NODES = ("requests.cpu", "limits.cpu", "requests.memory", "limits.memory", "requests.ephemeral-storage", "pods")
# Of a limit that is used up to here, somebody should know.
FULL = Decimal("0.9")


def gather(api: Api, names: Sequence[str] | None = None, network_proven: bool = False) -> dict[str, Any]:
    """:param names: of tenants; all where none are named.

    :raises DomainError: as the API gives it; ``bad_input`` for a tenant that is not there.
    """
    asks = (("Namespace", None, SELECTOR), ("ResourceQuota", None, SELECTOR), ("Node", None, ""))
    done = api.many(lambda ask: api.every(*ask), asks)
    for _ask, error in failures(done):
        raise error
    namespaces, quotas, nodes = ({key_of(item): item for item in items} for _ask, items, _error in done)
    observed = Observed(quotas, {name: item for (_kind, _none, name), item in namespaces.items()}, list(nodes.values()))
    spends, why = _spent(api)
    told = sorted((_told(item, observed, spends) for item in observed.namespaces.values()), key=lambda one: one["name"])
    unknown = set(names or ()) - {one["name"] for one in told}
    if unknown:
        raise bad_input("names", sorted(unknown), "tenants that the cluster has")
    chosen = [one for one in told if not names or one["name"] in names]
    return {"tenants": chosen, "noisy": [noise for one in chosen for noise in one["noisy"]], "kinds_of_limit": shares.kinds_of_limit(network_proven),
            "nodes": _promised(observed), "metrics_error": why, "api_calls": dict(api.calls)}


def _told(namespace: Item, observed: Observed, spends: Mapping[str, Mapping[str, Decimal]]) -> dict[str, Any]:
    space = namespace["metadata"]["name"]
    name = (namespace["metadata"].get("labels") or {}).get(labels.TENANT, space)
    quota = observed.quota(space)
    found = shares.share(name, namespace, quota or {"metadata": {}, "spec": {}})
    limit, used = shares.fullest(found["limits"], found["usage"])
    loud, fill = shares.fullest({key: value for key, value in found["limits"].items() if key in _OF_NODES}, found["usage"])
    spent = spends.get(space, {})
    metered = {key: plain(value) for key, value in spent.items()}
    noisy = [{"name": name, "by": loud, "uses": found["usage"][loud], "of": found["limits"][loud], "is": shares.ENFORCED}] if fill >= FULL else []
    asked = parse("requests.cpu", found["usage"].get("requests.cpu", 0))
    if asked and spent.get("cpu_time", Decimal(0)) > asked:
        noisy.append({"name": name, "by": "cpu_time", "uses": metered["cpu_time"], "of": plain(asked), "is": shares.METERED})
    return {**found, "confined": quota is not None, "metered": metered, "fullest": {"limit": limit, "used": round(float(used), 3)}, "noisy": noisy}


def _spent(api: Api) -> tuple[dict[str, dict[str, Decimal]], str]:
    """Cores and bytes that pods take at the moment, by namespace; and why that is not known, where it is not."""
    quick = copy.copy(api)
    quick.patience = 0
    try:
        items = quick.call("GET", _METRICS).get("items") or ()
    except DomainError as error:
        return {}, error.message
    found: dict[str, dict[str, Decimal]] = {}
    for item in items:
        of = found.setdefault(item["metadata"]["namespace"], {"cpu_time": Decimal(0), "memory": Decimal(0)})
        for container in item.get("containers") or ():
            of["cpu_time"] += parse("cpu", container["usage"]["cpu"])
            of["memory"] += parse("memory", container["usage"]["memory"])
    return found, ""


def _promised(observed: Observed) -> list[dict[str, Any]]:
    return [{"pool": pool, **{resource: {"promised": plain(found["asked"][resource]), "there": plain(found["there"][resource])}
                              for resource in ("cpu", "memory")}}
            for pool, found in sorted(commitment((), observed).items())]
