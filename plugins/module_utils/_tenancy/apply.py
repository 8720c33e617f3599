# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying changes out: in waves, many at a time, and every failure kept. What confines is there before what opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.text import joined
from .._kubernetes.api import Api, failures
from .plan import Change

# What must be there before the next is made: the cluster's own rules, then rooms, then what confines them, then who may come in; last what is to go.
_WAVES: tuple[frozenset[str], ...] = (
    frozenset(("PriorityClass", "ValidatingAdmissionPolicy")), frozenset(("ValidatingAdmissionPolicyBinding", "Namespace")),
    frozenset(("ResourceQuota", "LimitRange", "NetworkPolicy")), frozenset(("Role",)), frozenset(("RoleBinding",)))
_OPENS = ("Role", "RoleBinding")


@dataclass
class Done:
    """:ivar failed: what could not be done, and why. :ivar left: what was not begun, since something before it failed."""

    applied: list[Change] = field(default_factory=list)
    failed: list[tuple[Change, DomainError]] = field(default_factory=list)
    left: list[Change] = field(default_factory=list)


def carry_out(api: Api, found: Sequence[Change], force: bool) -> Done:
    """Apply and remove. A namespace that cannot be made keeps back all that would lie in it, and a tenant that is not wholly confined is opened to nobody."""
    done, bad = Done(), set[str]()
    todo = [change for change in found if change.item is not None]
    for wave in _WAVES:
        now: list[Change] = []
        held: list[Change] = []
        for change in todo:
            if change.key[0] in wave:
                (held if change.key[1] in bad else now).append(change)
        done.left += held
        for change, _error in _each(api, now, force, done):
            kind, namespace, name = change.key
            # Without the cluster's rules nobody new is let in; a fault in one namespace is that namespace's.
            if kind == "Namespace" or kind in _OPENS or namespace:
                bad.add(namespace or name)
            else:
                done.left += [each for each in todo if each is not change and each not in now and each not in done.applied]
                return done
    _each(api, [change for change in found if change.item is None and change.key[1] not in bad], force, done)
    return done


def _each(api: Api, changes: Sequence[Change], force: bool, done: Done) -> list[tuple[Change, DomainError]]:
    def work(change: Change) -> None:
        if change.item is None:
            api.delete(change.key[0], change.key[1] or None, change.key[2])
        else:
            api.apply(change.item, force=force)
            for each in change.fields:
                # Applying takes nobody else's field away.
                if each.after is None and each.managers:
                    api.merge(change.key[0], change.key[1] or None, change.key[2], _without(each.path))

    made = api.many(work, changes)
    bad = failures(made)
    done.failed += bad
    done.applied += [change for change, _nothing, error in made if not error]
    return bad


def _without(path: Sequence[str]) -> dict[str, Any]:
    """A JSON merge patch that removes a field."""
    found: Any = None
    for part in reversed(path):
        found = {part: found}
    return dict(found)


def failure(done: Done, names: Sequence[str]) -> DomainError:
    """All that went wrong, as one error. :param names: of the tenants that are not as they were asked for."""
    first = done.failed[0][1]
    said = joined([f"{change.said}: {error.message}" for change, error in done.failed], 4)
    left = f"; {len(done.left)} more were not begun because of it" if done.left else ""
    return DomainError(
        first.code, f"{len(done.failed)} of {len(done.applied) + len(done.failed) + len(done.left)} changes failed: {said}{left}",
        unchanged=f"{len(done.applied)} are made and stay; the tenants that are not as asked are {joined(list(names))}" if names else "",
        advice=first.advice or "Mend that, then run the same command again: it makes what is missing",
        tenants=list(names), failed=[{"object": change.said, "code": error.code, "message": error.message} for change, error in done.failed],
        not_begun=[change.said for change in done.left])
