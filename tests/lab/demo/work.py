# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An hour's work of a shop in a few seconds: orders that are confirmed, so that goods move, and new customers."""

from __future__ import annotations

import asyncio
import secrets

from load import Config, Records, Tenant
from load.browser import Browser


async def _work(tenant: Tenant, authority: str, orders: int) -> list[str]:
    browser = Browser(Config(tenants=(tenant,), ca=authority), tenant, Records())
    try:
        if not await browser.login():
            raise RuntimeError(f"cannot log in at {tenant.url}")
        products = await browser.call("list", "product.product", "search", [[["sale_ok", "=", True], ["type", "=", "consu"]]], {"limit": 5})
        customer = await browser.call("write", "res.partner", "create", [{"name": f"Walk-in {secrets.token_hex(4)}"}])
        customer = customer[0] if isinstance(customer, list) else customer
        lines = [[0, 0, {"product_id": product, "product_uom_qty": 1}] for product in products[:2]]
        made = []
        for _ in range(orders):
            order = await browser.call("write", "sale.order", "create", [{"partner_id": customer, "order_line": lines}])
            order = order[0] if isinstance(order, list) else order
            await browser.call("write", "sale.order", "action_confirm", [[order]])
            made.append(order)
        found = await browser.call("list", "sale.order", "read", [made], {"fields": ["name"]})
        return [row["name"] for row in found]
    finally:
        await browser.close()


def work(tenant: Tenant, authority: str, orders: int) -> list[str]:
    """Make and confirm orders. Returns their numbers.

    :raises RuntimeError: where nobody can log in. :raises load.browser.RpcError: where Odoo refuses.
    """
    return asyncio.run(_work(tenant, authority, orders))


async def _orders(tenant: Tenant, authority: str, names: list[str]) -> list[str]:
    browser = Browser(Config(tenants=(tenant,), ca=authority), tenant, Records())
    try:
        if not await browser.login():
            raise RuntimeError(f"cannot log in at {tenant.url}")
        found = await browser.call("list", "sale.order", "search_read", [[["name", "in", names]]], {"fields": ["name"]})
        return [row["name"] for row in found]
    finally:
        await browser.close()


def orders(tenant: Tenant, authority: str, names: list[str]) -> list[str]:
    """Which of these orders are there. :raises RuntimeError: where nobody can log in."""
    return asyncio.run(_orders(tenant, authority, names))
