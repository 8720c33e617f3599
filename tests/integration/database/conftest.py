# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What needs a real PostgreSQL and nothing else: each test with every major version at hand."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2] / "lab")]
from cluster import Server, majors, running  # noqa: E402


@pytest.fixture(scope="session", params=majors())
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    with running(request.param) as made:
        yield made


@pytest.fixture
def programs(server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:  # pytest makes its own directory first
    """The programs of this version come first."""
    monkeypatch.setattr(tempfile, "tempdir", str(server.directory))
    monkeypatch.setenv("PATH", f"{server.programs}:{os.environ['PATH']}")
