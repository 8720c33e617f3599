# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a cluster should hold and what was seen in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from .._instance import administrator
from .._instance.names import LOGINS, OWNER, QUEUE_LOGINS, UPDATE, role
from .._instance.way_in import WayIn
from .._kernel.errors import DomainError
from .._kernel.plan import Plan, Step
from .scram import verifies

# May log in only while odoo_release lets them.
CLOSED = (UPDATE, *QUEUE_LOGINS)
HARMFUL = ("rolsuper", "rolcreatedb", "rolcreaterole", "rolreplication", "rolbypassrls")


@dataclass(frozen=True)
class Cluster:
    """A cluster as it should be. ``passwords`` are by login role, without the database's name."""

    instance: str
    database: str
    port: int
    major: int
    passwords: Mapping[str, str] = field(repr=False)
    way: WayIn | None = None
    """By TCP; None by the machine's socket, as ``postgres``."""
    connection_limit: int | None = None
    """Of each login of a colour; -1 is none, None leaves it as it is."""

    @property
    def owner(self) -> str:
        return role(self.database, OWNER)

    @property
    def logins(self) -> list[str]:
        return [*LOGINS, *(login for login in QUEUE_LOGINS if self.passwords.get(login))]

    def role(self, login: str) -> str:
        return role(self.database, login)


@dataclass(frozen=True)
class Role:
    """A role as the cluster has it. ``harmful`` are attributes that no role of an instance may have.

    ``in_use``: processes are logged in as it. Its password is left alone then, since they open sessions with the old one
    all the time; ``odoo_release`` gives the new one to the colour that comes next.
    """

    verifier: str | None
    harmful: tuple[str, ...]
    acts_as: str | None
    member: bool
    in_use: bool = False
    connection_limit: int = -1


@dataclass(frozen=True)
class Seen:
    """One look at a cluster. ``reachable`` is false where, in check mode, it does not run yet."""

    reachable: bool
    roles: Mapping[str, Role] = field(default_factory=dict)
    stale: bool = False
    pending: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    administrator: Mapping[str, Any] = field(default_factory=lambda: {"superuser": True, "lacks": []})
    """See ``_instance.administrator``."""


def parse(entry: Mapping[str, Any]) -> Cluster:
    """One element of ``clusters``.

    :raises DomainError: ``password_missing``, ``bad_input``.
    """
    passwords = entry["passwords"]
    for login in (*LOGINS, *(login for login in QUEUE_LOGINS if login in passwords)):
        value = passwords.get(login)
        if not value:
            raise _unchanged("password_missing", f"{entry['instance']}: passwords.{login} is missing or empty")
        if "\0" in value:
            raise _unchanged("bad_input", f"{entry['instance']}: passwords.{login} holds a NUL, expected text")
    way = WayIn.of({**entry, "socket": None}) if entry.get("host") else None
    return Cluster(entry["instance"], entry["database"], entry["port"], entry["major"] or 0, dict(passwords), way, entry.get("connection_limit"))


def plan(clusters: list[Cluster], seen: Mapping[str, Seen]) -> Plan:
    """What has to be done, cluster by cluster. LOGIN and NOLOGIN of a role that exists are runtime state: never part of it."""
    steps: list[Step] = []
    for cluster in clusters:
        found = seen[cluster.instance]
        if found.stale:
            steps.append(_step(cluster, "reload", "take over changed settings"))
        joins = f"membership in {cluster.owner}"
        lacks = found.administrator["lacks"]
        administrator.check(found.administrator.get("name", ""), [each for each in lacks if each != joins])
        steps += _owner(cluster, found)
        if not found.administrator["superuser"] and (joins in lacks or cluster.owner not in found.roles):
            steps.append(_step(cluster, "join", f"have {found.administrator['name']} act as {cluster.owner}", role=cluster.owner))
        for login in cluster.logins:
            steps += _login(cluster, login, found)
    after: dict[str, list[str]] = {}
    for step in steps:
        after.setdefault(step.parameters["instance"], []).append(step.title)
    return Plan(tuple(steps), {name: [] for name in after}, after, {"steps": [step.as_dict() for step in steps]})


def _owner(cluster: Cluster, found: Seen) -> list[Step]:
    role = found.roles.get(cluster.owner)
    if role is None:
        return [_step(cluster, "create_owner", f"create role {cluster.owner}", role=cluster.owner)]
    return [_restrict(cluster, cluster.owner, role)] if role.harmful else []


def _login(cluster: Cluster, login: str, found: Seen) -> list[Step]:
    name = cluster.role(login)
    role = found.roles.get(name)
    steps = []
    limit = -1 if login == UPDATE or cluster.connection_limit is None else cluster.connection_limit
    said = f"let {name} have {'any number of' if limit == -1 else limit} connections"
    bound = [Step("limit", said, {"instance": cluster.instance, "role": name, "limit": limit})]
    if role is None:
        return [
            _step(cluster, "create_login", f"create role {name}", role=name, login=login),
            *(bound if limit != -1 else ()),
            _step(cluster, "act_as", f"have {name} act as {cluster.owner}", role=name),
            _step(cluster, "password", f"set the password of {name}", role=name, login=login),
        ]
    if role.harmful:
        steps.append(_restrict(cluster, name, role))
    if not role.member or role.acts_as != cluster.owner:
        steps.append(_step(cluster, "act_as", f"have {name} act as {cluster.owner}", role=name))
    if login != UPDATE and cluster.connection_limit is not None and role.connection_limit != limit:
        steps += bound
    if not role.in_use and found.administrator["superuser"] and not verifies(role.verifier, cluster.passwords[login]):
        steps.append(_step(cluster, "password", f"set the password of {name}", role=name, login=login))
    return steps


def _restrict(cluster: Cluster, name: str, role: Role) -> Step:
    return _step(cluster, "restrict", f"take {', '.join(role.harmful)} from {name}", role=name)


def _step(cluster: Cluster, name: str, title: str, **parameters: str) -> Step:
    return Step(name, title, {"instance": cluster.instance, **parameters})


def _unchanged(code: str, message: str) -> DomainError:
    return DomainError(code, message, unchanged="Nothing was changed")
