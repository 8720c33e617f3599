# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One PostgreSQL, Redis and blue Odoo per series for the whole run; containers are named ``sgp-addons-…``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import rig as rigs  # noqa: E402


def _series() -> list[str]:
    """``SYSGENPRO_TEST_SERIES=14.0`` narrows it."""
    return (os.environ.get("SYSGENPRO_TEST_SERIES") or "19.0,14.0").split(",")


@pytest.fixture(scope="session", params=_series())
def rig(request: pytest.FixtureRequest) -> Iterator[rigs.Rig]:
    made = rigs.new(request.param)
    yield made
    made.stop()


@pytest.fixture(scope="session")
def blue(rig: rigs.Rig) -> rigs.Odoo:
    """The colour that runs all the time. It waits 3 s for Redis, so that a test need not wait 10."""
    (rig.directory / "run-blue").mkdir()
    (rig.directory / "run-blue" / "leading").touch()
    (rig.directory / "run-blue" / "99999-1").write_text("{}", encoding="utf-8")
    return rig.odoo("blue", environment={"SYSGENPRO_SESSION_WAIT": "3"})


@pytest.fixture
def user(blue: rigs.Odoo) -> rigs.Browser:
    return rigs.Browser(blue)
