# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reference says what the code says: verbs, roles, modules, error codes and the variables of an inventory."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("generate", ROOT / "tests" / "reference" / "generate.py")
assert _spec and _spec.loader
generate = importlib.util.module_from_spec(_spec)
sys.modules["generate"] = generate
_spec.loader.exec_module(generate)

# A variable, where a role, a playbook, a filter or the lookup reads it.
READ = re.compile(r"(?<![A-Za-z0-9_.])(?:instance_[a-z_]+|machine_(?:subnet|overcommit|releases_at_once)|sysgenpro_[a-z]+_path|approved_differences)\b")
# Beginnings of the same kind that are no variables of an inventory: a filter, and a parameter's own name.
OTHERS = {"instance_values", "instance_name"}


@pytest.fixture(scope="module")
def pages() -> dict[Path, str]:
    made: dict[Path, str] = generate.pages()
    return made


def test_pages_are_as_the_code_says(pages: dict[Path, str]) -> None:
    stale = [str(path.relative_to(ROOT)) for path, content in pages.items() if not path.exists() or path.read_text() != content]
    assert not stale, f"{', '.join(stale)}: run tests/reference/generate.py"


def test_roles_that_are_no_more_have_no_page(pages: dict[Path, str]) -> None:
    assert set((ROOT / "docs" / "reference" / "roles").glob("*.md")) <= set(pages)


def test_every_code_has_a_meaning_and_what_to_do() -> None:
    codes, texts = set(generate.codes.read()), generate.error_texts()
    assert codes - set(texts) == set(), "codes that tests/reference/errors.yml does not explain"
    assert set(texts) - codes == set(), "codes in tests/reference/errors.yml that no code raises"
    for code, entry in texts.items():
        assert set(entry) == {"meaning", "do"}, code
        assert all(isinstance(said, str) and said.endswith(".") for said in entry.values()), f"{code}: whole sentences"


def test_every_code_comes_from_somewhere() -> None:
    """A code that no module reaches would be one that nobody can meet, or one that codes.py does not follow."""
    assert [code for code, ends in generate.codes.by_entry(generate.codes.read()).items() if not ends] == []


def test_codes_are_read_in_every_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The forms in which the code writes a code, each once."""
    (tmp_path / "modules").mkdir()
    (tmp_path / "action").mkdir()
    (tmp_path / "modules" / "one.py").write_text('''
from ..errors import DomainError
from ..helper import NAMED, run as started

TABLE = {1: "from_a_table"}


class Handler:
    def error(self, code, message):
        return DomainError(code, message)

    def do_this(self):
        raise DomainError("by_a_beginning", "")

    def nobody(self):
        raise DomainError("never", "")

    def act(self, error, number, there):
        raise self.error("by_a_method", "")
        raise DomainError("plain", "")
        raise DomainError(NAMED, "")
        code, said = ("left", 1) if there else ("right", 2)
        raise DomainError(code, said)
        table = {1: "from_a_table"}
        raise DomainError(table.get(number, "by_default"), "")
        raise DomainError(error.code, "again")
        started(["x"], "no_" + "tool")
        started(["x"], code="by_keyword")
        with_default("x")


def with_default(text, *, code: str = "unless_given"):
    return DomainError(code, text)


def main():
    handler = Handler()
    getattr(handler, "do_" + "it")()
    return handler.act()
''')
    (tmp_path / "helper.py").write_text('''
from .errors import DomainError
NAMED = "by_name"


def run(arguments, code):
    raise DomainError(code, "")
''')
    (tmp_path / "errors.py").write_text("class DomainError(Exception): pass\n")
    (tmp_path / "action" / "one.py").write_text('def ended():\n    return {"failed": True, "code": "of_the_action"}\n')
    monkeypatch.setattr(generate.codes, "PLUGINS", tmp_path)
    assert set(generate.codes.read()) == {
        "by_a_method", "plain", "left", "right", "from_a_table", "by_default", "no_tool", "by_keyword", "unless_given", "of_the_action", "by_name",
        "by_a_beginning", "never"}
    ends = generate.codes.by_entry(generate.codes.read())
    assert ends["by_keyword"] == ends["by_a_beginning"] == ends["by_a_method"] == ends["of_the_action"] == ["one"]
    assert ends["never"] == []


def test_an_inventory_s_variables_are_those_that_are_read() -> None:
    read: set[str] = set()
    for kind in ("roles/**/*.yml", "roles/**/*.j2", "playbooks/*.yml", "plugins/filter/*.py", "plugins/lookup/*.py", "plugins/action/*.py"):
        for path in ROOT.glob(kind):
            read |= set(READ.findall(path.read_text()))
    names = generate.inventory_names()
    told = {name for group in ("machines", "instances", "controller") for name in names[group]}
    assert read - OTHERS == told


def test_a_cluster_s_variables_are_those_that_are_read() -> None:
    places = [*ROOT.glob("playbooks/*.yml"), ROOT / "roles" / "toolbox" / "defaults" / "main.yml"]
    read = {name for path in places for name in re.findall(r"(?<![A-Za-z0-9_])cluster_[a-z_]+", path.read_text())}
    assert read == set(generate.inventory_names()["clusters"])


def test_the_keys_of_instance_recovery_are_those_that_are_taken() -> None:
    from ansible_collections.sysgenpro.odoo.plugins.filter import recovery_of

    assert set(generate.inventory_names()["recovery"]) == {*recovery_of.KEYS, *recovery_of.POLICY, *recovery_of.TIMERS}
