# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user would do today: one Odoo container behind the same Traefik, replaced by ``docker rm`` and ``docker run``, updated by stopping it.

It works on a copy of the instance's database and filestore, in the same PostgreSQL cluster, with the same workers, image and edge.
"""

from __future__ import annotations

import secrets
import shlex
import time
from dataclasses import dataclass

from estate import Estate
from estate.place import INSTANCE, certificates

HOST = "today.example.test"
NAME = "today"
ROOT = f"/var/lib/sysgenpro/{NAME}"
HOST_PART = 100
PORT = 5501
SOCKET = f"/run/sysgenpro/{INSTANCE}/postgresql"

_CONF = """\
[options]
db_host = /run/postgresql-instance
db_port = {port}
db_user = {name}
db_name = {name}
list_db = False
proxy_mode = True
data_dir = /var/lib/odoo
http_interface = 0.0.0.0
gevent_port = 8072
max_cron_threads = 1
"""
# Taken over from the instance's own file, so that both are served alike.
_ALIKE = ("addons_path", "workers", "db_maxconn")

_ROUTE = """\
http:
  routers:
    {name}:
      rule: Host(`{host}`)
      entryPoints: [websecure]
      service: {name}
      tls: {{}}
    {name}-websocket:
      rule: Host(`{host}`) && PathPrefix(`/websocket`)
      entryPoints: [websecure]
      service: {name}-websocket
      tls: {{}}
  services:
    {name}:
      loadBalancer: {{servers: [{{url: "http://{address}:8069"}}]}}
    {name}-websocket:
      loadBalancer: {{servers: [{{url: "http://{address}:8072"}}]}}
tls:
  certificates:
    - certFile: /etc/traefik/certificates/{name}.crt
      keyFile: /etc/traefik/certificates/{name}.key
"""


@dataclass
class Today:
    """The container of today, on the estate's machine."""

    estate: Estate

    def make(self) -> None:
        """Copy database and filestore, start the container, route to it."""
        machine = self.estate.machine
        self.drop()
        password = secrets.token_hex(16)
        machine.sql(f"create role {NAME} login password '{password}'; create database {NAME} owner {NAME}", "postgres")
        dump = f"pg_dump -Fc -h {SOCKET} -p {PORT} -U postgres --exclude-schema=sysgenpro fault_one"
        machine.sh(f"{dump} | pg_restore -h {SOCKET} -p {PORT} -U postgres --no-owner --no-acl --role={NAME} -d {NAME}")
        live = f"/var/lib/sysgenpro/instances/{INSTANCE}"
        conf = machine.sh(f"cat {live}/config/*-web/odoo.conf").splitlines()
        text = _CONF.format(name=NAME, port=PORT) + "\n".join(
            next(line for line in conf if line.startswith(key + " ")) for key in _ALIKE) + "\n"
        machine.sh(f"mkdir -p {ROOT}/config {ROOT}/data/filestore && cp -al {live}/data/filestore/fault_one {ROOT}/data/filestore/{NAME}")
        machine.write(f"{ROOT}/config/odoo.conf", text.encode())
        machine.write(f"{ROOT}/config/pgpass", f"*:*:*:{NAME}:{password}\n".encode())
        machine.sh(f"chown -R {self._uid()}:{self._uid()} {ROOT} && chmod 400 {ROOT}/config/*")
        issued = certificates.issue([HOST])
        for kind, source in (("crt", "certificate"), ("key", "key")):
            path = f"/etc/traefik/certificates/{NAME}.{kind}"
            with open(issued[source], "rb") as stream:
                machine.write(path, stream.read())
            machine.sh(f"chown root:traefik {path} && chmod 640 {path}")
        machine.write(f"/etc/traefik/dynamic/{NAME}.yml", _ROUTE.format(name=NAME, host=HOST, address=self._address()).encode())
        machine.sh(f"chown root:traefik /etc/traefik/dynamic/{NAME}.yml && chmod 640 /etc/traefik/dynamic/{NAME}.yml")
        self._run(self.estate.releases["one-a"])
        self.wait()

    def drop(self) -> None:
        """Take all of it away again."""
        machine = self.estate.machine
        machine.sh(f"docker rm -f {NAME} >/dev/null 2>&1; rm -rf {ROOT} /etc/traefik/dynamic/{NAME}.yml /etc/traefik/certificates/{NAME}.*")
        machine.sql(f"drop database if exists {NAME} with (force)", "postgres")
        machine.sql(f"drop role if exists {NAME}", "postgres")

    def replace(self, release: str) -> None:
        """A release of code as most people do it: ``docker rm -f`` and ``docker run``."""
        self._have(release)
        self.estate.machine.sh(f"docker rm -f {NAME} >/dev/null")
        self._run(self.estate.releases[release])

    def update(self, release: str, module: str) -> float:
        """Stop, ``odoo -u``, start. Returns the seconds from the stop until the web client's login page answers again."""
        self._have(release)
        began = time.monotonic()
        self.estate.machine.sh(f"docker stop -t 30 {NAME} >/dev/null && docker rm {NAME} >/dev/null")
        self._run(self.estate.releases[release], f"--rm --name {NAME}-update", f"-u {module} --stop-after-init --no-http --max-cron-threads=0 --workers=0")
        self._run(self.estate.releases[release])
        self.wait()
        return time.monotonic() - began

    def start(self, release: str) -> None:
        """Start the container that serves."""
        self._run(self.estate.releases[release])

    def once(self, command: str, how: str) -> None:
        """Run a command in a container like it, with these further options of ``docker run``."""
        self._docker(self.estate.releases["one-a"], f"--rm --name {NAME}-once {how}", command)

    def wait(self, seconds: float = 120) -> None:
        """Until the login page answers."""
        self.estate.machine.sh(
            f"for i in $(seq {int(seconds * 20)}); do curl -fsS -m 5 -o /dev/null http://{self._address()}:8069/web/login 2>/dev/null && exit 0;"
            " sleep 0.05; done; exit 1")

    def _have(self, release: str) -> None:
        """The image is there before anything stops: the instance's own release pulled it, with the registry's login."""
        self.estate.machine.sh(f"docker image inspect {self.estate.releases[release]} >/dev/null")

    def _run(self, reference: str, how: str = f"-d --restart unless-stopped --name {NAME}", arguments: str = "") -> None:
        address = f"--ip {self._address()}" if " -d " in f" {how} " else ""
        self._docker(reference, f"{how} {address}", f"odoo -c /etc/odoo/odoo.conf {arguments}")

    def _docker(self, reference: str, how: str, command: str) -> None:
        self.estate.machine.sh(
            f"docker run {how} --init --network {INSTANCE} --user {self._uid()}:{self._uid()} -e HOME=/var/lib/odoo -e USER=odoo"
            f" -e PGPASSFILE=/etc/odoo/pgpass -v {ROOT}/config:/etc/odoo:ro -v {ROOT}/data:/var/lib/odoo -v {SOCKET}:/run/postgresql-instance"
            f" {shlex.quote(reference)} {command} >/dev/null")

    def _address(self) -> str:
        found = self.estate.machine.sh(f"docker network inspect -f '{{{{(index .IPAM.Config 0).Subnet}}}}' {INSTANCE}").strip()
        return found.rsplit(".", 1)[0] + f".{HOST_PART}"

    def _uid(self) -> int:
        return int(self.estate.machine.sh(f"stat -c %u /var/lib/sysgenpro/instances/{INSTANCE}/data"))
