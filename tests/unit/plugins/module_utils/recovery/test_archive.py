# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which zips are taken for an Odoo backup, and what is said of the others."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.importing.archive import (
    DAMAGED,
    Archive,
    major_of,
    series_in,
)

SQL = b"--\n-- PostgreSQL database dump\n--\n\n-- Dumped from database version 16.4 (Debian)\n\nSET x = 1;\n"


def stored(content: bytes) -> str:
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return f"{digest[:2]}/{digest}"


def integer(value: int, size: int = 4) -> bytes:
    return b"\0" + value.to_bytes(size, "little")


def text(value: bytes) -> bytes:
    return integer(len(value)) + value


def custom(version: bytes = b"17.2 (Debian 17.2-1)", revision: int = 16) -> bytes:
    """The header of pg_dump's custom format."""
    compression = b"\1" if revision >= 15 else integer(6)
    return (b"PGDMP" + bytes((1, revision, 0, 4, 8, 1)) + compression + b"".join(integer(part) for part in (0, 1, 2, 3, 4, 126, 0))
            + text(b"shop") + text(version) + text(b"17.4"))


def write(path: Path, entries: Mapping[str, bytes], change: Callable[[zipfile.ZipInfo], Any] | None = None) -> str:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            entry = zipfile.ZipInfo(name)
            entry.compress_type = zipfile.ZIP_DEFLATED
            if change:
                change(entry)
            archive.writestr(entry, content)
    return str(path)


FILE = stored(b"a document")
GOOD = {"dump.sql": SQL, "filestore/" + FILE: b"a document", "filestore/checklist/" + FILE: b"",
        "manifest.json": json.dumps({"odoo_dump": "1", "major_version": "19.0", "modules": {"base": "19.0.1.3"}}).encode()}


@pytest.mark.parametrize(("dump", "content", "kind", "major"), [
    ("dump.sql", SQL, "sql", 16), ("dump.sql", b"CREATE TABLE x ();\n", "sql", 0), ("dump.sql.gz", gzip.compress(SQL), "gzip", 16),
    ("dump.dump", custom(), "custom", 17), ("database.dump", custom(b"15.13", 14), "custom", 15), ("db.dump", custom(b"9.6.1"), "custom", 9)])
def test_good_ones(tmp_path: Path, dump: str, content: bytes, kind: str, major: int) -> None:
    path = write(tmp_path / "good.zip", {**{name: data for name, data in GOOD.items() if name != "dump.sql"}, dump: content})
    archive = Archive(path)
    contents = archive.contents
    assert (contents.dump, contents.kind, contents.major, contents.series) == (dump, kind, major, "19.0")
    assert contents.digest == hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert dict(contents.files) == {FILE: "filestore/" + FILE} and contents.file_bytes == 10 and contents.others == 1
    with archive.open_dump() as stream:
        assert stream.read() == (SQL if kind == "gzip" else content)
    archive.close()


def test_a_manifest_that_says_nothing(tmp_path: Path) -> None:
    for number, manifest in enumerate((b"{", b"[1]", b"\xff", b'{"version": 7}')):
        assert Archive(write(tmp_path / f"{number}.zip", {**GOOD, "manifest.json": manifest})).contents.series == ""


def linked(entry: zipfile.ZipInfo) -> None:
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16


def device(entry: zipfile.ZipInfo) -> None:
    entry.external_attr = (stat.S_IFCHR | 0o600) << 16


MALFORMED: list[tuple[str, dict[str, bytes], Callable[[zipfile.ZipInfo], Any] | None, str]] = [
    ("out of it", {"filestore/../../etc/cron.d/x": b""}, None, "leads out"), ("out of it at once", {"../x": b""}, None, "leads out"),
    ("absolute", {"/etc/passwd": b""}, None, "absolute"), ("a drive", {"c:/windows": b""}, None, "absolute"),
    ("a backslash", {"filestore\\..\\x": b""}, None, "backslash"), ("a new line", {"filestore/x\ny": b""}, None, "control"),
    ("a link", {"filestore/" + FILE: b"/etc/shadow"}, linked, "symbolic link"), ("a device", {"filestore/" + FILE: b""}, device, "special file")]


@pytest.mark.parametrize(("entries", "change", "words"), [row[1:] for row in MALFORMED], ids=[row[0] for row in MALFORMED])
def test_entries_that_no_backup_has(tmp_path: Path, entries: dict[str, bytes], change: Any, words: str) -> None:
    with pytest.raises(DomainError, match=words) as caught:
        Archive(write(tmp_path / "bad.zip", {"dump.sql": SQL, **entries}, change))
    assert caught.value.code == "archive_malformed" and caught.value.unchanged


def test_an_entry_twice(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "twice.zip", "w") as archive, pytest.warns(UserWarning):
        archive.writestr("dump.sql", SQL)
        archive.writestr("dump.sql", b"another")
    with pytest.raises(DomainError, match="twice"):
        Archive(str(tmp_path / "twice.zip"))


def test_encrypted(tmp_path: Path) -> None:
    path = Path(write(tmp_path / "sealed.zip", {"dump.sql": SQL}))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DomainError, match="encrypted"):
        Archive(str(path))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.99])
def test_truncated(tmp_path: Path, share: float) -> None:
    data = Path(write(tmp_path / "whole.zip", GOOD)).read_bytes()
    path = tmp_path / "cut.zip"
    path.write_bytes(data[:int(len(data) * share)])
    with pytest.raises(DomainError) as caught:
        Archive(str(path))
    assert caught.value.code == "archive_truncated" and str(path) in caught.value.message


def test_not_a_file_and_not_a_zip(tmp_path: Path) -> None:
    (tmp_path / "text.zip").write_text("no zip")
    (tmp_path / "empty.zip").write_bytes(b"")
    os.mkfifo(tmp_path / "pipe")
    for name, code in (("pipe", "no_archive"), ("none.zip", "no_archive"), ("", "no_archive"), ("text.zip", "not_a_zip"), ("empty.zip", "not_a_zip")):
        with pytest.raises(DomainError) as caught:
            Archive(str(tmp_path / name))
        assert caught.value.code == code


@pytest.mark.parametrize("dumps", [(), ("dump.sql", "dump.dump"), ("backup/dump.sql",)])
def test_one_dump_is_expected(tmp_path: Path, dumps: tuple[str, ...]) -> None:
    with pytest.raises(DomainError) as caught:
        Archive(write(tmp_path / "x.zip", {"filestore/" + FILE: b"", **dict.fromkeys(dumps, SQL)}))
    assert caught.value.code == "no_dump"


def test_damage_within_a_file_shows_when_it_is_read(tmp_path: Path) -> None:
    content = os.urandom(5000)
    path = Path(write(tmp_path / "flipped.zip", {"dump.sql": SQL, "filestore/" + stored(content): content}))
    data = bytearray(path.read_bytes())
    data[data.index(stored(content).encode()) + 2000] ^= 0xff
    path.write_bytes(data)
    archive = Archive(str(path))
    (name,) = archive.contents.files.values()
    with pytest.raises(DAMAGED), archive.open(name) as stream:
        stream.read()


def test_what_a_bomb_declares_is_counted(tmp_path: Path) -> None:
    """Sizes are believed only as bounds: zipfile reads no more than was declared."""
    entries = {"dump.sql": SQL, **{"filestore/" + stored(bytes((number,))): b"\0" * (1 << 20) for number in range(40)}}
    archive = Archive(write(tmp_path / "bomb.zip", entries))
    assert archive.contents.size < 1 << 20 and archive.contents.file_bytes == 40 << 20


@pytest.mark.parametrize(("version", "series"), [
    ("19.0.1.3", "19.0"), ("19.0", "19.0"), ("saas~18.2.1.0", "saas~18.2"), ("saas-18.2", "saas-18.2"), ("19.0+e", "19.0"), ("", ""), ("x", ""), ("19", "")])
def test_series(version: str, series: str) -> None:
    assert series_in(version) == series


@pytest.mark.parametrize("cut", range(0, len(custom()), 7))
def test_a_cut_header_harms_nobody(cut: int) -> None:
    assert major_of(custom()[:cut]) in (0, 1, 17)
