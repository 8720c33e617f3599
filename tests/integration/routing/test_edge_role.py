# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge that the role traefik makes of a cluster: two pods that are replaced under load, pages, and what may reach what."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .conftest import ClusterEdge, Server
from .test_cluster import secret

Route = Callable[..., dict[str, Any]]
NAMESPACE = "routes-edge"
HOST = "acme.example.test"
pytestmark = pytest.mark.providers("kubernetes")


def images(edge: ClusterEdge) -> dict[str, str]:
    """What the cluster's nodes have: an image of Traefik, and one with Python."""
    names = [name for node in edge.ground.api.every("Node") for image in node["status"].get("images") or () for name in image.get("names") or ()]
    found = {"traefik_image": next((name for name in names if name.startswith("localhost/traefik:")), ""),
             "traefik_pages_image": next((name for name in names if "/toolbox@" in name), "")}
    if not all(found.values()):
        pytest.skip("the cluster's nodes have no images of Traefik and the toolbox")
    return found


def converge(edge: ClusterEdge, **further: Any) -> dict[str, int]:
    """Run the role. Returns the recap's figures."""
    book = edge.root / "play.yml"
    values = {"traefik_runtime": "kubernetes", "traefik_kubeconfig": os.environ["KUBECONFIG"], "traefik_namespace": NAMESPACE,
              "traefik_service_type": "ClusterIP", "traefik_pages_brand": "Test", **further}
    book.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "roles": ["sysgenpro.odoo.traefik"], "vars": values}]))
    done = subprocess.run(["ansible-playbook", "-i", "localhost,", str(book)], capture_output=True, text=True, check=False,
                          env={**os.environ, "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.default", "ANSIBLE_NOCOLOR": "1"})
    recap = [line for line in done.stdout.splitlines() if line.startswith("localhost ")]
    assert recap, done.stdout + done.stderr
    print(done.stdout[-3000:])
    return {name: int(count) for name, count in (pair.split("=") for pair in recap[-1].split(":")[1].split())}


@pytest.fixture
def role(edge: ClusterEdge) -> Iterator[dict[str, str]]:
    found = images(edge)
    assert converge(edge, **found)["failed"] == 0
    yield found
    converge(edge, traefik_state="absent")
    api = edge.ground.api
    assert api.get("Namespace", None, NAMESPACE) is None and api.get("ClusterRole", None, NAMESPACE + "-traefik") is None


def test_the_edge_of_a_cluster(edge: ClusterEdge, role: dict[str, str], route: Route, serve: Callable[..., Server]) -> None:
    assert converge(edge, **role)["changed"] == 0
    api = edge.ground.api
    inside = {name: (api.get("Service", NAMESPACE, name) or {})["spec"]["clusterIP"] for name in ("traefik", "traefik-internal")}
    public, internal = (inside["traefik"], 443), (inside["traefik-internal"], 443)
    serve(1), serve(3)
    where = {"edge": {"namespace": NAMESPACE}, "pages": "http://sysgenpro-pages.{0}:8069".format(NAMESPACE)}
    wanted = [route(), route("bodega", 2, hold={"timeout": 1}), route("inner", 3, exposure="internal", allow_list=["0.0.0.0/0"])]
    assert edge.run(wanted, **where)["changed"]
    again = edge.run(wanted, **where)
    assert again["changed"] is False and again["api_calls"] == 2
    assert edge.request(HOST, at=public)[0] == 200
    assert edge.request(HOST, "/web/database/manager", at=public)[0] == 404
    status, headers, body = edge.request("bodega.example.test", at=public, headers={"Accept-Language": "fr-BE,fr;q=0.9"})
    assert (status, headers["retry-after"], "server" in headers) == (503, "30", False) and b"Un instant" in body and b"Test" in body
    assert edge.request("inner.example.test", at=public)[0] == 404 and edge.request("inner.example.test", at=internal)[0] == 200
    assert replaced_under_load(edge, public) == {"200"}


def test_the_edge_of_a_cluster_by_gateway_api(
    edge: ClusterEdge, role: dict[str, str], route: Route, serve: Callable[..., Server], make_certificate: Callable[..., tuple[str, str]]
) -> None:
    """The role's own Gateway takes HTTPRoutes, internal ones at the internal entry point alone, and goes again."""
    api = edge.ground.api
    api.apply(secret("wildcard", NAMESPACE, make_certificate("*.example.test")))
    further = {"traefik_gateway": True, "traefik_gateway_certificates": ["wildcard"]}
    assert converge(edge, **role, **further)["failed"] == 0
    assert converge(edge, **role, **further)["changed"] == 0
    inside = {name: (api.get("Service", NAMESPACE, name) or {})["spec"]["clusterIP"] for name in ("traefik", "traefik-internal")}
    serve(1), serve(3)
    where = {"edge": {"namespace": NAMESPACE}, "pages": "http://sysgenpro-pages.{0}:8069".format(NAMESPACE), "output": "http_route"}
    wanted = [{key: value for key, value in each.items() if key != "tls"} for each in (route(), route("inner", 3, exposure="internal", allow_list=["0.0.0.0/0"]))]
    done = edge.run(wanted, **where)
    assert "failed" not in done and edge.run(wanted, **where)["changed"] is False, done
    public, internal = (inside["traefik"], 443), (inside["traefik-internal"], 443)
    assert [edge.request(HOST, path, at=public)[0] for path in ("/", "/web/database/manager", "/fr//web%2Fdatabase")] == [200, 404, 404]
    assert edge.request("inner.example.test", at=public)[0] == 404 and edge.request("inner.example.test", at=internal)[0] == 200
    assert edge.run(wanted, state="absent", **where)["changed"]
    assert converge(edge, **role)["changed"] > 0
    assert api.get("Gateway", NAMESPACE, "traefik") is None and converge(edge, **role)["changed"] == 0


def replaced_under_load(edge: ClusterEdge, at: tuple[str, int]) -> set[str]:
    """What clients were answered, a connection each, while all pods were replaced."""
    answers: Counter[str] = Counter()
    over = threading.Event()

    def ask() -> None:
        while not over.is_set():
            try:
                answers[str(edge.request(HOST, at=at, timeout=20)[0])] += 1
            except OSError as error:
                answers[repr(error)] += 1
            time.sleep(0.01)

    clients = [threading.Thread(target=ask) for _number in range(3)]
    for client in clients:
        client.start()
    api = edge.ground.api
    before = {pod["metadata"]["name"] for pod in pods(edge)}
    api.merge("Deployment", NAMESPACE, "traefik", {"spec": {"template": {"metadata": {"annotations": {"test": "again"}}}}})
    end = time.monotonic() + 120
    while before & {pod["metadata"]["name"] for pod in pods(edge)} and time.monotonic() < end:
        time.sleep(0.5)
    over.set()
    for client in clients:
        client.join()
    print(answers)
    assert not before & {pod["metadata"]["name"] for pod in pods(edge)} and sum(answers.values()) > 100
    return set(answers)


def pods(edge: ClusterEdge) -> list[dict[str, Any]]:
    return edge.ground.api.every("Pod", NAMESPACE, "app.kubernetes.io/name=traefik")


@pytest.mark.parametrize("change,said", [
    ({"traefik_image": ""}, "traefik_image is empty"), ({"traefik_replicas": 0}, "traefik_replicas is 0"),
    ({"traefik_gateway": True}, "traefik_gateway_certificates is empty"),
    ({"traefik_certificate_resolvers": {"le": {"acme": {}}}}, "traefik_certificate_resolvers is given"),
])
def test_what_cannot_work_is_said(edge: ClusterEdge, change: dict[str, Any], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert converge(edge, **{"traefik_image": "a", "traefik_pages_image": "b", **change})["failed"] == 1
    assert said in " ".join(capsys.readouterr().out.split())
