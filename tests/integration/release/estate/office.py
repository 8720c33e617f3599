# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work at a desk, through Odoo as the web client does it: documents that people make, mails, webhooks. And who waits for the latter two."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from load import Config, Records, Tenant
from load.browser import Browser, RpcError

from .edge import PATIENCE
from .place import Estate

MAIL, HOOK = 2525, 2526
_SINK = """
import socketserver, sys, threading

seen = open("/run/fault-sink", "w", buffering=1)

class Mail(socketserver.StreamRequestHandler):
    def handle(self):
        self.wfile.write(b"220 sink\\r\\n")
        data = False
        for line in self.rfile:
            word = line.strip().upper()[:4]
            if data:
                data = line != b".\\r\\n"
                if data:
                    continue
            elif word == b"MAIL":
                seen.write("mail\\n")
            elif word == b"DATA":
                data = True
                self.wfile.write(b"354 go on\\r\\n")
                continue
            self.wfile.write(b"250 fine\\r\\n")

class Hook(socketserver.StreamRequestHandler):
    def handle(self):
        seen.write("hook\\n")
        self.wfile.write(b"HTTP/1.0 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n")

socketserver.TCPServer.allow_reuse_address = True
for port, handler in ((int(sys.argv[1]), Mail), (int(sys.argv[2]), Hook)):
    server = socketserver.ThreadingTCPServer(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever).start()
seen.write("ready\\n")
"""


def office(estate: Estate, host: str, database: str, *calls: Sequence[Any]) -> list[Any]:
    """Log in as the administrator and call models' methods, each as ``(model, method, arguments)`` or with keywords as a fourth.

    :returns: what each answered.
    """
    records = Records()
    tenant = Tenant(name=database, url=f"https://{host}", database=database, address=estate.machine.address, series=estate.series)

    async def ask(browser: Browser, model: str, method: str, given: Sequence[Any], more: dict[str, Any] | None = None) -> Any:
        try:
            return await browser.call("work", model, method, list(given), more)
        except RpcError:
            # Odoo leaves the result out where a method returns nothing.
            reason = records.all()[-1].reason
            assert reason == "neither result nor error", f"{model}.{method}: {reason}"
            return None

    async def run() -> list[Any]:
        browser = Browser(Config(tenants=(tenant,), ca=estate.authority, patience=PATIENCE), tenant, records)
        try:
            assert await browser.login(), f"cannot log in at {tenant.url}"
            return [await ask(browser, *call) for call in calls]
        finally:
            await browser.close()

    return asyncio.run(run())


def made(answer: Any) -> int:
    """The id of what was created: some series give a list."""
    return int(answer[0] if isinstance(answer, list) else answer)


def documents(estate: Estate, host: str, database: str, name: str) -> tuple[str, str]:
    """A customer, an order of him that is confirmed, and an invoice that is posted. Returns the two numbers."""
    partner, product = map(made, office(
        estate, host, database, ("res.partner", "create", [{"name": name}]), ("product.product", "create", [{"name": name, "type": "consu"}])))
    order, invoice = map(made, office(
        estate, host, database,
        ("sale.order", "create", [{"partner_id": partner, "order_line": [[0, 0, {"product_id": product, "product_uom_qty": 1}]]}]),
        ("account.move", "create", [{"move_type": "out_invoice", "partner_id": partner,
                                     "invoice_line_ids": [[0, 0, {"product_id": product, "quantity": 1, "price_unit": 50}]]}])))
    _confirmed, _posted, orders, invoices = office(
        estate, host, database, ("sale.order", "action_confirm", [[order]]), ("account.move", "action_post", [[invoice]]),
        ("sale.order", "read", [[order], ["name"]]), ("account.move", "read", [[invoice], ["name"]]))
    return orders[0]["name"], invoices[0]["name"]


class Sink:
    """What came to the ports ``MAIL`` and ``HOOK`` of a container's own 127.0.0.1."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    def seen(self) -> list[str]:
        """``mail`` and ``hook``, in their order."""
        return self._estate.machine.sh("cat /run/fault-sink").split()[1:]


@contextmanager
def sink(estate: Estate, container: str) -> Iterator[Sink]:
    """Listen inside a container's network, whatever the machine's firewall says of the way out."""
    machine = estate.machine
    machine.write("/run/fault-sink.py", _SINK.encode())
    pid = json.loads(machine.sh(f"docker inspect {container}"))[0]["State"]["Pid"]
    machine.sh("rm -f /run/fault-sink")
    running = machine.background(f"exec nsenter -t {pid} -n python3 /run/fault-sink.py {MAIL} {HOOK} & echo $! > /run/fault-sink.pid; wait")
    try:
        machine.sh("for i in $(seq 100); do grep -qs ready /run/fault-sink && exit 0; sleep 0.1; done; exit 1")
        yield Sink(estate)
    finally:
        machine.sh("kill $(cat /run/fault-sink.pid)", check=False)
        running.wait(30)
