# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-wide add-on: ``POST /sysgenpro/ready``. Load it with ``--load=…,sysgenpro_ready``; do not install it."""

from . import controller


def post_load():
    """Let documents be printed within this colour."""
    from . import documents

    documents.install()
    post_load.done = True
