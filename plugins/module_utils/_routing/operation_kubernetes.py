# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes of one cluster as an operation: apply, prove by the word of every pod of Traefik, or put back."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.plan import Plan
from .._kernel.wait import Deadline, WaitTimeout, wait_until
from . import api as traefik
from .api import Difference
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
    index,
    leftovers,
    make_plan,
    naming,
    unlike,
)
from .render_kubernetes import PROVIDER, Key, Names, as_applied, served

# Traefik reads each kind of object by a watch of its own, so for a moment one that refers to another may be there and the other not. What it complains
# of for so many seconds, its throttle of 2 s included, it will not take.
SETTLE = 6.0


class ClusterOperation(Routing):
    """Routes of one cluster, through the objects that Traefik reads there.

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

    def _observe(self) -> Collection[str]:
        self.observed, self.reason = self.cluster.observe({route.name: route.namespace for route in self.routes})
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
        refused = self.cluster.write(wanted, self.observed.objects)
        for name, error in self._remove(self._gone(contents, refused)).items():
            refused.setdefault(name, error)
        for name, error in refused.items():
            self.refused.append(self._told(name, error, self._put_back([name])))
            del contents[name]

    def _remove(self, gone: Mapping[str, Iterable[Key]]) -> dict[str, DomainError]:
        there = {name: item["metadata"]["namespace"] for name, items in self.observed.objects.items() for item in items.values()}
        return self.cluster.remove(gone, {**there, **{route.name: route.namespace for route in self.routes}})

    def _gone(self, contents: Mapping[str, Any], refused: Collection[str] = ()) -> dict[str, list[Key]]:
        """What is there and asked for no more. Secrets stay until it is known that they need not come back, see ``_sweep``."""
        return {name: [key for key in self.observed.objects.get(name, {}) if key not in (items or {}) and key[0] != "Secret"]
                for name, items in contents.items() if name not in refused}

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
        for pod, snapshot in self.cluster.snapshots().items():
            for name, items in contents.items():
                earlier = {key: item for key, item in self.observed.objects.get(name, {}).items() if key not in (items or {})}
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
        left = self.cluster.write(earlier, {})
        for name, error in self._remove(added).items():
            left.setdefault(name, error)
        return left

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
            return wait_until(look, Deadline(min(self.timeout, 10)), LOOK_INTERVAL)
        except WaitTimeout:
            return False

    def _sweep(self) -> None:
        """Secrets of certificates that were given before. That one of them stays is no reason to fail: it is removed when the route changes next."""
        gone = {name: [key for key in items if key[0] == "Secret" and key not in (self.desired.files.get(name) or {})]
                for name, items in self.observed.objects.items() if name in self.desired.files or name in self.desired.absent}
        failed = {str(error.details["route"]) for error in self.refused} | {name for error in self.refused for name in error.details.get("instances") or ()}
        self._remove({name: keys for name, keys in gone.items() if name not in failed})

    def _calls(self) -> dict[str, Any]:
        return {"api_calls": self.cluster.traefik_calls, "cluster_calls": dict(self.cluster.api.calls)}

    def facts(self) -> Mapping[str, Any]:
        names = [naming(snapshot) for snapshot in self.observed.snapshots.values()]
        return {"routes": [facts(route, self.desired.files.get(route.name), bool(names) and not names[0].safe) for route in self.routes],
                "api_reachable": not self.reason, **self._calls()}


def facts(route: Route, items: Items | None, legacy: bool = False) -> dict[str, Any]:
    """What the module returns of a route. :param legacy: whether Traefik names things without ``safeNaming``."""
    services = list(served({key: item for key, item in (items or {}).items() if key == ("IngressRoute", route.name)}, Names(not legacy))["http"]["services"])
    return {
        "name": route.name,
        "hosts": list(route.hosts),
        "exposure": route.exposure,
        "entry_point": route.entry_point,
        "namespace": route.namespace,
        "service": services[0] + PROVIDER if services else None,
        "websocket_service": services[1] + PROVIDER if services else None,
        "resolver": route.resolver or None,
        "secret": route.secret or None,
        "certificate": route.certificate.as_dict() if route.certificate else None,
    }
