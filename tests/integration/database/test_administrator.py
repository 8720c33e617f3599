# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An administrator who is no superuser, as a managed service gives them: what a release does with databases, done by a role with a few rights."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg2
import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import administrator, likeness
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import LOGINS
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.way_in import WayIn
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._postgresql import io
from ansible_collections.sysgenpro.odoo.plugins.module_utils._postgresql.model import Cluster
from cluster import PORT, Server

NAME, CLERK = "till", "clerk"
IDENTITY = {"instance": "till", "tenant": "till", "environment": "test", "data_class": "synthetic"}
APPLIED = {"release": "sha256:" + "0" * 64, "image": "i", "reference": "r/odoo@i", "record": {}, "config_digest": "", "class": "create", "who": "", "reason": ""}
RIGHTS = ("pg_signal_backend", "pg_monitor")


def converge(server: Server) -> list[str]:
    """What ``postgresql_clusters`` does, as the clerk."""
    cluster = Cluster(NAME, NAME, PORT, 0, dict.fromkeys(LOGINS, "pencil"), WayIn(server.socket, PORT, CLERK))
    operation = io.ClustersOperation([], [], False)
    operation._clusters = [cluster]
    plan = operation.plan()
    operation.perform(plan, {})
    return [step.title for step in plan.steps]


@pytest.fixture
def clerk(server: Server) -> Iterator[Database]:
    """A database's administrator with all the rights that are needed."""
    server.sql(f"create role {CLERK} login createdb createrole")
    for right in RIGHTS:
        server.sql(f"grant {right} to {CLERK}")
    yield Database(NAME, WayIn(server.socket, PORT, CLERK))
    for (name,) in server.sql(f"select datname from pg_database where datname like '{NAME}%'"):
        server.sql(f"drop database {name} with (force)")
    for (name,) in server.sql(f"select rolname from pg_roles where rolname like '{NAME}%' order by rolname like '%_owner'"):
        server.sql(f"drop role {name}")
    server.sql(f"drop owned by {CLERK}; drop role {CLERK}")


def test_all_that_a_release_does_with_databases(server: Server, clerk: Database) -> None:
    assert f"have {CLERK} act as {NAME}_owner" in converge(server)
    assert converge(server) == []
    clerk.create()
    assert clerk.observe().administrator == {"name": CLERK, "superuser": False, "lacks": []}
    with clerk.session() as cursor:
        cursor.execute("create table ir_attachment (id int)")
    server.sql(f"alter table ir_attachment owner to {NAME}_owner", NAME)
    assert clerk.give_extensions(False)
    clerk.record_applied(IDENTITY, {**APPLIED, "operation": "1"})
    assert len(clerk.history(10)) == 1

    # An update with its undo: hold, fence, copy, and what was copied put back.
    served = psycopg2.connect(host=server.socket, port=PORT, user=f"{NAME}_blue_web", dbname=NAME)
    grants = clerk.grants()
    clerk.fence(clerk.all_roles("blue"), [clerk.update_role])
    with pytest.raises(psycopg2.OperationalError):
        served.cursor().execute("select 1")
    with pytest.raises(psycopg2.OperationalError):
        psycopg2.connect(host=server.socket, port=PORT, user=f"{NAME}_blue_web", dbname=NAME)
    clerk.record_applied(IDENTITY, {**APPLIED, "operation": "2"})  # it still gets in itself
    clerk.forget_applied("2")
    clerk.fence([], [])
    clerk.copy_for_undo()
    clerk.swap_undo_in(grants)
    clerk.allow_login(clerk.all_roles("blue"), True)
    psycopg2.connect(host=server.socket, port=PORT, user=f"{NAME}_blue_web", dbname=NAME).close()
    assert clerk.grants() == grants


def test_a_copy_that_nobody_else_gets_into(server: Server, clerk: Database) -> None:
    """As a restore and a rehearsal make theirs."""
    converge(server)
    clerk.create()
    other = f"{NAME}_scratch"
    with clerk.session("postgres") as cursor:
        likeness.make(cursor, other, clerk.owner, likeness.like(cursor, NAME))
    with clerk.session(other) as cursor:
        cursor.execute("create table there (id int)")
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(host=server.socket, port=PORT, user=f"{NAME}_blue_web", dbname=other)


def test_what_was_gone_back_from_is_closed_to_all_others(server: Server, clerk: Database) -> None:
    converge(server)
    clerk.create()
    clerk.close(NAME)
    with clerk.session() as cursor:
        cursor.execute("select 1")
    with pytest.raises(psycopg2.OperationalError, match="permission denied"):
        psycopg2.connect(host=server.socket, port=PORT, user=f"{NAME}_blue_web", dbname=NAME)


@pytest.mark.parametrize(("takes", "named"), [
    (f"alter role {CLERK} nocreatedb", "CREATEDB"), (f"alter role {CLERK} nocreaterole", "CREATEROLE"),
    (f"revoke pg_signal_backend from {CLERK}", "pg_signal_backend"), (f"revoke pg_monitor from {CLERK}", "pg_monitor"),
    (f"revoke {NAME}_owner from {CLERK} cascade", f"membership in {NAME}_owner")])
def test_what_is_lacking_is_named(server: Server, clerk: Database, takes: str, named: str) -> None:
    converge(server)
    clerk.create()
    if named.startswith("membership in till") and server.major >= 16:
        takes = f"revoke inherit option for {NAME}_owner from {CLERK} granted by {CLERK}"
    server.sql(takes)
    with pytest.raises(DomainError, match=named) as error:
        found = Database(NAME, clerk.way).observe().administrator
        administrator.check(found["name"], found["lacks"])
    assert error.value.code == "admin_rights"


def test_a_superusers_session_is_named(server: Server, clerk: Database) -> None:
    converge(server)
    clerk.create()
    with psycopg2.connect(host=server.socket, port=PORT, user="postgres", dbname=NAME), pytest.raises(DomainError, match="among them those of postgres"):
        clerk.fence([], [], 1)
