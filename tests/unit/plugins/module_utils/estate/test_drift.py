# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs and who answers for it; what runs otherwise than it was recorded; a whole machine in two calls."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._estate import machine
from ansible_collections.sysgenpro.odoo.plugins.module_utils._estate.differences import approvals, differing, explained
from ansible_collections.sysgenpro.odoo.plugins.module_utils._estate.running import drifted
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.written import note
from ansible_collections.sysgenpro.odoo.plugins.modules import machine_drift_info

TODAY = datetime.date(2026, 12, 1)
IMAGE, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
RECORDED = {"release": "r", "image": IMAGE, "colour": "blue", "who": "jane", "began": "2026-11-30T10:00:00+00:00", "at": "2026-11-30T10:05:00+00:00"}
INSIDE, LATER = "2026-11-30T10:02:00+00:00", "2026-11-30T23:00:00+00:00"


@pytest.mark.parametrize(("baseline", "values", "only", "what"), [
    ({}, {}, False, []), ({"a": 1}, {"a": 1}, False, []), ({"a": 1}, {"a": 2}, False, ["a"]), ({"a": 1}, {}, False, ["a"]), ({}, {"a": 1}, False, ["a"]),
    ({}, {"a": 1}, True, []), ({"a": {"b": 1, "c": 2}}, {"a": {"b": 1, "c": 3}}, False, ["a.c"]), ({"a": {}}, {}, False, []), ({"a": []}, {"a": None}, False, []),
    ({"a": False}, {}, False, ["a"]), ({"a": 0}, {"a": None}, True, ["a"]), ({"a": {"b": 1}}, {"a": 5}, True, ["a.b"]),
])
def test_what_differs(baseline: Mapping[str, Any], values: Mapping[str, Any], only: bool, what: list[str]) -> None:
    assert [one["what"] for one in differing(baseline, values, only)] == what


def approved(until: str = "2027-01-01", what: str = "config") -> list[dict[str, str]]:
    return [{"what": what, "owner": "anna", "reason": "small", "until": until}]


@pytest.mark.parametrize(("found", "declared", "states"), [
    (["workers"], [], ["undeclared"]), (["workers"], approved(what="workers"), ["approved"]), (["workers"], approved("2026-12-01", "workers"), ["approved"]),
    (["workers"], approved("2026-11-30", "workers"), ["over"]), ([], approved(), ["unneeded"]), (["config.a", "config.b"], approved(), ["approved"] * 2),
    (["configured"], approved(), ["undeclared", "unneeded"]),
])
def test_who_answers_for_it(found: list[str], declared: list[dict[str, str]], states: list[str]) -> None:
    assert [one["state"] for one in explained([{"what": what, "baseline": 1, "value": 2} for what in found], declared, TODAY)] == states


@pytest.mark.parametrize(("value", "field"), [
    ([], "differences is"), ({"a": None}, "differences.a is"), ({"a": {"owner": "x", "reason": "y"}}, "an exception has an end"),
    ({"a": {"owner": "", "reason": "y", "expires": "2027-01-01"}}, "differences.a.owner"), ({"a": {"owner": "x", "reason": " ", "expires": "2027-01-01"}}, "differences.a.reason"),
    ({"a": {"owner": "x", "reason": "y", "expires": "never"}}, "differences.a.expires"), ({"a": {"owner": "x", "reason": "y", "expires": None}}, "differences.a.expires"),
])
def test_an_exception_has_owner_reason_and_end(value: Any, field: str) -> None:
    with pytest.raises(DomainError, match=field.replace(".", r"\.")) as error:
        approvals("differences", value)
    assert error.value.code == "bad_input"


def test_days_may_be_days_or_text() -> None:
    given = {"a": {"owner": "x", "reason": "y", "expires": datetime.date(2027, 1, 1)}, "b": {"owner": "x", "reason": "y", "expires": "2027-01-01"}}
    assert [one["until"] for one in approvals("differences", given)] == ["2027-01-01", "2027-01-01"]


def one(running: bool = True, image: str = IMAGE, made: str = INSIDE, hands: str = "") -> dict[str, Any]:
    return {"running": running, "image": image, "made": made, "hands": hands}


SOUND = {"blue-web": one(), "blue-cron": one()}


@pytest.mark.parametrize(("recorded", "places", "leads", "declared", "found"), [
    (RECORDED, SOUND, "blue", "", []), (RECORDED, SOUND, "blue", IMAGE, []), (None, {}, None, "", []),
    (RECORDED, SOUND, "blue", OTHER, [("declared", "release", "jane")]), (None, {}, None, IMAGE, [("declared", "release", "")]),
    (None, {"blue-web": one()}, None, "", [("running", "blue-web", "nobody recorded it")]),
    (RECORDED, SOUND, None, "", [("running", "front", "nobody recorded it")]), (RECORDED, SOUND, "green", "", [("running", "front", "nobody recorded it")]),
    (RECORDED, {**SOUND, "blue-cron": one(False)}, "blue", "", [("running", "blue-cron", "nobody recorded it")]),
    (RECORDED, {"blue-web": one()}, "blue", "", [("running", "blue-cron", "nobody recorded it")]),
    (RECORDED, {**SOUND, "blue-web": one(image=OTHER, made=LATER)}, "blue", "", [("running", "blue-web", "nobody recorded it")]),
    (RECORDED, {**SOUND, "blue-web": one(image=OTHER)}, "blue", "", [("running", "blue-web", "jane")]),
    (RECORDED, {**SOUND, "blue-web": one(hands="kubectl-edit")}, "blue", "", [("running", "blue-web", "kubectl-edit")]),
    (RECORDED, {**SOUND, "green-cron": one()}, "blue", "", [("running", "green-cron", "jane")]), (RECORDED, {**SOUND, "green-web": one(False)}, "blue", "", []),
    (RECORDED, {**SOUND, "blue-queue": one(False)}, "blue", "", []), (RECORDED, {**SOUND, "rehearsal": one()}, "blue", "", []),
    (RECORDED, {**SOUND, "/odd": one()}, "blue", "", [("running", "/odd", "nobody recorded it")]),
])
def test_what_runs_otherwise(recorded: Any, places: Any, leads: str | None, declared: str, found: list[tuple[str, str, str]]) -> None:
    assert [(each["between"], each["what"], each["who"]) for each in drifted(recorded, places, leads, declared)] == found


SETTINGS = {"config": {"limit_time_real": 120}, "processes": {"web_workers": 2}, "environment_variables": ["TZ"]}


@pytest.mark.parametrize(("recorded", "declared", "what"), [
    (SETTINGS, SETTINGS, []), (SETTINGS, None, []), (None, SETTINGS, []),
    (SETTINGS, {**SETTINGS, "processes": {"web_workers": 4}}, [("processes.web_workers", "2", "4")]),
    (SETTINGS, {**SETTINGS, "config": {}}, [("config.limit_time_real", "120", "not set")]),
    (SETTINGS, {**SETTINGS, "config": {"limit_time_real": 120, "log_level": "warn"}}, [("config.log_level", "not set", "warn")]),
    (SETTINGS, {**SETTINGS, "environment_variables": ["LANG", "TZ"]}, [("environment_variables", "TZ", "LANG, TZ")]),
    (SETTINGS, {**SETTINGS, "environment_variables": []}, [("environment_variables", "TZ", "none")]),
])
def test_settings_that_were_declared_and_not_released(recorded: Any, declared: Any, what: list[tuple[str, str, str]]) -> None:
    found = drifted({**RECORDED, "settings": recorded}, SOUND, "blue", IMAGE, declared)
    assert [(each["what"], each["recorded"], each["found"]) for each in found] == what
    assert {each["who"] for each in found} <= {"jane"}


def test_a_file_that_a_hand_changed_is_told_with_its_moment(tmp_path: Path) -> None:
    journal(tmp_path, 1)
    directory = tmp_path / name(1) / "config" / "blue-web"
    directory.mkdir(parents=True)
    files = {"odoo.conf": "[options]\n", "database-password": "secret", "probe-token": "t"}
    for each, text in files.items():
        (directory / each).write_text(text)
    note(str(directory), files)
    look = lambda: machine.observe(wishes(range(1, 2)), str(tmp_path), world(range(1, 2), [listed(1, "blue-web"), listed(1, "blue-cron")]))  # noqa: E731
    assert look()[name(1)]["drift"] == []
    (directory / "odoo.conf").write_text("[options]\nlist_db = True\n")
    os.utime(directory / "odoo.conf", (1796119320, 1796119320))
    (directory / "probe-token").unlink()
    (directory / "wait").write_text("")
    assert [(each["what"], each["found"], each["at"]) for each in look()[name(1)]["drift"]] == [
        ("blue-web: odoo.conf", "changed", "2026-12-01T10:02:00+00:00"), ("blue-web: probe-token", "is not there", "")]
    assert "secret" not in (directory.parent / ".blue-web.json").read_text()
    assert (directory.parent / ".blue-web.json").stat().st_mode & 0o777 == 0o600


# -- a machine ------------------------------------------------------------------------------------

def name(number: int) -> str:
    return f"shop-{number:03}"


def listed(number: int, place: str, **further: Any) -> dict[str, Any]:
    label = "org.sysgenpro."
    return {"Names": [f"/{name(number)}-{place}"], "State": "running", "Image": f"registry.example.com/odoo@{IMAGE}", "Created": 1796119320,
            "Labels": {label + "instance": name(number), label + "image": IMAGE}, **further}


def journal(root: Path, number: int, operation: str = "20261130T100000-released-1", outcome: str = "done", image: str = IMAGE, closed: bool = True) -> None:
    state = root / name(number) / "state"
    (state / "history").mkdir(parents=True, exist_ok=True)
    lines = [{"event": "open", "operation": operation, "state": "released", "who": "jane", "name": "r3", "at": "2026-11-30T10:00:00.100+00:00",
              "after": {"release": "r", "image": image, "colour": "blue"}}]
    lines += [{"event": "close", "outcome": outcome, "at": "2026-11-30T10:05:00.900+00:00"}] if closed else []
    path = state / "history" / f"{operation}.jsonl" if closed else state / "journal.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def world(numbers: range, containers: list[dict[str, Any]]) -> machine.World:
    elements = [[{"concat": [f"172.28.{number}.2", port]}, {"concat": [f"172.28.{number}.11", port]}] for number in numbers for port in (8069, 8072)]
    return machine.World(containers=lambda: containers, fronts=lambda: json.dumps({"nftables": [{"map": {"elem": elements}}]}))


def wishes(numbers: range) -> list[dict[str, str]]:
    return [{"name": name(number), "subnet": f"172.28.{number}.0/24", "page": "172.28.0.2:8069", "image": IMAGE} for number in numbers]


def test_two_hundred_instances_take_two_calls(tmp_path: Path) -> None:
    numbers = range(1, 201)
    for number in numbers:
        journal(tmp_path, number)
    here = world(numbers, [listed(number, place) for number in numbers for place in ("blue-web", "blue-cron")])
    found = machine.observe(wishes(numbers), str(tmp_path), here)
    assert len(found) == 200 and not [each for each in found.values() if each["drift"]]
    assert here.calls == {"docker": 1, "nft": 1}


def test_what_a_hand_made_is_found_by_its_name(tmp_path: Path) -> None:
    numbers = range(1, 4)
    for number in numbers:
        journal(tmp_path, number)
    containers = [listed(number, place) for number in numbers for place in ("blue-web", "blue-cron")]
    # Made by hand under the place's name, with the label of another image, and with no label at all.
    containers[0] = {**containers[0], "Image": f"registry.example.com/odoo@{OTHER}"}
    containers[3] = {**containers[3], "Labels": {}, "Image": "odoo:latest"}
    containers.append({"Names": ["/mine"], "State": "running", "Image": "x", "Created": None, "Labels": {"org.sysgenpro.instance": name(3)}})
    containers.append({"Names": ["/registry"], "State": "running", "Image": "registry:2", "Labels": None})
    found = machine.observe(wishes(numbers), str(tmp_path), world(numbers, containers))
    assert [[each["what"] for each in found[name(number)]["drift"]] for number in numbers] == [["blue-web"], ["blue-cron"], ["/mine"]]


def test_what_is_recorded(tmp_path: Path) -> None:
    """The newest that ended well counts; undone ones do not; under way nothing is compared."""
    journal(tmp_path, 1, image=IMAGE)
    journal(tmp_path, 1, "20261201T100000-released-2", "undone", OTHER)
    numbers = range(1, 2)
    containers = [listed(1, "blue-web"), listed(1, "blue-cron")]
    assert machine.observe(wishes(numbers), str(tmp_path), world(numbers, containers))[name(1)]["recorded"]["image"] == IMAGE
    journal(tmp_path, 1, "20261202T100000-released-3", closed=False)
    found = machine.observe(wishes(numbers), str(tmp_path), world(numbers, []))[name(1)]
    assert found["under_way"] == "20261202T100000-released-3" and not found["drift"]
    assert machine.observe([], str(tmp_path), world(range(0), [])) == {}


def test_torn_and_foreign_journals_are_passed_over(tmp_path: Path) -> None:
    history = tmp_path / name(1) / "state" / "history"
    history.mkdir(parents=True)
    for file, text in (("3.jsonl", ""), ("2.jsonl", "{\"event\": \"op"), ("1.jsonl", "{\"event\": \"open\"}\n")):
        (history / file).write_text(text)
    assert machine.recorded_of(machine.newest_first(str(history), machine.LOOKED_BACK)) is None


@pytest.mark.parametrize(("wish", "field"), [({"name": "Shop", "subnet": "172.28.1.0/24"}, r"instances\[0\].name"), ({"name": "shop", "subnet": "here"}, r"instances\[0\].subnet")])
def test_bad_wishes(wish: dict[str, str], field: str) -> None:
    with pytest.raises(DomainError, match=field):
        machine_drift_info.check_instances([wish])
