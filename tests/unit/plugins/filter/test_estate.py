# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments beside their baseline, from inventories' variables."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.filter.estate import (
    drift_of_status,
    drift_summary,
    drift_wishes,
    estate_environments,
    estate_report,
    estate_summary,
    waves_of,
)

SAID = {"instance_owner": "o", "instance_criticality": "high", "instance_residency": "EU", "instance_tier": "controlled", "instance_machine": "vm", "instance_tenant": "acme"}
PRODUCTION = {**SAID, "instance_environment": "production", "instance_data_class": "production", "instance_workers": 4, "instance_admin_password": "a secret"}
UAT = {**SAID, "instance_environment": "uat", "instance_data_class": "masked", "instance_number": 7}
DECLARED = {"owner": "anna", "reason": "small", "expires": "2027-01-01"}


def report(uat: dict[str, Any], now: str = "2026-12-01") -> dict[str, Any]:
    found = estate_environments({"acme-production": PRODUCTION, "acme-uat": uat}, ["acme-production", "acme-uat"])
    return {one["name"]: one for one in estate_report(found, "production", now)}


@pytest.mark.parametrize(("uat", "now", "states"), [
    (UAT, "2026-12-01", {"instance_admin_password": "undeclared", "instance_data_class": "undeclared", "instance_workers": "undeclared"}),
    ({**UAT, "instance_workers": 4, "instance_admin_password": "another", "approved_differences": {"instance_data_class": DECLARED}}, "2026-12-01", {"instance_data_class": "approved"}),
    ({**UAT, "instance_workers": 4, "instance_admin_password": "x", "approved_differences": {"instance_data_class": DECLARED}}, "2027-01-02", {"instance_data_class": "over"}),
    ({**UAT, "instance_data_class": "production", "instance_workers": 4, "instance_admin_password": "x", "approved_differences": {"instance_data_class": DECLARED}}, "2026-12-01",
     {"instance_data_class": "unneeded"}),
])
def test_what_differs_from_production(uat: dict[str, Any], now: str, states: dict[str, str]) -> None:
    found = report(uat, now)["uat"]
    assert {each["what"]: each["state"] for each in found["instances"][0]["differences"]} == states
    assert (found["undeclared"], found["over"]) == (list(states.values()).count("undeclared"), list(states.values()).count("over"))


def test_secrets_are_not_shown() -> None:
    found = report(UAT)
    assert "a secret" not in str(found) and "given, not shown" in str(found["uat"]["instances"][0]["differences"])


def test_what_is_not_said_is_told() -> None:
    found = report({key: value for key, value in UAT.items() if key not in ("instance_owner", "instance_residency")})
    assert found["uat"]["missing"] == ["owner", "residency"] and "owner not said" in estate_summary([found["uat"]])[0]
    assert found["production"]["missing"] == [] and found["production"]["baseline"]


@pytest.mark.parametrize(("change", "said"), [
    ({"instance_criticality": "huge"}, "instance acme-uat: instance_criticality is 'huge'"), ({"instance_tier": "gold"}, "instance acme-uat: instance_tier is 'gold'"),
    ({"instance_environment": ""}, "instance acme-uat: instance_environment is missing"), ({"approved_differences": []}, "acme-uat: approved_differences is"),
    ({"approved_differences": {"instance_workers": {"owner": "o", "reason": "r"}}}, "acme-uat: approved_differences.instance_workers is"),
])
def test_bad_input(change: dict[str, Any], said: str) -> None:
    with pytest.raises(AnsibleFilterError) as error:
        report({**UAT, **change})
    assert said in str(error.value)


def test_bad_rings_name_the_instance() -> None:
    with pytest.raises(AnsibleFilterError, match="instance a: instance_ring is 'first'"):
        waves_of({"a": {"instance_ring": "first"}}, ["a"])


def test_a_cluster_s_instance_says_whose_hand_it_was() -> None:
    place = {"running": True, "image": "i", "made": "", "hands": ""}
    status = {"places": {"blue-web": {**place, "hands": "kubectl-edit"}, "blue-cron": place}, "recorded": {"image": "i", "colour": "blue"},
              "instance": {"colour": "blue", "interrupted": None}}
    values = {"name": "acme", "workers": 2, "processes": {"web_workers": 4}, "config": {}, "environment_names": []}
    assert drift_summary({"acme": drift_of_status(status, values)}) == ["acme: running blue-web: recorded as it was released, found changed by kubectl-edit; kubectl-edit"]
    assert drift_summary({"acme": drift_of_status({**status, "instance": {"colour": "blue", "interrupted": {"operation": "7"}}}, values)}) == ["acme: 7 is under way, or was interrupted"]
    recorded = {**status["recorded"], "settings": drift_wishes([{**values, "subnet": "", "pages": ""}], {})[0]["settings"]}
    told = drift_of_status({**status, "recorded": recorded}, {**values, "config": {"log_level": "warn"}})["drift"]
    assert [(one["between"], one["what"], one["found"]) for one in told] == [
        ("declared", "config.log_level", "warn"), ("running", "blue-web", "changed by kubectl-edit")]
    with pytest.raises(AnsibleFilterError, match=r"instance acme: .*web_worker"):
        drift_of_status(status, {**values, "processes": {"web_worker": 4}})
    assert drift_summary({}) == ["nothing differs"]
