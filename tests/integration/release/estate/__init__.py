# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One lab machine with a registry, an edge and two instances, on which releases are tried to death."""

from __future__ import annotations

from .place import Estate
from .seen import Seen, leave_mark, sound

__all__ = ["Estate", "Seen", "leave_mark", "sound"]
