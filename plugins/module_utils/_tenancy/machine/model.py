# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tenant's share of a machine is: typed values, and every check of the input that needs no look at the world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ..._instance.connections import Needed, jobs_of, needed
from ..._kernel.errors import DomainError, bad_input
from ..._kubernetes.quantities import parse
from ..model import parse_name
from ..profiles import PROFILES, SHARED, Profile

KINDS = ("web", "cron", "queue")
CORES = ("cpu", *(f"{kind}_cpu" for kind in KINDS), "database_cpu")
BYTES = (*(f"{kind}_memory" for kind in KINDS), "database_memory", "session_memory", "temp_files", "wal", "data", "storage")
COUNTS = ("pids", "connections", "session_clients")
LIMITS = (*CORES, *BYTES, *COUNTS)
"""The words of ``limits`` on a machine."""
ONCE_MEMORY = Decimal(4 * 1024 ** 3)
"""What ``odoo_release`` gives an update or a rehearsal."""
_LEAST = {"database_memory": Decimal(128 * 1024 ** 2), "session_memory": Decimal(16 * 1024 ** 2), "wal": Decimal(64 * 1024 ** 2), "pids": Decimal(64)}
"""Below these nothing starts. Two segments of the WAL are PostgreSQL's own least, and it wants more to be of use."""


@dataclass(frozen=True)
class Processes:
    """What opens connections: see ``processes`` of ``odoo_release``."""

    web_workers: int = 2
    cron_threads: int = 1
    db_maxconn: int = 8
    queue_channels: str = ""

    @property
    def jobs(self) -> int:
        return jobs_of(self.queue_channels)

    @property
    def needed(self) -> Needed:
        return needed(self.web_workers, self.cron_threads, self.db_maxconn, self.jobs)


@dataclass(frozen=True)
class Share:
    """One tenant's share of a machine.

    :param limits: numbers by the words of ``LIMITS``: cores, bytes and counts.
    :param pool: whose machine it has to be; empty where anybody may be beside it.
    """

    name: str
    profile: str
    limits: Mapping[str, Decimal]
    processes: Processes
    pool: str = ""

    def whole(self, limit: str) -> int:
        return int(self.limits[limit])

    @property
    def colour_memory(self) -> Decimal:
        """Of the containers of one colour."""
        return sum((self.limits[f"{kind}_memory"] for kind in self.kinds), Decimal(0))

    @property
    def kinds(self) -> tuple[str, ...]:
        return KINDS if self.processes.jobs else KINDS[:2]

    @property
    def lasting_memory(self) -> Decimal:
        """Of all that runs between releases: one colour, the database, the session store."""
        return self.colour_memory + self.limits["database_memory"] + self.limits["session_memory"]

    @property
    def release_memory(self) -> Decimal:
        """What a release takes beside that: the second colour, or an update."""
        return max(self.colour_memory, ONCE_MEMORY)

    def as_dict(self) -> dict[str, Any]:
        """What is written down on the machine; ``from_dict`` reads it."""
        return {"name": self.name, "profile": self.profile, "pool": self.pool, "limits": {name: plain(self.limits[name]) for name in LIMITS},
                "processes": dict(vars(self.processes))}


def from_dict(value: Mapping[str, Any]) -> Share:
    """:raises DomainError: ``bad_input`` where it is no share."""
    return parse_share(0, {**value, "profile": None}, str(value.get("profile") or ""))


def parse_shares(values: Iterable[Mapping[str, Any]]) -> list[Share]:
    """Check and complete all tenants of a call.

    :raises DomainError: ``bad_input`` naming tenant and field, ``connections_short``.
    """
    shares: dict[str, Share] = {}
    for index, value in enumerate(values):
        share = parse_share(index, value)
        if share.name in shares:
            raise bad_input(f"tenants[{index}].name", share.name, "a name that no other tenant has")
        shares[share.name] = share
    short = [f"{share.name} has {share.whole('connections')} and needs {share.processes.needed.all} = {share.processes.needed.said}"
             for share in shares.values() if share.limits["connections"] < share.processes.needed.all]
    if short:
        raise DomainError("connections_short", "processes may open more connections than a share has: " + "; ".join(short), unchanged="Nothing was changed",
                          advice="Raise limits.connections, or lower workers or db_maxconn, which is a bound of each process")
    return list(shares.values())


def parse_share(index: int, value: Mapping[str, Any], said: str = "") -> Share:
    """:param said: the profile's name, of which the limits do not follow any more. :raises DomainError: ``bad_input``."""
    name = parse_name(index, value.get("name"))
    profile_name = str(value.get("profile") or "")
    if profile_name and profile_name not in PROFILES:
        raise bad_input(f"tenants[{name}].profile", profile_name, "one of " + ", ".join(PROFILES))
    profile = PROFILES.get(profile_name)
    limits = limits_of(name, profile, value.get("limits") or {})
    isolated = profile is not None and profile.isolation != SHARED
    return Share(name, profile_name or said, limits, _processes(name, value.get("processes") or {}), str(value.get("pool") or (name if isolated else "")))


def limits_of(name: str, profile: Profile | None, given: Mapping[str, Any]) -> dict[str, Decimal]:
    """Of the profile, and what is given beside it. :raises DomainError: ``bad_input``."""
    strange = sorted(key for key, value in given.items() if value is not None and key not in LIMITS)
    if strange:
        raise bad_input(f"tenants[{name}].limits.{strange[0]}", given[strange[0]], "nothing on a machine, whose limits are " + ", ".join(LIMITS))
    found: dict[str, Decimal] = {}
    for key in LIMITS:
        path, value = f"tenants[{name}].limits.{key}", given.get(key)
        if value is None and profile is not None:
            value = getattr(profile.machine, key) if hasattr(profile.machine, key) else getattr(profile, key)
        if value is None:
            raise bad_input(path, None, "a value, or a profile that has one")
        number = parse(path, value)
        if number <= 0 or (key in COUNTS and number != int(number)):
            raise bad_input(path, value, "a count above 0" if key in COUNTS else "a quantity above 0")
        if key.endswith("cpu") and number < Decimal("0.01"):
            raise bad_input(path, value, "at least 10m, the least that Docker and systemd take")
        if key in _LEAST and number < _LEAST[key]:
            raise bad_input(path, value, f"at least {shown(key, _LEAST[key])}, below which nothing starts")
        found[key] = Decimal(int(number)) if key in BYTES else number
    return found


def _processes(name: str, given: Mapping[str, Any]) -> Processes:
    known = {key: given[key] for key in vars(Processes()) if given.get(key) is not None}
    for key, value in known.items():
        if key != "queue_channels" and (not isinstance(value, int) or value < (0 if key == "web_workers" else 1)):
            raise bad_input(f"tenants[{name}].processes.{key}", value, "a count")
    found = Processes(**known)
    try:
        jobs_of(found.queue_channels)
    except ValueError:
        raise bad_input(f"tenants[{name}].processes.queue_channels", found.queue_channels, "channels such as root:4,root.mail:1") from None
    return found


def shown(limit: str, value: Decimal) -> str:
    """A number for people."""
    if limit not in BYTES:
        return plain(value)
    for unit, size in (("GiB", 2 ** 30), ("MiB", 2 ** 20), ("KiB", 2 ** 10)):
        if value >= size:
            return f"{plain(round(value / size, 1))} {unit}"
    return f"{plain(value)} bytes"


def plain(value: Decimal) -> str:
    """A number without an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
