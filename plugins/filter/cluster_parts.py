# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the instances of a Kubernetes cluster to what the cluster's modules take in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.filter.instances import check_taken_once, instance_values

PROFILE = "small"
"""Of an instance that names none."""


def instances_in(hostvars: Mapping[str, Any], cluster: str, groups: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All values of all instances of one cluster, by name; also of those that ``--limit`` leaves out.

    :raises AnsibleFilterError: naming the instance and the variable that is wrong or taken twice in the cluster.
    """
    found = [instance_values(hostvars[name], name) for name in sorted(groups.get("instances", [])) if hostvars[name].get("instance_cluster") == cluster]
    check_taken_once(found, "in " + cluster, {
        "instance_namespace": lambda values: [values["namespace"]],
        "instance_hosts": lambda values: values["hosts"],
        "instance_database": lambda values: ["{host}:{port}/{name}".format(**values["database"])],
    })
    return found


def tenants_of(instances: Sequence[Mapping[str, Any]], hostvars: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``tenants`` of the module tenant_quota.

    Its images may come from the registries of its release and of its toolbox, beside those that ``instance_share_of_cluster`` names.
    """
    tenants = []
    for values in instances:
        variables = hostvars[values["name"]]
        share = dict(variables.get("instance_share_of_cluster") or {})
        images = [variables.get("instance_toolbox_image"), variables.get("instance_release")]
        tenants.append({
            "name": values["name"], "namespace": values["namespace"], "hosts": values["hosts"], "profile": PROFILE, **share,
            "registries": sorted({*_registries(images), *(share.get("registries") or [])}),
        })
    return tenants


def homes_elsewhere(tenants: Iterable[Mapping[str, Any]], hostvars: Mapping[str, Any], cluster: str, groups: Mapping[str, Any]) -> list[str]:
    """A sentence for each tenant of a cluster that the inventory has as an instance somewhere else.

    :param tenants: what ``tenant_quota_info`` tells of the cluster.
    """
    known = {str(name): hostvars[name] for name in groups.get("instances", [])}
    found = []
    for name in sorted(tenant["name"] for tenant in tenants if tenant["name"] in known):
        home = known[name].get("instance_cluster") or known[name].get("instance_machine")
        if home != cluster:
            found.append(f"{name} runs in {cluster}, and the inventory has it on {home}.")
    return found


def _registries(images: Iterable[Any]) -> set[str]:
    """``registry/repository`` of references; a release's short name has none."""
    return {str(image).split("@", 1)[0] for image in images if image and "/" in str(image)}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"homes_elsewhere": homes_elsewhere, "instances_in": instances_in, "tenants_of": tenants_of}
