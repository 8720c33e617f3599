# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a database lacks of what Odoo gives its own, as a table, and what a plan makes of it. With PostgreSQL: tests/integration/database."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import given
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.given import IMMUTABLE
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.plan import make_plan
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.test_plan import (
    CODE_STEPS,
    NOTHING,
    R1,
    R2,
    R2_CODE,
    R2_UPDATE,
    UPDATE_STEPS,
    box,
    boxes,
    seen,
    wish,
)

PLAIN, ELSEWHERE = {"pg_trgm": "public", "unaccent": "public"}, {"pg_trgm": "x", "unaccent": "x"}


@pytest.mark.parametrize(("there", "volatile", "without", "with_unaccent"), [
    ({}, None, ["pg_trgm"], ["pg_trgm", "unaccent", IMMUTABLE]), (None, None, ["pg_trgm"], ["pg_trgm", "unaccent", IMMUTABLE]),
    (PLAIN, "i", [], []), (PLAIN, "s", [], [IMMUTABLE]), ({"pg_trgm": "public"}, None, [], ["unaccent", IMMUTABLE]),
    (ELSEWHERE, None, [], []), (ELSEWHERE, "i", [], []), (ELSEWHERE, "s", [], []), ({"pg_trgm": "public"}, "i", [], [])])
def test_what_is_lacking(there: Any, volatile: Any, without: list[str], with_unaccent: list[str]) -> None:
    found = {"there": there, "unaccent": volatile}
    assert given.lacking(found, False) == without and given.lacking(found, True) == with_unaccent


@pytest.mark.parametrize(("value", "wanted"), [
    (True, True), ("True", True), ("true", True), ("1", True), ("yes", True), ("on", True), (1, True), (False, False), ("False", False), ("false ", False),
    ("0", False), ("no", False), ("", False), (None, False), (0, False)])
def test_what_the_configuration_says(value: Any, wanted: bool) -> None:
    assert given.wants_unaccent({"config": {"unaccent": value}, "config_secrets": {}}) is wanted
    assert not given.wants_unaccent({"config": {}, "config_secrets": {}})


CREATE = ["pull", "create_database", "update", "check_modules"]


@pytest.mark.parametrize(("asked", "found", "kind", "steps"), [
    ({}, {}, "none", ["extensions"]), ({}, {"places": boxes(box("blue", "web"))}, "cron", ["extensions", "start_cron"]),
    ({"release_": R2}, R2_CODE, "code", ["pull", "extensions", *CODE_STEPS[1:]]),
    ({"release_": R2}, R2_UPDATE, "update", ["pull", "extensions", *UPDATE_STEPS[1:]])])
def test_a_plan_tells_it_as_a_step(asked: dict[str, Any], found: dict[str, Any], kind: str, steps: list[str]) -> None:
    """It changes no class: nothing is held for it that would not be held without."""
    plan = make_plan(wish(**asked), seen(**found, lacks=["pg_trgm"]))
    assert (plan.facts["class"], [step.name for step in plan.steps]) == (kind, steps)
    assert plan.digest != make_plan(wish(**asked), seen(**found)).digest
    step = next(step for step in plan.steps if step.name == "extensions")
    assert step.title == "Give the database what Odoo gives its own: pg_trgm"


def test_a_new_database_has_no_step_of_its_own() -> None:
    plan = make_plan(wish(), seen(**NOTHING, target=R1, lacks=["pg_trgm"]))
    assert [step.name for step in plan.steps][:4] == CREATE


@pytest.mark.parametrize(("found", "lacks", "missing", "refused"), [
    ({**NOTHING, "target": R1}, ["pg_trgm"], ["pg_trgm"], True), ({}, ["pg_trgm"], ["pg_trgm"], False),
    ({}, ["unaccent", IMMUTABLE], ["unaccent"], True), ({}, ["pg_trgm", "unaccent", IMMUTABLE], ["pg_trgm"], False)])
def test_a_package_that_is_not_there(found: dict[str, Any], lacks: list[str], missing: list[str], refused: bool) -> None:
    """No database is made without what Odoo needs, nor run without what was asked for; one that runs without pg_trgm runs on, and that is told."""
    if refused:
        with pytest.raises(DomainError, match=missing[0]) as error:
            make_plan(wish(), seen(**found, lacks=lacks, missing=missing))
        assert error.value.code == "extension_missing" and "postgresql-contrib" in error.value.advice
        return
    plan = make_plan(wish(), seen(**found, lacks=lacks, missing=missing))
    assert plan.facts["extensions"] == ["the cluster does not offer pg_trgm: install postgresql-contrib"]
    assert [step.parameters["names"] for step in plan.steps] == ([lacks[1:]] if lacks[1:] else [])


LISTING = """;
; Archive created at 2026-11-29
2; 3079 16386 EXTENSION - pg_trgm
3957; 0 0 COMMENT - EXTENSION pg_trgm shop_owner
3; 3079 16400 EXTENSION - unaccent_more
4; 3079 16401 EXTENSION - unaccent
215; 1259 16500 TABLE public pg_trgm shop_owner
"""


def test_the_list_of_a_dump() -> None:
    assert given.in_dump(LISTING) == ["pg_trgm", "unaccent"] and given.in_dump("") == []
    kept = [line for line in given.left_out(LISTING, ["pg_trgm", "unaccent"]).splitlines() if not line.startswith(";")]
    assert kept == ["3; 3079 16400 EXTENSION - unaccent_more", "215; 1259 16500 TABLE public pg_trgm shop_owner"]
    assert given.left_out(LISTING, []) == LISTING
