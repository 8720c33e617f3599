# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of an instance: its filestore, what lies beside that, and whether its processes can use them.

That is asked before anything is held: found out later, everybody has waited for an error 500. A filestore has hundreds of thousands of files and at
most 256 directories of them, so each directory is looked at and a few files in each: what was put there by another user was put there as a whole.
"""

from __future__ import annotations

import glob
import os
import shutil
import stat
from collections.abc import Iterator
from itertools import islice

from .._kernel.commands import run_program
from .._kernel.errors import DomainError
from .._kernel.files import sync_directory
from .._kernel.text import joined
from .directories import filestore_of

# What is left beside what a release needs, in bytes of memory and of disk: room that other tenants keep.
HEADROOM = 128 * 1024 ** 2
# Files that are looked at in each directory, and directories at the most: Odoo's own 256, checklist/ and what people put beside them.
SAMPLE, MOST = 4, 1024
# Files that an update or a bundle's making may add.
INODES = 1000


class Data:
    """The files of one instance on the file system of whatever runs this.

    :param directory: the instance's. :param database: its database, by whose name Odoo finds the filestore. :param uid: of its processes.
    """

    def __init__(self, directory: str, database: str, uid: int) -> None:
        self.directory, self.database, self.uid = directory, database, uid
        self.root = os.path.join(directory, "data")
        self.filestore = self.beside(database)

    def beside(self, name: str) -> str:
        """The filestore of a database of that name."""
        return filestore_of(self.directory, name)

    def exists(self) -> bool:
        """Whether there is a filestore."""
        return os.path.isdir(self.filestore)

    def holds_files(self) -> bool:
        """Whether something lies in it."""
        return self.exists() and bool(os.listdir(self.filestore))

    def names(self) -> list[str]:
        """Databases of whose names there are filestores."""
        stores = os.path.dirname(self.filestore)
        return os.listdir(stores) if os.path.isdir(stores) else []

    def free(self, path: str) -> int:
        """Bytes that may still be written below a path; 0 where that cannot be told, as of another machine's."""
        return shutil.disk_usage(path).free if os.path.isdir(path) else 0

    def stray(self, series: str) -> list[str]:
        """Modules in the data directory, which Odoo would run before those of any release (``addons_data_dir`` of odoo/tools/config.py)."""
        found = glob.glob(os.path.join(self.root, "addons", series or "-", "*", "__manifest__.py"))
        return sorted(path.split(os.sep)[-2] for path in found)

    def check(self) -> None:
        """:raises DomainError: ``filestore_unusable``, ``no_room``."""
        found = list(_problems(self.filestore, self.root, self.uid))
        if found:
            raise DomainError(
                "filestore_unusable", "the instance's processes (uid {}) cannot use {} of the {} below {}: {}".format(
                    self.uid, len(found), "directories and files looked at", self.root, joined(found, 3)),
                unchanged="Nothing was changed and nobody was held",
                advice=f"Give it to them (chown -R {self.uid}:{self.uid} {self.root}; directories 0700, files 0600), then run this again",
                problems=found[:100])
        for path, what in ((self.filestore, "stored files"), (os.path.join(self.directory, "state"), "its journal")):
            _check_room(path, what)

    # -- changes ------------------------------------------------------------------------------

    def copy_from(self, source: str) -> None:
        """A filestore that is not there yet, as a copy of a directory."""
        os.makedirs(os.path.dirname(self.filestore), exist_ok=True)
        shutil.copytree(source, self.filestore)

    def clone_to(self, directory: str, name: str) -> None:
        """The filestore once more, for a database of another name in a data directory of its own, by hard links: Odoo never rewrites a file of it.

        :raises DomainError: ``clone_failed``.
        """
        stores = os.path.join(directory, "filestore")
        os.makedirs(stores, mode=0o700, exist_ok=True)
        run_program(["cp", "-al", self.filestore, os.path.join(stores, name)], "clone_failed", "making its filestore")
        for path in (directory, stores):
            os.chown(path, self.uid, self.uid)

    def exchange(self, new: str, aside: str) -> None:
        """Put the filestore of ``new`` in the place of this one, which is kept as ``aside``. Killed anywhere, the same call goes on."""
        if os.path.isdir(self.beside(new)):
            if self.exists():
                os.rename(self.filestore, self.beside(aside))
            os.rename(self.beside(new), self.filestore)
            sync_directory(os.path.dirname(self.filestore))

    def drop(self, name: str | None = None) -> None:
        """Remove a filestore, this one by default. Nothing where none is there."""
        shutil.rmtree(self.beside(name or self.database), ignore_errors=True)

    def own(self) -> None:
        """Give all of it to the instance's processes."""
        for directory, _names, files in os.walk(self.root):
            os.chown(directory, self.uid, self.uid)
            for file in files:
                os.chown(os.path.join(directory, file), self.uid, self.uid, follow_symlinks=False)


def _check_room(path: str, what: str) -> None:
    if not os.path.isdir(path):
        return
    there = os.statvfs(path)
    free = there.f_bavail * there.f_frsize
    if there.f_flag & os.ST_RDONLY:
        raise DomainError("filestore_unusable", f"the file system of {path} is mounted read-only",
                          unchanged="Nothing was changed and nobody was held", advice="Mount it for writing, then run this again")
    # A file system without a fixed number of files says 0 of 0.
    if free < HEADROOM or (there.f_files and there.f_favail < INODES):
        raise DomainError(
            "no_room", f"{path} has room for {free // 1024 ** 2} MB and {there.f_favail} files, a release needs {HEADROOM // 1024 ** 2} MB and"
            f" {INODES} files for {what}", unchanged="Nothing was changed", advice="Make room on that file system")


def _problems(filestore: str, data: str, uid: int) -> Iterator[str]:
    """A line for each thing that is not as the processes need it."""
    for path in (data, os.path.dirname(filestore)):
        yield from _directory(path, data, uid)
    if not os.path.lexists(filestore):
        return
    yield from _directory(filestore, data, uid)
    if not os.path.isdir(filestore):
        return
    with os.scandir(filestore) as entries:
        below = sorted(entry.path for entry in islice(entries, MOST) if entry.is_dir() or entry.is_symlink())
    for path in below:
        yield from _directory(path, data, uid)
        if os.path.isdir(path):
            with os.scandir(path) as entries:
                for entry in islice(entries, SAMPLE):
                    yield from _file(entry, uid)


def _directory(path: str, data: str, uid: int) -> Iterator[str]:
    if not os.path.lexists(path):
        return
    if os.path.islink(path) and not _inside(path, data):
        yield f"{path} is a link to {os.readlink(path)}, which is not there in a container"
        return
    found = os.stat(path) if os.path.exists(path) else os.lstat(path)
    if not stat.S_ISDIR(found.st_mode):
        yield f"{path} is no directory"
    elif _may(found, uid) != 7:
        yield _said(path, found)


def _file(entry: os.DirEntry[str], uid: int) -> Iterator[str]:
    found = entry.stat(follow_symlinks=False)
    if stat.S_ISREG(found.st_mode) and not _may(found, uid) & 4:
        yield _said(entry.path, found)


def _inside(path: str, data: str) -> bool:
    """Only the instance's data is mounted into its containers, and there it is /var/lib/odoo: a link must be relative."""
    return not os.path.isabs(os.readlink(path)) and os.path.realpath(path).startswith(os.path.realpath(data) + os.sep)


def _may(found: os.stat_result, uid: int) -> int:
    """What a process of this user, whose group bears the same number, may do, as the three bits of a mode."""
    shift = 6 if found.st_uid == uid else 3 if found.st_gid == uid else 0
    return (found.st_mode >> shift) & 7


def _said(path: str, found: os.stat_result) -> str:
    return f"{path} is of uid {found.st_uid}, mode {stat.S_IMODE(found.st_mode):04o}"
