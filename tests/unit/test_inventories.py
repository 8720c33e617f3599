# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventories that are there to be taken: each is what ``site`` would take, and differs from production only where somebody approved that."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import ansible_collections.sysgenpro.odoo.plugins.filter as filters
import pytest
import yaml

TREE = Path(next(iter(filters.__path__))).parents[4]
PLACE = Path(__file__).resolve().parents[2] / "inventories"
ENVIRONMENTS = sorted(path.name for path in PLACE.iterdir() if (path / "10-hosts.yml").exists())
SHOPS = [name for name in ENVIRONMENTS if name != "ops"]
PRODUCTION = ("production", "dr-validation")
"""Environments that hold production's data."""
WHICH = {"instance_machine", "instance_number", "instance_hosts", "instance_environment", "instance_owner", "instance_criticality", "instance_residency"}
"""Variables that say which instance it is, and for whom."""

# Values as plays of the hosts see them, and for machines what `site` makes of all their instances.
SEE = """
- hosts: all
  gather_facts: false
  vars:
    mine: "{{ hostvars | sysgenpro.odoo.instances_on(inventory_hostname, groups) }}"
    names: "{{ mine | map(attribute='name') | list }}"
    secrets: "{{ dict(names | zip(query('sysgenpro.odoo.secrets', *names))) }}"
    machine:
      names: "{{ names }}"
      routes: "{{ mine | sysgenpro.odoo.routes_of(hostvars) }}"
      recovered: "{{ mine | sysgenpro.odoo.recovery_points_of(hostvars, secrets) | map(attribute='instance') }}"
      clusters: "{{ mine | sysgenpro.odoo.clusters_of(secrets) | map(attribute='instance') }}"
      stores: "{{ mine | sysgenpro.odoo.session_stores_of(secrets) | map(attribute='instance') }}"
      ports: "{{ container_host_firewall_ports | default([]) | map(attribute='port') }}"
    builder: "{{ {'registry': odoo_image_registry, 'name': registry_name} if inventory_hostname in groups.builders | default([]) else {} }}"
    instance:
      values: "{{ hostvars[inventory_hostname] | sysgenpro.odoo.instance_values }}"
      given: "{{ dict(given_names | zip(query('ansible.builtin.vars', *given_names))) }}"
      approved: "{{ approved_differences | default(none) }}"
      registry: "{{ images_registry }}"
      password: "{{ instance_registry.password | length }}"
    # What it is told to trust and to show differs with host and environment alone.
    given_names: "{{ query('ansible.builtin.varnames', '^instance_(?!tls$|registry$)') }}"
  tasks:
    - ansible.builtin.copy:
        dest: "{{ seen }}/{{ inventory_hostname }}.json"
        mode: "0600"
        content: "{{ {'address': ansible_host, 'groups': group_names, 'machine': machine if is_machine else {}, 'builder': builder,
          'instance': {} if is_machine else instance} | to_json }}"
      vars: {is_machine: "{{ 'machines' in group_names }}"}
      delegate_to: localhost
      connection: local
"""


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Mapping[str, Any]]:
    """What was seen of each host, by environment."""
    place = tmp_path_factory.mktemp("inventories")
    (place / "see.yml").write_text(SEE, encoding="utf-8")
    (place / "vault").write_text("of a test\n", encoding="utf-8")
    (place / "ansible.cfg").write_text("[defaults]\n", encoding="utf-8")
    # Secrets that are missing are made: not in anybody's home.
    outer = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    environment = {**outer, "HOME": str(place), "ANSIBLE_COLLECTIONS_PATH": str(TREE), "ANSIBLE_NOCOLOR": "1", "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
                   "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FATAL": "true", "ANSIBLE_PYTHON_INTERPRETER": sys.executable,
                   "ANSIBLE_VAULT_IDENTITY_LIST": ",".join(f"{name}@{place / 'vault'}" for name in ENVIRONMENTS)}

    def see(name: str) -> dict[str, Any]:
        (place / name).mkdir()
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), "-i", str(PLACE / name), "see.yml", "-e", f"seen={place / name}"],
            cwd=place, env={**environment, "ANSIBLE_LOCAL_TEMP": str(place / "tmp" / name)}, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        assert done.returncode == 0, f"{name}: {done.stdout}{done.stderr}"
        return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in (place / name).glob("*.json")}

    with ThreadPoolExecutor(4) as pool:
        return dict(zip(ENVIRONMENTS, pool.map(see, ENVIRONMENTS)))


def instances(hosts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: host["instance"] for name, host in hosts.items() if host["instance"]}


def test_there_is_one_for_each_environment() -> None:
    assert ENVIRONMENTS == ["development", "dr-validation", "ops", "preproduction", "production", "qa", "training", "uat"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_site_would_take_it(estate: Mapping[str, Any], name: str) -> None:
    hosts = estate[name]
    machines = {host: seen["machine"] for host, seen in hosts.items() if seen["machine"]}
    assert machines and sorted(found for machine in machines.values() for found in machine["names"]) == sorted(instances(hosts))
    for machine in machines.values():
        assert 22 in machine["ports"] or not machine["ports"]
        assert [route["name"] for route in machine["routes"]] == machine["clusters"] == machine["stores"] == machine["names"]
        assert machine["recovered"] == [found for found in machine["names"] if hosts[found]["instance"]["given"].get("instance_recovery") is not False]


@pytest.mark.parametrize("name", SHOPS)
def test_an_instance_is_where_its_machine_is_and_of_this_environment(estate: Mapping[str, Any], name: str) -> None:
    hosts = estate[name]
    for instance, seen in instances(hosts).items():
        assert hosts[instance]["address"] == hosts[seen["values"]["machine"]]["address"]
        assert instance == f"{seen['values']['tenant']}-{name}" and seen["values"]["environment"] == name
        assert {"environment_" + name.replace("-", "_"), "tenant_" + seen["values"]["tenant"]} <= set(hosts[instance]["groups"]) and seen["password"] == 32


def test_releases_are_built_in_one_place(estate: Mapping[str, Any]) -> None:
    built = {host: seen["builder"] for hosts in estate.values() for host, seen in hosts.items() if seen["builder"]}
    used = {seen["registry"] for hosts in estate.values() for seen in instances(hosts).values()}
    assert built == {"ops-1": {"registry": "registry.example.com:5000", "name": "registry.example.com"}} and used == {"registry.example.com:5000"}


def test_what_differs_from_production_was_approved(estate: Mapping[str, Any]) -> None:
    production = {seen["values"]["tenant"]: seen["given"] for seen in instances(estate["production"]).values()}
    like = {}
    for name in SHOPS:
        for instance, seen in instances(estate[name]).items():
            if seen["approved"] is None:
                continue
            like[name] = yaml.safe_load((PLACE / name / "group_vars/instances/environment.yml").read_text(encoding="utf-8"))["approved_differences"]
            given, other = seen["given"], production[seen["values"]["tenant"]]
            assert {key for key in {*given, *other} - WHICH if given.get(key) != other.get(key)} == set(seen["approved"]), instance
    assert set(like) == {*SHOPS} - {"production"}
    for entry in (entry for entries in like.values() for entry in entries.values()):
        assert set(entry) == {"owner", "reason", "expires"} and isinstance(entry["expires"], datetime.date)


@pytest.mark.parametrize("name", SHOPS)
def test_production_is_the_only_one_that_acts_outside(estate: Mapping[str, Any], name: str) -> None:
    for seen in instances(estate[name]).values():
        assert (seen["values"]["data_class"] == "production") == (name in PRODUCTION)
        assert seen["values"]["mail_outside"] == (seen["values"]["exposure"] == "public") == (name == "production")
