# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filters about IP networks."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def networks_overlap(networks: Sequence[str], others: Sequence[str]) -> list[str]:
    """One sentence for each network of ``networks`` that shares addresses with one of ``others``.

    :raises AnsibleFilterError: where an element is no network in CIDR notation.
    """
    pairs = [(a, b) for a in networks for b in others if _network(a).overlaps(_network(b))]
    return [f"{a} overlaps {b}" for a, b in pairs]


def _network(text: str) -> Any:
    try:
        return ipaddress.ip_network(str(text))
    except ValueError as error:
        raise AnsibleFilterError(f"{str(text)!r} is no network in CIDR notation: {error}") from error


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"networks_overlap": networks_overlap}
