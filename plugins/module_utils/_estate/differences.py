# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between two sets of settings, and which of it somebody answers for. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._kernel.errors import bad_input
from .._kernel.text import covers

APPROVED, OVER, UNDECLARED, UNNEEDED = "approved", "over", "undeclared", "unneeded"
"""A difference that somebody answers for; one whose time has ended; one that nobody declared; one that was declared and is none."""
HOLDS_UP = (OVER, UNDECLARED)


def flat(values: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """Settings by dotted names: ``{"config": {"workers": 4}}`` is ``config.workers``."""
    for key, value in values.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            yield from flat(value, name)
        else:
            yield name, value


def differing(baseline: Mapping[str, Any], values: Mapping[str, Any], only: bool = False) -> list[dict[str, Any]]:
    """``what`` differs, what the ``baseline`` has, and the ``value`` that is; None for nothing.

    :param only: whether only that counts which the baseline names.
    """
    one, other = dict(flat(baseline)), dict(flat(values))
    names = sorted(one if only else {*one, *other})
    return [{"what": name, "baseline": one.get(name), "value": other.get(name)} for name in names if not _same(one.get(name), other.get(name))]


def _same(one: Any, other: Any) -> bool:
    # Nothing, an empty list and an empty dictionary are the same wish.
    empty: tuple[Any, ...] = (None, [], {}, "")
    return bool(one == other or (one in empty and other in empty))


def approvals(path: str, value: Any) -> list[dict[str, str]]:
    """``approved_differences`` of an inventory: by the name of a variable ``owner``, ``reason`` and ``expires``, a day.

    :raises DomainError: ``bad_input``: an exception without owner, reason or end is none.
    """
    if not isinstance(value, Mapping):
        raise bad_input(path, value, "a dictionary of owner, reason and expires by variable")
    found = []
    for name, one in value.items():
        if not isinstance(one, Mapping) or set(one) != {"owner", "reason", "expires"}:
            raise bad_input(f"{path}.{name}", sorted(one) if isinstance(one, Mapping) else one, "owner, reason and expires; an exception has an end")
        for key in ("owner", "reason"):
            if not isinstance(one[key], str) or not one[key].strip():
                raise bad_input(f"{path}.{name}.{key}", one[key], "a text")
        found.append({"what": str(name), "owner": one["owner"], "reason": one["reason"], "until": day(f"{path}.{name}.expires", one["expires"]).isoformat()})
    return found


def day(path: str, value: Any) -> datetime.date:
    """:raises DomainError: ``bad_input``."""
    if isinstance(value, datetime.datetime):
        return value.date()
    if isinstance(value, datetime.date):
        return value
    try:
        return datetime.date.fromisoformat(str(value))
    except ValueError:
        raise bad_input(path, str(value), "a day, such as 2027-06-30") from None


def explained(found: Sequence[Mapping[str, Any]], approved: Sequence[Mapping[str, str]], today: datetime.date) -> list[dict[str, Any]]:
    """Each difference with who answers for it and its ``state``; then what was declared and is none.

    A declaration of ``instance_config`` covers ``instance_config.workers`` as well. It holds through its last day.
    """
    lines, used = [], set()
    for one in found:
        mine = next((each for each in approved if covers(each["what"], one["what"])), None)
        if mine:
            used.add(mine["what"])
        state = UNDECLARED if mine is None else OVER if datetime.date.fromisoformat(mine["until"][:10]) < today else APPROVED
        lines.append({**one, **{key: mine[key] if mine else "" for key in ("owner", "reason", "until")}, "state": state})
    return lines + [{"baseline": None, "value": None, **each, "state": UNNEEDED} for each in approved if each["what"] not in used]
