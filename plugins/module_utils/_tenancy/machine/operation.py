# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shares of a machine's tenants, brought about and told of."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from ..._host import instances
from ..._instance.bounds import Bounds
from ..._kernel.errors import DomainError, bad_input
from ..._kernel.plan import Plan
from ..._kernel.text import joined
from . import history, plan, sums, told
from .io import Machine
from .model import Share
from .seen import Observed, Sizes

Clock = Callable[[], float]


class MachineOperation:
    """:param absent: tenants whose limits shall be gone. :param overcommit: how many times what the machine has may be promised, by ``cpu`` and ``memory``.
    :param releases: how many may be under way at once. :param clock: seconds since 1970. :param check: the history is left as it is.
    :param leaves: tell what is left of those whose limits are gone.
    """

    def __init__(self, machine: Machine, shares: Sequence[Share], *, absent: Collection[str] = (), overcommit: Mapping[str, float], releases: int = 1,
                 clock: Clock = time.time, check: bool = False, leaves: bool = False, history_path: str = history.PATH) -> None:
        self.writes = True
        self.machine, self.shares, self.absent = machine, list(shares), sorted(set(absent))
        self.overcommit, self.releases, self.path = overcommit, releases, history_path
        self.clock, self.check, self.leaves = clock, check, leaves
        self.history = history.History()
        self.observed: Observed | None = None
        self.sizes: dict[str, Sizes] = {}
        self.found = plan.Changes()

    def plan(self) -> Plan:
        """:raises DomainError: for what the machine's state forbids; nothing was changed then."""
        both = sorted({share.name for share in self.shares} & set(self.absent))
        if both:
            raise bad_input("absent", both, "tenants that tenants does not name")
        now = self.clock()
        self.history = history.load(self.path)
        names = [share.name for share in self.shares]
        self.observed = self.machine.observe([*names, *self.absent], [name for name in names if self.history.due(name, now)])
        self.sizes = newest(self.observed, self.history, names)
        every = sums.all_shares(self.shares, self.absent, self.observed)
        self.found = plan.changes(self.shares, self.absent, self.observed)
        if self.shares:
            sums.check_neighbours(every)
        if self.shares and sums.grows(self.shares, self.releases, self.absent, self.observed):
            sums.check_promised(every, self.releases, self.observed, self.overcommit)
        sums.check_use(self.shares, self.observed, [limit.container.id for limit in self.found.limits], self.sizes)
        return plan.make_plan(self.found, {"tenants": names, "absent": self.absent})

    def perform(self, _plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        """:raises DomainError: as the machine gives it; ``limit_not_taken`` where something is otherwise afterwards."""
        started = time.monotonic()
        self._write()
        self._have_read()
        self.observed = self.machine.observe([*(share.name for share in self.shares), *self.absent])
        timings["apply"] = round(time.monotonic() - started, 3)
        left = plan.changes(self.shares, self.absent, self.observed)
        # A release that is under way makes containers meanwhile; the next run limits those.
        told_to = {limit.container.id for limit in self.found.limits}
        left = dataclasses.replace(left, limits=tuple(limit for limit in left.limits if limit.container.id in told_to))
        if left != plan.Changes():
            titles = [*left.untaken, *(step.title for step in plan.make_plan(left, {}).steps)]
            raise DomainError("limit_not_taken", f"limits were written and do not hold: {joined(titles, 4)}",
                              advice="Look at the journal of what is named, then run this again")
        return {}

    def _write(self) -> None:
        found = self.found
        for limit, ids in _together(found.limits):
            self.machine.limit(limit, ids)
        for write in found.writes:
            self.machine.write(write.file.path, write.file.text, write.file.group, write.file.mode)
        for removal in found.removals:
            self.machine.remove(removal.path)

    def _have_read(self) -> None:
        """Each of them once, for all tenants together."""
        seen = self._seen
        if self.found.systemd:
            self.machine.units("daemon-reload")
        databases = [(seen.tenants[name].database, name) for name in sorted(self.found.reads("postgresql"))]
        units = [database.place.unit for database, _name in databases if database and database.active]
        if units:
            self.machine.units("reload", *units)
        stores = [name for name in sorted(self.found.reads("redis")) if (store := seen.tenants[name].store) and store.active]
        if stores:
            self.machine.units("restart", *(f"redis-server@{name}.service" for name in stores))

    def facts(self) -> Mapping[str, Any]:
        """What is told, as observed last; and the history's next sample."""
        seen, now = self._seen, self.clock()
        tenants = [told.told(share, seen, self.history, self.sizes.get(share.name), now) for share in self.shares]
        every = sums.all_shares(self.shares, self.absent, seen)
        if not self.check:
            self._remember(every, now)
        left = {"residue": residue(self.machine, seen, self.absent)} if self.leaves else {}
        return {
            "tenants": tenants, "noisy": [noise for one in tenants for noise in one["noisy"]], "kinds_of_limit": told.kinds_of_limit(seen),
            "machine": told.machine(every, self.releases, seen), **left, "calls": dict(self.machine.calls)}

    def _remember(self, every: Sequence[Share], now: float) -> None:
        due = [share.name for share in self.shares if self.history.due(share.name, now)]
        for name in due:
            self.history.add(name, told.sample(self._seen.tenants[name], self.sizes.get(name), now))
        known = dict(self.history.connections)
        for share in self.shares:
            if (runs := told.runs_with(share, self._seen.tenants[share.name], known.get(share.name))) is not None:
                self.history.connections[share.name] = runs
        if due or self.found != plan.Changes() or known != self.history.connections:
            self.history.keep([share.name for share in every])
            history.save(self.history, self.path)

    @property
    def _seen(self) -> Observed:
        if self.observed is None:
            raise AssertionError("nothing was looked at yet")
        return self.observed


def gather(machine: Machine, names: Sequence[str] | None = None, *, measure: bool = False, releases: int = 1, clock: Clock = time.time,
           history_path: str = history.PATH) -> dict[str, Any]:
    """What tenant_quota_info tells. :param measure: count bytes on disk now, also where that was done within the hour.

    :raises DomainError: ``bad_input`` for a tenant that has no share here.
    """
    now, known, shares = clock(), history.load(history_path), machine.shares()
    unknown = sorted(set(names or ()) - set(shares))
    if unknown:
        raise bad_input("names", unknown, "tenants that have a share of this machine")
    chosen = [name for name in shares if not names or name in names]
    seen = machine.observe(chosen, chosen if measure else [name for name in chosen if known.last(name) is None])
    sizes = newest(seen, known, chosen)
    tenants = [told.told(shares[name], seen, known, sizes.get(name), now) for name in chosen]
    return {"tenants": tenants, "noisy": [noise for one in tenants for noise in one["noisy"]], "kinds_of_limit": told.kinds_of_limit(seen),
            "machine": told.machine(list(shares.values()), releases, seen), "calls": dict(machine.calls)}


def newest(seen: Observed, known: history.History, names: Sequence[str]) -> dict[str, Sizes]:
    """What was measured now, or else last."""
    found: dict[str, Sizes] = {}
    for name in names:
        measured, last = seen.tenants[name].sizes, known.last(name)
        if measured is not None:
            found[name] = measured
        elif last is not None and last.sizes:
            found[name] = Sizes(**last.sizes, at=last.at)
    return found


def residue(machine: Machine, seen: Observed, absent: Sequence[str]) -> dict[str, Any]:
    """What is on the machine of tenants whose limits are gone: it goes on without any."""
    there = instances.observe(machine.root, lambda: [
        (name, f"{name}-{container.place}", "running" if container.running else "exited") for name in absent for container in seen.tenants[name].containers])
    return {name: there[name].as_dict()["parts"] for name in absent if name in there}


def _together(limits: Sequence[plan.Limit]) -> list[tuple[Bounds, list[str]]]:
    """Containers that are told the same."""
    found: dict[Bounds, list[str]] = {}
    for limit in limits:
        found.setdefault(limit.bounds, []).append(limit.container.id)
    return list(found.items())
