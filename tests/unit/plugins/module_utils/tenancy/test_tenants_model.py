# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check of a tenant's parameters, and what a profile makes of none."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.quantities import parse
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy import model
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.profiles import PROFILES

OWN = {"cpu": "2", "memory": "8Gi", "ephemeral": "8Gi", "storage": "8Gi", "colour_cpu": "1", "colour_memory": "4Gi", "claims": 1, "pods": 10}


def tenant(**more: Any) -> dict[str, Any]:
    return {"name": "acme-production", "profile": "small", **more}


@pytest.mark.parametrize(("value", "field", "said"), [
    (tenant(name="Acme"), "tenants[0].name", "lower-case"), (tenant(name="a" * 41), "tenants[0].name", "at most 40"),
    (tenant(name="acme-"), "tenants[0].name", ""),
    (tenant(namespace="acme.production"), ".namespace", "a DNS label of at most 53"), (tenant(namespace="a" * 54), ".namespace", "at most 53"),
    (tenant(namespace="kube-system"), ".namespace", "the cluster's own"), (tenant(namespace="default"), ".namespace", "the cluster's own"),
    (tenant(profile="huge"), ".profile", "one of small, medium, large, dedicated, regulated"),
    (tenant(profile="regulated", isolation="shared"), ".isolation", "as its profile regulated promises"),
    (tenant(isolation="mine"), ".isolation", "one of shared"),
    (tenant(pool="x"), ".pool", "no pool with isolation shared"), (tenant(isolation="dedicated", pool="X"), ".pool", "a DNS label"),
    ({"name": "acme"}, ".limits.cpu", "a profile that has one"), (tenant(limits={"cpu": "2 cores"}), ".limits.cpu", "a quantity"),
    (tenant(limits={"memory": "12GiB"}), ".limits.memory", "a quantity"), (tenant(limits={"cpu": "0"}), ".limits.cpu", "above 0"),
    (tenant(limits={"cpu": "-1"}), ".limits.cpu", "above 0"), (tenant(limits={"pods": -1}), ".limits.pods", "a count"),
    (tenant(limits={"memory": "4Gi"}), ".limits.memory", "at least twice what a colour asks for"),
    (tenant(registries=["https://registry"]), ".registries", "a registry"), (tenant(registries=["r/"]), ".registries", "a registry"),
    (tenant(registries=["a,b"]), ".registries", "a registry"), (tenant(hosts=["*.example.test"]), ".hosts", "a host name"),
    (tenant(hosts=["Shop.example.test"]), ".hosts", "a host name"), (tenant(hosts=["a.test,b.test"]), ".hosts", "a host name"),
    (tenant(services=["ClusterIP"]), ".services", "some of NodePort"),
    (tenant(hosts=["a.example.test"]), ".database", "what is not allowed is denied"),
    (tenant(database={"address": "db.example.test"}), ".database.address", "a network policy knows no names"),
    (tenant(database={"address": "10.0.0.1/8"}), ".database.address", "whose host bits are 0"),
    (tenant(database={"address": "10.0.0.1", "pods": {"app": "x"}}), ".database", "either address"),
    (tenant(database={"ports": [5432]}), ".database", "either address"),
    (tenant(database={"address": "10.0.0.1", "ports": [0]}), ".database.ports", "a port"),
    (tenant(redis={"pods": {"app": "a b"}}), ".redis.pods.app", "a label"),
    (tenant(egress=[{"name": "x", "cidr": "all"}]), ".egress[0].cidr", "a network"),
    (tenant(egress=[{"name": "X", "cidr": "10.0.0.0/8"}]), ".egress[0].name", "a DNS label"),
    (tenant(egress=[{"name": "x", "cidr": "10.0.0.0/8", "except": ["192.0.2.0/24"]}]), ".egress[0].except", "inside of 10.0.0.0/8"),
    (tenant(egress=[{"name": "x", "cidr": "10.0.0.0/8", "except": ["2001:db8::/32"]}]), ".egress[0].except", "inside of 10.0.0.0/8"),
    (tenant(egress=[{"name": "x", "cidr": "10.0.0.0/8", "ports": [70000]}]), ".egress[0].ports", "a port"),
    (tenant(database={"address": "10.1.2.3"}, egress=[{"name": "x", "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}]), ".egress",
    "not to except its own database"),
    (tenant(database={"address": "10.1.2.3"}, egress=[{"name": "x", "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"], "ports": [5432]}]), ".egress",
    "its own database"),
    (tenant(profile="regulated", egress=[{"name": "x", "cidr": "0.0.0.0/0"}]), ".egress", "no way out to everywhere"),
    (tenant(people={"groups": ["system:authenticated"]}), ".people", "none of the cluster's own"),
    (tenant(ci={"users": ["a b"]}), ".ci.users", "without blanks"),
    (tenant(ci={"service_accounts": ["a:b:c"]}), ".ci.service_accounts", "a service account"),
])
def test_bad_input(value: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(DomainError) as caught:
        model.parse_tenants([value])
    assert caught.value.code == "bad_input" and said in caught.value.message and caught.value.unchanged == "Nothing was changed"
    assert caught.value.message.startswith(field if field.startswith("tenants") else f"tenants[{value['name']}]{field} is ")


@pytest.mark.parametrize(("more", "field"), [
    ({"name": "acme-production", "namespace": "other"}, "name"), ({"namespace": "acme-production"}, "namespace"), ({"hosts": ["a.example.test"]}, "hosts"),
    ({"database": {"namespace": "acme-production", "pods": {"app": "x"}}}, "database.namespace"),
    ({"ci": {"service_accounts": ["acme-production:ci"]}}, "ci.service_accounts")])
def test_two_tenants(more: dict[str, Any], field: str) -> None:
    database = {"address": "10.0.0.1"}
    with pytest.raises(DomainError) as caught:
        model.parse_tenants([tenant(hosts=["a.example.test"], database=database), {**tenant(name="bodega-production", database=database), **more}])
    assert caught.value.code == "bad_input" and f".{field} is " in caught.value.message and "acme-production" in caught.value.message


def test_an_exception_for_another_port_bars_nothing() -> None:
    way = {"name": "x", "cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"], "ports": [443]}
    assert model.parse_tenants([tenant(database={"address": "10.1.2.3"}, egress=[way])])[0].egress[0].ports == (443,)


@pytest.mark.parametrize("profile", PROFILES)
def test_a_profile_is_enough_and_holds_two_colours(profile: str) -> None:
    found = model.parse_tenants([{"name": "acme", "profile": profile}])[0]
    for name in ("cpu", "memory"):
        assert parse("", found.limits[name]) > 2 * parse("", found.limits[f"colour_{name}"])
    placement = model.placement(found)
    assert placement["priorityClassName"] == f"sysgenpro-{PROFILES[profile].priority}"
    assert ("nodeSelector" in placement) is (found.isolation != "shared")


def test_limits_without_a_profile() -> None:
    found = model.parse_tenants([{"name": "acme", "limits": OWN}])[0]
    assert found.isolation == "shared" and found.limits["pods"] == "10" and "cpu_limit" not in found.limits
