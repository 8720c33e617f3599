# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a tenant's share: limits, use, room for a second colour, and which of it holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .._kubernetes import labels
from .._kubernetes.quantities import parse
from .plan import Item, plain

ENFORCED, ADVISORY, METERED = "enforced", "advisory", "metered"
_NETWORK = "network"


def kinds_of_limit(network_proven: bool) -> dict[str, str]:
    """Which limits hold, by name.

    ``enforced``: the cluster refuses or ends what is beyond it. ``advisory``: it is written down, and whether it holds is not known. ``metered``: only seen.
    A quota of storage bounds what claims ask for; how many bytes lie in one is the storage's business, and most do not bound them.

    :param network_proven: somebody saw by traffic that what is denied does not pass: a cluster without a controller for them takes policies and ignores them.
    """
    enforced = ("requests.cpu", "limits.cpu", "requests.memory", "limits.memory", "requests.ephemeral-storage", "limits.ephemeral-storage", "requests.storage",
                "persistentvolumeclaims", "pods", "services", "services.nodeports", "services.loadbalancers", "secrets", "configmaps", "count/jobs.batch",
                "count/cronjobs.batch", "pod_security", "registries", "digests", "hosts", "pool", "priority", "service_types", "rights")
    return {**dict.fromkeys(enforced, ENFORCED), _NETWORK: ENFORCED if network_proven else ADVISORY, "cpu_time": METERED, "storage_bytes": METERED}


def share(name: str, namespace: Item, quota: Item) -> dict[str, Any]:
    """One tenant as the cluster has it."""
    metadata = namespace["metadata"]
    said, notes = metadata.get("labels") or {}, metadata.get("annotations") or {}
    hard, used = quota["spec"].get("hard") or {}, (quota.get("status") or {}).get("used") or {}
    return {"name": name, "namespace": metadata["name"], "profile": said.get(labels.PROFILE, ""), "isolation": said.get(labels.ISOLATION, ""),
            "pool": said.get(labels.POOL, ""), "hosts": [host for host in notes.get(labels.HOSTS, "").split(",") if host],
            "limits": dict(hard), "usage": dict(used), "second_colour": second_colour(quota["metadata"].get("annotations") or {}, hard, used)}


def second_colour(notes: Mapping[str, str], hard: Mapping[str, str], used: Mapping[str, str]) -> dict[str, Any]:
    """Whether a second colour fits beside what runs, and what is free for it."""
    found: dict[str, Any] = {"fits": True}
    for name, note in (("cpu", labels.COLOUR_CPU), ("memory", labels.COLOUR_MEMORY)):
        bound = f"requests.{name}"
        free = parse(bound, hard.get(bound, 0)) - parse(bound, used.get(bound, 0))
        needs = parse(note, notes.get(note, "0"))
        found[name] = {"free": plain(free), "needs": plain(needs)}
        found["fits"] = found["fits"] and free >= needs
    return found


def fullest(limits: Mapping[str, str], usage: Mapping[str, str]) -> tuple[str, Decimal]:
    """The limit that is nearest to its end, and how much of it is used, 0 to 1."""
    best = ("", Decimal(0))
    for name, bound in limits.items():
        most = parse(name, bound)
        if most and name in usage and parse(name, usage[name]) / most > best[1]:
            best = (name, parse(name, usage[name]) / most)
    return best
