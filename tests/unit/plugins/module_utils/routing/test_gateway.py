# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTPRoutes: what they are, what they cannot be, and in which order they and what they refer to come and go."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import ApiError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.kinds import KINDS
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing import api, model, plan_kubernetes, render_gateway
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.cluster_parts import Names
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.io_gateway import Gateways, wrong
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.paths import bus_pattern, closed_pattern
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.render_kubernetes import (
    as_applied,
    objects,
    served,
    shown,
)

from .test_kubernetes import PAGES, World, by_kind, completed, quick, run, world

__all__ = ["quick"]
GATEWAY = {"output": "http_route", "gateway": {"namespace": "edge"}}
INGRESS = {"tls": {"resolver": "le"}}


def routes(*names: str, **further: Any) -> list[model.Route]:
    return model.parse_routes(({"name": name, "hosts": [name + ".test"], **GATEWAY, **further} for name in names), in_cluster=True)


def ingress(*names: str, **further: Any) -> list[model.Route]:
    return model.parse_routes(({"name": name, "hosts": [name + ".test"], **INGRESS, **further} for name in names), in_cluster=True)


# -- what cannot be said ------------------------------------------------------------------------


@pytest.mark.parametrize("change,code,field", [
    ({"tls": {"certificate": "x", "private_key": "y"}}, "http_route_cannot", "tls.certificate"), ({"tls": {"secret": "a"}}, "http_route_cannot", "tls.secret"),
    ({"tls": {"resolver": "le"}}, "http_route_cannot", "tls.resolver"), ({"tls": {"min_version": "1.3"}}, "http_route_cannot", "tls.min_version"),
    ({"tls": {"certificate": ""}}, "http_route_cannot", "tls.certificate"), ({"tls": {"unavailable": "x"}}, "http_route_cannot", "tls.unavailable"),
    ({"hosts": ["h{0}.test".format(number) for number in range(17)]}, "http_route_cannot", "hosts"),
    ({"gateway": {"namespace": "Edge"}}, "bad_input", "gateway.namespace"), ({"gateway": {"namespace": "edge", "name": "a b"}}, "bad_input", "gateway.name"),
    ({"gateway": {}}, "bad_input", "gateway.namespace"), ({"entry_point": "web_Secure"}, "bad_input", "gateway.section_name"),
    ({"output": "ingress"}, "bad_input", "output"), ({"output": "ingress_route", "tls": {"resolver": "le"}}, "bad_input", "gateway"),
])
def test_what_an_http_route_cannot_be_is_refused_by_name(change: dict[str, Any], code: str, field: str) -> None:
    with pytest.raises(DomainError) as caught:
        routes("acme", **change)
    assert (caught.value.code, caught.value.details["field"], caught.value.details["route"]) == (code, field, "acme")
    assert caught.value.unchanged == "Nothing was changed" and "route acme: " in caught.value.message
    # It is the parameters that are wrong, so the whole call is refused, even where single routes may be.
    with pytest.raises(DomainError):
        model.parse_routes([{"name": "acme", "hosts": ["acme.test"], **GATEWAY, **change}], [], in_cluster=True)


def test_a_machine_has_none() -> None:
    with pytest.raises(DomainError, match="only a cluster"):
        model.parse_routes([{"name": "acme", "hosts": ["a.test"], "front": "172.28.1.2", **GATEWAY}])
    assert routes("acme", tls={"min_version": "1.2"})[0].output == "http_route" and ingress("acme")[0].output == "ingress_route"


# -- rendering ----------------------------------------------------------------------------------


def test_all_lies_in_the_instances_namespace_and_refers_to_nothing_outside_but_its_gateway() -> None:
    found = objects(routes("acme", allow_list=["10.0.0.0/8"])[0], PAGES)
    assert {item["metadata"]["namespace"] for item in found} == {"acme"}
    assert not by_kind(found, "TLSOption") and not by_kind(found, "Secret") and not by_kind(found, "IngressRoute")
    there = {(item["kind"], item["metadata"]["name"]) for item in found}
    for item in by_kind(found, "HTTPRoute"):
        [parent] = item["spec"]["parentRefs"]
        assert (parent["namespace"], parent["name"], parent["sectionName"]) == ("edge", "traefik", "web" if "redirect" in item["metadata"]["name"] else "websecure")
        for rule in item["spec"]["rules"]:
            assert {("Middleware", each["extensionRef"]["name"]) for each in rule["filters"]} <= there
            assert next(("TraefikService", each["name"]) for each in rule["backendRefs"]) in there and "namespace" not in rule["backendRefs"][0]
    for item in by_kind(found, "TraefikService"):
        [service] = item["spec"]["weighted"]["services"]
        assert service["serversTransport"] == "acme" and (service.get("nativeLB") or service["name"] == "edge-pages")
    assert found[-1]["kind"] == "HTTPRoute" and len(by_kind(objects(routes("acme", redirect=False)[0], PAGES), "HTTPRoute")) == 1


def test_both_outputs_have_the_same_middlewares_and_services_for_the_same_requests() -> None:
    """All but TLS: exposure, limits, hold and pages are the same objects, in the same order."""
    for further in ({}, {"exposure": "internal", "database_manager": True}, {"exposure": "partner", "allow_list": ["192.0.2.0/24"]}, {"max_body": 0, "redirect": False}):
        one, other = objects(ingress("acme", **further)[0], PAGES), objects(routes("acme", **further)[0], PAGES)
        assert [shown(item) for item in by_kind(one, "Middleware")] == [shown(item) for item in by_kind(other, "Middleware")]
        backends = {item["metadata"]["name"]: item["spec"]["weighted"]["services"][0] for item in by_kind(other, "TraefikService")}
        for first, second in zip(by_kind(one, "IngressRoute"), by_kind(other, "HTTPRoute")):
            assert first["metadata"]["name"] == second["metadata"]["name"]
            for rule, same in zip(first["spec"]["routes"], second["spec"]["rules"]):
                assert [each["name"] for each in rule["middlewares"]] == [each["extensionRef"]["name"] for each in same["filters"]]
                assert {**rule["services"][0], "weight": 1} == backends[same["backendRefs"][0]["name"]]
            assert len(first["spec"]["routes"]) == len(second["spec"]["rules"])


@pytest.mark.parametrize("further", [{}, {"exposure": "internal", "database_manager": True}, {"hosts": ["a.test", "long." * 40 + "test"]}])
def test_the_order_that_numbers_have_in_an_ingress_route_is_that_of_lengths(further: dict[str, Any]) -> None:
    """For a request that several rules take: closed paths, then bodies that are too large, then the bus, then all else. No request changes sides."""
    [route] = routes("acme", **further)
    found = served_by_gateway(route)
    priority: dict[str, list[int]] = {}
    for router in found["routers"].values():
        part = next(part for part in ("closed", "too-large", "redirect", "page") if any(name.endswith("acme-" + part) for name in router["middlewares"]))
        part = "bus" if part == "page" and "websocket" in router["rule"] else part
        priority.setdefault(part, []).append(router["priority"])
    large_bus, large = sorted(priority["too-large"], reverse=True)
    [closed], [bus], [main] = priority["closed"], priority["bus"], priority["page"]
    assert closed > large_bus > bus > large > main
    # A canary's rule has room between these two (_runtime/shared_route.py).
    assert large > 10000 + 100 * len(render_gateway.ANY) + max(map(len, route.hosts)) + 1 > main


def test_what_makes_a_pattern_longer_makes_it_take_nothing_else() -> None:
    for manager in (False, True):
        found = by_kind(objects(routes("acme", exposure="internal", database_manager=manager)[0], PAGES), "HTTPRoute")[0]["spec"]["rules"][2]["matches"]
        [path] = [match["path"]["value"] for match in found]
        assert path.replace("(?:)", "") == closed_pattern(manager) and len(path) > len(bus_pattern()) + 1 and len(path) <= 1024
        for target, closed in (("/sysgenpro/x", True), ("//sysgenpro", True), ("/fr%2Fsysgenpro%2f", True), ("/websocket/sysgenpro", True), ("/SYSGENPRO", True),
                               ("/sysgenprox", False), ("/a/b/sysgenpro", False), ("/web/database", not manager)):
            assert bool(re.search(path, target)) is closed, (target, manager)


def served_by_gateway(route: model.Route) -> dict[str, Any]:
    return render_gateway.served(plan_kubernetes.index(objects(route, PAGES)), Names(True))["http"]  # type: ignore[no-any-return]


def test_traefiks_names_and_words() -> None:
    """Traefik 3.7's own, by hand; the integration tests read them from a real one."""
    [route] = routes("a--b", hosts=["a.test", "bb.test"], max_body=0)
    found = served_by_gateway(route)
    router, value = next(iter(found["routers"].items()))
    assert re.fullmatch(r"httproute-a-b-a-b-gw-edge-traefik-ep-websecure-0-[0-9a-f]{20}", router)
    assert value["rule"] == '(Host("a.test") || Host("bb.test")) && PathPrefix("/")' and value["priority"] == 1 + 7 + 3 and value["tls"] == {}
    assert value["service"] == router + "-wrr" and found["services"][router + "-wrr"] == {"weighted": {"services": [{"name": "a--b_a--b", "weight": 1}]}}
    redirect = [each for each in found["routers"].values() if each["entryPoints"] == ["web"]]
    assert len(redirect) == 1 and "tls" not in redirect[0]
    parts = served(plan_kubernetes.index(objects(route, PAGES)), Names(True))["http"]["services"]
    assert parts["a--b_a--b"] == {"weighted": {"services": [{"name": "a--b_a--b_wrr_0_a--b_a--b_8069", "weight": 1}]}}
    assert parts["a--b_a--b_wrr_0_a--b_a--b_8069"] == {"loadBalancer": {"serversTransport": "a--b_a--b"}}
    assert api.hosts_of(value["rule"]) == {"a.test", "bb.test"}


def test_what_was_applied_is_found_again_in_what_the_cluster_shows() -> None:
    for item in objects(routes("acme")[0], PAGES):
        seen = completed(item)
        assert as_applied(seen) == item and not plan_kubernetes.unlike(item, seen)
    [route, *_rest] = by_kind(objects(routes("acme")[0], PAGES), "HTTPRoute")
    seen = completed(route)
    seen["metadata"]["annotations"][render_gateway.ENTRY_POINT] = "internal"
    assert plan_kubernetes.unlike(route, seen)


@pytest.mark.parametrize("change,said", [
    ({}, ""), ({"status": {}}, "no Traefik says"), ({"status": {"parents": [{"controllerName": "else/controller"}]}}, "no Traefik says"),
    ({"generation": 4}, "has not looked at it"), ({"reason": ("ResolvedRefs", "BackendNotFound")}, "is not ResolvedRefs: BackendNotFound"),
    ({"reason": ("Accepted", "NotAllowedByListeners")}, "is not Accepted: NotAllowedByListeners")])
def test_what_traefik_says_of_an_http_route(change: dict[str, Any], said: str) -> None:
    item = completed(by_kind(objects(routes("acme")[0], PAGES), "HTTPRoute")[0])
    if "status" in change:
        item["status"] = change["status"]
    item["metadata"]["generation"] = change.get("generation", 3)
    for condition in item["status"].get("parents", [{}])[0].get("conditions", ()) if "reason" in change else ():
        if condition["type"] == change["reason"][0]:
            condition.update({"status": "False", "reason": change["reason"][1]})
    found = render_gateway.untaken(item)
    assert bool(found) is bool(said) and all(said in each for each in found)


# -- the Gateway --------------------------------------------------------------------------------


def listener(**further: Any) -> dict[str, Any]:
    return {"name": "websecure", "port": 8443, "protocol": "HTTPS", "allowedRoutes": {"namespaces": {"from": "All"}}, **further}


def gateway(*listeners: dict[str, Any], **further: Any) -> dict[str, Any]:
    return {"kind": "Gateway", "metadata": {"name": "traefik", "namespace": "edge", "labels": {}}, "spec": {"listeners": list(listeners) or [
        listener(), listener(name="web", protocol="HTTP", port=8000), listener(name="internal", port=9443)]}, **further}


ADDRESSES = {"web": ":8000", "websecure": "0.0.0.0:8443", "internal": ":9443/tcp", "traefik": ":8080"}


@pytest.mark.parametrize("found,said", [
    (listener(), ""), (listener(hostname="*.test"), ""), (listener(hostname="ACME.test"), ""), (listener(hostname="b.test"), "is for b.test and not for acme.test"),
    (listener(protocol="HTTP"), "speaks HTTP, expected HTTPS"), (listener(tls={"mode": "Passthrough"}), "passes TLS through"),
    (listener(allowedRoutes={"kinds": [{"kind": "GRPCRoute"}]}), "takes only GRPCRoute"), (listener(allowedRoutes={}), "no route of another namespace"),
])
def test_what_a_listener_must_be(found: dict[str, Any], said: str) -> None:
    reason = wrong(found, gateway(found), routes("acme")[0], "HTTPS")
    assert bool(reason) is bool(said) and said in reason
    refused = gateway(found, status={"listeners": [{"name": "websecure", "conditions": [
        {"type": "ResolvedRefs", "status": "False", "reason": "InvalidCertificateRef", "message": "Cannot load"}]}]})
    assert said in wrong(found, refused, routes("acme")[0], "HTTPS") if said else "InvalidCertificateRef Cannot load" in wrong(found, refused, routes("acme")[0], "HTTPS")


@pytest.mark.parametrize("further,code,said", [
    ({}, "", ""), ({"gateway": {"namespace": "edge", "section_name": "nowhere"}}, "gateway_unfit", "which is not there"),
    ({"gateway": {"namespace": "edge", "name": "other"}}, "gateway_missing", "no Gateway edge/other"),
    # Whoever may reach an internal route is decided by where its listener is.
    ({"exposure": "internal", "gateway": {"namespace": "edge", "section_name": "websecure"}}, "gateway_unfit", "that is the entry point websecure, expected the entry point internal"),
    ({"gateway": {"namespace": "edge", "redirect_section_name": "internal"}}, "gateway_unfit", "speaks HTTPS, expected HTTP"),
])
def test_a_gateway_is_looked_at_before_anything_is_written(further: dict[str, Any], code: str, said: str) -> None:
    where = world("acme")
    where.memory.items[KINDS["Gateway"].path("edge", "traefik")] = gateway()
    found = Gateways(where.memory, lambda: {"pod-1": ADDRESSES})  # type: ignore[arg-type]
    if not code:
        found.check(routes("acme", **further)[0])
        return
    with pytest.raises(DomainError, match=said) as caught:
        found.check(routes("acme", **further)[0])
    assert caught.value.code == code and caught.value.details["route"] == "acme" and caught.value.unchanged == "Nothing was changed"


def test_a_certificate_of_the_listener_covers_every_host(issue: Callable[..., tuple[str, str]]) -> None:
    where = world("acme")
    where.memory.items[KINDS["Gateway"].path("edge", "traefik")] = gateway(
        listener(tls={"certificateRefs": [{"kind": "Secret", "name": "one"}, {"kind": "Secret", "name": "two"}]}), listener(name="web", protocol="HTTP", port=8000))
    for name, host in (("one", "*.a.test"), ("two", "acme.test")):
        chain, key = issue(host, start=-9000, end=9000)
        where.memory.items[KINDS["Secret"].path("edge", name)] = {"kind": "Secret", "metadata": {}, "data": {
            part: base64.b64encode(text.encode()).decode() for part, text in (("tls.crt", chain), ("tls.key", key))}}
    found = Gateways(where.memory, lambda: {"pod-1": ADDRESSES})  # type: ignore[arg-type]
    found.check(routes("acme", hosts=["acme.test", "x.a.test"])[0])
    with pytest.raises(DomainError) as caught:
        found.check(routes("acme", hosts=["acme.test", "y.test"])[0])
    assert caught.value.code == "certificate_wrong_host"


# -- coming, changing and going -----------------------------------------------------------------


class Watched(World):
    """With Traefiks whose two providers take each change over in their own time: after every change, either may be at any state since the last look.

    :ivar seen: what was wrong at some such moment. :ivar always: a host that is to be served at every moment.
    """

    def __init__(self, where: World) -> None:
        super().__init__(where.memory)
        self.states: list[dict[str, Any]] = [copy.deepcopy(self.memory.items)]
        self.seen: list[str] = []
        self.always = ""
        self._apply_to_memory, self._delete_of_memory = self.memory.apply, self.memory.delete
        self.memory.apply, self.memory.delete = self._applied, self._deleted  # type: ignore[method-assign]

    def entry_points(self) -> dict[str, dict[str, str]]:
        return {"pod-1": ADDRESSES}

    def snapshots(self) -> dict[str, api.Snapshot]:
        self.states = [copy.deepcopy(self.memory.items)]
        return super().snapshots()

    def _applied(self, item: dict[str, Any], **further: Any) -> dict[str, Any]:
        found = self._apply_to_memory(item, **further)
        self._look(item["kind"])
        return found

    def _deleted(self, kind: str, namespace: str | None, name: str) -> bool:
        found = self._delete_of_memory(kind, namespace, name)
        self._look("without " + kind)
        return found

    def _look(self, what: str) -> None:
        self.states.append(copy.deepcopy(self.memory.items))
        for own in self.states:
            for of_gateway in self.states:
                self._judge(own, of_gateway, what)

    def _judge(self, own: dict[str, Any], of_gateway: dict[str, Any], what: str) -> None:
        parts, attached = _made(own, served), _made(of_gateway, render_gateway.served)
        whole = {name: router for name, router in attached["routers"].items() if _is_whole(router, parts, attached)}
        open_to = {router["entryPoints"][0] for router in whole.values() if any(each.endswith("-retry") for each in router["middlewares"])}
        closed_at = {router["entryPoints"][0] for router in whole.values() if any(each.endswith("-closed") for each in router["middlewares"])}
        if open_to - closed_at:
            self.seen.append("open at {0} with {1}".format(open_to - closed_at, what))
        rules = [router["rule"] for router in whole.values()] + [router["rule"] for router in parts["routers"].values() if _is_whole(router, parts, parts)]
        if self.always and not any(self.always in api.hosts_of(rule) for rule in rules):
            self.seen.append("nobody serves {0} with {1}".format(self.always, what))


def _made(items: dict[str, Any], by: Callable[..., dict[str, Any]]) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {"routers": {}, "services": {}, "middlewares": {}}
    for item in items.values():
        if "apiVersion" in item and "spec" in item:
            for kind, made in by(plan_kubernetes.index([item]), Names(True))["http"].items():
                found[kind].update(made)
    return found


def _is_whole(router: dict[str, Any], parts: dict[str, dict[str, Any]], own: dict[str, dict[str, Any]]) -> bool:
    """Whether all that a router refers to is there; else Traefik disables it."""
    if any(name not in parts["middlewares"] for name in router["middlewares"]) or router["service"] not in own["services"]:
        return False
    weighted = own["services"][router["service"]].get("weighted")
    return not weighted or all(each["name"] in parts["services"] for each in weighted["services"])


def watched(*names: str) -> Watched:
    where = world(*names)
    where.memory.items[KINDS["Gateway"].path("edge", "traefik")] = gateway()
    return Watched(where)


def left(where: World) -> list[str]:
    return sorted(item["kind"] for item in where.memory.items.values() if "apiVersion" in item)


def test_create_keep_change_remove() -> None:
    where = watched("acme", "bodega")
    assert [step.name for step in run(where, routes("acme", "bodega")).steps] == ["write", "write", "verify"]
    where.memory.calls.clear()
    assert run(where, routes("acme", "bodega")).steps == () and where.memory.calls == {"GET": 9}
    where.always = "acme.test"
    for further in ({"hsts": 5}, {"max_body": 0, "exposure": "partner", "allow_list": ["10.0.0.0/8"]}, {}, {"rate_limit": {"average": 0}}):
        run(where, [routes("acme", **further)[0], routes("bodega")[0]])
    where.always = ""
    run(where, routes("acme", rate_limit={"average": 0}), purge=True)
    run(where, [], ("acme",))
    assert left(where) == [] and where.seen == []


@pytest.mark.parametrize("before,after", [(ingress, routes), (routes, ingress)])
def test_from_one_output_to_the_other_the_host_is_served_all_the_time_and_nothing_is_left(before: Any, after: Any) -> None:
    fresh = watched("acme")
    run(fresh, after("acme"))
    where = watched("acme")
    run(where, before("acme"))
    where.always = "acme.test"
    step = run(where, after("acme")).steps[0]
    assert "in place of" in step.title and where.seen == []
    assert left(where) == left(fresh) and run(where, after("acme")).steps == ()


@pytest.mark.parametrize("before,after", [(ingress, routes), (routes, ingress), (routes, lambda name: routes(name, max_body=0, allow_list=["10.0.0.0/8"]))])
def test_cut_off_at_any_change_and_run_again(before: Any, after: Any) -> None:
    whole = watched("acme")
    run(whole, after("acme"))
    at = 0
    while True:
        at += 1
        where = watched("acme")
        run(where, before("acme"))
        where.always, where.memory.changes, where.memory.fails = "acme.test", 0, at
        try:
            run(where, after("acme"))
        except KeyboardInterrupt:
            where.memory.fails = 0
            run(where, after("acme"))
            assert left(where) == left(whole) and where.seen == []
            continue
        break
    assert at > 3


@pytest.mark.parametrize("before", [None, ingress, routes])
@pytest.mark.parametrize("trouble", ["what Traefik refuses", "what the cluster refuses", "a part that is not served"])
def test_what_cannot_be_served_is_as_it_was(before: Any, trouble: str) -> None:
    where = watched("acme")
    if before:
        run(where, before("acme"))
        where.always = "acme.test"
    items = copy.deepcopy(where.memory.items)
    if trouble == "what the cluster refuses":
        where.memory.rejects = lambda item: item["kind"] == "HTTPRoute" and "a.test" in repr(item)
    elif trouble == "what Traefik refuses":
        where.bad = 'Host("a.test")'
    else:
        where.bad = "203.0.113"
    with pytest.raises(DomainError) as caught:
        run(where, routes("acme", hosts=["acme.test", "a.test"], allow_list=["203.0.113.0/24"]))
    assert caught.value.code == ("cluster_rejected" if trouble == "what the cluster refuses" else "not_served") and where.memory.items == items
    assert where.seen == []


def http_route(name: str, namespace: str, *hosts: str) -> dict[str, Any]:
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name, "namespace": namespace, "labels": {}},
            "spec": {"hostnames": list(hosts), "rules": [], "parentRefs": []}}


@pytest.mark.parametrize("wanted", [routes, ingress])
@pytest.mark.parametrize("host,taken", [("ACME.test", True), ("*.test", True), ("other.test", False), ("*.acme.test", False)])
def test_somebody_elses_http_route_has_its_host(wanted: Any, host: str, taken: bool) -> None:
    where = watched("acme")
    where.memory.items["other"] = http_route("x", "other", host)
    if not taken:
        run(where, wanted("acme"))
        return
    with pytest.raises(DomainError, match="HTTPRoute other/x") as caught:
        run(where, wanted("acme"))
    assert caught.value.code == "host_taken"


def test_somebody_elses_http_route_under_a_routes_name_is_left_alone() -> None:
    where = watched("acme")
    where.memory.items[KINDS["HTTPRoute"].path("acme", "acme")] = http_route("acme", "acme", "b.test")
    for wanted, names in ((routes("acme"), ()), ([], ("acme",))):
        with pytest.raises(DomainError) as caught:
            run(where, wanted, names)
        assert caught.value.code == "foreign_object"
    run(where, ingress("acme"))


def test_an_account_that_may_not_look_at_http_routes_does_without_unless_they_are_asked_for() -> None:
    where = watched("acme")
    every = where.memory.every

    def refused(kind: str, *more: Any, **further: Any) -> Any:
        if kind in ("HTTPRoute", "TraefikService"):
            raise ApiError(403, "Forbidden", "forbidden", "no", "ask")
        return every(kind, *more, **further)

    where.memory.every = refused  # type: ignore[method-assign]
    run(where, ingress("acme"))
    with pytest.raises(ApiError):
        run(where, routes("acme"))
    # What it cannot see in the cluster it sees at Traefik.
    where.frozen, where.blind = api.Snapshot({"httproute-x@kubernetesgateway": {"rule": 'Host("bodega.test") && PathPrefix("/")'}}, {}, {}), "pod-2"
    front = copy.deepcopy(where.memory.items[KINDS["Service"].path("acme", "acme")])
    where.memory.items[KINDS["Service"].path("bodega", "bodega")] = front
    with pytest.raises(DomainError, match="router httproute-x"):
        run(where, ingress("bodega"))
