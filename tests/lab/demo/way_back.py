# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Going back to a recovery point, wherever the instance runs: what it costs is asked first."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .claims import Claims
from .playbook import Outcome


def go_back(rollback: Callable[[Mapping[str, Any]], Outcome], claims: Claims, price: Sequence[str]) -> None:
    """Ask what it costs, and do it once that was confirmed.

    :param rollback: runs the playbook with further variables.
    :param price: what the answer has to name.
    :raises RuntimeError: when there is nothing to confirm.
    """
    told = rollback({})
    text = " ".join(told.log.read_text(encoding="utf-8").split())
    found = re.search(r"confirm=(sha256:[0-9a-f]{64})", text)
    claims.check(bool(found) and all(part in text for part in price) and not any(told.changed.values()),
                 f"going back says that {', '.join(price)} would be lost, asks for a confirmation, and changes nothing")
    if not found:
        raise RuntimeError(f"rollback named no digest; see {told.log}")
    rollback({"confirm": found.group(1)})


def point_of(outcome: Outcome) -> str:
    """The id of the newest point that the playbook told of."""
    found = re.search(r"([0-9]{8}T[0-9]{6}-[0-9a-f]{8}): verified", outcome.log.read_text(encoding="utf-8"))
    if not found:
        raise RuntimeError(f"{outcome.name} told of no verified point; see {outcome.log}")
    return found.group(1)
