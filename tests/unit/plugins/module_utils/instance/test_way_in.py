# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way into a cluster by TCP; that by a socket is what tests on a real cluster take."""

from __future__ import annotations

import os
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import way_in
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.way_in import WayIn
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

PLACE: dict[str, Any] = {"name": "acme", "port": 5432, "host": "db.example.test", "socket": None, "admin": "odoo_admin", "admin_password": "s3cret"}


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PGPASSWORD", "PGSSLMODE", "PGSSLROOTCERT"):
        monkeypatch.setenv(name, "")


@pytest.mark.parametrize(("changes", "tls"), [
    ({}, {"sslmode": "verify-full", "sslrootcert": "system"}),
    ({"ca_path": "/ca.crt"}, {"sslmode": "verify-full", "sslrootcert": "/ca.crt"}),
    ({"sslmode": "require", "ca_path": "/ca.crt"}, {"sslmode": "require"}),
])
def test_programs_find_password_and_tls_in_the_environment(changes: dict[str, Any], tls: dict[str, str]) -> None:
    way = WayIn.of({**PLACE, **changes})
    assert way.tls == tls and way.remote and os.environ["PGPASSWORD"] == "s3cret" and os.environ["PGSSLMODE"] == tls["sslmode"]
    assert way.words() == ["--host", "db.example.test", "--port", "5432", "--username", "odoo_admin", "--no-password"] and "s3cret" not in repr(way)


def test_the_administrator_s_password_is_nobody_else_s(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr(way_in.psycopg2, "connect", lambda **options: asked.append(options))
    way = WayIn.of(PLACE)
    way.connect("acme")
    way.connect("acme", user="acme_update", password="its own")
    assert [(options["user"], options["password"], options["sslmode"]) for options in asked] == [
        ("odoo_admin", "s3cret", "verify-full"), ("acme_update", "its own", "verify-full")]


@pytest.mark.parametrize("changes", [{"socket": "/run/x"}, {"host": None}])
def test_it_is_one_of_both(changes: dict[str, Any]) -> None:
    with pytest.raises(DomainError, match="one of socket and host"):
        WayIn.of({**PLACE, **changes})


def test_who_does_not_reach_a_remote_one_starts_no_other() -> None:
    assert "database.admin" in WayIn.of(PLACE).why_down()
