# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins, on a real file system."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.pins import Broken, Kept, Pins

NONE: frozenset[str] = frozenset()


def write(filestore: Path, content: bytes, whole: bool = True) -> str:
    """A stored file as Odoo writes it, or torn."""
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    path = filestore / digest[:2] / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if whole else content[:-1])
    return f"{digest[:2]}/{digest}"


@pytest.fixture
def filestore(tmp_path: Path) -> Path:
    (tmp_path / "filestore").mkdir()
    return tmp_path / "filestore"


def capture(filestore: Path, referenced: list[str], during: object = None) -> tuple[Kept, Broken]:
    work = filestore.parent / "work"
    work.mkdir(exist_ok=True)
    pins = Pins(str(filestore), str(work))
    pins.prepare()
    pins.begin()
    for stored in referenced:
        pins.link(stored)
    if callable(during):
        during()
    pins.prove()
    kept, broken = pins.settle(sorted(referenced), str(work / "list"))
    if not broken:
        pins.ended_well()
    return kept, broken


def tree(filestore: Path) -> set[str]:
    place = filestore.parent / "work" / "tree" / "files"
    return {str(path.relative_to(place)) for path in place.rglob("*") if path.is_file()}


def test_second_capture_reads_only_what_is_new(filestore: Path) -> None:
    names = [write(filestore, b"%d" % number) for number in range(50)]
    kept, broken = capture(filestore, names)
    assert (kept.count, kept.read, bool(broken)) == (50, 50, False) and tree(filestore) == set(names)
    listed = (filestore.parent / "work" / "list").read_bytes()
    assert kept.digest == "sha256:" + hashlib.sha256(listed).hexdigest() and kept.bytes == sum(int(line.split()[1]) for line in listed.splitlines())
    names.append(write(filestore, b"new"))
    assert capture(filestore, names)[0].read == 1


def test_garbage_collected_while_capturing_is_kept(filestore: Path) -> None:
    names = [write(filestore, b"a"), write(filestore, b"b")]
    _kept, broken = capture(filestore, names, during=lambda: [os.unlink(filestore / name) for name in names])
    assert not broken and tree(filestore) == set(names)


def test_what_is_referenced_no_more_is_let_go(filestore: Path) -> None:
    names = [write(filestore, b"a"), write(filestore, b"b")]
    capture(filestore, names)
    capture(filestore, names[:1])
    assert tree(filestore) == {names[0]}
    capture(filestore, [])
    assert tree(filestore) == set()


def test_torn_and_missing(filestore: Path) -> None:
    good, torn = write(filestore, b"good"), write(filestore, b"torn", whole=False)
    missing = "00/" + "0" * 40
    kept, broken = capture(filestore, [good, torn, missing])
    assert sorted(broken.missing + broken.torn) == sorted([torn, missing])
    assert kept.count == 1


def test_torn_in_place_later_is_found(filestore: Path) -> None:
    name = write(filestore, b"content")
    capture(filestore, [name])
    time.sleep(0.02)
    with (filestore / name).open("r+b") as stream:
        stream.truncate(3)
    _kept, broken = capture(filestore, [name])
    assert broken.torn == [name]
    os.unlink(filestore / name)
    write(filestore, b"content")
    assert not capture(filestore, [name])[1], "what was written anew is pinned in its place"


def test_written_while_looked_at(filestore: Path) -> None:
    name = write(filestore, b"slowly written", whole=False)

    def finish() -> None:
        time.sleep(0.3)
        write(filestore, b"slowly written")

    writer = threading.Thread(target=finish)
    assert not capture(filestore, [name], during=writer.start)[1]
    writer.join()


@pytest.mark.parametrize("kind", ["symlink", "fifo", "directory"])
def test_no_regular_file(filestore: Path, kind: str, tmp_path: Path) -> None:
    name = write(filestore, b"content")
    os.unlink(filestore / name)
    if kind == "symlink":
        (tmp_path / "secret").write_bytes(b"content")
        os.symlink(tmp_path / "secret", filestore / name)
    elif kind == "fifo":
        os.mkfifo(filestore / name)
    else:
        (filestore / name).mkdir()
    _kept, broken = capture(filestore, [name])
    assert broken and not tree(filestore)


def test_what_a_crash_left_is_looked_at_again(filestore: Path) -> None:
    name = write(filestore, b"content")
    work = filestore.parent / "work"
    work.mkdir()
    first = Pins(str(filestore), str(work))
    first.prepare()
    first.link(name)
    assert capture(filestore, [name])[0].read == 1
    assert not (work / "incoming").exists()


def test_no_filestore(tmp_path: Path) -> None:
    assert not capture(tmp_path / "none", [])[1]
    assert capture(tmp_path / "none", ["00/" + "0" * 40])[1].missing
