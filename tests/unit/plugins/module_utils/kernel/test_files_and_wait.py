# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that are there whole or not at all; waiting on a clock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.files import read_text, remove_file, replace_file
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.wait import Deadline, WaitTimeout, wait_until


def test_a_file_is_replaced_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o644)
    previous = os.umask(0)
    try:
        replace_file(str(path), b"new", mode=0o400)
    finally:
        os.umask(previous)
    assert path.read_text() == "new" and path.stat().st_mode & 0o777 == 0o400
    assert [p.name for p in tmp_path.iterdir()] == ["secret"]


@pytest.mark.parametrize("where", ["fsync", "fchmod", "replace"])
def test_a_failed_write_leaves_the_old_file_and_no_stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    path = tmp_path / "file"
    path.write_text("old")

    def full(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, where, full)
    with pytest.raises(OSError, match="No space"):
        replace_file(str(path), b"new")
    assert path.read_text() == "old" and [p.name for p in tmp_path.iterdir()] == ["file"]


def test_a_stage_left_by_a_crash_is_no_hindrance(tmp_path: Path) -> None:
    path = tmp_path / "file"
    (tmp_path / "file.tmp").write_text("torn, and longer than what is written now")
    replace_file(str(path), b"new")
    assert path.read_text() == "new" and not (tmp_path / "file.tmp").exists()


def test_absent_files(tmp_path: Path) -> None:
    remove_file(str(tmp_path / "absent"))
    assert read_text(str(tmp_path / "absent")) is None


class Clock:
    """Time passes only by sleeping."""

    def __init__(self) -> None:
        self.now, self.slept = 100.0, list[float]()

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_waiting_ends_with_what_was_found() -> None:
    clock = Clock()
    answers = iter([None, "", 0, "found"])
    assert wait_until(lambda: next(answers), Deadline(10, clock), 0.5, clock.sleep) == "found"
    assert clock.slept == [0.5, 0.5, 0.5]


def test_waiting_is_bounded_and_looks_at_least_once() -> None:
    clock = Clock()
    looks: list[float] = []
    with pytest.raises(WaitTimeout, match=r"not so within 1\.2 s"):
        wait_until(lambda: looks.append(clock.now), Deadline(1.2, clock), 0.5, clock.sleep)
    assert len(looks) == 4 and sum(clock.slept) == pytest.approx(1.2)
    looks.clear()
    with pytest.raises(WaitTimeout):
        wait_until(lambda: looks.append(0), Deadline(0, clock), 0.5, clock.sleep)
    assert looks == [0]
    assert Deadline(-5, clock).left == 0 and Deadline(-5, clock).passed
