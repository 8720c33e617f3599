# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order instances are released, and where each wave stands by their records."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._estate.waves import standing, waves
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

IMAGE, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def of(ring: str = "", region: str = "") -> dict[str, str]:
    return {"ring": ring, "region": region}


SHOPS = {"d": of("", "us"), "c": of("", "eu"), "b": of("canary", "us"), "a": of("", "eu"), "e": of()}


@pytest.mark.parametrize(("regions", "size", "expected"), [
    ([], 0, [("canary", "b"), ("eu", "ac"), ("us", "d"), ("no region", "e")]), (["us", "eu"], 0, [("canary", "b"), ("us", "d"), ("eu", "ac"), ("no region", "e")]),
    (["us"], 1, [("canary", "b"), ("us", "d"), ("eu 1", "a"), ("eu 2", "c"), ("no region", "e")]),
])
def test_canaries_first_and_then_by_region(regions: list[str], size: int, expected: list[tuple[str, str]]) -> None:
    assert [(wave["name"], "".join(wave["instances"])) for wave in waves(SHOPS, regions, size)] == expected


@pytest.mark.parametrize(("instances", "regions", "size", "field"), [
    (SHOPS, "eu", 0, "waves_regions"), (SHOPS, ["eu", "eu"], 0, "waves_regions"), (SHOPS, ["moon"], 0, "waves_regions is 'moon', expected regions of these instances: eu, us"),
    (SHOPS, [], -1, "waves_size"), ({"a": of("first")}, [], 0, "instance a: instance_ring"), ({"a": of()}, ["eu"], 0, "none"),
])
def test_bad_input(instances: Any, regions: Any, size: int, field: str) -> None:
    with pytest.raises(DomainError, match=field) as error:
        waves(instances, regions, size)
    assert error.value.code == "bad_input"


def status(image: str = "", outcome: str = "", requests: int = 0, failed: int = 0, state: str = "released", interrupted: Any = None) -> dict[str, Any]:
    entries = [{"event": "open", "state": state, "operation": "1", "after": {"image": IMAGE}}, {"event": "begin"}]
    if outcome and outcome != "open":
        entries.append({"event": "close", "outcome": outcome, "answered": {"requests": requests, "failed": failed}, "error": "" if outcome == "done" else "no login"})
    return {"instance": {"release": {"image": image, "name": "r3", "at": "x"} if image else None, "interrupted": interrupted}, "operations": [entries] if outcome else []}


DONE, OLD = status(IMAGE, "done"), status(OTHER)


@pytest.mark.parametrize(("found", "refused", "budget", "states"), [
    ({}, {}, 0, ["waiting", "waiting"]), ({"a": OLD, "b": OLD}, {}, 0, ["waiting", "waiting"]), ({"a": DONE, "b": OLD}, {}, 0, ["passed", "waiting"]),
    ({"a": DONE, "b": DONE}, {}, 0, ["passed", "passed"]), ({"a": status(OTHER, "undone"), "b": OLD}, {}, 0, ["stopped", "waiting"]),
    ({"a": status(OTHER, "open"), "b": OLD}, {}, 0, ["under way", "waiting"]), ({"a": status(OTHER, interrupted={"operation": "1"}), "b": OLD}, {}, 0, ["under way", "waiting"]),
    ({"a": OLD, "b": OLD}, {"a": "gates are closed"}, 0, ["stopped", "waiting"]),
    # One that runs it by now was refused by a run before.
    ({"a": DONE, "b": OLD}, {"a": "gates are closed"}, 0, ["passed", "waiting"]),
    ({"a": status(IMAGE, "done", 1000, 1), "b": OLD}, {}, 0, ["stopped", "waiting"]), ({"a": status(IMAGE, "done", 1000, 1), "b": OLD}, {}, 0.001, ["passed", "waiting"]),
    ({"a": status(IMAGE, "done", 1000, 2), "b": OLD}, {}, 0.001, ["stopped", "waiting"]),
    # A rehearsal of it is no release of it.
    ({"a": status(OTHER, "failed", state="rehearsed"), "b": OLD}, {}, 0, ["waiting", "waiting"]),
])
def test_where_waves_stand(found: Any, refused: dict[str, str], budget: float, states: list[str]) -> None:
    planned = [{"name": "canary", "instances": ["a"]}, {"name": "eu", "instances": ["b"]}]
    assert [wave["state"] for wave in standing(planned, found, {"a": IMAGE, "b": IMAGE}, budget, refused)] == states


def test_a_budget_is_of_the_whole_wave() -> None:
    found = standing([{"name": "eu", "instances": ["a", "b"]}], {"a": status(IMAGE, "done", 10, 1), "b": status(IMAGE, "done", 990, 0)}, {"a": IMAGE, "b": IMAGE}, 0.001, {})
    assert (found[0]["requests"], found[0]["failed"], found[0]["state"], found[0]["over_budget"]) == (1000, 1, "passed", False)


def test_why_is_told() -> None:
    found = standing([{"name": "eu", "instances": ["a"]}], {"a": status(OTHER, "undone")}, {"a": IMAGE}, 0, {})
    assert found[0]["why"] == ["a: no login"]
