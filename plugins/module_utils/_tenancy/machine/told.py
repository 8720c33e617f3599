# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told of a tenant on a machine: limits, use, room for a second colour, what is foretold, and who is noisy by what. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from ..._instance.connections import KEPT
from ..shares import ADVISORY, ENFORCED, METERED
from .cgroups import Group
from .history import History, Sample, forecast
from .model import KINDS, LIMITS, Share, plain
from .seen import Observed, Sizes, Tenant
from .sums import promised

FULL = Decimal("0.9")
"""Of a limit that is used up to here, somebody should know."""
THROTTLED = 0.2
"""Of the time: who spends more of it at the bound of its processor time would take more than it has."""
# What tenants take from each other, or stand still by; space is told by the forecast.
_LOUD = ("web_cpu", "web_memory", "cron_cpu", "cron_memory", "queue_cpu", "queue_memory", "database_cpu", "database_memory", "pids", "connections",
         "session_memory", "session_clients", "temp_files")


def kinds_of_limit(observed: Observed) -> dict[str, str]:
    """Which limits hold on this machine, by the words of ``limits``, and ``io``: PostgreSQL's weight at the disks.

    ``enforced``: the kernel, PostgreSQL or Redis refuses, slows or ends what is beyond it. ``advisory``: it is written down, and is aimed at.
    ``metered``: only seen.
    """
    def by(controller: str) -> str:
        return ENFORCED if controller in observed.controllers else ADVISORY

    found = {word: by("cpu") if word.endswith("cpu") else by("memory") for word in LIMITS if word.endswith(("cpu", "memory"))}
    return {**found, **dict.fromkeys(("session_memory", "session_clients", "connections", "temp_files"), ENFORCED), "pids": by("pids"), "wal": ADVISORY,
            "data": METERED, "storage": METERED, "io": ENFORCED if observed.weighs_io and "io" in observed.controllers else ADVISORY}


def groups(tenant: Tenant) -> Iterator[tuple[str, str, Group]]:
    """Key for the history, kind, and what the kernel says, of each part that runs. A container that was made anew is another."""
    if tenant.database and tenant.database.active:
        yield "database", "database", tenant.database.group
    yield from ((container.id[:12], container.kind, container.group) for container in tenant.containers if container.running)


def sample(tenant: Tenant, sizes: Sizes | None, now: float) -> Sample:
    """What is written down of this moment."""
    spent = {key: [round(group.seconds or 0.0, 3), group.periods, group.throttled, group.killed] for key, _kind, group in groups(tenant)}
    taken = {} if sizes is None else {word: getattr(sizes, word) for word in ("data", "wal", "temp_files", "storage")}
    return Sample(now, taken, spent)


def usage(tenant: Tenant, sizes: Sizes | None, before: Sample | None, now: float) -> dict[str, Decimal]:
    """In the words of the limits. Of several containers of a kind it is the one that uses most, since each has the whole limit."""
    found: dict[str, Decimal] = {}

    def most(word: str, value: float | int | None) -> None:
        if value is not None:
            found[word] = max(found.get(word, Decimal(0)), Decimal(str(value)))

    for key, kind, group in groups(tenant):
        if kind in KINDS or kind == "database":
            most(f"{kind}_memory", group.memory)
            if before and key in before.spent and group.seconds is not None and now - before.at >= 1:
                most(f"{kind}_cpu", round(max(0.0, group.seconds - before.spent[key][0]) / (now - before.at), 3))
        if kind != "database":
            most("pids", group.pids)
    if tenant.database and tenant.database.active:
        most("connections", tenant.database.connections)
    if tenant.store and tenant.store.active:
        most("session_memory", tenant.store.group.memory)
        most("session_clients", tenant.store.clients)
    for word in ("data", "wal", "temp_files", "storage") if sizes else ():
        most(word, getattr(sizes, word))
    return found


def told(share: Share, observed: Observed, history: History, sizes: Sizes | None, now: float) -> dict[str, Any]:
    """One tenant, as the module and its info module return it."""
    tenant, before = observed.tenants[share.name], history.last(share.name)
    uses, kinds = usage(tenant, sizes, before, now), kinds_of_limit(observed)
    part = {word: uses[word] / share.limits[word] for word in LIMITS if word in uses}
    fullest = max(part, key=lambda word: part[word], default="")
    noisy = [{"name": share.name, "by": word, "uses": plain(uses[word]), "of": plain(share.limits[word]), "is": kinds[word]}
             for word in _LOUD if part.get(word, Decimal(0)) >= FULL]
    return {
        "name": share.name, "profile": share.profile, "limits": {word: plain(share.limits[word]) for word in LIMITS},
        "usage": {word: plain(value) for word, value in uses.items()}, "second_colour": second_colour(share, tenant, observed),
        "fullest": {"limit": fullest, "used": float(round(part[fullest], 3)) if fullest else 0.0},
        "forecast": forecast(history.samples.get(share.name, ()), {word: float(share.limits[word]) for word in LIMITS}, now),
        "noisy": noisy + _at_bounds(share.name, tenant, before), "unlimited": missing(tenant),
        "waits_for_restart": (runs_with(share, tenant, history.connections.get(share.name)) or share.whole("connections")) != share.whole("connections"),
    }


def _at_bounds(name: str, tenant: Tenant, before: Sample | None) -> list[dict[str, Any]]:
    """Who was slowed at its bound of processor time, or lost a process for want of memory, since the last sample."""
    found = []
    for key, kind, group in groups(tenant):
        then = (before.spent.get(key) if before else None) or (0.0, 0, 0, 0)
        periods, throttled, killed = group.periods - then[1], group.throttled - then[2], group.killed - then[3]
        if periods > 0 and throttled / periods >= THROTTLED:
            found.append({"name": name, "by": f"{kind}_cpu_throttled", "uses": f"{throttled / periods:.2f}", "of": "1", "is": ENFORCED})
        if killed > 0:
            found.append({"name": name, "by": f"{kind}_out_of_memory", "uses": str(int(killed)), "of": "0", "is": ENFORCED})
    return found


def second_colour(share: Share, tenant: Tenant, observed: Observed) -> dict[str, Any]:
    """Whether a second colour fits beside what runs: by the machine's memory, and by the connections of its PostgreSQL."""
    opened = tenant.database.connections if tenant.database else 0
    found = {"memory": (Decimal(observed.available), share.colour_memory),
             "connections": (share.limits["connections"] - KEPT - opened, Decimal(share.processes.needed.colour))}
    return {"fits": all(free >= needs for free, needs in found.values()),
            **{word: {"free": plain(free), "needs": plain(needs)} for word, (free, needs) in found.items()}}


def missing(tenant: Tenant) -> list[str]:
    """Parts that have no limits yet: they are not there, or were made by a role that did not know of them."""
    found = [] if tenant.database else ["database"]
    return found + ([] if tenant.store and tenant.store.reads else ["session_store"])


def runs_with(share: Share, tenant: Tenant, known: int | None) -> int | None:
    """With how many connections its PostgreSQL runs; None where it does not. It takes another number only when it is started anew.

    :param known: with how many it was last seen to run.
    """
    database = tenant.database
    if not database or not database.active:
        return None
    # Starts are told in whole seconds.
    if database.written <= database.started + 1:
        return share.whole("connections")
    # What the role gave it ran until its share's file was written.
    return known if known is not None else database.place.connections or share.whole("connections")


def machine(shares: Sequence[Share], releases: int, observed: Observed) -> dict[str, Any]:
    """What is promised of the machine, and what there is."""
    asked: Mapping[str, Decimal] = promised(shares, releases)
    return {"cpu": {"promised": plain(asked["cpu"]), "there": str(observed.cores)}, "cgroup": observed.version,
            "memory": {"promised": plain(asked["memory"]), "there": str(observed.memory), "available": str(observed.available)}}
