# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what shall be and what is to what is to be done. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..._instance.bounds import Bounds
from ..._kernel.plan import Plan, Step, digest_of
from .model import Share
from .render import (
    SPARE_PROCESSES,
    File,
    bounds,
    files,
    percent,
    store_memory,
)
from .seen import Container, Observed, Tenant

_PAGE = 4096


@dataclass(frozen=True)
class Write:
    """A file as it shall be. :ivar before: its text now, or None."""

    tenant: str
    file: File
    before: str | None


@dataclass(frozen=True)
class Removal:
    """A file that shall be gone."""

    tenant: str
    path: str
    before: str


@dataclass(frozen=True)
class Limit:
    """What a container shall be told."""

    tenant: str
    container: Container
    bounds: Bounds


@dataclass(frozen=True)
class Changes:
    """All that is to be done.

    :ivar untaken: what the kernel has otherwise although it is written down, a sentence each.
    """

    writes: tuple[Write, ...] = ()
    removals: tuple[Removal, ...] = ()
    limits: tuple[Limit, ...] = ()
    untaken: tuple[str, ...] = ()

    def reads(self, who: str) -> set[str]:
        """Tenants of whom somebody has to read a file anew."""
        word = {"systemd": ".d/quota.conf", "postgresql": "/conf.d/", "redis": "etc/sysgenpro/redis/"}[who]
        return {change.tenant for change in self.writes if change.file.reads == who} | {change.tenant for change in self.removals if word in change.path}

    @property
    def systemd(self) -> bool:
        return bool(self.reads("systemd") or self.untaken)


def changes(shares: Sequence[Share], absent: Iterable[str], observed: Observed) -> Changes:
    """What of all shares is not so, and what is left of those that shall be gone."""
    writes, removals, limits, odd = [], [], [], []
    for share in shares:
        tenant = observed.tenants[share.name]
        wanted = {file.path: file for file in files(share, tenant.database.place if tenant.database else None, bool(tenant.store and tenant.store.reads))}
        fresh = [Write(share.name, file, tenant.files.get(path)) for path, file in wanted.items() if tenant.files.get(path) != file.text]
        writes += fresh
        # What is left of a session store that is gone.
        removals += [Removal(share.name, path, text) for path, text in tenant.files.items() if path not in wanted]
        limits += [Limit(share.name, container, asked) for container in tenant.containers
                   if (asked := bounds(share, container.kind).within(observed.cores)) != container.bounds]
        if not any(change.file.reads == "systemd" for change in fresh):
            odd += untaken(share, tenant, observed.controllers)
    for name in sorted(set(absent)):
        removals += [Removal(name, path, text) for path, text in observed.tenants[name].files.items()]
    return Changes(tuple(writes), tuple(removals), tuple(limits), tuple(odd))


def untaken(share: Share, tenant: Tenant, controllers: frozenset[str]) -> list[str]:
    """What the kernel keeps otherwise than systemd was told."""
    found = []
    if tenant.database and tenant.database.active:
        group = tenant.database.group
        found += _bytes(share.name, "database_memory", share.whole("database_memory"), group.memory_max, controllers)
        found += _processes(share.name, "PostgreSQL", share.whole("connections") + SPARE_PROCESSES, group.pids_max, controllers)
        asked, has = percent(share.limits["database_cpu"]), group.cores
        if "cpu" in controllers and (has is None or abs(percent(has) - asked) > 1):
            found.append(f"{share.name}: database_cpu is {asked} %, and the kernel has {'none' if has is None else f'{percent(has)} %'}")
    if tenant.store and tenant.store.active and tenant.store.reads:
        found += _bytes(share.name, "memory of Redis", store_memory(share), tenant.store.group.memory_max, controllers)
    return found


def _bytes(name: str, what: str, asked: int, has: int | None, controllers: frozenset[str]) -> list[str]:
    if "memory" not in controllers or (has is not None and abs(has - asked) < _PAGE):
        return []
    return [f"{name}: {what} is {asked} bytes, and the kernel has {'no bound' if has is None else has}"]


def _processes(name: str, what: str, asked: int, has: int | None, controllers: frozenset[str]) -> list[str]:
    if "pids" not in controllers or has == asked:
        return []
    return [f"{name}: {what} may have {asked} processes, and the kernel has {'no bound' if has is None else has}"]


def make_plan(found: Changes, names: Mapping[str, Sequence[str]]) -> Plan:
    """The plan; its digest covers every file's text and every container's bounds. :param names: of tenants, ``present`` and ``absent``."""
    steps: list[Step] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for write in found.writes:
        steps.append(Step("write", f"write /{write.file.path}", {"tenant": write.tenant}))
        before["/" + write.file.path], after["/" + write.file.path] = write.before, write.file.text
    for removal in found.removals:
        steps.append(Step("remove", f"remove /{removal.path}", {"tenant": removal.tenant}))
        before["/" + removal.path], after["/" + removal.path] = removal.before, None
    for limit in found.limits:
        said = f"{limit.tenant}-{limit.container.place}"
        steps.append(Step("limit", f"limit the container {said}", {"tenant": limit.tenant}))
        before[said], after[said] = _shown(limit.container.bounds), _shown(limit.bounds)
    if found.systemd:
        steps.append(Step("systemd", "have systemd take its limits", {"untaken": list(found.untaken)}))
    for who, title in (("postgresql", "have PostgreSQL read its settings"), ("redis", "start session stores anew with their limits")):
        if found.reads(who):
            steps.append(Step(who, title, {"tenants": sorted(found.reads(who))}))
    return Plan(tuple(steps), before, after, {"runtime": "docker", **{word: sorted(each) for word, each in names.items()}, "after": digest_of(after)})


def _shown(bounds_of: Bounds) -> dict[str, Any]:
    return {"memory": bounds_of.memory, "cpus": f"{bounds_of.cores.normalize():f}", "pids": bounds_of.pids, "weight": bounds_of.weight}
