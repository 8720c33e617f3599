# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a database counts as missing: only where the cluster says so."""

from __future__ import annotations

import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.way_in import WayIn
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from psycopg2 import OperationalError, errors

CLUSTER = {"settings": {"version": 170000}, "roles": None, "databases": None, "owner": None, "prepared": None, "bytes": 1, "directory": "/d",
           "read_only": None, "administrator": {"name": "postgres", "superuser": True, "lacks": []}, "closed": None, "extensions": {}}


class Cursor:
    connection = types.SimpleNamespace(server_version=170000)

    def __init__(self, there: bool, fails: Exception | None) -> None:
        self.there, self.fails = there, fails
        self.row: Any = None

    def execute(self, query: str, values: Any = None) -> None:
        if self.fails:
            raise self.fails
        self.row = ((1,) if self.there else None) if query.startswith("select 1") else (CLUSTER,)

    def fetchone(self) -> Any:
        return self.row


class Broken(Database):
    """A cluster whose one database fails to be opened or to be read."""

    def __init__(self, there: bool, opening: Exception | None, reading: Exception | None) -> None:
        super().__init__("acme", WayIn("/run", 5501))
        self.there, self.opening, self.reading = there, opening, reading

    @contextmanager
    def session(self, database: str | None = None, patience: float = 0) -> Iterator[Any]:
        if database is None and self.opening:
            raise self.opening
        yield Cursor(self.there, self.reading if database is None else None)


@pytest.mark.parametrize(("opening", "reading"), [
    (OperationalError('database "acme" does not exist'), None),
    (DomainError("database_down", "PostgreSQL does not answer: Datenbank »acme« existiert nicht"), None),
    (None, errors.QueryCanceled("canceling statement due to statement timeout")),
    (None, errors.AdminShutdown("terminating connection due to administrator command")),
    (None, errors.LockNotAvailable("canceling statement due to lock timeout")),
    (None, errors.InsufficientPrivilege("permission denied")),
])
def test_what_cannot_be_read_is_missing_only_where_the_cluster_says_so(opening: Exception | None, reading: Exception | None) -> None:
    assert not Broken(False, opening, reading).observe().exists
    with pytest.raises(DomainError) as error:
        Broken(True, opening, reading).observe()
    assert error.value.code == "database_down" and "acme" in error.value.message
    assert str(opening or reading).split(":", maxsplit=1)[0][:20] in error.value.message
