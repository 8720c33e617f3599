# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs beside Odoo in each of its pods, and tells whoever releases what goes on there; nothing is ever executed in a pod for that.

It sees the pod's network, so it knows Odoo's connections also after Odoo has closed its port; and the directory ``/run/odoo``, where the platform's
add-ons tell of requests under way. It is stdlib only, since it runs on the Python of whatever image is released.

``GET /`` answers ``{"connections": {port: number}, "requests": [...], "own_work": [...], "gone": bool, "kept": bool}``. ``POST /`` takes any of
``{"go": true, "leading": bool, "forget_calls": true, "kill": true}``. Both ask for the token of the place in ``X-Sysgenpro-Token``.
``GET /metrics`` asks for none and counts requests and connections, for a cluster that has pods by their metrics.
"""

from __future__ import annotations

import hmac
import json
import os
import signal
import threading
import time
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8068
RUN = "/run/odoo"
STATE = "/opt/sysgenpro/state"
"""Where the place's ConfigMap is mounted: ``go`` and ``leading``, as they stood when the pod began, and as the kubelet brings them later."""
GO = RUN + "/.go"
LEADING = RUN + "/leading"
KEPT = RUN + "/bundle_changed"
"""Where ``sysgenpro_assets`` keeps back what it has to tell browsers once the colour leads."""
TOKEN = "/etc/odoo/agent-token"  # noqa: S105
# Established, in the fourth column of /proc/net/tcp (proc(5)).
ESTABLISHED = "01"
# Seconds between two looks at what the kubelet brings.
LOOK = 1.0


def read(path: str) -> str:
    """A file's text; empty where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""


def connections() -> dict[str, int]:
    """Established connections of the pod by its own port (``/proc/net/tcp``, proc(5))."""
    found: dict[str, int] = {}
    for family in ("tcp", "tcp6"):
        for row in read("/proc/net/" + family).splitlines()[1:]:
            columns = row.split()
            if columns[3] == ESTABLISHED:
                port = str(int(columns[1].rsplit(":", 1)[1], 16))
                found[port] = found.get(port, 0) + 1
    return found


def requests() -> list[str]:
    """A line for each request under way."""
    found = []
    for name in sorted(os.listdir(RUN)):
        with suppress(ValueError, KeyError, TypeError):
            found.append("{method} {path} of user {uid}, since {since}".format(**json.loads(read(os.path.join(RUN, name)))))
    return found


def put(path: str, there: bool) -> None:
    """Have a file, or have it not."""
    if there:
        with open(path, "w", encoding="utf-8"):
            pass
    else:
        with suppress(FileNotFoundError):
            os.unlink(path)


def forget_calls() -> None:
    for name in os.listdir(RUN):
        if name.startswith("bundle_changed"):
            put(os.path.join(RUN, name), False)


def kill() -> None:
    """End Odoo's processes at once; the first one of the pod is nobody's."""
    for name in os.listdir("/proc"):
        if name.isdigit() and int(name) not in (1, os.getpid()):
            with suppress(OSError):
                os.kill(int(name), signal.SIGKILL)


def take(change: dict[str, object]) -> None:
    """Do what is asked for."""
    if change.get("go"):
        put(GO, True)
    if "leading" in change:
        put(LEADING, bool(change["leading"]))
    if change.get("forget_calls"):
        forget_calls()
    if change.get("kill"):
        kill()


def follow() -> None:
    """Take over what the ConfigMap says, whenever it says something new: a pod that comes later was told nothing."""
    known: dict[str, str] = {}
    while True:
        now = {name: read(os.path.join(STATE, name)).strip() for name in ("go", "leading")}
        if now != known:
            take({**({"go": True} if now["go"] == "1" else {}), "leading": now["leading"] == "1"})
            known = now
        time.sleep(LOOK)


class Handler(BaseHTTPRequestHandler):
    """Answers whoever knows the token."""

    def _allowed(self) -> bool:
        token = read(TOKEN).strip()
        if token and hmac.compare_digest(token, self.headers.get("X-Sysgenpro-Token", "")):
            return True
        self.send_error(403)
        return False

    def _answer(self) -> None:
        body = json.dumps({"connections": connections(), "requests": requests(), "own_work": read(RUN + "/.own-work").splitlines(),
                           "gone": os.path.exists(GO), "kept": os.path.exists(KEPT)}).encode()
        self._send("application/json", body)

    def _send(self, kind: str, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _metrics(self) -> None:
        """In the text format of Prometheus; counts only, so nobody is asked who they are."""
        rows = [f'sysgenpro_odoo_connections{{port="{port}"}} {number}' for port, number in sorted(connections().items())]
        body = "\n".join(["# TYPE sysgenpro_odoo_requests gauge", f"sysgenpro_odoo_requests {len(requests())}",
                          "# TYPE sysgenpro_odoo_connections gauge", *rows, ""]).encode()
        self._send("text/plain; version=0.0.4", body)

    def do_GET(self) -> None:
        if self.path == "/metrics":
            self._metrics()
        elif self._allowed():
            self._answer()

    def do_POST(self) -> None:
        if self._allowed():
            try:
                take(json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0))))
            except (ValueError, AttributeError) as error:
                self.send_error(400, str(error))
                return
            self._answer()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: it is asked many times a second."""


def main() -> None:
    # Where the agent is the first process it is ended by no signal that it does not take; the kubelet sends it once Odoo has ended.
    signal.signal(signal.SIGTERM, lambda *_args: os._exit(0))
    threading.Thread(target=follow, daemon=True).start()
    ThreadingHTTPServer(("", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
