# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The administrator's way into an instance's cluster, for sessions and for PostgreSQL's own programs alike."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

with contextlib.suppress(ImportError):  # Cluster says so
    import psycopg2

_SOCKET = ".s.PGSQL."


@dataclass(frozen=True)
class WayIn:
    """By the socket of the cluster's machine, where PostgreSQL knows who asks (peer).

    :param host: the socket's directory. :param port: names the socket. :param user: the administrator's role.
    """

    host: str
    port: int
    user: str = "postgres"

    @classmethod
    def of(cls, place: Mapping[str, Any]) -> WayIn:
        """:param place: the parameter ``database`` of a module, with ``socket`` and ``port``."""
        return cls(place["socket"], int(place["port"]))

    def connect(self, database: str, user: str = "", **options: Any) -> Any:
        """A connection. :param user: of another role than the administrator. :raises psycopg2.OperationalError:"""
        return psycopg2.connect(host=self.host, port=self.port, user=user or self.user, dbname=database, connect_timeout=10, **options)

    def words(self) -> list[str]:
        """Options of ``pg_dump``, ``pg_restore`` and the like; they never ask for a password."""
        return ["--host", self.host, "--port", str(self.port), "--username", self.user, "--no-password"]

    def said(self) -> str:
        """For a message."""
        return f"{self.host}, port {self.port}"

    def why_down(self) -> str:
        """What to do where nobody answers. Whoever looks at the wrong port must not start a second cluster for it."""
        others = [name[len(_SOCKET):] for name in (os.listdir(self.host) if os.path.isdir(self.host) else [])
                  if name.startswith(_SOCKET) and not name.endswith(".lock")]
        if others and str(self.port) not in others:
            return "In {0} a cluster answers on port {1}: give the inventory back the instance_number that the instance has".format(
                self.host, ", ".join(sorted(others)))
        return "Start the cluster, then run this again"
