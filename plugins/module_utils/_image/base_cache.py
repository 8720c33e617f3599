# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was read of base images' modules, kept on the builder: one file for each base image and set of rules."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping

from .._kernel.errors import DomainError
from .._kernel.files import replace_file
from . import kept
from .digests import digest

FILES = 4  # some 15 MB each


class BaseCache:
    """A directory with such files.

    :param base: digest of the base image. :param rules: the scripts that read modules; another text, another file.
    """

    def __init__(self, directory: str, base: str, rules: Mapping[str, bytes]) -> None:
        self._directory = directory
        texts = [part for name in sorted(rules) for part in (name.encode(), rules[name])]
        self._path = os.path.join(directory, f"{base.split(':')[-1]}-{digest(texts, 8)}.kept")

    def read(self) -> bytes:
        """The file, if it is intact; nothing else is looked at on the builder, and nothing is unpickled."""
        try:
            with open(self._path, "rb") as stream:
                content = stream.read()
            os.utime(self._path)  # so that the ones in use are the newest
        except FileNotFoundError:
            return b""
        except OSError as error:
            raise self._unusable(error) from error
        return content if kept.body(content) else b""

    def write(self, content: bytes) -> None:
        """Replace the file, and remove all but the newest."""
        stage = f"{self._path}.{os.getpid()}"  # builds may run beside each other
        try:
            os.makedirs(self._directory, mode=0o700, exist_ok=True)
            replace_file(stage, content)
            os.replace(stage, self._path)
            self._remove_old()
        except OSError as error:
            raise self._unusable(error) from error

    def _remove_old(self) -> None:
        with contextlib.suppress(FileNotFoundError):  # a build beside this one removed it
            paths = [entry.path for entry in os.scandir(self._directory) if ".kept" in entry.name]
            for path in sorted(paths, key=os.path.getmtime)[:-FILES]:
                os.unlink(path)

    def _unusable(self, error: OSError) -> DomainError:
        return DomainError(
            "cache_unusable",
            f"what was read of the base image cannot be kept in {self._directory}: {error}",
            unchanged="Nothing was pushed",
            advice="Correct cache, or leave it out: then the base is read anew in every build",
        )
