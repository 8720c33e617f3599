# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Server-wide add-on: HTTP sessions in Redis. Load it with ``--load=…,sysgenpro_session``; do not install it."""

from __future__ import annotations

import logging

_logger = logging.getLogger(__name__)


def post_load():
    """Replace the file store if ``SYSGENPRO_SESSION_URL`` is set; otherwise leave Odoo as it is.

    :raises ValueError: the environment is set but wrong. Odoo logs it and goes on with files, which would split the
        sessions of two colours, so the process is ended instead.
    """
    from . import client, series

    try:
        settings = client.settings_from_environment()
    except (OSError, ValueError) as error:
        _logger.critical("sysgenpro_session: %s", error)
        raise SystemExit(1) from error
    if settings is None:
        _logger.info("SYSGENPRO_SESSION_URL is not set: sessions stay in files")
    else:
        series.install(settings)
        _logger.info("sessions are kept in Redis at %s", settings.shown_url)
    post_load.done = True
