# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's way into an instance's cluster, for sessions and for PostgreSQL's own programs alike: by the socket of its machine, or by TCP."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._kernel.errors import bad_input

with contextlib.suppress(ImportError):  # Cluster says so
    import psycopg2

_SOCKET = ".s.PGSQL."


@dataclass(frozen=True)
class WayIn:
    """By the socket of the cluster's machine, where PostgreSQL knows who asks (peer), or by TCP with TLS and a password.

    :param host: the socket's directory, or a host's name. :param port: of it. :param user: the administrator's role.
    :param tls: libpq's ``sslmode`` and ``sslrootcert``; nothing by a socket.
    """

    host: str
    port: int
    user: str = "postgres"
    password: str = field(default="", repr=False)
    tls: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, place: Mapping[str, Any]) -> WayIn:
        """:param place: the parameter ``database`` of a module.

        PostgreSQL's own programs take password and TLS from the environment of the process (libpq, "Environment Variables"), which nobody else reads.

        :raises DomainError: ``bad_input``, unless it names either ``socket`` or ``host``.
        """
        if bool(place.get("socket")) == bool(place.get("host")):
            raise bad_input("database", "socket and host" if place.get("socket") else "without socket and host", "one of socket and host")
        if place.get("socket"):
            return cls(place["socket"], int(place["port"]))
        tls = {"sslmode": place.get("sslmode") or "verify-full", "sslrootcert": place.get("ca_path") or "system"}
        if tls["sslmode"] == "require":
            del tls["sslrootcert"]
        way = cls(place["host"], int(place["port"]), place.get("admin") or "postgres", place.get("admin_password") or "", tls)
        os.environ.update({"PG" + key.upper(): value for key, value in tls.items()}, PGPASSWORD=way.password)
        return way

    @property
    def remote(self) -> bool:
        """Whether the cluster may be another machine's."""
        return bool(self.tls)

    def connect(self, database: str, user: str = "", **options: Any) -> Any:
        """A connection. :param user: of another role than the administrator. :raises psycopg2.OperationalError:"""
        own = {"password": self.password} if self.password and not user else {}
        return psycopg2.connect(host=self.host, port=self.port, user=user or self.user, dbname=database, connect_timeout=10,
                                **{**own, **self.tls, **options})

    def words(self) -> list[str]:
        """Options of ``pg_dump``, ``pg_restore`` and the like; they never ask for a password."""
        return ["--host", self.host, "--port", str(self.port), "--username", self.user, "--no-password"]

    def said(self) -> str:
        """For a message."""
        return f"{self.host}, port {self.port}"

    def why_down(self) -> str:
        """What to do where nobody answers. Whoever looks at the wrong port must not start a second cluster for it."""
        if self.remote:
            return "See that it runs, can be reached from here and lets database.admin in, then run this again"
        others = [name[len(_SOCKET):] for name in (os.listdir(self.host) if os.path.isdir(self.host) else [])
                  if name.startswith(_SOCKET) and not name.endswith(".lock")]
        if others and str(self.port) not in others:
            return "In {0} a cluster answers on port {1}: give the inventory back the instance_number that the instance has".format(
                self.host, ", ".join(sorted(others)))
        return "Start the cluster, then run this again"
