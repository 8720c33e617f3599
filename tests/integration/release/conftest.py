# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate that all faults are tried on, and the seed of what is random: every run tries a slice of the faults and of the bad inputs, which
``SYSGENPRO_SEED`` repeats. ``KEEP=1`` leaves the machine for the next run; ``SYSGENPRO_FAULT_MACHINE`` names it (``fault-1``).
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "lab")]
from estate import Estate, leave_mark  # noqa: E402
from sgplab.base import locked  # noqa: E402

MACHINE = os.environ.get("SYSGENPRO_FAULT_MACHINE", "fault-1")

SEED = os.environ.get("SYSGENPRO_SEED") or str(random.SystemRandom().randrange(10**6))


SLICES = (("test_faults.py", "test_journey.py", "test_no_room.py", "test_restarts.py"), ("test_bad_input.py",))
"""Modules of which every run tries one slow test each."""


def pytest_report_header() -> str:
    return f"faults: SYSGENPRO_SEED={SEED}"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The seed's slice: of each part of ``SLICES`` first a test, then one of its cases, so that a test of many cases is not the usual one.

    Kills are not among them: ``test_killed_at_random`` is in every run.
    """
    if os.environ.get("SYSGENPRO_TEST_ALL") or any("::" in name for name in config.args):
        return
    for modules in SLICES:
        tests: dict[str, list[pytest.Item]] = {}
        for item in items:
            name = item.name.split("[")[0]
            if item.path.name in modules and item.path.parent == Path(__file__).parent and item.get_closest_marker("slow") \
                    and not item.get_closest_marker("dear") and not name.startswith("test_killed"):
                tests.setdefault(name, []).append(item)
        if tests:
            chance = random.Random(f"{SEED}/{modules}")
            chance.choice(tests[chance.choice(sorted(tests))]).add_marker(pytest.mark.slice)


def pytest_report_collectionfinish(items: list[pytest.Item]) -> list[str]:
    """Which ones were chosen stands beside the seed."""
    chosen = [item.name for item in items if item.get_closest_marker("slice")]
    return [f"faults chosen by SYSGENPRO_SEED={SEED}: {', '.join(chosen)}"] if chosen else []


@pytest.fixture(scope="session")
def estate() -> Iterator[Estate]:
    with locked(f"faults-{MACHINE}"):
        made = Estate.open(MACHINE)
        yield made
        made.close()


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """Random choices that the printed seed repeats for this test alone."""
    print(f"SYSGENPRO_SEED={SEED}")
    return random.Random(f"{SEED}/{request.node.name}")


@pytest.fixture
def mark(estate: Estate, request: pytest.FixtureRequest) -> str:
    """A row in the database before the test, which must be there after it."""
    text = "{} {}".format(request.node.name.replace("'", ""), os.urandom(4).hex())
    leave_mark(estate, text)
    return text


@pytest.fixture
def here(estate: Estate) -> Iterator[None]:
    """Whatever a test leaves behind, the next one begins with a release that runs."""
    yield
    estate.machine.sql("delete from ir_config_parameter where key like 'fault.%'", check=False)
