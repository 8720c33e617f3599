# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node is lost while people work: that of an update, that of the colour which took over, that of the toolbox. Its claim can be mounted on both nodes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api
from ansible_collections.sysgenpro.odoo.tests.integration.release_kubernetes.conftest import EDGE, NAME, ROOT, Instance
from ansible_collections.sysgenpro.odoo.tests.integration.release_kubernetes.test_faults import (
    kubectl,
    meanwhile,
    pods,
    until,
)
from sgplab.cluster import life
from sgplab.cluster.place import FIRST, SECOND

pytestmark = [pytest.mark.slow, pytest.mark.dear]
UID = 20777
VOLUME = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "shared-it"}, "spec": {
    "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteMany"], "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "shared",
    "claimRef": {"namespace": NAME, "name": "data"}}}


@pytest.fixture(scope="module")
def shop(instance: Instance, api: Api) -> Iterator[Instance]:
    """At r1, all of it on the first node, its data where both nodes have it."""
    place = life.the()
    if SECOND not in life.nodes(place):
        pytest.skip("the cluster has one node: lab cluster up --second-node")
    directory = place.root / "volumes" / "shared-it"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    os.chown(directory, UID, UID)
    api.delete("PersistentVolume", None, "shared-it")
    api.apply({**VOLUME, "spec": {**VOLUME["spec"], "hostPath": {"path": str(directory), "type": "Directory"}}}, force=True)  # type: ignore[dict-item]
    instance.tell(instance_uid=UID, instance_storage={"size": "2Gi", "class": "shared", "shared": True})
    try:
        with only_on(FIRST.name):
            _edge_on_the_first(api)
            instance.create()
        yield instance
    finally:
        life.cut(SECOND.name, on=True)
        kubectl("taint", "node", SECOND.name, "node.kubernetes.io/out-of-service:NoExecute-") if _out_of_service() else None
        instance.remove()
        api.delete("PersistentVolume", None, "shared-it")
        shutil.rmtree(directory)


@contextmanager
def only_on(node: str) -> Iterator[None]:
    """What begins meanwhile begins there."""
    other = {FIRST.name: SECOND.name, SECOND.name: FIRST.name}[node]
    kubectl("uncordon", node)
    kubectl("cordon", other)
    try:
        yield
    finally:
        kubectl("uncordon", other)


@contextmanager
def cut_off() -> Iterator[None]:
    life.cut(SECOND.name, on=False)
    try:
        yield
    finally:
        life.cut(SECOND.name, on=True)
        until(lambda: _ready(SECOND.name), 90, "the node does not come again")


def _edge_on_the_first(api: Api) -> None:
    """Customers reach an edge that stays: whoever balances before one sees for himself that a node is gone."""
    for each in api.every("Pod", EDGE[0]):
        if each["spec"].get("nodeName") == SECOND.name:
            api.delete("Pod", EDGE[0], each["metadata"]["name"])
    until(lambda: {each["spec"].get("nodeName") for each in api.every("Pod", EDGE[0])} <= {FIRST.name} and all(
        condition["status"] == "True" for each in api.every("Pod", EDGE[0]) for condition in each["status"].get("conditions") or ()
        if condition["type"] == "Ready"), 90, "the edge does not stand on the first node")


def _ready(node: str) -> bool:
    return kubectl("get", "node", node, "-o", "jsonpath={.status.conditions[?(@.type=='Ready')].status}") == "True"


def _out_of_service() -> bool:
    return "out-of-service" in kubectl("get", "node", SECOND.name, "-o", "jsonpath={.spec.taints}")


def held(shop: Instance, api: Api) -> bool:
    front = api.get("Service", shop.name, shop.name)
    return bool(front) and front["spec"]["selector"].get("org.sysgenpro/place") == "none"  # type: ignore[index]


def on(api: Api, shop: Instance, place: str) -> set[str]:
    return {str(each["spec"].get("nodeName")) for each in pods(api, shop, place) if not each["metadata"].get("deletionTimestamp")}


def test_the_node_of_an_update_is_lost_in_the_hold(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    """The update is given up with its node, and the old colour, which stands on another, serves again."""
    before = shop.leading()
    assert on(api, shop, f"{before}-web") == {FIRST.name}

    def lose() -> None:
        until(lambda: any(each["status"].get("phase") == "Running" for each in pods(api, shop, "update")) and held(shop, api), 240, "no update was begun in a hold")
        assert on(api, shop, "update") == {SECOND.name}
        kubectl("uncordon", FIRST.name)
        with cut_off():
            until(lambda: not held(shop, api), 240, "the front was not led back")
            time.sleep(10)

    with shop.load(may_fail=True) as requests:
        began = time.monotonic()
        with only_on(SECOND.name), meanwhile(lose):
            said = shop.release("r3", fails=True)
        took = time.monotonic() - began
    assert "its node does not answer any more" in said
    assert shop.leading() == before and shop.status()["instance"]["interrupted"] is None
    figure(f"the node of an update was lost in the hold: undone after {took:.0f} s, {len(requests)} requests, {sum(bool(each.reason) for each in requests)} failed")
    with only_on(FIRST.name):
        shop.release("r3")
    assert shop.status()["history"][0]["name"] == "r3"


def test_the_node_of_the_colour_that_took_over_is_lost(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    """After the let-go there is no way back: the colour comes again on the node that is left, and the release ends well."""
    before = shop.leading()
    other = {"blue": "green", "green": "blue"}[before]
    lost = time.monotonic()

    def lose() -> None:
        nonlocal lost
        until(lambda: api.get("Service", shop.name, shop.name)["spec"]["selector"].get("org.sysgenpro/place") == f"{other}-web", 240, "it was not led over")  # type: ignore[index]
        assert on(api, shop, f"{other}-web") == {SECOND.name}
        kubectl("uncordon", FIRST.name)
        lost = time.monotonic()
        life.cut(SECOND.name, on=False)

    with shop.load(may_fail=True) as requests:
        try:
            with only_on(SECOND.name), meanwhile(lose):
                shop.release("r2" if shop.status()["history"][0]["name"] == "r3" else "r3")
            until(lambda: any(each["status"].get("phase") == "Running" and each["spec"]["nodeName"] == FIRST.name and all(
                state["ready"] for state in each["status"].get("containerStatuses") or ()) for each in pods(api, shop, f"{other}-web")), 300, "it did not come again")
            again = time.monotonic() - lost
            time.sleep(20)
        finally:
            life.cut(SECOND.name, on=True)
    assert shop.leading() == other and shop.status()["instance"]["interrupted"] is None
    late = [each for each in requests if each.reason and each.seconds < 1]
    figure(f"the node of the colour that leads was lost: on another node after {again:.0f} s, {len(requests)} requests, "
           f"{sum(bool(each.reason) for each in requests)} failed, {len(late)} of them at once")


def test_the_node_of_the_toolbox_is_lost_in_the_hold(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    """Whoever says that the node is gone for good gets another toolbox, which waits for the Lease of the first one and ends what that had begun."""
    kubectl("delete", "pod", "-n", shop.name, "toolbox-0")
    with only_on(SECOND.name):
        until(lambda: on(api, shop, "toolbox") == {SECOND.name}, 90, "no toolbox")
        kubectl("wait", "-n", shop.name, "--for=condition=Ready", "--timeout=90s", "pod/toolbox-0")
    with only_on(FIRST.name), shop.load(may_fail=True) as requests:
        before = shop.leading()
        inventory = str(shop.state / "inventory")
        begun = subprocess.Popen(["ansible-playbook", "sysgenpro.odoo.release", "-i", inventory, "-e", "release_reference=r6", "-e", "release_reason=test"], cwd=ROOT,
                                 env={**os.environ, "ANSIBLE_VAULT_IDENTITY_LIST": f"uat@{shop.state / 'vault'}"}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: held(shop, api), 240, "nothing was held")
            lost = time.monotonic()
            life.cut(SECOND.name, on=False)
            until(lambda: not _ready(SECOND.name), 60, "nobody noticed")
            kubectl("taint", "node", SECOND.name, "node.kubernetes.io/out-of-service=gone:NoExecute")
            until(lambda: on(api, shop, "toolbox") == {FIRST.name}, 120, "no other toolbox")
            kubectl("wait", "-n", shop.name, "--for=condition=Ready", "--timeout=90s", "pod/toolbox-0")
            begun.kill()
            said = shop.release("r6")
            took = time.monotonic() - lost
        finally:
            begun.kill()
            life.cut(SECOND.name, on=True)
            until(lambda: _ready(SECOND.name), 90, "the node does not come again")
            kubectl("taint", "node", SECOND.name, "node.kubernetes.io/out-of-service:NoExecute-")
    assert shop.status()["history"][0]["name"] == "r6" and shop.leading() != before, said
    figure(f"the node of the toolbox was lost in a hold: the same command ended it, {took:.0f} s after, {len(requests)} requests, "
           f"{sum(bool(each.reason) for each in requests)} failed, no write lost")
