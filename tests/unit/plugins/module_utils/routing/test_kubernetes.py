# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Routes in a cluster: tables for what is pure, and a cluster in memory whose Traefiks make of its objects what the real ones do."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.wait import clock
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.kinds import KINDS, path_of
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing import (
    api,
    model,
    operation_kubernetes,
    plan,
    plan_kubernetes,
    render_gateway,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.cluster_parts import Names
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.io_kubernetes import Cluster, Edge
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.render_kubernetes import (
    PROVIDER,
    Pages,
    as_applied,
    objects,
    served,
    shown,
)

PAGES = Pages("10.96.0.50", 8069)


def routes(*names: str, **further: Any) -> list[model.Route]:
    return model.parse_routes(({"name": name, "hosts": [name + ".test"], "tls": {"resolver": "le"}, **further} for name in names), in_cluster=True)


def by_kind(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [item for item in found if item["kind"] == kind]


# -- rendering ----------------------------------------------------------------------------------


@pytest.mark.parametrize("change,field", [
    ({"front": "172.28.1.2"}, "front"), ({"tls": {}}, "tls"), ({"tls": {"secret": "a", "resolver": "b"}}, "tls"), ({"tls": {"secret": "A b"}}, "tls.secret"),
    ({"namespace": "A"}, "namespace"),
])
def test_what_a_route_in_a_cluster_cannot_be(change: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as caught:
        routes("acme", **change)
    assert caught.value.details["field"] == field
    with pytest.raises(DomainError, match="is that of acme"):
        model.parse_routes(({"name": name, "hosts": [name + ".test"], "tls": {"resolver": "le"}, "namespace": "x"} for name in ("acme", "bodega")), in_cluster=True)
    with pytest.raises(DomainError, match="only a cluster"):
        model.parse_routes([{"name": "acme", "hosts": ["a.test"], "front": "172.28.1.2", "tls": {"secret": "a"}}])


def test_all_lies_in_the_instances_namespace_and_refers_to_nothing_outside() -> None:
    found = objects(routes("acme", allow_list=["10.0.0.0/8"])[0], PAGES)
    assert {item["metadata"]["namespace"] for item in found} == {"acme"}
    text = repr([shown(item) for item in found])
    assert "@" not in text.replace("[_@-]", "") and "'namespace': 'acme'" in text and text.count("'namespace'") == len(found)
    for item in by_kind(found, "IngressRoute"):
        for rule in item["spec"]["routes"]:
            [service] = rule["services"]
            assert service["serversTransport"] == "acme" and (service.get("nativeLB") or service["name"] == "edge-pages")
    assert by_kind(found, "ServersTransport")[0]["spec"]["maxIdleConnsPerHost"] == -1


def test_a_given_certificate_is_a_secret_named_by_its_content(issue: Callable[..., tuple[str, str]]) -> None:
    chain, key = issue("acme.test", start=-9000, end=9000)
    found = objects(routes("acme", tls={"certificate": chain, "private_key": key})[0], PAGES)
    [stored] = by_kind(found, "Secret")
    assert stored["immutable"] and by_kind(found, "IngressRoute")[0]["spec"]["tls"]["secretName"] == stored["metadata"]["name"]
    assert "data" not in shown(stored)
    kept = objects(routes("acme", tls={"secret": "mine"})[0], PAGES)
    assert by_kind(kept, "Secret") == [] and by_kind(kept, "IngressRoute")[0]["spec"]["tls"]["secretName"] == "mine"


@pytest.mark.parametrize("safe,router,service,middleware,page", [
    (True, "a--b_a--b_0", "a--b_a--b_0_lb", "a--b_a--b-retry", "a--b_a--b-page-errorpage-service"),
    # Ten bytes of the rule's digest; the integration tests read both from a real Traefik.
    (False, "a-b-a-b-adb61728c085b5eef2e5", "a-b-a-b-adb61728c085b5eef2e5", "a-b-a-b-retry", "a-b-a-b-page-errorpage-service"),
])
def test_traefiks_names_by_either_scheme(safe: bool, router: str, service: str, middleware: str, page: str) -> None:
    [route] = routes("a--b", hosts=["a.test"])
    found = served(plan_kubernetes.index(objects(route, PAGES)), Names(safe))["http"]
    assert router in found["routers"] and service in found["services"] and middleware in found["middlewares"] and page in found["services"]
    assert found["routers"][router]["service"] == service


def test_an_order_of_routers_that_no_option_changes() -> None:
    """By it Traefik names them, and metrics are kept under these names."""
    for further in ({}, {"max_body": 0}, {"exposure": "internal"}):
        rules = by_kind(objects(routes("acme", **further)[0], PAGES), "IngressRoute")[0]["spec"]["routes"]
        assert [rule["services"][0].get("port") for rule in rules[:3]] == [8069, 8072, "http"]


def test_what_was_applied_is_found_again_in_what_the_cluster_shows() -> None:
    for item in objects(routes("acme")[0], PAGES):
        seen = completed(item)
        assert as_applied(seen) == item and not plan_kubernetes.unlike(item, seen)


def completed(item: dict[str, Any]) -> dict[str, Any]:
    """As an API server shows an object."""
    found = copy.deepcopy(item)
    found["metadata"].update({"uid": "1", "resourceVersion": "5", "managedFields": [{}]})
    found["metadata"]["labels"]["somebody"] = "else"
    if item["kind"] == "Service":
        found["spec"].update({"clusterIPs": ["None"], "type": "ClusterIP", "sessionAffinity": "None"})
        found["spec"]["ports"][0]["targetPort"] = 8069
        found["status"] = {}
    if item["kind"] == "Secret":
        found.pop("data", None)
    if item["kind"] == "HTTPRoute":
        found["metadata"]["generation"] = 3
        conditions = [{"type": name, "status": "True", "observedGeneration": 3} for name in ("Accepted", "ResolvedRefs")]
        found["status"] = {"parents": [{"controllerName": render_gateway.CONTROLLER, "parentRef": each, "conditions": conditions}
                                       for each in item["spec"]["parentRefs"]]}
    return found


# -- a cluster in memory ------------------------------------------------------------------------


class Memory:
    """Stands where the adapter to a cluster's API does.

    :param fails: number of the change, from 1, at which it is cut off; 0 for never.
    """

    def __init__(self) -> None:
        self.items: dict[str, dict[str, Any]] = {}
        self.calls: dict[str, int] = {}
        self.fails, self.changes, self.patience = 0, 0, 1.0
        self.rejects: Callable[[dict[str, Any]], bool] = lambda item: False

    def _count(self, method: str) -> None:
        self.calls[method] = self.calls.get(method, 0) + 1
        if method != "GET":
            self.changes += 1
            if self.changes == self.fails:
                raise KeyboardInterrupt

    def every(self, kind: str, namespace: str | None = None, labels: str = "", fields: str = "", metadata: bool = False) -> list[dict[str, Any]]:
        self._count("GET")
        key, _equals, value = labels.partition("=")
        return [copy.deepcopy(item) for item in self.items.values() if item["kind"] == kind and (not labels or item["metadata"]["labels"].get(key) == value)]

    def get(self, kind: str, namespace: str | None, name: str) -> dict[str, Any] | None:
        self._count("GET")
        return self.items.get(KINDS[kind].path(namespace, name))

    def apply(self, item: dict[str, Any], *, force: bool = False, dry: bool = False) -> dict[str, Any]:
        self._count("PATCH")
        if self.rejects(item):
            raise DomainError("cluster_rejected", "a policy refuses it")
        self.items[path_of(item)] = completed(item)
        return self.items[path_of(item)]

    def delete(self, kind: str, namespace: str | None, name: str) -> bool:
        self._count("DELETE")
        return self.items.pop(KINDS[kind].path(namespace, name), None) is not None

    def many(self, work: Callable[[Any], Any], items: Any) -> list[Any]:
        found = []
        for item in items:
            try:
                found.append((item, work(item), None))
            except DomainError as error:
                found.append((item, None, error))
        return found


class World(Cluster):
    """With Traefiks that make of the objects what they say. :ivar blind: the pod, if any, that takes no change any more."""

    def __init__(self, memory: Memory) -> None:
        super().__init__(memory, Edge("edge", "a=b", 8080))  # type: ignore[arg-type]
        self.memory, self.blind, self.frozen, self.bad = memory, "", api.Snapshot({}, {}, {}), ""

    def snapshots(self) -> dict[str, api.Snapshot]:
        self.traefik_calls += 2
        now = self._made()
        return {"pod-1": now, "pod-2": self.frozen if self.blind else now}

    def _made(self) -> api.Snapshot:
        kinds: dict[str, dict[str, Any]] = {"routers": {}, "services": {}, "middlewares": {}}
        for item in self.memory.items.values():
            if item["kind"] in ("IngressRoute", "Middleware", "TraefikService", "HTTPRoute") and "spec" in item:
                for made, provider in ((served, PROVIDER), (render_gateway.served, render_gateway.PROVIDER)):
                    for kind, found in made(plan_kubernetes.index([item]), Names(True))["http"].items():
                        for name, value in found.items():
                            bad = self.bad and self.bad in repr(value)
                            kinds[kind][name + provider] = {**value, "status": "disabled" if bad else "enabled", **({"error": ["no"]} if bad else {})}
        return api.Snapshot(**kinds)

    def certificates(self) -> dict[str, frozenset[str] | None]:
        return {"pod-1": None}

    def complaints(self, names: Any, seconds: int) -> list[str]:
        return ["Traefik says"]


def world(*names: str) -> World:
    memory = Memory()
    for name in names:
        memory.items[KINDS["Service"].path(name, name)] = {
            "kind": "Service", "metadata": {"name": name, "namespace": name, "labels": {}}, "spec": {"ports": [{"port": 8069}, {"port": 8072}]}}
    return World(memory)


def run(where: World, wanted: list[model.Route], names: tuple[str, ...] = (), **further: Any) -> plan.Plan | Any:
    found = operation_kubernetes.ClusterOperation(where, wanted, names, pages="http://10.96.0.50:8069", **{"timeout": 8.0, **further})
    made = found.plan()
    if made.steps:
        found.perform(made, {})
    return made


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting takes no time, and the clock goes on all the same."""
    now = [0.0]
    monkeypatch.setattr(clock, "monotonic", lambda: now[0])
    monkeypatch.setattr(clock, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


def test_create_keep_change_remove_and_the_number_of_calls() -> None:
    where = world("acme", "bodega")
    assert [(step.name, step.parameters.get("instance")) for step in run(where, routes("acme", "bodega")).steps] == [
        ("write", "acme"), ("write", "bodega"), ("verify", None)]
    where.memory.calls.clear()
    assert run(where, routes("acme", "bodega")).steps == () and where.memory.calls == {"GET": 9}
    changed = run(where, [routes("acme")[0], routes("bodega", hsts=5)[0]])
    # Only what changes of the route is told and applied.
    assert [item["name"] for item in changed.after["bodega"]] == ["bodega-headers"] and where.memory.calls["PATCH"] == 1
    run(where, routes("acme"), purge=True)
    assert {item["metadata"]["namespace"] for item in where.memory.items.values() if "apiVersion" in item} == {"acme"}


@pytest.mark.parametrize("further", [{"hsts": 7}, {"max_body": 0, "allow_list": ["10.0.0.0/8"]}, {"exposure": "internal"}])
def test_cut_off_at_any_change_and_run_again(further: dict[str, Any]) -> None:
    whole = world("acme")
    run(whole, routes("acme"))
    run(whole, routes("acme", **further))
    at = 0
    while True:
        at += 1
        where = world("acme")
        run(where, routes("acme"))
        where.memory.changes, where.memory.fails = 0, at
        try:
            run(where, routes("acme", **further))
        except KeyboardInterrupt:
            where.memory.fails = 0
            run(where, routes("acme", **further))
            assert where.memory.items == whole.memory.items
            continue
        break
    assert at > 1


@pytest.mark.parametrize("trouble", ["a pod that takes nothing", "what Traefik refuses", "what the cluster refuses"])
def test_what_cannot_be_served_is_as_it_was_and_the_others_are_served(trouble: str) -> None:
    where = world("acme", "bodega", "fresh")
    run(where, routes("acme", "bodega"))
    before = copy.deepcopy(where.memory.items)
    if trouble == "a pod that takes nothing":
        where.frozen, where.blind = where._made(), "pod-2"
    elif trouble == "what Traefik refuses":
        where.bad = "nowhere"
    else:
        where.memory.rejects = lambda item: "nowhere" in repr(item)
    wanted = [routes("acme", entry_point="nowhere", allow_list=["10.0.0.0/8"])[0], routes("bodega", hsts=9)[0], routes("fresh", entry_point="nowhere")[0]]
    with pytest.raises(DomainError) as caught:
        run(where, wanted)
    expected = {"what the cluster refuses": "cluster_rejected"}.get(trouble, "not_served")
    assert caught.value.code == expected and set(caught.value.details["routes"] if "routes" in caught.value.details else caught.value.details["instances"]) >= {
        "acme", "fresh"}
    of_acme = {path: item for path, item in where.memory.items.items() if item["metadata"]["namespace"] == "acme"}
    assert of_acme == {path: item for path, item in before.items() if item["metadata"]["namespace"] == "acme"}
    assert not [item for item in where.memory.items.values() if item["metadata"]["namespace"] == "fresh" and "apiVersion" in item]
    if trouble != "a pod that takes nothing":
        assert "315" not in repr(where.memory.items[KINDS["Middleware"].path("bodega", "bodega-headers")]["spec"]) and len(where.memory.items) == len(before)


def test_somebody_elses_host_and_a_front_that_is_missing() -> None:
    where = world("acme")
    where.memory.items["other"] = {"kind": "IngressRoute", "metadata": {"name": "x", "namespace": "other", "labels": {}}, "spec": {
        "routes": [{"match": "Host(`ACME.test`) || Host(`b.test`)"}]}}
    with pytest.raises(DomainError, match="IngressRoute other/x") as caught:
        run(where, routes("acme"))
    assert caught.value.code == "host_taken" and caught.value.unchanged == "Nothing was changed"
    del where.memory.items["other"]
    with pytest.raises(DomainError, match="namespace bodega has no Service") as caught:
        run(where, routes("acme", "bodega"))
    assert caught.value.code == "front_missing" and caught.value.details["routes"] == ["bodega"]
    assert KINDS["IngressRoute"].path("acme", "acme") in where.memory.items


def test_a_route_is_not_ours_by_its_labels_alone() -> None:
    where = world("acme")
    run(where, routes("acme"))
    copied = copy.deepcopy(where.memory.items[KINDS["IngressRoute"].path("acme", "acme")])
    copied["metadata"].update({"namespace": "thief", "name": "mine"})
    where.memory.items["copied"] = copied
    with pytest.raises(DomainError, match="IngressRoute thief/mine"):
        run(where, routes("acme", hsts=3))
    run(where, [], purge=True)
    assert "copied" in where.memory.items


def test_a_namespace_of_another_name() -> None:
    where = world("acme")
    front = where.memory.items.pop(KINDS["Service"].path("acme", "acme"))
    where.memory.items[KINDS["Service"].path("tenant-7", "acme")] = {**front, "metadata": {**front["metadata"], "namespace": "tenant-7"}}
    elsewhere = routes("acme", namespace="tenant-7")
    run(where, elsewhere)
    assert run(where, elsewhere).steps == ()
    assert {item["metadata"]["namespace"] for item in where.memory.items.values()} == {"tenant-7"}
    # Somebody who copies its labels into a namespace that is called like the route is given nothing, and takes nothing.
    copied = copy.deepcopy(where.memory.items[KINDS["IngressRoute"].path("tenant-7", "acme")])
    copied["metadata"]["namespace"] = "acme"
    where.memory.items["copied"] = copied
    with pytest.raises(DomainError, match="IngressRoute acme/acme"):
        run(where, routes("acme", namespace="tenant-7", hsts=3))
    del where.memory.items["copied"]
    run(where, [], ("acme",))
    assert list(where.memory.items) == [KINDS["Service"].path("tenant-7", "acme")]


@pytest.mark.parametrize("url,found", [
    ("http://10.0.0.1:80", Pages("10.0.0.1", 80)), ("http://pages.edge.svc.cluster.local:8069/", Pages("10.96.0.9", 8069)), ("http://pages.edge:1", Pages("10.96.0.9", 1)),
    ("https://10.0.0.1", "bad_input"), ("http://pages:80", "bad_input"), ("http://pages.edge", "bad_input"), ("http://none.edge:80", "pages_missing"),
    ("http://headless.edge:80", "pages_missing"),
])
def test_the_address_of_the_pages(url: str, found: Any) -> None:
    where = world()
    for name, address in (("pages", "10.96.0.9"), ("headless", "None")):
        where.memory.items[KINDS["Service"].path("edge", name)] = {"kind": "Service", "metadata": {}, "spec": {"clusterIP": address}}
    try:
        assert where.pages(url) == found
    except DomainError as error:
        assert error.code == found
