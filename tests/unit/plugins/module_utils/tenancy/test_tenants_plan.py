# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is compared, what is refused by how the cluster is, and what is told."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy import (
    admission,
    compare,
    io,
    model,
    network,
    plan,
    render,
    shares,
)

EDGE, GROUND = network.Edge("traefik"), network.Ground((("192.0.2.1", 6443),))


def tenant(**more: Any) -> model.Tenant:
    return model.parse_tenants([{"name": "acme", "profile": "small", "database": {"address": "192.0.2.10"}, "ci": {"service_accounts": ["ci"]}, **more}])[0]


def rendered(*tenants: model.Tenant) -> list[dict[str, Any]]:
    return [*admission.cluster_objects(render.TENANCY), *(item for each in tenants for item in render.tenant_objects(each, EDGE, GROUND))]


def world(*tenants: model.Tenant, nodes: Any = (), running: Any = None) -> plan.Observed:
    """A cluster that has what is rendered, as it would give it back."""
    objects = copy.deepcopy(rendered(*tenants))
    return plan.Observed({plan.key_of(item): item for item in objects if item["kind"] != "Namespace"},
                         {item["metadata"]["name"]: item for item in objects if item["kind"] == "Namespace"}, nodes, running or {})


def said(found: list[plan.Change]) -> list[str]:
    return [("-" if change.item is None else "+" if change.new else "~") + change.said for change in found]


def node(cpu: str = "2", memory: str = "8Gi", pool: str = "", **spec: Any) -> dict[str, Any]:
    labels = {"org.sysgenpro/pool": pool} if pool else {}
    return {"kind": "Node", "metadata": {"name": "n", "labels": labels}, "spec": spec, "status": {"allocatable": {"cpu": cpu, "memory": memory}}}


def test_first_then_nothing_then_only_what_differs() -> None:
    one = tenant()
    everything = plan.changes(rendered(one), plan.Observed({}, {}), ["acme"])
    assert len(everything) == len(rendered(one)) and all(change.new for change in everything)
    assert plan.changes(rendered(one), world(one), ["acme"]) == []
    more = tenant(limits={"pods": 30})
    assert said(plan.changes(rendered(more), world(one), ["acme"])) == ["~ResourceQuota acme/share"]


def test_what_is_no_more_rendered_goes_and_others_stay() -> None:
    one, other = tenant(), model.parse_tenants([{"name": "bodega", "profile": "small"}])[0]
    found = plan.changes(rendered(tenant(ci={})), world(one, other), ["acme"])
    assert said(found) == ["-Role acme/tenant-view", "-RoleBinding acme/tenant-view", "-Role acme/tenant-deploy", "-RoleBinding acme/tenant-deploy"]


@pytest.mark.parametrize(("wanted", "found", "fields"), [
    ({"spec": {"hard": {"cpu": "1000m"}}}, {"spec": {"hard": {"cpu": "1"}}}, []),
    ({"spec": {"hard": {"cpu": "1024Mi"}}}, {"spec": {"hard": {"cpu": "1Gi"}}}, []),
    ({"spec": {"hard": {"cpu": "1"}}}, {"spec": {"hard": {"cpu": "2"}}}, ["spec.hard.cpu"]),
    ({"spec": {"hard": {"cpu": "1"}}}, {"spec": {"hard": {"pods": "2"}}}, ["spec.hard.cpu"]),
    ({"spec": {"hard": {"cpu": "1"}}}, {}, ["spec"]),
    ({"metadata": {"labels": {"a": "1000m"}}}, {"metadata": {"labels": {"a": "1"}}}, ["metadata.labels.a"]),
    ({"metadata": {"labels": {"a": ""}}}, {"metadata": {"labels": {"b": "1"}}}, []),
    ({"spec": {"open": False, "list": [], "map": {}}}, {"spec": {}}, []),
    ({"spec": {"list": [{"a": 1}]}}, {"spec": {"list": [{"a": 1, "more": 2}]}}, ["spec.list"]),
    ({"spec": {"selector": {}}}, {"spec": {"selector": {"matchLabels": {"a": "b"}}}}, ["spec.selector.matchLabels"]),
    ({"spec": {"a": 1}}, {"spec": {"a": 1, "egress": [{}]}}, ["spec.egress"]), ({"spec": {"a": 1}}, {"spec": {"a": 1, "egress": []}}, []),
    ({"spec": {"hard": {"cpu": "1"}}}, {"spec": {"hard": {"cpu": "1", "pods": "2"}}}, []), ({"metadata": {"a": 1}}, {"metadata": {"a": 1, "b": 2}}, []),
    ({}, {"spec": {"a": 1}}, []),
    ({"spec": {"list": [{"a": 1}]}}, {"spec": {"list": [{"a": 1}, {"a": 2}]}}, ["spec.list"]),
    ({"spec": {"list": [{"a": 1}]}}, {"spec": {"list": [{"a": 3}]}}, ["spec.list"]),
    ({"spec": {"list": ["a"]}}, {"spec": {"list": "a"}}, ["spec.list"]),
])
def test_compared(wanted: dict[str, Any], found: dict[str, Any], fields: list[str]) -> None:
    there = {"kind": "ResourceQuota", "metadata": {}, **found}
    assert [each.field for each in compare.differences({"kind": "ResourceQuota", **wanted}, there)] == fields


def test_quantities_of_a_limit_range_are_numbers_too() -> None:
    wanted = {"kind": "LimitRange", "spec": {"limits": [{"type": "Container", "default": {"memory": "1024Mi"}}]}}
    there = {"kind": "LimitRange", "metadata": {}, "spec": {"limits": [{"type": "Container", "default": {"memory": "1Gi"}}]}}
    assert compare.differences(wanted, there) == []
    there["spec"] = {"limits": [{"type": "Container", "default": {"memory": "2Gi"}}]}
    assert [each.field for each in compare.differences(wanted, there)] == ["spec.limits"]


@pytest.mark.parametrize(("owned", "managers"), [
    ({"f:spec": {"f:hard": {"f:pods": {}}}}, ("kubectl-edit",)), ({"f:spec": {"f:hard": {"f:cpu": {}}}}, ()), ({"f:spec": {}}, ("kubectl-edit",)),
    ({"f:metadata": {"f:labels": {"f:a": {}}}}, ())])
def test_who_else_manages_a_field(owned: dict[str, Any], managers: tuple[str, ...]) -> None:
    there = {"kind": "ResourceQuota", "metadata": {"managedFields": [{"manager": "kubectl-edit", "fieldsV1": owned},
                                                                         {"manager": "sysgenpro", "fieldsV1": {"f:spec": {}}},
                                            {"manager": "kube-controller-manager", "subresource": "status", "fieldsV1": {"f:spec": {}}}]},
             "spec": {"hard": {"pods": "50"}}}
    found = compare.differences({"kind": "ResourceQuota", "spec": {"hard": {"pods": "24"}}}, there)
    assert [(each.field, each.managers) for each in found] == [("spec.hard.pods", managers)]


@pytest.mark.parametrize(("manager", "fields"), [("sysgenpro", ["spec.hard.limits.cpu"]), ("somebody", [])])
def test_a_bound_that_is_no_more_wanted(manager: str, fields: list[str]) -> None:
    there = {"kind": "ResourceQuota", "metadata": {"managedFields": [{"manager": manager, "fieldsV1": {"f:spec": {"f:hard": {"f:limits.cpu": {}}}}}]},
             "spec": {"hard": {"pods": "24", "limits.cpu": "4"}}}
    assert [each.field for each in compare.differences({"kind": "ResourceQuota", "spec": {"hard": {"pods": "24"}}}, there)] == fields


def test_drift_of_one_keeps_back_nobody_else() -> None:
    one, other = tenant(), model.parse_tenants([{"name": "bodega", "profile": "small"}])[0]
    seen = world(one)
    quota = seen.objects["ResourceQuota", "acme", "share"]
    quota["spec"]["hard"]["pods"] = "50"  # type: ignore[index]
    quota["metadata"]["managedFields"] = [{"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:hard": {"f:pods": {}}}}}]
    found = plan.changes(rendered(one, other), seen, ["acme", "bodega"])
    made, refused = plan.possible([one, other], found, seen, force=False)
    assert {change.key[1] or change.key[2] for change in made} == {"bodega"}
    assert [(error.code, error.details["tenants"]) for error in refused] == [("drifted", ["acme"])]
    assert plan.possible([one, other], found, seen, force=True) == (found, [])
    seen.namespaces["acme"]["metadata"]["deletionTimestamp"] = "now"
    made, refused = plan.possible([one, other], found, seen, force=False)
    assert [error.code for error in refused] == ["namespace_terminating"] and plan.refusal(refused, "x").details["tenants"] == ["acme"]


@pytest.mark.parametrize(("nodes", "most", "message"), [
    ([node("2", "16Gi")], 1, ""), ([node("2", "8Gi")], 1, "memory of the shared nodes: tenants may ask for 12.0 GiB, nodes have 8.0 GiB x 1 = 8.0 GiB"),
    ([node("2", "8Gi")], 1.5, ""), ([node("2", "8Gi")], 0, ""), ([], 1, "cpu of the shared nodes: tenants may ask for 1, nodes have 0 x 1 = 0"),
    ([node("2", "16Gi", unschedulable=True)], 1, "nodes have 0"),
    ([node("2", "16Gi", taints=[{"key": "node-role", "effect": "NoSchedule"}])], 1, "nodes have 0"),
    ([node("2", "16Gi", taints=[{"key": "soft", "effect": "PreferNoSchedule"}])], 1, ""), ([node("2", "16Gi", pool="acme")], 1, "nodes have 0")])
def test_overcommitted(nodes: list[Any], most: float, message: str) -> None:
    one = tenant()
    seen = plan.Observed({}, {}, nodes)
    if not message:
        plan.check_commitment([one], seen, {"cpu": most, "memory": most})
        return
    with pytest.raises(DomainError) as caught:
        plan.check_commitment([one], seen, {"cpu": most, "memory": most})
    assert caught.value.code == "overcommitted" and message in caught.value.message


def test_tenants_that_are_not_named_count_by_pool() -> None:
    one, pooled = tenant(), model.parse_tenants([{"name": "bank", "profile": "regulated"}])[0]
    found = plan.commitment([one], world(one, pooled, nodes=[node(), node(pool="bank", taints=[{"key": "org.sysgenpro/pool", "effect": "NoSchedule"}])]))
    assert {pool: (each["asked"]["cpu"], each["there"]["cpu"]) for pool, each in found.items()} == {"": (1, 2), "bank": (8, 2)}


def test_only_what_grows_is_weighed() -> None:
    less, more = tenant(), tenant(limits={"cpu": "2"})
    assert plan.grows(plan.changes(rendered(more), world(less), ["acme"])) and not plan.grows(plan.changes(rendered(less), world(more), ["acme"]))
    assert plan.grows(plan.changes(rendered(less), plan.Observed({}, {}), ["acme"])) and not plan.grows([])


def test_a_share_below_what_runs() -> None:
    one, less = tenant(), tenant(limits={"cpu": "600m"})
    seen = world(one)
    seen.objects["ResourceQuota", "acme", "share"]["status"] = {"used": {"requests.cpu": "700m", "pods": "3"}}  # type: ignore[index]
    found = plan.changes(rendered(less), seen, ["acme"])
    with pytest.raises(DomainError, match=r"acme: requests.cpu 600m, and 0.7 are used"):
        plan.check_world([less], found, seen, adopt=False)
    plan.check_world([one], plan.changes(rendered(one), seen, ["acme"]), seen, adopt=False)


def test_what_pods_ask_for() -> None:
    pods = [{"metadata": {"namespace": "acme"}, "spec": {
        "containers": [{"resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}}}, {}],
        "initContainers": [{"resources": {"requests": {"cpu": "4"}}}, {"restartPolicy": "Always", "resources": {"requests": {"cpu": "5m"}}}]}},
        {"metadata": {"namespace": "acme"}, "spec": {"containers": []}, "status": {"phase": "Succeeded"}},
        {"metadata": {"namespace": "b"}, "spec": {"containers": []}}]
    assert io.requests(pods, {"acme"}) == {"acme": {"pods": 1, "requests.cpu": Decimal("0.505"), "limits.memory": 2 ** 30}}


def test_places_that_are_confined_reach_their_database_and_to_show_themselves_their_sessions() -> None:
    one = tenant(redis={"address": "192.0.2.11"}, egress=[{"name": "all", "cidr": "0.0.0.0/0"},
                                                          {"name": "mail", "cidr": "192.0.2.0/24", "ports": [25], "kinds": ["cron"]}])
    for item in network.policies(one, EDGE, GROUND, {}):
        spec = item["spec"]
        pods = spec["podSelector"]
        opens = [peer for rule in spec.get("egress", ()) for peer in rule["to"]]
        if pods == {}:
            assert opens == [{"ipBlock": {"cidr": "192.0.2.10/32"}}] and spec["policyTypes"] == ["Ingress", "Egress"]
        elif pods == {"matchLabels": {"org.sysgenpro/reach": "aside"}}:
            assert opens == [{"ipBlock": {"cidr": "192.0.2.11/32"}}]
        elif opens and item["metadata"]["name"] != "toolbox":
            assert {"key": "org.sysgenpro/reach", "operator": "NotIn", "values": ["aside", "database"]} in pods["matchExpressions"]


def test_a_database_in_the_tenants_own_namespace_lets_it_in() -> None:
    one = tenant(database={"pods": {"app": "postgresql"}})
    found = {item["metadata"]["name"]: item["spec"] for item in network.policies(one, EDGE, GROUND, {})}
    assert found["into-database"]["podSelector"] == {"matchLabels": {"app": "postgresql"}} and found["into-database"]["ingress"][0]["ports"][0]["port"] == 5432


@pytest.mark.parametrize(("used", "fits"), [({}, True), ({"requests.cpu": "750m"}, True), ({"requests.cpu": "751m"}, False),
                                             ({"requests.memory": "9Gi"}, False)])
def test_room_for_a_second_colour(used: dict[str, str], fits: bool) -> None:
    quota = render.quota(tenant())
    assert shares.second_colour(quota["metadata"]["annotations"], quota["spec"]["hard"], used)["fits"] is fits


def test_every_limit_says_whether_it_holds() -> None:
    kinds = shares.kinds_of_limit(network_proven=True)
    assert set(render.hard(tenant(limits={"cpu_limit": "4"}))) <= set(kinds)
    assert kinds["network"] == "enforced" and shares.kinds_of_limit(False)["network"] == "advisory"
