# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``bundle_changed`` reaches browsers only once this colour leads: before, a refresh would give them the old code.

A colour leads while ``/run/odoo/leading`` exists. Until then the call is kept in ``/run/odoo/bundle_changed``. Who has led
the front here asks for it by a request with the header ``X-Sysgenpro-Leads``; where nobody does within ``GRACE`` seconds, any
request sends it. So no user's request has to, and none is told before the front leads here for everybody. Without ``/run/odoo``
Odoo does as it always did.
"""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any

import odoo
from odoo import SUPERUSER_ID, api, http
from odoo.addons.base.models import assetsbundle
from odoo.modules.registry import Registry

_logger = logging.getLogger(__name__)

DIRECTORY = "/run/odoo"
LEADING = f"{DIRECTORY}/leading"
KEPT = f"{DIRECTORY}/bundle_changed"
ASKED = "HTTP_X_SYSGENPRO_LEADS"
GRACE = 10.0


class _Bus:
    """Takes the place of bus.bus within save_attachment: notes what would be sent."""

    def __init__(self) -> None:
        self.calls: list = []

    def __getattr__(self, method: str) -> Any:
        return lambda *args: self.calls.append([method, list(args)])


class _Env:
    """An environment in which only bus.bus is another."""

    def __init__(self, env: Any, bus: _Bus) -> None:
        self._env, self._bus = env, bus

    def __getitem__(self, model: str) -> Any:
        return self._bus if model == "bus.bus" else self._env[model]

    def __contains__(self, model: str) -> bool:
        return model in self._env

    def __getattr__(self, name: str) -> Any:
        return getattr(self._env, name)


def _leads() -> bool:
    return not os.path.isdir(DIRECTORY) or os.path.exists(LEADING)


def _is_due(environ: dict) -> bool:
    """Whether the call that was kept back is sent with this request."""
    if not os.path.exists(KEPT):
        return False
    try:
        age = time.time() - os.stat(LEADING).st_mtime
    except FileNotFoundError:
        return False
    return ASKED in environ or not 0 <= age < GRACE


def _send(env: Any, calls: list) -> None:
    for method, args in calls:
        # 14's channel is a pair, which JSON made a list.
        getattr(env["bus.bus"], method)(*(tuple(arg) if isinstance(arg, list) else arg for arg in args))


def _keep(database: str, calls: list) -> None:
    """The last call replaces the one before: each only says that something changed."""
    aside = f"{KEPT}.{os.getpid()}"
    try:
        with open(aside, "w", encoding="utf-8") as file:
            json.dump({"database": database, "calls": calls}, file)
        os.replace(aside, KEPT)
    except OSError as error:
        _logger.warning("the call to refresh is not kept: %s", error)


def _send_kept() -> None:
    """Send what was kept. The rename lets one process of many do it."""
    claimed = f"{KEPT}.{os.getpid()}.sending"
    try:
        os.rename(KEPT, claimed)
        with open(claimed, encoding="utf-8") as file:
            kept = json.load(file)
        os.unlink(claimed)
    except FileNotFoundError:
        return  # another process was first
    except (OSError, ValueError) as error:
        _logger.warning("the kept call to refresh cannot be read: %s", error)
        return
    registry = Registry(kept["database"])
    with registry.cursor() as cr:
        if "bus.bus" in registry:
            _send(api.Environment(cr, SUPERUSER_ID, {}), kept["calls"])
    _logger.info("this colour leads: told browsers that assets changed")


def install() -> None:
    """Wrap the bundle's save, and the application for the moment the colour leads."""
    cls = assetsbundle.AssetsBundle
    save = cls.save_attachment

    def save_attachment(self: Any, *args: Any, **kwargs: Any) -> Any:
        env, bus = self.env, _Bus()
        self.env = _Env(env, bus)
        try:
            attachment = save(self, *args, **kwargs)
        finally:
            self.env = env
        if bus.calls:
            if _leads():
                _send(env, bus.calls)
            else:
                _keep(env.cr.dbname, bus.calls)
        return attachment

    cls.save_attachment = save_attachment
    if odoo.evented or not os.path.isdir(DIRECTORY):
        return
    application = getattr(http, "Application", None) or http.Root
    call = application.__call__

    def __call__(self: Any, environ: Any, start_response: Any) -> Any:
        if _is_due(environ):
            try:
                _send_kept()
            except Exception:
                _logger.exception("the kept call to refresh was not sent")
        return call(self, environ, start_response)

    application.__call__ = __call__
