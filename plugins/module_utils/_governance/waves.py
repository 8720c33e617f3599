# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waves as the policy has them: data, checked as a whole. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._kernel.errors import bad_input


def check_waves(path: str, value: Any, instances: Mapping[str, Any], regions: Mapping[str, Any]) -> list[dict[str, Any]]:
    """``policy.waves``. :raises DomainError: ``bad_input``."""
    if not isinstance(value, list):
        raise bad_input(path, value, "a list")
    names: set[str] = set()
    found = []
    for number, one in enumerate(value):
        here = f"{path}[{number}]"
        if not isinstance(one, Mapping) or not isinstance(one.get("name"), str) or set(one) - {"name", "instances", "regions"} or len(one) < 2:
            raise bad_input(here, one, "name, and instances or regions")
        if one["name"] in names:
            raise bad_input(f"{here}.name", one["name"], "each name once")
        names.add(one["name"])
        for key, known in (("instances", instances), ("regions", regions)):
            listed = one.get(key, [])
            unknown = [each for each in listed if each not in known] if isinstance(listed, list) else [listed]
            if unknown:
                raise bad_input(f"{here}.{key}", ", ".join(map(str, unknown)), f"a list of names of policy.{key}")
        found.append({"name": one["name"], "instances": list(one.get("instances", [])), "regions": list(one.get("regions", []))})
    return found
