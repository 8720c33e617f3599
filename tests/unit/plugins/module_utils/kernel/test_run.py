# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one ``main()``, by a module that writes one file."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.plan import Plan, Step
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.run import run


class Writing:
    """Converges a file to a text."""

    def __init__(self, params: Mapping[str, Any], recovers: bool = False) -> None:
        self.path, self.text, self.recovers = Path(params["path"]), params["text"], recovers
        self.writes = not params["planned"]
        if not self.text:
            raise DomainError("bad_input", "text is empty", unchanged="Nothing was changed", field="text")

    def plan(self) -> Plan:
        now = self.path.read_text() if self.path.exists() else None
        steps = () if now == self.text else (Step("write", "Write it"),)
        return Plan(steps, {"text": now}, {"text": self.text}, {"text": self.text}, recovers=self.recovers)

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        if self.text == "break":
            raise DomainError("broken", "it broke", advice="Mend it")
        self.path.write_text(self.text)
        timings["write"] = 0.0
        return {"written": True}

    def facts(self) -> Mapping[str, Any]:
        return {"path": str(self.path)}


def called(capsys: pytest.CaptureFixture[str], path: Path, text: str, recovers: bool = False, made: Any = Writing, **further: Any) -> dict[str, Any]:
    arguments = {"path": str(path), "text": text, **further}
    with patch_module_args(arguments), pytest.raises(SystemExit) as end:
        module = AnsibleModule({"path": {"type": "path"}, "text": {"type": "str"},
                                "planned": {"type": "bool", "default": False}, "expected_plan_digest": {"type": "str"}},
                               supports_check_mode=True)
        run(module, lambda: made(module.params, recovers))
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert bool(end.value.code) == bool(result.get("failed"))
    return result


def test_it_changes_once(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "file"
    first = called(capsys, path, "été")
    assert first["changed"] and first["written"] and first["path"] == str(path)
    assert set(first["timings"]) == {"plan", "write", "total"}
    assert path.read_text() == "été"
    again = called(capsys, path, "été")
    assert not again["changed"] and "written" not in again and again["plan"]["steps"] == []
    assert again["plan"]["digest"] == first["plan"]["digest"]


def test_check_mode_leaves_out_the_writing_and_nothing_else(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "file"
    checked = called(capsys, path, "a", _ansible_check_mode=True, _ansible_diff=True)
    assert not path.exists()
    done = called(capsys, path, "a", _ansible_diff=True)
    assert checked["changed"] and done["changed"]
    assert checked["plan"] == done["plan"]
    assert checked["diff"] == done["diff"] == {"before": '{\n  "text": null\n}\n', "after": '{\n  "text": "a"\n}\n'}
    assert "diff" not in called(capsys, path, "a")


def test_where_only_a_plan_is_wanted_nothing_changes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = called(capsys, tmp_path / "file", "a", planned=True)
    assert not result["changed"] and len(result["plan"]["steps"]) == 1
    assert not (tmp_path / "file").exists()


def test_an_error_becomes_a_failed_module(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    for text, code in (("", "bad_input"), ("break", "broken")):
        result = called(capsys, tmp_path / "file", text)
        assert result["failed"] and result["code"] == code
    assert result["msg"] == "it broke. Mend it."
    assert called(capsys, tmp_path / "file", "")["details"] == {"field": "text"}


class Damaged(Writing):
    """Meets what nobody thought of, while it looks or while it works."""

    def plan(self) -> Plan:
        if self.text == "look":
            raise ValueError("Expecting value: line 1 column 1\nand more")
        return super().plan()

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        raise OSError(5, "Input/output error")


@pytest.mark.parametrize(("text", "said", "unchanged"), [
    ("look", "the machine could not be looked at: ValueError: Expecting value: line 1 column 1. ", "Nothing was changed"),
    ("work", "this was not expected: OSError: [Errno 5] Input/output error. Run the same command again", "")])
def test_what_nobody_thought_of_is_a_failure_with_a_code(
        capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, said: str, unchanged: str) -> None:
    result = called(capsys, tmp_path / "file", text, made=Damaged)
    assert (result["code"], result["unchanged"]) == ("unexpected", unchanged)
    assert result["msg"].startswith(said)


def test_another_plan_than_the_approved_one_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "file"
    digest = called(capsys, path, "a", planned=True)["plan"]["digest"]
    refused = called(capsys, path, "b", expected_plan_digest=digest)
    assert refused["code"] == "plan_changed" and digest in refused["msg"] and not path.exists()
    assert refused["details"]["plan"]["subject"] == {"text": "b"}
    assert called(capsys, path, "a", expected_plan_digest=digest)["changed"]
    # Nothing is to be done any more, so there is nothing to approve.
    assert not called(capsys, path, "a", expected_plan_digest="sha256:other").get("failed")


def test_what_was_interrupted_goes_on_under_its_own_approval(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result = called(capsys, tmp_path / "file", "a", recovers=True, expected_plan_digest="sha256:of another")
    assert result["changed"]


def test_an_error_reads_as_sentences() -> None:
    assert str(DomainError("a", "It is so.", unchanged="Nothing was changed", advice="Do that.")) == \
        "It is so. Nothing was changed. Do that."
    assert str(DomainError("a", "It is so")) == "It is so."
