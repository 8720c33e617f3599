# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-wide add-on: asset bundles of two colours. Load it with ``--load=…,sysgenpro_assets``; do not install it."""

from __future__ import annotations


def post_load():
    """Keep versions, name them by content, and defer the call to refresh."""
    from . import broadcast, keeping, versions

    versions.install()
    keeping.install()
    broadcast.install()
    post_load.done = True
