# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From an inventory's instances in a cluster to what its modules take."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.filter.cluster_parts import homes_elsewhere, instances_in, tenants_of
from ansible_collections.sysgenpro.odoo.plugins.filter.instances import instance_values

ACME: dict[str, Any] = {
    "inventory_hostname": "acme-production", "instance_cluster": "k8s-eu-1", "instance_tenant": "acme", "instance_environment": "production",
    "instance_data_class": "production", "instance_hosts": ["shop.example.test"], "instance_release": "registry.example.test/odoo@sha256:1",
    "instance_toolbox_image": "registry.example.test/toolbox@sha256:2", "instance_authorities": {"database": "PEM"},
    "instance_database_server": {"host": "db.example.test", "admin_password": "s3cret"}, "instance_session_server": {"host": "redis.example.test", "password": "x"}}


def inventory(**instances: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    hosts = {name.replace("_", "-"): {**ACME, "inventory_hostname": name.replace("_", "-"), **changes} for name, changes in instances.items()}
    return hosts, {"instances": list(hosts)}


def test_what_follows_from_an_instance_in_a_cluster() -> None:
    values = instance_values(ACME)
    assert (values["runtime"], values["cluster"], values["namespace"], values["uid"]) == ("kubernetes", "k8s-eu-1", "acme-production", 20000)
    assert values["database"] == {"name": "acme_production", "port": 5432, "host": "db.example.test", "ca_path": "/etc/sysgenpro/toolbox/database.crt"}
    assert values["session"] == {"host": "redis.example.test"} and "s3cret" not in str(values)
    assert "number" not in values and "subnet" not in values


@pytest.mark.parametrize(("changes", "said"), [
    ({"instance_machine": "vm-1"}, "instance_machine and instance_cluster are both given"),
    ({"instance_namespace": "Not_A_Label"}, "instance_namespace"),
    ({"instance_database_server": None}, "instance_database_server is missing"),
    ({"instance_session_server": {"port": 6379}}, "instance_session_server"),
    ({"instance_tenant": ""}, "instance_tenant"),
])
def test_what_is_wrong_is_named(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=said):
        instance_values({**ACME, **changes})


@pytest.mark.parametrize(("second", "said"), [
    ({"instance_hosts": ["other.example.test"], "instance_namespace": "acme"}, "instance_namespace acme is taken by acme"),
    ({}, "instance_hosts shop.example.test is taken by acme"),
    ({"instance_hosts": [], "instance_database": "acme"}, "instance_database db.example.test:5432/acme is taken by acme"),
])
def test_two_have_nothing_in_common(second: dict[str, Any], said: str) -> None:
    hosts, groups = inventory(acme={}, bodega=second)
    with pytest.raises(AnsibleFilterError, match=said):
        instances_in(hosts, "k8s-eu-1", groups)


def test_another_cluster_s_are_none_of_its() -> None:
    hosts, groups = inventory(acme={}, bodega={"instance_cluster": "k8s-us-1"})
    assert [values["name"] for values in instances_in(hosts, "k8s-eu-1", groups)] == ["acme"]


def test_a_tenant_s_images_come_from_where_its_release_and_its_toolbox_do() -> None:
    hosts, groups = inventory(acme={"instance_share_of_cluster": {"profile": "large", "registries": ["mirror.example.test/x"]}}, bodega={
        "instance_hosts": [], "instance_release": "r3"})
    one, other = tenants_of(instances_in(hosts, "k8s-eu-1", groups), hosts)
    assert one == {"name": "acme", "namespace": "acme", "hosts": ["shop.example.test"], "profile": "large", "registries": [
        "mirror.example.test/x", "registry.example.test/odoo", "registry.example.test/toolbox"]}
    assert (other["profile"], other["registries"]) == ("small", ["registry.example.test/toolbox"])


@pytest.mark.parametrize(("variables", "said"), [
    ({"instance_cluster": "k8s-eu-1"}, []), ({"instance_cluster": "k8s-eu-2"}, ["acme-production runs in k8s-eu-1, and the inventory has it on k8s-eu-2."]),
    ({"instance_machine": "vm-1"}, ["acme-production runs in k8s-eu-1, and the inventory has it on vm-1."])])
def test_what_the_inventory_has_elsewhere_is_named(variables: dict[str, str], said: list[str]) -> None:
    hosts = {"acme-production": variables, "bodega-production": {"instance_cluster": "k8s-eu-2"}}
    tenants = [{"name": "acme-production"}, {"name": "of-nobody-here"}]
    assert homes_elsewhere(tenants, hosts, "k8s-eu-1", {"instances": list(hosts)}) == said
