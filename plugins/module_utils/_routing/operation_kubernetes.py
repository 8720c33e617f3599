# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of one cluster as an operation: apply, prove by the word of every pod of Traefik, or put back."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.plan import Plan
from .._kernel.wait import Deadline, WaitTimeout, wait_until
from . import api as traefik
from . import render_gateway, render_kubernetes
from .api import Difference
from .cluster_parts import Key, Names
from .io_kubernetes import Cluster
from .model import Route
from .operation import LOOK_INTERVAL, Refused, Routing, said
from .plan import Desired, without
from .plan_kubernetes import (
    Items,
    Observed,
    conflicts,
    desired_present,
    differences,
    differences_by_default,
    index,
    is_attached,
    leftovers,
    make_plan,
    naming,
    unlike,
    untaken,
    with_default_tls,
)
from .render_kubernetes import REFERRED, ROUTES, as_applied

# Traefik reads each kind of object by a watch of its own, so for a moment one that refers to another may be there and the other not. What it complains
# of for so many seconds, its throttle of 2 s included, it will not take.
SETTLE = 6.0
# For what was there before to be served again.
PATIENCE = 10.0


class ClusterOperation(Routing):
    """Routes of one cluster, through the objects that Traefik reads there.

    HTTPRoutes are read by another of Traefik's providers than what they refer to, and each takes its changes over in its own time. A router whose middleware is
    not there is none, so closed paths would be open for a moment if only theirs was missing. So of a route that is or was an HTTPRoute, what it refers to is
    served before it is written, and removed only when every pod serves it no more. One that takes the place of an IngressRoute, or the other way round, is
    served first, too: both lead to the same place meanwhile, and the IngressRoute has Traefik's default TLS options for as long, as an HTTPRoute has.

    :param pages: URL of the edge's pages, see ``Cluster.pages``.
    """

    def __init__(
        self, cluster: Cluster, routes: Sequence[Route], names: Sequence[str] = (), *,
        pages: str, purge: bool = False, timeout: float = 30, required: bool = True, refused: Sequence[DomainError] = (),
    ) -> None:
        super().__init__(routes, names, purge, timeout, required, refused)
        self.cluster, self.pages = cluster, pages
        self.observed = Observed({})
        self._begun = time.monotonic()
        # What is removed only once the rest is served, or is served no more.
        self._later: dict[str, list[Key]] = {}
        # What takes its own TLS options only once the HTTPRoute beside it is gone.
        self._bridged: dict[str, Items] = {}

    def _observe(self) -> Collection[str]:
        self.observed, self.reason = self.cluster.observe({route.name: route.namespace for route in self.routes}, any(route.gateway for route in self.routes))
        return self.observed.objects

    def _wanted(self) -> Desired:
        return desired_present(self.routes, self.cluster.pages(self.pages), self.cluster.scope) if self.routes else Desired({})

    def _conflicts(self) -> list[DomainError]:
        return conflicts(self.routes, self.desired, self.observed)

    def _steps(self) -> Plan:
        plan = make_plan(self.routes, self.desired, self.observed)
        changing = {str(step.parameters["instance"]) for step in plan.steps if step.name == "write"}
        # Asked only of routes that change, so that a call without one makes no call for each route.
        unready = self.cluster.unready([route for route in self.routes if route.name in changing])
        if not unready:
            return plan
        self.refused += unready
        self.desired = without(self.desired, [str(error.details["route"]) for error in unready])
        return make_plan(self.routes, self.desired, self.observed)

    def _write(self, contents: dict[str, Any]) -> None:
        self._begun = time.monotonic()
        wanted = {name: items for name, items in contents.items() if items is not None}
        found = self.observed.objects
        refused = self.cluster.write(wanted, found, (REFERRED,))
        fresh = {name: items for name, items in wanted.items() if name not in refused and any(
            key[0] == "HTTPRoute" and unlike(item, found.get(name, {}).get(key)) for key, item in items.items())}
        refused.update(self._until_referred(fresh))
        refused.update(self._bridge(contents, refused))
        refused.update(self.cluster.write({name: contents[name] for name in wanted if name not in refused}, found, (ROUTES,)))
        for name, error in self._remove(self._gone(contents, refused)).items():
            refused.setdefault(name, error)
        left = self._put_back(refused)
        for name, error in refused.items():
            self.refused.append(self._told(name, error, left))
            del contents[name]

    def _bridge(self, contents: dict[str, Any], refused: Collection[str]) -> dict[str, DomainError]:
        """Have IngressRoutes that change places with HTTPRoutes take Traefik's default TLS options meanwhile.

        Returns why, of the routes of which one cannot.
        """
        there: dict[str, Items] = {}
        for name, items in contents.items():
            found = self.observed.objects.get(name, {})
            if name in refused or not items or not {key[0] for key in found if key[0] in ROUTES} - {key[0] for key in items}:
                continue
            if is_attached(items):
                there[name] = {key: with_default_tls(as_applied(item)) for key, item in found.items() if key[0] == "IngressRoute"}
            else:
                self._bridged[name] = {key: item for key, item in items.items() if key[0] == "IngressRoute"}
                contents[name] = {**items, **{key: with_default_tls(item) for key, item in self._bridged[name].items()}}
        failed = self.cluster.write(there, {}, (ROUTES,))
        left = self._wait({name: items for name, items in there.items() if name not in failed}, differences_by_default, self.timeout)
        return {**failed, **{name: DomainError("not_served", reason) for name, reason in left.items()}}

    def _until_referred(self, wanted: Mapping[str, Items]) -> dict[str, DomainError]:
        """Wait until every pod serves what HTTPRoutes are going to refer to. Returns why, of the routes of which one does not."""
        parts = {name: {key: item for key, item in items.items() if key[0] not in ROUTES} for name, items in wanted.items()}
        left = self._wait(parts, differences, self.timeout)
        return {name: DomainError("not_served", "Traefik does not serve what its HTTPRoute is to refer to: {0}".format(reason))
                for name, reason in left.items()}

    def _wait(self, items: Mapping[str, Items], look: Callable[[Items, Any, str], list[Difference]], seconds: float) -> dict[str, str]:
        """Look at every pod until none of them differs. Returns how, of the routes of which one still does."""
        last: dict[str, str] = {}

        def settled() -> bool:
            nonlocal last
            try:
                found = self.cluster.snapshots()
            except traefik.Unreachable as error:
                last = dict.fromkeys(items, str(error))
                return False
            last = {name: each.what for pod, snapshot in found.items() for name, every in items.items() for each in look(every, snapshot, pod)[:1]}
            return not last

        try:
            if items:
                wait_until(settled, Deadline(seconds), LOOK_INTERVAL)
        except WaitTimeout:
            return last
        return {}

    def _remove(self, gone: Mapping[str, Iterable[Key]], parts: Sequence[Sequence[str]] = (ROUTES, REFERRED)) -> dict[str, DomainError]:
        there = {name: item["metadata"]["namespace"] for name, items in self.observed.objects.items() for item in items.values()}
        return self.cluster.remove(gone, {**there, **{route.name: route.namespace for route in self.routes}}, parts)

    def _gone(self, contents: Mapping[str, Any], refused: Collection[str] = ()) -> dict[str, list[Key]]:
        """What is there and asked for no more. Secrets stay until it is known that they need not come back, and so does what was put off, see ``_sweep``."""
        gone: dict[str, list[Key]] = {}
        for name, items in contents.items():
            if name in refused:
                continue
            found = self.observed.objects.get(name, {})
            gone[name] = [key for key in found if key not in (items or {}) and key[0] != "Secret"]
            if is_attached(found, items):
                self._later[name] = [key for key in gone[name] if items is not None or key[0] not in ROUTES]
                gone[name] = [key for key in gone[name] if key not in self._later[name]]
        return gone

    def _await(self, contents: Mapping[str, Any]) -> None:
        """Look at every pod of Traefik until it serves what was written, or is not going to."""
        given = {route.name: route.certificate for route in self.routes if route.name in contents and route.certificate}
        last: dict[str, list[Difference]] = {}
        settled: dict[str, Deadline] = {}

        def look() -> bool:
            nonlocal last
            try:
                last = self._differences(contents)
                waiting = [name for name in given if name not in last]
                for pod, shown in self.cluster.certificates().items() if waiting else ():
                    for name in waiting:
                        if shown is not None and given[name].fingerprint not in shown:
                            last.setdefault(name, []).append(Difference("{0} has not the certificate given for {1}".format(pod, name)))
            except traefik.Unreachable as error:
                last = {name: [Difference(str(error))] for name in contents}
            final = {name for name, found in last.items() if any(difference.final for difference in found)}
            for name in [name for name in settled if name not in final]:
                del settled[name]
            for name in final:
                settled.setdefault(name, Deadline(min(self.timeout, SETTLE)))
            over = {name for name, deadline in settled.items() if deadline.passed}
            if over:
                raise Refused(self._complaints(over) + said(last, over), over)
            return not last

        try:
            wait_until(look, Deadline(self.timeout), LOOK_INTERVAL)
        except WaitTimeout:
            raise Refused(self._complaints(last) + said(last, last), last) from None

    def _complaints(self, names: Iterable[str]) -> list[str]:
        return self.cluster.complaints(names, int(time.monotonic() - self._begun) + 1)

    def _differences(self, contents: Mapping[str, Any]) -> dict[str, list[Difference]]:
        found: dict[str, list[Difference]] = {}
        now = self.cluster.http_routes() if is_attached(*contents.values()) else {}
        for name, items in contents.items():
            there = {key: now.get((item["metadata"]["namespace"], key[1]), item) for key, item in (items or {}).items() if key[0] == "HTTPRoute"}
            if untaken(there):
                found[name] = [Difference(reason) for reason in untaken(there)]
        for pod, snapshot in self.cluster.snapshots().items():
            for name, items in contents.items():
                earlier = {key: item for key, item in self.observed.objects.get(name, {}).items()
                           if key not in (items or {}) and key not in self._later.get(name, ())}
                missing = (differences(items, snapshot, pod) if items is not None else []) + leftovers(earlier, snapshot, pod)
                if missing:
                    found.setdefault(name, []).extend(missing)
        return found

    def _undo(self, contents: Mapping[str, Any], cause: Exception) -> DomainError:
        """Put the earlier objects back and say whether Traefik serves them again."""
        left = self._put_back(contents)
        unchanged = "The earlier objects are back in the cluster"
        if left:
            unchanged = "Not all of the earlier objects could be put back: {0}".format("; ".join(error.message for error in left.values()))
        elif not self._serves_earlier(contents):
            unchanged += ", but Traefik does not serve them yet"
        return self._not_served(contents, cause, unchanged, "Mend what Traefik names; kubectl logs of its pods has more")

    def _put_back(self, names: Iterable[str]) -> dict[str, DomainError]:
        """As it was before, of some routes. Returns what could not be."""
        earlier: dict[str, Items] = {}
        added: dict[str, list[Key]] = {}
        for name in names:
            wanted, found = self.desired.files.get(name) or {}, self.observed.objects.get(name, {})
            earlier[name] = index(as_applied(item) for key, item in found.items()
                                  if key[0] != "Secret" and (key not in wanted or unlike(wanted[key], item)))
            added[name] = [key for key in wanted if key not in found]
        switched = {name for name in earlier
                    if added[name] and {key[0] for key in earlier[name] if key[0] in ROUTES}
                    and is_attached(self.desired.files.get(name)) and not is_attached(self.observed.objects.get(name))}
        wanted = {name: {key: item for key, item in (self.desired.files.get(name) or {}).items() if key in added[name]} for name in added}
        # An HTTPRoute goes before the IngressRoute takes its own TLS options again.
        left = self._retire({name: wanted[name] for name in switched}, {name: added.pop(name) for name in sorted(switched)})
        left.update(self.cluster.write({name: items for name, items in earlier.items() if name not in left}, {}))
        # What was added is still referred to until then.
        self._wait({name: self.observed.objects[name] for name in earlier if is_attached(self.observed.objects.get(name))}, differences, PATIENCE)
        for name, error in self._retire({name: wanted[name] for name in added}, added).items():
            left.setdefault(name, error)
        return left

    def _retire(self, items: Mapping[str, Items], gone: Mapping[str, Iterable[Key]]) -> dict[str, DomainError]:
        """Remove objects: what HTTPRoutes refer to once no pod serves these any more. Returns why, of the routes of which not all could be removed."""
        failed = self._remove(gone, (ROUTES,))
        routes = {name: {key: item for key, item in every.items() if key[0] in ROUTES} for name, every in items.items() if name not in failed}
        left = self._wait({name: every for name, every in routes.items() if name in self._later or is_attached(every)}, leftovers, self.timeout)
        failed.update({name: DomainError("not_served", reason) for name, reason in left.items()})
        failed.update(self._remove({name: keys for name, keys in gone.items() if name not in failed}, (REFERRED,)))
        left = self._wait({name: every for name, every in items.items() if name in self._later and name not in failed}, leftovers, self.timeout)
        failed.update({name: DomainError("not_served", reason) for name, reason in left.items()})
        return failed

    def _told(self, name: str, error: DomainError, left: Mapping[str, DomainError]) -> DomainError:
        message = "route {0}: {1}".format(name, error.message)
        if name in left:
            message += "; and what there was of it could not be put back whole: {0}".format(left[name].message)
        return DomainError(error.code, message, advice=error.advice, **{**error.details, "route": name, "field": "name"})

    def _serves_earlier(self, names: Iterable[str]) -> bool:
        earlier = {name: self.observed.objects.get(name) for name in names}

        def look() -> bool:
            try:
                snapshots = self.cluster.snapshots()
            except traefik.Unreachable:
                return False
            return not any(
                differences(items, snapshot) if items is not None else leftovers(self.desired.files.get(name) or {}, snapshot)
                for snapshot in snapshots.values() for name, items in earlier.items()
            )

        try:
            return wait_until(look, Deadline(min(self.timeout, PATIENCE)), LOOK_INTERVAL)
        except WaitTimeout:
            return False

    def _sweep(self) -> None:
        """What was put off, and Secrets of certificates that were given before.

        That one of these stays is no reason to fail: it is removed when the route changes next.
        """
        failed = {str(error.details["route"]) for error in self.refused} | {name for error in self.refused for name in error.details.get("instances") or ()}
        later = {name: keys for name, keys in self._later.items() if keys and name not in failed}
        items = {name: {key: self.observed.objects[name][key] for key in keys} for name, keys in later.items()}
        errors = self._retire(items, later)
        errors.update(self._unbridge({name: every for name, every in self._bridged.items() if name not in failed and name not in errors}))
        for name, error in errors.items():
            failed.add(name)
            self.refused.append(DomainError(
                error.code, "route {0}: it is served, but what was there before could not be left whole: {1}".format(name, error.message),
                advice=error.advice or "Run this again, which removes what is left", **{**error.details, "route": name, "field": "name"}))
        gone = {name: [key for key in items if key[0] == "Secret" and key not in (self.desired.files.get(name) or {})]
                for name, items in self.observed.objects.items() if name in self.desired.files or name in self.desired.absent}
        self._remove({name: keys for name, keys in gone.items() if name not in failed})

    def _unbridge(self, wanted: Mapping[str, Items]) -> dict[str, DomainError]:
        failed = self.cluster.write(wanted, {}, (ROUTES,))
        left = self._wait({name: items for name, items in wanted.items() if name not in failed}, differences, self.timeout)
        return {**failed, **{name: DomainError("not_served", reason) for name, reason in left.items()}}

    def _calls(self) -> dict[str, Any]:
        return {"api_calls": self.cluster.traefik_calls, "cluster_calls": dict(self.cluster.api.calls)}

    def facts(self) -> Mapping[str, Any]:
        names = [naming(snapshot) for snapshot in self.observed.snapshots.values()]
        return {"routes": [facts(route, self.desired.files.get(route.name), bool(names) and not names[0].safe) for route in self.routes],
                "api_reachable": not self.reason, **self._calls()}


def facts(route: Route, items: Items | None, legacy: bool = False) -> dict[str, Any]:
    """What the module returns of a route. :param legacy: whether Traefik names things without ``safeNaming``."""
    services = services_of(items or {}, route.name, Names(not legacy))
    return {
        "name": route.name,
        "hosts": list(route.hosts),
        "exposure": route.exposure,
        "entry_point": route.entry_point,
        "namespace": route.namespace,
        "output": route.output,
        "service": services[0] if services else None,
        "websocket_service": services[1] if services else None,
        "resolver": route.resolver or None,
        "secret": route.secret or None,
        "certificate": route.certificate.as_dict() if route.certificate else None,
    }


def services_of(items: Items, name: str, names: Names) -> list[str]:
    """Traefik's full names of the services of a route's routers, in their order: HTTP, then the bus."""
    main = {key: item for key, item in items.items() if key[0] in ROUTES and key[1] == name}
    of_routes, of_gateway = (list(render.served(main, names)["http"]["services"]) for render in (render_kubernetes, render_gateway))
    return [each + render_kubernetes.PROVIDER for each in of_routes] + [each + render_gateway.PROVIDER for each in of_gateway]
