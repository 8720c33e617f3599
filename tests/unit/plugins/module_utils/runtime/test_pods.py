# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a place is in a cluster, and how one that does not come up is told from one that only takes its time."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import HTTP
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime import kubernetes, pods
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.pods import Ground
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.protocol import Outcome, Spec

IMAGE = "registry.example.test/odoo@sha256:" + "ab" * 32
GROUND = Ground("acme", "acme-production", 20001, placement={"nodeSelector": {"pool": "a"}})


def spec(**changes: Any) -> Spec:
    values: dict[str, Any] = {
        "kind": "web", "colour": "blue", "release": "sha256:1", "image": "sha256:2", "config": "sha256:3", "reference": IMAGE, "command": ["odoo"],
        "files": {"odoo.conf": ""}, "environment": {"PGPASSFILE": "/etc/odoo/pgpass", "A": "b"}, "memory": 2 * 1024 ** 3}
    return Spec(**{**values, **changes})


def made(place: str = "blue-web", known: dict[str, str] | None = None, **changes: Any) -> dict[str, Any]:
    return pods.workload(GROUND, place, spec(**changes), "agent-1", "digest", known)


@pytest.mark.parametrize("changes", [{}, {"kind": "cron"}, {"colour": "", "kind": "update", "lasts": False, "reach": "database"}])
def test_every_container_is_as_the_standard_restricted_asks(changes: dict[str, Any]) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/"""
    inside = made(**changes)["spec"]["template"]["spec"]
    assert inside["securityContext"]["runAsNonRoot"] and inside["securityContext"]["runAsUser"] == 20001
    assert inside["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"} and inside["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(inside) and not any("hostPath" in volume for volume in inside["volumes"])
    for container in (*inside["containers"], *inside["initContainers"]):
        closed = container["securityContext"]
        assert closed == {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
        assert "@sha256:" in container["image"] and container["resources"]["limits"]["memory"]


def test_a_place_that_lasts_is_made_at_rest_and_one_that_runs_once_is_never_run_twice() -> None:
    lasts, once = made(replicas=3), made("update", colour="", kind="update", lasts=False)
    assert (lasts["kind"], lasts["spec"]["replicas"], lasts["metadata"]["annotations"]["org.sysgenpro/replicas"]) == ("Deployment", 0, "3")
    assert lasts["spec"]["strategy"] == {"type": "Recreate"}
    assert (once["kind"], once["spec"]["suspend"], once["spec"]["backoffLimit"], once["spec"]["template"]["spec"]["restartPolicy"]) == ("Job", True, 0, "Never")


def test_only_what_serves_is_probed() -> None:
    web, cron = (made(kind=kind)["spec"]["template"]["spec"]["containers"][0] for kind in ("web", "cron"))
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(web) and "startupProbe" not in cron
    assert web["livenessProbe"].keys() & {"httpGet", "exec"} == set(), "whoever is busy answers late, and must not be ended for that"


def test_secrets_are_in_no_environment_and_the_password_file_is_its_own() -> None:
    odoo = made()["spec"]["template"]["spec"]["containers"][0]
    assert {"name": "PGPASSFILE", "value": "/tmp/.pgpass"} in odoo["env"] and "umask 077; cp /etc/odoo/pgpass" in odoo["command"][2]
    assert odoo["command"][2].endswith('exec "$@"') and odoo["args"] == ["odoo"]


def test_who_waits_waits_for_a_file_and_who_prints_is_told_from_who_logs() -> None:
    waits, once = (made(**changes)["spec"]["template"]["spec"]["containers"][0]["command"][2] for changes in (
        {"waits": True}, {"colour": "", "kind": "update", "lasts": False}))
    assert "/run/odoo/.go" in waits and "/run/odoo/.go" not in once and pods.MARK in once


def test_without_a_name_service_hosts_are_known_by_address() -> None:
    assert "hostAliases" not in made()["spec"]["template"]["spec"]
    assert made(known={"db.example.test": "10.0.0.7"})["spec"]["template"]["spec"]["hostAliases"] == [{"ip": "10.0.0.7", "hostnames": ["db.example.test"]}]
    with pytest.raises(DomainError, match="leads to no address"):
        kubernetes._address_of("no-such-host.invalid")


def test_it_is_put_where_its_tenant_s_nodes_are() -> None:
    assert made()["spec"]["template"]["spec"]["nodeSelector"] == {"pool": "a"}


def test_a_node_that_does_not_answer_is_given_up_sooner_and_its_tenant_s_own_are_tolerated() -> None:
    own = {"key": "pool", "operator": "Equal", "value": "a", "effect": "NoSchedule"}
    item = pods.workload(Ground("acme", "acme-production", 20001, placement={"tolerations": [own]}), "blue-web", spec(), "agent-1", "digest")
    tolerated = item["spec"]["template"]["spec"]["tolerations"]
    assert tolerated[0] == own and {(each["key"], each["tolerationSeconds"]) for each in tolerated[1:]} == {
        ("node.kubernetes.io/not-ready", 30), ("node.kubernetes.io/unreachable", 30)}
    assert {each["tolerationSeconds"] for each in made("update", colour="", kind="update", lasts=False)["spec"]["template"]["spec"]["tolerations"]} == {10}


def pod(state: dict[str, Any] | None, *, ending: bool = False, policy: str = "Always", phase: str = "Running", **status: Any) -> dict[str, Any]:
    found = [{"name": "odoo", "state": state}] if state is not None else []
    return {"metadata": {"name": "p", **({"deletionTimestamp": "2026-11-29T00:00:00Z"} if ending else {})},
            "spec": {"restartPolicy": policy, "containers": [{"name": "odoo", "image": IMAGE}]},
            "status": {"phase": phase, "containerStatuses": found, **status}}


def given_up(ready: str) -> list[dict[str, str]]:
    """Conditions of a pod whose node is not wanted any more, or does not answer."""
    return [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByTaintManager"}, {"type": "Ready", "status": ready}]


RUNS, ENDED, KILLED = {"running": {"startedAt": "x"}}, {"terminated": {"exitCode": 0}}, {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}


@pytest.mark.parametrize(("seen", "runs", "alive", "code"), [
    (pod(RUNS), True, True, None),
    (pod(RUNS, ending=True), False, True, None),
    (pod(ENDED, ending=True), False, False, 0),
    (pod(ENDED), False, True, None),  # is started again
    (pod(ENDED, policy="Never"), False, False, 0),
    (pod(KILLED, policy="Never", phase="Failed"), False, False, 137),
    (pod(None, phase="Pending"), False, True, None),
    (pod(None, policy="Never", phase="Failed", reason="Evicted"), False, False, 137),
    (pod(RUNS, ending=True, conditions=given_up("False")), False, False, None),
    (pod(RUNS, ending=True, conditions=given_up("True")), False, True, None),  # its node lets it end what it does
])
def test_a_pod_s_life(seen: dict[str, Any], runs: bool, alive: bool, code: int | None) -> None:
    assert (kubernetes._runs(seen), kubernetes._alive(seen), (kubernetes._terminated(seen) or {}).get("exitCode")) == (runs, alive, code)


@pytest.mark.parametrize(("state", "outcome"), [
    ({"exitCode": 0, "reason": "Completed"}, Outcome(True, True, 0, False)), ({"exitCode": 1, "reason": "Error"}, Outcome(True, True, 1, False)),
    ({"exitCode": 137, "reason": "OOMKilled"}, Outcome(True, True, 137, True)), ({"exitCode": 137, "reason": "Error"}, Outcome(True, True, 137, False)),
    # A child of the first process was killed, and the pod's own script says so.
    ({"exitCode": 137, "reason": "Error", "message": "OOMKilled\n"}, Outcome(True, True, 137, True)),
])
def test_how_a_container_ended(state: dict[str, Any], outcome: Outcome) -> None:
    assert kubernetes._ended(state) == outcome


@pytest.mark.parametrize(("seen", "reason"), [
    (pod({"waiting": {"reason": "ImagePullBackOff", "message": "not found"}}), "ImagePullBackOff"),
    (pod({"waiting": {"reason": "PodInitializing"}}), ""),
    (pod(None, conditions=[{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/2 nodes: insufficient memory"}]), "Unschedulable"),
])
def test_why_a_pod_does_not_run(seen: dict[str, Any], reason: str) -> None:
    assert kubernetes._waits_for(seen)[0] == reason


def test_neighbours_find_a_place_before_it_is_ready() -> None:
    found = pods.address(GROUND, "blue-web")["spec"]
    assert found["publishNotReadyAddresses"] and found["selector"] == {"org.sysgenpro/instance": "acme-production", "org.sysgenpro/place": "blue-web"}
    assert {port["port"] for port in found["ports"]} == {HTTP, 8072}
