# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that follows from an instance's variables: the tables of docs/architecture.md, in one place."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}\Z")
DATABASE = re.compile(r"[a-z][a-z0-9_]{0,46}\Z")
"""PostgreSQL cuts names at 63 bytes, and a role is named ``<database>_green_queue``."""
DATA_CLASSES = ("production", "masked", "synthetic")
EXPOSURES = ("public", "partner", "internal")
HOSTS = {
    "blue_web": 11, "blue_cron": 12, "blue_queue": 13, "green_web": 21, "green_cron": 22, "green_queue": 23, "update": 31, "rehearsal": 41,
}
ROLES = ("blue_web", "blue_cron", "blue_queue", "green_web", "green_cron", "green_queue", "update")


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
    if isinstance(value, bool) or not 1 <= number <= 250:
        raise AnsibleFilterError(f"instance {name}: instance_number is {value!r}, expected a number from 1 to 250")
    return number


def _strings(variables: Mapping[str, Any], name: str, key: str) -> list[str]:
    value = variables.get(key) or []
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise AnsibleFilterError(f"instance {name}: {key} is {value!r}, expected a list")
    return [str(item) for item in value]


def instance_values(variables: Mapping[str, Any], name: str | None = None) -> dict[str, Any]:
    """All values of one instance.

    :param variables: the instance's ``hostvars``.
    :param name: its name; default ``inventory_hostname``.
    :raises AnsibleFilterError: naming the instance, the variable and what was expected.
    """
    name = str(name or variables.get("inventory_hostname"))
    if not NAME.match(name):
        raise AnsibleFilterError(
            f"instance {name}: expected a name of at most 40 lower-case letters, digits and -, beginning with a letter"
        )
    number = _number(variables, name)
    environment = str(_required(variables, name, "instance_environment"))
    database = str(variables.get("instance_database") or name.replace("-", "_"))
    if not DATABASE.match(database):
        raise AnsibleFilterError(
            f"instance {name}: instance_database is {database!r}, "
            "expected at most 47 lower-case letters, digits and _, beginning with a letter"
        )
    socket = f"/run/sysgenpro/{name}/postgresql"
    return {
        "name": name,
        "number": number,
        "machine": str(_required(variables, name, "instance_machine")),
        "tenant": str(_required(variables, name, "instance_tenant")),
        "environment": environment,
        "data_class": _one_of(name, "instance_data_class",
                              _required(variables, name, "instance_data_class"), DATA_CLASSES),
        "hosts": _strings(variables, name, "instance_hosts"),
        "exposure": _one_of(name, "instance_exposure", variables.get("instance_exposure", "internal"), EXPOSURES),
        "database": {"name": database, "port": 5500 + number, "socket": socket},
        "roles": {role: f"{database}_{role}" for role in ROLES},
        "session_socket": f"/run/sysgenpro/{name}/redis/redis.sock",
        "uid": 20000 + number,
        "workers": int(variables.get("instance_workers", 2)),
        "processes": dict(variables.get("instance_processes") or {}),
        "postgresql": dict(variables.get("instance_postgresql") or {}),
        "share": float(variables.get("instance_share", 0.25)),
        "mail_outside": bool(variables.get("instance_mail_outside", environment == "production")),
        **_network(variables, name, number),
    }


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
        "front": str(base + 2),
        "dynamic": f"{base + 128}/25",
        "pages": f"{machine.network_address + 2}:8069",
        "addresses": {kind: str(base + host) for kind, host in HOSTS.items()},
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
    for key, read in {
        "instance_number": lambda values: [values["number"]],
        "instance_database": lambda values: [values["database"]["name"]],
        "instance_hosts": lambda values: values["hosts"],
    }.items():
        taken: dict[Any, str] = {}
        for values in found:
            for value in read(values):
                if value in taken:
                    raise AnsibleFilterError(
                        f"instance {values['name']}: {key} {value} is taken by {taken[value]} on {machine}"
                    )
                taken[value] = values["name"]
    return found


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"instance_values": instance_values, "instances_on": instances_on}
