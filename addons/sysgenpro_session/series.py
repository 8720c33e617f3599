# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Odoo 14 and 19: where the store hangs, and how an error becomes an answer."""

from __future__ import annotations

import logging
from typing import Any

from odoo import http
from odoo.tools import config

from .client import Client, SessionsUnavailable, Settings
from .store import make_store_class

_logger = logging.getLogger(__name__)

#: Odoo 14 and 15 have no constant: one week, ``session_gc`` in odoo/http.py.
WEEK = 7 * 24 * 3600


def _lifetime() -> float:
    """Seconds a session lives after its last save. Odoo 16 and later let the database say."""
    ask = getattr(http, "get_session_max_inactivity", None)
    if ask is None:
        return getattr(http, "SESSION_LIFETIME", WEEK)
    env = getattr(http.request, "env", None) if http.request else None
    try:
        return max(60, ask(env))
    except Exception:
        # The cursor may be closed or in a failed transaction; a session must be saved all the same.
        return getattr(http, "SESSION_LIFETIME", WEEK)


def install(settings: Settings) -> None:
    """Hang the store into the application object."""
    modern = hasattr(http, "Application")  # Odoo 16 and later
    file_store = http.FilesystemSessionStore if modern else http.sessions.FilesystemSessionStore
    store_class = make_store_class(file_store, _lifetime, getattr(http, "SESSION_DELETION_TIMER", 120))
    if not hasattr(file_store, "delete_old_sessions"):
        del store_class.delete_old_sessions  # type: ignore[attr-defined]
    http.root.session_store = store_class(
        Client(settings),
        config.session_dir,
        session_class=http.Session if modern else http.OpenERPSession,
        renew_missing=True,
    )
    if not modern:
        _answer_503(http.Root)


def _answer_503(root: Any) -> None:
    """Odoo 14 and 15 read the session again while they send the headers (DisableCacheMiddleware), where an exception
    would end without an answer; and they would wait for Redis a second time."""
    call, setup = root.__call__, root.setup_session

    def setup_session(self: Any, httprequest: Any) -> Any:
        if httprequest.environ.get("sysgenpro.sessions_unavailable"):
            raise SessionsUnavailable()
        try:
            return setup(self, httprequest)
        except SessionsUnavailable:
            httprequest.environ["sysgenpro.sessions_unavailable"] = True
            raise

    def __call__(self: Any, environ: Any, start_response: Any) -> Any:
        try:
            return call(self, environ, start_response)
        except SessionsUnavailable as error:
            return error(environ, start_response)

    root.setup_session, root.__call__ = setup_session, __call__
