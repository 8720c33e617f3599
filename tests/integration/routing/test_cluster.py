# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What only a cluster has: other people's objects, fields that others changed, Secrets that others keep, calls that are counted."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing import model, render_kubernetes
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.cluster_parts import TRAEFIK

from .conftest import ClusterEdge, Server
from .test_routes import shown

Route = Callable[..., dict[str, Any]]
HOST = "acme.example.test"
pytestmark = pytest.mark.providers("kubernetes")


def secret(name: str, namespace: str, pair: tuple[str, str]) -> dict[str, Any]:
    data = {key: base64.b64encode(text.encode()).decode() for key, text in zip(("tls.crt", "tls.key"), pair)}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "type": "kubernetes.io/tls", "data": data}


def ingress_route(name: str, namespace: str, host: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": name, "namespace": namespace, "labels": labels}, "spec": {
        "entryPoints": ["websecure"], "routes": [{"kind": "Rule", "match": "Host(`{0}`)".format(host), "services": [{"name": namespace, "port": 8069}]}]}}


@pytest.mark.parametrize("further", [
    {}, {"exposure": "internal", "database_manager": True}, {"exposure": "partner", "allow_list": ["192.0.2.0/24"], "trusted_proxies": ["10.0.0.0/8"]},
    {"max_body": 0, "rate_limit": {"average": 0}, "redirect": False, "hsts": 0, "headers": {"X-A": '{{ env "x" }} é `'}},
    {"tls": {"resolver": "le", "min_version": "1.3"}, "hosts": ["a.example.test", "b.example.test"]}, {"tls": {"secret": "from-cert-manager"}},
    {"hold": {"timeout": 900, "interval": 10000, "attempts": 1000000, "requests": 10000}, "max_body": 1 << 50},
])
def test_the_api_server_takes_all_that_is_rendered(edge: ClusterEdge, route: Route, further: dict[str, Any]) -> None:
    """By its own schemas and defaults, without keeping any of it; what it keeps of an object is what was asked."""
    asked = edge.asked(route(**further))
    for item in render_kubernetes.objects(model.parse_routes([asked], in_cluster=True)[0], render_kubernetes.Pages("192.0.2.1", 8069)):
        answer = edge.ground.api.apply(item, dry=True)
        if item["apiVersion"] == TRAEFIK:
            assert render_kubernetes.shown(answer) == render_kubernetes.shown(item)
    assert edge.routes() == []


def test_a_converged_call_lists_each_kind_once_and_reads_traefik_once(edge: ClusterEdge, route: Route) -> None:
    for count in (1, 12):
        routes = [route("t{0}".format(number), number) for number in range(1, count + 1)]
        assert edge.run(routes)["changed"]
        again = edge.run(routes)
        assert again["changed"] is False and again["plan"]["steps"] == []
        assert again["cluster_calls"] == {"GET": len(render_kubernetes.KINDS)} and again["api_calls"] == 1


def test_a_host_that_somebody_else_has_is_refused_and_others_are_served(edge: ClusterEdge, route: Route, serve: Callable[..., Server]) -> None:
    """Also where the other object bears our labels: in another namespace than its route's it is not ours."""
    serve(2)
    other = edge.called("other")
    edge.ground.front(other, 9)
    labels = {**render_kubernetes.LABELS, render_kubernetes.ROUTE: edge.called("acme"), render_kubernetes.SCOPE: "test"}
    for made in ({}, labels):
        edge.ground.api.apply(ingress_route("thief", other, HOST.upper(), **made))
        result = edge.run([route(), route("bodega", 2)])
        assert result["code"] == "host_taken" and "IngressRoute {0}/thief".format(other) in result["msg"], result
        assert edge.routes() == ["bodega"] and edge.request("bodega.example.test")[0] == 200
    assert edge.run([route("bodega", 2)], purge=True)["changed"] is False
    edge.ground.api.delete("IngressRoute", other, "thief")
    assert edge.run([route()])["changed"]


def test_an_ingress_route_of_somebody_else_under_a_routes_name_is_left_alone(edge: ClusterEdge, route: Route) -> None:
    asked = edge.asked(route())
    edge.ground.api.apply(ingress_route(asked["name"], asked["name"], "else.example.test"))
    assert edge.run([route()])["code"] == "foreign_object"
    assert edge.run([{"name": "acme"}], state="absent")["code"] == "foreign_object"
    assert edge.ground.api.delete("IngressRoute", asked["name"], asked["name"])


def test_what_somebody_changed_is_seen_refused_and_taken_back_by_force(edge: ClusterEdge, route: Route, serve: Callable[..., Server]) -> None:
    serve(1)
    edge.run([route()])
    name = edge.called("acme")
    before = edge.kept("acme")
    # As ``kubectl edit`` does: one value changed, one field added, one object more.
    edge.ground.api.call("PATCH", "/apis/traefik.io/v1alpha1/namespaces/{0}/middlewares/{0}-rate".format(name), {"fieldManager": "somebody"},
                         {"spec": {"rateLimit": {"average": 1}}}, "application/merge-patch+json")
    planned = edge.run([route()], check=True)
    assert [step["name"] for step in planned["plan"]["steps"]] == ["write", "verify"] and planned["plan"]["before"][name][0]["spec"]["rateLimit"]["average"] == 1
    refused = edge.run([route()])
    assert refused["code"] == "cluster_conflict" and refused["details"]["routes"] == [name] and "somebody" in refused["msg"], refused
    assert edge.run([route()], force=True)["changed"] and edge.kept("acme") == before
    edge.ground.api.call("PATCH", "/apis/traefik.io/v1alpha1/namespaces/{0}/middlewares/{0}-rate".format(name), {"fieldManager": "somebody"},
                         {"spec": {"addPrefix": {"prefix": "/x"}}}, "application/merge-patch+json")
    assert edge.run([route()])["code"] == "cluster_conflict"
    assert edge.run([route()], force=True)["changed"] and edge.kept("acme") == before
    assert edge.run([route()])["changed"] is False and edge.request(HOST)[0] == 200


def test_an_object_that_was_removed_or_added_by_hand_is_mended(edge: ClusterEdge, route: Route) -> None:
    edge.run([route()])
    name, before = edge.called("acme"), edge.kept("acme")
    stored = next(key[1] for key in edge.ground.world.observe()[0].objects[name] if key[0] == "Secret")
    for kind, gone in (("Middleware", name + "-retry"), ("TLSOption", name), ("Secret", stored), ("EndpointSlice", "edge-pages"), ("IngressRoute", name + "-redirect")):
        assert edge.ground.api.delete(kind, name, gone)
        result = edge.run([route()])
        assert result["changed"] and "failed" not in result and edge.kept("acme") == before, result
    edge.ground.api.apply(ingress_route("more", name, "more.example.test", **{**render_kubernetes.LABELS, render_kubernetes.ROUTE: name, render_kubernetes.SCOPE: "test"}))
    assert edge.run([route()])["changed"] and edge.kept("acme") == before


def test_what_traefik_refuses_is_undone_alone(edge: ClusterEdge, route: Route, serve: Callable[..., Server]) -> None:
    serve(1), serve(2)
    edge.run([route()])
    before, fingerprint = edge.kept("acme"), shown(edge, HOST)
    result = edge.run([route(entry_point="nowhere", allow_list=["192.0.2.0/24"], max_body=0), route("fresh", 3, entry_point="nowhere"), route("bodega", 2)])
    assert result["code"] == "not_served" and result["details"]["routes"] == [edge.called("acme"), edge.called("fresh")], result
    assert ("nowhere" in result["msg"] and "are back" in result["unchanged"]) or "stays" in result["unchanged"]
    assert edge.kept("acme") == before and edge.routes() == ["acme", "bodega"] and shown(edge, HOST) == fingerprint
    assert [edge.request(name + ".example.test")[0] for name in ("acme", "bodega")] == [200, 200]
    assert edge.run([route(), route("bodega", 2)])["changed"] is False


def test_a_route_without_its_front_is_refused_by_name(edge: ClusterEdge, route: Route, serve: Callable[..., Server]) -> None:
    serve(2)
    without = {key: value for key, value in route().items() if key != "front"}
    result = edge.run([without, route("bodega", 2)])
    assert result["code"] == "front_missing" and result["details"]["routes"] == [edge.called("acme")], result
    assert edge.request("bodega.example.test")[0] == 200 and edge.routes() == ["bodega"]


def test_a_secret_that_somebody_else_keeps_is_looked_at_and_renewed_without_a_call(
    edge: ClusterEdge, route: Route, serve: Callable[..., Server], make_certificate: Callable[..., tuple[str, str]]
) -> None:
    serve(1)
    asked = route(tls={"secret": "certificate"})
    missing = edge.run([asked])
    assert missing["code"] == "certificate_unreadable" and "Secret" in missing["msg"], missing
    namespace = edge.called("acme")
    edge.ground.api.apply(secret("certificate", namespace, make_certificate("else.example.test")))
    assert edge.run([asked])["code"] == "certificate_wrong_host"
    edge.ground.api.apply(secret("certificate", namespace, make_certificate(HOST)))
    assert edge.run([asked])["changed"] and edge.stored() == 0
    first = shown(edge, HOST)
    edge.ground.api.apply(secret("certificate", namespace, make_certificate(HOST, again=1)))
    end = time.monotonic() + 10
    while shown(edge, HOST) == first and time.monotonic() < end:
        time.sleep(0.1)
    assert shown(edge, HOST) != first and edge.run([asked])["changed"] is False
    assert edge.run([{"name": "acme"}], state="absent")["changed"]
    assert edge.ground.api.get("Secret", namespace, "certificate")


def test_nothing_that_is_returned_or_shown_holds_a_key(edge: ClusterEdge, route: Route, make_certificate: Callable[..., tuple[str, str]]) -> None:
    key = make_certificate(HOST)[1]
    marks = (key.split("\n")[1], base64.b64encode(key.encode()).decode()[:60])
    for state in ("rendered", "present"):
        result = json.dumps(edge.run([route()], state=state))
        assert "tls" in result and not any(mark in result for mark in marks)
    assert edge.info()["routes"][0]["certificate"]["names"] == [HOST]


def test_traefik_that_does_not_answer_is_an_error_and_changes_nothing(edge: ClusterEdge, route: Route) -> None:
    edge.stop()
    assert edge.run([route()])["code"] == "traefik_unreachable" and edge.routes() == []
    planned = edge.run([route()], check=True)
    assert planned["changed"] and planned["api_reachable"] is False
    nobody = edge.run([route()], edge={"namespace": edge.called("acme")})
    assert nobody["code"] == "traefik_unreachable" and "no ready pod" in nobody["msg"]


def test_a_cluster_that_cannot_be_reached_or_used_is_said(edge: ClusterEdge, route: Route) -> None:
    assert edge.run([route()], context="nowhere")["code"] == "bad_input"
    assert edge.run([route()], kubeconfig="/nowhere")["code"] == "bad_input"
    assert edge.run([route()], pages="http://nobody.nowhere:80")["code"] == "pages_missing"
    assert edge.run([route()], pages="ftp://nobody")["code"] == "bad_input"
    assert edge.run([route()], scope="a b")["code"] == "bad_input"


def test_a_traefik_with_the_older_names_is_read_as_well(edge: ClusterEdge, route: Route, serve: Callable[..., Server]) -> None:
    serve(1)
    edge.stop()
    edge.static["providers"]["kubernetesCRD"]["safeNaming"] = False
    edge.start()
    assert edge.run([route()])["changed"]
    again = edge.run([route()])
    assert again["changed"] is False and edge.request(HOST)[0] == 200
    assert 'service="{0}"'.format(again["routes"][0]["service"]) in edge.metrics()
    assert edge.run([route(max_body=0, allow_list=["127.0.0.0/8"])])["changed"] and edge.run([{"name": "acme"}], state="absent")["changed"]


@pytest.fixture
def pods(edge: ClusterEdge) -> str:
    """The address of an edge of two pods in the cluster, as the lab's cluster has one."""
    api = edge.ground.api
    service = api.get("Service", "edge", "traefik")
    if service is None or len(api.every("Pod", "edge", "app.kubernetes.io/name=traefik")) < 2:
        pytest.skip("the cluster has no edge of two pods in the namespace edge")
    return str(service["spec"]["clusterIP"])


def test_every_pod_of_an_edge_is_read_through_the_clusters_api(
    edge: ClusterEdge, route: Route, serve: Callable[..., Server], pages: Server, pods: str
) -> None:
    serve(1)
    where = {"namespace": "edge"}
    assert edge.run([route()], edge=where)["changed"]
    again = edge.run([route()], edge=where)
    assert again["changed"] is False and again["api_calls"] == 2
    # One list of each kind, one of pods, and each pod by the cluster's API.
    assert again["cluster_calls"] == {"GET": len(render_kubernetes.KINDS) + 1 + 2}
    for _time in range(6):
        assert edge.request(HOST, at=(pods, 443))[0] == 200
    edge.request(HOST, "/web/database/manager", at=(pods, 443))
    assert [seen[1] for seen in pages.seen] == ["/edge/404"]
    found = edge.info(edge=where)
    assert [each["served"] for each in found["routes"]] == [True]


def test_a_pod_that_goes_meanwhile_holds_up_nothing(edge: ClusterEdge, route: Route, serve: Callable[..., Server], pods: str) -> None:
    serve(1)
    edge.run([route()], edge={"namespace": "edge"})
    api = edge.ground.api
    gone = api.every("Pod", "edge", "app.kubernetes.io/name=traefik")[0]["metadata"]["name"]
    api.delete("Pod", "edge", gone)
    result = edge.run([route(hsts=77)], edge={"namespace": "edge"})
    assert "failed" not in result and result["changed"], result
    assert edge.request(HOST, at=(pods, 443))[1]["strict-transport-security"] == "max-age=77"
