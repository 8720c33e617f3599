# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a gate answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Result:
    """:param reason: why it passed or not. :param needs: what would satisfy it. :param who: who can do that."""

    passed: bool
    reason: str
    needs: str = ""
    who: str = ""


Facts = Mapping[str, Any]
