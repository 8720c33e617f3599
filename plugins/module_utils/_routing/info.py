# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What traefik_route_info tells; shares what looks at the world with traefik_route."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.files import read_text
from . import api as traefik
from . import io
from .certificates import describe
from .cluster_parts import Names
from .gateway import HTTP_ROUTE, INGRESS_ROUTE
from .io_kubernetes import Cluster
from .operation_kubernetes import services_of
from .plan_kubernetes import differences, hosts_of, is_attached, naming, untaken
from .render_kubernetes import ROUTES


def gather(place: io.Place, url: str, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The routes on disk and what Traefik makes of them.

    :raises DomainError: as ``io.observe`` does.
    """
    api = traefik.Api(url)
    observed, reason = io.observe(place, api)
    routes = []
    for name, content in sorted(observed.parsed.items()):
        if names and name not in names:
            continue
        differences = traefik.compare(content, observed.snapshot) if observed.snapshot is not None else []
        routers = (content.get("http") or {}).get("routers") or {}
        hosts: set[str] = set()
        for router in routers.values():
            hosts |= traefik.hosts_of(str(router.get("rule", "")))
        routes.append({
            "name": name,
            "hosts": sorted(hosts),
            "file": place.file(name),
            "service": name + traefik.PROVIDER,
            "served": None if observed.snapshot is None else not differences and name not in observed.damaged,
            "differences": [difference.what for difference in differences]
            + ([observed.damaged[name].message] if name in observed.damaged else []),
            "certificate": _certificate(content),
        })
    return {"routes": routes, "api_calls": api.calls, "api_error": reason}


def gather_cluster(cluster: Cluster, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The routes in a cluster and what each of Traefik's pods makes of them.

    :raises ApiError: what the cluster refused.
    """
    observed, reason = cluster.observe()
    routes = []
    for name, items in sorted(observed.objects.items()):
        if names and name not in names:
            continue
        found = untaken(items) + [each.what for pod, snapshot in observed.snapshots.items() for each in differences(items, snapshot, pod)]
        services = services_of(items, name, Names(all(naming(snapshot).safe for snapshot in observed.snapshots.values())))
        routes.append({
            "name": name,
            "hosts": sorted(hosts_of(items.values())),
            "namespace": next(iter(items.values()))["metadata"]["namespace"],
            "output": HTTP_ROUTE if is_attached(items) else INGRESS_ROUTE,
            "service": services[0] if services else None,
            "served": None if reason else any(key[0] in ROUTES and key[1] == name for key in items) and not found,
            "differences": found,
            "certificate": _certificate_in(cluster, items.get(("IngressRoute", name)) or {}),
        })
    return {"routes": routes, "api_calls": cluster.traefik_calls, "api_error": reason}


def _certificate_in(cluster: Cluster, item: Mapping[str, Any]) -> dict[str, Any] | None:
    name = ((item.get("spec") or {}).get("tls") or {}).get("secretName")
    if not name:
        return None
    chain = cluster.chain(item["metadata"]["namespace"], name)
    return _described(chain) if chain else {"error": "Secret {0}/{1} is missing".format(item["metadata"]["namespace"], name)}


def _certificate(content: Mapping[str, Any]) -> dict[str, Any] | None:
    for pair in (content.get("tls") or {}).get("certificates") or []:
        text = read_text(str(pair.get("certFile", "")))
        if text is None:
            return {"error": "{0} is missing".format(pair.get("certFile"))}
        return _described(text)
    return None


def _described(chain: str) -> dict[str, Any]:
    try:
        found = describe(chain)
    except DomainError as error:
        return {"error": error.message}
    left = datetime.datetime.fromisoformat(found["not_after"]) - datetime.datetime.now(datetime.timezone.utc)
    return {**found, "days_left": left.days}
