# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an AWX is to have, as the arguments of awx.awx's modules. Pure: the role hands each to its module."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .._governance.awx import NODES, PLAN, VARIABLES
from .model import DECISIONS, DUTIES, MAY, Environment, Verb, check_approval_timeout, environments_of, verbs_of
from .surveys import survey

CODE, INVENTORIES = "Odoo code", "Odoo inventories"
REFERRED_TO = {"organizations": "organizations", "teams": "teams", "execution_environments": "execution_environments", "credential_types": "credential_types",
               "credentials": "credentials", "notifications": "notification_templates", "projects": "projects", "inventories": "inventories"}
# Whatever wins over what a play says is not for who launches.
ASK_NEVER = ("variables", "inventory", "credential", "execution_environment", "tags", "skip_tags", "scm_branch")
TITLES = {"app": "Approve the application", "schema": "Approve the change of the database's schema"}
# AWX lets no credential type set a variable that begins with ANSIBLE_, so vault passwords and SSH keys are of its own types Vault and Machine.
CREDENTIAL_TYPES = (
    {"name": "Odoo S3 keys", "kind": "cloud",
     "description": "Keys of an object store, as SYSGENPRO_S3_ACCESS_KEY and SYSGENPRO_S3_SECRET_KEY in a job's environment",
     "inputs": {"fields": [{"id": "access_key", "label": "Access key", "type": "string"},
                           {"id": "secret_key", "label": "Secret key", "type": "string", "secret": True}], "required": ["access_key", "secret_key"]},
     "injectors": {"env": {"SYSGENPRO_S3_ACCESS_KEY": "{{ access_key }}", "SYSGENPRO_S3_SECRET_KEY": "{{ secret_key }}"}}},
    {"name": "Odoo signing key", "kind": "cloud", "description": "An SSH key that signs for the ledger, in a file that only the job can read",
     "inputs": {"fields": [{"id": "signer", "label": "Name in the list of signers", "type": "string"},
                           {"id": "key", "label": "Private key", "type": "string", "secret": True, "multiline": True, "format": "ssh_private_key"}],
                "required": ["signer", "key"]},
     "injectors": {"file": {"template.key": "{{ key }}"}, "env": {"SYSGENPRO_SIGNER": "{{ signer }}", "SYSGENPRO_SIGNING_KEY": "{{ tower.filename.key }}"}}},
)


def objects(settings: Mapping[str, Any], specs: Mapping[str, Mapping[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """By kind, the arguments of each call.

    :param settings: ``organization``, ``execution_environment``, ``code``, ``inventories``, ``environments``, ``credentials``, ``notifications``,
        ``approval_timeout``, ``teams`` (names of users by duty).
    :param specs: the content of ``<verb>.meta.yml`` by verb.
    :raises DomainError: ``bad_input``.
    """
    check_approval_timeout(settings["approval_timeout"])
    verbs = verbs_of(specs)
    environments = environments_of(settings["environments"], verbs)
    found = AwxObjects(settings, environments).all()
    return {**found, "looks": list(_looks(found, [one.name for one in environments]))}


def _looks(found: Mapping[str, Sequence[Mapping[str, Any]]], environments: Sequence[str]) -> Iterator[dict[str, Any]]:
    """Where to look for what others refer to, and which names are to be there. A page of AWX has 200 names at most, so templates are asked for by
    environment.
    """
    for kind, path in REFERRED_TO.items():
        yield {"path": f"{path}/", "query": {}, "names": [one["name"] for one in found[kind]]}
    for kind, path in (("job_templates", "job_templates"), ("workflows", "workflow_job_templates")):
        for name in environments:
            yield {"path": f"{path}/", "query": {"name__startswith": f"{name}: "},
                   "names": [one["name"] for one in found[kind] if one["name"].startswith(f"{name}: ")]}


def named(environment: Environment, name: str) -> str:
    """The name of a template, a workflow or a schedule."""
    return f"{environment.name}: {name}"


class AwxObjects:
    def __init__(self, settings: Mapping[str, Any], environments: Sequence[Environment]) -> None:
        self.settings, self.environments = settings, environments
        self.organization = settings["organization"]
        self.notifications = [one["name"] for one in settings["notifications"]]

    def all(self) -> dict[str, list[dict[str, Any]]]:
        mine = {"organization": self.organization}
        return {
            "organizations": [{"name": self.organization, "description": "Odoo for retailers"}],
            "teams": [{"name": duty, **mine} for duty in DUTIES],
            "execution_environments": [{"pull": "missing", **self.settings["execution_environment"], **mine}],
            "credential_types": [dict(one) for one in CREDENTIAL_TYPES],
            "credentials": [{**one, **mine} for one in self.settings["credentials"]],
            "notifications": [{**one, **mine} for one in self.settings["notifications"]],
            "projects": [self._project(CODE, "code", False), self._project(INVENTORIES, "inventories", True)],
            "inventories": [{"name": one.name, "description": f"Instances of {one.name}, from {one.inventory} in Git", **mine} for one in self.environments],
            "inventory_sources": [self._source(one) for one in self.environments],
            "job_templates": [self._job_template(one, verb) for one in self.environments for verb in one.verbs],
            "workflows": [each for one in self.environments if one.approvals for each in self._workflows(one)],
            "schedules": [self._schedule(one, each) for one in self.environments for each in one.schedules],
            "roles": list(self._roles()),
        }

    def _project(self, name: str, key: str, update: bool) -> dict[str, Any]:
        given = self.settings[key]
        return {"name": name, "organization": self.organization, "scm_type": "git", "scm_url": given["url"], "scm_branch": given["branch"],
                "scm_clean": True, "scm_update_on_launch": update, "allow_override": False,
                **({"credential": given["credential"]} if given.get("credential") else {})}

    def _source(self, one: Environment) -> dict[str, Any]:
        return {"name": one.name, "inventory": one.name, "source": "scm", "source_project": INVENTORIES, "source_path": one.inventory, "overwrite": True,
                "overwrite_vars": True, "update_on_launch": True, "organization": self.organization,
                **({"credential": one.inventory_credential} if one.inventory_credential else {})}

    def _job_template(self, one: Environment, verb: Verb) -> dict[str, Any]:
        questions = survey(verb.title, verb.options)
        return {"name": named(one, verb.name), "description": verb.title, "organization": self.organization, "job_type": "run", "inventory": one.name,
                "project": CODE, "playbook": f"playbooks/{verb.name}.yml", "execution_environment": self.settings["execution_environment"]["name"],
                "credentials": [*one.credentials, *one.credentials_for.get(verb.name, ())], "survey_enabled": bool(questions), "survey_spec": questions,
                "ask_limit_on_launch": True, "ask_job_type_on_launch": verb.name != DECISIONS, "allow_simultaneous": True, **never_asked()}

    def _workflows(self, one: Environment) -> Iterator[dict[str, Any]]:
        options = {name: option for verb in one.verbs if verb.name in (PLAN, "release") for name, option in verb.options.items()}
        options["instance_release"] = {**options["instance_release"], "required": True}
        for title, names in (("release", list(NODES)), ("release of code", ["approve_app"])):
            yield {"name": named(one, f"workflow {title}"), "organization": self.organization, "inventory": one.name,
                   "description": "Plan, approval of " + " and ".join(TITLES[NODES[name]].partition("the ")[2] for name in names) + ", release",
                   "survey_enabled": True, "survey_spec": survey(title.capitalize(), options, VARIABLES), "ask_limit_on_launch": True,
                   "ask_variables_on_launch": False, "ask_inventory_on_launch": False, "allow_simultaneous": True,
                   "notification_templates_approvals": self.notifications, "notification_templates_error": self.notifications,
                   "notification_templates_success": self.notifications, "workflow_nodes": list(self._nodes(one, title, names))}

    def _nodes(self, one: Environment, title: str, names: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Plan, then the approvals side by side; all of them given, they go into the ledger, and it is released. One that was denied goes there too."""
        yield self._node(one, PLAN, PLAN, success=names)
        for name in names:
            # With a name of its own: awx.awx would take another workflow's approval by the same name.
            approval = {"name": named(one, f"{TITLES[NODES[name]]} ({title})"), "type": "workflow_approval", "timeout": self.settings["approval_timeout"],
                        "description": f"The job {PLAN} of this workflow shows the plan, its digest and its gates"}
            yield {"identifier": name, "unified_job_template": approval, "related": _links(success=["decisions"], failure=["denied"])}
        yield {**self._node(one, "decisions", DECISIONS, success=["release"]), "all_parents_must_converge": True}
        yield self._node(one, "denied", DECISIONS)
        yield self._node(one, "release", "release")

    def _node(self, one: Environment, identifier: str, verb: str, success: Sequence[str] = ()) -> dict[str, Any]:
        return {"identifier": identifier, "related": _links(success=success),
                "unified_job_template": {"name": named(one, verb), "type": "job_template", "organization": {"name": self.organization}}}

    def _schedule(self, one: Environment, given: Mapping[str, Any]) -> dict[str, Any]:
        return {"name": named(one, given.get("name") or given["verb"]), "unified_job_template": named(one, given["verb"]), "organization": self.organization,
                "rrule": given["rrule"], "extra_data": dict(given.get("extra_data", {})), "enabled": given.get("enabled", True),
                **({"limit": given["limit"]} if given.get("limit") else {})}

    def _roles(self) -> Iterator[dict[str, Any]]:
        mine = {"lookup_organization": self.organization}
        for duty, users in sorted(self.settings["teams"].items()):
            if users:
                yield {"role": "member", "target_teams": [duty], "users": list(users), **mine}
        yield {"role": "auditor", "teams": ["auditor"], "organizations": [self.organization]}
        for duty in DUTIES:
            starts = [named(one, verb.name) for one in self.environments for verb in one.verbs if duty in MAY.get(verb.name, ("operator",))]
            if starts:
                yield {"role": "execute", "teams": [duty], "job_templates": starts, **mine}
        workflows = [workflow["name"] for one in self.environments if one.approvals for workflow in self._workflows(one)]
        if workflows:
            yield {"role": "execute", "teams": ["requester"], "workflows": workflows, **mine}
            yield {"role": "approval", "teams": ["release_manager", "dba"], "workflows": workflows, **mine}


def never_asked() -> dict[str, bool]:
    """:returns: that a launcher may choose none of ``ASK_NEVER``."""
    return {f"ask_{name}_on_launch": False for name in ASK_NEVER}


def _links(success: Sequence[str] = (), failure: Sequence[str] = ()) -> dict[str, list[dict[str, str]]]:
    return {f"{kind}_nodes": [{"identifier": name} for name in names] for kind, names in (("success", success), ("failure", failure), ("always", ()))}


def nodes_differ(wanted: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a workflow's nodes are other ones than are wanted. awx.awx reports a change of them on every run, so they are compared before it is called.

    :param found: ``results`` of ``/api/v2/workflow_job_templates/<id>/workflow_nodes/``.
    """
    identifiers = {node["id"]: node["identifier"] for node in found}

    def kept(node: Mapping[str, Any]) -> dict[str, Any]:
        template = node["summary_fields"].get("unified_job_template") or {}
        kind = {"job": "job_template"}.get(template.get("unified_job_type", ""), template.get("unified_job_type", ""))
        approval = {"description": template.get("description", ""), "timeout": template.get("timeout", 0)} if kind == "workflow_approval" else {}
        return {"name": template.get("name"), "type": kind, **approval, "converge": bool(node["all_parents_must_converge"]),
                **{links: sorted(identifiers.get(each, "") for each in node[links]) for links in _links()}}

    def asked(node: Mapping[str, Any]) -> dict[str, Any]:
        template = node["unified_job_template"]
        approval = {key: template[key] for key in ("description", "timeout")} if template["type"] == "workflow_approval" else {}
        return {"name": template["name"], "type": template["type"], **approval, "converge": bool(node.get("all_parents_must_converge")),
                **{links: sorted(each["identifier"] for each in each_of) for links, each_of in node["related"].items()}}

    return {node["identifier"]: asked(node) for node in wanted} != {node["identifier"]: kept(node) for node in found}
