# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which instances a machine carries, by what is there of them, and how that agrees with an inventory. Reads only.

An instance's addresses, ports and uid derive from its name and number (docs/reference/machine.md), so what is there tells both.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._instance.names import FIRST_PORT, FIRST_UID, LABEL, NAME, NUMBERS
from .._kernel.errors import DomainError
from .._kernel.files import read_text

try:
    import docker

    HAS_DOCKER = True
except ImportError:
    HAS_DOCKER = False

# Parts in the order in which they are named.
PARTS = ("containers", "front", "route", "cluster", "stopped cluster", "session store", "timers", "mail block", "files")
_UNCHANGED = "Nothing was changed"


@dataclass
class Found:
    """What is there of an instance.

    :param parts: what, and what it says of itself: an address, a port, names of containers.
    :param numbers: the instance's number by each part that tells it.
    """

    name: str
    parts: dict[str, str] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    front: str = ""
    database: str = ""

    def add(self, part: str, says: str, number: int | None = None) -> None:
        self.parts[part] = says
        if number in NUMBERS:
            self.numbers[part] = int(number or 0)

    def named(self, parts: Collection[str] = PARTS) -> str:
        return ", ".join("{0} ({1})".format(part, self.parts[part]) if self.parts[part] else part
                         for part in PARTS if part in self.parts and part in parts)

    def as_dict(self) -> dict[str, Any]:
        return {"parts": {part: self.parts[part] for part in PARTS if part in self.parts}, "numbers": sorted(set(self.numbers.values())),
                "front": self.front, "database": self.database}


def observe(root: str = "/", containers: Callable[[], Iterable[tuple[str, str, str]]] | None = None) -> dict[str, Found]:
    """All instances of a machine by name.

    :param root: of its file system.
    :param containers: gives instance, name and state of each labelled container.
    """
    found: dict[str, Found] = {}

    def at(name: str) -> Found:
        return found.setdefault(name, Found(name))

    for instance, name, state in (containers or labelled)():
        said = at(instance).parts.get("containers")
        at(instance).add("containers", "{0}{1} {2}".format(said + ", " if said else "", name, state))
    for name, text in _texts(root, "etc/sysgenpro/fronts.d/*.ip"):
        address = _first(r"\breplace (\d+\.\d+\.\d+\.\d+)/", text)
        at(name).front = address
        at(name).add("front", address, _third(address))
    for name, text in _texts(root, "etc/traefik/dynamic/*.yml"):
        if "sysgenpro.odoo.traefik_route" in text.split("\n", 1)[0]:
            hosts = sorted(set(re.findall(r"Host\(`([^`]+)`\)", text)))
            at(name).add("route", ", ".join(hosts), _third(_first(r'"http://(\d+\.\d+\.\d+\.\d+):8072"', text)))
    for path, text in _read(root, "etc/postgresql/*/*/conf.d/sysgenpro.conf"):
        name, port = _first(r"/run/sysgenpro/([a-z0-9-]+)/postgresql", text), _first(r"(?m)^port\s*=\s*'?(\d+)", text)
        if name:
            at(name).database = path.split(os.sep)[-3]
            # Debian's start.conf: the role postgresql stops what is to be absent and keeps its data, as files are kept.
            stopped = "disabled" in (read_text(os.path.join(os.path.dirname(os.path.dirname(path)), "start.conf")) or "").splitlines()
            at(name).add("stopped cluster" if stopped else "cluster", "{0}, port {1}".format(at(name).database, port), int(port or 0) - FIRST_PORT)
    for name, _text in _texts(root, "etc/redis/redis-*.conf"):
        store = name[len("redis-"):]
        if os.path.exists(os.path.join(root, "etc/sysgenpro/redis", store + ".acl")):
            at(store).add("session store", "")
    for name, _text in _texts(root, "etc/sysgenpro/recovery/*.json"):
        at(name).add("timers", "")
    for name, text in _texts(root, "etc/sysgenpro/mail.d/*.nft"):
        at(name).add("mail block", "", int(_first(r"sysgenpro_mail_(\d+)", text) or 0))
    for path in sorted(glob.glob(os.path.join(root, "var/lib/sysgenpro/instances/*/data"))):
        owner = os.stat(path).st_uid
        at(path.split(os.sep)[-2]).add("files", "uid {0}".format(owner), owner - FIRST_UID)
    return {name: found[name] for name in sorted(found) if NAME.fullmatch(name)}


def check(found: Mapping[str, Found], wanted: Sequence[Mapping[str, Any]], absent: Collection[str] = ()) -> None:
    """Refuse an inventory that would run one instance as another.

    :param wanted: ``name``, ``number``, ``front`` and ``database`` of each instance that the inventory has here.
    :param absent: instances of which nothing but route and timers may be left.
    :raises DomainError: ``number_changed``, ``database_changed``, ``front_changed``, ``number_taken``, ``still_there``, ``not_absent``.
    """
    names = {str(one["name"]) for one in wanted}
    both = sorted(names & set(absent))
    if both:
        raise _error("not_absent", both[0], "it is to be absent and the inventory has it on this machine", "Leave it out of one of the two")
    for one in wanted:
        _check_same(found.get(str(one["name"])), one)
    for name in sorted(set(absent) & set(found)):
        left = found[name].named(("containers", "front", "cluster", "session store"))
        if left:
            raise _error("still_there", name, "it is to be absent, and here are still {0}".format(left),
                         "Put it back into the inventory, take it away as docs/guides/remove-an-instance.md says, and then out of the inventory")
    for one in wanted:
        for other in found.values():
            if other.name not in names and other.name not in absent and int(one["number"]) in other.numbers.values():
                what = other.named(other.numbers)
                raise _error(
                    "number_taken", str(one["name"]),
                    "instance_number {0} is {1}'s on this machine, which the inventory does not have here: {2}".format(one["number"], other.name, what),
                    "If it is the same instance under a new name, give it back its name {0}; otherwise give the new one another number".format(other.name),
                    holder=other.name, number=one["number"])


def _check_same(there: Found | None, one: Mapping[str, Any]) -> None:
    if there is None:
        return
    name, number = there.name, int(one["number"])
    others = {part: held for part, held in there.numbers.items() if held != number}
    if others:
        held = ", ".join(str(value) for value in sorted(set(others.values())))
        raise _error("number_changed", name, "instance_number is {0} in the inventory, and on the machine it is {1}: {2}".format(
            number, held, there.named(others)), "Give it back its number {0}; addresses, ports and owners of files derive from it".format(held),
            number=number, held=sorted(set(others.values())))
    database = str(one.get("database") or "")
    if database and there.database and there.database != database:
        raise _error("database_changed", name, "instance_database is {0} in the inventory, and on the machine it is {1}".format(database, there.database),
                     "Give it back its database's name {0}".format(there.database))
    front = str(one.get("front") or "")
    if front and there.front and there.front != front:
        raise _error("front_changed", name, "its front is {0} by the inventory, and {1} on the machine".format(front, there.front),
                     "Give the machine back its machine_subnet")


def unknown(found: Mapping[str, Found], wanted: Sequence[Mapping[str, Any]], elsewhere: Mapping[str, str], absent: Collection[str] = ()) -> list[str]:
    """What is here and the inventory does not have here, a sentence for each.

    :param elsewhere: machines by the instances that the inventory has on others.
    """
    names = {str(one["name"]) for one in wanted} | set(absent)
    return [
        "{0} is on this machine and {1}: {2}. It is left as it is".format(
            name, "the inventory has it on " + elsewhere[name] if name in elsewhere else "in no inventory given", one.named())
        for name, one in found.items() if name not in names
    ]


def labelled() -> list[tuple[str, str, str]]:
    """Instance, name and state of each container that is an instance's; none where there is no Docker.

    :raises DomainError: ``docker_down``.
    """
    if not os.path.exists("/run/docker.sock"):
        return []
    if not HAS_DOCKER:
        raise DomainError("missing_library", "Python's library docker is not installed on the machine", unchanged=_UNCHANGED,
                          advice="The role sysgenpro.odoo.container_host installs it")
    try:
        listed = docker.APIClient(base_url="unix:///run/docker.sock", version="auto", timeout=30).containers(all=True, filters={"label": LABEL + "instance"})
    except Exception as error:
        raise DomainError("docker_down", "Docker does not answer: {0}".format(error), unchanged=_UNCHANGED) from None
    return sorted((str(item["Labels"][LABEL + "instance"]), str(item["Names"][0]).lstrip("/"), str(item["State"])) for item in listed)


def _read(root: str, pattern: str) -> list[tuple[str, str]]:
    texts = []
    # No pipe is waited for.
    for path in filter(os.path.isfile, sorted(glob.glob(os.path.join(root, pattern)))):
        try:
            with open(path, encoding="utf-8", errors="replace") as stream:
                texts.append((path, stream.read()))
        except FileNotFoundError:
            continue
    return texts


def _texts(root: str, pattern: str) -> list[tuple[str, str]]:
    return [(os.path.splitext(os.path.basename(path))[0], text) for path, text in _read(root, pattern)]


def _first(pattern: str, text: str) -> str:
    match = re.search(pattern, text)
    return match.group(1) if match else ""


def _third(address: str) -> int | None:
    return int(address.split(".")[2]) if address else None


def _error(code: str, name: str, what: str, advice: str, **details: Any) -> DomainError:
    return DomainError(code, "instance {0}: {1}".format(name, what), unchanged=_UNCHANGED, advice=advice, instance=name, **details)
