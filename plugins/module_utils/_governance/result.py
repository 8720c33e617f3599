# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a gate says, and words that all gates use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._kernel.text import joined
from .signers import ROLES

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Result:
    """:param reason: why it passed or not. :param needs: what would satisfy it. :param who: who can do that."""

    passed: bool
    reason: str
    needs: str = ""
    who: str = ""

    def and_also(self, other: Result) -> Result:
        """Both of two reasons not to pass."""
        return Result(False, f"{self.reason}; and {other.reason}", f"{self.needs}; and {other.needs}", f"{self.who}; and {other.who}")


def short(image: str) -> str:
    return "the image " + str(image or "")[:19]


def people(facts: Facts, role: str) -> str:
    return joined(facts["signers"].get(role) or []) or f"nobody: the list of signers has no key for {ROLES[role]}"
