# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A database that nobody can write to is told in the plan; found out by the update, everybody has waited for it."""

from __future__ import annotations

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.checks import check_writable
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.test_plan import wish
from cluster import NAME, Server

SETTING = "default_transaction_read_only"


@pytest.mark.parametrize(("made", "undone", "refused"), [
    (f"alter database {NAME} set {SETTING} = on", f"alter database {NAME} reset all", True),
    (f"alter role {NAME}_update set {SETTING} = 'true'", f"alter role {NAME}_update reset {SETTING}", True),
    (f"alter role {NAME}_blue_web in database {NAME} set {SETTING} = yes", f"alter role {NAME}_blue_web in database {NAME} reset all", True),
    (f"alter system set {SETTING} = on; select pg_reload_conf()", f"set {SETTING} = off; alter system reset {SETTING}; select pg_reload_conf()", True),
    (f"create role reader; alter role reader set {SETTING} = on", "drop role reader", False),
    (f"alter database {NAME} set {SETTING} = off", f"alter database {NAME} reset all", False), ("select 1", "select 1", False)])
def test_told_beforehand(server: Server, made: str, undone: str, refused: bool) -> None:
    database = server.instance()
    database.create()
    try:
        for statement in made.split("; "):
            server.sql(statement)
        _until(server, made)
        found = database.observe()
    finally:
        for statement in undone.split("; "):
            server.sql(f"begin read write; {statement}; commit" if "system" not in statement and "alter" in statement else statement)
    if not refused:
        assert found.read_only == ""
        return
    with pytest.raises(DomainError, match=SETTING) as error:
        check_writable(wish(), found)
    assert error.value.code == "database_read_only"


def _until(server: Server, made: str) -> None:
    """The configuration is read again by another process, in its own time."""
    if "reload" in made:
        for _look in range(200):
            if server.sql(f"show {SETTING}") == [("on",)]:
                return
            server.sql("select pg_sleep(0.02)")


@pytest.mark.parametrize(("made", "undone", "said"), [
    (f"alter role {NAME}_green_web valid until '2020-01-01'", f"alter role {NAME}_green_web valid until 'infinity'",
     f"{NAME}_green_web has a password that ran out"),
    (f"alter role {NAME}_update connection limit 0", f"alter role {NAME}_update connection limit -1", f"{NAME}_update has CONNECTION LIMIT 0"),
    (f"revoke {NAME}_owner from {NAME}_blue_web", f"grant {NAME}_owner to {NAME}_blue_web", f"{NAME}_blue_web is no member of {NAME}_owner"),
    (f"alter database {NAME} connection limit 0", f"alter database {NAME} connection limit -1", "the database has CONNECTION LIMIT 0"),
    ("create role stranger valid until '2020-01-01'", "drop role stranger", "")])
def test_closed_logins(server: Server, made: str, undone: str, said: str) -> None:
    database = server.instance()
    database.create()
    assert database.observe().closed == ()
    server.sql(made)
    try:
        found = database.observe()
    finally:
        server.sql(undone)
    if said:
        with pytest.raises(DomainError, match=said) as error:
            check_writable(wish(), found)
        assert error.value.code == "logins_closed"
    else:
        assert found.closed == ()
