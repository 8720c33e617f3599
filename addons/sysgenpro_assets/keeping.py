# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which versions of a bundle stay. Odoo deletes all but the one it just made, and with it the other colour's.

The newest two always stay (each colour's). Of the others the last ``SYSGENPRO_ASSETS_VERSIONS`` (5) stay while they are
younger than ``SYSGENPRO_ASSETS_DAYS`` (30): for as long browsers may hold old pages.
"""

from __future__ import annotations

import logging
import os
import re
from typing import Any

from odoo.addons.base.models import assetsbundle

_logger = logging.getLogger(__name__)

#: Versions that stay whatever their age: one per colour.
FLOOR = 2
#: ``/web/content/<id>-<version>/…`` (14), ``/web/assets/<id>-<version>/…`` (15, 16); the rest may have ``rtl/`` or a website.
_WITH_ID = re.compile(r"^/web/(?:assets|content)/\d+-([^/]+)/")


def _number(name: str, default: int, least: int) -> int:
    try:
        return max(least, int(os.environ.get(name, "") or default))
    except ValueError:
        _logger.warning("%s is not a whole number: %d is used", name, default)
        return default


def _version(url: str) -> str:
    """17 and later: ``/web/assets/[<website>/]<version>/<name>``."""
    match = _WITH_ID.match(url)
    return match.group(1) if match else url.split("/")[-2]


def _collect(bundle: Any, pattern: str) -> int:
    """Delete what need not stay of the attachments whose URL matches; returns how many went."""
    versions = _number("SYSGENPRO_ASSETS_VERSIONS", 5, FLOOR)
    days = _number("SYSGENPRO_ASSETS_DAYS", 30, 1)
    cr, attachments = bundle.env.cr, bundle.env["ir.attachment"]
    # The one that was just made counts, too: its URL is written last, and not at once.
    (getattr(attachments, "flush_model", None) or attachments.flush)()
    cr.execute(
        """SELECT id, url, create_date < now() AT TIME ZONE 'UTC' - %s * interval '1 day'
             FROM ir_attachment
            WHERE url LIKE %s AND public AND res_model = 'ir.ui.view' AND coalesce(res_id, 0) = 0
            ORDER BY id DESC""",
        [days, pattern],
    )
    ranks: dict = {}
    gone = []
    for identifier, url, old in cr.fetchall():
        rank = ranks.setdefault(_version(url), len(ranks) + 1)
        if rank > FLOOR and (rank > versions or old):
            gone.append(identifier)
    if not gone:
        return 0
    # As Odoo does from 15 on: not by the ORM, which would clear its cache while a page is being rendered.
    cr.execute(
        """DELETE FROM ir_attachment WHERE id IN (
               SELECT id FROM ir_attachment WHERE id IN %s FOR NO KEY UPDATE SKIP LOCKED
           ) RETURNING store_fname""",
        [tuple(gone)],
    )
    names = {name for (name,) in cr.fetchall() if name}
    for name in names:
        attachments._file_delete(name)  # marks the file; the collector looks whether somebody needs it
    _logger.info("collected %d old attachments of the bundle %s", len(gone), bundle.name)
    return len(gone)


def install() -> None:
    """Take the place of the bundle's own cleaning."""
    cls = assetsbundle.AssetsBundle
    if hasattr(cls, "_clean_attachments"):  # Odoo 17 and later

        def _clean_attachments(self: Any, extension: str, keep_url: str) -> bool:
            _collect(self, self.get_asset_url(unique=assetsbundle.ANY_UNIQUE, extension=extension))
            return True

        cls._clean_attachments = _clean_attachments
        return

    def clean_attachments(self: Any, extension: str) -> bool:
        right_to_left = extension in ("css", "min.css") and self.user_direction == "rtl"
        kind = "type" if "type" in cls.get_asset_url.__code__.co_varnames else "extension"  # 14; 15 and 16
        pattern = self.get_asset_url(
            extra="rtl/" if right_to_left else "", name=self.name, sep="", **{kind: f".{extension}"}
        )
        if _collect(self, pattern):
            # Pages in the caches of other processes may name an attachment that went.
            self.env["ir.qweb"].clear_caches()
        return True

    cls.clean_attachments = clean_attachments
