# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A filestore that the instance's processes cannot use is found before anything is held, with a real file system, and what that costs."""

from __future__ import annotations

import os
import types
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import data as filestore
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.data import Data
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import R1, R2, R3, Rig, running_r1

ME = os.getuid()
STRANGER = ME + 1


def place(tmp_path: Path, uid: int, directories: int = 3, files: int = 1) -> tuple[Data, Path]:
    """An instance whose files are mine, and whose processes are of ``uid``."""
    data = Data(str(tmp_path / "acme-production"), "acme_production", uid)
    store = Path(data.filestore)
    store.mkdir(parents=True)
    for number in range(directories):
        (store / f"{number:02x}").mkdir(mode=0o700)
        for file in range(files):
            (store / f"{number:02x}" / f"{number:02x}{file:038x}").write_bytes(b"x")
    (tmp_path / "acme-production" / "state").mkdir()
    return data, store


def closed(store: Path) -> None:
    (store / "01").chmod(0o500)


def unreadable(store: Path) -> None:
    next((store / "02").iterdir()).chmod(0o200)


def link_out(store: Path) -> None:
    (store / "01").rename(store.parents[3] / "elsewhere")
    (store / "01").symlink_to(store.parents[3] / "elsewhere")


def all_elsewhere(store: Path) -> None:
    store.rename(store.parents[3] / "elsewhere")
    store.symlink_to(store.parents[3] / "elsewhere")


def dangling(store: Path) -> None:
    (store / "03").symlink_to("nowhere")


def no_directory(store: Path) -> None:
    (store / "00").rename(store.parent / "x")
    store.rename(store.parent / "y")
    store.write_text("not mounted")


def parent_closed(store: Path) -> None:
    store.parent.chmod(0o500)


REFUSED: dict[str, tuple[Callable[[Path], None], str]] = {
    "a directory nobody may write to": (closed, "01 is of uid"), "a file nobody may read": (unreadable, "mode 0200"),
    "a link out of what is mounted": (link_out, "01 is a link to"), "the whole on another disk, by a link": (all_elsewhere, "is a link to"),
    "a link to nothing": (dangling, "03 is no directory"), "no directory": (no_directory, "is no directory"),
    "what is above it": (parent_closed, "filestore is of uid"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_processes_cannot_use(tmp_path: Path, case: str) -> None:
    change, said = REFUSED[case]
    data, store = place(tmp_path, ME)
    data.check()
    change(store)
    try:
        with pytest.raises(DomainError) as error:
            data.check()
    finally:
        for path in (store.parent, store / "01"):
            if path.exists():
                path.chmod(0o700)
    assert error.value.code == "filestore_unusable" and said in error.value.message
    assert "nobody was held" in error.value.unchanged and "chown" in error.value.advice


def test_of_another_user(tmp_path: Path) -> None:
    """As after a restore by hand, by root: all of it, and it is said how to give it back."""
    data, store = place(tmp_path, STRANGER)
    for path in (store, *store.iterdir()):
        path.chmod(0o755)
    with pytest.raises(DomainError) as error:
        data.check()
    assert f"chown -R {STRANGER}:{STRANGER} {data.root}" in error.value.advice
    assert len(error.value.details["problems"]) == 6, "data, filestore, the database's and three below; files that all may read are none"


@pytest.mark.parametrize("mode", [0o770, 0o777])
def test_by_group_or_for_all(tmp_path: Path, mode: int) -> None:
    data, store = place(tmp_path, STRANGER, files=0)
    if mode == 0o770:
        if ME:
            pytest.skip("only root gives a group away")
        for path in (store.parent.parent, store.parent, store, *store.iterdir()):
            os.chown(path, -1, STRANGER)
    for path in (store.parent.parent, store.parent, store, *store.iterdir()):
        path.chmod(mode)
    data.check()


def test_a_new_instance_has_none(tmp_path: Path) -> None:
    Data(str(tmp_path / "acme-production"), "acme_production", ME).check()


FULL = {"f_bavail": 10, "f_frsize": 4096, "f_files": 1000, "f_favail": 1000000, "f_flag": 0}


@pytest.mark.parametrize(("there", "code", "said"), [
    (FULL, "no_room", "room for 0 MB"), ({**FULL, "f_bavail": 10 ** 6, "f_favail": 3}, "no_room", "3 files"),
    ({**FULL, "f_bavail": 10 ** 6, "f_flag": os.ST_RDONLY}, "filestore_unusable", "read-only"), ({**FULL, "f_bavail": 10 ** 6}, "", ""),
    ({**FULL, "f_bavail": 10 ** 6, "f_files": 0, "f_favail": 0}, "", "")])
def test_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: dict[str, int], code: str, said: str) -> None:
    data, _store = place(tmp_path, ME)
    monkeypatch.setattr(filestore.os, "statvfs", lambda path: types.SimpleNamespace(**there))
    if not code:
        data.check()
        return
    with pytest.raises(DomainError, match=said) as error:
        data.check()
    assert error.value.code == code


def test_what_it_costs_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many files there are: 259 directories are opened or asked, and four files of each of 256."""
    data, _store = place(tmp_path, ME, directories=256, files=40)
    asked: list[int] = []
    monkeypatch.setattr(filestore, "_may", lambda found, uid: asked.append(1) or 7)
    data.check()
    assert len(asked) == 3 + 256 + 256 * filestore.SAMPLE


def test_it_is_asked_where_something_is_done_and_not_otherwise(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = Rig(tmp_path, monkeypatch)
    running_r1(rig)
    asked: list[str] = []

    def refuse() -> None:
        asked.append("it")
        raise DomainError("filestore_unusable", "of root")

    rig.check_data = refuse
    assert not rig.run(rig.params(R1))["changed"] and not asked
    for release, state in ((R2, "released"), (R3, "released"), (R3, "planned"), (R3, "rehearsed"), (R2, "staged")):
        with pytest.raises(DomainError):
            rig.run(rig.params(release, state=state))
    assert asked == ["it"] * 5 and rig.world.effects == [] and rig.journal() == []
