# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether there is room, before anything is written."""

from __future__ import annotations

import os
import shutil

from .._kernel.errors import DomainError

# What must be free beside what is written, in bytes.
MARGIN = 64 * 1024 ** 2


def check_space(needs: dict[str, int]) -> None:
    """Whether the file systems have room; needs on the same one are added up.

    :param needs: bytes by a path, or one that will be made.
    :raises DomainError: ``no_space``.
    """
    devices: dict[int, tuple[str, int]] = {}
    for path, size in needs.items():
        while not os.path.exists(path):
            path = os.path.dirname(path)
        device = os.stat(path).st_dev
        devices[device] = (path, devices.get(device, ("", 0))[1] + size)
    for path, size in devices.values():
        free = shutil.disk_usage(path).free
        if free < size:
            raise DomainError("no_space", f"{path} has {free >> 20} MiB free, {size >> 20} MiB are needed",
                              unchanged="Nothing was changed", advice="Make room, then run the same command again")
