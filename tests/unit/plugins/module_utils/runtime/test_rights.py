# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime import rights
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.kubernetes import SECRETS

ROLE = Path(__file__).parents[5] / "roles" / "toolbox"


def given() -> list[dict[str, Any]]:
    """The rules of the role ``toolbox``, as its template has them."""
    places = yaml.safe_load((ROLE / "vars" / "main.yml").read_text())["__toolbox_places"]
    text = (ROLE / "templates" / "objects.yml.j2").read_text()
    lines = re.findall(r"^  - (\{apiGroups: .*\})$", text, re.MULTILINE)
    return [yaml.safe_load(re.sub(r"\{\{.*?\}\}", json.dumps([*places, "registry"]), line)) for line in lines]


def test_the_role_gives_what_is_asked_for() -> None:
    assert rights.missing(given(), SECRETS) == []


@pytest.mark.parametrize(("resource", "verb", "named"), [
    ("deployments/scale", "patch", ["patch of deployments/scale (apps)"]), ("pods", "delete", ["delete of pods"]),
    ("services", "patch", ["patch of services", "patch of configmaps"]),
    ("secrets", "create", ["create of secrets"])])
def test_one_verb_that_is_missing_is_named(resource: str, verb: str, named: list[str]) -> None:
    rules = [{**rule, "verbs": [each for each in rule["verbs"] if (resource not in rule["resources"]) or each != verb]} for rule in given()]
    assert rights.missing(rules, SECRETS) == named


class Cluster:
    """One answer."""

    def __init__(self, **status: Any) -> None:
        self.status = status

    def call(self, method: str, path: str, query: Any, body: Any) -> dict[str, Any]:
        assert (method, body["spec"]) == ("POST", {"namespace": "acme"})
        return {"status": self.status}


def test_an_account_without_any_right_is_refused() -> None:
    with pytest.raises(DomainError, match=r"namespace acme; it lacks get of deployments \(apps\)") as error:
        rights.check(Cluster(), "acme", SECRETS)  # type: ignore[arg-type]
    assert error.value.code == "rights_missing"


@pytest.mark.parametrize("status", [{"incomplete": True}, {"resourceRules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]}])
def test_what_the_cluster_does_not_know_is_no_lack(status: dict[str, Any]) -> None:
    rights.check(Cluster(**status), "acme", SECRETS)  # type: ignore[arg-type]
