# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A share of the requests for the new colour: what is read of how it fares, when that is too bad, and that nothing of a share is left however it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.filter.release_text import release_summary
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import canary
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.canary import Fared
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing import render_gateway
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.model import parse_routes
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime import shared_route
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.pods import Ground
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release import samples
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import (
    R1,
    R2,
    R3,
    Killed,
    Rig,
    released,
    running_r1,
)

ASKED: dict[str, Any] = {"steps": [5, 100], "watch": 10, "errors": 1.0, "slower": 3.0}
ALLOWED = {"errors": 1.0, "slower": 3.0}
GOOD = '2026-11-30 02:20:22,311 7 INFO acme werkzeug: 10.244.0.9 - - [30/Nov/2026 02:20:22] "POST /web/dataset/call_kw HTTP/1.1" 200 - 8 0.004 0.012 \n'
BAD = GOOD.replace('" 200 ', '" 500 ')
RAISED = "2026-11-30 02:20:22,311 7 ERROR acme odoo.http: Exception during request handling. \nTraceback (most recent call last):\nValueError: no\n"
SHARE = {("IngressRoute", "acme-production-canary"), ("TraefikService", "acme-production-canary")}


@pytest.mark.parametrize(("log", "told"), [
    ("", Fared(0, 0, None)), (GOOD, Fared(1, 0, 0.016)), (GOOD + BAD, Fared(2, 1, 0.016)), (GOOD + RAISED, Fared(1, 1, 0.016)),
    (GOOD.replace("8 0.004 0.012", "- - -"), Fared(1, 0, None)),
    (GOOD.replace("/web/dataset/call_kw", "/websocket?version=1") + GOOD.replace("/web/dataset/call_kw", "/sysgenpro/ready"), Fared(0, 0, None)),
    (GOOD.replace(" INFO ", " WARNING ").replace("acme", "?"), Fared(1, 0, 0.016)),
    ("2026-11-30 02:20:22,311 7 ERROR acme odoo.sql_db: bad query: x\n2026-11-30 02:20:22,311 7 WARNING acme odoo.http: no access\n", Fared(0, 0, None))],
    ids=["nothing", "one", "a 500", "raised", "without seconds", "not asked by people", "other words", "what is no answer"])
def test_what_odoo_wrote_is_read(log: str, told: Fared) -> None:
    assert canary.fared(log) == told


@pytest.mark.parametrize(("new", "old", "bad"), [
    (Fared(0, 0, None), Fared(100, 0, 0.1), False), (Fared(5, 1, 0.1), Fared(100, 0, 0.1), False), (Fared(5, 2, 0.1), Fared(100, 0, 0.1), True),
    (Fared(100, 2, 0.1), Fared(100, 0, 0.1), True), (Fared(100, 2, 0.1), Fared(100, 2, 0.1), False), (Fared(1000, 9, 0.1), Fared(1000, 0, 0.1), False),
    (Fared(100, 0, 0.31), Fared(100, 0, 0.1), True), (Fared(100, 0, 0.3), Fared(100, 0, 0.1), False), (Fared(10, 0, 9.0), Fared(100, 0, 0.1), False),
    (Fared(100, 0, 9.0), Fared(3, 0, 0.1), False), (Fared(100, 0, None), Fared(100, 0, None), False)])
def test_when_it_fares_too_badly(new: Fared, old: Fared, bad: bool) -> None:
    assert bool(canary.verdict(new, old, ALLOWED)) == bad


@pytest.mark.parametrize(("change", "field"), [
    ({"steps": []}, "canary.steps"), ({"steps": [25, 5]}, "canary.steps"), ({"steps": [5, 5]}, "canary.steps"), ({"steps": [0, 5]}, "canary.steps"),
    ({"steps": [5, 101]}, "canary.steps"), ({"watch": 0}, "canary.watch"), ({"errors": -1.0}, "canary.errors"), ({"slower": 0.5}, "canary.slower")])
def test_bad_input_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as error:
        desired(samples.params(release=R1.reference, **_in_cluster({**ASKED, **change})))
    assert error.value.code == "bad_input" and error.value.message.startswith(field)


def test_a_machine_has_none() -> None:
    with pytest.raises(DomainError, match=r"canary is .*expected nothing with runtime docker"):
        desired(samples.params(release=R1.reference, canary=ASKED))


def _in_cluster(asked: dict[str, Any] | None) -> dict[str, Any]:
    return {"canary": asked, "runtime": "kubernetes", "database__host": "192.0.2.10", "session": None}


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return _running(tmp_path, monkeypatch)


def _running(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    found = Rig(directory, monkeypatch, "kubernetes")
    running_r1(found)
    found.world.logs.update({"blue-web": GOOD * 40, "green-web": GOOD * 30})
    return found


def _shared(rig: Rig) -> set[tuple[str, str]]:
    assert rig.api
    return SHARE & rig.api.objects.keys()


def test_beside_an_http_route_it_is_one() -> None:
    """By the same filters, and above the own route's first rule alone (_routing/render_gateway.py)."""
    [route] = parse_routes([{"name": "acme", "hosts": ["acme.test"], "output": "http_route", "gateway": {"namespace": "edge"}}], in_cluster=True)
    own = next(item for item in render_gateway.objects(route) if item["kind"] == "HTTPRoute")
    service, shared = shared_route.objects(Ground("acme", "acme", 1000), own, "green-web", 25, 60)
    assert [(each["name"], each["weight"], each.get("nativeLB")) for each in service["spec"]["weighted"]["services"]] == [("acme", 75, True), ("green-web", 25, True)]
    [rule] = shared["spec"]["rules"]
    assert rule["filters"] == own["spec"]["rules"][0]["filters"] and rule["backendRefs"][0]["name"] == "acme-canary" == shared["metadata"]["name"]
    assert rule["matches"] == [{"path": {"type": "RegularExpression", "value": render_gateway.ANY}}] and shared_route.ANY == render_gateway.ANY
    assert {key: shared["spec"][key] for key in ("parentRefs", "hostnames")} == {key: own["spec"][key] for key in ("parentRefs", "hostnames")}


def test_shares_grow_and_then_it_leads(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rig.api
    seen = []
    apply = rig.api.apply

    def applied(item: Any, **more: Any) -> Any:
        if item["kind"] == "TraefikService":
            seen.append([(each["name"], each["weight"]) for each in item["spec"]["weighted"]["services"]])
        if item["kind"] == "IngressRoute":
            rule, = item["spec"]["routes"]
            assert (rule["match"], rule["priority"], rule["middlewares"]) == ("Host(`a.example.test`)", 11, [{"name": "acme-page"}])
            assert rule["services"] == [{"kind": "TraefikService", "name": "acme-production-canary"}]
        return apply(item, **more)

    monkeypatch.setattr(rig.api, "apply", applied)
    result = rig.run(rig.params(R2, **_in_cluster(ASKED)))
    assert seen == [[("acme-production", 95), ("green-web", 5)], [("acme-production", 0), ("green-web", 100)]]
    assert [step.name for step in result["plan"].steps].index("canary") < [step.name for step in result["plan"].steps].index("switch")
    assert rig.world.front_colour() == "green" and _shared(rig) == set() and released(rig.world, R2) == []
    told = release_summary({**result, "plan": {"class": "code"}}, "acme")
    assert told[1] == "  5 of 100 requests: the new colour answered 30, 0 failed, half of them within 0.016 s, " \
        "the old one answered 40, 0 failed, half of them within 0.016 s"
    assert not rig.run(rig.params(R2, **_in_cluster(ASKED)))["changed"]


@pytest.mark.parametrize("log", [BAD * 3, GOOD * 30 + RAISED * 2, GOOD.replace("0.012", "9.012") * 30], ids=["500", "raises", "slow"])
def test_undone_by_itself(rig: Rig, log: str) -> None:
    rig.world.logs["green-web"] = log
    before = rig.world.snapshot()
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(R2, **_in_cluster(ASKED)))
    assert error.value.code == "canary_failed" and "with 5 of 100 requests led to it green fares worse than blue" in error.value.message
    assert rig.world.front_colour() == "blue" and _shared(rig) == set()
    assert rig.world.snapshot() == before and rig.journal() == []


def test_a_shop_that_nobody_visits_is_warned_of(rig: Rig) -> None:
    rig.world.logs["green-web"] = ""
    result = rig.run(rig.params(R2, **_in_cluster(ASKED)))
    assert "wrote of no request while 5 of 100 were led to it" in json.dumps(result["operation"]["warnings"])


def test_an_update_has_none(rig: Rig) -> None:
    plan = rig.run(rig.params(R3, **_in_cluster(ASKED)))["plan"]
    assert plan.facts["class"] == "update" and "canary" not in [step.name for step in plan.steps]


def test_killed_anywhere_nothing_of_a_share_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    total = _running(tmp_path / "count", monkeypatch)
    effects = total.count(total.params(R2, **_in_cluster(ASKED)))
    for number in range(1, effects + 1):
        rig = _running(tmp_path / str(number), monkeypatch)
        rig.fail_at(number, "kill")
        with pytest.raises(Killed):
            rig.run(rig.params(R2, **_in_cluster(ASKED)))
        rig.mend()
        try:
            rig.run(rig.params(R2, **_in_cluster(ASKED)))
        except DomainError as error:
            assert error.code == "interrupted"
            rig.run(rig.params(R2, **_in_cluster(ASKED)))
        assert (rig.world.front_colour(), _shared(rig), released(rig.world, R2)) == ("green", set(), []), number
