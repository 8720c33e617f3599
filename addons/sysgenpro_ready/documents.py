# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A document that users print: an invoice or what else is installed, as PDF. Nothing of it stays in the database."""

from __future__ import annotations

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
    """While a proof prints, wkhtmltopdf gets styles and pictures from this process. The configured address leads
    through the edge, which may hold every request until this very proof is done."""
    from odoo.addons.base.models.ir_config_parameter import IrConfigParameter

    get_param = IrConfigParameter.get_param

    def own_address_first(self: Any, key: str, default: Any = False) -> Any:
        if key in ("report.url", "web.base.url") and getattr(_local, "address", None):
            return _local.address
        return get_param(self, key, default)

    # Keeps @api.model's mark.
    own_address_first.__dict__.update(get_param.__dict__)
    IrConfigParameter.get_param = own_address_first


def _own_address() -> str:
    """With a single worker, which is busy with the proof, nobody would answer: an address that refuses at once, so the
    document comes without its styles."""
    return "http://127.0.0.1:1" if config["workers"] == 1 else f"http://127.0.0.1:{config['http_port']}"


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
