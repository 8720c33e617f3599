# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that attachments name and that are lost: which of them somebody accepted, who, and when.

Kept in the instance's state directory, so that what was accepted once is accepted by timers and releases too. A file that is whole again is taken from
the list: to lose it once more is a new loss.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.files import read_text, replace_file
from .model import STORED, utc_now

FILE = "recovery-losses.json"


class Losses:
    """The losses of one instance that are known.

    :param directory: the instance's state directory.
    """

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, FILE)

    def known(self) -> dict[str, dict[str, str]]:
        """``who``, ``at`` and ``how`` by name of the stored file.

        :raises DomainError: ``losses_unreadable``: what somebody accepted is not forgotten unnoticed.
        """
        text = read_text(self.path)
        if not text:
            return {}
        try:
            return {name: {key: str(value[key]) for key in ("who", "at", "how")} for name, value in json.loads(text).items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DomainError("losses_unreadable", f"{self.path} cannot be read: {error!r}", unchanged="Nothing was changed",
                              advice="Put it right, or remove it and accept the losses anew") from None

    def accept(self, names: Iterable[str], who: str, how: str) -> None:
        """Remember. Who accepted a loss first stays the one who did."""
        known = self.known()
        new = {"who": who or "unknown", "at": utc_now().isoformat(timespec="seconds"), "how": how}
        self._keep({**{name: new for name in names if STORED.fullmatch(name)}, **known}, known)

    def inherit(self, losses: Mapping[str, Mapping[str, str]]) -> None:
        """What was accepted of the data that this instance's come from."""
        known = self.known()
        self._keep({**{name: dict(value) for name, value in losses.items()}, **known}, known)

    def forget(self, found: Collection[str]) -> None:
        """What is there again."""
        known = self.known()
        self._keep({name: value for name, value in known.items() if name not in found}, known)

    def _keep(self, new: Mapping[str, Any], before: Mapping[str, Any]) -> None:
        if new != before:
            os.makedirs(os.path.dirname(self.path), mode=0o700, exist_ok=True)
            replace_file(self.path, (json.dumps(new, indent=1, sort_keys=True) + "\n").encode())
