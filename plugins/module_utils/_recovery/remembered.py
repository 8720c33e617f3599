# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which repository this instance's points went to: one that vanished is not made anew unnoticed."""

from __future__ import annotations

import json
import os

from .._kernel.errors import DomainError
from .._kernel.files import read_text, replace_file
from .model import Desired


class Remembered:
    """The repository's place and id, in the instance's state directory."""

    def __init__(self, wanted: Desired) -> None:
        self.path = os.path.join(wanted.state_directory, "recovery-repository.json")
        self.place = wanted.params["repository"]["location"]

    def check(self, found: str | None) -> None:
        """:raises DomainError: ``repository_gone``, ``repository_changed``."""
        known = json.loads(read_text(self.path) or "{}")
        if known.get("place") != self.place or known.get("id") == found:
            return
        code, what = ("repository_changed", f"is another one ({found})") if found else ("repository_gone", "is not there any more")
        raise DomainError(
            code, f"the repository {known['id']} in {self.place} {what}", unchanged="Nothing was changed",
            advice=f"Mount or bring it back; if it was given up on purpose, remove {self.path}")

    def tried(self) -> str:
        """What of a store was tried and is so; empty where nothing was."""
        known = json.loads(read_text(self.path) or "{}")
        return str(known.get("tried", "")) if known.get("place") == self.place else ""

    def keep(self, found: str, tried: str) -> None:
        replace_file(self.path, json.dumps({"place": self.place, "id": found, "tried": tried}).encode())
