# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What follows from an instance's variables."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.filter.instances import instance_values, instances_on
from ansible_collections.sysgenpro.odoo.plugins.filter.machine_parts import (
    clusters_of,
    machine_tenants_of,
    routes_of,
    session_stores_of,
)
from ansible_collections.sysgenpro.odoo.plugins.filter.release_reference import release_reference

VARIABLES = {
    "inventory_hostname": "acme-production",
    "instance_machine": "vm-prod-1",
    "instance_number": 1,
    "instance_tenant": "acme",
    "instance_environment": "production",
    "instance_data_class": "production",
    "instance_hosts": ["shop.example.test"],
}
DIGEST = "registry.example.test:5000/odoo@sha256:" + "ab" * 32


def test_values_are_those_of_the_architecture():
    values = instance_values(VARIABLES)
    assert values["subnet"] == "172.28.1.0/24"
    assert values["dynamic"] == "172.28.1.128/25"
    assert (values["gateway"], values["front"], values["pages"]) == ("172.28.1.1", "172.28.1.2", "172.28.0.2:8069")
    assert values["addresses"] == {
        "blue_web": "172.28.1.11", "blue_cron": "172.28.1.12", "blue_queue": "172.28.1.13",
        "green_web": "172.28.1.21", "green_cron": "172.28.1.22", "green_queue": "172.28.1.23",
        "update": "172.28.1.31", "rehearsal": "172.28.1.41",
    }
    assert values["database"] == {
        "name": "acme_production", "port": 5501, "socket": "/run/sysgenpro/acme-production/postgresql"}
    assert (values["uid"], values["bridge"], values["mail_outside"]) == (20001, "sgp1", True)


def test_another_subnet_moves_all_addresses():
    values = instance_values({**VARIABLES, "machine_subnet": "10.20.0.0/16", "instance_number": 250})
    assert (values["subnet"], values["front"], values["pages"]) == ("10.20.250.0/24", "10.20.250.2", "10.20.0.2:8069")


def test_lower_environments_keep_their_mail_in():
    assert not instance_values({**VARIABLES, "instance_environment": "uat"})["mail_outside"]


@pytest.mark.parametrize(("change", "named"), [
    ({"instance_number": 0}, "instance_number"),
    ({"instance_number": 251}, "instance_number"),
    ({"instance_number": True}, "instance_number"),
    ({"instance_number": "one"}, "instance_number"),
    ({"instance_number": None}, "instance_number is missing"),
    ({"instance_tenant": ""}, "instance_tenant is missing"),
    ({"instance_machine": None}, "instance_machine is missing"),
    ({"instance_environment": None}, "instance_environment is missing"),
    ({"instance_data_class": "real"}, "instance_data_class"),
    ({"instance_exposure": "open"}, "instance_exposure"),
    ({"instance_hosts": "shop.example.test"}, "instance_hosts"),
    ({"instance_database": "Acme"}, "instance_database"),
    ({"instance_database": "a" * 49}, "instance_database"),
    ({"machine_subnet": "172.28.0.0/24"}, "machine_subnet"),
    ({"machine_subnet": "here"}, "machine_subnet"),
    ({"inventory_hostname": "Acme_production"}, "expected a name"),
])
def test_what_is_wrong_is_named(change, named):
    with pytest.raises(AnsibleFilterError, match=named):
        instance_values({**VARIABLES, **change})


def _two(**second):
    other = {**VARIABLES, "inventory_hostname": "bodega-production", "instance_number": 2, "instance_tenant": "bodega",
             "instance_hosts": ["bodega.example.test"], **second}
    return {"acme-production": VARIABLES, "bodega-production": other, "vm-prod-1": {}}


GROUPS = {"instances": ["bodega-production", "acme-production"]}


def test_a_machine_knows_all_its_instances_by_number():
    found = instances_on(_two(), "vm-prod-1", GROUPS)
    assert [values["name"] for values in found] == ["acme-production", "bodega-production"]
    assert instances_on(_two(), "vm-uat-1", GROUPS) == []
    assert len(instances_on(_two(), "vm-prod-1", {**GROUPS, "on_vm_prod_1": ["acme-production"]})) == 1


@pytest.mark.parametrize("second", [
    {"instance_number": 1},
    {"instance_database": "acme_production"},
    {"instance_hosts": ["other.example.test", "shop.example.test"]},
])
def test_what_two_instances_share_is_refused(second):
    with pytest.raises(AnsibleFilterError, match="is taken by acme-production on vm-prod-1"):
        instances_on(_two(**second), "vm-prod-1", GROUPS)


def test_roles_get_what_they_take():
    instances = instances_on(_two(instance_postgresql={"settings": {"work_mem": "8MB"}}), "vm-prod-1", GROUPS)
    secrets = {name: {**{f"database_{login}": f"{login} {{{{ x }}}}" for login in
                         ("blue_web", "blue_cron", "green_web", "green_cron", "update")}, "session": "s"}
               for name in ("acme-production", "bodega-production")}
    clusters = clusters_of(instances, secrets)
    assert clusters[0]["passwords"]["update"] == "update {{ x }}"
    assert clusters[1]["settings"] == {"work_mem": "8MB"}
    assert session_stores_of(instances, secrets)[1] == {"instance": "bodega-production", "number": 2, "password": "s"}
    hostvars = _two(instance_tls={"resolver": "acme"}, instance_route={"hsts": 0})
    hostvars["acme-production"] = {**VARIABLES, "instance_tls": {"certificate": "c", "private_key": "k"}}
    routes = routes_of(instances, hostvars)
    assert routes[0]["front"] == "172.28.1.2" and routes[0]["tls"] == {"certificate": "c", "private_key": "k"}
    assert routes[1]["hsts"] == 0
    with pytest.raises(AnsibleFilterError, match="bodega-production: instance_tls is missing"):
        routes_of(instances, {**hostvars, "bodega-production": _two()["bodega-production"]})


def test_a_release_is_named_by_digest_or_short_name():
    assert release_reference(DIGEST) == DIGEST
    assert release_reference("r1", {"r1": DIGEST}) == DIGEST


@pytest.mark.parametrize(("value", "names", "said"), [
    ("registry.example.test:5000/odoo:19.0", {}, "a tag may stand for another image"),
    ("registry.example.test:5000/odoo@sha256:abc", {}, "expected a reference by digest"),
    ("r9", {"r1": DIGEST, "r2": DIGEST}, "one of r1, r2"),
    ("r1", {"r1": "odoo:latest"}, "r1 stands for 'odoo:latest'"),
    ("", {}, "no names known yet"),
    (None, None, "no names known yet"),
])
def test_other_names_are_refused(value, names, said):
    with pytest.raises(AnsibleFilterError, match=said):
        release_reference(value, names)


class Unreadable(dict):
    """As Ansible's: what a variable looks up fails when it is read."""

    def items(self):
        raise ValueError("The lookup plugin 'file' failed:\n  no such file")


def test_a_certificate_that_the_controller_cannot_read_is_its_instances_trouble():
    hostvars = _two()
    hostvars["acme-production"]["instance_tls"] = Unreadable(certificate="x")
    hostvars["bodega-production"]["instance_tls"] = {"resolver": "le"}
    found = {route["name"]: route["tls"] for route in routes_of(instances_on(hostvars, "vm-prod-1", GROUPS), hostvars)}
    assert found.pop("bodega-production") == {"resolver": "le"}
    assert [tls["unavailable"] for tls in found.values()] == ["The lookup plugin 'file' failed: no such file"]


def test_a_share_of_the_machine_sizes_everything():
    values = instance_values({**VARIABLES, "instance_share_of_machine": {"profile": "medium", "limits": {"connections": 300}},
                              "instance_processes": {"cron_memory": "1g", "db_maxconn": 6}, "instance_workers": 4})
    assert values["processes"] == {"web_memory": "5120m", "cron_memory": "1g", "queue_memory": "2048m", "db_maxconn": 6}
    secrets = {"acme-production": {f"database_{login}": "x" for login in ("blue_web", "blue_cron", "green_web", "green_cron", "update")}}
    cluster = clusters_of([values], secrets)[0]
    assert (cluster["memory"], cluster["cores"], cluster["connections"], "share" in cluster) == (6144, 4.0, 300, False)
    assert machine_tenants_of([values, instance_values(VARIABLES)]) == [{
        "name": "acme-production", "profile": "medium", "limits": {"connections": 300}, "pool": None, "processes": {"web_workers": 4, "db_maxconn": 6}}]
    assert machine_tenants_of([instance_values({**VARIABLES, "instance_share_of_machine": {"profile": "dedicated"}})])[0]["pool"] == "acme"
    assert all(type(value) in (int, float) for value in values["limits"].values())


@pytest.mark.parametrize(("change", "said"), [
    ({"instance_share_of_machine": {"profile": "huge"}}, "expected profile, one of small, medium"),
    ({"instance_share_of_machine": {"size": "small"}}, "expected profile, one of small, medium"),
    ({"instance_share_of_machine": "small"}, "expected profile, one of small, medium"),
    ({"instance_share_of_machine": {"profile": "small", "limits": {"wal": "much"}}}, "limits.wal is 'much', expected a quantity"),
    ({"instance_share_of_machine": {"profile": "small"}, "instance_processes": {"web_memory": "3g"}},
     "instance_processes.web_memory is 3g, expected at most the 2048m of its share"),
])
def test_a_share_that_cannot_be(change, said):
    with pytest.raises(AnsibleFilterError, match=said):
        instance_values({**VARIABLES, **change})
