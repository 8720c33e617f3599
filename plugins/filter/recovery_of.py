# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an instance's recovery points lie, from its inventory variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

LOCAL = "/var/lib/sysgenpro/recovery"
# Where the toolbox finds the certificate that instance_authorities gives for the store.
AUTHORITY = "/etc/sysgenpro/toolbox/recovery.crt"
# Kept for the role recovery_point.
TIMERS = ("pruning", "schedule", "retention", "oldest", "reread")
KEYS = ("location", "access_key", "secret_key", "region", "ca_path", "lock_mode", "lock_days", "password")
POLICY = ("trusted_signers", "before_update", "keep_abandoned", "jobs", "accepted_losses")


def names_of(secrets: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Names of secrets, those within others with a dot; no values: what whoever rebuilds an instance must bring."""
    found: list[str] = []
    for key, value in secrets.items():
        found += names_of(value, f"{prefix}{key}.") if isinstance(value, Mapping) else [f"{prefix}{key}"]
    return sorted(found)


def recovery_of(variables: Mapping[str, Any], secrets: Mapping[str, Any]) -> dict[str, Any]:
    """The parameter ``recovery`` of ``odoo_release``; empty where ``instance_recovery`` is ``false``.

    :param variables: the instance's ``hostvars``.
    :param secrets: its secrets; ``recovery`` is the repository's password.
    :raises AnsibleFilterError: naming a key that there is not, or one that is missing.
    """
    name = str(variables.get("inventory_hostname"))
    given = variables.get("instance_recovery", {})
    if given is False:
        return {}
    if not isinstance(given, Mapping):
        raise AnsibleFilterError(f"instance {name}: instance_recovery is {given!r}, expected a dictionary or false")
    known = (*KEYS, *POLICY, *TIMERS)
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise AnsibleFilterError(f"instance {name}: instance_recovery has {', '.join(unknown)}, expected some of {', '.join(known)}")
    if not secrets.get("recovery") and "password" not in given:
        raise AnsibleFilterError(f"instance {name}: its secrets lack recovery, the password of its recovery points' repository")
    # One repository and one key for each instance, so that an end of one is the end of its data and of nobody else's.
    trusted = {"ca_path": AUTHORITY} if variables.get("instance_cluster") and (variables.get("instance_authorities") or {}).get("recovery") else {}
    repository = {"location": f"{LOCAL}/{name}", "password": secrets.get("recovery"), **trusted, **{key: given[key] for key in KEYS if key in given}}
    options = names_of(variables.get("instance_config_secrets") or {}, "instance_config_secrets.")
    return {"repository": repository, "secret_names": sorted([*names_of(secrets), *options]), **{key: given[key] for key in POLICY if key in given}}


def recovery_points_of(
    instances: Iterable[Mapping[str, Any]], hostvars: Mapping[str, Any], secrets: Mapping[str, Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The role recovery_point's list of a machine's instances, without those whose ``instance_recovery`` is ``false``.

    :param instances: what ``instances_on`` gives. :param secrets: by instance.
    :raises AnsibleFilterError: as ``recovery_of``.
    """
    found = []
    for values in instances:
        name = values["name"]
        variables = hostvars[name]
        recovery = recovery_of({**dict(variables), "inventory_hostname": name}, secrets[name])
        if recovery:
            given = variables.get("instance_recovery") or {}
            found.append({
                "instance": name, "tenant": values["tenant"], "environment": values["environment"], "data_class": values["data_class"],
                "database": values["database"], "repository": recovery["repository"], "secret_names": recovery["secret_names"],
                **{key: recovery[key] for key in ("trusted_signers", "accepted_losses") if key in recovery},
                **{key: given[key] for key in TIMERS if key in given}})
    return found


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"recovery_of": recovery_of, "recovery_points_of": recovery_points_of}
