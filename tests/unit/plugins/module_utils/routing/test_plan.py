# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing import api, model, plan, render_file


def routes(*names: str, **further: Any) -> list[model.Route]:
    return model.parse_routes(
        {"name": name, "hosts": [name + ".test"], "front": "172.28.1.2", "tls": {"resolver": "le"}, **further}
        for name in names
    )


def wanted(found: list[model.Route]) -> plan.Desired:
    return plan.desired_present(found, "http://172.28.0.2:8069", "/c")


def served(files: dict[str, str] | Any, **change: Any) -> api.Snapshot:
    """What Traefik would show of files."""
    kinds: dict[str, dict[str, Any]] = {"routers": {}, "services": {}, "middlewares": {}}
    for text in files.values():
        for kind, name, content in api.objects(render_file.parse(text) or {}):
            kinds[kind][name] = {**content, "name": name, "status": "enabled", **change}
    return api.Snapshot(**kinds)


def steps(found: plan.Plan) -> list[tuple[str, Any]]:
    return [(step.name, step.parameters.get("instance")) for step in found.steps]


def test_create_change_keep_remove() -> None:
    old, new = routes("acme", "bodega"), routes("acme", "bodega", hsts=5)
    files = dict(wanted(old).files)
    assert steps(plan.make_plan(old, wanted(old), plan.Observed({}))) == [
        ("write", "acme"), ("write", "bodega"), ("verify", None)
    ]
    assert plan.make_plan(old, wanted(old), plan.Observed(files, snapshot=served(files))).steps == ()
    mixed = [old[0], new[1]]
    assert steps(plan.make_plan(mixed, wanted(mixed), plan.Observed(files))) == [("write", "bodega"), ("verify", None)]
    gone = plan.Desired(wanted(old[:1]).files, ("bodega", "never"))
    found = plan.make_plan(old[:1], gone, plan.Observed(files))
    assert steps(found) == [("remove", "bodega"), ("verify", None)] and found.after == {"bodega": None}


def test_a_file_that_is_right_and_not_served_is_written_again() -> None:
    found = routes("acme")
    files = dict(wanted(found).files)
    empty = api.Snapshot({}, {}, {})
    assert steps(plan.make_plan(found, wanted(found), plan.Observed(files, snapshot=empty))) == [
        ("write", "acme"), ("verify", None)
    ]
    broken = served(files, status="disabled", error=["no"])
    assert plan.make_plan(found, wanted(found), plan.Observed(files, snapshot=broken)).steps


def test_the_digest_covers_what_is_asked_and_not_when() -> None:
    one, other = routes("acme"), routes("acme", hsts=1)
    empty = plan.Observed({})
    assert plan.make_plan(one, wanted(one), empty).digest == plan.make_plan(routes("acme"), wanted(one), empty).digest
    assert plan.make_plan(one, wanted(one), empty).digest != plan.make_plan(other, wanted(other), empty).digest


def test_hosts_move_between_routes_of_one_call_only() -> None:
    files = dict(wanted(routes("acme")).files)
    taker = routes("bodega", hosts=["acme.test"])
    found = plan.conflicts(taker, wanted(taker), plan.Observed(files))
    assert [(error.code, error.details["route"], error.details["owner"]) for error in found] == [("host_taken", "bodega", "route acme")]
    moved = plan.Desired(wanted(taker).files, ("acme",))
    assert plan.conflicts(taker, moved, plan.Observed(files, snapshot=served(files))) == []
    assert steps(plan.make_plan(taker, moved, plan.Observed(files, snapshot=served(files)))) == [
        ("write", "bodega"), ("remove", "acme"), ("verify", None)
    ]


def test_what_stands_in_the_way_of_one_route_is_that_ones() -> None:
    three = routes("acme", "bodega", "cantina")
    desired = plan.Desired(wanted(three).files, ("gone",))
    world = plan.Observed({}, foreign=frozenset({"bodega", "gone"}))
    assert [(error.code, error.details["route"]) for error in plan.conflicts(three, desired, world)] == [
        ("foreign_file", "bodega"), ("foreign_file", "gone")]
    left = plan.without(desired, ["bodega", "gone"])
    assert plan.conflicts(three, left, world) == [] and sorted(left.files) == ["acme", "cantina"] and left.absent == ()


def test_a_damaged_file_is_written_anew_where_it_is_asked_for_and_named_where_it_is_not() -> None:
    one = routes("acme")
    world = plan.Observed({"acme": render_file.MARKER + '{"http": {"rou', "other": render_file.MARKER + "\ufffd"})
    assert sorted(world.damaged) == ["acme", "other"]
    both = plan.Desired(wanted(one).files, ("other",))
    assert steps(plan.make_plan(one, both, world)) == [("write", "acme"), ("remove", "other"), ("verify", None)]
    with pytest.raises(DomainError, match="mark"):
        plan.make_plan(one, wanted(one), world)


@pytest.mark.parametrize(
    "asked,shown,truth",
    [
        ("300s", "5m0s", True), ("250ms", "250ms", True), ("1s", "2s", False), ("x", "x@file", True),
        ({"a": 1}, {"a": 1, "b": 2}, True), ({"a": 1}, {"b": 2}, False), ([1], [1, 2], False), ([1, 2], [1, 2], True),
        (True, True, True), ("1", 1, False), ("", "", True), ({}, [], False),
    ],
)
def test_what_counts_as_served(asked: Any, shown: Any, truth: bool) -> None:
    assert api.within(asked, shown) is truth


@pytest.mark.parametrize(
    "rule,hosts",
    [
        ("Host(`a.test`)", {"a.test"}), ("Host(`A.test`, `b.test`) && Path(`/x`)", {"a.test", "b.test"}),
        ('Host("a.test") || Host(`c.test`)', {"a.test", "c.test"}), ("HostSNI(`a.test`)", {"a.test"}),
        ("PathPrefix(`/api`)", set()), ("HostRegexp(`.*`)", set()),
    ],
)
def test_hosts_of(rule: str, hosts: set[str]) -> None:
    assert api.hosts_of(rule) == hosts
