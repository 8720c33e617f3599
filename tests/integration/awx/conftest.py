# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection by its full name, as for unit tests."""

from __future__ import annotations

import runpy
from pathlib import Path

_UNIT = runpy.run_path(str(Path(__file__).resolve().parents[2] / "unit" / "conftest.py"))
