# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The machine that recovery points are tried on. ``KEEP=1`` leaves it for the next run; ``SYSGENPRO_RECOVERY_MACHINE`` names it."""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "lab")]
from rig.instance import Instance  # noqa: E402
from rig.machine import Machine  # noqa: E402
from sgplab import machines  # noqa: E402
from sgplab.base import locked  # noqa: E402

MACHINE = os.environ.get("SYSGENPRO_RECOVERY_MACHINE", "recovery-1")
SEED = os.environ.get("SYSGENPRO_SEED") or str(random.SystemRandom().randrange(10**6))


def pytest_report_header() -> str:
    return f"recovery points: SYSGENPRO_SEED={SEED}"


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    with locked(f"recovery-{MACHINE}"):
        made = Machine(MACHINE)
        made.prepare()
        yield made
        if not os.environ.get("KEEP"):
            machines.down([MACHINE])


@pytest.fixture(scope="module")
def acme(machine: Machine) -> Iterator[Instance]:
    """A real Odoo 19 database and filestore."""
    made = Instance(machine, "acme")
    made.from_odoo()
    yield made
    made.drop_target()
    made.drop()


@pytest.fixture
def bodega(machine: Machine) -> Iterator[Instance]:
    """A small instance, new for each test."""
    made = Instance(machine, "bodega")
    made.drop_target()
    made.small()
    yield made
    made.drop_target()
    made.drop()


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random choices that the printed seed repeats for this test alone."""
    print(f"SYSGENPRO_SEED={SEED}")
    return random.Random(f"{SEED}/{request.node.name}")
