# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the files that a place was given were changed since. A process reads them anew when it starts again, so a hand's change acts late."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Iterator, Mapping

from .._kernel.files import read_text, replace_file


def note(directory: str, files: Mapping[str, str]) -> None:
    """Keep the digests of ``files``, which lie in ``directory``, beside it. Only root may read them, as a digest helps in guessing a secret."""
    kept = {name: _digest(text.encode()) for name, text in files.items()}
    replace_file(_beside(directory), json.dumps(kept, sort_keys=True).encode(), mode=0o600)


def changed(directory: str) -> Iterator[tuple[str, str]]:
    """Each file that is another one, or gone, and when it was changed last (ISO 8601, UTC; empty where it is gone). None where no digests were kept."""
    try:
        kept = json.loads(read_text(_beside(directory)) or "{}")
    except ValueError:
        kept = {}
    for name, digest in sorted(kept.items()):
        path = os.path.join(directory, name)
        try:
            with open(path, "rb") as stream:
                if _digest(stream.read()) == digest:
                    continue
            moment = datetime.datetime.fromtimestamp(os.stat(path).st_mtime, datetime.timezone.utc)
        except FileNotFoundError:
            yield name, ""
            continue
        yield name, moment.isoformat(timespec="seconds")


def _beside(directory: str) -> str:
    parent, name = os.path.split(directory)
    return os.path.join(parent, f".{name}.json")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
