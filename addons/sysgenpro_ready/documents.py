# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document that users print: an invoice or what else is installed, as PDF. Nothing of it stays in the database."""

from __future__ import annotations

import os
import threading
from typing import Any

import odoo
from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry
from odoo.tools import config

#: Report, model and domain, in order of preference.
CANDIDATES = (
    (
        "account.account_invoices",
        "account.move",
        [("move_type", "in", ("out_invoice", "out_refund")), ("state", "=", "posted")],
    ),
    ("account.account_invoices", "account.move", [("move_type", "in", ("out_invoice", "out_refund"))]),
    ("sale.action_report_saleorder", "sale.order", []),
    ("stock.action_report_delivery", "stock.picking", []),
    ("web.action_report_internalpreview", "res.company", []),
)

_local = threading.local()


class DocumentError(Exception):
    """Why no document comes out, as one sentence."""


def install() -> None:
    """wkhtmltopdf gets styles and pictures from this colour's own websocket process, whatever ``report.url`` says in the
    database. The configured address leads through the edge: while requests are held there, a document under way could
    never finish, and in a copy of the database it may be another instance's. A worker that prints is busy, and two that
    print at once would wait for each other; the websocket process always has room.

    While a proof prints, ``web.base.url`` is that address, too."""
    from odoo.addons.base.models import ir_config_parameter

    # Its name differs by series.
    model = next(
        kind for kind in vars(ir_config_parameter).values() if getattr(kind, "_name", None) == "ir.config_parameter"
    )
    get_param = model.get_param

    def own_address_first(self: Any, key: str, default: Any = False) -> Any:
        if key == "report.url":
            return _own_address() or get_param(self, key, default)
        if key == "web.base.url" and getattr(_local, "address", None):
            return _local.address
        return get_param(self, key, default)

    # Keeps @api.model's mark.
    own_address_first.__dict__.update(get_param.__dict__)
    model.get_param = own_address_first


def _own_address() -> str:
    """Given for processes without HTTP of their own, as cron; nothing where there is no websocket process."""
    given = os.environ.get("SYSGENPRO_REPORT_URL", "")
    if given or not config["workers"] or not config["http_enable"]:
        return given
    return "http://127.0.0.1:{}".format(config.get("gevent_port") or config.get("longpolling_port"))


def print_one(database: str) -> tuple:
    """Print the first candidate that has a record; detail and True."""
    with Registry(database).cursor() as cr:
        env = api.Environment(cr, SUPERUSER_ID, {})
        state = env["ir.actions.report"].get_wkhtmltopdf_state()
        if state == "install":
            return "no wkhtmltopdf here: nothing to prove", True
        if state == "broken":
            raise DocumentError("wkhtmltopdf is there and does not start")
        try:
            for xmlid, model, domain in CANDIDATES:
                report = env.ref(xmlid, raise_if_not_found=False)
                if not report or model not in env:
                    continue
                record = env[model].search(domain, limit=1, order="id desc")
                if record:
                    return _print(report, xmlid, record)
            raise DocumentError("no report of an installed module has a record to print")
        finally:
            cr.rollback()


def _print(report: Any, xmlid: str, record: Any) -> tuple:
    env = report.env
    _local.address = _own_address()
    try:
        if odoo.release.version_info[0] >= 16:
            content, kind = env["ir.actions.report"]._render_qweb_pdf(xmlid, record.ids)
        else:
            content, kind = report._render_qweb_pdf(record.ids)
    finally:
        _local.address = None
    if kind != "pdf" or not content.startswith(b"%PDF"):
        raise DocumentError(f"{xmlid} of {record.display_name} gives no PDF but {kind}")
    return f"{xmlid} of {record.display_name}: {len(content)} bytes", True
