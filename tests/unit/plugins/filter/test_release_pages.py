# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From journals to the pages of the report."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2
from ansible_collections.sysgenpro.odoo.plugins.filter.release_pages import release_pages
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.text import local_time

HEADER = {
    "at": "2026-11-21T10:00:00.000+00:00", "seconds": 0.0, "event": "open", "operation": "20261121T100000-released-ab",
    "class": "update", "strategy": "hold", "release": "sha256:" + "c" * 64, "name": "r3", "plan": "sha256:p",
    "before": {"release": "sha256:" + "b" * 64}, "reasons": {"shop": ["field"]}, "rehearsal": {"pause": 5.0},
    "who": "jane", "why": "prices",
}


def _entry(seconds, event, step="", **more):
    return {"at": f"2026-11-21T10:00:{seconds:06.3f}+00:00", "seconds": seconds, "event": event, "step": step, **more}


DONE = [
    HEADER,
    _entry(1, "begin", "hold", title="Let requests wait"), _entry(1.5, "done", "hold"),
    _entry(1.5, "begin", "update", title="Update shop"), _entry(6, "done", "update"),
    _entry(6, "begin", "let_go", title="Let go"), _entry(6.5, "done", "let_go"),
    _entry(6.5, "begin", "settle", title="Settle"), _entry(10, "done", "settle"),
    _entry(10, "close", outcome="done", pause=5.5, warnings=[]),
]
UNDONE = [
    HEADER,
    _entry(1, "begin", "hold", title="Let requests wait"), _entry(2, "done", "hold"),
    _entry(2, "begin", "update", title="Update shop"), _entry(4, "failed", "update", message="it raised"),
    _entry(4, "undo", "update"), _entry(5, "undone", "update"),
    _entry(5, "undo", "hold"), _entry(5.5, "undone", "hold"),
    _entry(8, "close", outcome="undone", pause=4.5, warnings=[], error="it raised"),
]


def _pages(requests=(), **operations):
    statuses = {name.replace("_", "-"): {"operations": entries} for name, entries in operations.items()}
    return release_pages(statuses, {name: name.rpartition("-")[2] for name in statuses}, requests)


def test_one_page_for_each_release_in_each_environment():
    pages = _pages(acme_uat=[DONE], acme_production=[DONE], bodega_production=[DONE])
    assert sorted((page["environment"], len(page["operations"])) for page in pages) == [("production", 2), ("uat", 1)]
    assert len({page["file"] for page in pages}) == 2


def test_the_timeline_shows_who_waited_when():
    operation = _pages(acme_uat=[DONE])[0]["operations"][0]
    assert [(step["name"], step["held"]) for step in operation["steps"]] == [
        ("hold", True), ("update", True), ("let_go", True), ("settle", False)]
    assert operation["steps"][1]["left"] == 15.0 and operation["steps"][1]["width"] == 45.0
    assert (operation["pause"], operation["predicted"]) == (5.5, 5.0)


def test_what_failed_and_was_undone_is_there():
    operation = _pages(acme_uat=[UNDONE])[0]["operations"][0]
    assert [(step["name"], step["undo"], step["outcome"]) for step in operation["steps"]] == [
        ("hold", False, "done"), ("update", False, "failed"), ("update", True, "done"), ("hold", True, "done")]
    assert operation["steps"][1]["message"] == operation["error"] == "it raised"
    assert operation["steps"][3]["held"]


def test_an_operation_under_way_has_no_end_yet():
    operation = _pages(acme_uat=[DONE[:4]])[0]["operations"][0]
    assert (operation["outcome"], operation["pause"], operation["steps"][1]["outcome"]) == ("under way", None, "under way")


def test_requests_are_counted_only_where_they_were():
    served = {"instance": "acme-uat", "operation": HEADER["operation"], "requests": 100, "failed": 1, "longest": 5.4,
              "p50": 0.1, "p99": 5.0, "reasons": {"list: status 502": 1}}
    counted = _pages([served], acme_uat=[DONE])[0]
    assert (counted["requests"], counted["failed"], counted["longest"]) == (100, 1, 5.4)
    silent = _pages([served], bodega_uat=[DONE])[0]
    assert silent["requests"] is None and silent["operations"][0]["served"] is None


def test_names_make_no_paths():
    page = _pages(acme_uat=[[{**HEADER, "name": "../../r 3"}, *DONE[1:]]])[0]
    assert "/" not in page["file"] and " " not in page["file"]


def test_a_torn_journal_is_left_out():
    assert _pages(acme_uat=[[], DONE[1:]]) == []


# -- the page, as Jinja makes it ------------------------------------------------------------------

def _page(provenance):
    templates = Path(__file__).parents[4] / "roles" / "report" / "templates"
    environment = jinja2.Environment(loader=jinja2.FileSystemLoader(templates), undefined=jinja2.StrictUndefined, autoescape=False)
    environment.filters["sysgenpro.odoo.local_time"] = local_time
    header = {**HEADER, **({"provenance": provenance} if provenance else {})}
    text = environment.get_template("release.html.j2").render(__role_page=_pages(acme_uat=[[header, *DONE[1:]]])[0], __report_index="index.html")
    return " ".join(re.sub("<[^>]*>", " ", text).split())


SHOP = {"name": "<shop>", "url": "u", "commit": "ab" * 20, "signed_by": "vera@example.com", "reviewed": True}
BUILT = {"by": "build@example.com", "builder": "urn:sysgenpro:builder:b1", "base": "sha256:" + "d" * 64, "finished": "2026-11-20T10:00:00+00:00", "afterwards": False,
         "components": 363, "signed": ["build@example.com (ssh)"], "sources": [SHOP, {"name": "local", "url": "", "commit": "", "signed_by": "", "reviewed": False}]}


def test_the_page_says_where_it_comes_from():
    said = _page(BUILT)
    assert "by b1, provenance signed by build@example.com ." in said.replace("com.", "com .") and "names 363 components" in said
    assert "Image signed by build@example.com (ssh)" in said and "&lt;shop&gt; abababababab vera@example.com , reviewed" in said.replace("com,", "com ,")
    assert "local a folder" in said and "after it was built" not in said
    assert "after it was built" in _page({**BUILT, "afterwards": True}) and "Nobody's signature" in _page({**BUILT, "signed": []})


def test_the_page_says_what_was_not_verified():
    said = _page({"base": "r/odoo@sha256:" + "d" * 64, "sources": [{"name": "shop", "url": "u", "commit": "ab" * 20}]})
    assert "provenance was not verified" in said and "shop abababababab" in said and "sha256:dddddddddddd" in said
    assert "Where it comes from" not in _page(None), "a journal of before that was noted"
