# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Image layers whose bytes depend on nothing but their content: sorted, owned by root, with times made from content."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

from .._kernel.errors import DomainError

# Odoo names an asset bundle by the times of its files, and browsers keep it by that name: one fixed time for all would
# hide every change. So a file's time is made from its content, between these two moments.
EARLIEST = 946684800  # 2000-01-01
LATEST = 1577836800  # 2020-01-01
# Up to 16.0 a bundle's name has only the latest time among its files (`last_modified` in assetsbundle.py, 14.0), so
# there all files of the add-ons bear one time, made from all content, later than any file of Odoo.
FAR = 1893456000  # 2030-01-01
FAR_SPAN = 5 * 365 * 86400
_SKIPPED = ("__pycache__", ".git")


@dataclass(frozen=True)
class Entry:
    """One file, directory or link below a folder. ``name``: its path from there."""

    name: str
    kind: str
    mode: int
    path: str

    def content(self) -> bytes:
        if self.kind == "link":
            return os.fsencode(os.readlink(self.path))
        if self.kind == "directory":
            return b""
        with open(self.path, "rb") as stream:
            return stream.read()


def tree_entries(root: str) -> Iterator[Entry]:
    """What a folder holds, in a stable order, without byte code and Git's own.

    :raises DomainError: ``malformed_source`` for a link that leads out of the folder, and for devices and sockets.
    """
    top = os.path.realpath(root)
    for folder, directories, names in os.walk(top):
        directories[:] = sorted(name for name in directories if name not in _SKIPPED)
        for name in sorted([*directories, *names]):
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, top)
            if os.path.islink(path):
                _inside(path, top)
                yield Entry(relative, "link", 0o777, path)
            elif os.path.isdir(path):
                yield Entry(relative, "directory", 0o755, path)
            elif not os.path.isfile(path):
                raise DomainError("malformed_source", f"{path} is neither file, directory nor link")
            elif not name.endswith((".pyc", ".pyo")):
                yield Entry(relative, "file", 0o755 if os.stat(path).st_mode & 0o100 else 0o644, path)


def _inside(path: str, top: str) -> None:
    if os.path.commonpath([os.path.realpath(path), top]) != top:
        raise DomainError(
            "malformed_source",
            f"the link {path} leads out of the add-ons folder",
            unchanged="Nothing was built",
            advice="Put the file itself there, or leave the link out",
        )


def content_time(content: bytes) -> int:
    """A time that is another for another content."""
    return EARLIEST + int.from_bytes(hashlib.sha256(content).digest()[:8], "big") % (LATEST - EARLIEST)


def addons_layer(target: str, folders: Iterable[tuple[str, str]], series: str) -> None:
    """Write a layer (tar.gz) with folders, each at its place.

    :param folders: (directory of this host, its directory in the image from the root).
    """
    found = [(place, list(tree_entries(path))) for path, place in sorted(folders, key=lambda pair: pair[1])]
    fixed = None
    if float(series) < 17:
        total = hashlib.sha256()
        for _place, entries in found:
            for entry in entries:
                total.update(entry.name.encode() + hashlib.sha256(entry.content()).digest())
        fixed = FAR + int.from_bytes(total.digest()[:8], "big") % FAR_SPAN
    with LayerWriter(target) as layer:
        for place, entries in found:
            layer.parents(place + "/x")
            for entry in entries:
                layer.add(f"{place}/{entry.name}", entry.kind, entry.mode, entry.content(), fixed)


class LayerWriter:
    """A gzipped tar with nothing in it that depends on when or where it was written."""

    def __init__(self, path: str) -> None:
        self._raw = open(path, "wb")  # noqa: SIM115 - closed by __exit__
        self._zip = gzip.GzipFile(filename="", mode="wb", fileobj=self._raw, mtime=0, compresslevel=6)
        self._tar = tarfile.open(fileobj=self._zip, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115
        self._known: set[str] = set()

    def __enter__(self) -> LayerWriter:
        return self

    def __exit__(self, *_exc: object) -> None:
        for stream in (self._tar, self._zip, self._raw):
            stream.close()

    def parents(self, name: str) -> None:
        """The directories above a name."""
        parts = name.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            self.add("/".join(parts[:depth]), "directory", 0o755, b"")

    def add(self, name: str, kind: str, mode: int, content: bytes, when: int | None = None) -> None:
        if kind == "directory" and name in self._known:
            return
        self._known.add(name)
        member = tarfile.TarInfo(name)
        member.mode = mode
        member.mtime = content_time(content) if when is None and kind == "file" else when or EARLIEST
        if kind == "directory":
            member.type = tarfile.DIRTYPE
        elif kind == "link":
            member.type, member.linkname = tarfile.SYMTYPE, os.fsdecode(content)
        else:
            member.size = len(content)
        self._tar.addfile(member, io.BytesIO(content) if kind == "file" else None)

    def copy(self, member: tarfile.TarInfo, stream: IO[bytes] | None) -> None:
        """Take a member of another archive over: owner, mode and links stay, its time is made anew."""
        content = stream.read() if stream else b""
        member.mtime = content_time(content) if stream else EARLIEST
        member.uname = member.gname = ""
        member.pax_headers = {}
        self._tar.addfile(member, io.BytesIO(content) if stream else None)


def single_file_layer(target: str, name: str, content: bytes) -> None:
    """A layer with one file of mode 0444 and the directories above it."""
    with LayerWriter(target) as layer:
        layer.parents(name)
        layer.add(name, "file", 0o444, content)


def layer_digests(path: str) -> tuple[str, str, int]:
    """(digest as stored, digest of the tar within, size in bytes) of a layer."""
    stored, inner = hashlib.sha256(), hashlib.sha256()
    with open(path, "rb") as stream:
        for block in iter(lambda: stream.read(1 << 20), b""):
            stored.update(block)
    with gzip.open(path, "rb") as unpacked:
        for block in iter(lambda: unpacked.read(1 << 20), b""):
            inner.update(block)
    return "sha256:" + stored.hexdigest(), "sha256:" + inner.hexdigest(), os.path.getsize(path)
