# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the instance's processes can use the filestore, asked before anything is held: found out later, everybody has waited for an error 500.

A filestore has hundreds of thousands of files and at most 256 directories of them, so each directory is looked at and a few files in each: what was
put there by another user was put there as a whole.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from itertools import islice

from .._kernel.errors import DomainError
from .._kernel.text import joined
from .._release.checks import HEADROOM
from .._release.model import Desired

# Files that are looked at in each directory, and directories at the most: Odoo's own 256, checklist/ and what people put beside them.
SAMPLE, MOST = 4, 1024
# Files that an update or a bundle's making may add.
INODES = 1000


def check_filestore(wanted: Desired) -> None:
    """:raises DomainError: ``filestore_unusable``, ``no_room``."""
    uid, data = int(wanted.params["uid"]), os.path.join(wanted.directory, "data")
    found = list(_problems(wanted.filestore, data, uid))
    if found:
        raise DomainError(
            "filestore_unusable", "the instance's processes (uid {}) cannot use {} of the {} below {}: {}".format(
                uid, len(found), "directories and files looked at", data, joined(found, 3)),
            unchanged="Nothing was changed and nobody was held",
            advice=f"Give it to them (chown -R {uid}:{uid} {data}; directories 0700, files 0600), then run this again", problems=found[:100])
    for path, what in ((wanted.filestore, "stored files"), (wanted.state_directory, "its journal")):
        _check_room(path, what)


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
