# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The way back of a database that was made from another instance's, by the records that PostgreSQL has of both."""

from __future__ import annotations

import itertools

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.way_back import described, own
from cluster import NAME, Server

IDENTITY = {"instance": "shop", "tenant": "shop", "environment": "test", "data_class": "synthetic"}
NUMBERS = itertools.count()
SOURCE = [("r1", "create"), ("r2", "update"), ("r3", "code")]


def record(database: Database, rows: list[tuple[str, str]]) -> None:
    for name, kind in rows:
        number = next(NUMBERS)
        database.record_applied(IDENTITY, {
            "release": "sha256:" + name.encode().hex().ljust(64, "0"), "image": name, "reference": f"registry/odoo@{name}",
            "record": {"source": {"name": name}}, "config_digest": "", "class": kind, "operation": f"{number}-{name}", "who": "", "reason": ""})


@pytest.mark.parametrize(("since", "way", "said", "here"), [
    ([("r3", "create")], "none", "nothing else ran here before", 1),
    ([("r3", "create"), ("r3", "code")], "none", "nothing else ran here before", 2),
    ([("r3", "create"), ("r4", "code")], "code", "to r3 by a switch, without loss", 2),
    ([("r3", "create"), ("r4", "update")], "data", "to r3 only with the data of before ", 2),
    ([("r3", "create"), ("r4", "code"), ("r4", "create")], "none", "nothing else ran here before", 1),
    ([], "code", "to r2 by a switch, without loss", 3)], ids=["a copy", "configured since", "released since", "updated since", "a copy of a copy", "the source"])
def test_the_way_back_of_a_copy(server: Server, since: list[tuple[str, str]], way: str, said: str, here: int) -> None:
    database = server.instance()
    database.create()
    record(database, SOURCE)
    database.take_over({**IDENTITY, "instance": "shop-copy"})
    record(database, since)
    found = described(database.since_another())
    assert found and found["class"] == way and str(found["said"]).startswith(said)
    rows = database.history(10)
    assert len(rows) == len(SOURCE) + len(since) and len(own(rows)) == here
    server.sql(f"drop database {NAME} with (force)")
