# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is refused by how a machine is: more promised than it has, less given than runs, a neighbour where none may be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from ..._kernel.errors import DomainError
from ..._kernel.text import joined
from .model import BYTES, Share, plain, shown
from .render import bounds, store_memory
from .seen import Observed, Sizes, Tenant

_UNCHANGED = "Nothing was changed"


def all_shares(shares: Sequence[Share], absent: Iterable[str], observed: Observed) -> list[Share]:
    """Those asked for, and those of tenants that are not named and stay."""
    named = {share.name for share in shares} | set(absent)
    return [*shares, *(share for name, share in observed.shares.items() if name not in named)]


def promised(shares: Sequence[Share], releases: int) -> dict[str, Decimal]:
    """What all tenants may have at once: what runs between releases, and the largest releases that may be under way together."""
    beside = sorted((share.release_memory for share in shares), reverse=True)[:releases]
    return {"cpu": sum((share.limits["cpu"] for share in shares), Decimal(0)),
            "memory": sum((share.lasting_memory for share in shares), Decimal(0)) + sum(beside, Decimal(0))}


def check_promised(shares: Sequence[Share], releases: int, observed: Observed, most: Mapping[str, float]) -> None:
    """:param most: how many times what the machine has may be promised, by ``cpu`` and ``memory``; 0 is without bound.

    :raises DomainError: ``overcommitted``, with the arithmetic.
    """
    asked, said = promised(shares, releases), []
    for resource, there in (("cpu", Decimal(observed.cores)), ("memory", Decimal(observed.memory))):
        factor = Decimal(str(most[resource]))
        if factor and asked[resource] > there * factor:
            parts = _cores(shares) if resource == "cpu" else _memory(shares, releases)
            said.append(f"{resource}: {joined(parts)} = {_said(resource, asked[resource])}, and the machine has {_said(resource, there)} x {plain(factor)}"
                        f" = {_said(resource, there * factor)}")
    if said:
        raise DomainError("overcommitted", f"more would be promised than there is. {'; '.join(said)}", unchanged=_UNCHANGED,
                          advice="Give smaller shares, move an instance, or raise overcommit and know that not everybody can have their share at once")


def _cores(shares: Sequence[Share]) -> list[str]:
    return [f"{share.name} {plain(share.limits['cpu'])}" for share in shares]


def _memory(shares: Sequence[Share], releases: int) -> list[str]:
    parts = [f"{share.name} {_said('memory', share.colour_memory)} for Odoo + {_said('memory', share.limits['database_memory'])} for PostgreSQL"
             f" + {_said('memory', share.limits['session_memory'])} for sessions" for share in shares]
    beside = sorted((share.release_memory for share in shares), reverse=True)[:releases]
    return [*parts, *(f"{_said('memory', each)} for a release" for each in beside)]


def _said(resource: str, value: Decimal) -> str:
    return shown("database_memory", value) if resource == "memory" else f"{plain(value)} cores"


def grows(shares: Sequence[Share], releases: int, absent: Iterable[str], observed: Observed) -> bool:
    """Whether more is promised than before: a machine that lost memory stays as it is."""
    before = promised(list(observed.shares.values()), releases)
    after = promised(all_shares(shares, absent, observed), releases)
    return any(after[resource] > before[resource] for resource in after)


def check_neighbours(shares: Sequence[Share]) -> None:
    """:raises DomainError: ``machine_shared``."""
    for share in shares:
        others = sorted(other.name for other in shares if other.pool != share.pool)
        if share.pool and others:
            raise DomainError("machine_shared", f"{share.name} has the profile {share.profile}, which wants a machine of its own;"
                              f" {joined(others)} would be beside it", unchanged=_UNCHANGED,
                              advice="Give it another machine or another profile, or its own further instances the same pool")


def check_use(shares: Sequence[Share], observed: Observed, limited: Iterable[str], sizes: Mapping[str, Sizes]) -> None:
    """A share that changes is not below what its tenant uses now; nor is a container's new bound.

    :param limited: ids of the containers that would be told otherwise. :param sizes: the newest that are known.
    :raises DomainError: ``quota_below_use``.
    """
    told, below = set(limited), []
    for share in shares:
        tenant = observed.tenants[share.name]
        changed = observed.shares.get(share.name) is None or observed.shares[share.name].limits != share.limits
        uses = [*(_of_parts(share, tenant, sizes.get(share.name)) if changed else ()), *_of_containers(share, tenant, told, observed.cores)]
        below += [(share.name, f"{share.name}: {what} {shown(kind, bound)}, and {shown(kind, used)} are used")
                  for what, kind, bound, used in uses if bound < used]
    if below:
        raise DomainError("quota_below_use", f"a share would be below what runs now: {joined([said for _name, said in below])}", unchanged=_UNCHANGED,
                          advice="Give more, or end what runs first", tenants=sorted({name for name, _said_of in below}))


def _of_parts(share: Share, tenant: Tenant, sizes: Sizes | None) -> Iterable[tuple[str, str, Decimal, Decimal]]:
    limits = share.limits
    if tenant.database and tenant.database.active:
        yield "connections", "connections", limits["connections"], Decimal(tenant.database.connections)
        yield "database_memory", "database_memory", limits["database_memory"], Decimal(tenant.database.group.memory or 0)
    if tenant.store and tenant.store.active:
        yield "session_clients", "session_clients", limits["session_clients"], Decimal(tenant.store.clients)
        # The unit's own bound: what Redis takes for itself is not sessions.
        if (tenant.store.group.memory or 0) > store_memory(share):
            yield "session_memory", "session_memory", limits["session_memory"], Decimal(tenant.store.group.memory or 0)
    if sizes:
        yield from ((word, word, limits[word], Decimal(getattr(sizes, word))) for word in ("data", "storage"))


def _of_containers(share: Share, tenant: Tenant, told: set[str], cores: int) -> Iterable[tuple[str, str, Decimal, Decimal]]:
    for container in tenant.containers:
        if container.id in told:
            asked = bounds(share, container.kind).within(cores)
            yield f"{container.kind or container.place}_memory of {container.place}", BYTES[0], Decimal(asked.memory), Decimal(container.group.memory or 0)
            yield f"pids of {container.place}", "pids", Decimal(asked.pids), Decimal(container.group.pids or 0)
