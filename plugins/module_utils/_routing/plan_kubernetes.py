# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the routes that are asked for and the objects of a cluster, to the steps between. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.plan import Plan, Step, digest_of
from . import api, render_gateway, render_kubernetes
from .cluster_parts import Item, Key, Names
from .model import Route, host_taken
from .plan import Desired
from .render_kubernetes import ROUTES, key_of, shown

Items = Mapping[Key, Mapping[str, Any]]

# What the API server adds to an object of these by itself, so that more may be there than was asked.
_COMPLETED = ("Secret", "Service", "EndpointSlice")


@dataclass(frozen=True)
class Observed:
    """The world, in one pass.

    :param objects: this module's objects by route; of Secrets only what names them.
    :param claims: hosts of all IngressRoutes and HTTPRoutes that are not this module's, as ``IngressRoute namespace/name``.
    :param snapshots: what each of Traefik's pods serves, by the pod's name; empty where that is not known.
    :param http_routes: whether the HTTPRoutes of the cluster could be looked at.
    """

    objects: Mapping[str, Items]
    claims: Mapping[str, frozenset[str]] = field(default_factory=dict)
    snapshots: Mapping[str, api.Snapshot] = field(default_factory=dict)
    http_routes: bool = True


def index(items: Iterable[Item]) -> dict[Key, Item]:
    """Objects of one namespace by kind and name."""
    return {key_of(item): item for item in items}


def desired_present(routes: Sequence[Route], pages: render_kubernetes.Pages, scope: str = "default") -> Desired:
    """The objects of routes."""
    return Desired({route.name: index(render_kubernetes.objects(route, pages, scope)) for route in routes})


def naming(snapshot: api.Snapshot) -> Names:
    """How a Traefik names things, by what it serves. No name of the older scheme has the letter that joins the parts of the other."""
    found = [name for kind in api.KINDS for name in snapshot.kind(kind) if name.endswith(render_kubernetes.PROVIDER)]
    return Names(not found or any("_" in name for name in found))


def unlike(wanted: Mapping[str, Any], found: Mapping[str, Any] | None) -> bool:
    """Whether an object is not as it was asked for: another was asked for last, or somebody changed it since."""
    if found is None:
        return True
    for part in ("annotations", "labels"):
        there = found["metadata"].get(part) or {}
        if any(there.get(key) != value for key, value in wanted["metadata"][part].items()):
            return True
    if wanted["kind"] == "Secret":
        # Its content cannot change under its name, see render_kubernetes.
        return False
    if wanted["kind"] in _COMPLETED:
        return not api.within(shown(wanted), shown(found))
    return shown(wanted) != shown(found)


def differences(items: Items, snapshot: api.Snapshot, pod: str = "") -> list[api.Difference]:
    """How what one pod serves differs from what the objects say."""
    return [api.Difference("{0}: {1}".format(pod, each.what) if pod else each.what, each.final)
            for made, provider in _made(items, snapshot) for each in api.compare(made, snapshot, provider)]


def leftovers(items: Items, snapshot: api.Snapshot, pod: str = "") -> list[api.Difference]:
    """What of removed objects one pod still serves."""
    return [api.Difference("{0}: {1}".format(pod, each.what) if pod else each.what)
            for made, provider in _made(items, snapshot) for each in api.leftovers(made, snapshot, provider)]


def _made(items: Items, snapshot: api.Snapshot) -> list[tuple[Mapping[str, Any], str]]:
    """What each of a Traefik's providers makes of objects."""
    names = naming(snapshot)
    return [(render_kubernetes.served(items, names), render_kubernetes.PROVIDER), (render_gateway.served(items, names), render_gateway.PROVIDER)]


def with_default_tls(item: Mapping[str, Any]) -> Item:
    """An IngressRoute with Traefik's default TLS options.

    A host has one set of options: beside an HTTPRoute, which has the default ones, others of its own would be a conflict to Traefik, and with its
    ``strictTLSOptions`` neither would be served.
    """
    spec = {**item["spec"], **({"tls": {key: value for key, value in item["spec"]["tls"].items() if key != "options"}} if "tls" in item["spec"] else {})}
    return {**item, "spec": spec}


def differences_by_default(items: Items, snapshot: api.Snapshot, pod: str = "") -> list[api.Difference]:
    """As ``differences``, of IngressRoutes that are to have the default TLS options: also where they still have others."""
    found = differences(items, snapshot, pod)
    for name in render_kubernetes.served(items, naming(snapshot))["http"]["routers"]:
        options = ((snapshot.routers.get(name + render_kubernetes.PROVIDER) or {}).get("tls") or {}).get("options")
        if options not in (None, "", "default"):
            found.append(api.Difference("router {0} still has TLS options of its own".format(name)))
    return found


def untaken(items: Items) -> list[str]:
    """What Traefik says of HTTPRoutes that it has not taken, in their status."""
    return [reason for (kind, _name), item in sorted(items.items()) if kind == "HTTPRoute" for reason in render_gateway.untaken(item)]


def is_attached(*every: Items | None) -> bool:
    """Whether HTTPRoutes are among objects."""
    return any(kind == "HTTPRoute" for items in every for kind, _name in items or ())


def make_plan(routes: Sequence[Route], desired: Desired, observed: Observed) -> Plan:
    """The plan; no steps where objects and, as far as it is known, every pod of Traefik are as asked."""
    steps: list[Step] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    certificates = {route.name: route.certificate for route in routes if route.certificate}
    for name, items in sorted(desired.files.items()):
        reason = _why(items, observed.objects.get(name, {}), observed)
        if not reason:
            continue
        certificate, found = certificates.get(name), observed.objects.get(name, {})
        if certificate and any(key not in found for key in items if key[0] == "Secret"):
            steps.append(Step("certificate", "store the certificate of {0}".format(name), {"instance": name, "fingerprint": certificate.fingerprint}))
        steps.append(Step("write", "{0} the route of {1}{2}".format(reason, name, _output_changes(items, found)), {"instance": name, "digest": _digest(items)}))
        before[name], after[name] = _changed(items, found)
    for name in sorted(set(desired.absent) & set(observed.objects)):
        steps.append(Step("remove", "remove the route of {0}".format(name), {"instance": name}))
        before[name], after[name] = [shown(item) for item in observed.objects[name].values()], None
    if steps:
        steps.append(Step("verify", "read the API of every pod of Traefik until it serves this", {}))
    return Plan(tuple(steps), before, after, {
        "kind": "traefik_route", "provider": "kubernetes",
        "present": {name: _digest(items) for name, items in desired.files.items()},
        "absent": sorted(desired.absent),
        "before": {name: digest_of(value) if value else None for name, value in before.items()},
    })


def _why(wanted: Items, found: Items, observed: Observed) -> str:
    if not any(kind in ROUTES for kind, _name in found):
        return "create"
    if set(wanted) != set(found) or any(unlike(item, found.get(key)) for key, item in wanted.items()):
        return "change"
    # Right in the cluster and not served, as where the front's Service was made only later.
    if untaken(found) or any(differences(wanted, snapshot) for snapshot in observed.snapshots.values()):
        return "renew"
    return ""


def _output_changes(wanted: Items, found: Items) -> str:
    before, after = ({kind for kind, _name in items if kind in ROUTES} for items in (found, wanted))
    return ", {0} in place of {1}".format(*(" and ".join(sorted(kinds)) for kinds in (after, before))) if before and before != after else ""


def _changed(wanted: Items, found: Items) -> tuple[Any, Any]:
    """Before and after, of the objects that change only."""
    keys = [key for key in {**found, **wanted} if key not in wanted or unlike(wanted[key], found.get(key))]
    return [shown(found[key]) for key in keys if key in found] or None, [shown(wanted[key]) for key in keys if key in wanted]


def _digest(items: Items) -> str:
    return digest_of([shown(item) for _key, item in sorted(items.items())])


def conflicts(routes: Sequence[Route], desired: Desired, observed: Observed) -> list[DomainError]:
    """What of the world stands in the way of single routes: ``foreign_object`` or ``host_taken``, one for each at most.

    What a route that stays as it is holds is taken from the others, so this is asked anew without those that it names.
    """
    found: dict[str, DomainError] = {}
    spaces = {route.name: route.namespace for route in routes}
    for name in sorted({*desired.files, *desired.absent}):
        kinds = {kind for kind, _name in desired.files.get(name) or ()} & set(ROUTES) or ROUTES
        for full in ("{0} {1}/{2}".format(kind, spaces.get(name, name), name + part) for kind in sorted(kinds) for part in ("", "-redirect")):
            if full in observed.claims:
                found.setdefault(name, DomainError(
                    "foreign_object", "route {0}: the {1} exists and is not this module's".format(name, full),
                    unchanged="Nothing was changed", advice="Remove it, or give the instance another name", route=name, field="name"))
    owners = _owners(desired, observed)
    wide = {name: owner for name, owner in owners.items() if name.startswith("*.")}
    for route in routes:
        for host in route.hosts:
            owner = owners.get(host) or next((wide[name] for name in sorted(wide) if render_gateway.covers(name, host)), "")
            if owner and route.name in desired.files:
                found.setdefault(route.name, host_taken(host, route.name, owner))
    return [found[name] for name in sorted(found)]


def _owners(desired: Desired, observed: Observed) -> dict[str, str]:
    """Who serves which host, apart from the routes asked about."""
    owners: dict[str, str] = {}
    for name, items in observed.objects.items():
        if name not in desired.files and name not in desired.absent:
            owners.update(dict.fromkeys(hosts_of(items.values()), "route " + name))
    for full, hosts in observed.claims.items():
        for host in hosts:
            owners.setdefault(host, full)
    # Other providers of the same Traefik: files, Ingress, Gateway API's other kinds.
    for snapshot in observed.snapshots.values():
        for name, router in snapshot.routers.items():
            seen = observed.http_routes and name.startswith("httproute-") and name.endswith(render_gateway.PROVIDER)
            if not seen and not name.endswith(render_kubernetes.PROVIDER):
                for host in api.hosts_of(str(router.get("rule", ""))):
                    owners.setdefault(host, "router " + name)
    return owners


def hosts_of(items: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Host names that IngressRoutes and HTTPRoutes take."""
    found: set[str] = set()
    for item in items:
        spec = item.get("spec") or {}
        if item["kind"] == "IngressRoute":
            found.update(host for rule in spec.get("routes") or () for host in api.hosts_of(str(rule.get("match", ""))))
        elif item["kind"] == "HTTPRoute":
            found.update(str(host).lower() for host in spec.get("hostnames") or ())
    return frozenset(found)
