# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only HTTPRoutes have: a Gateway, Traefik's word in their status, what they cannot say, and the way from one output to the other."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing import model, render_kubernetes
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime import shared_route
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.pods import Ground

from .conftest import GatewayEdge, Server
from .test_cluster import ingress_route
from .test_two_parsers import BUS, CLOSED, OPEN, SETTINGS, forms

Route = Callable[..., dict[str, Any]]
HOST = "acme.example.test"
pytestmark = pytest.mark.providers("gateway")


def http_route(name: str, namespace: str, edge: GatewayEdge, *hosts: str) -> dict[str, Any]:
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name, "namespace": namespace}, "spec": {
        "parentRefs": [{"name": "traefik", "namespace": edge.space, "sectionName": "websecure"}], "hostnames": list(hosts),
        "rules": [{"backendRefs": [{"name": namespace, "port": 8069}]}]}}


def kinds(edge: GatewayEdge, name: str) -> list[str]:
    return sorted({key[0] for key in edge.ground.world.observe()[0].objects.get(edge.called(name), {})})


@pytest.mark.parametrize("further", [
    {}, {"exposure": "internal", "database_manager": True}, {"exposure": "partner", "allow_list": ["192.0.2.0/24"], "trusted_proxies": ["10.0.0.0/8"]},
    {"max_body": 0, "rate_limit": {"average": 0}, "redirect": False, "hsts": 0, "headers": {"X-A": '{{ env "x" }} é `'}},
    {"hosts": ["a{0}.example.test".format(number) for number in range(16)]},
    {"hold": {"timeout": 900, "interval": 10000, "attempts": 1000000, "requests": 10000}, "max_body": 1 << 50},
])
def test_the_api_server_takes_all_that_is_rendered(edge: GatewayEdge, route: Route, further: dict[str, Any]) -> None:
    """By its own schemas and defaults, without keeping any of it; what it keeps of an object is what was asked."""
    asked = {**edge.asked(route(**further)), "output": "http_route", "gateway": {"namespace": edge.space}}
    for item in render_kubernetes.objects(model.parse_routes([asked], in_cluster=True)[0], render_kubernetes.Pages("192.0.2.1", 8069)):
        answer = edge.ground.api.apply(item, dry=True)
        if item["apiVersion"] != "v1" and item["kind"] != "EndpointSlice":
            assert render_kubernetes.shown(answer) == render_kubernetes.shown(item)


def test_a_converged_call_changes_nothing_and_is_told_by_traefik_and_by_the_status(edge: GatewayEdge, route: Route, serve: Callable[..., Server]) -> None:
    serve(1)
    made = edge.run([route(), route("bodega", 2)])
    assert made["changed"] and made["routes"][0]["output"] == "http_route" and made["routes"][0]["service"].endswith("-wrr@kubernetesgateway"), made
    again = edge.run([route(), route("bodega", 2)])
    assert again["changed"] is False and again["cluster_calls"] == {"GET": len(render_kubernetes.KINDS)} and again["api_calls"] == 1
    assert [(each["served"], each["output"], each["differences"]) for each in edge.info()["routes"]] == [(True, "http_route", [])] * 2
    assert kinds(edge, "acme") == ["EndpointSlice", "HTTPRoute", "Middleware", "ServersTransport", "Service", "TraefikService"]
    assert edge.request(HOST)[0] == 200 and 'service="{0}"'.format(made["routes"][0]["service"]) in edge.metrics()
    # Somebody takes the listener away: seen, told, and whole again once it is back.
    edge.listen(websecure={"hostname": "other.test"})
    end = time.monotonic() + 10
    while edge.info()["routes"][0]["served"] and time.monotonic() < end:
        time.sleep(0.2)
    assert any("NoMatchingListenerHostname" in each for each in edge.info()["routes"][0]["differences"])
    refused = edge.run([route()])
    assert refused["code"] == "gateway_unfit" and "is for other.test and not for acme.example.test" in refused["msg"], refused


@pytest.mark.parametrize("further,field", [
    ({"tls": {"secret": "mine"}}, "tls.secret"), ({"tls": {"resolver": "le"}}, "tls.resolver"), ({"tls": {"min_version": "1.3"}}, "tls.min_version"),
    ({}, "tls.certificate"), ({"tls": {}, "hosts": ["a{0}.example.test".format(number) for number in range(17)]}, "hosts"),
])
def test_what_it_cannot_say_is_refused_by_name_and_nothing_is_changed(edge: GatewayEdge, route: Route, further: dict[str, Any], field: str) -> None:
    result = edge.run([route("bodega", 2), {**route(), **further, "refused": True}])
    assert (result["code"], result["details"]["field"], result["details"]["route"]) == ("http_route_cannot", field, edge.called("acme")), result
    assert result["unchanged"] == "Nothing was changed" and edge.routes() == []
    done = edge.run([route("bodega", 2), {**route(), "output": "ingress_route"}])
    assert "failed" not in done and edge.routes() == ["acme", "bodega"], done


@pytest.mark.parametrize("gateway,code,said", [
    ({"name": "other"}, "gateway_missing", "no Gateway"), ({"section_name": "nowhere"}, "gateway_unfit", "is not there"),
    ({"section_name": "internal"}, "gateway_unfit", "expected the entry point websecure"), ({"redirect_section_name": "internal"}, "gateway_unfit", "expected HTTP"),
])
def test_a_gateway_that_cannot_take_it_is_named_and_others_are_served(
    edge: GatewayEdge, route: Route, serve: Callable[..., Server], gateway: dict[str, str], code: str, said: str
) -> None:
    serve(2)
    result = edge.run([route(gateway=gateway), route("bodega", 2)])
    assert result["code"] == code and said in result["msg"] and result["details"]["routes"] == [edge.called("acme")], result
    assert edge.routes() == ["bodega"] and edge.request("bodega.example.test")[0] == 200


def test_a_host_that_no_certificate_of_the_listener_is_for(edge: GatewayEdge, route: Route) -> None:
    assert edge.run([route(hosts=["acme.elsewhere.test"])])["code"] == "certificate_wrong_host" and edge.routes() == []


def test_a_host_that_somebody_else_has_is_refused_whatever_theirs_is(edge: GatewayEdge, route: Route, serve: Callable[..., Server]) -> None:
    serve(2)
    other, api = edge.called("other"), edge.ground.api
    edge.ground.front(other, 9)
    for item in (ingress_route("thief", other, HOST), http_route("thief", other, edge, HOST), http_route("thief", other, edge, "*.example.test")):
        api.apply(item)
        for output in ("http_route", "ingress_route"):
            result = edge.run([{**route(), "output": output}, route("bodega", 2, hosts=["bodega.test"], output="ingress_route")])
            assert result["code"] == "host_taken" and "{0} {1}/thief".format(item["kind"], other) in result["msg"], result
            assert edge.routes() == ["bodega"]
        api.delete(item["kind"], other, "thief")


def test_nobody_reaches_traefiks_own_services(edge: GatewayEdge, route: Route) -> None:
    """Else a tenant could show Traefik's API, with everybody's routes, at a host of its own."""
    other = edge.called("other")
    edge.ground.front(other, 9)
    item = http_route("api", other, edge, HOST)
    item["spec"]["rules"][0]["backendRefs"] = [{"group": "traefik.io", "kind": "TraefikService", "name": "api@internal"}]
    edge.ground.api.apply(item)
    mine = ingress_route("api", other, "bodega.example.test")
    mine["spec"]["routes"][0]["services"] = [{"kind": "TraefikService", "name": "api@internal"}]
    edge.ground.api.apply({**mine, "spec": {**mine["spec"], "tls": {}}})
    try:
        time.sleep(2)
        assert [edge.request(host, "/api/rawdata")[0] in (404, 500) for host in (HOST, "bodega.example.test")] == [True, True]
    finally:
        # A namespace goes in its own time, and these are hosts of other tests.
        for kind in ("HTTPRoute", "IngressRoute"):
            edge.ground.api.delete(kind, other, "api")


def test_what_somebody_changed_is_seen_refused_and_taken_back_by_force(edge: GatewayEdge, route: Route, serve: Callable[..., Server]) -> None:
    serve(1)
    edge.run([route()])
    name, before = edge.called("acme"), edge.kept("acme")
    for change in ({"spec": {"hostnames": [HOST, "more.example.test"]}}, {"metadata": {"annotations": {"org.sysgenpro/entry-point": "internal"}}},
                   {"spec": {"rules": [{"backendRefs": [{"name": name, "port": 8069}]}]}}):
        edge.ground.api.call("PATCH", "/apis/gateway.networking.k8s.io/v1/namespaces/{0}/httproutes/{0}".format(name), {"fieldManager": "somebody"}, change,
                             "application/merge-patch+json")
        assert [step["name"] for step in edge.run([route()], check=True)["plan"]["steps"]] == ["write", "verify"]
        refused = edge.run([route()])
        assert refused["code"] == "cluster_conflict" and "somebody" in refused["msg"], refused
        assert edge.run([route()], force=True)["changed"] and edge.kept("acme") == before
    for kind, gone in (("HTTPRoute", name), ("HTTPRoute", name + "-redirect"), ("TraefikService", name), ("Middleware", name + "-closed")):
        assert edge.ground.api.delete(kind, name, gone)
        result = edge.run([route()])
        assert result["changed"] and "failed" not in result and edge.kept("acme") == before, result
    assert edge.run([route()])["changed"] is False and edge.request(HOST)[0] == 200


def test_from_one_output_to_the_other_and_back_nobody_notices(edge: GatewayEdge, route: Route, serve: Callable[..., Server], pages: Server) -> None:
    server = serve(1)
    for output in ("ingress_route", "http_route"):
        assert "failed" not in edge.run([{**route(), "output": output}])
        answers: Counter[str] = Counter()
        over = threading.Event()

        def ask(path: str, over: threading.Event = over, answers: Counter[str] = answers) -> None:
            while not over.is_set():
                try:
                    answers["{0} {1}".format(path, edge.request(HOST, path, timeout=20)[0])] += 1
                except OSError as error:
                    answers[repr(error)] += 1
                time.sleep(0.002)

        clients = [threading.Thread(target=ask, args=(path,)) for path in ("/", "/", "/web/database/manager")]
        for client in clients:
            client.start()
        other = "http_route" if output == "ingress_route" else "ingress_route"
        result = edge.run([{**route(), "output": other}])
        over.set()
        for client in clients:
            client.join()
        print(output, answers)
        assert "failed" not in result and "in place of" in result["plan"]["steps"][-2]["title"], result
        # A host's TLS options change once, from its own to the default ones or back. A connection that was just being made meets 421, on which clients make another.
        misdirected = sum(answers.pop(name, 0) for name in ("/ 421", "/web/database/manager 421"))
        assert set(answers) == {"/ 200", "/web/database/manager 200"} and answers["/ 200"] > 10 and misdirected <= 6, misdirected
        assert {seen[1] for seen in server.seen} == {"/"} and {seen[1] for seen in pages.seen} == {"/edge/404"}
        assert ("HTTPRoute" in kinds(edge, "acme"), "IngressRoute" in kinds(edge, "acme")) == (other == "http_route", other == "ingress_route")
        assert ("TLSOption" in kinds(edge, "acme"), "TraefikService" in kinds(edge, "acme")) == (other == "ingress_route", other == "http_route")
        assert edge.run([{**route(), "output": other}])["changed"] is False
    assert edge.run([{"name": "acme"}], state="absent")["changed"] and kinds(edge, "acme") == []


@pytest.mark.parametrize("manager", [False, True])
@pytest.mark.parametrize("setting", SETTINGS)
def test_every_form_of_every_path_goes_where_the_other_output_sends_it(
    edge: GatewayEdge, route: Route, serve: Callable[..., Server], pages: Server, setting: str, manager: bool
) -> None:
    edge.stop()
    for name in ("websecure", "internal"):
        edge.static["entryPoints"][name].update(SETTINGS[setting])
    edge.start()
    servers = {number: (serve(number), serve(number, port=8072)) for number in (1, 2)}
    further: dict[str, Any] = {"exposure": "internal", "rate_limit": {"average": 0}, "database_manager": manager, "max_body": 10}
    done = edge.run([{**route(**further), "output": "ingress_route"}, route("bodega", 2, **further)])
    assert "failed" not in done, done
    targets = [*forms(CLOSED, 150, 8), *forms(BUS, 50, 8), *OPEN, "/websocket/sysgenpro/ready", "/websocket/web/database/manager"]
    went: Counter[str] = Counter()
    for target in targets:
        found = []
        for number, host in ((1, HOST), (2, "bodega.example.test")):
            for server in (*servers[number], pages):
                server.seen.clear()
            status = edge.request(host, target, entry_point="internal")[0]
            found.append((status, *([seen[1] for seen in server.seen] for server in (*servers[number], pages))))
        assert found[0] == found[1], (target, found)
        went["pages" if found[1][3] else "bus" if found[1][2] else "web" if found[1][1] else str(found[1][0])] += 1
    print(setting, manager, went)
    assert went["bus"] > 50 and went["pages"] > 50
    # What is too large is so on the bus, too, and closed all the same.
    for path, said in (("/", "/edge/413"), ("/websocket", "/edge/413"), ("/sysgenpro/x", "/edge/404")):
        for host in (HOST, "bodega.example.test"):
            pages.seen.clear()
            edge.request(host, path, method="POST", body=b"x" * 11, entry_point="internal")
            assert [seen[1] for seen in pages.seen] == [said], (path, host)


def test_a_share_for_a_colour_that_does_not_lead(edge: GatewayEdge, route: Route, serve: Callable[..., Server], pages: Server) -> None:
    """As a release's canary makes one: of all requests but websockets, without those that are closed or too large."""
    blue, bus = serve(1), serve(1, port=8072)
    edge.run([route(max_body=10)])
    name, api = edge.called("acme"), edge.ground.api
    edge.ground.front(name + "-green", 3)
    green = serve(3)
    api.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "green-web", "namespace": name}, "spec": {"ports": [{"name": "http", "port": 8069}]}})
    api.apply({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "metadata": {
        "name": "green-web", "namespace": name, "labels": {"kubernetes.io/service-name": "green-web"}},
        "endpoints": [{"addresses": [edge.ground.address], "conditions": {"ready": True}}], "ports": [{"name": "http", "port": green.server_port, "protocol": "TCP"}]})
    own = api.get("HTTPRoute", name, name)
    items = shared_route.objects(Ground(name, name, 1000), own or {}, "green-web", 100, 60)
    assert items[1]["kind"] == "HTTPRoute"
    for item in items:
        api.apply(item, force=True)
    end = time.monotonic() + 10
    while not green.seen and time.monotonic() < end:
        edge.request(HOST)
    blue.seen.clear(), green.seen.clear()
    for path, method, body in (("/", "GET", b""), ("/web", "POST", b"x"), ("/websocket", "GET", b""), ("/web/database/manager", "GET", b""), ("/x", "POST", b"x" * 11)):
        edge.request(HOST, path, method=method, body=body)
    assert [seen[1] for seen in green.seen] == ["/", "/web"] and blue.seen == [] and [seen[1] for seen in bus.seen] == ["/websocket"]
    assert [seen[1] for seen in pages.seen] == ["/edge/404", "/edge/413"]
    for kind in ("HTTPRoute", "TraefikService"):
        assert api.delete(kind, name, shared_route.name(Ground(name, name, 1000)))
    end = time.monotonic() + 10
    while not blue.seen and time.monotonic() < end:
        edge.request(HOST)
    assert edge.run([route(max_body=10)])["changed"] is False
