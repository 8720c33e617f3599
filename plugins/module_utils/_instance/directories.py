# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where an instance's own directories are, in this one place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any


def filestore_of(directory: str, database: str) -> str:
    """The filestore of a database in an instance's directory; Odoo finds it by the database's name."""
    return os.path.join(directory, "data", "filestore", database)


class Directories:
    """Of whatever was asked of an instance: its name, and parameters with ``root`` and ``database``."""

    instance: str
    params: Mapping[str, Any]

    @property
    def directory(self) -> str:
        return os.path.join(self.params["root"], self.instance)

    @property
    def state_directory(self) -> str:
        return os.path.join(self.directory, "state")

    @property
    def filestore(self) -> str:
        return filestore_of(self.directory, str(self.params["database"]["name"]))
