# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An Odoo backup as a zip: what is in it, read and checked without unpacking anything.

Written so by Odoo's database manager (odoo/service/db.py: ``dump.sql``, ``filestore/``, ``manifest.json``), by click-odoo-contrib and by Odoo.sh.
Whoever made it is not believed: every name, kind and size is looked at before anything is written.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from ..._kernel.errors import DomainError
from ..model import STORED

BLOCK = 1 << 20
# Under which names a dump lies in a backup.
DUMPS = ("dump.sql", "dump.sql.gz", "dump.dump", "database.dump", "db.dump")
FILES = "filestore/"
# What is read of a manifest at the most, in bytes; Odoo's has some KiB.
MANIFEST_LIMIT = 4 << 20
# How much of a dump's beginning says what it is.
HEAD = 64 << 10
# What a damaged archive makes zipfile, zlib and gzip raise while it is read.
DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, NotImplementedError)
_SERIES = re.compile(r"((?:saas[~-])?\d+\.\d+)(?:[.+-].*)?")
_DUMPED_FROM = re.compile(rb"^-- Dumped from database version (\d+)", re.MULTILINE)
_GZIP, _CUSTOM = b"\x1f\x8b", b"PGDMP"


@dataclass(frozen=True)
class Contents:
    """What a backup holds.

    :param digest: SHA-256 of the archive, hexadecimal.
    :param dump: the dump's name in it; ``kind`` is ``sql``, ``gzip`` or ``custom``; ``dump_bytes`` as it lies there unpacked.
    :param major: PostgreSQL's major version that the dump is of; 0 where it does not say.
    :param files: name in the zip by name of the stored file (``ab/ab12…``); ``file_bytes`` is their size.
    :param others: how many other entries there are, which are left alone.
    :param manifest: Odoo's own, where it is there and can be read.
    """

    digest: str
    size: int
    dump: str
    kind: str
    dump_bytes: int
    major: int
    files: Mapping[str, str]
    file_bytes: int
    others: int
    manifest: Mapping[str, Any]

    @property
    def series(self) -> str:
        """As ``19.0``, by the manifest; empty where that does not say."""
        return series_in(str(self.manifest.get("major_version") or self.manifest.get("version") or ""))

    def facts(self) -> dict[str, Any]:
        return {"digest": "sha256:" + self.digest, "bytes": self.size, "dump": self.dump, "dump_bytes": self.dump_bytes, "postgresql": self.major,
                "files": len(self.files), "file_bytes": self.file_bytes, "others": self.others, "series": self.series}


def series_in(version: str) -> str:
    """``19.0`` of a module's version ``19.0.1.3``; empty where it is none."""
    found = _SERIES.fullmatch(version)
    return found.group(1) if found else ""


class Archive:
    """An open backup. The file is opened once: what was checked is what is read.

    :raises DomainError: ``no_archive``, ``not_a_zip``, ``archive_truncated``, ``archive_malformed``, ``no_dump``.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._file = self._open()
        try:
            self._zip = self._directory()
            self.contents = self._read()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    def _open(self) -> IO[bytes]:
        try:
            # A pipe would be waited for.
            file = os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NONBLOCK), "rb")
        except OSError as error:
            raise bad_archive("no_archive", self.path, f"cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise bad_archive("no_archive", self.path, "is no regular file")
        return file

    def _directory(self) -> zipfile.ZipFile:
        begin = self._file.read(4)
        try:
            return zipfile.ZipFile(self._file)
        except (zipfile.BadZipFile, ValueError, OSError) as error:
            if begin[:2] == b"PK":
                raise bad_archive("archive_truncated", self.path, f"begins as a zip but has no readable end: {error}",
                                  "Copy it again, and compare its size with the original's") from None
            raise bad_archive("not_a_zip", self.path, "is no zip") from None

    def _read(self) -> Contents:
        entries = self._checked()
        dumps = [name for name in DUMPS if name in entries]
        if len(dumps) != 1:
            raise bad_archive("no_dump", self.path, "holds {} of {}; exactly one is expected".format(
                " and ".join(dumps) or "none", ", ".join(DUMPS)))
        files = {}
        for name in entries:
            stored = name[len(FILES):] if name.startswith(FILES) else ""
            if STORED.fullmatch(stored) and stored.rpartition("/")[2].startswith(stored.partition("/")[0]):
                files[stored] = name
        dump = entries[dumps[0]]
        head = self._head(dumps[0])
        kind = "custom" if head.startswith(_CUSTOM) else "gzip" if head.startswith(_GZIP) else "sql"
        if kind == "gzip":
            head = self._unzipped(head)
        manifest = self._manifest(entries)
        return Contents(
            self._digest(), os.fstat(self._file.fileno()).st_size, dumps[0], kind, dump.file_size, major_of(head), files,
            sum(entries[name].file_size for name in files.values()),
            sum(not entry.is_dir() for entry in entries.values()) - len(files) - 1 - ("manifest.json" in entries), manifest)

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        """Entries by name, each one harmless."""
        entries: dict[str, zipfile.ZipInfo] = {}
        for entry in self._zip.infolist():
            problem = problem_of(entry)
            if not problem and entry.filename in entries:
                problem = "is in it twice"
            if not problem and entry.header_offset + entry.compress_size > os.fstat(self._file.fileno()).st_size:
                problem = "lies beyond the archive's end"
            if problem:
                raise bad_archive("archive_malformed", self.path, f"has the entry {entry.filename[:200]!r}, which {problem}",
                                  "Odoo writes no such backup; find out where this one comes from")
            entries[entry.filename] = entry
        return entries

    def _digest(self) -> str:
        digest = hashlib.sha256()
        self._file.seek(0)
        while True:
            block = self._file.read(BLOCK)
            if not block:
                return digest.hexdigest()
            digest.update(block)

    def _head(self, name: str) -> bytes:
        try:
            with self._zip.open(name) as stream:
                return stream.read(HEAD)
        except DAMAGED as error:
            raise self.damaged(name, error) from None

    def _unzipped(self, head: bytes) -> bytes:
        try:
            return zlib.decompressobj(wbits=31).decompress(head, HEAD)
        except zlib.error as error:
            raise self.damaged("the dump", error) from None

    def _manifest(self, entries: Mapping[str, zipfile.ZipInfo]) -> dict[str, Any]:
        entry = entries.get("manifest.json")
        if entry is None or entry.file_size > MANIFEST_LIMIT:
            return {}
        try:
            with self._zip.open(entry) as stream:
                value = json.loads(stream.read())
        except DAMAGED as error:
            raise self.damaged(entry.filename, error) from None
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def damaged(self, name: str, error: BaseException) -> DomainError:
        return DomainError("archive_damaged", f"{name} in {self.path} cannot be read: {error}",
                           advice="Copy the archive again, or take another backup")

    def open(self, name: str) -> IO[bytes]:
        """One entry as a stream; reading it raises one of ``DAMAGED`` where it is not whole."""
        return self._zip.open(name)

    def open_dump(self) -> IO[bytes]:
        """The dump as a stream, unpacked where it was packed once more."""
        stream = self._zip.open(self.contents.dump)
        return io.BufferedReader(gzip.GzipFile(fileobj=stream)) if self.contents.kind == "gzip" else stream

    def files(self) -> Iterator[tuple[str, str]]:
        """Stored name and name in the zip, in the order in which they lie in it."""
        place = {stored: self._zip.getinfo(name).header_offset for stored, name in self.contents.files.items()}
        for stored in sorted(place, key=place.__getitem__):
            yield stored, self.contents.files[stored]


def problem_of(entry: zipfile.ZipInfo) -> str:
    """Why an entry must not be in a backup; empty where it may."""
    name, mode = entry.filename, entry.external_attr >> 16
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        return "is an absolute path"
    if "\\" in name or re.search(r"[\x00-\x1f]", entry.orig_filename):
        return "has a backslash or a control character in its name"
    if ".." in name.split("/"):
        return "leads out of the archive"
    if stat.S_IFMT(mode) and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return "is a symbolic link or another special file"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        return f"is packed by method {entry.compress_type}, which this Python does not know"
    return ""


def major_of(head: bytes) -> int:
    """PostgreSQL's major version by a dump's beginning; 0 where it does not say."""
    if head.startswith(_CUSTOM):
        return _major_of_custom(head)
    found = _DUMPED_FROM.search(head)
    return int(found.group(1)) if found else 0


def _major_of_custom(head: bytes) -> int:
    """The header of pg_dump's custom format (src/bin/pg_dump/pg_backup_archiver.c, ReadHead): magic, version (3 bytes), sizes of integers and
    offsets, format, compression (a byte since 1.15, else an integer), 7 integers of a time, then the database's name and the server's version.
    """
    stream = io.BytesIO(head[len(_CUSTOM):])
    major, minor, _revision, size, _offset, _format = stream.read(6)[:6].ljust(6, b"\0")

    def integer() -> int:
        sign, value = stream.read(1), int.from_bytes(stream.read(size), "little")
        return -value if sign == b"\1" else value

    def text() -> bytes:
        length = integer()
        return stream.read(length) if 0 < length < 1024 else b""

    if (major, minor) >= (1, 15):
        stream.read(1)
    else:
        integer()
    for _part in range(7):
        integer()
    text()
    found = re.match(rb"\d+", text())
    return int(found.group()) if found else 0


def bad_archive(code: str, path: str, why: str, advice: str = "Give archive the path of an Odoo backup (zip) on the instance's machine") -> DomainError:
    return DomainError(code, f"archive {path} {why}", unchanged="Nothing was changed", advice=advice)
