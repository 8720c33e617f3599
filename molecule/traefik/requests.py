"""Real requests through the edge of a machine: hold, let go, switch, restart, maintenance. Run on the machine, as root.

Arguments: the front's address, two colours' addresses, the host name. The nftables map is ``ip molecule fronts``.
"""

from __future__ import annotations

import http.server
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

FRONT, BLUE, GREEN, HOST = sys.argv[1:5]
PAGES = "172.28.0.2"
CLIENT, PROXY = "203.0.113.7", "127.0.0.9"
"""Who is said to have asked, and the one proxy that is believed (``traefik_trusted_proxies`` of the scenario)."""


class Colour(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True

    def __init__(self, address: str) -> None:
        self.seen: list[str] = []
        self.clients: list[str] = []
        super().__init__((address, 8069), Handler)
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.seen.append(body.decode())  # type: ignore[attr-defined]
        self.server.clients.append(self.headers.get("X-Forwarded-For", ""))  # type: ignore[attr-defined]
        answer = self.server.server_address[0].encode()  # type: ignore[index,union-attr]
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: object) -> None:
        """Quiet."""


def nft(*commands: str) -> None:
    subprocess.run(["nft", "-f", "-"], input="\n".join(commands), text=True, check=True)


def lead(address: str) -> list[str]:
    return ["add element ip molecule fronts {{ {0} . 8069 : {1} . 8069 }}".format(FRONT, address)]


def refuse() -> list[str]:
    return ["delete element ip molecule fronts {{ {0} . 8069 }}".format(FRONT)]


def post(body: str) -> tuple[int, str]:
    """Status and body, ``page`` for the page; status 0 with ``closed`` or ``refused`` where there was no answer."""
    try:
        return answered(body)
    except ConnectionRefusedError:
        return 0, "refused"
    except (ConnectionError, ssl.SSLError):
        return 0, "closed"


def answered(body: str, source: str = "127.0.0.1", headers: str = "") -> tuple[int, str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations("/root/molecule-traefik/shop.crt")
    with context.wrap_socket(socket.create_connection(("127.0.0.1", 443), 60, (source, 0)), server_hostname=HOST) as stream:
        stream.sendall(
            "POST /web/dataset HTTP/1.1\r\nHost: {0}\r\nConnection: close\r\nContent-Length: {1}\r\n{2}\r\n{3}".format(
                HOST, len(body), headers, body
            ).encode()
        )
        raw = b""
        while True:
            part = stream.recv(65536)
            if not part:
                break
            raw += part
    if not raw:
        raise ConnectionResetError
    head, _blank, content = raw.decode().partition("\r\n\r\n")
    return int(head.split()[1]), content if "Retry-After" not in head else "page"


def expect(what: str, truth: bool, seen: object = "") -> None:
    print("ok" if truth else "FAILED", what, seen)
    if not truth:
        sys.exit(1)


def main() -> None:
    nft("flush map ip molecule fronts")
    blue, green = Colour(BLUE), Colour(GREEN)
    with ThreadPoolExecutor(64) as pool:
        # Hold: twenty wait, more get the page at once; let go to blue.
        held = [pool.submit(post, "held-{0}".format(number)) for number in range(25)]
        while sum(request.done() for request in held) < 5:
            time.sleep(0.05)
        expect("beyond the bound the page", [r.result() for r in held if r.done()] == [(503, "page")] * 5)
        nft(*lead(BLUE))
        answers = sorted(request.result() for request in held)
        expect("held requests are let go", answers == [(200, BLUE)] * 20 + [(503, "page")] * 5, len(blue.seen))
        expect("each reached Odoo once", len(set(blue.seen)) == len(blue.seen) == 20)

        # A switch in one transaction, under load.
        stop = threading.Event()

        def work(worker: int) -> list[tuple[int, str]]:
            found = []
            while not stop.is_set():
                found.append(post("w{0}-{1}".format(worker, len(found))))
            return found

        def under_load(action: object) -> list[tuple[int, str]]:
            stop.clear()
            workers = [pool.submit(work, number) for number in range(8)]
            time.sleep(1)
            action()  # type: ignore[operator]
            time.sleep(1)
            stop.set()
            return [answer for worker in workers for answer in worker.result()]

        found = under_load(lambda: nft(*refuse(), *lead(GREEN)))
        expect("a switch fails no request", {status for status, _c in found} == {200}, len(found))
        expect("both colours answered", {content for _s, content in found} == {BLUE, GREEN})

        # A restart of Traefik: systemd keeps the sockets and new connections wait, so nobody is refused or cut off.
        green.seen.clear()
        found = under_load(lambda: subprocess.run(["systemctl", "restart", "traefik"], check=True))
        expect("a restart of Traefik fails no request", set(found) == {(200, GREEN)}, len(found))
        expect("none reached Odoo twice", len(set(green.seen)) == len(green.seen) == len(found))

        # Whoever says for whom he asks is believed only where he is a proxy that was named.
        said = "X-Forwarded-For: {0}\r\n".format(CLIENT)
        green.clients.clear()
        for source in ("127.0.0.1", PROXY):
            answered("who", source, said)
        expect("only a trusted proxy says who asks", green.clients == ["127.0.0.1", "{0}, {1}".format(CLIENT, PROXY)], green.clients)

        # Long maintenance: the front led to the pages; every method and path answers 503 with Retry-After.
        nft(*refuse(), *lead(PAGES))
        expect("maintenance answers 503", post("x") == (503, "page"))
        nft(*refuse())


if __name__ == "__main__":
    main()
