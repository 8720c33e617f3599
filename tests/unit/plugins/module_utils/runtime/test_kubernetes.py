# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why something does not begin, in the words of the cluster; and what is kept of a pod's log. How releases run on it is told in tests of ``_release``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel import wait
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime import kubernetes
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.kubernetes import KubernetesRuntime
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.pods import Ground

QUOTA = 'pods "green-web-1" is forbidden: exceeded quota: share'
NO_ROOM = "0/2 nodes are available: 2 Insufficient memory."
REFUSED = {"type": "ReplicaFailure", "status": "True", "message": QUOTA}


def pod(phase: str = "Pending", **status: Any) -> dict[str, Any]:
    return {"metadata": {"name": "green-web-1", "creationTimestamp": "2026-11-21T10:00:00Z"}, "spec": {"restartPolicy": "Always"},
            "status": {"phase": phase, **status}}


class Api:
    """A cluster that makes nothing begin."""

    def __init__(self, kind: str, pods: list[dict[str, Any]] = [], events: list[dict[str, Any]] = [], **status: Any) -> None:  # noqa: B006
        self.kind, self.pods, self.events, self.status = kind, pods, events, status
        self.told: list[str] = []

    def get(self, kind: str, _namespace: str, _name: str) -> dict[str, Any] | None:
        return {"metadata": {}, "spec": {"replicas": 1}, "status": self.status} if kind == self.kind else None

    def every(self, kind: str, _namespace: str, labels: str = "", fields: str = "") -> list[dict[str, Any]]:
        return {"Pod": self.pods, "Event": self.events}[kind]

    def merge(self, kind: str, _namespace: str, name: str, _change: Any, sub: str = "") -> None:
        self.told.append(f"{kind} {name} {sub}".strip())

    def delete(self, _kind: str, _namespace: str, _name: str) -> bool:
        return False

    def call(self, _method: str, path: str, query: dict[str, str], plain: bool = False, patience: float = 0) -> str:
        return f"2026-11-21T10:00:01Z {path.split('/')[-2]} {query.get('timestamps')}\n"


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time flies where somebody sleeps."""
    now = [0.0]
    monkeypatch.setattr(wait.clock, "monotonic", lambda: now[0])
    monkeypatch.setattr(wait.clock, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


def runtime(api: Api, directory: Path = Path("/none")) -> KubernetesRuntime:
    return KubernetesRuntime(api, Ground("acme", "acme", 20000), str(directory))  # type: ignore[arg-type]


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize(("api", "why"), [
    (Api("Deployment", conditions=[REFUSED]), QUOTA), (Api("Deployment"), "no pod was made"),
    (Api("Job", events=[{"lastTimestamp": "2", "message": QUOTA}, {"lastTimestamp": "1", "message": "before"}]), QUOTA),
    (Api("Deployment", [pod(conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": NO_ROOM}])]), "Unschedulable: " + NO_ROOM),
    (Api("Deployment", [pod(containerStatuses=[{"name": "odoo", "state": {"waiting": {"reason": "CreateContainerConfigError", "message": "no secret"}}}])]),
     "CreateContainerConfigError: no secret")], ids=["quota", "nothing is said", "quota of a job", "no room", "no secret"])
def test_what_does_not_begin_is_found_out_while_it_is_warmed(api: Api, why: str) -> None:
    with pytest.raises(DomainError) as error:
        runtime(api).warm("green-web")
    assert error.value.code == "start_failed" and error.value.message.startswith("acme/green-web does not start: " + why)


@pytest.mark.usefixtures("hurried")
def test_a_refusal_is_not_waited_for_as_a_node_is() -> None:
    began = wait.clock.monotonic()
    with pytest.raises(DomainError):
        runtime(Api("Deployment", conditions=[REFUSED])).warm("green-web")
    assert wait.clock.monotonic() - began < kubernetes.NO_POD + 1 < kubernetes.BEGIN


def test_logs_are_kept_of_pods_that_are_asked_to_end(tmp_path: Path) -> None:
    for _again in range(2):
        runtime(Api("Deployment", [pod("Running")]), tmp_path).ask_to_end("green-web")
    kept = list((tmp_path / "state" / "logs").iterdir())
    assert [path.name for path in kept] == ["acme-green-web.20261121100000-green-web-1.log"]
    assert kept[0].read_text() == "2026-11-21T10:00:01Z green-web-1 true\n"


@pytest.mark.parametrize(("managed", "said"), [
    ([], ""), ([{"manager": "sysgenpro", "fieldsV1": {"f:spec": {}}}], ""), ([{"manager": "kubectl-annotate", "fieldsV1": {"f:metadata": {}}}], ""),
    ([{"manager": "kube-controller-manager", "subresource": "status", "fieldsV1": {"f:metadata": {}, "f:status": {}}}], ""),
    ([{"manager": "kubectl", "subresource": "scale", "fieldsV1": {"f:spec": {"f:replicas": {}}}}], ""),
    ([{"manager": "kubectl-edit", "fieldsV1": {"f:spec": {"f:template": {}}}}, {"manager": "argocd", "fieldsV1": {"f:spec": {}}}], "changed by argocd, kubectl-edit")])
def test_hands_of_others_are_a_configuration_that_nobody_asked_for(managed: list[dict[str, Any]], said: str) -> None:
    item = {"kind": "Deployment", "metadata": {"name": "blue-web", "labels": {"org.sysgenpro/place": "blue-web"}, "managedFields": managed,
                                               "annotations": {"org.sysgenpro/config": "sha256:0"}}, "spec": {"replicas": 1}, "status": {"readyReplicas": 1}}
    api = Api("Deployment")
    api.every = lambda kind, *_a, **_k: [item] if kind == "Deployment" else []  # type: ignore[method-assign]
    found = runtime(api).observe()["blue-web"]
    assert found.config == (said or "sha256:0")
    assert found.state == "1/1 ready" + (f", {said}" if said else "")
