# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._host import instances
from ansible_collections.sysgenpro.odoo.plugins.module_utils._host.instances import Found
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.moved import check_place
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing import render_file


def one(name: str = "acme", number: int = 1, **further: Any) -> dict[str, Any]:
    return {"name": name, "number": number, "front": f"172.28.{number}.2", "database": name, **further}


def here(name: str = "acme", number: int = 1, *parts: str) -> Found:
    found = Found(name, front=f"172.28.{number}.2", database=name)
    for part in parts or ("containers", "front", "cluster", "files", "route"):
        found.add(part, "", number)
    return found


def world(*found: Found) -> dict[str, Found]:
    return {each.name: each for each in found}


@pytest.mark.parametrize(
    "found,wanted,absent,code",
    [
        ([here()], [one()], [], ""),
        ([], [one()], [], ""),
        ([here()], [one(), one("bodega", 2)], [], ""),
        ([here(), here("bodega", 2)], [one()], [], ""),
        ([here()], [one(number=9)], [], "number_changed"),
        ([here("acme", 1, "files")], [one(number=9)], [], "number_changed"),
        ([here("acme", 1, "mail block")], [one(number=9)], [], "number_changed"),
        ([here("acme", 1, "timers", "session store")], [one(number=9, front=None)], [], "number_changed"),
        ([here()], [one(database="other")], [], "database_changed"),
        ([here()], [one(front="10.0.1.2")], [], "front_changed"),
        # Renamed: the number of one that the inventory does not have.
        ([here()], [one("corner")], [], "number_taken"),
        ([here("acme", 1, "files")], [one("corner")], [], "number_taken"),
        ([here(), here("bodega", 2)], [one(number=1), one("corner", 2)], [], "number_taken"),
        # Two exchanged their numbers: each is told its own.
        ([here(), here("bodega", 2)], [one(number=2), one("bodega", 1)], [], "number_changed"),
        ([here()], [], ["acme"], "still_there"),
        ([here("acme", 1, "cluster")], [], ["acme"], "still_there"), ([here("acme", 1, "stopped cluster", "files")], [], ["acme"], ""),
        ([here("acme", 1, "route", "timers", "files")], [], ["acme"], ""),
        ([here("acme", 1, "route", "timers")], [one("corner")], ["acme"], ""),
        ([here()], [one()], ["acme"], "not_absent"),
        ([], [], ["nobody"], ""),
    ],
)
def test_an_inventory_that_would_run_one_as_another_is_refused(found: list[Found], wanted: list[dict[str, Any]], absent: list[str], code: str) -> None:
    try:
        instances.check(world(*found), wanted, absent)
    except DomainError as error:
        assert (error.code, error.unchanged) == (code, "Nothing was changed") and error.advice
        assert str(error.details["instance"]) in error.message
        if code == "number_changed":
            assert f"is {wanted[0]['number']} in the inventory" in error.message and f"it is {found[0].numbers.popitem()[1]}" in error.message
        if code == "number_taken":
            assert error.details["holder"] in error.message and f"its name {error.details['holder']}" in error.advice
    else:
        assert not code


def test_what_no_inventory_has_is_named() -> None:
    found = world(here(), here("bodega", 2), here("cantina", 3), here("gone", 4, "route"))
    said = instances.unknown(found, [one()], {"bodega": "vm-2"}, ["gone"])
    assert len(said) == 2
    assert said[0].startswith("bodega is on this machine and the inventory has it on vm-2: containers, front, route, cluster, files")
    assert said[1].startswith("cantina is on this machine and in no inventory given: ")


def test_a_machine_tells_its_instances(tmp_path: Path) -> None:
    files = {
        "etc/sysgenpro/fronts.d/acme-production.ip": "address replace 172.28.7.2/32 dev lo\n",
        "etc/sysgenpro/mail.d/acme-production.nft": "table inet sysgenpro_mail_7 {\n}\n",
        "etc/sysgenpro/recovery/acme-production.json": "{}",
        "etc/redis/redis-acme-production.conf": "", "etc/sysgenpro/redis/acme-production.acl": "", "etc/redis/redis-own.conf": "",
        "etc/postgresql/17/acme/conf.d/sysgenpro.conf": (
            "# reason\nport = '5507'\nunix_socket_directories = '/run/postgresql, /run/sysgenpro/acme-production/postgresql'\n"),
        "etc/postgresql/17/own/conf.d/other.conf": "port = '5432'\n",
        "etc/traefik/dynamic/acme-production.yml": render_file.MARKER + (
            '{"http": {"routers": {"a": {"rule": "Host(`a.test`)"}}, "services": {"s": {"url": "http://172.28.7.2:8072"}}}}'),
        "etc/traefik/dynamic/own.yml": "http: {}\n",
        "var/lib/sysgenpro/instances/acme-production/data/x": "", "var/lib/sysgenpro/instances/.updating": "",
    }
    for path, text in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    listed = [("acme-production", "acme-production-blue-web", "running"), ("acme-production", "acme-production-blue-cron", "exited")]
    found = instances.observe(str(tmp_path), lambda: listed)
    assert list(found) == ["acme-production"]
    acme = found["acme-production"]
    assert set(acme.parts) == set(instances.PARTS) - {"stopped cluster"} and set(acme.numbers.values()) == {7} and (acme.front, acme.database) == ("172.28.7.2", "acme")
    assert acme.named().startswith("containers (acme-production-blue-web running, acme-production-blue-cron exited), front (172.28.7.2), route (a.test)")
    (tmp_path / "etc/postgresql/17/acme/start.conf").write_text("# by hand\ndisabled\n")
    stopped = instances.observe(str(tmp_path), lambda: [])["acme-production"]
    assert set(stopped.parts) == set(instances.PARTS) - {"cluster", "containers"}, "what is stopped and kept is not what still runs, and keeps its number"
    assert set(stopped.numbers.values()) == {7}


@pytest.mark.parametrize(
    "change,differ",
    [({}, []), ({"subnet": "172.28.9.0/24"}, ["front"]), ({"uid": 20009}, ["uid"]), ({"database": {"name": "acme", "port": 5509}}, ["port"]),
     ({"database": {"name": "other", "port": 5509}}, []), ({"instance": "other", "uid": 20009}, []), ({"uid": None}, [])],
)
def test_a_verb_does_not_look_where_the_instance_is_not(change: dict[str, Any], differ: list[str]) -> None:
    params = {"instance": "acme", "subnet": "172.28.1.0/24", "uid": 20001, "database": {"name": "acme", "port": 5501}, **change}
    try:
        check_place(params, world(here()))
    except DomainError as error:
        assert (error.code, sorted(error.details["held"])) == ("number_changed", differ) and "number 1" in error.message and "number 9" in error.message
    else:
        assert not differ
