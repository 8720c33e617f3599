# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which connections pass, by connections: between real pods, in a cluster whose network policies somebody enforces.

``SYSGENPRO_PROBE_IMAGE`` is an image with busybox by digest, of a registry that the nodes reach: ``lab cluster stock`` prints one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.wait import Deadline, wait_until
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api

from .conftest import Cluster, pod

PLACE, KIND, REACH = "org.sysgenpro/place", "org.sysgenpro/kind", "org.sysgenpro/reach"
# Who it is: namespace, labels, and the ports at which it listens.
PODS: dict[str, tuple[str, dict[str, str], tuple[int, ...]]] = {
    "web": ("a", {PLACE: "blue-web", KIND: "web", REACH: "instance"}, (8069, 9000)),
    "cron": ("a", {PLACE: "blue-cron", KIND: "cron", REACH: "instance"}, (8068,)),
    "toolbox": ("a", {PLACE: "toolbox"}, (8069,)), "update": ("a", {PLACE: "update", KIND: "once", REACH: "database"}, ()),
    "rehearsal": ("a", {PLACE: "rehearsal", KIND: "once", REACH: "aside"}, (8069,)), "neighbour": ("b", {PLACE: "green-web", KIND: "web"}, (8069,)),
    "edge": ("x", {"it": "edge"}, ()), "other": ("x", {"it": "other"}, ()),
    "database": ("x", {"it": "database"}, (5432,)), "redis": ("x", {"it": "redis"}, (6379, 5432))}
NAME_SERVER = "name server"
WAYS: dict[str, dict[str, bool]] = {
    "edge": {"web:8069": True, "toolbox:8069": True, "web:9000": False, "cron:8068": False, "rehearsal:8069": False},
    "other": {"web:8069": False, "toolbox:8069": False},
    "neighbour": {"web:8069": False, "database:5432": False, f"{NAME_SERVER}:53": True},
    "toolbox": {"web:8069": True, "cron:8068": True, "rehearsal:8069": True, "web:9000": False, "neighbour:8069": False, "database:5432": True},
    "cron": {"web:8069": False, "database:5432": True, "redis:6379": True, "redis:5432": False, "neighbour:8069": False, f"{NAME_SERVER}:53": True},
    "update": {"database:5432": True, "toolbox:8069": False, "redis:6379": False, "web:8069": False, f"{NAME_SERVER}:53": False},
    "rehearsal": {"database:5432": True, "redis:6379": True, "redis:5432": False, f"{NAME_SERVER}:53": False}}
# A pod is confined once whoever enforces policies knows its address, which the first moments of a new one are before: so it asks a little later.
_PROBE = """echo begun; sleep 5
for way in $0; do if nc -w 2 ${way%:*} ${way#*:} </dev/null >/dev/null 2>&1; then echo $way open; else echo $way closed; fi; done
echo ended; exec sleep 600"""


@pytest.fixture(scope="module")
def image() -> str:
    found = os.environ.get("SYSGENPRO_PROBE_IMAGE")
    if not found:
        pytest.skip("SYSGENPRO_PROBE_IMAGE names no image")
    return found


@pytest.fixture(scope="module")
def seen(administrator: Api, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, bool]]]:
    """What each pod reaches of all that the table names."""
    cluster = Cluster(administrator, tmp_path_factory.mktemp("traffic"))
    outside = cluster.name("x")
    try:
        yield reached(cluster, image, outside)
    finally:
        administrator.delete("Namespace", None, outside)
        cluster.clean()


def reached(cluster: Cluster, image: str, outside: str) -> dict[str, dict[str, bool]]:
    api = cluster.api
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": outside}})
    at = {"registries": [image.rsplit("/", 1)[0]], "redis": {"namespace": outside, "pods": {"it": "redis"}}}
    made = cluster.quota(
        cluster.tenant("a", **{**at, "database": {"namespace": outside, "pods": {"it": "database"}}}),
        cluster.tenant("b", **{**at, "database": {"address": "192.0.2.10"}}),
        edge={"namespace": outside, "pods": {"it": "edge"}})
    assert "msg" not in made
    for name, (space, labels, ports) in PODS.items():
        listens = "".join(f"httpd -p {port} -h /tmp; " for port in ports) + "exec sleep 600"
        api.create(runs(cluster, name, space, labels, image, ["sh", "-c", listens]))
    addresses = {name: wait_until(lambda name=name, space=space: running(api, cluster.name(space), name), Deadline(120), 0.5)  # type: ignore[misc]
                 for name, (space, _labels, _ports) in PODS.items()}
    addresses[NAME_SERVER] = api.call("GET", "/api/v1/namespaces/kube-system/services/kube-dns")["spec"]["clusterIP"]
    # A policy takes a moment to reach the nodes.
    time.sleep(3)
    for name, ways in WAYS.items():
        space, labels, _ports = PODS[name]
        targets = " ".join("{}:{}".format(addresses[way.rsplit(":", 1)[0]], way.rsplit(":", 1)[1]) for way in ways)
        api.create(runs(cluster, f"probe-{name}", space, labels, image, ["sh", "-c", _PROBE, targets]))
    return {name: asked(api, cluster.name(PODS[name][0]), name, list(ways)) for name, ways in WAYS.items()}


def runs(cluster: Cluster, name: str, space: str, labels: dict[str, str], image: str, command: list[str]) -> dict[str, Any]:
    item = pod(cluster.name(space), name, terminationGracePeriodSeconds=0)
    item["metadata"]["labels"] = labels
    item["spec"]["containers"][0].update(image=image, command=command, resources={"requests": {"cpu": "5m", "memory": "8Mi"}})
    return item


def running(api: Api, namespace: str, name: str) -> str:
    found = api.get("Pod", namespace, name) or {}
    return str(found["status"].get("podIP", "")) if found.get("status", {}).get("phase") == "Running" else ""


def asked(api: Api, namespace: str, name: str, ways: list[str]) -> dict[str, bool]:
    def lines() -> list[str]:
        if not running(api, namespace, f"probe-{name}"):
            return []
        text = str(api.call("GET", f"/api/v1/namespaces/{namespace}/pods/probe-{name}/log", plain=True)).split("\n")
        return text[1:] if "ended" in text else []

    said = wait_until(lines, Deadline(120), 0.5)
    return {way: line.endswith(" open") for way, line in zip(ways, said)}


@pytest.mark.parametrize("name", WAYS)
def test_what_passes(seen: dict[str, dict[str, bool]], name: str, figure: Callable[[str], None]) -> None:
    assert seen[name] == WAYS[name]
    figure(f"{name}: {sum(WAYS[name].values())} ways open, {len(WAYS[name]) - sum(WAYS[name].values())} closed, by connections")
