# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that follows from an instance's variables: docs/reference/inventory.md and docs/reference/machine.md tell it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import (
    DATABASE,
    DATABASE_SAID,
    FIRST_PORT,
    FIRST_UID,
    FRONT,
    HOST_PARTS,
    HTTP,
    NAME,
    NAME_SAID,
    NAMESPACE,
    NAMESPACE_SAID,
    NUMBERS,
    logins_of,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.text import parse_memory
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.machine.model import KINDS, limits_of
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.profiles import PROFILES, SHARED

DATA_CLASSES = ("production", "masked", "synthetic")
TOOLBOX_FILES = "/etc/sysgenpro/toolbox"
"""Where the toolbox finds the certificates of the authorities that it trusts."""
NO_MAIL = {"smtp_server": "invalid", "smtp_port": 25}
"""A name that never resolves (RFC 6761, 6.4), as Odoo's own neutralization sets it."""
EXPOSURES = ("public", "partner", "internal")


def _required(variables: Mapping[str, Any], name: str, key: str) -> Any:
    value = variables.get(key)
    if value is None or value == "":
        raise AnsibleFilterError(f"instance {name}: {key} is missing")
    return value


def _one_of(name: str, key: str, value: Any, choices: Iterable[str]) -> str:
    if value not in choices:
        raise AnsibleFilterError(f"instance {name}: {key} is {value!r}, expected one of {', '.join(choices)}")
    return str(value)


def _number(variables: Mapping[str, Any], name: str) -> int:
    value = _required(variables, name, "instance_number")
    try:
        number = int(value)
    except (TypeError, ValueError):
        number = 0
    if isinstance(value, bool) or number not in NUMBERS:
        raise AnsibleFilterError(f"instance {name}: instance_number is {value!r}, expected a number from 1 to 250")
    return number


def _strings(variables: Mapping[str, Any], name: str, key: str) -> list[str]:
    value = variables.get(key) or []
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise AnsibleFilterError(f"instance {name}: {key} is {value!r}, expected a list")
    return [str(item) for item in value]


def _dictionary(variables: Mapping[str, Any], name: str, key: str) -> Mapping[str, Any]:
    value = variables.get(key) or {}
    if not isinstance(value, Mapping):
        raise AnsibleFilterError(f"instance {name}: {key} is {value!r}, expected a dictionary")
    return value


def instance_values(variables: Mapping[str, Any], name: str | None = None) -> dict[str, Any]:
    """All values of one instance.

    :param variables: the instance's ``hostvars``.
    :param name: its name; default ``inventory_hostname``.
    :raises AnsibleFilterError: naming the instance, the variable and what was expected.
    """
    name = str(name or variables.get("inventory_hostname"))
    if not NAME.fullmatch(name):
        raise AnsibleFilterError(f"instance {name}: expected a name of {NAME_SAID}")
    environment = str(_required(variables, name, "instance_environment"))
    database = str(variables.get("instance_database") or name.replace("-", "_"))
    if not DATABASE.fullmatch(database):
        raise AnsibleFilterError(f"instance {name}: instance_database is {database!r}, expected {DATABASE_SAID}")
    mail_outside = bool(variables.get("instance_mail_outside", environment == "production"))
    return {
        "name": name,
        "tenant": str(_required(variables, name, "instance_tenant")),
        "environment": environment,
        "data_class": _one_of(name, "instance_data_class",
                              _required(variables, name, "instance_data_class"), DATA_CLASSES),
        "hosts": _strings(variables, name, "instance_hosts"),
        "exposure": _one_of(name, "instance_exposure", variables.get("instance_exposure", "internal"), EXPOSURES),
        "roles": {role[len(database) + 1:]: role for role in logins_of(database)},
        "workers": int(variables.get("instance_workers", 2)),
        "config": {**_dictionary(variables, name, "instance_config"), **({} if mail_outside else NO_MAIL)},
        "environment_names": sorted(_dictionary(variables, name, "instance_environment_variables")),
        "processes": dict(variables.get("instance_processes") or {}),
        "postgresql": dict(variables.get("instance_postgresql") or {}),
        "share": float(variables.get("instance_share", 0.25)),
        **_share_of_machine(variables, name),
        "mail_outside": mail_outside,
        **(_in_cluster if variables.get("instance_cluster") else _on_machine)(variables, name, database),
    }


def _share_of_machine(variables: Mapping[str, Any], name: str) -> dict[str, Any]:
    """``instance_share_of_machine``: what is asked for, and the limits that it comes to; none where nothing is said. Sizes of processes follow from it."""
    given = variables.get("instance_share_of_machine") or {}
    if not given:
        return {"share_of_machine": {}, "limits": {}, "profile_isolated": False}
    profile_name = given.get("profile") if isinstance(given, Mapping) else None
    if not isinstance(given, Mapping) or set(given) - {"profile", "limits"} or (profile_name and profile_name not in PROFILES):
        raise AnsibleFilterError(f"instance {name}: instance_share_of_machine is {given!r}, expected profile, one of {', '.join(PROFILES)}, or limits")
    profile = PROFILES.get(str(profile_name))
    try:
        limits = limits_of(name, profile, given.get("limits") or {})
    except DomainError as error:
        raise AnsibleFilterError(f"instance_share_of_machine: {error.message}") from None
    processes = dict(variables.get("instance_processes") or {})
    for kind in KINDS:
        most, asked = limits[f"{kind}_memory"], processes.get(f"{kind}_memory")
        if asked is not None and parse_memory(f"instance_processes.{kind}_memory", str(asked)) > most:
            raise AnsibleFilterError(f"instance {name}: instance_processes.{kind}_memory is {asked}, expected at most the {int(most) // 2 ** 20}m of its share")
    sizes = {f"{kind}_memory": f"{int(limits[f'{kind}_memory']) // 2 ** 20}m" for kind in KINDS}
    # Plain numbers, as Ansible keeps no others.
    numbers = {key: int(value) if value == int(value) else float(value) for key, value in limits.items()}
    return {"share_of_machine": dict(given), "limits": numbers, "profile_isolated": profile is not None and profile.isolation != SHARED,
            "processes": {**sizes, **processes}}


def _on_machine(variables: Mapping[str, Any], name: str, database: str) -> dict[str, Any]:
    """What derives from an instance's number on its machine."""
    number = _number(variables, name)
    session = f"/run/sysgenpro/{name}/redis/redis.sock"
    return {
        "runtime": "docker",
        "number": number,
        "machine": str(_required(variables, name, "instance_machine")),
        "database": {"name": database, "port": FIRST_PORT + number, "socket": f"/run/sysgenpro/{name}/postgresql"},
        "session_socket": session,
        "session": {"socket": session},
        "uid": FIRST_UID + number,
        **_network(variables, name, number),
    }


def _in_cluster(variables: Mapping[str, Any], name: str, database: str) -> dict[str, Any]:
    """What an instance has in a Kubernetes cluster. Passwords are not among it."""
    if variables.get("instance_machine"):
        raise AnsibleFilterError(f"instance {name}: instance_machine and instance_cluster are both given, expected one: where its processes run")
    namespace = str(variables.get("instance_namespace") or name)
    if not NAMESPACE.fullmatch(namespace):
        raise AnsibleFilterError(f"instance {name}: instance_namespace is {namespace!r}, expected {NAMESPACE_SAID}")
    trusted = {key: f"{TOOLBOX_FILES}/{key}.crt" for key in ("database", "session") if (variables.get("instance_authorities") or {}).get(key)}
    return {
        "runtime": "kubernetes",
        "cluster": str(variables["instance_cluster"]),
        "namespace": namespace,
        "database": {"name": database, "port": 5432, **_service(variables, name, "instance_database_server", trusted.get("database"))},
        "session": _service(variables, name, "instance_session_server", trusted.get("session")),
        "uid": int(variables.get("instance_uid") or FIRST_UID),
    }


def _service(variables: Mapping[str, Any], name: str, key: str, trusted: str | None) -> dict[str, Any]:
    """Where a service is, without its passwords."""
    given = _required(variables, name, key)
    if not isinstance(given, Mapping) or not given.get("host"):
        raise AnsibleFilterError(f"instance {name}: {key} is {given!r}, expected a dictionary with host")
    return {**({"ca_path": trusted} if trusted else {}), **{field: value for field, value in given.items() if not str(field).endswith("password")}}


def _network(variables: Mapping[str, Any], name: str, number: int) -> dict[str, Any]:
    value = variables.get("machine_subnet", "172.28.0.0/16")
    try:
        machine = ipaddress.IPv4Network(str(value))
    except ValueError as error:
        raise AnsibleFilterError(f"instance {name}: machine_subnet is {value!r}: {error}") from error
    if machine.prefixlen != 16:
        raise AnsibleFilterError(f"instance {name}: machine_subnet is {value!r}, expected a /16")
    base = machine.network_address + number * 256
    return {
        "bridge": f"sgp{number}",
        "subnet": f"{base}/24",
        "gateway": str(base + 1),
        "front": str(base + HOST_PARTS[FRONT]),
        "dynamic": f"{base + 128}/25",
        "pages": f"{machine.network_address + HOST_PARTS[FRONT]}:{HTTP}",
        "addresses": {place.replace("-", "_"): str(base + host) for place, host in HOST_PARTS.items() if place != FRONT},
    }


def instances_on(hostvars: Mapping[str, Any], machine: str, groups: Mapping[str, Any]) -> list[dict[str, Any]]:
    """All values of all instances of one machine, by number; also of those that ``--limit`` leaves out.

    :param groups: Ansible's ``groups``; ``on_<machine>`` is used where the inventory has it, else ``instances``.
    :raises AnsibleFilterError: naming the instance and the variable that is wrong or taken twice on the machine.
    """
    group = "on_" + re.sub(r"[^A-Za-z0-9_]", "_", machine)
    names = groups.get(group, groups.get("instances", []))
    found = [
        instance_values(hostvars[name], name) for name in names if hostvars[name].get("instance_machine") == machine
    ]
    found.sort(key=lambda values: (int(values["number"]), values["name"]))
    check_taken_once(found, "on " + machine, {
        "instance_number": lambda values: [values["number"]],
        "instance_database": lambda values: [values["database"]["name"]],
        "instance_hosts": lambda values: values["hosts"],
    })
    return found


def check_taken_once(found: Iterable[Mapping[str, Any]], where: str, keys: Mapping[str, Callable[[Mapping[str, Any]], Iterable[Any]]]) -> None:
    """No two instances of a machine, or of a cluster, have what only one can have.

    :param where: such as ``on vm-prod-1``, for the message. :param keys: by the inventory's variable, what an instance takes.
    :raises AnsibleFilterError: naming both instances and the variable.
    """
    for key, read in keys.items():
        taken: dict[Any, str] = {}
        for values in found:
            for value in read(values):
                if value in taken:
                    raise AnsibleFilterError(f"instance {values['name']}: {key} {value} is taken by {taken[value]} {where}")
                taken[value] = values["name"]


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"instance_values": instance_values, "instances_on": instances_on}
