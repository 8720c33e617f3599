# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Writing a file so that a reader sees the old one or the new one, never a part."""

from __future__ import annotations

import os


def replace_file(path: str, content: bytes, mode: int = 0o600, uid: int = -1, gid: int = -1) -> None:
    """Write ``content`` to ``path`` atomically and durably.

    The stage file ends in ``.tmp`` in the same directory, so that no include pattern picks it up.

    :raises OSError: as the file system gives it; the old file is then as it was.
    """
    stage = path + ".tmp"
    handle = os.open(stage, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "wb") as stream:
            os.fchmod(stream.fileno(), mode)
            if uid != -1 or gid != -1:
                os.fchown(stream.fileno(), uid, gid)
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(stage, path)
    except BaseException:
        if os.path.exists(stage):
            os.unlink(stage)
        raise
    sync_directory(os.path.dirname(path))


def sync_directory(path: str) -> None:
    """Make a rename, creation or removal in a directory durable."""
    handle = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove_file(path: str) -> None:
    """Remove a file durably; absent is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    sync_directory(os.path.dirname(path))


def read_leniently(path: str) -> str:
    """A file's text, also where it ends within a letter or has another encoding; empty where there is none."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except FileNotFoundError:
        return ""


def read_text(path: str) -> str | None:
    """The text of a file, or None where there is none."""
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
