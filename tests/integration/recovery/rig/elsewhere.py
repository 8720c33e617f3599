# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Another cluster of PostgreSQL 17, with what clusters have: where backups come from. Its dumps are pg_dump's own."""

from __future__ import annotations

from .backup import PLACE, Backups
from .machine import Machine

PORT = 5599
_PACKAGES = "postgresql-17-cron postgresql-17-pgaudit postgresql-plpython3-17"
_SETTINGS = """
shared_preload_libraries = 'pg_cron,pgaudit'
cron.database_name = 'source'
wal_level = logical
"""


class Elsewhere:
    """The cluster ``other``, whose superuser made what he liked in the database ``source``."""

    def __init__(self, machine: Machine, backups: Backups) -> None:
        self.machine, self.backups = machine, backups
        machine.sh(f"dpkg -s {_PACKAGES} >/dev/null 2>&1 || {{ apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get install -qy {_PACKAGES}; }} >/dev/null")
        machine.sh("pg_lsclusters -h | grep -q '^17 *other' || pg_createcluster 17 other -p 5599 -- --auth-local=trust >/dev/null")
        machine.sh("cat >> /etc/postgresql/17/other/postgresql.conf; install -d -o postgres /var/lib/postgresql/fast; pg_ctlcluster 17 other restart", data=_SETTINGS)
        self.sql("drop database if exists source with (force)", "postgres", check=False)
        for statement in ("create role p_shop", "create role p_reader", "create tablespace fast location '/var/lib/postgresql/fast'"):
            self.sql(statement, "postgres", check=False)

    def sql(self, query: str, database: str = "source", check: bool = True) -> str:
        return self.machine.sh(f"psql -XAtq -v ON_ERROR_STOP=1 -p {PORT} -U postgres -d {database}", check, query).strip()

    def remove(self) -> None:
        self.machine.sh("pg_dropcluster --stop 17 other", check=False)

    def backup(self, made: str, options: str = "", edit: str = "cat", kind: str = "dump.sql") -> str:
        """A zip of a database as Odoo needs it, to which a superuser adds ``made``. Returns its path.

        :param options: of pg_dump. :param edit: a filter for its text.
        """
        self._without_subscription()
        self.sql("drop database if exists source with (force)", "postgres")
        self.sql("create database source encoding 'UTF8' lc_collate 'C' template template0", "postgres")
        self.machine.sh(f"psql -Xq -v ON_ERROR_STOP=1 -p {PORT} -U postgres -d source -f {PLACE}/small.sql")
        self.sql(made)
        self.machine.sh(f"pg_dump -p {PORT} -U postgres {options} source | {edit} > {PLACE}/elsewhere")
        self._without_subscription()
        return self.backups.make("elsewhere", {kind: "elsewhere"})

    def _without_subscription(self) -> None:
        """Else the database cannot be dropped."""
        self.sql("drop event trigger if exists ev", check=False)
        self.sql("alter subscription s disable; alter subscription s set (slot_name = none); drop subscription s", check=False)
