# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environments, drift and waves from inventories and records, for the verbs ``inventory_report``, ``drift`` and ``waves``."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.sysgenpro.odoo.plugins.filter.release_reference import release_reference
from ansible_collections.sysgenpro.odoo.plugins.module_utils._estate import differences, running, waves
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.text import joined
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.arguments import ARGUMENTS

CRITICALITIES = ("critical", "high", "medium", "low")
TIERS = ("foundational", "controlled", "scaled", "platform")
SAID = {"instance_owner": "owner", "instance_criticality": "criticality", "instance_data_class": "data_class", "instance_residency": "residency",
        "instance_tier": "tier"}
"""How an environment is classified, by the variables that say it."""
WHICH = {"instance_machine", "instance_cluster", "instance_number", "instance_namespace", "instance_uid", "instance_hosts", "instance_environment",
         "instance_tenant",
         "instance_region", "instance_ring", "instance_release", "instance_database", *SAID} - {"instance_data_class"}
"""Variables that say which instance it is, and for whom: they differ by their nature."""
UNSEEN = {"instance_config_secrets", "instance_admin_password", "instance_registry", "instance_database_server", "instance_session_server", "instance_recovery",
          "instance_tls", "instance_authorities", "instance_environment_variables"}
"""Variables that may hold secrets: whether they are given is told, and nothing of what they say."""


def _told(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def called(*arguments: Any, **named: Any) -> Any:
        try:
            return function(*arguments, **named)
        except DomainError as error:
            raise AnsibleFilterError(str(error)) from None

    return called


def _today(now: str) -> datetime.date:
    return differences.day("now", now) if now else datetime.datetime.now(datetime.timezone.utc).date()


@_told
def estate_environments(hostvars: Mapping[str, Any], names: Iterable[str]) -> list[dict[str, Any]]:
    """The environments of an inventory, with their classification and every instance's settings.

    :raises AnsibleFilterError: naming instance and variable, for a classification that cannot be and for a difference without owner, reason or end.
    """
    found: dict[str, dict[str, Any]] = {}
    for name in sorted(names):
        variables = hostvars[name]
        environment = str(variables.get("instance_environment") or "")
        if not environment:
            raise AnsibleFilterError(f"instance {name}: instance_environment is missing")
        one = found.setdefault(environment, {"name": environment, "instances": {}})
        said = {key: str(variables.get(variable) or "") for variable, key in SAID.items()}
        _check_one_of(name, "instance_criticality", said["criticality"], CRITICALITIES)
        _check_one_of(name, "instance_tier", said["tier"], TIERS)
        approved = variables.get("approved_differences")
        settings = {str(key): _shown(variables, str(key)) for key in variables if str(key).startswith("instance_") and key not in WHICH}
        one["instances"][name] = {
            **said, "tenant": str(variables.get("instance_tenant") or ""), "region": str(variables.get("instance_region") or ""),
            "where": str(variables.get("instance_machine") or variables.get("instance_cluster") or ""), "settings": settings,
            "approved": differences.approvals(f"{name}: approved_differences", {} if approved is None else approved)}
    return [found[name] for name in sorted(found)]


def _check_one_of(name: str, variable: str, value: str, choices: Sequence[str]) -> None:
    if value and value not in choices:
        raise AnsibleFilterError(f"instance {name}: {variable} is {value!r}, expected one of {', '.join(choices)}")


def _shown(variables: Mapping[str, Any], key: str) -> Any:
    if key not in UNSEEN:
        value = variables[key]
        return dict(value) if isinstance(value, Mapping) else value
    # Not templated, so that no lookup of a secret is made for it.
    raw = getattr(variables, "_vars", variables).get(key) if not isinstance(variables, dict) else variables.get(key)
    return False if raw is False else "given, not shown"


@_told
def estate_report(environments: Sequence[Mapping[str, Any]], baseline: str = "production", now: str = "") -> list[dict[str, Any]]:
    """Each environment with what of each instance differs from the baseline's instance of the same tenant, and what is not said of it.

    :param environments: as ``estate_environments`` gave them, of all inventories. :param baseline: name of the environment that the others are held against.
    """
    like = {one["tenant"]: one for environment in environments if environment["name"] == baseline for one in environment["instances"].values()}
    # Tenants that have nothing there are held against whatever all of them have in common there.
    lines = []
    for environment in environments:
        instances = []
        for name, one in sorted(environment["instances"].items()):
            other = like.get(one["tenant"])
            found = differences.differing(other["settings"], one["settings"]) if other and environment["name"] != baseline else []
            # By variable: that is the name under which somebody answers for it.
            explained = differences.explained(_whole(found), one["approved"], _today(now)) if other else []
            instances.append({**{key: value for key, value in one.items() if key not in ("settings", "approved")}, "name": name, "differences": explained,
                              "compared": bool(other), "missing": [key for key in SAID.values() if not one[key]]})
        held = [each for one in instances for each in one["differences"] if each["state"] in differences.HOLDS_UP]
        lines.append({"name": environment["name"], "baseline": environment["name"] == baseline, "instances": instances,
                      "over": len([each for each in held if each["state"] == differences.OVER]),
                      "undeclared": len([each for each in held if each["state"] == differences.UNDECLARED]),
                      "missing": sorted({each for one in instances for each in one["missing"]}),
                      **{key: joined(sorted({one[key] for one in instances if one[key]})) for key in SAID.values()}})
    return lines


def _whole(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**one, "baseline": _text(one["baseline"]), "value": _text(one["value"])} for one in found]


def _text(value: Any) -> str:
    return "nothing" if value is None else str(value)


def estate_summary(report: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each environment, and one for each difference that nobody answers for or whose time has ended."""
    lines = []
    for one in report:
        said = ", ".join(f"{key} {one[key] or 'not said'}" for key in SAID.values())
        lines.append(f"{one['name']}: {len(one['instances'])} instances, {said}; {one['undeclared']} undeclared and {one['over']} ended differences")
        for instance in one["instances"]:
            lines += [f"  {instance['name']}: {each['what']} is {each['value']}, baseline {each['baseline']}: {each['state']}"
                      + (f" ({each['owner']}, until {each['until']})" if each["owner"] else "")
                      for each in instance["differences"] if each["state"] != differences.APPROVED]
    return lines


def releases_declared(hostvars: Mapping[str, Any], names: Iterable[str], known: Mapping[str, Any] | None = None) -> dict[str, str]:
    """The reference of the release that the inventory declares, by instance; empty where it declares none.

    :param known: short name to reference. :raises AnsibleFilterError: as ``release_reference``.
    """
    said = {name: hostvars[name].get("instance_release") for name in names}
    return {name: release_reference(value, known) if value else "" for name, value in said.items()}


def drift_wishes(instances: Sequence[Mapping[str, Any]], declared: Mapping[str, str]) -> list[dict[str, str]]:
    """What ``machine_drift_info`` is asked of a machine's instances.

    :param instances: as ``instances_on`` has them. :param declared: reference of the release that the inventory declares, by instance.
    """
    return [{"name": one["name"], "subnet": one["subnet"], "page": one["pages"], "image": str(declared.get(one["name"]) or "").rpartition("@")[2],
             "settings": _settings(one)} for one in instances]


def _settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """What an instance's variables declare, as a release records it: sizes that nobody names are those of ``odoo_release``."""
    given = {"web_workers": values["workers"], **values["processes"]}
    checked = ArgumentSpecValidator({"processes": ARGUMENTS["processes"]}).validate({"processes": given})
    if checked.error_messages:
        raise AnsibleFilterError(f"instance {values['name']}: {checked.error_messages[0]}")
    return {"config": values["config"], "processes": checked.validated_parameters["processes"], "environment_variables": values["environment_names"]}


def drift_known(instances: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What ``machine_instances_info`` is asked of a machine's instances."""
    return [{"name": one["name"], "number": one["number"], "front": one["front"], "database": one["database"]["name"]} for one in instances]


def drift_of_status(status: Mapping[str, Any], values: Mapping[str, Any], declared: str = "") -> dict[str, Any]:
    """The same of an instance in a cluster, from what ``odoo_release_info`` told.

    :param values: as ``instance_values`` has them.
    """
    places, recorded = status["places"], status["recorded"]
    return {"recorded": recorded, "places": places, "leads": status["instance"]["colour"],
            "under_way": str((status["instance"]["interrupted"] or {}).get("operation") or ""),
            "drift": [] if status["instance"]["interrupted"] else running.drifted(
                recorded, places, status["instance"]["colour"], declared.rpartition("@")[2], _settings(values))}


def drift_summary(found: Mapping[str, Mapping[str, Any]], unknown: Sequence[str] = ()) -> list[str]:
    """What runs otherwise, and who did that."""
    lines = []
    for name, one in sorted(found.items()):
        if one["under_way"]:
            lines.append(f"{name}: {one['under_way']} is under way, or was interrupted")
        lines += [f"{name}: {each['between']} {each['what']}: recorded {each['recorded']}, found {each['found']}"
                  + (f"; {each['who']}" if each["who"] else "") + (f", {each['at']}" if each["at"] else "") for each in one["drift"]]
    return [*lines, *unknown] or ["nothing differs"]


@_told
def waves_of(hostvars: Mapping[str, Any], names: Iterable[str], regions: Sequence[str] = (), size: int = 0) -> list[dict[str, Any]]:
    """The waves of instances, by ``instance_ring`` and ``instance_region``."""
    said = {name: {key: str(hostvars[name].get(f"instance_{key}") or "") for key in ("ring", "region")} for name in names}
    return waves.waves(said, list(regions) if not isinstance(regions, str) else regions, int(size))


def waves_standing(planned: Sequence[Mapping[str, Any]], found: Mapping[str, Any], wanted: Mapping[str, str], budget: float = 0.0,
                   refused: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Where each wave stands.

    :param found: ``release_status`` by instance. :param wanted: reference of the release by instance. :param refused: why a release did not begin, by instance.
    """
    digests = {name: str(reference).rpartition("@")[2] for name, reference in wanted.items()}
    return waves.standing(planned, found, digests, float(budget), refused or {})


def waves_summary(standing: Sequence[Mapping[str, Any]]) -> list[str]:
    """A line for each wave, and why one stopped."""
    lines = []
    for number, wave in enumerate(standing, 1):
        passed = len([one for one in wave["instances"] if one["state"] == waves.PASSED])
        counted = f", {wave['failed']} of {wave['requests']} requests failed" if wave["requests"] else ""
        lines += [f"wave {number} {wave['name']}: {wave['state']}, {passed} of {len(wave['instances'])} instances{counted}",
                  *(f"  {why}" for why in wave["why"])]
    return lines


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"estate_environments": estate_environments, "estate_report": estate_report, "estate_summary": estate_summary, "drift_wishes": drift_wishes,
                "drift_known": drift_known, "releases_declared": releases_declared,
                "drift_of_status": drift_of_status, "drift_summary": drift_summary, "waves_of": waves_of, "waves_standing": waves_standing,
                "waves_summary": waves_summary}
