# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The route. Closed at the edge; a caller on the inner network has to know the token."""

from __future__ import annotations

import hmac
import json
import logging
import os

from odoo import http

from . import proof

_logger = logging.getLogger(__name__)

HEADER = "X-Sysgenpro-Token"
PART = "X-Sysgenpro-Part"


def _allowed(given: str) -> bool:
    """Whether ``given`` is the content of the file ``SYSGENPRO_PROBE_TOKEN_FILE``, compared in constant time. The file is
    read each time, so a token can be changed without a restart."""
    path = os.environ.get("SYSGENPRO_PROBE_TOKEN_FILE", "")
    if not path:
        return False
    try:
        with open(path, encoding="utf-8") as file:
            token = file.read().strip()
    except (OSError, ValueError) as error:
        _logger.warning("the token file cannot be read: %s", error)
        return False
    return bool(token) and hmac.compare_digest(given.encode("utf-8", "replace"), token.encode("utf-8"))


class Ready(http.Controller):
    """``{"ok", "database", "series", "checks": [{"name", "ok", "detail", "seconds"}], "assets": [urls]}``, 200 or 503."""

    @http.route("/sysgenpro/ready", type="http", auth="none", methods=["POST"], csrf=False, save_session=False)
    def ready(self, **_ignored):
        request = http.request
        if not _allowed(request.httprequest.headers.get(HEADER, "")):
            return http.Response("Not Found", status=404)
        found = proof.prove(request, request.httprequest.headers.get(PART, ""))
        headers = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
        return http.Response(json.dumps(found), status=200 if found["ok"] else 503, headers=headers)
