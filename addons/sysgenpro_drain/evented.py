# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gevent process (websocket, longpolling) ends by SIGTERM: it tells every browser to come back, waits, and ends.

Odoo's own has no handler for SIGTERM, and prefork's stop kills it outright.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from typing import Any
from weakref import WeakSet

import odoo
from odoo import sql_db
from odoo.service import server

from . import herd, inflight

_logger = logging.getLogger(__name__)
_told: Any = WeakSet()

#: Seconds that browsers get to answer the closing, and polls to be answered.
BOUND = 5.0
#: RFC 6455, section 7.4.1: the endpoint is going away. Odoo's client connects again by itself.
GOING_AWAY = 1001
#: A channel of every poll, on which nothing is ever sent.
OWN_CHANNEL = "sysgenpro_drain"


def bound() -> float:
    """``SYSGENPRO_DRAIN_EVENTED`` in seconds, 0.5 to 60; 5 if unset or unusable."""
    try:
        return min(60.0, max(0.5, float(os.environ.get("SYSGENPRO_DRAIN_EVENTED", "") or BOUND)))
    except ValueError:
        return BOUND


def _close_websockets() -> None:
    """Odoo 16 and later. Also catches those that were just being opened: call it again."""
    module = sys.modules.get("odoo.addons.bus.websocket")
    if module is None:
        return
    for websocket in list(module._websocket_instances):
        if websocket.state is module.ConnectionState.OPEN and websocket not in _told:
            _told.add(websocket)
            websocket.close(GOING_AWAY)


def _answer_polls() -> None:
    """Odoo 14 and 15: wake every poll; it answers with what there is, and the browser polls again."""
    module = sys.modules.get("odoo.addons.bus.models.bus")
    channels = getattr(getattr(module, "dispatch", None), "channels", None) or {}
    for events in list(channels.values()):
        for event in list(events):
            event.set()


def _have_a_channel() -> None:
    """Odoo 14 and 15 keep track of polls by channel: one of a visitor who listens to none could not be woken."""
    try:
        from odoo.addons.bus.models.bus import ImDispatch
    except ImportError:
        return  # no bus here, and no polls

    poll = ImDispatch.poll

    def poll_with_own(self: Any, dbname: str, channels: Any, *args: Any, **kwargs: Any) -> Any:
        return poll(self, dbname, [*channels, OWN_CHANNEL], *args, **kwargs)

    ImDispatch.poll = poll_with_own


def _end(self: Any) -> None:
    """Runs in a greenlet of its own after SIGTERM."""
    import gevent

    try:
        deadline = time.monotonic() + bound()
        _logger.info("SIGTERM: closing %d connections", inflight.active())
        if self.httpd is not None:
            self.httpd.close()  # listens no more; connections go on
        legacy = odoo.release.version_info[0] < 16
        while inflight.active() and time.monotonic() < deadline:
            (_answer_polls if legacy else _close_websockets)()
            gevent.sleep(0.05)
        if inflight.active():
            _logger.warning("%d connections did not answer the closing", inflight.active())
        gevent.sleep(0.05)  # what is in the sockets' buffers leaves
        _logger.info("ended")
        sql_db.close_all()
        logging.shutdown()
    finally:
        # serve_forever's own way out calls gevent.shutdown(), which gevent no longer has.
        os._exit(0)


def install() -> None:
    """Give the gevent server a handler for SIGTERM."""
    if not odoo.evented:
        return
    if odoo.release.version_info[0] < 16:
        _have_a_channel()
    herd.prepare_evented()
    start = server.GeventServer.start

    def start_with_handler(self: Any) -> Any:
        import gevent

        install_signal = getattr(gevent, "signal_handler", None) or gevent.signal  # gevent before 1.5
        begun = []

        def on_term() -> None:
            if not begun:
                begun.append(gevent.spawn(_end, self))
                # Closing the listener makes run() go on to stop(): it has to wait for the end.
                self.stop = begun[0].join

        install_signal(signal.SIGTERM, on_term)
        return start(self)

    server.GeventServer.start = start_with_handler
