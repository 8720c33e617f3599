# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Logs that are kept of what a runtime forgets."""

from __future__ import annotations

import contextlib
import glob
import os

from .._kernel.files import replace_file


def keep(directory: str, stem: str, which: str, raw: bytes, most: int) -> None:
    """Keep a log as ``<stem>.<which>.log``, and of all with that stem the newest. Nothing fails where that cannot be done, as on a full disk.

    :param which: begins with a digit, and sorts by age. :param most: how many are kept.
    """
    with contextlib.suppress(OSError):
        os.makedirs(directory, mode=0o700, exist_ok=True)
        replace_file(os.path.join(directory, f"{stem}.{which}.log"), raw)
        for path in sorted(glob.glob(os.path.join(glob.escape(directory), f"{stem}.[0-9]*.log")))[:-most]:
            os.unlink(path)
