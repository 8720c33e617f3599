# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let tests import this checkout as ``ansible_collections.sysgenpro.odoo``, keep the slow ones for ``script/test --all``, and show the figures
that tests measured, which pytest does not show of a test that passed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import pytest

FIGURE = "figure"

sys.path[:0] = [path for path in os.environ.get("ANSIBLE_COLLECTIONS_PATH", "").split(":") if path]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave tests marked ``slow`` out, unless all were asked for, one was named, or a seed chose it (``slice``)."""
    if os.environ.get("SYSGENPRO_TEST_ALL") or config.option.markexpr or config.option.keyword or any("::" in name for name in config.args):
        return
    slow = [item for item in items if item.get_closest_marker("slow") and not item.get_closest_marker("slice")]
    if slow:
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]


@pytest.fixture
def figure(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Keep a figure, a line for people, for the end of the run and for the report."""
    def keep(text: str) -> None:
        print(text)
        record_property(FIGURE, f"{request.node.name}: {text}")

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """All figures, in the order in which they were measured. ``script/test`` repeats the section at its end."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.stats.get(kind, ()) if report.when == "call"]
    figures = [(report.start, value) for report in reports for key, value in report.user_properties if key == FIGURE]
    if figures:
        terminalreporter.section("figures")
        for _when, text in sorted(figures, key=lambda found: found[0]):
            terminalreporter.write_line(text)
