# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pins: hard links to the files a capture is about, which Odoo's garbage collector cannot take away.

``files/`` mirrors what was captured, each file's content proven to be what its name says. The tree stays between
captures, so that only what is new is read. ``incoming/`` holds links that are not yet proven.
Where a file has gone wrong in place since, its time is newer than the last capture, and it is read again.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from typing import IO

from .._kernel.errors import DomainError

# A file that is being written is looked at again: how often, and after how many seconds.
LOOKS, PAUSE = 4, 0.25
BLOCK = 1 << 20
# What a file system says of one file that it cannot give: no regular file, a bad block, a damaged directory, gone meanwhile, not to be read.
UNREADABLE = (errno.ELOOP, errno.EIO, errno.EUCLEAN, errno.ENOENT, errno.ESTALE, errno.EACCES, errno.ENODATA, errno.EBADMSG)


@dataclass
class Broken:
    """Names of stored files that are referenced and cannot be captured: not there, or not what their names say (also what cannot be read)."""

    missing: list[str] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.missing or self.torn)


@dataclass
class Kept:
    """What the list of files holds.

    :param digest: SHA-256 of the list: lines ``<store_fname> <size>``, sorted by name in C order.
    :param only_here: names that an earlier capture pinned and that the filestore has not any more.
    """

    count: int = 0
    bytes: int = 0
    digest: str = ""
    read: int = 0
    only_here: list[str] = field(default_factory=list)


class Pins:
    """The pin tree of one filestore.

    :param filestore: Odoo's directory of the database's files.
    :param work: root's own directory on the same file system; what is stored is its ``tree/``.
    """

    def __init__(self, filestore: str, work: str) -> None:
        self.filestore = filestore
        self.tree = os.path.join(work, "tree")
        self.files = os.path.join(self.tree, "files")
        self.incoming = os.path.join(work, "incoming")
        self.stamp = os.path.join(work, "captured")
        self.read = 0
        # What was proven by this capture, 20 bytes each.
        self._proven: set[bytes] = set()
        self._directories: set[str] = set()

    def prepare(self) -> None:
        """A filestore need not be there: Odoo can keep all attachments in the database.

        :raises DomainError: ``other_file_system``.
        """
        shutil.rmtree(self.incoming, ignore_errors=True)
        for path in (self.files, self.incoming):
            os.makedirs(path, mode=0o700, exist_ok=True)
        if os.path.isdir(self.filestore) and os.stat(self.files).st_dev != os.stat(self.filestore).st_dev:
            raise DomainError(
                "other_file_system", f"{self.files} and {self.filestore} lie on different file systems, so files cannot be pinned",
                unchanged="Nothing was captured", advice="Put the instance's directory on one file system")

    def has(self, stored: str) -> bool:
        """Whether a file is pinned, proven or not."""
        return os.path.lexists(f"{self.files}/{stored}") or os.path.lexists(f"{self.incoming}/{stored}")

    def link(self, stored: str) -> bool:
        """Pin one file; False where it is not there. Costs no reading, so that it can be done under a lock."""
        return os.path.lexists(f"{self.files}/{stored}") or self._link_new(stored)

    def _link_new(self, stored: str) -> bool:
        target = self._place(self.incoming, stored)
        try:
            os.link(os.path.join(self.filestore, stored), target, follow_symlinks=False)
        except FileExistsError:
            return True
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno == errno.EMLINK:
                return self._copied(os.path.join(self.filestore, stored), target)
            if error.errno in UNREADABLE or (error.errno == errno.EPERM and os.path.isdir(os.path.join(self.filestore, stored))):
                return False
            raise
        return True

    @staticmethod
    def _copied(path: str, target: str) -> bool:
        """One that has as many names as a file may have."""
        try:
            shutil.copyfile(path, target)
        except OSError as error:
            if error.errno not in UNREADABLE:
                raise
            return False
        return True

    def _place(self, tree: str, stored: str) -> str:
        """The path of a file, its directory made."""
        directory = f"{tree}/{stored.partition('/')[0]}"
        if directory not in self._directories:
            os.makedirs(directory, mode=0o700, exist_ok=True)
            self._directories.add(directory)
        return f"{tree}/{stored}"

    def prove(self) -> list[str]:
        """Read what came in and keep what is whole. Returns what is torn."""
        torn = []
        for directory in sorted(_names(self.incoming)):
            for name in sorted(_names(os.path.join(self.incoming, directory))):
                stored = f"{directory}/{name}"
                if not self._prove(stored):
                    torn.append(stored)
        return torn

    def _prove(self, stored: str) -> bool:
        path = os.path.join(self.incoming, stored)
        for look in range(LOOKS):
            if look:
                time.sleep(PAUSE)
                # Odoo may have written it anew meanwhile: another file of the same name.
                os.unlink(path)
                if not self._link_new(stored):
                    return False
            if self._whole(path, stored):
                os.replace(path, self._place(self.files, stored))
                self._proven.add(bytes.fromhex(stored.rpartition("/")[2]))
                return True
        os.unlink(path)
        return False

    def _whole(self, path: str, stored: str) -> bool:
        try:
            with open(path, "rb", opener=_no_follow) as stream:
                self.read += 1
                return sha1_of(stream) == stored.rpartition("/")[2]
        except OSError as error:
            if error.errno in UNREADABLE:
                return False
            raise

    def settle(self, referenced: Iterable[str], output: str) -> tuple[Kept, Broken]:
        """Make the tree hold exactly what is referenced, and write the list of it.

        Memory is that of one directory of 256, and of what is new.

        :param referenced: names sorted in C order.
        """
        since, digest = self._stamp(), hashlib.sha256()
        kept, broken = Kept(), Broken()
        before = set(_names(self.files))
        with open(output, "wb") as stream:
            for directory, names in groupby(referenced, key=lambda stored: stored.partition("/")[0]):
                before.discard(directory)
                there, living = _stats(os.path.join(self.files, directory)), set(_names(os.path.join(self.filestore, directory)))
                for stored in names:
                    name = stored.partition("/")[2]
                    size = self._settled(stored, there.pop(name, None), since, broken)
                    if size is None:
                        continue
                    line = f"{stored} {size}\n".encode()
                    digest.update(line)
                    stream.write(line)
                    kept.count += 1
                    kept.bytes += size
                    if name not in living:
                        kept.only_here.append(stored)
                self._drop(directory, there)
        for directory in before:
            shutil.rmtree(os.path.join(self.files, directory))
        kept.digest, kept.read = "sha256:" + digest.hexdigest(), self.read
        return kept, broken

    def _settled(self, stored: str, seen: os.stat_result | None, since: float, broken: Broken) -> int | None:
        """The size of a file that is pinned and whole; None where it is not, which is noted. What changed since the last capture is read again."""
        if seen is None:
            broken.missing.append(stored)
            return None
        if seen.st_mtime >= since and bytes.fromhex(stored.partition("/")[2]) not in self._proven:
            seen = self._again(stored)
            if seen is None:
                broken.torn.append(stored)
                return None
        return seen.st_size

    def _again(self, stored: str) -> os.stat_result | None:
        """Read a file again that changed since the last capture; where it is torn and Odoo has it anew, pin that."""
        path = os.path.join(self.files, stored)
        if not self._whole(path, stored):
            os.unlink(path)
            if not (self._link_new(stored) and self._prove(stored)):
                return None
        return os.lstat(path)

    def _drop(self, directory: str, names: Iterable[str]) -> None:
        for name in names:
            os.unlink(os.path.join(self.files, directory, name))

    def _stamp(self) -> float:
        """When the last capture that ended well began, in the file system's time; 0 where there was none."""
        try:
            return os.stat(self.stamp).st_mtime
        except FileNotFoundError:
            return 0.0

    def begin(self) -> None:
        """Note the moment before anything is read."""
        with open(self.stamp + ".new", "w", encoding="utf-8"):
            os.utime(self.stamp + ".new")

    def ended_well(self) -> None:
        """What was proven is believed from now on, until its time changes."""
        os.replace(self.stamp + ".new", self.stamp)
        shutil.rmtree(self.incoming, ignore_errors=True)


def sha1_of(stream: IO[bytes]) -> str:
    """SHA-1, as Odoo names files by it; no matter of security here."""
    digest = hashlib.sha1(usedforsecurity=False)
    while True:
        block = stream.read(BLOCK)
        if not block:
            return digest.hexdigest()
        digest.update(block)


def _no_follow(path: str, flags: int) -> int:
    handle = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise OSError(errno.ELOOP, "no regular file", path)
    return handle


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except (FileNotFoundError, NotADirectoryError):
        return []


def _stats(path: str) -> dict[str, os.stat_result]:
    try:
        with os.scandir(path) as entries:
            return {entry.name: entry.stat(follow_symlinks=False) for entry in entries}
    except FileNotFoundError:
        return {}
