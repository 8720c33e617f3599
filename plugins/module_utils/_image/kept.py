# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One value in a file, valid under a signature: companion of digests.py, standard library only.

The file is ``sysgenpro-kept <signature> <BLAKE2b of the rest>``, a line end, and a pickle. The builder looks at the
first line only; the pickle is made by, and loaded in, containers of one base image and nowhere else.
"""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterable, Mapping
from typing import Any

_MAGIC = b"sysgenpro-kept"


def signature(rules: Iterable[object], folders: Mapping[str, Iterable[str]]) -> str:
    """A digest of rules and of the sizes and times of files.

    :param folders: relative paths of files by their directory.
    """
    total = hashlib.blake2b(repr(list(rules)).encode("utf-8", "surrogatepass"), digest_size=32)
    for root, names in folders.items():
        total.update(repr(root).encode())
        for name in names:
            path = os.path.join(root, name)
            try:
                found = os.stat(path)
            except FileNotFoundError:  # a link that leads nowhere
                found = os.lstat(path)
            total.update(b"%r %d %d\n" % (name, found.st_size, found.st_mtime_ns))
    return total.hexdigest()


def body(content: bytes, wanted: str = "") -> bytes | None:
    """The pickle of an intact file. :param wanted: the signature it has to bear; empty for any."""
    head, _line_end, rest = content.partition(b"\n")
    fields = head.split(b" ")
    intact = len(fields) == 3 and fields[0] == _MAGIC and fields[2] == _checksum(rest)
    return rest if intact and (not wanted or fields[1] == wanted.encode()) else None


def load(path: str, wanted: str) -> Any:
    """The value stored under an equal signature; None for every other file, and where there is none."""
    try:
        with open(path, "rb") as stream:
            found = body(stream.read(), wanted)
    except OSError:
        return None
    return None if found is None else pickle.loads(found)  # noqa: S301 - see the head of this file


def store(path: str, wanted: str, value: Any) -> None:
    rest = pickle.dumps(value, 4)  # 4: Python 3.7
    with open(path + ".tmp", "wb") as stream:
        stream.write(b" ".join([_MAGIC, wanted.encode(), _checksum(rest)]) + b"\n" + rest)
    os.replace(path + ".tmp", path)


def _checksum(rest: bytes) -> bytes:
    return hashlib.blake2b(rest, digest_size=32).hexdigest().encode()
