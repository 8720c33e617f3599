# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the instances of a machine to what the machine's roles and modules take in bulk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import LOGINS, QUEUE_LOGINS


def clusters_of(instances: Sequence[Mapping[str, Any]], secrets: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """``postgresql_clusters`` of the role postgresql.

    :param secrets: an instance's secrets by its name.
    """
    return [
        {
            "instance": values["name"],
            "database": values["database"]["name"],
            "number": values["number"],
            **_size(values),
            "workers": values["processes"].get("web_workers", values["workers"]),
            "cron_threads": values["processes"].get("cron_threads", 1),
            "db_maxconn": values["processes"].get("db_maxconn", 8),
            # Its connections are counted where jobs are spoken of; the default's few are within the reserve.
            **{key: values["processes"][key] for key in ("queue_channels",) if values["processes"].get(key)},
            "passwords": login_passwords(secrets[values["name"]]),
            **values["postgresql"],
        }
        for values in instances
    ]


def _size(values: Mapping[str, Any]) -> dict[str, Any]:
    """By its profile where it has one, else its share of the machine."""
    limits = values.get("limits")
    if not limits:
        return {"share": values["share"]}
    return {"memory": int(limits["database_memory"]) // 2 ** 20, "cores": float(limits["database_cpu"]), "connections": int(limits["connections"])}


def machine_tenants_of(instances: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """``tenants`` of the module tenant_quota on a machine: the instances that have ``instance_share_of_machine``."""
    return [
        {
            "name": values["name"],
            "profile": values["share_of_machine"].get("profile"),
            "limits": values["share_of_machine"].get("limits"),
            # Further instances of the same tenant may be beside one that wants a machine of its own.
            "pool": values["tenant"] if values["profile_isolated"] else None,
            "processes": {
                "web_workers": int(values["processes"].get("web_workers", values["workers"])),
                **{key: values["processes"][key] for key in ("cron_threads", "db_maxconn", "queue_channels") if values["processes"].get(key) is not None},
            },
        }
        for values in instances if values.get("limits")
    ]


def login_passwords(secrets: Mapping[str, str]) -> dict[str, str]:
    """Passwords of an instance's login roles by login. Secrets that were made by hand need not have those of the queue; who runs jobs is told."""
    return {**{login: secrets["database_" + login] for login in LOGINS},
            **{login: value for login in QUEUE_LOGINS if (value := secrets.get("database_" + login))}}


def session_stores_of(
    instances: Sequence[Mapping[str, Any]], secrets: Mapping[str, Mapping[str, str]]
) -> list[dict[str, Any]]:
    """``redis_instances`` of the role redis.

    :param secrets: an instance's secrets by its name.
    """
    return [
        {"instance": values["name"], "number": values["number"], "password": secrets[values["name"]]["session"]}
        for values in instances
    ]


def routes_of(instances: Sequence[Mapping[str, Any]], hostvars: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``routes`` of the module traefik_route, for the instances that have host names.

    :raises AnsibleFilterError: for an instance without ``instance_tls``.
    """
    routes = []
    for values in instances:
        if not values["hosts"]:
            continue
        variables = hostvars[values["name"]]
        tls, further = _read_tls(variables), variables.get("instance_route") or {}
        # There TLS is the Gateway's.
        attached = further.get("output") == "http_route"
        if not tls and not attached:
            raise AnsibleFilterError(
                f"instance {values['name']}: instance_tls is missing; expected certificate and private_key, "
                "certificate_path and private_key_path, or resolver"
            )
        routes.append({
            "name": values["name"],
            "hosts": values["hosts"],
            "exposure": values["exposure"],
            # In a cluster it is a Service, which the module knows by these two names.
            **({"namespace": values["namespace"]} if values["runtime"] == "kubernetes" else {"front": values["front"]}),
            **({"tls": tls} if tls else {}),
            **further,
        })
    return routes


def identities_of(instances: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """``instances`` of the module machine_instances_info."""
    return [{"name": values["name"], "number": values["number"], "front": values["front"], "database": values["database"]["name"]}
            for values in instances]


def machines_of_others(hostvars: Mapping[str, Any], machine: str, groups: Mapping[str, Any]) -> dict[str, str]:
    """``elsewhere`` of the module machine_instances_info: machines of the instances that the inventory has on others."""
    found = {str(name): str(hostvars[name].get("instance_machine") or "") for name in groups.get("instances", [])}
    return {name: other for name, other in found.items() if other not in ("", machine)}


def _read_tls(variables: Mapping[str, Any]) -> dict[str, Any]:
    """``instance_tls``. What it looks up is one tenant's file on the controller: that it cannot be read is told by the module, of its route alone."""
    try:
        return {str(key): value if value is None else str(value) for key, value in (variables.get("instance_tls") or {}).items()}
    except Exception as error:
        return {"unavailable": " ".join(str(error).split())[:500]}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"clusters_of": clusters_of, "session_stores_of": session_stores_of, "machine_tenants_of": machine_tenants_of,
                "routes_of": routes_of, "login_passwords": login_passwords,
                "identities_of": identities_of, "machines_of_others": machines_of_others}
