# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the cluster promises, shown by traffic: names, addresses that refuse, policies, nothing that leaves, storage, images, an edge."""

from __future__ import annotations

import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from sgplab.base import LabError
from sgplab.cluster import control_plane, images, life
from sgplab.cluster.place import Place

from .conftest import SERVE, Space, eventually

Spaces = Callable[[], Space]
Figure = Callable[[str], None]
#: A pod of an image that names its user itself.
SERVER = {"runAsNonRoot": True, "fsGroup": 999, "seccompProfile": {"type": "RuntimeDefault"}}
SAME_NAMESPACE = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {"name": "inside"},
                  "spec": {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{"from": [{"podSelector": {}}]}]}}  # fmt: skip


def _refusal(address: str, port: int) -> float:
    """Seconds until a connection is refused."""
    began = time.monotonic()
    with pytest.raises(ConnectionRefusedError), socket.create_connection((address, port), 5):
        pass
    return time.monotonic() - began


def test_both_nodes_run_what_was_built(place: Place) -> None:
    found = json.loads(control_plane.kubectl(place, "get", "nodes", "-o", "json"))["items"]
    assert {node["metadata"]["name"]: node["status"]["nodeInfo"]["kubeletVersion"] for node in found} == {"node1": "v1.35.4", "node2": "v1.35.4"}


def test_a_service_answers_the_host_and_both_nodes_and_refuses_at_once_without_a_pod(space: Spaces, figure: Figure) -> None:
    one = space()
    address = one.service("web")
    one.pod("near", node="node1")
    one.pod("far", node="node2")
    assert eventually(lambda: one.answers("near", address).endswith("Connection refused"))
    assert one.answers("far", address).endswith("Connection refused")
    seconds = _refusal(address, 80)
    assert seconds < 0.5
    figure(f"a Service without a pod refused after {seconds * 1000:.1f} ms")
    one.pod("web", SERVE)
    assert eventually(lambda: one.answers("near", "web") == "web"), "by its name, from the first node"
    assert eventually(lambda: one.answers("far", f"web.{one.name}.svc.cluster.local") == "web"), "by its whole name, from the second node"
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
        assert answer.read() == b"web\n"


def test_a_policy_holds_between_namespaces_and_nodes(space: Spaces, figure: Figure) -> None:
    own, other = space(), space()
    own.pod("web", SERVE, node="node1", container={"readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}})
    address = own.service("web")
    for each in (own, other):
        each.pod("near", node="node1")
        each.pod("far", node="node2")
        for pod in ("near", "far"):
            assert eventually(lambda each=each, pod=pod: each.answers(pod, address) == "web"), "without a policy everybody may"
    own.apply(SAME_NAMESPACE)
    began = time.monotonic()
    assert eventually(lambda: other.answers("near", address) != "web")
    figure(f"a policy held {time.monotonic() - began:.1f} s after it was applied, a refused connection's own 2 s among them")
    assert "timed out" in other.answers("near", address)
    assert "timed out" in other.answers("far", address)
    assert own.answers("near", address) == own.answers("far", address) == "web"
    time.sleep(3)
    assert own.kubectl("get", "pod", "web", "-o", "jsonpath={.status.containerStatuses[0].ready}") == "true", "a kubelet's probe is no stranger"
    own.kubectl("delete", "networkpolicy", "inside")
    assert eventually(lambda: other.answers("far", address) == "web")


@pytest.mark.parametrize("node", ["node1", "node2"])
def test_nothing_leaves_the_cluster(space: Spaces, node: str) -> None:
    one = space()
    one.pod("shut", node=node)
    # An address for documentation (RFC 5737), a Service that nobody made, a pod that nobody has.
    for address in ("198.51.100.1", "10.96.255.1", "10.244.200.1"):
        began = time.monotonic()
        said = one.answers("shut", address)
        assert "refused" in said or "No route to host" in said, (address, said)
        assert time.monotonic() - began < 1.9


def test_a_pod_without_root_keeps_what_it_writes(space: Spaces, place: Place) -> None:
    one = space()
    one.apply({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
               "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "10Mi"}}}})  # fmt: skip
    mounted = {"container": {"volumeMounts": [{"name": "data", "mountPath": "/data"}]},
               "volumes": [{"name": "tmp", "emptyDir": {}}, {"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]}  # fmt: skip
    one.pod("writer", **mounted)
    assert one.inside("writer", "echo kept > /data/file && stat -c %g /data/file").stdout == "2000\n"
    one.kubectl("delete", "pod", "writer")
    one.pod("reader", **mounted)
    assert one.inside("reader", "cat /data/file").stdout == "kept\n"
    volume = one.kubectl("get", "pvc", "data", "-o", "jsonpath={.spec.volumeName}")
    assert list((place.root / "volumes").glob(f"{volume}*"))
    one.kubectl("delete", "pod", "reader")
    one.kubectl("delete", "pvc", "data")
    assert eventually(lambda: not list((place.root / "volumes").glob(f"{volume}*"))), "it goes with its claim"


def test_an_image_is_pulled_by_digest_from_the_registry_on_both_nodes(space: Spaces, place: Place) -> None:
    one = space()
    reference = life.stock("redis-8", f"{one.name}/redis")
    assert reference.startswith("10.90.0.1:5000/") and "@sha256:" in reference
    for node in ("node1", "node2"):
        one.pod(f"pulled-{node}", "", node=node, image=reference, container={"imagePullPolicy": "Always"}, securityContext=SERVER)
    one.pod("unknown", "", image=reference.partition("@")[0] + "@sha256:" + "0" * 64, ready=False)
    reason = ("get", "pod", "unknown", "-o", "jsonpath={.status.containerStatuses[0].state.waiting.reason}")
    assert eventually(lambda: one.kubectl(*reason) in ("ErrImagePull", "ImagePullBackOff"))


def test_postgresql_and_redis_run_without_root_and_write_only_where_they_may(space: Spaces) -> None:
    life.load(list(images.FROM_DEBIAN))
    one = space()
    data, run = ({"name": "tmp", "mountPath": path, "subPath": name} for name, path in (("data", "/data"), ("run", "/var/run/postgresql")))
    one.pod("postgresql", "", node="node2", image="localhost/postgresql:17", securityContext=SERVER, container={
        "env": [{"name": "POSTGRES_PASSWORD", "value": "a test's"}], "volumeMounts": [data, run],
        "readinessProbe": {"exec": {"command": ["pg_isready", "-h", "127.0.0.1"]}, "periodSeconds": 1}})  # fmt: skip
    one.pod("redis", "", node="node1", image="localhost/redis:8", securityContext=SERVER, container={
        "volumeMounts": [data], "readinessProbe": {"exec": {"command": ["redis-cli", "ping"]}, "periodSeconds": 1}})  # fmt: skip
    address = one.service("postgresql", 5432, 5432)
    ask = f"PGPASSWORD=\"a test's\" psql -h {address} -U postgres -tAc 'show server_version_num'"
    assert eventually(lambda: one.inside("postgresql", ask).stdout.startswith("17"))
    assert "password authentication failed" in one.inside("postgresql", f"PGPASSWORD=other psql -h {address} -U postgres -c 'select 1'").stderr
    assert one.inside("redis", "redis-cli set a b").stdout == "OK\n"


def test_admission_refuses_a_pod_with_root_and_what_a_policy_forbids(space: Spaces, place: Place) -> None:
    one = space()
    with pytest.raises(LabError, match='violates PodSecurity "restricted'):
        one.pod("root", securityContext={"runAsUser": 0})
    name = f"{one.name}-no-node-port"
    only_here = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": one.name}}}
    one.apply(
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": {
            "matchConstraints": {"resourceRules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"], "resources": ["services"]}]},
            "validations": [{"expression": "object.spec.type != 'NodePort'", "message": "no NodePort here"}]}},
        {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
         "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": only_here}},
    )  # fmt: skip
    try:
        # A binding is known to the API server a moment later.
        said = eventually(lambda: _why_not(one, {"type": "NodePort", "ports": [{"port": 80}]}), 20)
        assert "no NodePort here" in said
    finally:
        control_plane.kubectl(place, "delete", "validatingadmissionpolicy,validatingadmissionpolicybinding", name)


def _why_not(one: Space, spec: dict[str, object]) -> str:
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "outside"}, "spec": spec}
    try:
        one.kubectl("create", "--dry-run=server", "-f", "-", data=service)
    except LabError as error:
        return str(error)
    return ""


def test_what_a_pod_uses_is_measured(space: Spaces) -> None:
    one = space()
    one.pod("busy", "while :; do :; done", container={"resources": {"limits": {"cpu": "100m", "memory": "20Mi"}}})
    used = eventually(lambda: one.kubectl("top", "pod", "busy", "--no-headers", check=False).split(), 60)
    assert used and 50 <= int(used[1].removesuffix("m")) <= 130, used


def _ask(edge: str, host: str, seconds: float = 30) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(urllib.request.Request(f"http://{edge}/", headers={"Host": host}), timeout=seconds) as answer:
            return answer.status, answer.read().decode().strip()
    except urllib.error.HTTPError as error:
        return error.code, ""


def test_the_edge_leads_by_both_kinds_of_route_and_holds(space: Spaces, place: Place, figure: Figure) -> None:
    one = space()
    edge = control_plane.kubectl(place, "-n", "edge", "get", "service", "traefik", "-o", "jsonpath={.spec.clusterIP}")
    one.service("shop")
    route = {"kind": "Rule", "match": f"Host(`{one.name}.test`)", "middlewares": [{"name": "hold"}],
             "services": [{"name": "shop", "port": 80, "nativeLB": True, "serversTransport": "fresh"}]}  # fmt: skip
    one.apply(
        {"apiVersion": "traefik.io/v1alpha1", "kind": "Middleware", "metadata": {"name": "hold"},
         "spec": {"retry": {"attempts": 60, "initialInterval": "500ms"}}},
        {"apiVersion": "traefik.io/v1alpha1", "kind": "ServersTransport", "metadata": {"name": "fresh"}, "spec": {"maxIdleConnsPerHost": -1}},
        {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": "shop"}, "spec": {"entryPoints": ["web"], "routes": [route]}},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway", "metadata": {"name": "edge"},
         "spec": {"gatewayClassName": "traefik", "listeners": [{"name": "web", "port": 8000, "protocol": "HTTP"}]}},
        {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "shop"},
         "spec": {"parentRefs": [{"name": "edge"}], "hostnames": [f"{one.name}-gateway.test"], "rules": [{"backendRefs": [{"name": "shop", "port": 80}]}]}},
    )  # fmt: skip
    one.pod("shop", SERVE)
    for host in (f"{one.name}.test", f"{one.name}-gateway.test"):
        # Twice as often as there are pods of the edge, so that each of them was asked.
        assert eventually(lambda host=host: [_ask(edge, host) for _ in range(4)] == [(200, "shop")] * 4), host
    one.kubectl("delete", "pod", "shop")
    began = time.monotonic()
    with ThreadPoolExecutor(1) as worker:
        later = worker.submit(lambda: (time.sleep(2), one.pod("shop", SERVE, ready=False)))
        assert _ask(edge, f"{one.name}.test") == (200, "shop"), "it was held, and then let go"
        later.result()
    figure(f"a request was held for {time.monotonic() - began:.1f} s, until a pod was ready that was asked for after 2 s")
