# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a release: what each does, and how it is undone.

Each is idempotent and each undo works whether or not its step took effect, so a crash anywhere costs nothing but time.
"""

from __future__ import annotations

from .new import NewSteps
from .places import PlaceSteps
from .queue import QueueSteps


class Steps(PlaceSteps, QueueSteps, NewSteps):
    """Carries out steps by name: ``do_<name>`` and, where there is something to undo, ``undo_<name>``."""
