# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that live in the database only: what is planned with them, and what is not taken for one of them."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Origins
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.changes import classify
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.config import environment
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.plan import make_plan
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.samples import module, params, release
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.test_plan import (
    CODE,
    CODE_STEPS,
    MODULES,
    R1,
    R2,
    UPDATE,
    UPDATE_STEPS,
    box,
    boxes,
    seen,
    state,
    wish,
)


def with_module(name: str = "theme_shop", state_: str = "installed", version: str | None = "19.0.1.0", **origins: Any) -> Any:
    """A database with one more module, and what it says of where that comes from."""
    return state(modules={**MODULES, name: (state_, version or "")}, origins=Origins(**origins))


IMPORTED: dict[str, Any] = {"imported": ("theme_shop",)}
ADOPTED = {"target": R1, "front": None, "places": {}}
HOLDS = release("r2", theme_shop=module())

PLANNED: list[tuple[str, dict[str, Any], dict[str, Any], str, list[str]]] = [
    ("imported, other code", {"release_": R2}, {"target": R2, "changes": CODE, "database": with_module(**IMPORTED)}, "code", CODE_STEPS),
    ("imported, another schema", {"release_": R2}, {"target": R2, "changes": UPDATE, "database": with_module(**IMPORTED)}, "update", UPDATE_STEPS),
    ("imported, without a version", {"release_": R2}, {"target": R2, "changes": CODE, "database": with_module(version=None, **IMPORTED)}, "code", CODE_STEPS),
    ("Studio's, where nobody marks it", {"release_": R2}, {"target": R2, "changes": CODE, "database": with_module("studio_customization")}, "code", CODE_STEPS),
    ("said by the operator", {"release_": R2, "modules__without_code": ["theme_shop"]}, {"target": R2, "changes": CODE, "database": with_module()},
     "code", CODE_STEPS),
    ("adopted, with a version of its own", {"adopt": True}, {
        **ADOPTED, "database": dataclasses.replace(with_module(version="7.3", **IMPORTED), applied=None, identity=None)}, "adopt",
     ["pull", "stage", "prove", "switch", "record", "start_cron", "settle"]),
    ("the same release again", {}, {"database": with_module(**IMPORTED)}, "none", []),
    ("uninstalled on purpose", {"release_": R2, "modules__uninstall": ["theme_shop"]}, {
        "target": R2, "changes": CODE, "database": with_module(**IMPORTED)}, "update", UPDATE_STEPS),
    ("left on its way, same release", {}, {"database": with_module(state_="to upgrade", **IMPORTED)}, "cron", ["mark_installed"]),
    ("left on its way, and cron gone", {}, {"database": with_module(state_="to upgrade", **IMPORTED), "places": boxes(box("blue", "web"))}, "cron",
     ["mark_installed", "start_cron"]),
    ("left on its way, other code", {"release_": R2}, {"target": R2, "changes": CODE, "database": with_module(state_="to upgrade", **IMPORTED)}, "code",
     ["pull", "mark_installed", *CODE_STEPS[1:]]),
    ("left on its way with Odoo's mark", {}, {"database": dataclasses.replace(with_module(state_="to upgrade", **IMPORTED), partially_updated="1")},
     "cron", ["mark_installed"]),
    ("left on its way, another schema", {"release_": R2}, {"target": R2, "changes": UPDATE, "database": with_module(state_="to upgrade", **IMPORTED)},
     "update", UPDATE_STEPS),
    ("the release holds it now", {"release_": HOLDS}, {"target": HOLDS, "changes": CODE, "database": with_module(**IMPORTED)}, "code", CODE_STEPS),
]


@pytest.mark.parametrize(("wished", "found", "kind", "steps"), [row[1:] for row in PLANNED], ids=[row[0] for row in PLANNED])
def test_what_is_planned(wished: dict[str, Any], found: dict[str, Any], kind: str, steps: list[str]) -> None:
    wanted = wish(wished.get("release_", R1), **{k: v for k, v in wished.items() if k != "release_"})
    plan = make_plan(wanted, seen(**found))
    assert (plan.facts["class"], [step.name for step in plan.steps]) == (kind, steps)
    assert bool(plan.steps) == (plan.before != plan.after) or kind == "adopt"


def importing() -> Any:
    return state(modules={**MODULES, "theme_shop": ("installed", ""), "base_import_module": ("installed", "1.0")}, origins=Origins(**IMPORTED))


def test_the_mark_may_go_once_the_operator_says_it() -> None:
    wanted = wish(R2, modules__uninstall=["base_import_module"], modules__without_code=["theme_shop"])
    assert make_plan(wanted, seen(target=R2, changes=CODE, database=importing())).facts["class"] == "update"


REFUSED: list[tuple[str, str, str, dict[str, Any], dict[str, Any]]] = [
    ("nobody says that it has none", "module_missing", "theme_shop", {}, {"database": with_module()}),
    ("the mark is of another module", "module_missing", "theme_shop", {}, {"database": with_module(imported=("other",))}),
    ("marked, but the running release holds its code", "module_missing", "release that runs", {}, {
        "database": with_module(held=("theme_shop",), **IMPORTED)}),
    ("said, but the running release holds its code", "module_missing", "release that runs", {"modules__without_code": ["theme_shop"]}, {
        "database": with_module(held=("theme_shop",))}),
    ("said, but its Python made models", "module_missing", "its Python made", {"modules__without_code": ["theme_shop"]}, {
        "database": with_module(with_models=("theme_shop",))}),
    ("what it needs is not offered", "module_missing", "website", {}, {
        "database": with_module(depends={"theme_shop": ["website"]}, **IMPORTED)}),
    ("what it needs is to go", "module_needed", "theme_shop needs stock", {"modules__uninstall": ["stock"]}, {
        "database": with_module(depends={"theme_shop": ["stock"]}, **IMPORTED)}),
    ("not on its way, and Odoo's mark", "half_updated", "base.partially_updated_database", {}, {
        "database": dataclasses.replace(with_module(**IMPORTED), partially_updated="1")}),
    ("its mark is to go, and nobody says it", "module_needed", "theme_shop", {"modules__uninstall": ["base_import_module"]}, {
        "database": importing()}),
    ("on its way in", "half_updated", "to install", {}, {"database": with_module(state_="to install", **IMPORTED)}),
    ("on its way out", "half_updated", "to remove", {}, {"database": with_module(state_="to remove", **IMPORTED)}),
    ("left on its way, and nobody says that it has none", "half_updated", "to upgrade", {}, {"database": with_module(state_="to upgrade")}),
    ("left on its way, and the running release holds it", "half_updated", "to upgrade", {}, {
        "database": with_module(state_="to upgrade", held=("theme_shop",), **IMPORTED)}),
]


@pytest.mark.parametrize(("code", "says", "wished", "found"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_refused(code: str, says: str, wished: dict[str, Any], found: dict[str, Any]) -> None:
    with pytest.raises(DomainError, match=says) as error:
        make_plan(wish(R2, **wished), seen(target=R2, changes=CODE, **found))
    assert error.value.code == code and error.value.unchanged.startswith("Nothing was changed")
    assert code == "module_needed" or "uninstall" not in error.value.advice


def test_a_module_of_the_image_left_on_its_way_is_no_such_module() -> None:
    with pytest.raises(DomainError, match="to upgrade"):
        make_plan(wish(HOLDS), seen(target=HOLDS, changes=CODE, database=with_module(state_="to upgrade", **IMPORTED)))


@pytest.mark.parametrize("offered", [module(depends=("base", "gone")), {**module(), "installable": False}], ids=["a dependency is gone", "not installable"])
def test_what_odoo_would_not_load_is_refused_beforehand(offered: dict[str, Any]) -> None:
    target = release("r2", stock=offered)
    with pytest.raises(DomainError) as error:
        make_plan(wish(target), seen(target=target, changes=CODE))
    assert error.value.code == "module_missing"


def test_it_is_neither_updated_nor_said_to_have_changed() -> None:
    changes = classify(R1.record, R2.record, {"base": "19.0.1.3", "theme_shop": ""}, ["en_US"])
    assert "theme_shop" not in {**changes.update, **changes.code}


def test_the_plan_names_them_and_readiness_is_told() -> None:
    plan = make_plan(wish(R2), seen(target=R2, changes=CODE, database=with_module(**IMPORTED)))
    assert plan.facts["without_code"] == ["theme_shop"]
    given = params(modules__without_code=["b", "a"])
    assert environment(given, "web")["SYSGENPRO_MODULES_WITHOUT_CODE"] == "a,b"
    assert "SYSGENPRO_MODULES_WITHOUT_CODE" not in {**environment(given, "cron"), **environment(params(), "web")}


@pytest.mark.parametrize("value", [{"without_code": ["a b"]}, {"install": ["a"], "without_code": ["a"]}])
def test_bad_names(value: dict[str, list[str]]) -> None:
    with pytest.raises(DomainError, match="modules"):
        desired(params(modules={"install": [], "uninstall": [], "without_code": [], **value}))
