# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tenant tries with the account that it has for its pipeline: each is refused, and says by what."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api, ApiError

from .conftest import DIGEST, REGISTRY, Cluster, offer, pod

LABEL = "org.sysgenpro/pool"


@pytest.fixture(scope="module")
def tenant(two: Cluster) -> tuple[Api, str, str]:
    """Its way in, its namespace, and that of the other."""
    return two.account(two.name("a")), two.name("a"), two.name("b")


def confined(**more: Any) -> dict[str, Any]:
    container: dict[str, Any] = pod("")["spec"]["containers"][0]
    return {**container, **more}


def test_an_honest_pod_is_let_in(tenant: tuple[Api, str, str]) -> None:
    api, mine, _other = tenant
    assert offer(api, pod(mine, priorityClassName="sysgenpro-1000"), "pods")["spec"]["priority"] == 1000


@pytest.mark.parametrize(("spec", "said"), [
    # A server that runs without --allow-privileged says it before Pod Security does.
    ({"containers": [confined(securityContext={"privileged": True})]}, "privileged"),
    ({"containers": [confined(securityContext={**confined()["securityContext"], "capabilities": {"add": ["NET_ADMIN"]}})]}, "restricted"),
    ({"containers": [confined(securityContext={**confined()["securityContext"], "allowPrivilegeEscalation": True})]}, "restricted"),
    ({"securityContext": {"runAsUser": 0, "seccompProfile": {"type": "RuntimeDefault"}}}, "restricted"),
    ({"securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "Unconfined"}}}, "restricted"),
    ({"hostNetwork": True}, "restricted"), ({"hostPID": True}, "restricted"), ({"hostIPC": True}, "restricted"),
    ({"containers": [confined(ports=[{"containerPort": 80, "hostPort": 80}])]}, "restricted"),
    ({"volumes": [{"name": "node", "hostPath": {"path": "/"}}]}, "restricted"),
    ({"nodeName": "node1"}, "the scheduler chooses the node"),
    ({"nodeSelector": {LABEL: "strategic"}}, "chooses no pool"),
    ({"tolerations": [{"operator": "Exists"}]}, "tolerates no other tenant's nodes"),
    ({"tolerations": [{"key": LABEL, "operator": "Equal", "value": "strategic", "effect": "NoSchedule"}]}, "tolerates no other tenant's nodes"),
    ({"priorityClassName": "system-cluster-critical"}, "priority is at most its tenant's"),
    ({"priorityClassName": "sysgenpro-4000"}, "priority is at most its tenant's"),
    ({"containers": [confined(image=f"{REGISTRY}/odoo:latest")]}, "by digest"),
    ({"containers": [confined(image=f"{REGISTRY}/odoo:latest@sha256:1")]}, "by digest"),
    ({"containers": [confined(image=f"elsewhere.example.test/odoo@{DIGEST}")]}, "registries"),
    ({"containers": [confined(image=f"{REGISTRY}.elsewhere.example.test/odoo@{DIGEST}")]}, "registries"),
    ({"initContainers": [confined(name="first", image=f"elsewhere.example.test/odoo@{DIGEST}")]}, "registries"),
    ({"containers": [confined(resources={"requests": {"cpu": "2"}})]}, "exceeded quota"),
    ({"containers": [confined(resources={"requests": {"memory": "12Gi"}, "limits": {"memory": "12Gi"}})]}, "exceeded quota"),
    ({"containers": [confined(resources={"limits": {"ephemeral-storage": "25Gi"}})]}, "exceeded quota"),
])
def test_a_pod_that_asks_for_too_much(tenant: tuple[Api, str, str], spec: dict[str, Any], said: str) -> None:
    api, mine, _other = tenant
    with pytest.raises(ApiError) as caught:
        offer(api, pod(mine, **copy.deepcopy(spec)), "pods")
    assert said in caught.value.message and caught.value.status in (403, 422)


def test_an_image_is_not_changed_behind_admission(two: Cluster, tenant: tuple[Api, str, str]) -> None:
    api, mine, _other = tenant
    api.create(pod(mine, "held", nodeSelector={"no.such/node": "x"}))
    try:
        api.merge("Pod", mine, "held", {"metadata": {"labels": {"x": "y"}}})
        with pytest.raises(ApiError, match="registries"):
            api.call("PATCH", f"/api/v1/namespaces/{mine}/pods/held", None,
                     [{"op": "replace", "path": "/spec/containers/0/image", "value": f"elsewhere.example.test/odoo@{DIGEST}"}], "application/json-patch+json")
    finally:
        two.api.delete("Pod", mine, "held", grace=0)


def test_a_pod_that_waits_is_not_sent_to_others_nodes(two: Cluster, tenant: tuple[Api, str, str]) -> None:
    """Tolerations may be added later, and a pod that is held at a gate may be given a choice of nodes."""
    api, mine, other = tenant
    api.create(pod(mine, "gated", schedulingGates=[{"name": "example.test/held"}]))
    path = f"/api/v1/namespaces/{mine}/pods/gated"
    try:
        for field, value, said in (("tolerations/-", {"key": LABEL, "operator": "Equal", "value": other, "effect": "NoSchedule"}, "tolerates no other"),
                                   ("tolerations/-", {"operator": "Exists"}, "tolerates no other"), ("nodeSelector", {LABEL: other}, "chooses no pool")):
            with pytest.raises(ApiError, match=said):
                api.call("PATCH", path, None, [{"op": "add", "path": f"/spec/{field}", "value": value}], "application/json-patch+json")
        api.call("PATCH", path, None, [{"op": "add", "path": "/metadata/labels", "value": {"a": "b"}}], "application/json-patch+json")
    finally:
        two.api.delete("Pod", mine, "gated", grace=0)


def test_a_pod_of_a_dedicated_tenant_runs_on_its_own_nodes(two: Cluster) -> None:
    other = two.name("b")
    api = two.account(other)
    own = {"nodeSelector": {LABEL: other}, "tolerations": [{"key": LABEL, "operator": "Equal", "value": other, "effect": "NoSchedule"}]}
    offer(api, pod(other, **own), "pods")
    for spec in ({}, {"nodeSelector": {LABEL: "another"}}):
        with pytest.raises(ApiError, match="has the nodeSelector"):
            offer(api, pod(other, **spec), "pods")


@pytest.mark.parametrize(("spec", "said"), [
    ({"type": "NodePort"}, "type NodePort"), ({"type": "LoadBalancer"}, "type LoadBalancer"),
    ({"type": "ExternalName", "externalName": "other.svc.cluster.local", "ports": []}, "type ExternalName"),
    ({"type": "ClusterIP", "externalIPs": ["192.0.2.9"]}, "externalIPs"), ({"type": "ClusterIP"}, "")])
def test_a_service(tenant: tuple[Api, str, str], spec: dict[str, Any], said: str) -> None:
    api, mine, _other = tenant
    item = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "it", "namespace": mine},
            "spec": {"ports": [{"port": 80}], "selector": {"a": "b"}, **spec}}
    refused(said, api, item, "services", "api/v1")


HOST, FOREIGN = "Host(`{mine}.example.test`)", "Host(`{other}.example.test`)"


@pytest.mark.parametrize(("match", "said"), [
    (HOST, ""), (HOST + " && PathPrefix(`/web`)", ""), (f"({HOST}) && (PathPrefix(`/web`) || Path(`/x`)) && !Method(`TRACE`)", ""),
    (f"({HOST} || {HOST}) && PathRegexp(`^/(a|b)\\(c\\)$`)", ""),
    (FOREIGN, "not this tenant's"), (f"{HOST} || {FOREIGN}", "not this tenant's"), (f"({HOST} || {FOREIGN}) && PathPrefix(`/`)", "not this tenant's"),
    ("PathPrefix(`/`)", "names its hosts first"), (HOST + " || PathPrefix(`/`)", "names its hosts first"),
    (HOST + " && PathPrefix(`/`) || PathPrefix(`/`)", "names its hosts first"), ("!" + HOST, "names its hosts first"),
    ("HostRegexp(`.*`)", "names its hosts first"), (HOST + " || HostRegexp(`.*`)", "names its hosts first"),
    ("host(`{other}.example.test`)", "names its hosts first"),
    ('Host("{other}.example.test")', "names its hosts first"), ("Host(`{mine}.example.test`, `{other}.example.test`)", "names its hosts first"),
    ("Host(`{mine}.example.test`) || (Path(`/`)", "names its hosts first")])
def test_a_route_of_traefik(tenant: tuple[Api, str, str], match: str, said: str) -> None:
    api, mine, other = tenant
    item = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRoute", "metadata": {"name": "it", "namespace": mine}, "spec": {
        "routes": [{"kind": "Rule", "match": match.format(mine=mine, other=other), "services": [{"name": "it", "port": 80}]}]}}
    refused(said, api, item, "ingressroutes", "apis/traefik.io/v1alpha1")


@pytest.mark.parametrize(("names", "said"), [(["{mine}.example.test"], ""), (["{other}.example.test"], "not this tenant's"),
                                             (["*.example.test"], "not this tenant's"),
                                             (["{mine}.example.test", "{other}.example.test"], "not this tenant's"), ([], "not this tenant's")])
def test_a_route_of_the_gateway(tenant: tuple[Api, str, str], names: list[str], said: str) -> None:
    api, mine, other = tenant
    item = {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": "it", "namespace": mine}, "spec": {
        "hostnames": [name.format(mine=mine, other=other) for name in names], "rules": [{"backendRefs": [{"name": "it", "port": 80}]}]}}
    refused(said, api, item, "httproutes", "apis/gateway.networking.k8s.io/v1")


@pytest.mark.parametrize(("spec", "said"), [
    ({"rules": [{"host": "{mine}.example.test"}]}, ""), ({"rules": [{"host": "{other}.example.test"}]}, "not this tenant's"),
    ({"rules": [{}]}, "not this tenant's"),
    ({"defaultBackend": {"service": {"name": "it", "port": {"number": 80}}}}, "no default backend"),
    ({"rules": [{"host": "{mine}.example.test"}], "tls": [{"hosts": ["{other}.example.test"]}]}, "not this tenant's")])
def test_an_ingress(tenant: tuple[Api, str, str], spec: dict[str, Any], said: str) -> None:
    api, mine, other = tenant
    spec = copy.deepcopy(spec)
    for rule in spec.get("rules", ()):
        rule["http"] = {"paths": [{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "it", "port": {"number": 80}}}}]}
        if "host" in rule:
            rule["host"] = rule["host"].format(mine=mine, other=other)
    for each in spec.get("tls", ()):
        each["hosts"] = [host.format(mine=mine, other=other) for host in each["hosts"]]
    refused(said, api, {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "it", "namespace": mine}, "spec": spec}, "ingresses",
            "apis/networking.k8s.io/v1")


def refused(said: str, api: Api, item: dict[str, Any], plural: str, group: str) -> None:
    if not said:
        offer(api, item, plural, group)
        return
    with pytest.raises(ApiError) as caught:
        offer(api, item, plural, group)
    assert said in caught.value.message


def test_a_route_past_every_host(two: Cluster) -> None:
    """Not in its rights, and not in its namespace either, whoever asks."""
    mine = two.name("a")
    item = {"apiVersion": "traefik.io/v1alpha1", "kind": "IngressRouteTCP", "metadata": {"name": "it", "namespace": mine}, "spec": {
        "routes": [{"match": "HostSNI(`*`)", "services": [{"name": "it", "port": 80}]}]}}
    refused("entry points and routes that name no host", two.api, item, "ingressroutetcps", "apis/traefik.io/v1alpha1")


@pytest.mark.parametrize(("method", "path"), [
    ("GET", "/api/v1/namespaces/{other}/secrets"), ("GET", "/api/v1/namespaces/{other}/pods"), ("GET", "/api/v1/secrets"),
    ("GET", "/api/v1/namespaces/{mine}/secrets"),
    ("GET", "/api/v1/namespaces"), ("GET", "/api/v1/nodes"), ("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles"),
    ("DELETE", "/api/v1/namespaces/{mine}/resourcequotas/share"), ("DELETE", "/api/v1/namespaces/{mine}/limitranges/defaults"),
    ("DELETE", "/apis/networking.k8s.io/v1/namespaces/{mine}/networkpolicies/every-pod"),
    ("DELETE", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/sysgenpro-images"), ("DELETE", "/api/v1/namespaces/{other}"),
    ("POST", "/api/v1/namespaces/{mine}/pods/x/exec?command=sh"), ("POST", "/api/v1/namespaces/{other}/pods"), ("POST", "/api/v1/namespaces"),
    ("POST", "/api/v1/namespaces/{mine}/serviceaccounts/default/token")])
def test_what_is_not_its_own(tenant: tuple[Api, str, str], method: str, path: str) -> None:
    api, mine, other = tenant
    body: dict[str, Any] | None = None
    if method == "POST":
        body = pod(other) if path.endswith("pods") else {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "x"}}
    with pytest.raises(ApiError) as caught:
        api.call(method, path.format(mine=mine, other=other), None, body)
    assert caught.value.status == 403 and caught.value.code == "cluster_forbidden"


@pytest.mark.parametrize(("plural", "item"), [
    ("rolebindings", {"kind": "RoleBinding", "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"}}),
    ("roles", {"kind": "Role", "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"]}]})])
def test_it_gives_itself_no_rights(tenant: tuple[Api, str, str], plural: str, item: dict[str, Any]) -> None:
    api, mine, _other = tenant
    with pytest.raises(ApiError) as caught:
        offer(api, {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "mine", "namespace": mine}, **item}, plural,
              "apis/rbac.authorization.k8s.io/v1")
    assert caught.value.status == 403


def test_its_own_rules_are_not_loosened(tenant: tuple[Api, str, str]) -> None:
    api, mine, _other = tenant
    for kind, namespace, name, change in (
            ("ResourceQuota", mine, "share", {"spec": {"hard": {"pods": "1000"}}}),
            ("Namespace", None, mine, {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}}),
            ("Namespace", None, mine, {"metadata": {"annotations": {"org.sysgenpro/registries": "elsewhere.example.test"}}})):
        with pytest.raises(ApiError) as caught:
            api.merge(kind, namespace, name, change)
        assert caught.value.status == 403


def test_the_number_of_objects(two: Cluster, tenant: tuple[Api, str, str]) -> None:
    """Configuration without end would fill etcd for all."""
    api, mine, _other = tenant
    try:
        with pytest.raises(ApiError, match="exceeded quota"):
            for number in range(102):
                api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"it-{number}", "namespace": mine}})
    finally:
        two.api.call("DELETE", f"/api/v1/namespaces/{mine}/configmaps")
