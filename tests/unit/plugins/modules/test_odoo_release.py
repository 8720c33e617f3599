# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``odoo_release`` and its ``_info`` from their parameters to their JSON; documentation and argument spec say the same."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest
import yaml
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sysgenpro.odoo.plugins.doc_fragments import database, repository
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import (
    arguments,
)
from ansible_collections.sysgenpro.odoo.plugins.modules import odoo_release
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.samples import GIVEN, release


def called(module: Any, capsys: pytest.CaptureFixture[str], **arguments: Any) -> dict[str, Any]:
    with patch_module_args(arguments), pytest.raises(SystemExit):
        module.main()
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


@pytest.mark.parametrize("state", ["planned", "rehearsed", "staged", "released"])
def test_a_release_is_required(state: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = called(odoo_release, capsys, **GIVEN, state=state)
    assert result["failed"] and "release" in result["msg"]


@pytest.mark.parametrize(("change", "code"), [
    ({"release": "registry:5000/odoo:r1"}, "not_a_digest"), ({"config": {"db_host": "x"}}, "bad_input"),
    ({"instance": "Acme"}, "bad_input"), ({"uid": 0}, "bad_input")])
def test_bad_input_fails_with_its_code(change: dict[str, Any], code: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = called(odoo_release, capsys, **{**GIVEN, "release": release().reference, **change})
    assert result["failed"] and result["code"] == code and result["unchanged"] == "Nothing was changed"
    assert "secret of" not in json.dumps(result)


def options_of(documented: dict[str, Any]) -> dict[str, Any]:
    return {key: (option["type"], option.get("elements"), option.get("default"), option.get("choices"),
                  bool(option.get("required")), options_of(option["suboptions"]) if "suboptions" in option else None)
            for key, option in documented.items()}


def options_in(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: (option["type"], option.get("elements"), option.get("default"), option.get("choices"),
                  bool(option.get("required")), options_in(option["options"]) if "options" in option else None)
            for key, option in spec.items()}


def test_what_is_documented_is_what_is_taken() -> None:
    parts = (repository.ModuleDocFragment.RELEASE, database.ModuleDocFragment.RELEASE, odoo_release.DOCUMENTATION)
    documented = {key: option for part in parts for key, option in yaml.safe_load(part)["options"].items()}
    # AnsibleModule fills the defaults it was given, so other tests may have left something in them.
    assert options_of(documented) == options_in(importlib.reload(arguments).ARGUMENTS)


@pytest.mark.parametrize("key", ["database.passwords", "registry.password", "session.password"])
def test_secrets_are_kept_out_of_logs(key: str) -> None:
    outer, inner = key.split(".")
    assert arguments.ARGUMENTS[outer]["options"][inner]["no_log"] is True


@pytest.mark.parametrize("name", ["odoo_release", "odoo_release_info"])
def test_examples_and_returns_are_yaml(name: str) -> None:
    module = importlib.import_module(f"ansible_collections.sysgenpro.odoo.plugins.modules.{name}")
    assert yaml.safe_load(module.EXAMPLES) and yaml.safe_load(module.RETURN)
