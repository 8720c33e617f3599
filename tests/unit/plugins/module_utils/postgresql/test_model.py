# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import dataclasses

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import LOGINS, QUEUE_LOGINS
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._postgresql.model import (
    CLOSED,
    Cluster,
    Role,
    Seen,
    parse,
    plan,
)

VERIFIER = (
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"
    "WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU="
)
CLUSTER = Cluster("acme-production", "acme", 5501, 17, dict.fromkeys(LOGINS, "pencil"))
LOGIN = Role(VERIFIER, (), "acme_owner", True)
CONVERGED = {"acme_owner": Role(None, (), None, False), **{f"acme_{login}": LOGIN for login in LOGINS}}


def steps(roles: dict[str, Role], stale: bool = False) -> list[str]:
    return [step.title for step in plan([CLUSTER], {"acme-production": Seen(True, roles, stale)}).steps]


def test_a_new_cluster_gets_owner_and_five_logins() -> None:
    found = steps({})
    assert found[0] == "create role acme_owner"
    assert len(found) == 1 + 3 * len(LOGINS)


@pytest.mark.parametrize(("asked", "has", "said"), [
    (None, 7, []), (-1, -1, []), (65, 65, []), (65, -1, ["let acme_blue_web have 65 connections"]), (-1, 65, ["let acme_blue_web have any number of connections"])])
def test_a_login_s_connections(asked: int | None, has: int, said: list[str]) -> None:
    cluster = dataclasses.replace(CLUSTER, connection_limit=asked)
    roles = {name: dataclasses.replace(role, connection_limit=asked if asked is not None else 3) for name, role in CONVERGED.items()}
    roles["acme_blue_web"] = dataclasses.replace(LOGIN, connection_limit=has)
    # The update's is nobody's business here.
    roles["acme_update"] = dataclasses.replace(LOGIN, connection_limit=9)
    assert [step.title for step in plan([cluster], {"acme-production": Seen(True, roles)}).steps] == said


def test_a_new_login_is_limited_at_once() -> None:
    found = plan([dataclasses.replace(CLUSTER, connection_limit=65)], {"acme-production": Seen(True, {})}).steps
    assert [step.parameters["role"] for step in found if step.name == "limit"] == [f"acme_{login}" for login in LOGINS if login != "update"]


def test_a_converged_one_needs_nothing() -> None:
    assert steps(CONVERGED) == []


@pytest.mark.parametrize(
    ("role", "expected"),
    [
        (Role(None, (), "acme_owner", True), ["set the password of acme_blue_web"]),
        (Role(None, (), "acme_owner", True, in_use=True), []),
        (Role(VERIFIER, (), None, True), ["have acme_blue_web act as acme_owner"]),
        (Role(VERIFIER, (), "acme_owner", False), ["have acme_blue_web act as acme_owner"]),
        (Role(VERIFIER, ("rolsuper",), "acme_owner", True), ["take rolsuper from acme_blue_web"]),
    ],
)
def test_only_what_differs_is_mended(role: Role, expected: list[str]) -> None:
    assert steps({**CONVERGED, "acme_blue_web": role}) == expected


def test_changed_files_are_taken_over() -> None:
    assert steps(CONVERGED, stale=True) == ["take over changed settings"]


def test_no_secret_is_in_the_plan() -> None:
    assert "pencil" not in str(plan([CLUSTER], {"acme-production": Seen(True)}).as_dict())
    assert "pencil" not in repr(CLUSTER)


@pytest.mark.parametrize(("word", "code"), [("", "password_missing"), (None, "password_missing"), ("a\0b", "bad_input")])
def test_refuses_passwords_that_nobody_could_use(word: str | None, code: str) -> None:
    passwords = {**CLUSTER.passwords, "blue_web": word}
    with pytest.raises(DomainError) as error:
        parse({"instance": "acme-production", "database": "acme", "port": 5501, "major": 17, "passwords": passwords})
    assert error.value.code == code
    assert "passwords.blue_web" in error.value.message


def test_the_queues_logins_are_made_where_there_are_passwords() -> None:
    """Of a cluster from before they are all that is new; they may log in only while odoo_release lets them."""
    words = dict.fromkeys((*LOGINS, *QUEUE_LOGINS), "pencil")
    cluster = Cluster("acme-production", "acme", 5501, 17, words)
    found = plan([cluster], {"acme-production": Seen(True, CONVERGED)}).steps
    assert {step.parameters["role"] for step in found} == {f"acme_{login}" for login in QUEUE_LOGINS} and len(found) == 6
    assert set(QUEUE_LOGINS) < set(CLOSED)
    entry = {"instance": "acme-production", "database": "acme", "port": 5501, "major": 17}
    with pytest.raises(DomainError, match=r"passwords\.blue_queue"):
        parse({**entry, "passwords": {**words, "blue_queue": ""}})
    assert parse({**entry, "passwords": dict.fromkeys(LOGINS, "pencil")}).logins == list(LOGINS)


@pytest.mark.parametrize(("lacks", "roles", "expected"), [
    (["membership in acme_owner"], CONVERGED, ["have clerk act as acme_owner"]), ([], CONVERGED, []), ([], {}, ["create role acme_owner", "have clerk act as acme_owner"]),
    # A verifier that it may not see is none that differs.
    ([], {**CONVERGED, "acme_update": Role(None, (), "acme_owner", True)}, []), (["CREATEROLE"], CONVERGED, "admin_rights")])
def test_an_administrator_who_is_no_superuser(lacks: list[str], roles: dict[str, Role], expected: list[str] | str) -> None:
    seen = Seen(True, roles, administrator={"name": "clerk", "superuser": False, "lacks": lacks})
    if isinstance(expected, str):
        with pytest.raises(DomainError, match=r"clerk.* lacks CREATEROLE") as error:
            plan([CLUSTER], {"acme-production": seen})
        assert error.value.code == expected
    else:
        assert [step.title for step in plan([CLUSTER], {"acme-production": seen}).steps][:len(expected) or 1] == expected
