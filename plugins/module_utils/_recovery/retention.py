# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which recovery points a policy keeps, and why: pure."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .._kernel.errors import DomainError
from .model import Point, moment
from .points import newest_first

PERIODS: Mapping[str, Callable[[datetime.datetime], str]] = {
    "last": lambda at: at.isoformat(),
    "daily": lambda at: at.strftime("%Y-%m-%d"),
    "weekly": lambda at: "{}-W{:02}".format(*at.isocalendar()[:2]),
    "monthly": lambda at: at.strftime("%Y-%m"),
}


@dataclass(frozen=True)
class Decision:
    """:param keep: reasons by id. :param remove: why, by id."""

    keep: Mapping[str, Sequence[str]]
    remove: Mapping[str, str]


def decide(points: Sequence[Point], policy: Mapping[str, int] | None, named: Sequence[str], now: datetime.datetime) -> Decision:
    """What goes and what stays.

    A period is kept by its newest good point: verified before captured. What failed its verification counts only where there is
    nothing good at all, so that bad ones never push good ones out, and what cannot be trusted stays until it is named.

    :param points: in any order.
    :param named: ids to remove whatever the policy says; never the newest verified one, never one that is held.
    :raises DomainError: ``unknown_point``, ``point_protected``, ``removes_everything``.
    """
    ordered = newest_first(points)
    unknown = sorted(set(named) - {point.id for point in ordered})
    if unknown:
        raise DomainError("unknown_point", "there is no recovery point {}".format(", ".join(unknown)), unchanged="Nothing was changed",
                          advice="pg_recovery_point_info lists those there are")
    protected = _protected(ordered, now)
    strange = {point.id for point in ordered if point.strange_holds}
    for name in named:
        if name in protected:
            raise DomainError("point_protected", f"recovery point {name} stays: {protected[name][0]}", unchanged="Nothing was changed",
                              advice="" if name not in strange else
                              "Name the key of whoever holds it in trusted_signers, or take that document away from the store")
    keep: dict[str, list[str]] = {name: list(reasons) for name, reasons in protected.items()}
    if policy:
        candidates = [point for point in ordered if not point.problem and point.id not in named]
        candidates = [point for point in candidates if point.state != "failed"] or candidates
        for period in PERIODS:
            for reason, name in _periods(candidates, period, policy.get(period, 0)):
                keep.setdefault(name, []).append(reason)
    remove = {}
    for point in ordered:
        if point.id in named:
            remove[point.id] = "named"
        elif point.id in keep:
            continue
        elif not policy:
            keep[point.id] = ["not named"]
        elif point.problem:
            keep[point.id] = ["cannot be trusted, and goes only by name: " + point.problem]
        else:
            remove[point.id] = "outside the policy" + (", and failed its verification" if point.state == "failed" else "")
    if remove and not any(point.id in keep and not point.problem for point in ordered):
        raise DomainError("removes_everything", "this would remove every recovery point that can be trusted",
                          unchanged="Nothing was changed", advice="Keep at least one: retention.last of 1, or capture a new one first")
    return Decision(keep, remove)


def _protected(ordered: Sequence[Point], now: datetime.datetime) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    newest = next((point for point in ordered if point.state == "verified"), None)
    if newest:
        found.setdefault(newest.id, []).append("the newest verified one")
    # One that lacks what nobody gave up must not be what is left.
    whole = next((point for point in ordered if point.state == "verified" and not point.losses[1]), None)
    if whole and whole is not newest:
        found.setdefault(whole.id, []).append("the newest verified one without losses that nobody accepted")
    for point in ordered:
        if point.hold and moment(point.hold) > now:
            found.setdefault(point.id, []).append(f"held until {point.hold}")
        for hold in point.strange_holds:
            found.setdefault(point.id, []).append(f"held by a document that cannot be believed: {hold}")
        locked = point.manifest.get("locked_until") if not point.problem else None
        if locked and moment(locked) > now:
            found.setdefault(point.id, []).append(f"locked until {locked}")
    return found


def _periods(ordered: Sequence[Point], period: str, count: int) -> list[tuple[str, str]]:
    """The best point of each of the newest ``count`` periods that have one."""
    best: dict[str, Point] = {}
    rank = {"verified": 1, "captured": 0, "failed": 0}
    for point in ordered:
        key = PERIODS[period](point.taken) + (point.id if period == "last" else "")
        if key not in best or rank[point.state] > rank[best[key].state]:
            best[key] = point
    return [(f"{period} {number} of {count}", best[key].id) for number, key in enumerate(list(best)[:count], 1)]
