# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rooms of ``module_utils``: an import leads down, or it is a defect; and no two files know each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parents[2] / "plugins" / "module_utils"
DOWN: dict[str, set[str]] = {
    "_kernel": set(),
    "_documents": {"_kernel"},
    "_image": {"_governance", "_documents", "_kernel"},
    "_instance": {"_kernel"},
    "_kubernetes": {"_kernel"},
    "_runtime": {"_instance", "_kubernetes", "_kernel"},
    "_host": {"_instance", "_kernel"},
    "_postgresql": {"_instance", "_kernel"},
    "_routing": {"_kubernetes", "_kernel"},
    "_tenancy": {"_kubernetes", "_host", "_instance", "_kernel"},
    "_recovery": {"_instance", "_documents", "_kernel"},
    "_governance": {"_instance", "_documents", "_kubernetes", "_kernel"},
    "_awx": {"_governance", "_kernel"},
    "_estate": {"_runtime", "_instance", "_kernel"},
    "_release": {"_estate", "_governance", "_recovery", "_image", "_runtime", "_kubernetes", "_host", "_instance", "_kernel"},
}
"""What each room may import. A room that is not here is none: add the word to the design first."""


def imports(directory: Path) -> dict[str, set[str]]:
    """``{file: files that it imports}``, by dotted names below ``directory``; imports for type checkers and inside functions count as any other."""
    files = {".".join(path.relative_to(directory).with_suffix("").parts): path for path in directory.glob("*/**/*.py")}
    return {name: set(_imported(name, ast.parse(path.read_text(encoding="utf-8")), files)) - {name} for name, path in files.items()}


def _imported(name: str, tree: ast.AST, files: Mapping[str, Path]) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            package = name.split(".")[:-node.level]
            module = ".".join([*package, *(node.module or "").split(".")]).strip(".")
        elif isinstance(node, ast.ImportFrom) and ".module_utils." in (node.module or ""):
            module = str(node.module).split(".module_utils.", 1)[1]
        else:
            continue
        for each in node.names:
            yield from (found for found in (f"{module}.{each.name}", module) if found in files)


def up(found: Mapping[str, set[str]], down: Mapping[str, set[str]]) -> list[str]:
    """Imports out of a room that lead where it may not."""
    room = {name: name.split(".")[0] for name in found}
    return sorted(f"{name} imports {other}" for name, others in found.items() for other in others
                  if room[name] != room.get(other) and room.get(other) not in down.get(room[name], set()))


def circles(found: Mapping[str, set[str]]) -> list[str]:
    """Files that lead back to themselves."""
    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        todo = list(found[start])
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo += found.get(name, ())
        return seen

    return sorted(name for name in found if name in reached(name))


FOUND = imports(HERE)


def test_every_room_is_known() -> None:
    assert {name.split(".")[0] for name in FOUND} == set(DOWN)


def test_arrows_lead_down() -> None:
    assert up(FOUND, DOWN) == []


def test_there_are_no_circles() -> None:
    assert circles(FOUND) == []


def test_the_order_of_rooms_has_no_circle() -> None:
    assert circles(DOWN) == []


@pytest.mark.parametrize(("text", "said"), [
    ("from .._release import plan", ["_instance.names imports _release.plan"]),
    ("from .._release.plan import make_plan", ["_instance.names imports _release.plan"]),
    ("def f():\n    from .._release.plan import make_plan", ["_instance.names imports _release.plan"]),
    ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from .._release.plan import make_plan", ["_instance.names imports _release.plan"]),
    ("from .data import Data", []), ("from .._kernel import wait", [])])
def test_it_finds_one_that_does_not(tmp_path: Path, text: str, said: list[str]) -> None:
    for name, content in {"_instance/names": text, "_instance/data": "from .names import x\n", "_release/plan": "", "_kernel/wait": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.py").write_text(content)
    assert up(imports(tmp_path), DOWN) == said
    assert circles(imports(tmp_path)) == (["_instance.data", "_instance.names"] if "Data" in text else [])
