# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of routes in a cluster, and the pods of Traefik that make routes of them."""

from __future__ import annotations

import base64
import binascii
import copy
import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError, bad_input
from .._kubernetes.api import MANAGER, Api, ApiError
from .._kubernetes.kinds import path_of
from . import api as traefik
from .certificates import Certificate, unreadable
from .cluster_parts import Item, Key
from .io_gateway import Gateways
from .model import HTTP_PORT, WEBSOCKET_PORT, Route
from .plan_kubernetes import Items, Observed, hosts_of, index, unlike
from .render_kubernetes import KINDS, OURS, REFERRED, ROUTE, ROUTES, SCOPE, Pages

# Seconds for which an answer of a pod is waited for that is just ending; another look follows.
_PATIENCE = 2
_CERTIFICATES_UNKNOWN = 404
_FORBIDDEN = 403
# Kinds that only HTTPRoutes of ours need: an account that may not see them has made none.
_OF_HTTP_ROUTES = ("TraefikService", "HTTPRoute")


@dataclass(frozen=True)
class Edge:
    """Where Traefik's pods are.

    :param port: of the entry point that has the API; reached through the API server's proxy, so it need not be reachable from here.
    :param urls: of Traefiks that are no pods of the cluster; then no pod is looked for.
    """

    namespace: str
    selector: str
    port: int
    urls: tuple[str, ...] = ()


class Cluster:
    """One cluster, with its edge.

    :param scope: whose routes are meant; others' are somebody else's.
    :param force: whether to take back what somebody else changed of an object of ours.
    :ivar traefik_calls: calls of Traefik's API.
    """

    def __init__(self, api: Api, edge: Edge, *, scope: str = "default", force: bool = False) -> None:
        self.api, self.edge, self.scope, self.force = api, edge, scope, force
        self._impatient = copy.copy(api)
        self._impatient.patience = _PATIENCE
        self.traefik_calls = 0
        self._gateways = Gateways(api, self.entry_points)

    # -- reading --------------------------------------------------------------------------------

    def observe(self, namespaces: Mapping[str, str] | None = None, http_routes: bool = False) -> tuple[Observed, str]:
        """Objects and what Traefik serves, and why the latter is unknown where it is: one list for each kind, one of pods, one call for each pod.

        :param namespaces: of routes that are known to lie in a certain one.
        :param http_routes: whether some are asked for; else an account that may not look at any may do without.
        :raises ApiError: what the cluster refused.
        """
        lists = self.api.many(self._list, KINDS)
        unseen = set()
        for kind, _found, error in lists:
            if error and (http_routes or kind not in _OF_HTTP_ROUTES or not isinstance(error, ApiError) or error.status != _FORBIDDEN):
                raise error
            if error:
                unseen.add(kind)
        items = [item for kind, found, _error in lists if kind not in unseen for item in found]
        owned = _owned(items, self.scope, namespaces or {})
        objects: dict[str, dict[Key, Item]] = defaultdict(dict)
        claims: dict[str, frozenset[str]] = {}
        for item in items:
            metadata = item["metadata"]
            name = _route_of(item, self.scope)
            if name and owned.get(name) == metadata["namespace"]:
                objects[name].update(index([item]))
            elif item["kind"] in ROUTES:
                claims["{0} {1}/{2}".format(item["kind"], metadata["namespace"], metadata["name"])] = hosts_of([item])
        try:
            return Observed(objects, claims, self.snapshots(), "HTTPRoute" not in unseen), ""
        except traefik.Unreachable as error:
            return Observed(objects, claims, {}, "HTTPRoute" not in unseen), str(error)

    def _list(self, kind: str) -> list[Item]:
        # All IngressRoutes and HTTPRoutes, since somebody else's may have a host that is asked for.
        return self.api.every(kind, labels="" if kind in ROUTES else OURS, metadata=kind == "Secret")

    def http_routes(self) -> dict[Key, Item]:
        """This module's HTTPRoutes as they are now, by namespace and name: with what Traefik says of them."""
        return {(item["metadata"]["namespace"], item["metadata"]["name"]): item for item in self.api.every("HTTPRoute", labels=OURS)}

    def snapshots(self) -> dict[str, traefik.Snapshot]:
        """What each Traefik serves now, by its name.

        :raises Unreachable: where one does not answer, or there is none.
        """
        return {name: traefik.Snapshot.of(found) for name, found in self._ask("rawdata").items()}

    def certificates(self) -> dict[str, frozenset[str] | None]:
        """SHA-256 of the certificates that each Traefik has, hexadecimal; None of one whose API does not tell, which came with 3.7.

        :raises Unreachable: as ``snapshots`` does.
        """
        return {name: None if found is None else frozenset(str(item.get("certFingerprint")) for item in found)
                for name, found in self._ask("certificates?per_page=100000").items()}

    def entry_points(self) -> dict[str, dict[str, str]]:
        """Addresses of entry points by name, of each Traefik.

        :raises Unreachable: as ``snapshots`` does.
        """
        return {name: {str(each.get("name")): str(each.get("address", "")) for each in found} for name, found in self._ask("entrypoints?per_page=1000").items()}

    def _ask(self, path: str) -> dict[str, Any]:
        asked = self._pods()
        if not asked:
            raise traefik.Unreachable("namespace {0} has no ready pod with the labels {1}".format(self.edge.namespace, self.edge.selector))
        found: dict[str, Any] = {}
        for name, get in asked.items():
            self.traefik_calls += 1
            found[name] = get(path)
        return found

    def _pods(self) -> dict[str, Callable[[str], Any]]:
        if self.edge.urls:
            return {url: self._of_url(url) for url in self.edge.urls}
        pods = [pod for pod in self.api.every("Pod", self.edge.namespace, self.edge.selector) if _ready(pod)]
        return {pod["metadata"]["name"]: self._of_pod(pod["metadata"]["name"]) for pod in pods}

    def _of_url(self, url: str) -> Callable[[str], Any]:
        return lambda path: traefik.Api(url).get("/api/" + path)

    def _of_pod(self, name: str) -> Callable[[str], Any]:
        base = "/api/v1/namespaces/{0}/pods/{1}:{2}/proxy/api/".format(self.edge.namespace, name, self.edge.port)

        def get(path: str) -> Any:
            try:
                return self._impatient.call("GET", base + path)
            except ApiError as error:
                if error.status == _CERTIFICATES_UNKNOWN and path.startswith("certificates"):
                    return None
                raise traefik.Unreachable("pod {0}: {1}".format(name, error.message)) from None
            except DomainError as error:
                raise traefik.Unreachable("pod {0}: {1}".format(name, error.message)) from None

        return get

    def complaints(self, names: Iterable[str], seconds: int) -> list[str]:
        """What Traefik's pods have complained of these namespaces in the last seconds; nothing where their logs may not be read."""
        found: list[str] = []
        if self.edge.urls:
            return found
        wanted = set(names)
        try:
            for pod in self._pods():
                path = "/api/v1/namespaces/{0}/pods/{1}/log".format(self.edge.namespace, pod)
                text = self._impatient.call("GET", path, {"sinceSeconds": str(max(seconds, 1))}, plain=True)
                found += [line for line in map(_complaint, text.splitlines()) if line and any(name in line for name in wanted) and line not in found]
        except DomainError:
            return found
        return found[:5]

    # -- what a route needs ---------------------------------------------------------------------

    def pages(self, url: str) -> Pages:
        """The address that a URL of the edge's pages leads to, such as ``http://sysgenpro-pages.sysgenpro-edge:8069``.

        :raises DomainError: ``bad_input``, ``pages_missing``.
        """
        known = Pages.of(url)
        if known:
            return known
        match = re.fullmatch(r"http://([a-z0-9-]+)\.([a-z0-9-]+)(?:\.svc(?:\.[a-z0-9.-]*)?)?:([0-9]+)/?", url)
        if not match:
            raise bad_input("pages", url, "http:// with an IPv4 address or a Service of a namespace, such as http://sysgenpro-pages.sysgenpro-edge:8069")
        service = self.api.get("Service", match[2], match[1])
        address = str(((service or {}).get("spec") or {}).get("clusterIP") or "")
        if not service or ":" in address or address in ("", "None"):
            raise DomainError(
                "pages_missing", "the edge's pages, Service {0} of the namespace {1}, {2}".format(
                    match[1], match[2], "have no IPv4 address of the cluster" if service else "are not there"),
                unchanged="Nothing was changed", advice="Bring the edge up with the role sysgenpro.odoo.traefik first, or give pages")
        return Pages(address, int(match[3]))

    def unready(self, routes: Sequence[Route]) -> list[DomainError]:
        """Which routes cannot be served yet, since what they lead to or refer to is not in their namespace."""
        found = [error for _route, _found, error in self.api.many(self._ready, routes) if error]
        for error in found:
            if "route" not in error.details:
                raise error
        return found

    def _ready(self, route: Route) -> None:
        service = self.api.get("Service", route.namespace, route.name)
        ports = {port.get("port") for port in ((service or {}).get("spec") or {}).get("ports") or ()}
        if not {HTTP_PORT, WEBSOCKET_PORT} <= ports:
            what = "namespace {0} has no Service {1}" if service is None else "Service {0}/{1} has not both ports {2} and {3}"
            what = what.format(route.namespace, route.name, HTTP_PORT, WEBSOCKET_PORT)
            raise DomainError("front_missing", "route {0}: {1}, which is the instance's front".format(route.name, what), unchanged="Nothing was changed",
                              advice="Make the instance's namespace and front first (playbook site)", route=route.name, field="name")
        if route.gateway:
            self._gateways.check(route)
        if route.secret:
            secret = self.api.get("Secret", route.namespace, route.secret)
            if secret is None:
                raise unreadable(route.name, "there is no Secret {0}/{1} yet".format(route.namespace, route.secret))
            Certificate.load(route.name, route.hosts, _part(secret, "tls.crt"), _part(secret, "tls.key"))

    def chain(self, namespace: str, name: str) -> str:
        """The chain of a TLS Secret; empty where there is none."""
        return _part(self.api.get("Secret", namespace, name) or {}, "tls.crt")

    # -- writing --------------------------------------------------------------------------------

    def write(self, wanted: Mapping[str, Items], found: Mapping[str, Items], parts: Sequence[Sequence[str]] = (REFERRED, ROUTES)) -> dict[str, DomainError]:
        """Apply what differs, the objects that others refer to first. Returns why, of the routes that were refused; of those nothing further is done.

        :param parts: the kinds, in groups that are written one after the other.
        """
        refused: dict[str, DomainError] = {}
        for kinds in parts:
            items = [item for name, every in wanted.items() if name not in refused for key, item in every.items()
                     if key[0] in kinds and unlike(item, found.get(name, {}).get(key))]
            for item, _answer, error in self.api.many(self._apply, items):
                if error:
                    refused.setdefault(item["metadata"]["labels"][ROUTE], error)
        return refused

    def _apply(self, item: Item) -> None:
        answer = self.api.apply(item, force=self.force)
        if not unlike(item, answer):
            return
        # Somebody else added to it; applying leaves that as it is.
        if not self.force:
            raise DomainError("cluster_conflict", "{0} {1}/{2} has fields that somebody else added".format(
                item["kind"], item["metadata"]["namespace"], item["metadata"]["name"]), advice="Take them away, or ask for force")
        version = {"resourceVersion": answer["metadata"]["resourceVersion"]}
        self.api.call("PUT", path_of(item), {"fieldManager": MANAGER}, {**item, "metadata": {**item["metadata"], **version}})

    def remove(
        self, gone: Mapping[str, Iterable[Key]], namespaces: Mapping[str, str], parts: Sequence[Sequence[str]] = (ROUTES, REFERRED),
    ) -> dict[str, DomainError]:
        """Remove objects, those that refer to others first. Returns why, of the routes of which one could not be removed.

        :param namespaces: by route. :param parts: as in ``write``.
        """
        refused: dict[str, DomainError] = {}
        for kinds in parts:
            keys = [(name, key) for name, every in gone.items() for key in every if key[0] in kinds]
            for (name, _key), _answer, error in self.api.many(lambda each: self.api.delete(each[1][0], namespaces[each[0]], each[1][1]), keys):
                if error:
                    refused.setdefault(name, error)
        return refused


def _part(secret: Mapping[str, Any], key: str) -> str:
    try:
        return base64.b64decode((secret.get("data") or {}).get(key) or "").decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _route_of(item: Mapping[str, Any], scope: str) -> str:
    labels = item["metadata"].get("labels") or {}
    return str(labels.get(ROUTE) or "") if labels.get(SCOPE) == scope else ""


def _owned(items: Iterable[Item], scope: str, known: Mapping[str, str]) -> dict[str, str]:
    """The namespace of each route. A label is copied easily, so of several that claim a route none counts but the one that is known, or is called like it."""
    found: dict[str, set[str]] = defaultdict(set)
    for item in items:
        found[_route_of(item, scope)].add(item["metadata"]["namespace"])
    owned = {name: name if name in spaces else next(iter(spaces)) for name, spaces in found.items() if name in spaces or len(spaces) == 1}
    return {**owned, **known}


def _ready(pod: Mapping[str, Any]) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return not pod["metadata"].get("deletionTimestamp") and any(each.get("type") == "Ready" and each.get("status") == "True" for each in conditions)


def _complaint(line: str) -> str:
    """A line of Traefik's log, in JSON or in its own form, where it is an error; else empty."""
    try:
        entry = json.loads(line)
    except ValueError:
        return re.sub(r"\x1b\[[0-9;]*m", "", line) if " ERR " in line else ""
    if not isinstance(entry, dict) or entry.get("level") != "error":
        return ""
    return "{0}: {1} ({2})".format(entry.get("message", ""), entry.get("error", ""), entry.get("namespace") or entry.get("routerName") or "")
