# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Each way that Traefik's file provider hurts its users, tried on the real one. Most are named by what users report."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.api import Api

from .conftest import Edge, Server

Route = Callable[..., dict[str, Any]]
UNKNOWN_KEY = "http: {routers: {x: {rule: 'Host(`x.example.test`)', service: noop@internal, nonsense: 1}}}\n"


def served(edge: Edge, kind: str = "routers") -> dict[str, Any]:
    return {item["name"]: item for item in json.load(urllib.request.urlopen(edge.api + "/api/http/" + kind))}


def test_one_bad_file_rejects_all_and_the_change_is_undone_naming_it(edge: Edge, route: Route) -> None:
    assert edge.run([route()])["changed"]
    before = (edge.directory / "acme.yml").read_text()
    (edge.directory / "other.yml").write_text(UNKNOWN_KEY)
    result = edge.run([route(exposure="partner", allow_list=["192.0.2.0/24"])])
    assert result["failed"] and result["code"] == "not_served"
    assert "other.yml" in result["msg"] and "nonsense" in result["msg"]
    assert (edge.directory / "acme.yml").read_text() == before
    assert "acme-allow@file" not in served(edge, "middlewares")


def test_one_bad_file_and_a_restart_is_seen_as_not_served(edge: Edge, route: Route) -> None:
    edge.run([route()])
    (edge.directory / "other.yml").write_text(UNKNOWN_KEY)
    edge.stop()
    edge.start()
    assert "acme@file" not in served(edge)
    assert [found["served"] for found in edge.info()["routes"]] == [False]
    assert edge.run([route()], check=True)["changed"]
    (edge.directory / "other.yml").unlink()
    assert "failed" not in edge.run([route()])
    assert [found["served"] for found in edge.info()["routes"]] == [True]


def test_no_validate_command_so_the_api_is_asked(edge: Edge, route: Route) -> None:
    """An entry point that does not exist passes every parser; only the API tells."""
    result = edge.run([route(entry_point="nowhere")])
    assert result["failed"] and "nowhere" in result["msg"]
    assert list(edge.directory.iterdir()) == []
    assert list(edge.certificates.iterdir()) == []


def test_empty_maps_are_never_written(edge: Edge, route: Route) -> None:
    edge.run([route(), route("bodega", 2)])
    text = (edge.directory / "acme.yml").read_text()
    assert "{}" not in text and "[]" not in text
    (edge.directory / "empty.yml").write_text("http: {routers: {}}\n")
    assert edge.run([route(max_body=1)])["code"] == "not_served"
    (edge.directory / "empty.yml").unlink()
    result = edge.run([{"name": "acme"}, {"name": "bodega"}], state="absent")
    assert result["changed"] and list(edge.directory.iterdir()) == []
    assert list(edge.certificates.iterdir()) == []


@pytest.mark.parametrize(
    "value",
    ['{{ env "HOME" }}', "{{", "}} {{{ x }}}", "{{/*", 'quo"te \\{{ back\\slash', "é 漢字 😀", "$HOME `x` %d: #"],
)
def test_go_templates_in_tenants_strings_stay_what_they_are(
    edge: Edge, route: Route, serve: Callable[..., Server], value: str
) -> None:
    serve(1)
    result = edge.run([route(headers={"X-Tenant": value})])
    assert "failed" not in result, result
    assert served(edge, "middlewares")["acme-headers@file"]["headers"]["customResponseHeaders"]["X-Tenant"] == value


@pytest.mark.parametrize("host", ["{{ env `HOME` }}", "a`) || Host(`b", "a b", "", "-x.test", "x" * 64 + ".test", "*"])
def test_hostile_host_names_are_refused(edge: Edge, route: Route, host: str) -> None:
    result = edge.run([{**route(), "hosts": [host]}])
    assert result["code"] == "bad_input" and "hosts" in result["msg"]
    assert list(edge.directory.iterdir()) == []


def test_duplicate_names_of_another_file_are_refused(edge: Edge, route: Route) -> None:
    (edge.directory / "a-first.yml").write_text(
        "http: {routers: {acme: {rule: 'Host(`b.example.test`)', service: noop@internal, entryPoints: [web]}}}\n"
    )
    api = Api(edge.api)
    for _attempt in range(100):
        if "acme@file" in api.snapshot().routers:
            break
    result = edge.run([route()])
    assert result["code"] in ("name_taken", "not_served"), result
    assert not (edge.directory / "acme.yml").exists()


def test_a_host_of_another_tenant_is_refused(edge: Edge, route: Route) -> None:
    edge.run([route()])
    stolen = {**route("bodega", 2, hosts=["ACME.example.test"]), "tls": {"resolver": "none"}}
    result = edge.run([stolen])
    assert result["code"] == "host_taken" and "acme.example.test" in result["msg"] and "route acme" in result["msg"]
    assert not (edge.directory / "bodega.yml").exists()
    both = edge.run([route(), stolen])
    assert both["code"] == "host_taken"


def test_a_certificate_that_ran_out_holds_up_nobody_else(
    edge: Edge, route: Route, make_certificate: Callable[..., tuple[str, str]], serve: Callable[..., Server]
) -> None:
    """What there is of its route stays, others are brought about, and the failure names it; also where purge is asked for."""
    serve(1), serve(2)
    edge.run([route()])
    before = (edge.directory / "acme.yml").read_text()
    certificate, key = make_certificate("elsewhere.example.test")
    bad = route(hsts=5, tls={"certificate": certificate, "private_key": key})
    checked = edge.run([bad, route("bodega", 2)], check=True)
    assert checked["failed"] and checked["code"] == "certificate_wrong_host"
    result = edge.run([bad, route("bodega", 2)], purge=True)
    assert result["failed"] and result["code"] == "certificate_wrong_host" and "route acme" in result["msg"], result
    assert result["details"]["routes"] == ["acme"]
    assert (edge.directory / "acme.yml").read_text() == before
    assert edge.request("acme.example.test")[0] == 200 and edge.request("bodega.example.test")[0] == 200
    again = edge.run([bad, route("bodega", 2)], purge=True)
    assert again["code"] == "certificate_wrong_host" and again["unchanged"] == "Nothing was changed"
    alone = edge.run([bad])
    assert alone["code"] == "certificate_wrong_host" and (edge.directory / "acme.yml").read_text() == before


def test_a_host_of_a_foreign_file_is_refused(edge: Edge, route: Route) -> None:
    (edge.directory / "foreign.yml").write_text(
        "http: {routers: {x: {rule: 'Host(`acme.example.test`)', service: noop@internal, entryPoints: [web]}}}\n"
    )
    api = Api(edge.api)
    for _attempt in range(200):
        if "x@file" in api.snapshot().routers:
            break
    result = edge.run([route()])
    assert result["code"] == "host_taken" and "x@file" in result["msg"]


def test_a_file_of_somebody_else_is_left_alone(edge: Edge, route: Route) -> None:
    (edge.directory / "acme.yml").write_text("tls: {options: {mine: {minVersion: VersionTLS12}}}\n")
    assert edge.run([route()])["code"] == "foreign_file"
    assert edge.run([{"name": "acme"}], state="absent")["code"] == "foreign_file"
    assert "mine" in (edge.directory / "acme.yml").read_text()
    assert edge.run([], purge=True)["changed"] is False


def test_temporary_files_never_lie_where_traefik_loads(edge: Edge, route: Route) -> None:
    """strace sees every name that is opened for writing in the watched directory."""
    if not shutil.which("strace"):
        pytest.fail("this test needs strace")
    script = edge.root / "run.py"
    script.write_text(
        "import sys, json\nfrom ansible_collections.sysgenpro.odoo.plugins.module_utils._routing import io\n"
        "io.write_files(io.Place({0!r}, {1!r}), {{'acme': 'x', 'bodega': 'y'}})\n".format(
            str(edge.directory), str(edge.certificates)
        )
    )
    traced = subprocess.run(
        ["strace", "-f", "-e", "trace=openat,open,creat,rename,renameat,renameat2", sys.executable, str(script)],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    ).stderr
    inside = [line for line in traced.splitlines() if str(edge.directory) + "/" in line]
    opened = [line for line in inside if "open" in line.split("(")[0]]
    assert not [line for line in opened if "O_WRONLY" in line or "O_RDWR" in line or "O_CREAT" in line], opened
    assert len([line for line in traced.splitlines() if "rename" in line and "dynamic/" in line]) == 2
    assert os.stat(edge.directory).st_dev == os.stat(edge.root / ".dynamic.stage").st_dev


def test_the_directory_stays_flat(edge: Edge, route: Route) -> None:
    edge.run([route(), route("bodega", 2)])
    assert sorted(path.name for path in edge.directory.iterdir()) == ["acme.yml", "bodega.yml"]
    assert all(path.is_file() for path in edge.directory.iterdir())
    assert {oct(path.stat().st_mode & 0o777) for path in edge.certificates.iterdir()} == {"0o640"}


def test_only_changed_files_are_written(edge: Edge, route: Route) -> None:
    edge.run([route(), route("bodega", 2), route("cantina", 3)])
    before = {path.name: path.stat().st_ino for path in edge.directory.iterdir()}
    result = edge.run([route(), route("bodega", 2, hsts=0), route("cantina", 3)])
    assert [step["name"] for step in result["plan"]["steps"]] == ["write", "verify"]
    after = {path.name: path.stat().st_ino for path in edge.directory.iterdir()}
    assert {name for name in before if before[name] != after[name]} == {"bodega.yml"}


def test_the_throttle_is_waited_out(tmp_path: Path, route: Route) -> None:
    edge = Edge(tmp_path / "slow", throttle="2s").start()
    try:
        for hsts in (1, 2, 3):
            result = edge.run([route(hsts=hsts)])
            assert result["changed"] and "failed" not in result
            assert served(edge, "middlewares")["acme-headers@file"]["headers"]["stsSeconds"] == hsts
    finally:
        edge.stop()


def test_lists_of_the_api_have_pages(edge: Edge, route: Route) -> None:
    edge.run([route("t{0}".format(number), number) for number in range(1, 9)])
    small = Api(edge.api, per_page=5)
    large = Api(edge.api)
    assert small.snapshot() == large.snapshot()
    assert large.calls == 3 and small.calls > 10
    assert len(small.snapshot().routers) == 8 * 5 + 2


def test_the_base_path_is_respected(tmp_path: Path, route: Route) -> None:
    edge = Edge(tmp_path / "based", base_path="/traefik").start()
    try:
        assert edge.run([route()])["changed"]
        wrong = edge.run([route(hsts=5)], api={"url": edge.api[: -len("/traefik")], "timeout": 3})
        assert wrong["code"] == "traefik_unreachable" and wrong["unchanged"]
    finally:
        edge.stop()


def test_traefik_that_does_not_run_is_an_error_and_changes_nothing(edge: Edge, route: Route) -> None:
    edge.stop()
    result = edge.run([route()])
    assert result["code"] == "traefik_unreachable" and list(edge.directory.iterdir()) == []
    planned = edge.run([route()], check=True)
    assert planned["changed"] and planned["api_reachable"] is False and list(edge.directory.iterdir()) == []


def test_a_converged_run_makes_three_calls_whatever_the_number_of_routes(edge: Edge, route: Route) -> None:
    for count in (1, 12):
        routes = [route("t{0}".format(number), number) for number in range(1, count + 1)]
        assert edge.run(routes)["changed"]
        again = edge.run(routes)
        assert again["changed"] is False and again["plan"]["steps"] == [] and again["api_calls"] == 3


def test_weights_and_draining_are_not_left_to_files(edge: Edge, route: Route) -> None:
    """Neither a weight of 0 nor a changed file moves open connections; the front does. So there is one server."""
    edge.run([route()])
    found = served(edge, "services")["acme@file"]["loadBalancer"]
    assert [server["url"] for server in found["servers"]] == ["http://127.28.1.2:8069"]
    assert "sticky" not in found and "weighted" not in served(edge, "services")["acme@file"]
