# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Facts about the estate from real ledgers: the waves before this one, and differences that nobody declared."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance import policy as policies
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.estate import estate_facts, waves_of
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.gate import InstanceGate
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.gates_estate import waves
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import Signers
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import (
    IMAGE,
    INSTANCE,
    NOW,
    POLICY,
    House,
)

OTHER = "sha256:" + "d4" * 32
LISTED = {"class": "production", "environment": "production"}
WAVES = {**POLICY, "waves": [{"name": "canary", "instances": ["corner-production"]}, {"name": "eu", "regions": ["eu"]}, {"name": "rest", "instances": ["far-production"]}],
         "instances": {"corner-production": {**LISTED, "region": "eu"}, INSTANCE: {**LISTED, "region": "eu"}, "far-production": LISTED, "lost-production": LISTED,
                       "acme-uat": {"class": "production", "environment": "uat", "region": "eu"}},
         "classes": {"production": {"gates": [{"gate": "waves", "hours": 1}]}, "open": {"gates": []}}}


def released(house: House, instance: str, image: str, outcome: str = "done", state: str = "released") -> None:
    house.ledger(instance).append("release", {"plan": "x"}, {"operation": "1", "plan": "x", "state": state, "class": "code", "outcome": outcome, "image": image})


def facts(house: House, instance: str = INSTANCE, found: Any = ()) -> dict[str, Any]:
    identity = {"instance": instance, "tenant": "acme", "environment": "production", "data_class": "production"}
    return estate_facts(InstanceGate(house.governance(), identity), IMAGE, found)


def test_an_instance_stands_in_the_first_wave_that_names_it() -> None:
    policy = policies.parse(WAVES, Signers(""), NOW)
    assert waves_of(policy, "production") == {"canary": ["corner-production"], "eu": [INSTANCE], "rest": ["far-production"]}
    assert waves_of(policy, "uat") == {"canary": [], "eu": ["acme-uat"], "rest": []}


@pytest.mark.parametrize(("entries", "hours", "passed"), [
    ([], 9, False), ([(IMAGE, "done", "released")], 9, True), ([(IMAGE, "finished", "released")], 9, True), ([(IMAGE, "done", "released")], 0, False),
    ([(IMAGE, "undone", "released")], 9, False), ([(IMAGE, "done", "released"), (OTHER, "done", "rolled_back")], 9, False),
    ([(IMAGE, "done", "released"), (IMAGE, "undone", "released")], 9, False), ([(OTHER, "done", "released"), (IMAGE, "done", "released")], 9, True),
    ([(IMAGE, "done", "rehearsed")], 9, False), ([(OTHER, "done", "released")], 9, False),
])
def test_the_wave_before_by_its_ledger(tmp_path: Path, entries: list[tuple[str, str, str]], hours: int, passed: bool) -> None:
    house = House(tmp_path, WAVES)
    for image, outcome, state in entries:
        released(house, "corner-production", image, outcome, state)
    house.now = NOW + datetime.timedelta(hours=hours)
    assert waves(facts(house), {"hours": 1, "tolerated": 0}).passed == passed
    assert waves(facts(house, "corner-production"), {"hours": 1, "tolerated": 0}).passed
    assert not waves(facts(house, "lost-production"), {"hours": 1, "tolerated": 0}).passed


def test_all_waves_before_count(tmp_path: Path) -> None:
    house = House(tmp_path, WAVES)
    released(house, "corner-production", IMAGE)
    house.now = NOW + datetime.timedelta(hours=9)
    result = waves(facts(house, "far-production"), {"hours": 1, "tolerated": 0})
    assert not result.passed and INSTANCE in result.reason and "corner-production" not in result.reason


def test_what_nobody_declared(tmp_path: Path) -> None:
    entry = {"what": "processes", "owner": "ops", "reason": "small", "until": "2027-01-01T00:00:00Z"}
    house = House(tmp_path, {**WAVES, "instances": {**WAVES["instances"], INSTANCE: {**LISTED, "region": "eu", "differences": [entry]}}})
    found = facts(house, found=[{"what": "processes.web_workers", "said": "2"}, {"what": "running.blue-web", "said": "x"}])["differences"]
    assert [(one["what"], one["declared"], one["over"]) for one in found] == [("processes", True, False), ("running.blue-web", False, False)]
