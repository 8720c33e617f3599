# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what in the cluster's Redis: the user that the role ``redis`` makes on a machine, with the same rights."""

from __future__ import annotations

from pathlib import Path

import yaml

_DEFAULTS = Path(__file__).resolve().parents[4] / "roles/redis/defaults/main.yml"


def users(password: str) -> str:
    """Return the text of an ACL file."""
    commands = yaml.safe_load(_DEFAULTS.read_text(encoding="utf-8"))["redis_commands"]
    allowed = " ".join("+" + command for command in commands)
    return f"user default off resetpass resetkeys resetchannels -@all\nuser odoo on >{password} resetchannels ~sgp:* -@all {allowed}\n"
