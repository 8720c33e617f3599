# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs that modules of several domains share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Which cluster and database: logged in to by its socket and peer, or by TCP with an administrator's password.
CLUSTER: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "port": {"type": "int", "default": 5432},
    "socket": {"type": "path"},
    "host": {"type": "str"},
    "sslmode": {"type": "str", "choices": ["require", "verify-ca", "verify-full"], "default": "verify-full"},
    "ca_path": {"type": "path"},
    "admin": {"type": "str", "default": "postgres"},
    "admin_password": {"type": "str", "no_log": True},
}


def filled(spec: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What ``AnsibleModule`` would make of parameters, for code that is called by no module: every option, with its default."""
    made: dict[str, Any] = {}
    for name, option in spec.items():
        value = given.get(name, option.get("default"))
        if value is not None and "options" in option:
            value = [filled(option["options"], one) for one in value] if isinstance(value, list) else filled(option["options"], value)
        made[name] = value
    return made
