# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves: in which order instances are released, and where each wave stands by what the instances recorded. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.errors import bad_input

CANARY = "canary"
PASSED, STOPPED, RELEASING, WAITING = "passed", "stopped", "under way", "waiting"


def waves(instances: Mapping[str, Mapping[str, str]], regions: Sequence[str] = (), size: int = 0) -> list[dict[str, Any]]:
    """Canary tenants of all regions first, then region by region, each in the order of names.

    :param instances: ``ring`` and ``region`` of each. :param regions: their order; those that are not named follow by name.
    :param size: instances of one wave at the most; a larger region has several waves. 0 is without bound.
    :raises DomainError: ``bad_input``.
    """
    if isinstance(regions, str) or len(set(regions)) != len(regions):
        raise bad_input("waves_regions", regions, "a list that names each region once")
    if isinstance(size, bool) or size < 0:
        raise bad_input("waves_size", size, "0 or a whole number of instances")
    there = {one["region"] for one in instances.values()}
    unknown = sorted(set(regions) - there)
    if unknown:
        raise bad_input("waves_regions", ", ".join(unknown), "regions of these instances: " + (", ".join(sorted(filter(None, there))) or "none"))
    for name, one in instances.items():
        if one["ring"] not in ("", CANARY):
            raise bad_input(f"instance {name}: instance_ring", one["ring"], f"{CANARY}, or nothing")
    order = [*regions, *sorted(there - set(regions) - {""}), ""]
    found = _parts(CANARY, [name for name, one in instances.items() if one["ring"] == CANARY], size)
    for region in order:
        found += _parts(region or "no region", [name for name, one in instances.items() if one["ring"] != CANARY and one["region"] == region], size)
    return found


def _parts(name: str, instances: Sequence[str], size: int) -> list[dict[str, Any]]:
    names = sorted(instances)
    parts = [names[at:at + size] for at in range(0, len(names), size)] if size and names else [names]
    return [{"name": name if len(parts) == 1 else f"{name} {number}", "instances": part} for number, part in enumerate(parts, 1) if part]


def standing(planned: Sequence[Mapping[str, Any]], found: Mapping[str, Mapping[str, Any]], wanted: Mapping[str, str], budget: float,
             refused: Mapping[str, str]) -> list[dict[str, Any]]:
    """Each wave with its ``state``, its requests, and its instances; from records alone, so that any run says the same.

    :param found: what ``odoo_release_info`` told of each. :param wanted: digest of the image that each is to run.
    :param budget: share of requests that may fail at the edge during a wave's releases. :param refused: why a release did not begin, by instance.
    """
    lines: list[dict[str, Any]] = []
    for wave in planned:
        members = [_member(name, found.get(name), wanted.get(name) or "", refused.get(name) or "") for name in wave["instances"]]
        requests, failed = (sum(one[key] for one in members) for key in ("requests", "failed"))
        spent = failed / requests if requests else 0.0
        stopped = [one["why"] for one in members if one["why"]]
        if spent > budget:
            stopped.append(f"{failed} of {requests} requests failed, {spent:.2%}, and {budget:.2%} are allowed")
        done = all(one["state"] == PASSED for one in members)
        begun = any(one["state"] != WAITING for one in members)
        state = STOPPED if stopped else PASSED if done else RELEASING if begun else WAITING
        lines.append({"name": wave["name"], "names": list(wave["instances"]), "state": state, "requests": requests, "failed": failed,
                      "over_budget": spent > budget, "why": stopped,
                      "instances": members})
    return lines


def _member(name: str, found: Mapping[str, Any] | None, wanted: str, refused: str) -> dict[str, Any]:
    one: dict[str, Any] = {"name": name, "state": WAITING, "release": "", "at": "", "took_part": "", "requests": 0, "failed": 0, "why": ""}
    if not found:
        return one
    runs = (found.get("instance") or {}).get("release") or {}
    one.update(release=runs.get("name") or "", at=runs.get("at") or "")
    last = next((entries for entries in found.get("operations") or [] if _is_of(entries, wanted)), None)
    if last:
        answered = last[-1].get("answered") or {}
        one.update(took_part=last[0].get("operation") or "", requests=int(answered.get("requests") or 0), failed=int(answered.get("failed") or 0))
    if wanted and runs.get("image") == wanted:
        return {**one, "state": PASSED}
    if refused:
        return {**one, "state": STOPPED, "why": f"{name}: {refused}"}
    if last and last[-1].get("event") == "close":
        return {**one, "state": STOPPED, "why": f"{name}: {last[-1].get('error') or last[-1].get('outcome')}"}
    return {**one, "state": RELEASING} if last or (found.get("instance") or {}).get("interrupted") else one


def _is_of(entries: Sequence[Mapping[str, Any]], wanted: str) -> bool:
    """Whether an operation was to bring an image about. One that was gone back from since is of the past: what runs says so."""
    if not entries or entries[0].get("event") != "open" or entries[0].get("state") != "released":
        return False
    return bool(wanted) and (entries[0].get("after") or {}).get("image") == wanted
