# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Looking at running clusters and changing them, by one connection each."""

from __future__ import annotations

import contextlib
import os
import pwd
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

try:
    import psycopg2
    from psycopg2 import sql
    from psycopg2.extensions import encrypt_password

    HAS_PSYCOPG2 = True
except ImportError:  # the role installs it; only check mode may go on without
    HAS_PSYCOPG2 = False

from .._instance import administrator
from .._instance.way_in import WayIn
from .._kernel.errors import DomainError
from .._kernel.plan import Plan, Step
from .model import CLOSED, HARMFUL, Cluster, Role, Seen, parse, plan

ROLES = """
SELECT r.rolname, {verifier}, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolreplication, r.rolbypassrls,
       (SELECT substr(c, 6) FROM pg_db_role_setting s, unnest(s.setconfig) c
         WHERE s.setrole = r.oid AND s.setdatabase = 0 AND c LIKE 'role=%%'),
       EXISTS (SELECT FROM pg_auth_members m JOIN pg_roles o ON o.oid = m.roleid
                WHERE m.member = r.oid AND o.rolname = %(owner)s),
       EXISTS (SELECT FROM pg_stat_activity a WHERE a.usesysid = r.oid), r.rolconnlimit
  FROM {roles} r WHERE r.rolname = %(owner)s OR r.rolname = ANY (%(logins)s)"""
"""The attributes in the order of HARMFUL."""
FACTS = """
SELECT current_setting('server_version'), current_setting('data_checksums'), current_setting('ssl'),
       current_setting('max_connections')::int, extract(epoch FROM pg_conf_load_time()),
       ARRAY(SELECT name FROM pg_settings WHERE pending_restart ORDER BY name), {errors}"""
ERRORS = """ARRAY(SELECT format('%s:%s: %s', sourcefile, sourceline, error) FROM pg_file_settings
              WHERE error IS NOT NULL AND name NOT IN (SELECT name FROM pg_settings WHERE pending_restart))
       || ARRAY(SELECT format('pg_hba.conf:%s: %s', line_number, error) FROM pg_hba_file_rules WHERE error IS NOT NULL)
       || ARRAY(SELECT 'conf.d/sysgenpro.conf is not read: postgresql.conf needs include_dir = ''conf.d'''
                 WHERE NOT EXISTS (SELECT FROM pg_file_settings WHERE sourcefile LIKE '%/conf.d/sysgenpro.conf'))
       || ARRAY(SELECT format('pg_ident.conf:%s: %s', line_number, error) FROM pg_ident_file_mappings WHERE error IS NOT NULL)"""
RELOAD_PATIENCE = 10.0
"""Seconds for the postmaster to take over a file; it takes milliseconds."""


class ClustersOperation:
    """``postgresql_clusters`` as the kernel runs it.

    :param watched: files that are read at a reload, besides each cluster's own.
    :param check: a cluster that does not run, or a machine without psycopg2, then counts as empty.
    """

    writes = True

    def __init__(self, entries: Sequence[Mapping[str, Any]], watched: Sequence[str], check: bool) -> None:
        self._clusters = [parse(entry) for entry in entries]
        self._watched = watched
        self._check = check
        self._seen: dict[str, Seen] = {}

    def plan(self) -> Plan:
        self._seen = {cluster.instance: self._observe(cluster) for cluster in self._clusters}
        return plan(self._clusters, self._seen)

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        for cluster in self._clusters:
            steps = [step for step in plan.steps if step.parameters["instance"] == cluster.instance]
            if steps:
                with connected(cluster) as connection:
                    for step in steps:
                        apply(connection, cluster, step)
                    self._seen[cluster.instance] = self._look(connection, cluster)
        return {}

    def facts(self) -> Mapping[str, Any]:
        return {
            "clusters": {name: dict(seen.facts, errors=list(seen.errors)) for name, seen in self._seen.items()},
            "pending_restart": {name: list(seen.pending) for name, seen in self._seen.items() if seen.pending},
        }

    def _observe(self, cluster: Cluster) -> Seen:
        if self._check and not cluster.way and not (HAS_PSYCOPG2 and os.path.exists(f"/run/postgresql/.s.PGSQL.{cluster.port}")):
            return Seen(reachable=False)
        with connected(cluster) as connection:
            return self._look(connection, cluster)

    def _look(self, connection: Any, cluster: Cluster) -> Seen:
        logins = [cluster.role(login) for login in cluster.passwords]
        with connection.cursor() as cursor:
            cursor.execute("SELECT " + administrator.OBSERVE, {"owner": cluster.owner})
            may = cursor.fetchone()[0]
            # Whoever may not see verifiers leaves passwords of roles that are there alone: odoo_release gives each process its own when it makes it.
            of = ("r.rolpassword", "pg_authid") if may["superuser"] else ("NULL", "pg_roles")
            cursor.execute(ROLES.format(verifier=of[0], roles=of[1]), {"owner": cluster.owner, "logins": logins})
            roles = {
                row[0]: Role(
                    verifier=row[1],
                    harmful=tuple(name[3:] for name, held in zip(HARMFUL, row[2:-4]) if held),
                    acts_as=(row[-4] or "").strip('"') or None,
                    member=row[-3],
                    in_use=row[-2],
                    connection_limit=row[-1],
                )
                for row in cursor.fetchall()
            }
            # The files of another machine's cluster are its owner's business.
            cursor.execute(FACTS.format(errors="ARRAY[]::text[]" if cluster.way else ERRORS))
            version, checksums, ssl, connections, loaded, pending, errors = cursor.fetchone()
        facts = {"version": version, "data_checksums": checksums, "ssl": ssl, "max_connections": connections}
        stale = not cluster.way and any(changed > float(loaded) for changed in self._changed(cluster))
        return Seen(True, roles, stale, tuple(pending), tuple(errors), facts, may)

    def _changed(self, cluster: Cluster) -> Iterator[float]:
        own = f"/etc/postgresql/{cluster.major}/{cluster.database}/"
        for path in [own + name for name in ("conf.d/sysgenpro.conf", "pg_hba.conf", "pg_ident.conf")] + list(self._watched):
            with contextlib.suppress(FileNotFoundError):
                yield os.stat(path).st_ctime


@contextlib.contextmanager
def connected(cluster: Cluster) -> Iterator[Any]:
    """A connection as ``postgres`` by peer, with autocommit: every step stands for itself.

    :raises DomainError: ``psycopg2_missing``, ``cluster_unreachable``, ``cluster_refused``.
    """
    if not HAS_PSYCOPG2:
        raise DomainError("psycopg2_missing", "The machine's Python has no psycopg2", advice="Install python3-psycopg2")
    if cluster.way:
        with _held(cluster, _by_tcp(cluster, cluster.way)) as connection:
            yield connection
        return
    uid = os.geteuid()
    os.seteuid(pwd.getpwnam("postgres").pw_uid)  # peer looks at who connects; this works before and after our pg_hba.conf
    try:
        connection = psycopg2.connect(host="/run/postgresql", port=cluster.port, user="postgres", dbname="postgres",
                                      application_name="sysgenpro", connect_timeout=10, client_encoding="UTF8")
    except psycopg2.OperationalError as error:
        raise DomainError(
            "cluster_unreachable",
            f"{cluster.instance}: the cluster on port {cluster.port} cannot be reached: {str(error).strip()}",
            advice=f"Look at journalctl -u postgresql@{cluster.major}-{cluster.database}",
        ) from error
    finally:
        os.seteuid(uid)
    with _held(cluster, connection):
        yield connection


def _by_tcp(cluster: Cluster, way: WayIn) -> Any:
    try:
        return way.connect("postgres", application_name="sysgenpro", client_encoding="UTF8")
    except psycopg2.OperationalError as error:
        raise DomainError("cluster_unreachable", f"{cluster.instance}: the cluster at {way.said()} cannot be reached: {str(error).strip()}",
                          advice=way.why_down()) from error


@contextlib.contextmanager
def _held(cluster: Cluster, connection: Any) -> Iterator[Any]:
    connection.autocommit = True
    try:
        yield connection
    except psycopg2.Error as error:
        raise DomainError("cluster_refused", f"{cluster.instance}: PostgreSQL refused: {str(error).strip()}",
                          advice="What was done before stays; run again once the cause is gone") from error
    finally:
        connection.close()


def apply(connection: Any, cluster: Cluster, step: Step) -> None:
    """Carry out one step."""
    role = sql.Identifier(step.parameters.get("role", ""))
    owner = sql.Identifier(cluster.owner)
    with connection.cursor() as cursor:
        if step.name == "reload":
            reload(cursor)
        elif step.name == "create_owner":
            cursor.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(role))
        elif step.name == "join":
            cursor.execute(sql.SQL("GRANT {}" + administrator.join(connection.server_version)).format(owner))
        elif step.name == "create_login":
            may = sql.SQL("NOLOGIN" if step.parameters["login"] in CLOSED else "LOGIN")
            cursor.execute(sql.SQL("CREATE ROLE {} {} IN ROLE {}").format(role, may, owner))
        elif step.name == "act_as":
            cursor.execute(sql.SQL("GRANT {} TO {}").format(owner, role))
            cursor.execute(sql.SQL("ALTER ROLE {} SET role = {}").format(role, sql.Literal(cluster.owner)))
        elif step.name == "restrict":
            cursor.execute(sql.SQL("ALTER ROLE {} NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS").format(role))
        elif step.name == "limit":
            cursor.execute(sql.SQL("ALTER ROLE {} CONNECTION LIMIT %s").format(role), (step.parameters["limit"],))
        elif step.name == "password":
            # libpq makes the verifier here, so the password itself reaches neither server nor log.
            verifier = encrypt_password(cluster.passwords[step.parameters["login"]], step.parameters["role"], connection, "scram-sha-256")
            cursor.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(role, sql.Literal(verifier)))


def reload(cursor: Any) -> None:
    """Have the postmaster read its files, and wait until it has."""
    cursor.execute("SELECT pg_conf_load_time()")
    before = cursor.fetchone()
    cursor.execute("SELECT pg_reload_conf()")
    until = time.monotonic() + RELOAD_PATIENCE
    while time.monotonic() < until:
        cursor.execute("SELECT pg_conf_load_time()")
        if cursor.fetchone() != before:
            return
        time.sleep(0.02)
    raise DomainError("reload_ignored", "PostgreSQL did not take over its files", advice="Look at the cluster's log")
