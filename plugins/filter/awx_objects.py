# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AWX is to have, for the role awx."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._awx.objects import nodes_differ, objects
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError


def awx_objects(settings: Mapping[str, Any], specs: Mapping[str, Any]) -> dict[str, Any]:
    """:raises AnsibleFilterError: for settings from which nothing can be made."""
    try:
        return objects(settings, specs)
    except DomainError as error:
        raise AnsibleFilterError(f"{error.message}. {error.unchanged}.") from error


def awx_nodes_differ(wanted: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a workflow has other nodes than are wanted."""
    return nodes_differ(wanted, found)


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"awx_objects": awx_objects, "awx_nodes_differ": awx_nodes_differ}
