# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants made, looked at again, changed, drifted and removed; and how many calls that takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import PAGE, Api
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.admission import cluster_objects
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.compare import differences
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.io import CLUSTER_WIDE, NAMESPACED
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.model import parse_tenants
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.network import Edge, Ground
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.render import TENANCY, tenant_objects

from .conftest import Cluster, info, pod

LISTS = len(NAMESPACED) + len(CLUSTER_WIDE) + 3
"""One of each kind, of namespaces, of nodes, and of where the API server answers. More only where a kind has more objects than a page."""


def test_made_once(cluster: Cluster) -> None:
    tenants = [cluster.tenant(ending) for ending in "abc"]
    planned = cluster.quota(*tenants, _ansible_check_mode=True, _ansible_diff=True)
    assert planned["changed"] and planned["api_calls"].keys() == {"GET"} and cluster.api.get("Namespace", None, cluster.name()) is None
    assert f"Namespace {cluster.name()}" in planned["diff"]["after"]

    first = cluster.quota(*tenants, expected_plan_digest=planned["plan"]["digest"])
    assert first["changed"] and first["objects"]["removed"] == 0 and first["objects"]["applied"] == len(first["plan"]["steps"])
    again = cluster.quota(*tenants)
    assert not again["changed"] and again["plan"]["steps"] == []
    found = again["tenants"][0]
    assert found["limits"]["requests.cpu"] == "1" and found["usage"]["requests.cpu"] == "0" and found["second_colour"]["fits"]
    assert found["placement"] == {"priorityClassName": "sysgenpro-1000"}
    assert set(found["limits"]) <= set(again["kinds_of_limit"]) and again["kinds_of_limit"]["network"] == "advisory"


def test_no_change_only_reads(cluster: Cluster, figure: Callable[[str], None]) -> None:
    """A list of each kind and its further pages: no object is read by itself, and none is written."""
    tenants = [cluster.tenant(f"n{number}") for number in range(100)]
    first = cluster.quota(*tenants)
    again = cluster.quota(*tenants)
    pages = sum(len(cluster.api.every(kind, labels="org.sysgenpro/part=tenancy")) // PAGE for kind in (*NAMESPACED, *CLUSTER_WIDE))
    pages += len(cluster.api.every("Namespace")) // PAGE
    assert again["api_calls"].keys() == {"GET"} and LISTS <= again["api_calls"]["GET"] <= LISTS + pages
    changed = cluster.quota({**tenants[7], "profile": "medium"}, *tenants[:7], *tenants[8:])
    # Its namespace names the profile, its quota has the numbers.
    assert changed["api_calls"]["PATCH"] == 2 == len(changed["plan"]["steps"])
    assert changed["plan"]["after"][f"ResourceQuota {tenants[7]['name']}/share"]["spec.hard.requests.cpu"] == "4"
    figure("100 tenants: first {} s, no change {} s, one changed {} s, in {} objects".format(
        first["timings"]["total"], again["timings"]["total"], changed["timings"]["total"], first["objects"]["applied"]))


def test_the_server_takes_every_object_that_is_rendered(cluster: Cluster) -> None:
    """And what it makes of each is what was sent: so a second run has nothing to do, whatever was asked for."""
    everything = cluster.tenant(
        profile="dedicated", services=["LoadBalancer"], database={"pods": {"app": "postgresql"}}, redis={"pods": {"app": "redis"}, "ports": [6379]},
        limits={"cpu": "24000m", "memory": "112.5Gi", "cpu_limit": "40"}, people={"users": ["a@example.test"], "groups": ["g"]},
        ci={"users": ["robot"], "groups": ["robots"], "service_accounts": ["ci", "elsewhere:ci"]},
        egress=[{"name": "all", "cidr": "0.0.0.0/0", "except": ["10.0.0.0/8"]}, {"name": "six", "cidr": "2001:db8::/32", "ports": [53, 443], "protocol": "UDP"},
                {"name": "mail", "cidr": "192.0.2.25/32", "ports": [587], "kinds": ["cron", "queue"]}])
    cluster.quota(everything)
    assert not cluster.quota(everything)["changed"]
    parsed = parse_tenants([everything])[0]
    for item in [*cluster_objects(TENANCY), *tenant_objects(parsed, Edge("traefik"), Ground())]:
        found = cluster.api.apply(item, force=True, dry=True)
        assert differences(item, found) == [], item["metadata"]["name"]


def test_what_is_no_more_asked_for_goes(cluster: Cluster) -> None:
    tenant = cluster.tenant(egress=[{"name": "payments", "cidr": "198.51.100.0/24", "ports": [443], "kinds": ["web"]}], limits={"cpu_limit": "8"})
    cluster.quota(tenant)
    assert cluster.api.get("NetworkPolicy", tenant["name"], "way-payments")
    less = cluster.quota(cluster.tenant(ci=None))
    assert {"NetworkPolicy way-payments", "Role tenant-deploy", "RoleBinding tenant-deploy"} == {
        step["parameters"]["object"].replace(tenant["name"] + "/", "") for step in less["plan"]["steps"] if step["name"] == "remove"}
    assert less["plan"]["after"][f"ResourceQuota {tenant['name']}/share"] == {"spec.hard.limits.cpu": None}
    quota = cluster.api.get("ResourceQuota", tenant["name"], "share")
    assert quota and "limits.cpu" not in quota["spec"]["hard"] and not cluster.quota(cluster.tenant(ci=None))["changed"]


def edit(api: Api, namespace: str, change: dict[str, Any]) -> None:
    """As somebody does it with kubectl."""
    api.call("PATCH", f"/api/v1/namespaces/{namespace}/resourcequotas/share", {"fieldManager": "kubectl-edit"}, change, "application/merge-patch+json")


def test_what_others_changed_is_told_and_taken_back_by_force_only(cluster: Cluster) -> None:
    tenants = [cluster.tenant("a"), cluster.tenant("b")]
    cluster.quota(*tenants)
    edit(cluster.api, tenants[0]["name"], {"spec": {"hard": {"pods": "50"}}})
    tenants[1]["profile"] = "medium"
    found = cluster.quota(*tenants)
    assert found["failed"] and found["code"] == "drifted"
    assert found["details"]["drift"] == [{"object": f"ResourceQuota {tenants[0]['name']}/share", "field": "spec.hard.pods", "is": "50", "asked": "24",
                                          "managers": ["kubectl-edit"]}]
    assert info(names=[tenants[1]["name"]])["tenants"][0]["limits"]["pods"] == "36", "the other tenant's share is as asked"
    assert cluster.quota(*tenants, _ansible_check_mode=True)["code"] == "drifted"
    assert cluster.quota(*tenants, force=True)["objects"] == {"applied": 1, "removed": 0}
    assert not cluster.quota(*tenants)["changed"]


def test_a_hole_that_somebody_made_is_seen_and_closed(cluster: Cluster) -> None:
    """Fields that were never written here count as well: they open what was closed."""
    tenant = cluster.tenant()
    cluster.quota(tenant)
    name = tenant["name"]
    for kind, space, of, change in (
            ("networkpolicies", name, "every-pod", {"spec": {"podSelector": {"matchLabels": {"a": "b"}}}}),
            ("networkpolicies", name, "toolbox", {"spec": {"ingress": [{}]}}),
            ("networkpolicies", name, "every-pod", {"spec": {"egress": [{}]}})):
        path = f"/apis/networking.k8s.io/v1/namespaces/{space}/{kind}/{of}"
        cluster.api.call("PATCH", path, {"fieldManager": "kubectl-edit"}, change, "application/merge-patch+json")
        found = cluster.quota(tenant)
        assert found["code"] == "drifted" and found["details"]["drift"][0]["object"] == f"NetworkPolicy {name}/{of}"
        assert cluster.quota(tenant, force=True)["changed"] and not cluster.quota(tenant)["changed"]
        spec = cluster.api.call("GET", path)["spec"]
        assert not spec["podSelector"] if of == "every-pod" else "ingress" not in spec
    cluster.api.call("PATCH", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/sysgenpro-edge", {"fieldManager": "kubectl-edit"},
                     {"spec": {"matchConditions": [{"name": "never", "expression": "false"}]}}, "application/merge-patch+json")
    assert cluster.quota(tenant)["details"]["drift"][0]["field"] == "spec.matchConditions"
    assert cluster.quota(tenant, force=True)["changed"] and not cluster.quota(tenant)["changed"]


def test_what_somebody_took_away_comes_back(cluster: Cluster) -> None:
    tenant = cluster.tenant()
    cluster.quota(tenant)
    cluster.api.delete("NetworkPolicy", tenant["name"], "every-pod")
    found = cluster.quota(tenant)
    assert [step["title"] for step in found["plan"]["steps"]] == [f"make NetworkPolicy {tenant['name']}/every-pod"]


def test_a_share_below_what_runs(cluster: Cluster) -> None:
    tenant = cluster.tenant(limits={"cpu": "1"})
    cluster.quota(tenant)
    item = pod(tenant["name"], nodeSelector={"no.such/node": "x"})
    item["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "700m"}}
    cluster.api.create(item)
    found = cluster.quota(cluster.tenant(limits={"cpu": "500m"}), cluster.tenant("b"))
    assert found["code"] == "quota_below_use" and "requests.cpu 500m, and 0.7 are used" in found["msg"]
    assert cluster.api.get("Namespace", None, cluster.name("b")) is None, "nothing was changed"
    used = cluster.quota(tenant)["tenants"][0]
    assert used["usage"]["requests.cpu"] == "700m" and used["second_colour"]["cpu"] == {"free": "0.3", "needs": "0.25"}


def test_more_than_there_is(cluster: Cluster) -> None:
    found = cluster.quota(cluster.tenant(limits={"cpu": "100000"}), overcommit={"cpu": 1.5, "memory": 0})
    assert found["code"] == "overcommitted" and "x 1.5 = " in found["msg"] and cluster.api.get("Namespace", None, cluster.name()) is None


def test_a_namespace_that_was_there(cluster: Cluster) -> None:
    name = cluster.name()
    cluster.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    item = pod(name, nodeSelector={"no.such/node": "x"})
    item["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "700m"}}
    cluster.api.create(item)
    assert cluster.quota(cluster.tenant())["code"] == "namespace_foreign"
    assert cluster.quota(cluster.tenant(), state="absent")["code"] == "namespace_foreign"
    assert cluster.quota(cluster.tenant(limits={"cpu": "600m"}), adopt=True)["code"] == "quota_below_use"
    assert cluster.quota(cluster.tenant(), adopt=True)["changed"]
    assert cluster.quota({**cluster.tenant("other"), "namespace": name})["code"] == "bad_input"
    cluster.made.discard(cluster.name("other"))


def test_a_host_of_a_tenant_that_is_not_named(cluster: Cluster) -> None:
    cluster.quota(cluster.tenant("a"))
    found = cluster.quota(cluster.tenant("b", hosts=[f"{cluster.name('a')}.example.test"]))
    assert found["code"] == "bad_input" and f"the namespace {cluster.name('a')} has it" in found["msg"]


def test_the_rights_that_the_guide_names_are_enough(cluster: Cluster) -> None:
    """And an account with fewer is told which one it lacks."""
    text = (Path(__file__).parents[3] / "docs" / "guides" / "tenants-of-a-cluster.rights.yml").read_text()
    rights = yaml.safe_load(text)
    rights["metadata"]["name"] = cluster.name("rights")
    subject = {"kind": "ServiceAccount", "namespace": "default", "name": cluster.name("operator")}
    binding = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": cluster.name("rights")}, "subjects": [subject],
               "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": cluster.name("rights")}}
    cluster.account("default", subject["name"])
    kubeconfig = str(cluster.directory / f"default-{subject['name']}.json")
    try:
        found = cluster.quota(cluster.tenant(), kubeconfig=kubeconfig)
        assert found["code"] == "cluster_forbidden" and "cannot list resource" in found["msg"] and cluster.api.get("Namespace", None, cluster.name()) is None
        cluster.api.apply(rights)
        cluster.api.apply(binding)
        assert cluster.quota(cluster.tenant(), kubeconfig=kubeconfig)["changed"] and not cluster.quota(cluster.tenant(), kubeconfig=kubeconfig)["changed"]
        assert info(kubeconfig=kubeconfig, names=[cluster.name()])["tenants"][0]["confined"]
        assert cluster.quota(cluster.tenant(), kubeconfig=kubeconfig, state="absent", timeout=120)["changed"]
    finally:
        cluster.api.delete("ClusterRoleBinding", None, cluster.name("rights"))
        cluster.api.delete("ClusterRole", None, cluster.name("rights"))
        cluster.api.delete("ServiceAccount", "default", subject["name"])


def test_a_context_that_is_none(cluster: Cluster) -> None:
    found = cluster.quota(cluster.tenant(), context="nowhere")
    assert found["code"] == "bad_input" and "nowhere" in found["msg"]


def test_one_that_cannot_be_made_hides_nothing(cluster: Cluster) -> None:
    """A tenant whose namespace is being removed is named, with all that was not begun for it; the others are wholly made."""
    cluster.quota(cluster.tenant("a"))
    name = cluster.name("a")
    cluster.api.call("PATCH", f"/api/v1/namespaces/{name}/resourcequotas/share", {"fieldManager": "x"}, {"metadata": {"finalizers": ["example.test/held"]}},
                     "application/merge-patch+json")
    cluster.api.delete("Namespace", None, name)
    try:
        found = cluster.quota(cluster.tenant("a", egress=[{"name": "way", "cidr": "198.51.100.0/24", "kinds": ["web"]}]), cluster.tenant("b"))
        assert found["code"] == "namespace_terminating" and found["details"]["tenants"] == [name]
        assert not cluster.quota(cluster.tenant("b"))["changed"]
        left = cluster.quota(cluster.tenant("a"), state="absent", timeout=1)
        assert left["residue"]["namespaces"] == [name]
    finally:
        cluster.api.call("PATCH", f"/api/v1/namespaces/{name}/resourcequotas/share", {"fieldManager": "x"}, {"metadata": {"finalizers": None}},
                         "application/merge-patch+json")


def test_absent(cluster: Cluster) -> None:
    tenants = [cluster.tenant("a"), cluster.tenant("b")]
    cluster.quota(*tenants)
    cluster.api.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": tenants[0]["name"]}, "spec": {
        "accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}})
    found = cluster.quota(*tenants, state="absent")
    assert found["code"] == "holds_data" and "claim data" in found["msg"] and found["details"]["tenants"] == [tenants[0]["name"]]
    assert cluster.api.get("Namespace", None, tenants[1]["name"]), "nothing was changed"
    assert cluster.quota(tenants[1], state="absent")["changed"]
    planned = cluster.quota(tenants[0], state="absent", purge=[tenants[0]["name"]], _ansible_check_mode=True)
    assert planned["plan"]["before"] == {tenants[0]["name"]: {"claims": ["data"], "pods": []}}
    gone = cluster.quota(tenants[0], state="absent", purge=[tenants[0]["name"]])
    assert gone["changed"] and gone["residue"] == {"namespaces": [], "volumes": []}
    assert not cluster.quota(*tenants, state="absent")["changed"]


def test_information(cluster: Cluster) -> None:
    cluster.quota(cluster.tenant("a"), cluster.tenant("b", profile="dedicated"))
    found = info(names=[cluster.name("a"), cluster.name("b")])
    assert [(one["name"], one["profile"], one["isolation"], one["pool"]) for one in found["tenants"]] == [
        (cluster.name("a"), "small", "shared", ""), (cluster.name("b"), "dedicated", "dedicated", cluster.name("b"))]
    assert found["tenants"][0]["confined"] and found["noisy"] == [] and {"pool", "cpu", "memory"} == found["nodes"][0].keys()
    item = pod(cluster.name("a"), nodeSelector={"no.such/node": "x"})
    item["spec"]["containers"][0]["resources"] = {"requests": {"cpu": "950m"}}
    cluster.api.create(item)
    full = info(names=[cluster.name("a")])
    assert full["tenants"][0]["fullest"] == {"limit": "requests.cpu", "used": 0.95} and not full["tenants"][0]["second_colour"]["fits"]
    assert {"name": cluster.name("a"), "by": "requests.cpu", "uses": "950m", "of": "1", "is": "enforced"} in full["noisy"]
    assert info(names=["nobody"])["code"] == "bad_input"
