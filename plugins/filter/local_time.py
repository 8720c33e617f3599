# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments as people read them."""

from __future__ import annotations

from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.text import local_time


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"local_time": local_time}
