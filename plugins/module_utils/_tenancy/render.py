# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tenant's objects in a cluster. Pure; all that the API server would fill in is written out, so that comparing is mostly one comparison."""

from __future__ import annotations

from typing import Any

from .._kubernetes import labels
from .model import People, Tenant
from .network import Edge, Ground, policies
from .profiles import COUNTS, DEFAULT, REQUEST

TENANCY = {**labels.MANAGED_BY, labels.PART: "tenancy"}
SELECTOR = f"{labels.PART}=tenancy"
"""Of every object that is made here, for one list over the whole cluster."""
QUOTA, RANGE, VIEW, DEPLOY = "share", "defaults", "tenant-view", "tenant-deploy"

Item = dict[str, Any]

_READ = ["get", "list", "watch"]
_WRITE = [*_READ, "create", "update", "patch", "delete"]
# What people see of their own namespace: nothing that holds a secret.
_VIEW_RULES = [
    {"apiGroups": [""], "resources": ["pods", "pods/log", "services", "events", "resourcequotas", "limitranges", "persistentvolumeclaims"], "verbs": _READ},
    {"apiGroups": ["apps", "batch", "autoscaling", "policy", "discovery.k8s.io"],
     "resources": ["deployments", "statefulsets", "replicasets", "jobs", "cronjobs", "horizontalpodautoscalers", "poddisruptionbudgets", "endpointslices"],
     "verbs": _READ},
    {"apiGroups": ["networking.k8s.io", "traefik.io", "gateway.networking.k8s.io", "metrics.k8s.io"],
     "resources": ["networkpolicies", "ingresses", "ingressroutes", "middlewares", "httproutes", "pods"], "verbs": _READ},
]
# What a tenant's own pipeline may run beside Odoo. No secrets, no exec, no rights, no quota, no network policy. Whoever makes pods can mount the
# namespace's secrets all the same: so this is given per tenant, and never reaches into another namespace.
_DEPLOY_RULES = [
    {"apiGroups": [""], "resources": ["pods", "services", "configmaps"], "verbs": _WRITE},
    {"apiGroups": ["apps", "batch"], "resources": ["deployments", "jobs", "cronjobs"], "verbs": _WRITE},
    {"apiGroups": ["networking.k8s.io", "traefik.io", "gateway.networking.k8s.io"], "resources": ["ingresses", "ingressroutes", "middlewares", "httproutes"],
     "verbs": _WRITE},
]


def tenant_objects(tenant: Tenant, edge: Edge, ground: Ground) -> list[Item]:
    """All of a tenant's objects, in the order in which they are to be made: first what confines, then what opens."""
    return [namespace(tenant), quota(tenant), defaults(tenant), *policies(tenant, edge, ground, TENANCY), *access(tenant)]


def namespace(tenant: Tenant) -> Item:
    standard = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    # An older version of the standard would be a weaker one.
    standard["pod-security.kubernetes.io/enforce-version"] = "latest"
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {
        "name": tenant.namespace,
        "labels": {**TENANCY, labels.TENANT: tenant.name, labels.PROFILE: tenant.profile, labels.ISOLATION: tenant.isolation, labels.POOL: tenant.pool,
                   **standard},
        "annotations": {labels.REGISTRIES: ",".join(tenant.registries), labels.HOSTS: ",".join(tenant.hosts), labels.SERVICES: ",".join(tenant.services),
                        labels.PRIORITY: str(tenant.priority)}}}


def quota(tenant: Tenant) -> Item:
    found = _item("v1", "ResourceQuota", tenant, QUOTA, {"hard": hard(tenant)})
    found["metadata"]["annotations"] = {labels.COLOUR_CPU: tenant.limits["colour_cpu"], labels.COLOUR_MEMORY: tenant.limits["colour_memory"]}
    return found


def hard(tenant: Tenant) -> dict[str, str]:
    """The bounds of a namespace. Memory asked for and memory allowed are one: Odoo that was promised less would be killed for what it may take."""
    given = tenant.limits
    return {
        "requests.cpu": given["cpu"], **({"limits.cpu": given["cpu_limit"]} if "cpu_limit" in given else {}),
        "requests.memory": given["memory"], "limits.memory": given["memory"],
        "requests.ephemeral-storage": given["ephemeral"], "limits.ephemeral-storage": given["ephemeral"],
        "requests.storage": given["storage"], "persistentvolumeclaims": given["claims"], "pods": given["pods"],
        "services.nodeports": COUNTS["services"] if {"NodePort", "LoadBalancer"} & set(tenant.services) else "0",
        "services.loadbalancers": COUNTS["services"] if "LoadBalancer" in tenant.services else "0", **COUNTS}


def defaults(tenant: Tenant) -> Item:
    """What a container asks for that says nothing itself: without it the quota would refuse the pod."""
    default = {**DEFAULT, **({"cpu": "1"} if "cpu_limit" in tenant.limits else {})}
    return _item("v1", "LimitRange", tenant, RANGE, {"limits": [{"type": "Container", "default": default, "defaultRequest": dict(REQUEST)}]})


def access(tenant: Tenant) -> list[Item]:
    """Rights of its people and of its pipeline; none where none are named."""
    found: list[Item] = []
    for name, rules, people in ((VIEW, _VIEW_RULES, (tenant.people, tenant.ci)), (DEPLOY, _DEPLOY_RULES, (tenant.ci,))):
        subjects = [subject for each in people for subject in _subjects(each)]
        if subjects:
            found += [{**_item("rbac.authorization.k8s.io/v1", "Role", tenant, name), "rules": rules},
                      {**_item("rbac.authorization.k8s.io/v1", "RoleBinding", tenant, name), "subjects": subjects,
                       "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}}]
    return found


def _subjects(people: People) -> list[Item]:
    return [*({"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name} for kind, names in (("User", people.users), ("Group", people.groups))
              for name in names),
            *({"kind": "ServiceAccount", "namespace": space, "name": name} for space, name in people.service_accounts)]


def _item(api: str, kind: str, tenant: Tenant, name: str, spec: Item | None = None) -> Item:
    metadata = {"name": name, "namespace": tenant.namespace, "labels": TENANCY}
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **({"spec": spec} if spec is not None else {})}
