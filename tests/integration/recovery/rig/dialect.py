# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""S3 as other makers speak it: a proxy in front of the machine's real store that refuses, forgets or ignores what some of them do."""

from __future__ import annotations

from .machine import Machine
from .s3 import KEYS, URL

PORT = 7071
# ``argv``: the dialect. It forwards as it is, with the Host that was signed; what it did is a line on standard output.
_PROXY = """
import http.client, http.server, sys, urllib.parse
import boto3
dialect, conflicts = sys.argv[1], [0]
root = boto3.client("s3", endpoint_url={url!r}, aws_access_key_id={key!r}, aws_secret_access_key={secret!r}, region_name="us-east-1")
ERROR = "<Error><Code>{{}}</Code><Message>{{}}</Message></Error>"

class Proxy(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments):
        pass

    def refuse(self, status, code, message):
        print(dialect, self.command, self.path, status, flush=True)
        body = ERROR.format(code, message).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_one(self):
        names = {{name.lower() for name in self.headers}}
        if "content-length" not in names and self.command == "PUT":
            return self.refuse(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        document = self.command == "PUT" and ("/points/" in self.path or "trial" in self.path or "config" in self.path)
        condition = self.command == "PUT" and "if-none-match" in names
        lock = any(name.startswith("x-amz-object-lock") for name in names)
        checksums = any(name.startswith(("x-amz-checksum", "x-amz-sdk-checksum", "x-amz-trailer")) for name in names)
        if dialect == "501 condition" and condition:
            return self.refuse(501, "NotImplemented", "A header you provided implies functionality that is not implemented.")
        if dialect == "400 checksums" and checksums:
            return self.refuse(400, "InvalidArgument", "x-amz-checksum is not supported")
        if dialect == "411 trailers" and ("x-amz-trailer" in names or "aws-chunked" in str(self.headers.get("content-encoding"))):
            return self.refuse(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        if dialect == "400 lock" and lock:
            return self.refuse(400, "InvalidRequest", "Bucket is missing Object Lock Configuration")
        if dialect == "lock without integrity" and lock and not ("content-md5" in names or checksums):
            return self.refuse(400, "InvalidRequest", "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters")
        if dialect == "501 list" and self.command == "GET" and "list-type=2" in self.path:
            return self.refuse(501, "NotImplemented", "not implemented")
        if dialect == "409 once" and document and self.path not in seen:
            seen.add(self.path)
            return self.refuse(409, "ConditionalRequestConflict", "A conflicting conditional operation is in progress against this resource. Please retry.")
        if dialect == "409 always" and condition:
            return self.refuse(409, "ConditionalRequestConflict", "A conflicting conditional operation is in progress against this resource. Please retry.")
        answer, content = self.forward(body)
        if dialect == "ignores" and condition and answer.status == 412:
            bucket, _slash, key = urllib.parse.unquote(urllib.parse.urlsplit(self.path).path).lstrip("/").partition("/")
            made = root.put_object(Bucket=bucket, Key=key, Body=body)
            print("overwrote", self.path, flush=True)
            self.send_response(200)
            self.send_header("ETag", made["ETag"])
            self.send_header("x-amz-version-id", made.get("VersionId", ""))
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection") and not (dialect == "no versions" and name.lower() == "x-amz-version-id"):
                self.send_header(name, value)
        self.send_header("Content-Length", answer.getheader("Content-Length") if self.command == "HEAD" else str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def forward(self, body):
        connection = http.client.HTTPConnection(urllib.parse.urlsplit({url!r}).netloc, timeout=60)
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            connection.putheader(name, value)
        connection.endheaders(body or None)
        answer = connection.getresponse()
        return answer, answer.read()

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_one

seen = set()
http.server.ThreadingHTTPServer(("127.0.0.1", {port}), Proxy).serve_forever()
"""


class Dialect:
    """The proxy on the machine; ``speak`` starts it anew."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def speak(self, dialect: str) -> None:
        self.stop()
        self.machine.sh("cat > /root/dialect.py", data=_PROXY.format(url=URL, key=KEYS["root"][0], secret=KEYS["root"][1], port=PORT))
        self.machine.sh(f"systemd-run -q --unit dialect -p StandardOutput=truncate:/root/dialect.log python3 /root/dialect.py '{dialect}';"
                        f" for i in $(seq 100); do bash -c '</dev/tcp/127.0.0.1/{PORT}' 2>/dev/null && exit 0; sleep 0.1; done; exit 1")

    def said(self) -> str:
        return self.machine.sh("cat /root/dialect.log")

    def stop(self) -> None:
        self.machine.sh("systemctl stop dialect 2>/dev/null; systemctl reset-failed dialect 2>/dev/null; true")
