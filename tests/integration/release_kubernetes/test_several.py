# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance of several pods in a real cluster: released by code and by update under load, grown by what it is asked, and its recovery points by CronJobs."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api
from ansible_collections.sysgenpro.odoo.tests.integration.release_kubernetes.conftest import Instance

# Beside the demo's: two colours of up to three pods.
LIMITS = {"cpu": "4", "memory": "24Gi"}
SEVERAL = {"web_replicas": 2}
# The lab's node has two processors, for two colours of three and all else.
GROWS = {**SEVERAL, "web_replicas_most": 3, "web_cpus": 0.2, "web_busy_cpu": 5}


@pytest.fixture(scope="module")
def shop(instance: Instance) -> Instance:
    """With two web pods, at r1."""
    instance.tell(instance_share_of_cluster={**_share(instance), "limits": LIMITS}, instance_processes=SEVERAL)
    return instance.create()


def test_two_pods_are_released_by_code_and_by_update_under_load(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    with shop.load() as requests:
        for name in ("r2", "r3"):
            shop.release(name)
            assert len(set(_answering(shop, api))) == 2
    figure(f"{len(requests)} requests of two pods while a release by code and one by update came: {sum(bool(each.reason) for each in requests)} failed")
    assert api.get("PodDisruptionBudget", shop.name, f"{shop.leading()}-web")


def test_what_one_pod_is_told_the_other_knows(shop: Instance, api: Api) -> None:
    """Sessions by the session store, caches by the database: a user who logs in at one pod is known at the other, and sees there what was changed."""
    one, other = _answering(shop, api)
    done = shop.shell(f"""python3 - <<'E'
import requests, json
def call(host, path, **params):
    answer = session.post(f"http://{{host}}:8069{{path}}", json={{"jsonrpc": "2.0", "params": params}}, headers={{"Host": "{shop.host}"}}, timeout=60)
    return answer.json()["result"]
session = requests.Session()
call("{one}", "/web/session/authenticate", db="{shop.database}", login="admin", password="admin")
jar = session.cookies.get_dict()
def known(host):
    session.cookies.clear(); session.cookies.update(jar)
    return call(host, "/web/session/get_session_info")["uid"]
def parameter(host, name, *value):
    session.cookies.clear(); session.cookies.update(jar)
    return call(host, "/web/dataset/call_kw", model="ir.config_parameter", method="set_param" if value else "get_param", args=[name, *value], kwargs={{}})
print(known("{one}"), known("{other}"))
# A value that Odoo caches in each process.
parameter("{one}", "sgp.several", "first"); a = [parameter("{other}", "sgp.several") for _each in range(6)]
parameter("{one}", "sgp.several", "second"); b = [parameter("{other}", "sgp.several") for _each in range(6)]
print(json.dumps([sorted(set(a)), sorted(set(b))]))
E""").splitlines()
    known = done[0].split()
    assert known[0] == known[1] != "None"
    assert json.loads(done[1]) == [["first"], ["second"]]


@pytest.fixture
def grown(shop: Instance, api: Api) -> Iterator[Instance]:
    shop.tell(instance_processes=GROWS)
    shop.release("r3")
    yield shop


def test_the_colour_that_leads_grows_and_the_next_begins_as_large(grown: Instance, api: Api, figure: Callable[[str], None]) -> None:
    colour = grown.leading()
    found = api.get("HorizontalPodAutoscaler", grown.name, f"{colour}-web")
    assert found and (found["spec"]["minReplicas"], found["spec"]["maxReplicas"]) == (2, 3)
    with grown.load() as requests:
        until = time.monotonic() + 240
        while len(_answering(grown, api)) < 3:
            assert time.monotonic() < until, api.get("HorizontalPodAutoscaler", grown.name, f"{colour}-web")
            time.sleep(2)
        grown.release("r6")
        assert grown.leading() != colour
        assert len(_answering(grown, api)) == 3
    figure(f"a colour that grew from two pods to three was released: {len(requests)} requests, {sum(bool(each.reason) for each in requests)} failed")
    assert api.get("HorizontalPodAutoscaler", grown.name, f"{colour}-web") is None


def test_recovery_points_come_by_cronjobs(shop: Instance, api: Api) -> None:
    jobs = {item["metadata"]["name"]: item["spec"] for item in api.every("CronJob", shop.name)}
    assert jobs.keys() == {f"recovery-{verb}" for verb in ("capture", "verify", "expire", "check")}
    assert jobs["recovery-capture"]["schedule"] == "15 0,4,8,12,16,20 * * *"
    before = {point["id"] for point in shop.status()["recovery"]["points"]}
    # As it is, but for the wait that keeps instances apart.
    template = json.loads(json.dumps(jobs["recovery-capture"]["jobTemplate"]["spec"]).replace("sleep ", ": "))
    api.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "capture-now", "namespace": shop.name}, "spec": template})
    subprocess.run(["kubectl", "wait", "--for=condition=Complete", "--timeout=240s", "-n", shop.name, "job/capture-now"], check=True)
    points = {point["id"]: point["state"] for point in shop.status()["recovery"]["points"]}
    assert [points[name] for name in points.keys() - before] == ["verified"]
    checked = json.loads(json.dumps(jobs["recovery-check"]["jobTemplate"]["spec"]))
    api.apply({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "check-now", "namespace": shop.name}, "spec": checked})
    subprocess.run(["kubectl", "wait", "--for=condition=Complete", "--timeout=120s", "-n", shop.name, "job/check-now"], check=True)
    assert "changed=0" in shop.play("site")


def _share(instance: Instance) -> dict[str, Any]:
    """The demo's, as its inventory has it."""
    done = subprocess.run(["ansible-inventory", "-i", str(instance.state / "inventory"), "--host", instance.name], capture_output=True, text=True, check=True,
                          cwd=instance.state)
    found: dict[str, Any] = json.loads(done.stdout)["instance_share_of_cluster"]
    return found


def _answering(instance: Instance, api: Api) -> list[str]:
    """Addresses of the pods to which the front leads."""
    slices = api.every("EndpointSlice", instance.name, f"kubernetes.io/service-name={instance.name}")
    return sorted({address for each in slices for endpoint in each.get("endpoints") or () if endpoint["conditions"].get("ready") for address in endpoint["addresses"]})
