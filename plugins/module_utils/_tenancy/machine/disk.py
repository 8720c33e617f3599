# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Small reads and writes of files: what a tree takes, what a process is called, what the kernel says of itself."""

from __future__ import annotations

import glob
import grp
import os

from ..._kernel.errors import DomainError
from ..._kernel.files import read_leniently, read_text, remove_file, replace_file


def tree(directory: str) -> int:
    """Bytes that a directory takes on disk, with all below it. What vanishes meanwhile is not counted."""
    total, todo = 0, [directory]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    try:
                        if entry.is_dir(follow_symlinks=False):
                            todo.append(entry.path)
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
                    except OSError:
                        continue
        except OSError:
            continue
    return total


def title(proc: str, pid: int) -> str:
    """What a process calls itself."""
    try:
        return read_leniently(os.path.join(proc, str(pid), "cmdline")).replace("\0", " ").strip()
    except OSError:
        return ""


def sockets(proc: str, pid: int) -> int:
    """How many sockets a process has open, beside what its output goes to."""
    found = 0
    try:
        for name in os.listdir(os.path.join(proc, str(pid), "fd")):
            try:
                found += int(name) > 2 and os.readlink(os.path.join(proc, str(pid), "fd", name)).startswith("socket:")
            except OSError:
                continue
    except OSError:
        return 0
    return found


def meminfo(proc: str) -> dict[str, int]:
    """``/proc/meminfo`` in bytes."""
    rows = (line.split() for line in (read_text(os.path.join(proc, "meminfo")) or "").splitlines())
    return {row[0].rstrip(":"): int(row[1]) * 1024 for row in rows if len(row) == 3}


def weighs(groups: str, schedulers: str = "/sys/block/*/queue/scheduler") -> bool:
    """Whether the kernel divides disks by weight: the scheduler bfq, or the cost model of version 2."""
    if "enable=1" in (_lenient(os.path.join(groups, "io.cost.qos"))):
        return True
    return any("[bfq]" in _lenient(path) for path in glob.glob(schedulers))


def _lenient(path: str) -> str:
    try:
        return read_leniently(path)
    except OSError:
        return ""


def write(path: str, text: str, group: str, mode: int) -> None:
    """:raises DomainError: ``file_failed``."""
    try:
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        replace_file(path, text.encode(), mode, 0, _group(group))
    except OSError as error:
        raise DomainError("file_failed", f"{path} could not be written: {error.strerror}",
                          advice="What was written before it stays; run again once the cause is gone") from error


def remove(path: str) -> None:
    """A file, and its directory where that was only for it."""
    remove_file(path)
    if path.endswith(".d/quota.conf"):
        try:
            os.rmdir(os.path.dirname(path))
        except OSError:
            return


def _group(name: str) -> int:
    return 0 if name == "root" else grp.getgrnam(name).gr_gid
