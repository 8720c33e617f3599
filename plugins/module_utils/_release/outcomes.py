# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is so after an operation that was undone, by what it was and what was before. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def undone(instance: str, kind: str, staged: bool, before: Mapping[str, Any]) -> str:
    """A sentence that is true.

    :param kind: class of the release.
    :param before: of the plan; its colour is the one that the front led to.
    """
    colour = before.get("colour")
    if kind == "create":
        return f"What was made of it was removed; nothing of {instance} runs, as nothing did before"
    if kind == "adopt" and not colour:
        return f"The release was undone; the database of {instance} is as it was, and nothing of it runs here"
    said = "What was started was removed" if staged else "The release was undone"
    return f"{said}; {instance} runs as before" if colour else f"{said}; {instance} is as it was before: its front leads to no colour"
