# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A colour of several pods: kept together where a node is emptied, spread, and growing while it leads, never before or after."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel import wait
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import ApiError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.labels import PLACE
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime import kubernetes, pods
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.kubernetes import KubernetesRuntime
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.pods import Ground
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.protocol import Scale, Spec

SCALER, BUDGET = "HorizontalPodAutoscaler", "PodDisruptionBudget"
GROWS = Scale(2, 5, 60)


class Cluster:
    """Keeps what it is given; of a Deployment it makes ``pods`` pods at each look, one more each time."""

    def __init__(self) -> None:
        self.items: dict[tuple[str, str], dict[str, Any]] = {}
        self.looks = 0

    def get(self, kind: str, _namespace: str, name: str) -> dict[str, Any] | None:
        return copy.deepcopy(self.items.get((kind, name)))

    def apply(self, item: Mapping[str, Any], force: bool = False) -> dict[str, Any]:
        self.items[item["kind"], item["metadata"]["name"]] = copy.deepcopy(dict(item))
        return dict(item)

    def merge(self, kind: str, _namespace: str, name: str, change: Mapping[str, Any], _sub: str = "") -> None:
        if (kind, name) not in self.items:
            raise ApiError(404, "NotFound", "kubernetes_refused", f"no {kind} {name}", "")
        self.items[kind, name]["spec"].update(change["spec"])

    def delete(self, kind: str, _namespace: str, name: str) -> bool:
        return self.items.pop((kind, name), None) is not None

    def every(self, kind: str, _namespace: str, labels: str = "", fields: str = "") -> list[dict[str, Any]]:
        self.looks += 1
        found = []
        for (of, name), item in self.items.items():
            if kind == "Pod" and of == "Deployment" and f"{PLACE}={name}" in labels:
                found += [{"metadata": {"name": f"{name}-{number}", "creationTimestamp": str(number)}, "spec": {"restartPolicy": "Always"},
                           "status": {"phase": "Running", "containerStatuses": [{"name": "odoo", "state": {"running": {"startedAt": "2026-11-21T10:00:00Z"}}}]}}
                          for number in range(min(item["spec"]["replicas"], self.looks))]
        return found

    def call(self, *_asked: Any, **_more: Any) -> str:
        return ""


class Runtime(KubernetesRuntime):
    """Its agents say that what waited goes on."""

    def _ask(self, place: str, change: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        return [{"gone": True} for _pod in self._pods(place)]


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(wait.clock, "monotonic", lambda: now[0])
    monkeypatch.setattr(wait.clock, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def runtime(cluster: Cluster, tmp_path: Any) -> Runtime:
    return Runtime(cluster, Ground("acme", "acme", 20000), str(tmp_path))  # type: ignore[arg-type]


def spec(replicas: int = 1, scale: Scale | None = None, colour: str = "blue") -> Spec:
    return Spec("web", colour, "r", "i", "c", "registry/odoo@sha256:0", ["odoo"], {}, {}, 2 ** 30, cpus=1, replicas=replicas, scale=scale)


def test_one_pod_has_no_budget_since_that_could_but_forbid_to_empty_its_node(cluster: Cluster, runtime: Runtime) -> None:
    runtime.make("blue-web", spec())
    assert cluster.get(BUDGET, "acme", "blue-web") is None
    assert "topologySpreadConstraints" not in cluster.items["Deployment", "blue-web"]["spec"]["template"]["spec"]


@pytest.mark.parametrize("given", [spec(2), spec(1, Scale(1, 3))], ids=["two", "may be three"])
def test_several_are_spread_and_go_one_at_a_time(cluster: Cluster, runtime: Runtime, given: Spec) -> None:
    runtime.make("blue-web", given)
    budget, inside = cluster.items[BUDGET, "blue-web"], cluster.items["Deployment", "blue-web"]["spec"]["template"]
    assert budget["spec"]["maxUnavailable"] == 1
    assert budget["spec"]["selector"]["matchLabels"].items() <= inside["metadata"]["labels"].items()
    assert [each["topologyKey"] for each in inside["spec"]["topologySpreadConstraints"]] == list(pods.ZONES)
    assert all(each["labelSelector"]["matchLabels"].items() <= inside["metadata"]["labels"].items() for each in inside["spec"]["topologySpreadConstraints"])
    runtime.make("blue-web", spec())
    assert (BUDGET, "blue-web") not in cluster.items
    runtime.make("blue-web", given)
    runtime.remove("blue-web")
    assert (BUDGET, "blue-web") not in cluster.items


def test_it_grows_while_it_leads(cluster: Cluster, runtime: Runtime) -> None:
    runtime.make("blue-web", spec(2, GROWS))
    runtime.start("blue-web")
    assert (SCALER, "blue-web") not in cluster.items
    runtime.mark_leading("blue", True)
    found = cluster.items[SCALER, "blue-web"]["spec"]
    assert (found["minReplicas"], found["maxReplicas"], found["scaleTargetRef"]["name"]) == (2, 5, "blue-web")
    assert [each["containerResource"]["target"]["averageUtilization"] for each in found["metrics"]] == [60]
    runtime.ask_to_end("blue-web")
    assert (SCALER, "blue-web") not in cluster.items, "it must not grow again what shall end"
    runtime.revive("blue-web")
    assert (SCALER, "blue-web") in cluster.items
    runtime.mark_leading("blue", False)
    assert (SCALER, "blue-web") not in cluster.items


def test_a_colour_that_does_not_lead_is_not_grown_by_its_revival(cluster: Cluster, runtime: Runtime) -> None:
    runtime.make("blue-web", spec(2, GROWS))
    runtime.revive("blue-web")
    assert (SCALER, "blue-web") not in cluster.items


@pytest.mark.parametrize(("now", "then"), [(1, 2), (4, 4), (9, 5)], ids=["fewer than the least", "in between", "more than the most"])
def test_who_takes_over_begins_with_as_many_as_lead(cluster: Cluster, runtime: Runtime, now: int, then: int) -> None:
    runtime.make("blue-web", spec(2, GROWS))
    cluster.merge("Deployment", "acme", "blue-web", {"spec": {"replicas": now}})
    runtime.make("green-web", spec(2, GROWS, "green"))
    runtime.start("green-web")
    assert cluster.items["Deployment", "green-web"]["spec"]["replicas"] == then


def test_all_of_them_have_begun_before_it_is_said_to_have_started(cluster: Cluster, runtime: Runtime) -> None:
    runtime.make("blue-web", spec(4))
    cluster.looks = 0
    runtime.start("blue-web")
    assert len(runtime._pods("blue-web")) == 4 and cluster.looks >= 4


@pytest.mark.parametrize(("scale", "kinds"), [
    (Scale(1, 3), ["ContainerResource"]), (Scale(1, 3, 0, "sysgenpro_odoo_requests", "3"), ["Pods"]),
    (Scale(1, 3, 80, "sysgenpro_odoo_requests", "3"), ["Pods", "ContainerResource"])])
def test_by_what_it_grows(scale: Scale, kinds: list[str]) -> None:
    assert [each["type"] for each in pods.scaler(Ground("acme", "acme", 1), "blue-web", scale)["spec"]["metrics"]] == kinds


@pytest.mark.parametrize(("kept", "forgets"), [([], []), (["a"], []), (["b", "c"], ["c"]), (["a", "b", "c"], ["b", "c"])])
def test_of_several_that_have_to_tell_browsers_one_does(runtime: Runtime, monkeypatch: pytest.MonkeyPatch, kept: list[str], forgets: list[str]) -> None:
    told: list[str] = []

    def agent(address: str, _token: str, change: Mapping[str, Any] | None) -> Iterator[dict[str, Any]]:
        if change:
            assert change == {"forget_calls": True}
            told.append(address)
        yield {"kept": address in kept}

    monkeypatch.setattr(kubernetes, "_agent", agent)
    monkeypatch.setattr(runtime, "addresses", lambda _place: ["a", "b", "c"])
    runtime.make("blue-web", spec(3))
    runtime.mark_leading("blue", True)
    assert told == forgets


def test_what_was_not_made_does_not_start(runtime: Runtime) -> None:
    with pytest.raises(DomainError) as error:
        runtime.start("blue-web")
    assert error.value.code == "place_missing"
