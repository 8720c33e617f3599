# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What other server-wide add-ons begin to do by themselves in the process that serves requests: a worker of their own kind, a thread.

It would also work in a colour that is only staged, and twice while both run. Whether that is meant only people know, so it is told: one file
``/run/odoo/.own-work``, a line for each.
"""

from __future__ import annotations

import logging
import os
import threading
from contextlib import suppress
from typing import Any, List

import odoo
from odoo.service import server
from odoo.tools import config

from .inflight import DIRECTORY
from .jobs import is_queue

_logger = logging.getLogger(__name__)

#: A name that no request under way has.
FILE = DIRECTORY + "/.own-work"
_ADDONS = "odoo.addons."
_found: List[str] = []


def _add_on(module: Any) -> str:
    """The add-on that a Python module is of; nothing for Odoo's own server and the platform's."""
    name = str(module or "")
    found = name[len(_ADDONS):].split(".")[0] if name.startswith(_ADDONS) else ""
    return "" if found.startswith("sysgenpro_") else found


def _note(add_on: str, what: str) -> None:
    line = f"{add_on}: {what}"
    if not add_on or line in _found:
        return
    _found.append(line)
    _logger.warning("the add-on %s begins to work by itself (%s) in a process that may run in two colours", add_on, what)
    try:
        with open(FILE, "w", encoding="utf-8") as stream:
            stream.write("".join(f"{each}\n" for each in _found))
    except OSError as error:
        _logger.warning("cannot note what works by itself in %s: %s", DIRECTORY, error)


def _look_at_threads() -> None:
    for thread in threading.enumerate():
        if thread is not threading.main_thread():
            target = getattr(thread, "_target", None)
            _note(_add_on(getattr(target, "__module__", "")) or _add_on(type(thread).__module__), f"thread {thread.name}")


def install() -> None:
    """Look where workers are made and, since threads may be begun by the start of the server, at each turn of its master."""
    if not os.path.isdir(DIRECTORY) or odoo.evented or not config["http_enable"] or is_queue():
        return
    with suppress(OSError):
        os.unlink(FILE)
    spawn, turn = server.PreforkServer.worker_spawn, server.PreforkServer.sleep

    def worker_spawn(self: Any, klass: type, *rest: Any) -> Any:
        worker = spawn(self, klass, *rest)
        _note(_add_on(klass.__module__), f"worker {klass.__name__}")
        return worker

    def sleep(self: Any) -> None:
        _look_at_threads()
        turn(self)

    server.PreforkServer.worker_spawn, server.PreforkServer.sleep = worker_spawn, sleep
