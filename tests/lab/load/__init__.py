# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work on Odoo as a shop does, and count what was answered wrongly.

``python -m load --config load.json --out DIRECTORY --until-stopped`` on the controller, or as a library::

    with BackgroundLoad(Config.read("load.json"), directory) as load:
        ...  # release something
    load.summary(tenant="acme").failed == 0
"""

from __future__ import annotations

from .config import Config, Pace, Tenant
from .records import Record, Records, Summary, read_records, summarise
from .run import BackgroundLoad, run

__all__ = [
    "BackgroundLoad",
    "Config",
    "Pace",
    "Record",
    "Records",
    "Summary",
    "Tenant",
    "read_records",
    "run",
    "summarise",
]
