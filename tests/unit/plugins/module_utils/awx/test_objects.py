# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AWX is to have: every object against the argument specs of awx.awx's own modules, every survey against the play argument specs."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.sysgenpro.odoo.plugins.module_utils._awx.model import DECISIONS, ELSEWHERE, MAY
from ansible_collections.sysgenpro.odoo.plugins.module_utils._awx.objects import (
    ASK_NEVER,
    CREDENTIAL_TYPES,
    nodes_differ,
    objects,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._awx.surveys import NEVER, survey
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.awx import NODES, VARIABLES
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

PLAYBOOKS = Path(__file__).resolve().parents[5] / "playbooks"
SPECS = {path.name.partition(".")[0]: yaml.safe_load(path.read_text(encoding="utf-8")) for path in PLAYBOOKS.glob("*.meta.yml")}
SETTINGS: dict[str, Any] = {
    "organization": "Odoo", "execution_environment": {"name": "odoo", "image": "registry.example.com/ee@sha256:" + "a" * 64},
    "code": {"url": "https://git.example.com/odoo.git", "branch": "v0.1.0", "credential": "Git"},
    "inventories": {"url": "https://git.example.com/inventories.git", "branch": "main", "credential": None},
    "environments": [
        {"name": "uat", "inventory": "uat/hosts.yml"},
        {"name": "production", "inventory": "production/hosts.yml", "approvals": True, "credentials": ["production machines", "production vault"],
         "credentials_for": {"awx_decisions": ["AWX reader", "AWX signing key"], "expire": ["pruning vault"]}, "inventory_credential": "production vault"}],
    "credentials": [{"name": "AWX signing key", "credential_type": "Odoo signing key", "inputs": {"signer": "awx@example.com", "key": "x"}}],
    "notifications": [{"name": "releases", "notification_type": "webhook", "notification_configuration": {"url": "https://chat.example.com"}}],
    "teams": {"requester": ["rita"], "dba": ["dan"], "auditor": []}, "approval_timeout": 7200,
}
MODULES = {"organizations": "organization", "teams": "team", "execution_environments": "execution_environment", "credential_types": "credential_type",
           "credentials": "credential", "notifications": "notification_template", "projects": "project", "inventories": "inventory",
           "inventory_sources": "inventory_source", "job_templates": "job_template", "workflows": "workflow_job_template", "schedules": "schedule", "roles": "role"}


class _Told(Exception):
    pass


@pytest.fixture(name="spec_of", scope="module")
def _spec_of() -> Any:
    """The argument spec of one of awx.awx's modules, as its own ``main`` gives it."""
    def found(name: str) -> dict[str, Any]:
        module = importlib.import_module(f"ansible_collections.awx.awx.plugins.modules.{name}")

        def capture(argument_spec: dict[str, Any], **_more: Any) -> None:
            raise _Told(argument_spec)

        kept, module.ControllerAPIModule = module.ControllerAPIModule, capture  # type: ignore[attr-defined]
        try:
            module.main()
        except _Told as told:
            return dict(told.args[0])
        finally:
            module.ControllerAPIModule = kept  # type: ignore[attr-defined]
        raise AssertionError(f"{name} has no argument spec")
    return found


def made(**more: Any) -> dict[str, list[dict[str, Any]]]:
    return objects({**copy.deepcopy(SETTINGS), **more}, SPECS)


def test_every_object_is_what_its_module_takes(spec_of: Any) -> None:
    found = made()
    assert set(found) == set(MODULES)
    for kind, calls in found.items():
        spec = spec_of(MODULES[kind])
        assert calls, kind
        for call in calls:
            assert ArgumentSpecValidator(spec).validate(call).error_messages == [], (kind, call)


def test_the_check_against_the_specs_can_fail(spec_of: Any) -> None:
    assert ArgumentSpecValidator(spec_of("team")).validate({"name": "x"}).error_messages
    assert ArgumentSpecValidator(spec_of("job_template")).validate({"name": "x", "survey": {}}).error_messages


def test_nodes_are_what_the_module_documents() -> None:
    module = importlib.import_module("ansible_collections.awx.awx.plugins.modules.workflow_job_template")
    known = yaml.safe_load(module.DOCUMENTATION)["options"]["workflow_nodes"]["suboptions"]
    for workflow in made()["workflows"]:
        for node in workflow["workflow_nodes"]:
            assert set(node) <= set(known)
            assert set(node["unified_job_template"]) <= set(known["unified_job_template"]["suboptions"])
            assert set(node["related"]) <= set(known["related"]["suboptions"])


def test_every_verb_has_a_template_in_every_environment_or_a_reason() -> None:
    names = {one["name"] for one in made()["job_templates"]}
    assert names == {f"{environment}: {verb}" for environment in ("uat", "production") for verb in SPECS if verb not in ELSEWHERE}
    assert set(ELSEWHERE) <= set(SPECS)
    assert all((PLAYBOOKS.parent / one["playbook"]).is_file() for one in made()["job_templates"])
    assert set(MAY) - {"waves", "drift", "inventory_report"} <= set(SPECS)


def test_a_survey_has_what_the_play_asks_for() -> None:
    for name, document in SPECS.items():
        options = document["argument_specs"][name].get("options") or {}
        asked = {one["variable"]: one for one in survey(name, options).get("spec", [])}
        assert {key for key, option in options.items() if option.get("required")} - set(NEVER) <= set(asked), name
        for key, question in asked.items():
            assert question["required"] == bool(options[key].get("required"))
            if options[key].get("type") == "str" and options[key].get("choices"):
                assert (question["type"], question["choices"]) == ("multiplechoice", options[key]["choices"])


@pytest.mark.parametrize(("option", "question"), [
    ({"type": "str", "required": True, "description": "Which V(x)."}, {"type": "text", "required": True, "question_description": "Which x."}),
    ({"type": "int", "default": 3}, {"type": "integer", "default": 3}),
    ({"type": "bool", "default": True}, {"type": "multiplechoice", "choices": ["true", "false"], "default": "true"}),
    ({"type": "str", "choices": ["a", "b"]}, {"type": "multiplechoice", "choices": ["a", "b"]}),
    ({"type": "dict", "required": True}, {"type": "textarea"}),
    ({"type": "dict"}, None), ({"type": "path"}, None), ({"type": "list", "elements": "str"}, None), ({"type": "str", "no_log": True}, None),
])
def test_questions(option: dict[str, Any], question: dict[str, Any] | None) -> None:
    found = survey("x", {"one_thing": option})
    if question is None:
        assert found == {}
    else:
        (one,) = found["spec"]
        assert {key: one[key] for key in question} == question
        assert ("default" in one) == ("default" in option)
        assert one["question_name"] == "One thing"


def test_nobody_who_launches_may_bring_what_wins() -> None:
    found = made()
    for one in [*found["job_templates"], *found["workflows"]]:
        assert not any(one.get(f"ask_{name}_on_launch") for name in ASK_NEVER)
        assert not set(NEVER) & {question["variable"] for question in one["survey_spec"].get("spec", [])}
    for one in found["workflows"]:
        assert {question["variable"] for question in one["survey_spec"]["spec"]} <= set(VARIABLES)
    (decisions,) = [one for one in found["job_templates"] if one["name"] == "production: awx_decisions"]
    assert (decisions["survey_enabled"], decisions["ask_job_type_on_launch"]) == (False, False)
    assert decisions["credentials"] == ["production machines", "production vault", "AWX reader", "AWX signing key"]
    assert not any("AWX signing key" in one["credentials"] for one in found["job_templates"] if one is not decisions)


def test_the_workflow_leads_through_both_approvals_to_the_release() -> None:
    workflow, code = made()["workflows"]
    nodes = {node["identifier"]: node for node in workflow["workflow_nodes"]}
    leads = {name: [each["identifier"] for each in node["related"]["success_nodes"]] for name, node in nodes.items()}
    assert leads == {"plan": list(NODES), "approve_app": ["decisions"], "approve_schema": ["decisions"], "decisions": ["release"], "denied": [], "release": []}
    assert nodes["decisions"]["all_parents_must_converge"] is True
    assert {nodes[name]["unified_job_template"]["timeout"] for name in NODES} == {7200}
    assert workflow["notification_templates_approvals"] == ["releases"]
    assert [node["identifier"] for node in code["workflow_nodes"]] == ["plan", "approve_app", "decisions", "denied", "release"]


def test_rights() -> None:
    rights = made()["roles"]
    execute = {one["teams"][0]: one["job_templates"] for one in rights if one["role"] == "execute" and "job_templates" in one}
    assert "production: release" not in execute["requester"] + execute["operator"] + execute["dba"] + execute["auditor"]
    assert not any(DECISIONS in name for names in execute.values() for name in names)
    assert [one["teams"] for one in rights if one["role"] == "approval"] == [["release_manager", "dba"]]
    assert {"role": "member", "target_teams": ["requester"], "users": ["rita"], "lookup_organization": "Odoo"} in rights


def test_types_of_credentials_show_nothing_and_set_nothing_that_awx_refuses() -> None:
    for one in CREDENTIAL_TYPES:
        secret = {field["id"] for field in one["inputs"]["fields"] if field.get("secret")}
        assert secret and not any(name.startswith("ANSIBLE_") for name in one["injectors"]["env"])
        assert "extra_vars" not in one["injectors"]


def test_schedules_are_of_verbs_there_are() -> None:
    assert {one["unified_job_template"] for one in made()["schedules"]} >= {"production: recovery_point", "production: expire", "uat: audit"}


def environment(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "uat", "inventory": "uat/hosts.yml", **more}]


@pytest.mark.parametrize(("more", "field"), [
    ({"environments": environment(name="Uat!")}, "awx_environments[0].name"),
    ({"environments": environment(inventory="/etc/hosts")}, "awx_environments[0].inventory"),
    ({"environments": environment(inventory="../x")}, "awx_environments[0].inventory"),
    ({"environments": environment() * 2}, "awx_environments"),
    ({"environments": environment(verbs=["plan", "dance"])}, "awx_environments[0].verbs"),
    ({"environments": environment(verbs=["plan"], approvals=True)}, "awx_environments[0].verbs"),
    ({"environments": environment(schedules=[{"verb": "plan", "rrule": "DTSTART:20260101T010000Z RRULE:FREQ=DAILY;INTERVAL=1"}])},
     "schedules[0].extra_data.instance_release"),
    ({"environments": environment(schedules=[{"verb": "expire", "rrule": "daily"}])}, "schedules[0].rrule"),
    ({"environments": environment(schedules=[{"verb": "dance", "rrule": "daily"}])}, "schedules[0].verb"),
    ({"environments": environment(schedules=[{"verb": "status", "rrule": "DTSTART:20260101T010000Z RRULE:FREQ=DAILY;INTERVAL=1", "extra_data": {"x": 1}}])},
     "schedules[0].extra_data"),
    ({"approval_timeout": -1}, "awx_approval_timeout"),
])
def test_bad_input(more: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as error:
        made(**more)
    assert (error.value.code, field in error.value.message) == ("bad_input", True)


def listed(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Nodes as AWX' API documents list them."""
    numbers = {node["identifier"]: number for number, node in enumerate(nodes, 11)}
    kinds = {"job_template": "job"}
    return [{"id": numbers[node["identifier"]], "identifier": node["identifier"], "all_parents_must_converge": node.get("all_parents_must_converge", False),
             "summary_fields": {"unified_job_template": {"name": node["unified_job_template"]["name"], "description": node["unified_job_template"].get("description", ""),
                                                         "timeout": node["unified_job_template"].get("timeout", 0),
                                                         "unified_job_type": kinds.get(node["unified_job_template"]["type"], node["unified_job_template"]["type"])}},
             **{links: [numbers[each["identifier"]] for each in node["related"][links]] for links in ("success_nodes", "failure_nodes", "always_nodes")}}
            for node in nodes]


def test_nodes_are_compared() -> None:
    wanted = made()["workflows"][0]["workflow_nodes"]
    assert not nodes_differ(wanted, listed(wanted))
    assert not nodes_differ(wanted, listed(wanted)[::-1])
    assert nodes_differ(wanted, [])
    for harm in (lambda one: one[1]["summary_fields"]["unified_job_template"].update(timeout=0), lambda one: one[3].update(all_parents_must_converge=False),
                 lambda one: one[0].update(success_nodes=[12]), lambda one: one.pop(), lambda one: one[5]["summary_fields"].pop("unified_job_template"),
                 lambda one: one[5]["summary_fields"]["unified_job_template"].update(name="theirs")):
        found = listed(wanted)
        harm(found)
        assert nodes_differ(wanted, found)
