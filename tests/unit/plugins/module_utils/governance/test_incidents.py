# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents as signed evidence: they hold up what soaked, until somebody signs that they are closed."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance import incidents
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.gate import InstanceGate
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import (
    IMAGE,
    INSTANCE,
    NOW,
    OTHER,
    House,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.test_decisions import evidence
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.test_policy import (
    IDENTITY,
    NOTHING,
    SEEN,
)

HOUR = datetime.timedelta(hours=1)


def report(state: str = "open", hours: int = 0, name: str = "INC-1", image: str = IMAGE) -> dict[str, Any]:
    return {"id": name, "state": state, "at": (NOW - 10 * HOUR + hours * HOUR).isoformat(), "image": image, "title": "tills hang"}


@pytest.fixture
def house(tmp_path: Path) -> House:
    house = House(tmp_path)
    house.policy["classes"]["production"]["gates"] = [{"gate": "soaked", "hours": 1}, {"gate": "incidents"}]
    house.write()
    house.ledger("acme-uat").append("release", {"plan": OTHER}, {"operation": "1", "outcome": "done", "state": "released", "image": IMAGE, "plan": OTHER})
    house.now += 2 * HOUR
    return house


def closed(house: House) -> dict[str, str]:
    gate = InstanceGate(house.governance(), IDENTITY)
    facts = gate.facts(NOTHING["plan"], NOTHING["request"], {key: NOTHING[key] for key in SEEN})
    return {one["gate"]: one["reason"] for one in gate.judge(facts).failed}


def take(house: House, value: dict[str, Any], instance: str = "acme-uat") -> dict[str, Any]:
    envelope = evidence(house, "incident", value, value["image"])
    assert house.record(envelope, instance)
    return envelope


def test_open_and_closed(house: House) -> None:
    assert closed(house) == {}
    take(house, report())
    assert list(closed(house)) == ["soaked"] and "INC-1 since 2026-11-30T11:00:00+00:00 on acme-uat (tills hang)" in closed(house)["soaked"]
    take(house, report("closed", 1))
    take(house, report(name="INC-2"), INSTANCE)
    assert list(closed(house)) == ["incidents"]
    take(house, report("closed", 2, "INC-2"), INSTANCE)
    assert closed(house) == {}


def test_about_another_image(house: House) -> None:
    take(house, report(image=OTHER))
    assert closed(house) == {}


def test_an_old_report_closes_nothing(house: House) -> None:
    """Whoever offers a report again that once closed an incident does not close what was opened since."""
    take(house, report())
    again = take(house, report("closed", 1))
    take(house, report("open", 2))
    house.ledger("acme-uat").append("release", {"plan": OTHER}, {"operation": "2", "outcome": "done", "state": "released", "image": IMAGE, "plan": OTHER})
    house.now += 2 * HOUR
    house.record(again, "acme-uat")
    assert list(closed(house)) == ["soaked"]


def test_at_one_moment_it_is_open() -> None:
    values = [{**report(state), "made": NOW.isoformat()} for state in ("open", "closed")]
    assert all(incidents.still_open(order, INSTANCE) for order in (values, values[::-1]))


@pytest.mark.parametrize(("change", "said"), [
    ({"state": "maybe"}, "no report of an incident"), ({"id": ""}, "no report of an incident"), ({"id": 7}, "no report of an incident"), ({"at": "yesterday"}, "yesterday"),
    ({"image": OTHER}, "may be of another one"), ({"title": None}, "no report of an incident"), ({"surprise": 1}, "no report of an incident")])
def test_reports_that_are_none(house: House, change: dict[str, Any], said: str) -> None:
    with pytest.raises(DomainError) as error:
        evidence(house, "incident", {**report(), **change})
    assert error.value.code == "evidence_refused" and said in error.value.message
