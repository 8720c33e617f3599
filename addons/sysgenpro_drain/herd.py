# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whoever arrives together waits, and nobody is refused by chance.

Odoo listens with a backlog of 8 for each worker (websockets: 256). When more connect at once, as at the end of a hold, the kernel drops
half-made connections: the client believes that its connection stands, sends, and is answered with a reset. The edge has sent the request
then and must not send it again, so it is lost.
"""

from __future__ import annotations

import resource
import time
from typing import Any

from odoo import sql_db
from odoo.service import server

#: Connections that may wait to be accepted, listen(2). Above all that a route lets wait (hold.requests of traefik_route ends at 10,000).
#: The kernel bounds it by net.core.somaxconn of the container, which odoo_release sets to the same.
BACKLOG = 16384
#: Seconds that a request waits for one of its process's database connections while others have them all.
POOL_PATIENCE = 60.0


def listen_more(listener: Any) -> None:
    """Give a socket that listens already the backlog: listen(2) may be called again."""
    listener.listen(BACKLOG)


def prepare_threaded() -> None:
    """``workers = 0``: socketserver asks its class for the backlog."""
    for name in ("ThreadedWSGIServerReloadable", "ThreadedWSGIServer"):
        cls = getattr(server, name, None)
        if cls is not None:
            cls.request_queue_size = BACKLOG
    _borrow_patiently()


def prepare_evented() -> None:
    """The gevent process: hundreds of browsers that come back together ask for a cursor each, at once."""
    from gevent.server import StreamServer

    # Each of them is an open file, and what a daemon hands on may be 1024.
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    StreamServer.backlog = BACKLOG
    _borrow_patiently()


def _borrow_patiently() -> None:
    """Where one process serves many at a time, they wait for one of its database connections. Odoo raises "The Connection Pool Is Full"."""
    borrow = sql_db.ConnectionPool.borrow

    def borrow_patiently(self: Any, *args: Any, **kwargs: Any) -> Any:
        deadline = time.monotonic() + POOL_PATIENCE
        while True:
            try:
                return borrow(self, *args, **kwargs)
            except sql_db.PoolError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)  # gevent's own in the gevent process

    sql_db.ConnectionPool.borrow = borrow_patiently
