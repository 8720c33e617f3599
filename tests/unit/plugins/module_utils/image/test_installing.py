# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Odoo would find out late, told from the record: by build as a note, by the plan as a refusal or as what is left out."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.filter.release_text import plan_summary
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import installing
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.build import notes_of
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import DatabaseState, Origins
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import odoo_run
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.plan import make_plan
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.samples import module, record, release
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.test_plan import (
    CODE,
    MODULES,
    NOTHING,
    R1,
    Changes,
    seen,
    state,
    wish,
)

BASE = {**module("1.3", ()), "auto_install": True}


def auto(*depends: str, **further: Any) -> dict[str, Any]:
    return {**module(depends=depends or ("base",)), "auto_install": True, **further}


OBSTACLES = [
    ("it can", {"a": module()}, ""),
    ("its manifest says so", {"a": {**module(), "installable": False}}, "is not installable"),
    ("it is not there", {}, "is not in the image"),
    ("a dependency is not there", {"a": module(depends=("base", "gone"))}, "needs gone, which the image does not offer"),
    ("a dependency of a dependency is not there", {"a": module(depends=("b",)), "b": module(depends=("gone",))}, "needs gone, which"),
    ("a dependency is not installable", {"a": module(depends=("b",)), "b": {**module(), "installable": False}}, "needs b, which"),
    ("it needs itself", {"a": module(depends=("a",))}, "needs itself: a > a"),
    ("a circle below it", {"a": module(depends=("b",)), "b": module(depends=("c",)), "c": module(depends=("b",))}, "needs itself: b > c > b"),
]


@pytest.mark.parametrize(("modules", "why"), [row[1:] for row in OBSTACLES], ids=[row[0] for row in OBSTACLES])
def test_why_a_module_cannot_be_loaded(modules: dict[str, Any], why: str) -> None:
    said = installing.obstacle(record(**modules), "a")
    assert said.startswith(why) and bool(said) == bool(why)


FRESH = [
    ("nothing by itself", {"a": module()}, set(), set()),
    ("by itself", {"a": auto()}, {"a"}, set()),
    ("by itself, with what it needs besides", {"a": auto("base", "b", triggers=["base"]), "b": module()}, {"a", "b"}, set()),
    ("a chain", {"a": auto("b"), "b": auto()}, {"a", "b"}, set()),
    ("not, where what triggers it is not installed", {"a": auto("b"), "b": module()}, set(), set()),
    ("a dependency is not in the image", {"a": auto("base", "gone")}, {"a"}, {"a"}),
    ("no dependency is in the image", {"a": auto("gone", "lost")}, {"a"}, {"a"}),
    ("one on top of such a one", {"a": auto("base", "gone"), "b": auto("a")}, {"a", "b"}, {"a", "b"}),
    ("a further dependency is not in the image", {"a": auto("base", "gone", triggers=["base"])}, {"a"}, {"a"}),
    ("not installable", {"a": auto(installable=False)}, set(), set()),
]


@pytest.mark.parametrize(("modules", "marked", "left"), [row[1:] for row in FRESH], ids=[row[0] for row in FRESH])
def test_what_a_new_database_gets_by_itself(modules: dict[str, Any], marked: set[str], left: set[str]) -> None:
    found = record(base=BASE, stock=None, **modules)
    assert installing.of_a_new_database(found) - {"base"} == marked
    assert set(installing.left_out(found)) == left


BESIDE = [
    ("what it needs", {"a": module(depends=("b",)), "b": module()}, [], {"a", "b"}),
    ("a bridge", {"a": module(), "b": auto("a", "stock")}, [], {"a", "b"}),
    ("a bridge to what is not there", {"a": module(), "b": auto("a", "sale")}, [], {"a"}),
    ("a bridge that another bridge calls for", {"a": module(), "b": auto("a"), "c": auto("b")}, [], {"a", "b", "c"}),
    ("nothing that was called for before", {"a": module(), "b": auto("stock")}, [], {"a"}),
    ("one for another country", {"a": module(), "b": auto("a", countries=["fr"])}, ["de"], {"a"}),
    ("one for this country", {"a": module(), "b": auto("a", countries=["fr"])}, ["FR"], {"a", "b"}),
]


@pytest.mark.parametrize(("modules", "countries", "expected"), [row[1:] for row in BESIDE], ids=[row[0] for row in BESIDE])
def test_what_comes_along(modules: dict[str, Any], countries: list[str], expected: set[str]) -> None:
    assert installing.beside(record(**modules).modules, {"base", "stock"}, ["a"], countries) == expected


LACKING = {**module(), "lacks": ["openupgradelib"]}
REFUSED: list[tuple[str, str, str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("wished, and its package is not there", "package_missing", "a asks for openupgradelib", {"a": LACKING}, {"modules__install": ["a"]}, {}),
    ("the package of what a wish needs", "package_missing", "b asks for", {"a": module(depends=("b",)), "b": LACKING}, {"modules__install": ["a"]}, {}),
    ("the package of a bridge", "package_missing", "b asks for", {"a": module(), "b": auto("a", lacks=["x"])}, {"modules__install": ["a"]}, {}),
    ("the package of what is updated", "package_missing", "stock asks for", {"stock": LACKING}, {}, {"changes": Changes({"stock": ("x",)}, {}, ())}),
    ("the package of what depends on what is updated", "package_missing", "sale asks for", {"sale": {**LACKING, "depends": ["stock"]}}, {}, {
        "changes": Changes({"stock": ("x",)}, {}, ()), "database": state(modules={**MODULES, "sale": ("installed", "1.0")}, origins=Origins())}),
    ("a bridge that cannot be installed", "module_not_installable", "b needs gone", {"a": module(), "b": auto("a", "gone", triggers=["a"])},
     {"modules__install": ["a"]}, {}),
    ("a circle", "module_not_installable", "needs itself", {"a": module(depends=("b",)), "b": module(depends=("a",))}, {"modules__install": ["a"]}, {}),
    ("a new dependency's bridge", "module_not_installable", "b needs gone", {
        "stock": module(depends=("base", "a")), "a": module(), "b": auto("a", "gone", triggers=["a"])}, {}, {"changes": Changes({"stock": ("x",)}, {}, ())}),
    ("a language that nobody knows", "language_unknown", "xx_XX", {}, {"languages": ["xx_XX"]}, {
        "database": state(origins=Origins(languages=("en_US", "fr_FR")))}),
]


@pytest.mark.parametrize(("code", "says", "modules", "wished", "found"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_the_plan_refuses(code: str, says: str, modules: dict[str, Any], wished: dict[str, Any], found: dict[str, Any]) -> None:
    target = release("r2", **modules)
    with pytest.raises(DomainError, match=says) as error:
        make_plan(wish(target, **wished), seen(**{"target": target, "changes": CODE, **found}))
    assert error.value.code == code and error.value.unchanged == "Nothing was changed" and error.value.advice


def test_modules_that_no_release_knows_are_not_run() -> None:
    with pytest.raises(DomainError, match="shadow") as error:
        make_plan(wish(R1, config={"limit_time_real": 9}), seen(stray=["shadow"]))
    assert error.value.code == "stray_modules"
    assert not make_plan(wish(), seen(stray=["shadow"])).steps


def test_a_package_of_what_is_not_touched_does_not_matter() -> None:
    target = release("r2", stock=LACKING)
    assert make_plan(wish(target), seen(target=target, changes=CODE)).facts["class"] == "code"


def test_a_new_database_leaves_out_what_it_cannot_install_and_says_so() -> None:
    target = release("r2", base=BASE, a=auto("base", "gone"))
    plan = make_plan(wish(target), seen(**NOTHING, target=target))
    assert plan.facts["left_out"] == {"a": "needs gone, which the image does not offer"}
    with pytest.raises(DomainError) as error:
        make_plan(wish(target, modules__install=["a"]), seen(**NOTHING, target=target))
    assert error.value.code == "module_not_installable"
    assert "left_out" not in make_plan(wish(), seen(**NOTHING, target=R1)).facts
    assert "  left out: a needs gone, which the image does not offer" in plan_summary({"plan": plan.as_dict()}, "acme")


def test_a_language_for_a_new_database_is_one_of_the_release() -> None:
    said = release("r2")
    said.record.raw["languages"] = ["en_US", "ar_001"]  # type: ignore[index]
    assert make_plan(wish(said, languages=["ar_001"]), seen(**NOTHING, target=said)).steps
    with pytest.raises(DomainError) as error:
        make_plan(wish(said, languages=["xx_XX"]), seen(**NOTHING, target=said))
    assert error.value.code == "language_unknown"
    assert make_plan(wish(languages=["xx_XX"]), seen(**NOTHING, target=R1)).steps, "a record of before says nothing of languages"


def test_notes_of_a_build() -> None:
    assert notes_of(record(base=BASE, a=auto("base", "gone"), b=module(depends=("gone",)), c=LACKING, d={**module(), "installable": False})) == [
        "a: needs gone, which the image does not offer; it installs itself, and is left out of new databases",
        "b: needs gone, which the image does not offer",
        "c: asks for openupgradelib, which the image has not",
    ]


class Base:
    """A database with modules on their way."""

    def __init__(self, **states: str) -> None:
        self.states = states
        self.marked: dict[str, str] = {}

    def observe(self) -> DatabaseState:
        return DatabaseState(True, True, modules={name: (found, "") for name, found in self.states.items()})

    def with_origins(self, found: DatabaseState) -> DatabaseState:
        return DatabaseState(True, True, modules=found.modules, origins=Origins(imported=("theme",)))

    def mark_installed(self, names: list[str]) -> None:
        self.marked.update(dict.fromkeys(names, "installed"))

    def mark_uninstalled(self, names: list[str]) -> None:
        self.marked.update(dict.fromkeys(names, "uninstalled"))


def test_what_an_update_leaves_on_its_way() -> None:
    """Only what no run of Odoo can end, and nothing that was asked for."""
    base = Base(theme="to upgrade", stock="to upgrade", a="to install", b="to install", c="to install", d="installed")
    found = record(a=auto("base", "gone"), b=module(), c=auto("gone"))
    assert odoo_run.settle(base, wish(), found, {"install": ["c"]}) == ["left out: a needs gone, which the image does not offer"]  # type: ignore[arg-type]
    assert base.marked == {"theme": "installed", "a": "uninstalled"}
    assert odoo_run.settle(Base(stock="installed"), wish(), found, {}) == []  # type: ignore[arg-type]
