# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-wide add-on: clean ends. Load it with ``--load=…,sysgenpro_drain``; do not install it."""

from __future__ import annotations


def post_load():
    """Hook into the application (requests under way), the servers (their end), the cron and the queue (no new job);
    and see what others begin to do by themselves."""
    from . import cron, evented, inflight, jobs, own_work, servers

    inflight.install()
    evented.install()
    servers.install()
    cron.install()
    jobs.install()
    own_work.install()
    post_load.done = True
