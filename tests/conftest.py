# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let tests import this checkout as ``ansible_collections.sysgenpro.odoo``, and keep the slow ones for ``script/test --all``."""

from __future__ import annotations

import os
import sys

import pytest

sys.path[:0] = [path for path in os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":") if path]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked ``slow`` out, unless all were asked for or one was named."""
    if os.environ.get("SYSGENPRO_TEST_ALL") or config.option.markexpr or config.option.keyword or any("::" in name for name in config.args):
        return
    slow = [item for item in items if item.get_closest_marker("slow")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
