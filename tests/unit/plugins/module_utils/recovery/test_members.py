# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What was done to members of extensions, as statements; what the real server makes of them is tried in tests/integration/recovery."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery import notes
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.members import Member, compared

F: Member = ("unaccent", "function", "public.unaccent(pg_catalog.text)")
ALTER = "alter function public.unaccent(pg_catalog.text)"
BEFORE = {"owner": "postgres", "volatility": "s", "strict": True, "cost": 1, "body": "x"}
FAMILY: Member = ("pg_trgm", "operator family", "public.gin_trgm_ops USING gin")


@pytest.mark.parametrize(("change", "expected"), [
    ({"volatility": "i"}, [f"{ALTER} immutable"]), ({"strict": False}, [f"{ALTER} called on null input"]), ({"cost": 100}, [f"{ALTER} cost 100"]),
    ({"parallel": "r"}, [f"{ALTER} parallel restricted"]), ({"rows": 7.0}, [f"{ALTER} rows 7"]), ({"owner": 'o"dd'}, [f'{ALTER} owner to "o""dd"']),
    ({"comment": "it's \\ ours"}, ["comment on function public.unaccent(pg_catalog.text) is e'it''s \\\\ ours'"]),
    ({"settings": ["search_path=a, \"B c\"", "work_mem=8MB", "my.own=x'y"]}, [
        f"{ALTER} reset all", f'{ALTER} set "search_path" = a, "B c"', f"{ALTER} set \"work_mem\" = '8MB'", f"{ALTER} set \"my\".\"own\" = 'x''y'"]),
    ({"settings": ['search_path=""']}, [f"{ALTER} reset all", f"{ALTER} set \"search_path\" = ''"]),
    ({"body": "y", "volatility": "i"}, ["DEFINITION"]),
])
def test_what_is_altered_of_a_function(change: dict[str, Any], expected: list[str]) -> None:
    found = compared({F: BEFORE}, {F: {**BEFORE, **change}}, lambda _member: "DEFINITION")
    assert [statement for each in found for statement in each["statements"]] == expected
    assert all(each["object"] == "function public.unaccent(pg_catalog.text)" and each["extension"] == "unaccent" for each in found)


def test_what_is_put_back() -> None:
    before = {**BEFORE, "settings": ["work_mem=8MB"], "comment": "theirs"}
    found = compared({F: before}, {F: BEFORE}, lambda _member: "")
    assert [each["statements"] for each in found] == [[f"{ALTER} reset all"], [f"comment on {F[1]} {F[2]} is null"]]


def test_families_dictionaries_and_labels() -> None:
    dictionary: Member = ("unaccent", "text search dictionary", "public.unaccent")
    enum: Member = ("x", "type", "public.mood")
    sort = "operator 9 public.<->(text,text) for order by pg_catalog.float_ops"
    before = {FAMILY: {"family": ["operator 1 public.%(text,text)", sort]}, dictionary: {"dictionary": "rules = 'unaccent'"}, enum: {"labels": ["a", "c"]}}
    after = {FAMILY: {"family": ["operator 1 public.%(text,text)", "function 3 (text, text) f(text)"]}, dictionary: {"dictionary": "rules = 'ours'"},
             enum: {"labels": ["_", "a", "b", "c"]}}
    found = {each["object"]: each["statements"] for each in compared(before, after, lambda _member: "")}  # type: ignore[arg-type]
    alter = "alter operator family public.gin_trgm_ops USING gin"
    assert found[f"{FAMILY[1]} {FAMILY[2]}"] == [f"{alter} add function 3 (text, text) f(text)", f"{alter} drop operator 9 (text,text)"]
    assert found["text search dictionary public.unaccent"] == ["alter text search dictionary public.unaccent (rules = 'ours')"]
    assert found["type public.mood"] == ["alter type public.mood add value '_' before 'a'", "alter type public.mood add value 'b' after 'a'"]


def test_members_gone_and_new_in_that_order() -> None:
    gone: Member = ("x", "function", "public.gone()")
    new: Member = ("x", "function", "public.new()")
    table: Member = ("x", "table", "public.rows")
    found = compared({gone: {}}, {new: {}, table: {}}, lambda member: "MAKE" if member[1] == "function" else "")
    assert [each["statements"] for each in found] == [
        ['alter extension "x" drop function public.gone()', "drop function public.gone()"], ["MAKE", 'alter extension "x" add function public.new()'], []]
    told = notes.not_carried({"alterations": found, "unknown": {"pg_cron": "can only create extension in database postgres"}})
    assert told == ["table public.rows was made a member of extension x",
                    "extension pg_cron could not be compared: can only create extension in database postgres"]


def test_nothing_done_is_nothing_noted() -> None:
    assert compared({F: BEFORE}, {F: dict(BEFORE)}, lambda _member: "DEFINITION") == []


@pytest.mark.parametrize(("noted", "here", "expected"), [
    ({"settings": {"DateStyle": "ISO, MDY"}}, {"settings": {"DateStyle": "ISO, MDY"}}, []),
    ({"settings": {"DateStyle": "SQL, DMY"}}, {"settings": {"DateStyle": "ISO, MDY"}}, ["DateStyle is ISO, MDY here and was SQL, DMY"]),
    ({"settings": {"my.secret": None}}, {"settings": {}}, ["my.secret is not set here and was set"]),
    ({"settings": None, "collation": {"recorded": "2.31"}}, {"settings": None, "collation": {"recorded": "2.41"}},
     ["the version of the database's collation is 2.41 here and was 2.31"]),
])
def test_in_what_a_cluster_differs(noted: dict[str, Any], here: dict[str, Any], expected: list[str]) -> None:
    assert notes.differences(noted, here) == expected
