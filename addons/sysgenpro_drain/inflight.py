# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every HTTP request under way is one file ``/run/odoo/<pid>-<thread>``, so that draining can be seen from outside.

Content: ``{"method", "path", "uid", "since"}``; path without query (it may hold secrets), uid null until the session is
known or for nobody, since in seconds since 1970. Written aside and renamed, so a reader never sees half of one.
A name that begins with a dot is one not yet renamed.
"""

from __future__ import annotations

import json
import logging
import os
import re
import threading
import time
from contextlib import suppress
from typing import Any, Iterator, Optional

import odoo
from odoo import http

from .jobs import is_queue

_logger = logging.getLogger(__name__)

#: A tmpfs directory of the colour (docs/reference/machine.md). Where it is missing nothing is written.
DIRECTORY = "/run/odoo"
#: Longest path that is written, in characters.
PATH_LIMIT = 500
_NAME = re.compile(r"^\.?(\d+)-\d+$")

_local = threading.local()
_active = 0
_active_lock = threading.Lock()


def active() -> int:
    """How many requests (in the gevent process: also websockets and polls) this process has under way."""
    return _active


class _Request:
    """One request under way, from the call of the application to the close of its answer."""

    __slots__ = ("method", "path", "since", "name", "uid")

    def __init__(self, environ: Any, listed: bool) -> None:
        self.method = environ.get("REQUEST_METHOD", "")
        self.path = environ.get("PATH_INFO", "")[:PATH_LIMIT]
        self.since = time.time()
        self.uid: Optional[int] = None
        self.name = f"{os.getpid()}-{threading.get_ident()}" if listed else ""
        global _active
        with _active_lock:
            _active += 1
        self.write()

    def write(self) -> None:
        if not self.name:
            return
        text = json.dumps({"method": self.method, "path": self.path, "uid": self.uid, "since": round(self.since, 3)})
        aside, final = f"{DIRECTORY}/.{self.name}", f"{DIRECTORY}/{self.name}"
        try:
            fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            try:
                os.write(fd, text.encode("utf-8", "replace"))
            finally:
                os.close(fd)
            os.rename(aside, final)
        except OSError as error:
            _logger.warning("cannot note a request under way in %s: %s", DIRECTORY, error)

    def end(self) -> None:
        global _active
        with _active_lock:
            _active -= 1
        if self.name:
            with suppress(OSError):
                os.unlink(f"{DIRECTORY}/{self.name}")
        _local.request = None


class _Answer:
    """The application's answer; the request is over when the server closes it."""

    def __init__(self, answer: Any, request: _Request) -> None:
        self._answer, self._request = answer, request

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._answer)

    def close(self) -> None:
        request, self._request = self._request, None  # type: ignore[assignment]
        try:
            # In the gevent process a websocket lives in here.
            if hasattr(self._answer, "close"):
                self._answer.close()
        finally:
            if request is not None:
                request.end()


def _uid_known(session: Any) -> None:
    request = getattr(_local, "request", None)
    uid = getattr(session, "uid", None)
    if request is not None and uid and request.uid is None:
        request.uid = uid
        request.write()


def forget(pid: int) -> None:
    """Remove what a process left behind that was killed within a request."""
    _remove(lambda owner: owner == pid)


def clear() -> None:
    """Remove what an earlier container left behind. Only for a server that is about to listen: process ids of another
    container's files mean nothing here, and only one container of a colour serves HTTP."""
    _remove(lambda owner: True)


def _remove(wanted: Any) -> None:
    with suppress(OSError):
        for name in os.listdir(DIRECTORY):
            match = _NAME.match(name)
            if match and wanted(int(match.group(1))):
                with suppress(OSError):
                    os.unlink(f"{DIRECTORY}/{name}")


def install() -> None:
    """Wrap the application. What differs by series: its class, and where the session becomes known."""
    # Websockets live for hours, so the gevent process only counts.
    # The queue's process shares its colour's directory with web, and is asked by nobody but itself.
    listed = os.path.isdir(DIRECTORY) and not odoo.evented and not is_queue()
    application = getattr(http, "Application", None) or http.Root  # Odoo 16 and later; 14 and 15
    call = application.__call__

    def __call__(self: Any, environ: Any, start_response: Any) -> Any:
        request = _Request(environ, listed)
        _local.request = request
        try:
            answer = call(self, environ, start_response)
        except BaseException:
            request.end()
            raise
        return _Answer(answer, request)

    application.__call__ = __call__
    if not listed:
        return
    if hasattr(http, "Application"):
        session_and_db = http.Request._get_session_and_dbname

        def _get_session_and_dbname(self: Any) -> Any:
            found = session_and_db(self)
            _uid_known(found[0])
            return found

        http.Request._get_session_and_dbname = _get_session_and_dbname
    else:
        setup = http.Root.setup_session

        def setup_session(self: Any, httprequest: Any) -> Any:
            found = setup(self, httprequest)
            _uid_known(httprequest.session)
            return found

        http.Root.setup_session = setup_session
