# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An hour's work of a shop in a few seconds: orders confirmed so that goods move, invoices paid, sales at the till, new customers."""

from __future__ import annotations

import asyncio
import datetime
import secrets
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from load import Config, Records, Tenant
from load.browser import Browser


class Clerk:
    """Somebody at work in a browser."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser

    async def call(self, model: str, method: str, *args: Any, **kwargs: Any) -> Any:
        """A model's method, as the web client calls it. :raises load.browser.RpcError: where Odoo refuses."""
        return await self._browser.call("work", model, method, list(args), kwargs)

    async def create(self, model: str, values: dict[str, Any], **kwargs: Any) -> int:
        """A new record's id: some models give a list of ids, some one."""
        made = await self.call(model, "create", [values], **kwargs)
        return int(made[0] if isinstance(made, list) else made)

    async def order(self, customer: int, products: list[int]) -> int:
        """An order that is confirmed, so that goods move."""
        lines = [[0, 0, {"product_id": product, "product_uom_qty": 1}] for product in products]
        order = await self.create("sale.order", {"partner_id": customer, "order_line": lines})
        await self.call("sale.order", "action_confirm", [order])
        return order

    async def paid_invoice(self, customer: int, product: int) -> int:
        """An invoice that is posted, and its payment."""
        line = {"product_id": product, "quantity": 1, "price_unit": 50}
        invoice = await self.create("account.move", {"move_type": "out_invoice", "partner_id": customer, "invoice_line_ids": [[0, 0, line]]})
        await self.call("account.move", "action_post", [invoice])
        payment = await self.create("account.payment.register", {}, context={"active_model": "account.move", "active_ids": [invoice]})
        await self.call("account.payment.register", "action_create_payments", [payment])
        return invoice

    async def till(self) -> tuple[int, int]:
        """The session of a till that is open, opened where it was not, and a way to pay there."""
        found = await self._till()
        if not found["current_session_id"]:
            await self.call("pos.config", "open_ui", [found["id"]])
            found = await self._till()
            await self.call("pos.session", "action_pos_session_open", [found["current_session_id"][0]])
        return found["current_session_id"][0], found["payment_method_ids"][0]

    async def _till(self) -> dict[str, Any]:
        found = await self.call("pos.config", "search_read", [], fields=["current_session_id", "payment_method_ids"], limit=1, order="id")
        return dict(found[0])

    async def sale(self, session: int, method: int, product: int) -> None:
        """A sale at the till, as the till hands it over."""
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
        line = {"product_id": product, "qty": 1, "price_unit": 10, "price_subtotal": 10, "price_subtotal_incl": 10, "discount": 0,
                "tax_ids": [[6, 0, []]], "pack_lot_ids": []}
        await self.call("pos.order", "sync_from_ui", [{
            "uuid": str(uuid.uuid4()), "session_id": session, "state": "paid", "date_order": now, "partner_id": False, "fiscal_position_id": False,
            "amount_paid": 10, "amount_total": 10, "amount_tax": 0, "amount_return": 0, "to_invoice": False, "lines": [[0, 0, line]],
            "payment_ids": [[0, 0, {"amount": 10, "payment_method_id": method, "name": now}]]}])

    async def close(self, session: int) -> None:
        """Close a till, with as much in it as there should be. :raises RuntimeError: where Odoo keeps it open."""
        data = await self.call("pos.session", "get_closing_control_data", [session])
        cash = data.get("default_cash_details")
        if cash:
            await self.call("pos.session", "post_closing_cash_details", [session], counted_cash=cash["amount"])
        done = await self.call("pos.session", "close_session_from_ui", [session])
        if not done.get("successful"):
            raise RuntimeError(f"the till stays open: {done}")

    async def imported(self, rows: int) -> None:
        """Import a file of customers, as a person does. :raises RuntimeError: where Odoo says what is wrong with it."""
        # Odoo keeps the file of this model as it is, without base64.
        text = "name,ref\n" + "".join(f"Imported {secrets.token_hex(4)},{number}\n" for number in range(rows))
        wizard = await self.create("base_import.import", {
            "res_model": "res.partner", "file": text, "file_name": "customers.csv", "file_type": "text/csv"})
        done = await self.call("base_import.import", "execute_import", [wizard], fields=["name", "ref"], columns=["name", "ref"], options={
            "has_headers": True, "quoting": '"', "separator": ",", "encoding": "utf-8", "float_thousand_separator": ",", "float_decimal_separator": ".",
            "date_format": "", "datetime_format": "", "advanced": True, "keep_matches": False, "name_create_enabled_fields": {}, "import_set_empty_fields": [],
            "import_skip_records": [], "fallback_values": {}, "skip": 0, "limit": rows})
        if len(done.get("ids") or ()) != rows:
            raise RuntimeError(f"the file is not imported: {done}")

    async def names(self, model: str, domain: list[Any]) -> list[str]:
        """Numbers of documents."""
        return [row["name"] for row in await self.call(model, "search_read", domain, fields=["name"])]


@asynccontextmanager
async def _at_work(tenant: Tenant, authority: str) -> AsyncIterator[Clerk]:
    browser = Browser(Config(tenants=(tenant,), ca=authority), tenant, Records())
    try:
        if not await browser.login():
            raise RuntimeError(f"cannot log in at {tenant.url}")
        yield Clerk(browser)
    finally:
        await browser.close()


def work(tenant: Tenant, authority: str, orders: int, others: int = 0) -> list[str]:
    """Make and confirm orders, and as many paid invoices and sales at the till as ``others`` says. Returns the numbers of orders and invoices.

    :raises RuntimeError: where nobody can log in. :raises load.browser.RpcError: where Odoo refuses.
    """

    async def run() -> list[str]:
        async with _at_work(tenant, authority) as clerk:
            products = await clerk.call("product.product", "search", [["sale_ok", "=", True], ["type", "=", "consu"]], limit=5)
            customer = await clerk.create("res.partner", {"name": f"Walk-in {secrets.token_hex(4)}"})
            made = [await clerk.order(customer, products[:2]) for _ in range(orders)]
            invoices = [await clerk.paid_invoice(customer, products[0]) for _ in range(others)]
            if others:
                session, method = await clerk.till()
                for _ in range(others):
                    await clerk.sale(session, method, products[0])
            return await clerk.names("sale.order", [["id", "in", made]]) + await clerk.names("account.move", [["id", "in", invoices]])

    return asyncio.run(run())


def orders(tenant: Tenant, authority: str, names: list[str]) -> list[str]:
    """Which of these orders and invoices are there. :raises RuntimeError: where nobody can log in."""

    async def run() -> list[str]:
        async with _at_work(tenant, authority) as clerk:
            return [name for model in ("sale.order", "account.move") for name in await clerk.names(model, [["name", "in", names]])]

    return asyncio.run(run())


def open_till(tenant: Tenant, authority: str) -> int:
    """Have a till open. Returns its session. :raises RuntimeError: where nobody can log in."""

    async def run() -> int:
        async with _at_work(tenant, authority) as clerk:
            return (await clerk.till())[0]

    return asyncio.run(run())


def close_till(tenant: Tenant, authority: str, session: int) -> None:
    """Close it. :raises RuntimeError: where nobody can log in, or Odoo keeps it open."""

    async def run() -> None:
        async with _at_work(tenant, authority) as clerk:
            await clerk.close(session)

    asyncio.run(run())


def import_customers(tenant: Tenant, authority: str, rows: int) -> None:
    """Import a file of so many customers. :raises RuntimeError: where nobody can log in, or Odoo takes no such file. :raises load.browser.RpcError: where Odoo refuses."""

    async def run() -> None:
        async with _at_work(tenant, authority) as clerk:
            await clerk.imported(rows)

    asyncio.run(run())
