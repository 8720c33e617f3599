# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._host.files import FilesOperation
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError


def entry(path: Path, **further: Any) -> dict[str, Any]:
    return {"path": str(path), "state": "file", "owner": str(os.getuid()), "group": str(os.getgid()), "mode": None, **further}


def converge(*files: dict[str, Any]) -> list[str]:
    operation = FilesOperation(files, check=False)
    operation.perform(operation.plan(), {})
    return list(operation.facts()["paths"])


def test_makes_changes_and_removes_once(tmp_path: Path) -> None:
    wanted = (entry(tmp_path / "d", state="directory", mode="0750"), entry(tmp_path / "d/f", content="é\n", mode="0600"))
    assert converge(*wanted) == [str(tmp_path / "d"), str(tmp_path / "d/f")]
    assert (tmp_path / "d/f").read_text(encoding="utf-8") == "é\n"
    assert stat.S_IMODE((tmp_path / "d/f").stat().st_mode) == 0o600
    assert converge(*wanted) == []
    (tmp_path / "d/f").chmod(0o644)
    assert converge(*wanted) == [str(tmp_path / "d/f")]
    gone = (entry(tmp_path / "d/f", state="absent"), entry(tmp_path / "d", state="absent"))
    assert converge(*gone) == [str(tmp_path / "d/f"), str(tmp_path / "d")]
    assert converge(*gone) == []


def test_a_link_in_the_way_is_replaced_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("kept")
    (tmp_path / "f").symlink_to(tmp_path / "target")
    assert converge(entry(tmp_path / "f", content="mine")) == [str(tmp_path / "f")]
    assert (tmp_path / "target").read_text() == "kept"


def test_a_plan_writes_nothing_and_hides_secrets(tmp_path: Path) -> None:
    operation = FilesOperation([entry(tmp_path / "d/f", content="hush", secret=True)], check=True)
    plan = operation.plan()
    assert [step.name for step in plan.steps] == ["file"]
    assert "hush" not in str(plan.as_dict())
    assert list(tmp_path.iterdir()) == []


def test_a_directory_with_something_in_it_stays(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d/theirs").write_text("x")
    with pytest.raises(DomainError) as error:
        converge(entry(tmp_path / "d", state="absent"))
    assert error.value.code == "file_failed"
    assert (tmp_path / "d/theirs").exists()


@pytest.mark.parametrize(
    ("further", "code"),
    [
        ({"path": "relative"}, "bad_input"),
        ({"path": "/etc/../x"}, "bad_input"),
        ({"mode": "644"}, "bad_input"),
        ({"owner": "no-such-user"}, "user_unknown"),
    ],
)
def test_bad_input_is_refused_before_anything_is_written(tmp_path: Path, further: dict[str, Any], code: str) -> None:
    first = entry(tmp_path / "first", content="x")
    with pytest.raises(DomainError) as error:
        converge(first, {**entry(tmp_path / "second", content="x"), **further})
    assert error.value.code == code
    assert list(tmp_path.iterdir()) == []


def test_the_same_path_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DomainError, match="twice"):
        converge(entry(tmp_path / "f", content="a"), entry(tmp_path / "f", content="b"))


def test_a_link_takes_the_place_of_a_file_and_of_another_link(tmp_path: Path) -> None:
    wanted = entry(tmp_path / "l", state="link", target="/dev/null")
    assert converge(wanted) == [str(tmp_path / "l")]
    assert converge(wanted) == []
    for other in ("file", "link"):
        (tmp_path / "l").unlink()
        (tmp_path / "l").write_text("theirs") if other == "file" else (tmp_path / "l").symlink_to("/dev/zero")
        assert converge(wanted) == [str(tmp_path / "l")]
        assert os.readlink(tmp_path / "l") == "/dev/null" and [path.name for path in tmp_path.iterdir()] == ["l"]
