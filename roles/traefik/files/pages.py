# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The server of the edge's pages in a cluster, as nginx serves them on a machine (nginx.conf.j2): every path and method says maintenance.

Beside it lie the pages, ``<language>-<status>.html``, in the folder of its first argument; the second is the value of Retry-After in seconds.
"""

from __future__ import annotations

import os
import re
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT = 8069
LANGUAGES = ("fr", "de", "es")
# What the edge refuses by itself (parts.py of the module traefik_route).
REFUSED = {"/edge/404": "404", "/edge/413": "413"}
PAGES: dict[str, bytes] = {}


class Page(BaseHTTPRequestHandler):
    """One answer: a page of the language that is asked for, and nothing that anybody keeps."""

    protocol_version = "HTTP/1.0"
    # A client that sends nothing holds a thread no longer than that.
    timeout = 30

    def answer(self) -> None:
        status = REFUSED.get(self.path.partition("?")[0], "503")
        if self.path == "/healthz":
            status = "200"
        asked = re.match("[a-z]{2}", (self.headers.get("Accept-Language") or "").strip().lower())
        language = asked.group() if asked and asked.group() in LANGUAGES else "en"
        body = PAGES.get(f"{language}-{status}.html", b"")
        self.send_response(int(status))
        headers = {"Cache-Control": "no-store", "Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(body))}
        for name, value in {**headers, **({"Retry-After": sys.argv[2]} if status == "503" else {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def version_string(self) -> str:
        return "pages"

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # A hold that ends badly asks for all pages at once.
    request_queue_size = 1024


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_args: sys.exit(0))
    for name in os.listdir(sys.argv[1]):
        if name.endswith(".html"):
            with open(os.path.join(sys.argv[1], name), "rb") as stream:
                PAGES[name] = stream.read()
    Server(("", PORT), Page).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
