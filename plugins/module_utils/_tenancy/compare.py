# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An object as it is rendered beside the one that is there. Pure. A quantity is compared by its number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError
from .._kubernetes.api import MANAGER
from .._kubernetes.quantities import same

Path = tuple[str, ...]

# Kinds whose values are quantities wherever they are text below one of these keys.
_QUANTITIES: Mapping[str, frozenset[str]] = {
    "ResourceQuota": frozenset(("hard",)), "LimitRange": frozenset(("default", "defaultRequest", "max", "min", "maxLimitRequestRatio"))}

_WHOLE = ("spec", "rules", "subjects", "roleRef")


@dataclass(frozen=True)
class Difference:
    """One field. :param managers: others who manage it, by whose names the API server knows them."""

    path: Path
    before: Any
    after: Any
    managers: tuple[str, ...] = ()

    @property
    def field(self) -> str:
        return ".".join(self.path)


def differences(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> list[Difference]:
    """What of a rendered object is not so.

    Metadata and status have others' fields too. What an object says (its spec, rules or subjects) is wholly ours: one more way out in a network policy, or one
    more condition of an admission policy, would undo it. Only further bounds of a quota are left alone, since they open nothing.
    """
    fields: list[tuple[Path, Any, Any]] = []
    quantities = _QUANTITIES.get(wanted["kind"], frozenset())
    for key, value in wanted.items():
        if found.get(key) != value:
            fields += _unlike(value, found.get(key), (key,), quantities, key in _WHOLE)
    if quantities:
        fields += _left_over(wanted, found)
    if not fields:
        return []
    managed = found["metadata"].get("managedFields") or ()
    return [Difference(path, before, after, tuple(sorted(_managers(managed, path)))) for path, before, after in fields]


def _unlike(wanted: Any, found: Any, path: Path, quantities: frozenset[str], whole: bool) -> Iterator[tuple[Path, Any, Any]]:
    # What is empty, false or 0 may come back as nothing at all.
    if wanted == found or (found is None and not wanted):
        return
    if isinstance(wanted, Mapping):
        if not isinstance(found, Mapping):
            yield path, found, wanted
            return
        for key, value in wanted.items():
            # Most are equal, which one comparison says.
            if found.get(key) != value:
                yield from _unlike(value, found.get(key), (*path, key), quantities, whole)
        if whole and path[-1:] != ("hard",):
            yield from (((*path, key), found[key], None) for key in found if key not in wanted and found[key] not in (None, "", [], {}))
    elif isinstance(wanted, Sequence) and not isinstance(wanted, str):
        # A list is one value to whoever manages it, so it is shown as a whole.
        if not isinstance(found, list) or len(wanted) != len(found) or any(
                True for one, other in zip(wanted, found) for _each in _unlike(one, other, (), quantities, whole)):
            yield path, found, wanted
    elif not (found is not None and quantities.intersection(path) and _same(wanted, found)):
        yield path, found, wanted


def _same(one: Any, other: Any) -> bool:
    try:
        return same(one, other)
    except DomainError:
        return False


def _left_over(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> Iterator[tuple[Path, Any, Any]]:
    """Bounds that this collection wrote and no longer wants: applying takes them away, those of others stay."""
    hard, there = wanted.get("spec", {}).get("hard"), (found.get("spec") or {}).get("hard") or {}
    if hard is None or hard.keys() >= there.keys():
        return
    for key in sorted(there.keys() - hard.keys()):
        if _owned(found["metadata"].get("managedFields") or (), MANAGER, ("spec", "hard", key)):
            yield ("spec", "hard", key), there[key], None


def _managers(managed: Sequence[Mapping[str, Any]], path: Path) -> set[str]:
    names = {str(entry.get("manager")) for entry in managed if not entry.get("subresource")} - {MANAGER}
    return {name for name in names if _owned(managed, name, path)}


def _owned(managed: Sequence[Mapping[str, Any]], manager: str, path: Path) -> bool:
    """Whether a manager has a field, something below it, or the whole that it is in.

    Source: https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management (fieldsV1).
    """
    for entry in managed:
        if entry.get("manager") != manager:
            continue
        node: Any = entry.get("fieldsV1") or {}
        for part in path:
            if f"f:{part}" not in node:
                break
            node = node[f"f:{part}"]
            if not node:
                return True
        else:
            return True
    return False
