# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Faults in a real cluster, while people work: each ends with the old colour serving or the release finished, and with a sentence that names the cause."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api
from ansible_collections.sysgenpro.odoo.tests.integration.release_kubernetes.conftest import Instance
from sgplab.cluster import control_plane, life, processes

AWAY = 60
"""Seconds without an API."""
CGROUPS = Path("/sys/fs/cgroup")


@pytest.fixture(scope="module")
def shop(instance: Instance) -> Instance:
    """At r1."""
    return instance.create()


def kubectl(*arguments: str, given: str | None = None) -> str:
    return subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True, check=True).stdout


def pods(api: Api, shop: Instance, place: str) -> list[dict[str, Any]]:
    return api.every("Pod", shop.name, f"org.sysgenpro/place={place}")


@contextmanager
def meanwhile(work: Callable[[], None]) -> Iterator[None]:
    """Something that happens beside; what it raises is raised at the end."""
    raised: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        thread.join()
    if raised:
        raise raised[0]


def until(true: Callable[[], Any], seconds: float, said: str) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, said
        time.sleep(0.2)


def test_a_right_that_is_missing_is_named_before_anything_is_touched(shop: Instance) -> None:
    role = json.loads(kubectl("get", "role", "toolbox", "-n", shop.name, "-o", "json"))
    role["metadata"] = {key: role["metadata"][key] for key in ("name", "namespace")}
    for rule in role["rules"]:
        if rule["resources"] == ["jobs"]:
            rule["verbs"] = [verb for verb in rule["verbs"] if verb != "create"]
    before = shop.leading()
    kubectl("replace", "-f", "-", given=json.dumps(role))
    try:
        said = shop.release("r2", fails=True)
    finally:
        shop.play("site", toolbox_force=True)
    assert "it lacks create of jobs (batch)" in said and "Nothing was changed" in said
    assert shop.leading() == before


def test_what_somebody_changed_by_hand_is_told_and_made_anew(shop: Instance) -> None:
    before = shop.leading()
    kubectl("patch", "deployment", f"{before}-web", "-n", shop.name, "--type", "merge", "--field-manager", "by-hand", "-p", '{"spec": {"progressDeadlineSeconds": 500}}')
    assert "changed by by-hand" in json.dumps(shop.status()["instance"]["processes"])
    with shop.load():
        shop.release("r1")
    assert shop.leading() != before
    assert "changed=0" in shop.release("r1")


def test_an_image_that_cannot_be_had_is_found_out_while_nobody_waits(shop: Instance) -> None:
    before = shop.leading()
    registry = kubectl("get", "deployment", f"{before}-web", "-n", shop.name, "-o", "jsonpath={.spec.template.spec.containers[0].image}").partition("@")[0]
    with shop.load():
        said = shop.release(f"{registry}@sha256:{'0' * 64}", fails=True)
    assert "Nothing was changed" in said
    assert shop.leading() == before


def test_the_leading_pods_are_evicted_while_a_release_is_under_way(shop: Instance, api: Api) -> None:
    """By the API that `kubectl drain` takes. A single pod comes again; what its users asked meanwhile waits at the edge or is answered late, and the release goes on."""
    before = shop.leading()
    other = {"blue": "green", "green": "blue"}[before]

    def evict() -> None:
        until(lambda: pods(api, shop, f"{other}-web"), 120, "the other colour did not begin")
        for each in pods(api, shop, f"{before}-web"):
            name = each["metadata"]["name"]
            api.call("POST", f"/api/v1/namespaces/{shop.name}/pods/{name}/eviction", None,
                     {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": shop.name}})

    with meanwhile(evict):
        shop.release("r2")
    assert shop.leading() == other
    assert shop.status()["instance"]["interrupted"] is None


def test_the_update_has_too_little_memory(shop: Instance, api: Api) -> None:
    """The kernel ends it, as it would where an update needs more than it may have. The old colour serves, and the sentence says why."""
    before = shop.leading()

    def squeeze() -> None:
        running = lambda: [each for each in pods(api, shop, "update") for state in each["status"].get("containerStatuses") or () if state["state"].get("running")]  # noqa: E731
        until(running, 240, "no update was made")
        number = running()[0]["status"]["containerStatuses"][0]["containerID"].rpartition("/")[2]
        # While it waits it needs little; version 1 takes no limit below what is used.
        found = [path / name for path in CGROUPS.rglob(f"*{number}*") for name in ("memory.max", "memory.limit_in_bytes") if (path / name).exists()]
        assert found, f"the container {number} has no cgroup here"
        found[0].write_text(str(16 * 2 ** 20))

    with shop.load(), meanwhile(squeeze):
        said = shop.release("r3", fails=True)
    assert "it needed more memory than it may have" in said
    assert shop.leading() == before and shop.status()["instance"]["interrupted"] is None


def test_the_api_is_away_in_the_middle_of_an_update(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    """The front stays as it was told, so requests go on waiting, for as long as they may; the release goes on when the API is back, and no write is lost.

    A client that waits for no more than two minutes may give up all the same: the cluster's own agents follow changes late for up to half a minute after the API is
    back, since each waits longer with every try, so the hold is as long as all of that.
    """
    place = life.the()
    shop.tell(instance_bounds={"count": 10, "ready": 400, "max_pause": 280})

    def away() -> None:
        until(lambda: api.get("Service", shop.name, shop.name)["spec"]["selector"].get("org.sysgenpro/place") == "none", 180, "nothing was held")  # type: ignore[index]
        processes.stop(place, "kube-apiserver")
        time.sleep(AWAY)
        control_plane.ensure(place)

    with shop.load(may_fail=True) as requests:
        began = time.monotonic()
        with meanwhile(away):
            shop.release("r3")
        took = time.monotonic() - began
    assert shop.status()["history"][0]["name"] == "r3"
    figure(f"the API was away for {AWAY} s in the middle of an update: {took:.0f} s, {len(requests)} requests, {sum(bool(each.reason) for each in requests)} failed, "
           f"the longest waited {max(each.seconds for each in requests if each.waits):.0f} s")


def test_an_admission_that_refuses_the_update_is_found_out_while_nobody_waits(shop: Instance) -> None:
    """A LimitRange that somebody made allows no container as much memory as an update may take."""
    before = shop.leading()
    limit = {"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "tight", "namespace": shop.name},
             "spec": {"limits": [{"type": "Container", "max": {"memory": "3Gi"}}]}}
    kubectl("apply", "-f", "-", given=json.dumps(limit))
    try:
        said = shop.release("r4", fails=True)
    finally:
        kubectl("delete", "limitrange", "tight", "-n", shop.name)
    assert "maximum memory usage per Container is 3Gi" in said
    assert shop.leading() == before


def test_the_namespace_has_no_room_for_a_second_colour(shop: Instance) -> None:
    """Found out before anybody waits, in the words of the quota."""
    before = shop.leading()
    hog = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full", "namespace": shop.name}, "spec": {"hard": {"limits.memory": "4Gi"}}}
    kubectl("apply", "-f", "-", given=json.dumps(hog))
    try:
        with shop.load():
            said = shop.release("r6", fails=True)
    finally:
        kubectl("delete", "resourcequota", "full", "-n", shop.name)
    assert "exceeded quota: full" in said and shop.leading() == before
    shop.release("r6")
    assert shop.leading() != before
