# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kinds of object and where a cluster's API keeps them: known here, so that no call has to discover them.

Source: the Kubernetes API reference, Gateway API and Traefik's CRDs, each in the version that is served today.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError


@dataclass(frozen=True)
class Kind:
    """:param api: ``v1`` or ``group/version``. :param plural: its name in paths. :param namespaced: whether its objects live in a namespace."""

    name: str
    api: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str | None = None, name: str = "") -> str:
        """Of its objects, or of one: all namespaces' where none is named."""
        root = f"/api/{self.api}" if "/" not in self.api else f"/apis/{self.api}"
        inside = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{inside}/{self.plural}" + (f"/{name}" if name else "")


_TABLE: tuple[tuple[str, bool, str], ...] = (
    ("v1", True, "ConfigMap configmaps, Event events, LimitRange limitranges, PersistentVolumeClaim persistentvolumeclaims, Pod pods,"
                 " ResourceQuota resourcequotas, Secret secrets, Service services, ServiceAccount serviceaccounts"),
    ("v1", False, "Namespace namespaces, Node nodes, PersistentVolume persistentvolumes"),
    ("apps/v1", True, "Deployment deployments, StatefulSet statefulsets"),
    ("batch/v1", True, "Job jobs, CronJob cronjobs"),
    ("autoscaling/v2", True, "HorizontalPodAutoscaler horizontalpodautoscalers"),
    ("policy/v1", True, "PodDisruptionBudget poddisruptionbudgets"),
    ("coordination.k8s.io/v1", True, "Lease leases"),
    ("discovery.k8s.io/v1", True, "EndpointSlice endpointslices"),
    ("networking.k8s.io/v1", True, "NetworkPolicy networkpolicies"),
    ("rbac.authorization.k8s.io/v1", True, "Role roles, RoleBinding rolebindings"),
    ("rbac.authorization.k8s.io/v1", False, "ClusterRole clusterroles, ClusterRoleBinding clusterrolebindings"),
    ("scheduling.k8s.io/v1", False, "PriorityClass priorityclasses"),
    ("storage.k8s.io/v1", False, "StorageClass storageclasses"),
    ("admissionregistration.k8s.io/v1", False, "ValidatingAdmissionPolicy validatingadmissionpolicies,"
                                               " ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings"),
    ("traefik.io/v1alpha1", True, "IngressRoute ingressroutes, Middleware middlewares, ServersTransport serverstransports, TLSOption tlsoptions,"
                                  " TraefikService traefikservices"),
    ("gateway.networking.k8s.io/v1", True, "Gateway gateways, HTTPRoute httproutes"),
)

KINDS: Mapping[str, Kind] = {
    name: Kind(name, api, plural, namespaced)
    for api, namespaced, kinds in _TABLE for name, plural in (each.split() for each in kinds.split(","))
}


def path_of(item: Mapping[str, Any]) -> str:
    """The path of an object by what it says of itself.

    :raises DomainError: ``kind_unknown``, for a kind or version that is not in the table.
    """
    kind = KINDS.get(item.get("kind", ""))
    if kind is None or kind.api != item.get("apiVersion"):
        raise DomainError("kind_unknown", "{} of {} is no kind that is known here".format(item.get("kind"), item.get("apiVersion")),
                          unchanged="Nothing was changed")
    return kind.path(item["metadata"].get("namespace"), item["metadata"]["name"])


def called(item: Mapping[str, Any]) -> str:
    """An object, for a message: ``Deployment acme-production/blue-web``."""
    metadata = item["metadata"]
    return "{} {}".format(item["kind"], "/".join(part for part in (metadata.get("namespace"), metadata["name"]) if part))
