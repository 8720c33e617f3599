# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The toolbox' own process: makes the instance's directories, then shows the maintenance page to whom the front leads here."""

from __future__ import annotations

import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORTS = (8069, 8072)
# Seconds after which a browser may ask again.
RETRY_AFTER = 20
PAGE = b"""<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="20"><title>Back soon</title>
<body style="font-family:sans-serif;text-align:center;padding-top:20vh">
<h1>Back soon</h1><p>This shop is being updated. The page looks again by itself.</p></body></html>
"""


class Page(BaseHTTPRequestHandler):
    """503 for everything, which no browser and no search engine keeps."""

    protocol_version = "HTTP/1.0"

    def answer(self) -> None:
        self.send_response(503)
        headers = {"Retry-After": RETRY_AFTER, "Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Content-Length": len(PAGE)}
        for name, value in headers.items():
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(PAGE)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(0))
    # The first process inherits what detached operations leave; the kernel buries it where nobody asks how it died.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    home = os.environ["HOME"]
    root = os.path.dirname(home)
    for path, mode in ((home, 0o700), (os.path.join(root, "data"), 0o700), (os.path.join(root, "state"), 0o700), (os.path.join(root, "recovery"), 0o700)):
        os.makedirs(path, mode=mode, exist_ok=True)
    servers = [ThreadingHTTPServer(("", port), Page) for port in PORTS]
    for server in servers[1:]:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    servers[0].serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
