# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions given in AWX: joined to their plan by what its API answers, and believed only as far as the policy says.

The answers have the fields that AWX' API documents name. No real AWX is here.
"""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.arguments import AWX_DECISIONS
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.awx_signing import AwxApi, AwxSigning
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import AWX, ROLES
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.statements import sealed
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.arguments import filled
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import (
    INSTANCE,
    OTHER,
    PLAN,
    POLICY,
    House,
    key_of,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.test_decisions import (
    closed,
    refused,
    why_not,
)

SIGNER = "awx@example.com"
TAKEN = {"request": ["rita@example.com"], "app": ["jane@example.com"], "schema": ["dan@example.com"]}
ANNA, JANE, DAN, RITA = ({"id": number, "username": name} for number, name in ((5, "anna"), (7, "jane"), (8, "dan"), (9, "rita")))


def approval(number: int, who: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": number, "type": "workflow_approval", "status": "successful", "timed_out": False, "created": "2026-11-30T20:31:00.500000Z",
            "finished": "2026-11-30T20:45:10.123456Z", "summary_fields": {"approved_or_denied_by": who, "source_workflow_job": {"id": 41}}, **more}


def node(identifier: str, job: int | None) -> dict[str, Any]:
    return {"identifier": identifier, "job": job}


def answers() -> dict[str, Any]:
    """Of a workflow: Rita launched it, Jane approved the application and Dan the schema; job 45 asks."""
    return {
        "jobs/45/": {"id": 45, "project": 3, "playbook": "playbooks/awx_decisions.yml", "summary_fields": {"source_workflow_job": {"id": 41}}},
        "workflow_jobs/41/": {"id": 41, "created": "2026-11-30T20:30:00.000000Z", "launched_by": {"id": 9, "name": "rita", "type": "user", "url": "/api/v2/users/9/"}},
        "workflow_jobs/41/workflow_nodes/?page_size=200": {"next": "/api/v2/workflow_jobs/41/workflow_nodes/?page=2",
                                                           "results": [node("plan", 42), node("approve_app", 43)]},
        "workflow_jobs/41/workflow_nodes/?page=2": {"next": None, "results": [node("approve_schema", 44), node("decisions", 45), node("release", None)]},
        "jobs/42/": {"id": 42, "status": "successful", "project": 3, "playbook": "playbooks/plan.yml", "finished": "2026-11-30T20:30:40.000000Z",
                     "extra_vars": json.dumps({"instance_release": "r3", "awx_workflow_job_id": 41}),
                     "artifacts": {"release_expected_plan_digest": {INSTANCE: PLAN, "bodega-production": OTHER}}},
        "workflow_approvals/43/": approval(43, JANE), "workflow_approvals/44/": approval(44, DAN),
    }


@pytest.fixture
def house(tmp_path: Path) -> House:
    policy = copy.deepcopy(POLICY)
    policy["classes"]["production"].update(awx=TAKEN)
    house = House(tmp_path, policy)
    house.lines.append(house.line(SIGNER, AWX))
    house.write()
    return house


def signing(house: House, found: dict[str, Any], **more: Any) -> AwxSigning:
    params = {"instance": INSTANCE, "job": "45", "controller_host": "https://awx.example.com/", "controller_oauthtoken": "t", "signer": SIGNER,
              "key": key_of(house.directory, SIGNER), **more}
    return AwxSigning(filled(AWX_DECISIONS, params), lambda path: found[path])


def envelopes(house: House, found: dict[str, Any], **more: Any) -> list[dict[str, Any]]:
    operation = signing(house, found, **more)
    return list(dict(operation.perform(operation.plan(), {}))["envelopes"])


def take(house: House, found: dict[str, Any], **more: Any) -> list[bool]:
    return [house.record(envelope) for envelope in envelopes(house, found, **more)]


def test_who_approved_in_awx_is_in_the_ledger_with_the_plan_that_the_api_names(house: House) -> None:
    assert closed(house) == ["approved_app", "approved_schema"]
    assert take(house, answers()) == [True, True, True]
    assert closed(house) == []
    entry = house.ledger().entry(2).body
    assert (entry["by"], entry["role"], entry["plan"], entry["at"]) == ("jane@example.com", "app", PLAN, "2026-11-30T20:45:10+00:00")
    assert entry["via"] == {"awx": "https://awx.example.com", "signer": SIGNER, "approval": 43, "workflow_job": 41, "plan_job": 42, "user": 7}
    assert house.ask("ledger")["findings"] == []


def test_taken_in_once_also_under_another_time(house: House) -> None:
    take(house, answers())
    assert take(house, answers()) == [False, False, False]
    assert take(house, answers(), hours=4) == [False, False, False]


def test_who_launched_it_approves_nothing_of_it(house: House) -> None:
    found = answers()
    found["workflow_approvals/43/"] = approval(43, RITA)
    request, app, _schema = envelopes(house, found)
    assert house.record(request)
    assert "asked for this release" in refused(house, app)


@pytest.mark.parametrize(("awx", "why"), [
    ({}, "takes nothing of jane@example.com as app"),
    ({"schema": ["jane@example.com"]}, "takes nothing of jane@example.com as app"),
    ({"app": ["june@example.com"]}, "takes nothing of jane@example.com as app"),
])
def test_counts_only_for_whom_and_as_what_the_policy_says(house: House, awx: dict[str, list[str]], why: str) -> None:
    house.policy["classes"]["production"]["awx"] = awx
    house.write()
    take(house, answers())
    assert "approved_app" in closed(house)
    assert why in why_not(house, "jane@example.com")


def test_a_person_with_a_key_need_not_be_named_for_awx_and_the_other_way_round(house: House) -> None:
    found = answers()
    found["workflow_approvals/43/"] = approval(43, ANNA)
    take(house, found)
    assert closed(house) == ["approved_app"]
    assert "in AWX" in why_not(house, "anna@example.com")
    house.decide("anna@example.com")
    assert closed(house) == []


def test_awx_is_no_security_key(house: House) -> None:
    house.policy["classes"]["production"]["gates"][0]["security_key"] = True
    house.write()
    take(house, answers())
    assert closed(house) == ["approved_app"]


def test_rejected_holds_up_and_what_waits_or_ran_out_says_nothing(house: House) -> None:
    found = answers()
    found["workflow_approvals/43/"] = approval(43, JANE, status="failed")
    found["workflow_approvals/44/"] = approval(44, {}, status="failed", timed_out=True)
    assert [(one.role, one.verdict) for one in signing(house, found).decisions] == [("request", "approved"), ("app", "rejected")]
    found["workflow_approvals/43/"] = approval(43, {}, status="pending", finished=None)
    assert [one.role for one in signing(house, found).decisions] == ["request"]


def test_a_schedule_is_nobody_who_asks(house: House) -> None:
    found = answers()
    found["workflow_jobs/41/"]["launched_by"] = {"id": 3, "name": "nightly", "type": "schedule"}
    assert [one.role for one in signing(house, found).decisions] == ["app", "schema"]


def change(path: str, **more: Any) -> Any:
    return lambda found: found[path].update(more)


@pytest.mark.parametrize(("harm", "why"), [
    (change("jobs/45/", summary_fields={}), "belongs to no workflow"),
    (change("jobs/42/", extra_vars='{"release_result": {"plan": {"digest": "sha256:0"}}}'), "was given the variables release_result"),
    (change("jobs/42/", extra_vars='{"release_expected_plan_digest": "x", "ansible_connection": "local"}'), "ansible_connection, release_expected_plan_digest"),
    (change("jobs/42/", playbook="playbooks/theirs.yml"), "it ran playbooks/theirs.yml"),
    (change("jobs/42/", project=99), "of project 99"),
    (change("jobs/42/", status="failed"), "it is failed"),
    (change("jobs/42/", artifacts={}), "planned nothing for acme-production"),
    (change("jobs/42/", artifacts={"release_expected_plan_digest": {"bodega-production": OTHER}}), "planned nothing for acme-production"),
    (change("jobs/42/", artifacts={"release_expected_plan_digest": "sha256:1"}), "not as AWX' documents say"),
    (change("jobs/42/", finished="2026-11-30T20:50:00Z"), "asked for before job 42 had planned"),
    (change("workflow_approvals/43/", summary_fields={"approved_or_denied_by": JANE, "source_workflow_job": {"id": 40}}), "of another workflow job than 41"),
    (change("workflow_approvals/43/", summary_fields={"source_workflow_job": {"id": 41}}), "'nobody'"),
    (change("workflow_approvals/43/", summary_fields={"approved_or_denied_by": {"id": 7, "username": "ja ne"}, "source_workflow_job": {"id": 41}}), "'ja ne'"),
    (change("workflow_approvals/44/", finished="yesterday"), "moment"),
    (lambda found: found["workflow_jobs/41/workflow_nodes/?page_size=200"].update(results=[]), "no node plan"),
    (lambda found: found["workflow_jobs/41/"].pop("launched_by"), "not as AWX' documents say (KeyError"),
])
def test_what_is_unclear_signs_nothing(house: House, harm: Any, why: str) -> None:
    found = answers()
    harm(found)
    with pytest.raises(DomainError) as error:
        signing(house, found)
    assert error.value.code in ("awx_unclear", "bad_input")
    assert why in error.value.message


@pytest.mark.parametrize(("field", "value"), [("signer", "awx"), ("job", "x"), ("hours", 0), ("instance", "no such/name"), ("controller_host", "awx")])
def test_bad_input(house: House, field: str, value: Any) -> None:
    given = {"instance": INSTANCE, "job": "45", "controller_host": "https://awx.example.com", "controller_oauthtoken": "t", "signer": SIGNER, "key": "k", field: value}
    with pytest.raises(DomainError) as error:
        AwxSigning(filled(AWX_DECISIONS, given), None)
    assert (error.value.code, field in error.value.message) == ("bad_input", True)


def test_forged_in_awx_name(house: House) -> None:
    """By a person's key, by AWX' key under a person's namespace, after the key ended, and with another digest pasted in."""
    theirs = envelopes(house, answers(), key=key_of(house.directory, "anna@example.com"))[1]
    assert "is not signed by a key that awx@example.com has" in refused(house, theirs)
    one = signing(house, answers()).decisions[1]
    wrong = sealed(one.statement(), Signer(key_of(house.directory, SIGNER), namespace=ROLES["app"]).sign)
    assert "is not signed by a key" in refused(house, wrong)
    person = one.statement()
    del person["predicate"]["via"]
    assert "jane@example.com" in refused(house, sealed(person, Signer(key_of(house.directory, SIGNER), namespace=AWX).sign))
    house.lines[-1] = house.line(SIGNER, AWX, bounds=',valid-before="20261129Z"')
    house.write()
    assert "expired" in refused(house, envelopes(house, answers())[1])


def test_withdrawn_by_key_stays_withdrawn(house: House) -> None:
    house.lines.append(house.line("jane@example.com", ROLES["app"]))
    house.write()
    take(house, answers())
    house.decide("jane@example.com", verdict="withdrawn")
    assert take(house, answers(), hours=5) == [False, False, False]
    assert closed(house) == ["approved_app"]


def test_the_count_of_a_gate_has_awx_people_too(house: House) -> None:
    house.policy["classes"]["production"]["gates"][0]["count"] = 3
    house.write()
    assert house.governance()
    house.policy["classes"]["production"]["awx"]["emergency"] = ["jane@example.com"]
    house.write()
    with pytest.raises(DomainError) as error:
        house.governance()
    assert "awx" in error.value.message


def test_an_api_that_is_not_there(house: House) -> None:
    with pytest.raises(DomainError) as error:
        AwxApi("http://127.0.0.1:1", "t").get("jobs/1/")
    assert error.value.code == "awx_unreachable"
    with pytest.raises(DomainError) as error:
        AwxApi("https://127.0.0.1:1", "t", str(house.directory / "none.pem"))
    assert error.value.code == "bad_input"
