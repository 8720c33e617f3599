# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a place is in a cluster: its objects, made of a ``Spec``. Pure.

A place that lasts is a Deployment, one that runs once a Job; both are made so that nothing runs yet. Every pod is as the Pod Security standard
``restricted`` asks, has a read-only root file system and no service account's token.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from .._instance.names import HTTP, REALTIME
from .._kubernetes.labels import INSTANCE, KIND, MANAGED_BY, PLACE, PREFIX, REACH
from . import agent
from .protocol import ETC, HOME, RUN, Scale, Spec

ODOO, AGENT = "odoo", "agent"
"""The containers of a pod."""
CLAIM = "data"
REGISTRY = "registry"
"""The claim with the instance's data, and the secret that pulls its images."""
SCALE = "scale"
"""Annotation of a place: how it grows while it leads."""
GRACE = 3600
"""Seconds that a process may take to finish what it does; whoever releases ends it sooner (bounds.finish, bounds.cron)."""
OUT_OF_MEMORY = "OOMKilled"
"""In a pod's own words, that the kernel ended its process since it needed more memory than it may have."""
MARK = "-- what it printed --"
"""Parts the log of a place that runs once from its standard output, which the API does not tell apart."""
# libpq takes no password file that a group can read, and whatever a volume of a secret holds its pod's group can read.
_SECRETS = f"umask 077; cp {ETC}/pgpass /tmp/.pgpass; umask 022"
_WAIT = f"while [ ! -e {agent.GO} ]; do sleep 0.05; done"
_LASTS = 'exec "$@"'
# The kubelet tells of the first process alone that the kernel ended it for want of memory, and this is it; the group's own count is told beside.
_ONCE = (f'"$@" >/tmp/.output; code=$?; grep -qs "^oom_kill [1-9]" /sys/fs/cgroup/memory.events /sys/fs/cgroup/memory/memory.oom_control '
         f'&& echo {OUT_OF_MEMORY} >/dev/termination-log; echo "{MARK}"; cat /tmp/.output; exit $code')
# Where pods are told apart: by node, by zone (https://kubernetes.io/docs/reference/labels-annotations-taints/).
ZONES = ("kubernetes.io/hostname", "topology.kubernetes.io/zone")
# Seconds until a node that does not answer is given up, instead of five minutes: whoever shops waits meanwhile, or a whole shop waits for an update.
# A pod of it that works on in secret is one more process of the same colour, or the fence keeps it out of the database.
_GIVEN_UP, _GIVEN_UP_ONCE = 30, 10
# Of the agent: what it took in trials is a third of it.
_AGENT = {"requests": {"cpu": "5m", "memory": "24Mi"}, "limits": {"memory": "64Mi"}}
# A lost answer of the name service costs a second, not five (resolv.conf(5)): some of that is in a hold. Names with a dot are tried as they are.
NAMES = {"options": [{"name": "ndots", "value": "2"}, {"name": "timeout", "value": "1"}, {"name": "attempts", "value": "5"}, {"name": "single-request-reopen"}]}
_CONFINED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


@dataclass(frozen=True)
class Ground:
    """Where an instance's objects are made, and what all of its pods are given.

    :param uid: user and group of its processes.
    :param placement: of its pods: ``nodeSelector``, ``tolerations``, ``priorityClassName``, as its tenant's isolation class has them.
    """

    namespace: str
    instance: str
    uid: int
    pull_secret: bool = False
    placement: Mapping[str, Any] = field(default_factory=dict)

    def labels(self, place: str = "", colour: str = "", kind: str = "", reach: str = "") -> dict[str, str]:
        said = {INSTANCE: self.instance, PLACE: place, PREFIX + "colour": colour, KIND: kind, REACH: reach}
        return {**MANAGED_BY, **{key: value for key, value in said.items() if value}}

    def selector(self, **said: str) -> str:
        """Of labels, for a list."""
        return ",".join([f"{INSTANCE}={self.instance}", *(f"{PREFIX}{key}={value}" for key, value in said.items())])

    def metadata(self, name: str, labels: Mapping[str, str], annotations: Mapping[str, str] | None = None) -> dict[str, Any]:
        return {"name": name, "namespace": self.namespace, "labels": dict(labels), **({"annotations": dict(annotations)} if annotations else {})}


def files(ground: Ground, place: str, content: Mapping[str, str]) -> dict[str, Any]:
    """The Secret of a place: each file that its processes are given."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": ground.metadata(place, ground.labels(place)), "type": "Opaque", "stringData": dict(content)}


def told(ground: Ground, place: str, go: bool, leading: bool) -> dict[str, Any]:
    """The ConfigMap that a pod of a place finds when it begins."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": ground.metadata(place, ground.labels(place)),
            "data": {"go": str(int(go)), "leading": str(int(leading))}}


def program(ground: Ground, name: str, source: str) -> dict[str, Any]:
    """The ConfigMap with the agent's own text."""
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": ground.metadata(name, ground.labels()), "data": {"agent.py": source}, "immutable": True}


def address(ground: Ground, place: str) -> dict[str, Any]:
    """The Service by which neighbours, and whoever releases, find a place also before it is ready."""
    return {"apiVersion": "v1", "kind": "Service", "metadata": ground.metadata(place, ground.labels(place)),
            "spec": {"type": "ClusterIP", "publishNotReadyAddresses": True, "selector": {INSTANCE: ground.instance, PLACE: place},
                     "ports": ports()}}


def ports() -> list[dict[str, Any]]:
    return [{"name": name, "port": port, "targetPort": port, "protocol": "TCP"} for name, port in (("http", HTTP), ("realtime", REALTIME))]


def workload(ground: Ground, place: str, spec: Spec, program_name: str, files_digest: str, known: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The Deployment or the Job of a place, at rest.

    :param known: addresses of the hosts that it must reach, by name, where its network leads to no name service.

    :param files_digest: of its files: pods that a changed file reaches are other pods.
    """
    labels = ground.labels(place, spec.colour, spec.kind if spec.colour else "once", spec.reach)
    annotations = {PREFIX + key: value for key, value in (("release", spec.release), ("image", spec.image), ("config", spec.config),
                                                          ("replicas", str(spec.replicas)), (SCALE, spec.scale and json.dumps(asdict(spec.scale)))) if value}
    template = {"metadata": {"labels": labels, "annotations": {PREFIX + "files": files_digest}}, "spec": pod(ground, place, spec, program_name, known or {})}
    if spec.lasts:
        return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": ground.metadata(place, labels, annotations),
                "spec": {"replicas": 0, "revisionHistoryLimit": 0, "progressDeadlineSeconds": 600, "strategy": {"type": "Recreate"},
                         "selector": {"matchLabels": {INSTANCE: ground.instance, PLACE: place}}, "template": template}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": ground.metadata(place, labels, annotations),
            "spec": {"suspend": True, "backoffLimit": 0, "completions": 1, "parallelism": 1, "template": template}}


def pod(ground: Ground, place: str, spec: Spec, program_name: str, known: Mapping[str, str]) -> dict[str, Any]:
    """The pods of a place."""
    lines = [_SECRETS, *([_WAIT] if spec.waits else []), _LASTS if spec.lasts else _ONCE]
    environment = {**spec.environment, "PGPASSFILE": "/tmp/.pgpass"}  # noqa: S108
    serves = spec.kind == "web"
    container: dict[str, Any] = {
        "name": ODOO, "image": spec.reference, "imagePullPolicy": "IfNotPresent", "command": ["sh", "-c", "; ".join(lines), "sh"],
        "args": list(spec.command), "env": [{"name": key, "value": value} for key, value in sorted(environment.items())],
        "securityContext": _CONFINED, "resources": _resources(spec), "volumeMounts": [
            {"name": "data", "mountPath": HOME, "subPath": spec.data}, {"name": "files", "mountPath": ETC, "readOnly": True},
            {"name": "run", "mountPath": RUN}, {"name": "tmp", "mountPath": "/tmp"}]}  # noqa: S108
    if serves:
        container["ports"] = [{"name": "http", "containerPort": HTTP}, {"name": "realtime", "containerPort": REALTIME}]
        container.update(_probes())
    beside = {
        "name": AGENT, "image": spec.reference, "imagePullPolicy": "IfNotPresent", "restartPolicy": "Always",
        "command": ["python3", "-S", "-E", "/opt/sysgenpro/agent/agent.py"], "securityContext": _CONFINED, "resources": _AGENT,
        "env": [{"name": "PYTHONDONTWRITEBYTECODE", "value": "1"}],
        "ports": [{"name": "agent", "containerPort": agent.PORT}], "volumeMounts": [
            {"name": "files", "mountPath": ETC, "readOnly": True}, {"name": "run", "mountPath": RUN},
            {"name": "agent", "mountPath": "/opt/sysgenpro/agent", "readOnly": True}, {"name": "told", "mountPath": agent.STATE, "readOnly": True}]}
    return {
        # One space of processes, so that the agent can end what does not end: a kubelet that has begun to wait takes no shorter wait any more.
        "shareProcessNamespace": True,
        "automountServiceAccountToken": False, "enableServiceLinks": False, "dnsConfig": NAMES, "terminationGracePeriodSeconds": GRACE if spec.lasts else 30,
        "restartPolicy": "Always" if spec.lasts else "Never",
        "securityContext": {"runAsNonRoot": True, "runAsUser": ground.uid, "runAsGroup": ground.uid, "fsGroup": ground.uid,
                            "fsGroupChangePolicy": "OnRootMismatch", "seccompProfile": {"type": "RuntimeDefault"}},
        **({"hostAliases": [{"ip": address, "hostnames": [name]} for name, address in sorted(known.items())]} if known else {}),
        **({"imagePullSecrets": [{"name": REGISTRY}]} if ground.pull_secret else {}), **ground.placement,
        "tolerations": [*(ground.placement.get("tolerations") or ()), *_lost_node(_GIVEN_UP if spec.lasts else _GIVEN_UP_ONCE)],
        **({"topologySpreadConstraints": [_spread(ground, place, key) for key in ZONES]} if several(spec) else {}),
        "initContainers": [beside], "containers": [container], "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": CLAIM}}, {"name": "files", "secret": {"secretName": place, "defaultMode": 0o440}},
            {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}}, {"name": "tmp", "emptyDir": {}},
            {"name": "agent", "configMap": {"name": program_name}}, {"name": "told", "configMap": {"name": place}}]}


def _lost_node(seconds: int) -> list[dict[str, Any]]:
    """Source: https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/#taint-based-evictions."""
    return [{"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": seconds}
            for key in ("not-ready", "unreachable")]


def several(spec: Spec) -> bool:
    """Whether it may come to more than one pod."""
    return spec.replicas > 1 or spec.scale is not None


def _spread(ground: Ground, place: str, key: str) -> dict[str, Any]:
    """As evenly as can be had: pods that share a claim which only one node mounts all run there, and a shop with its pods on one node is better than none."""
    return {"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": {INSTANCE: ground.instance, PLACE: place}}}


def disruption(ground: Ground, place: str) -> dict[str, Any]:
    """Has whoever empties a node take one pod of a place at a time. For a place of several only: of a single pod it could but forbid that."""
    labels = ground.labels(place)
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": ground.metadata(place, labels),
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {INSTANCE: ground.instance, PLACE: place}}}}


def scaler(ground: Ground, place: str, scale: Scale) -> dict[str, Any]:
    """Has a place that leads grow and shrink. It grows at once and shrinks slowly: a pod that goes finishes what it does, but its caches are lost."""
    metrics: list[dict[str, Any]] = []
    if scale.metric:
        metrics.append({"type": "Pods", "pods": {"metric": {"name": scale.metric}, "target": {"type": "AverageValue", "averageValue": scale.target}}})
    if scale.cpu:
        # Of Odoo's container: what the agent beside it asks for says nothing of how busy a shop is.
        metrics.append({"type": "ContainerResource", "containerResource": {
            "name": "cpu", "container": ODOO, "target": {"type": "Utilization", "averageUtilization": scale.cpu}}})
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": ground.metadata(place, ground.labels(place)), "spec": {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": place}, "minReplicas": scale.least, "maxReplicas": scale.most,
        "metrics": metrics, "behavior": {"scaleUp": {"stabilizationWindowSeconds": 0}, "scaleDown": {
            "stabilizationWindowSeconds": 600, "policies": [{"type": "Pods", "value": 1, "periodSeconds": 120}]}}}}


def _resources(spec: Spec) -> dict[str, Any]:
    """What a process may take it is promised as well: an Odoo that the kernel ends for want of memory loses what it does."""
    memory = str(spec.memory)
    return {"requests": {"memory": memory, "cpu": str(spec.cpus or "100m")}, "limits": {"memory": memory, **({"cpu": str(spec.cpus)} if spec.cpus else {})}}


def _probes() -> dict[str, Any]:
    """A process that waits or loads its registry is starting for up to an hour: whoever releases bounds that (bounds.ready). Afterwards it is in
    service while its master takes connections, and dead where that takes none for ten minutes. No probe asks for an answer: a shop that is busy gives it late,
    and to end it for that loses what its customers do (seen on an overloaded node); workers that hang are ended by the master (limit_time_real)."""
    port = {"tcpSocket": {"port": HTTP}}
    return {"startupProbe": {**port, "periodSeconds": 1, "failureThreshold": 3600, "timeoutSeconds": 1},
            "readinessProbe": {**port, "periodSeconds": 2, "failureThreshold": 3, "timeoutSeconds": 5},
            "livenessProbe": {**port, "periodSeconds": 30, "failureThreshold": 20, "timeoutSeconds": 30}}
