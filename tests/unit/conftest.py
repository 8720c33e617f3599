# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets tests import the collection by its full name from wherever the checkout lies."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings

# How long an example takes says nothing about it on a machine that others use too.
settings.register_profile("unit", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unit")

NAME = "ansible_collections.sysgenpro.odoo.plugins"


def _found() -> bool:
    try:
        return importlib.util.find_spec(NAME) is not None
    except ModuleNotFoundError:
        return False


if not _found():
    _tree = tempfile.TemporaryDirectory(prefix="collections-")
    _namespace = Path(_tree.name, "ansible_collections", "sysgenpro")
    _namespace.mkdir(parents=True)
    (_namespace / "odoo").symlink_to(Path(__file__).resolve().parents[2])
    sys.path.insert(0, _tree.name)
    # The namespace may be loaded already, with the collections that came with Ansible; a new search finds both.
    for _name in [name for name in sys.modules if name.split(".")[0] == "ansible_collections"]:
        del sys.modules[_name]
    importlib.invalidate_caches()
