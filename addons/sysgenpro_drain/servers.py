# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The end of the prefork and the threaded server: requests under way and accepted ones are answered first."""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import threading
import time
from contextlib import suppress
from typing import Any

from odoo.service import server
from odoo.tools import config

from . import cron, evented, herd, inflight, jobs

_logger = logging.getLogger(__name__)


def _end_evented(pid: int) -> None:
    """Wait for the gevent process, which was sent SIGTERM, and kill it only if it does not end.

    Without this the master would end first, and its container with it.
    """
    deadline = time.monotonic() + evented.bound() + 2
    try:
        while os.waitpid(pid, os.WNOHANG)[0] == 0:
            if time.monotonic() > deadline:
                _logger.warning("the gevent process %d does not end: killed", pid)
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                return
            time.sleep(0.05)
    except (ChildProcessError, ProcessLookupError):
        pass  # it ended, and process_zombie saw it


def _prefork() -> None:
    cls = server.PreforkServer
    worker_kill, worker_pop, start, stop = cls.worker_kill, cls.worker_pop, cls.start, cls.stop

    def kill(self: Any, pid: int, sig: int) -> None:
        if pid == self.long_polling_pid and sig == signal.SIGKILL:
            self.sysgenpro_evented = pid
            sig = signal.SIGTERM
        worker_kill(self, pid, sig)

    def pop(self: Any, pid: int) -> None:
        worker_pop(self, pid)
        inflight.forget(pid)

    def begin(self: Any) -> None:
        if config["http_enable"] and not jobs.is_queue():
            inflight.clear()
        start(self)
        if config["http_enable"]:
            herd.listen_more(self.socket)

    def end(self: Any, graceful: bool = True) -> None:
        # Odoo 14 gives every worker, so also a cron job, only limit_time_real; later series watch each by its own limit.
        self.timeout = max(self.timeout, self.cron_timeout or 0)
        stop(self, graceful)
        pid = getattr(self, "sysgenpro_evented", None)
        if pid:
            _end_evented(pid)

    cls.worker_kill, cls.worker_pop, cls.start, cls.stop = kill, pop, begin, end


def _http_worker() -> None:
    """A worker that is told to end also answers what the kernel has accepted for it already; Odoo would reset that."""
    cls = server.WorkerHTTP
    on_signal, stop = cls.signal_handler, cls.stop

    def signal_handler(self: Any, sig: int, frame: Any) -> None:
        self.sysgenpro_stopping = True
        on_signal(self, sig, frame)

    def end(self: Any) -> None:
        if getattr(self, "sysgenpro_stopping", False):
            with suppress(Exception):
                _answer_accepted(self)
        stop(self)

    cls.signal_handler, cls.stop = signal_handler, end


def _answer_accepted(worker: Any) -> None:
    deadline = time.monotonic() + worker.multi.timeout
    while time.monotonic() < deadline:
        try:
            client, address = worker.multi.socket.accept()
        except socket.error as error:
            if error.errno == errno.ECONNABORTED:
                continue
            return  # EAGAIN: nobody waits
        worker.multi.pipe_ping(worker.watchdog_pipe)
        try:
            worker.process_request(client, address)
        except Exception:
            _logger.exception("a request accepted before the end failed")


def _threaded() -> None:
    """Odoo closes the database connections of requests and jobs that take longer than a second."""
    cls = server.ThreadedServer
    stop, http_spawn = cls.stop, cls.http_spawn

    def begin(self: Any) -> None:
        inflight.clear()
        herd.prepare_threaded()  # not before: a prefork worker serves one at a time, and would wait for itself
        http_spawn(self)

    def end(self: Any) -> None:
        cron.stop_taking_jobs()
        if self.httpd:
            self.httpd.shutdown()
        deadline = time.monotonic() + max(config["limit_time_real"] or 0, 10)
        while _busy_threads() and time.monotonic() < deadline:
            time.sleep(0.05)
        stop(self)

    cls.stop, cls.http_spawn = end, begin


def _busy_threads() -> bool:
    return any(
        getattr(thread, "type", None) in ("http", "cron") and getattr(thread, "start_time", None)
        for thread in threading.enumerate()
        if thread is not threading.current_thread()
    )


def install() -> None:
    """Wrap the servers' ends."""
    _prefork()
    _http_worker()
    _threaded()
