# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exposure, TLS, closed paths, check mode, diff and removal, through a real Traefik."""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Callable
from typing import Any

import pytest

from .conftest import Edge, Server

Route = Callable[..., dict[str, Any]]
HOST = "acme.example.test"

# Whatever carries the routes.
both = pytest.mark.providers("file", "kubernetes")
every = pytest.mark.providers("file", "kubernetes", "gateway")


def shown(edge: Edge, host: str, entry_point: str = "websecure") -> str:
    with edge.connect(host, entry_point) as stream:
        assert isinstance(stream, ssl.SSLSocket)
        return hashlib.sha256(stream.getpeercert(binary_form=True) or b"").hexdigest()


@both
def test_a_renewed_certificate_is_shown_and_the_old_one_removed(
    edge: Edge, route: Route, make_certificate: Callable[..., tuple[str, str]]
) -> None:
    first = edge.run([route()])["routes"][0]["certificate"]
    assert shown(edge, HOST) == first["fingerprint"] and first["not_after"]
    chain, key = make_certificate(HOST, again=1)
    result = edge.run([{**route(), "tls": {"certificate": chain, "private_key": key}}])
    assert [step["name"] for step in result["plan"]["steps"]] == ["certificate", "write", "verify"]
    assert shown(edge, HOST) == result["routes"][0]["certificate"]["fingerprint"] != first["fingerprint"]
    assert edge.stored() == 2


@both
def test_a_certificate_by_path_is_taken_anew_when_it_was_renewed(
    edge: Edge, route: Route, make_certificate: Callable[..., tuple[str, str]]
) -> None:
    crt, key = edge.root / "given.crt", edge.root / "given.key"
    asked = {**route(), "tls": {"certificate_path": str(crt), "private_key_path": str(key)}}
    assert edge.run([asked])["code"] == "certificate_unreadable"
    for again in (0, 1):
        for path, text in zip((crt, key), make_certificate(HOST, again=again)):
            path.write_text(text)
        assert edge.run([asked])["changed"] and edge.run([asked])["changed"] is False


@both
@pytest.mark.parametrize("bad", ["host", "key"])
def test_a_bad_certificate_leaves_its_route_as_it_was(
    edge: Edge, route: Route, make_certificate: Callable[..., tuple[str, str]], bad: str
) -> None:
    edge.run([route()])
    before = edge.kept("acme")
    other = make_certificate("other.example.test")
    tls = {"certificate": other[0], "private_key": other[1]} if bad == "host" else {
        "certificate": make_certificate(HOST)[0], "private_key": other[1]}
    result = edge.run([{**route(hsts=3), "tls": tls}, route("bodega", 2)])
    assert result["code"] == {"host": "certificate_wrong_host", "key": "certificate_key_mismatch"}[bad]
    assert "acme" in result["msg"]
    assert edge.kept("acme") == before
    # Another tenant has nothing to do with it.
    assert edge.routes() == ["acme", "bodega"]


def test_no_result_and_no_file_for_all_holds_a_key(
    edge: Edge, route: Route, make_certificate: Callable[..., tuple[str, str]]
) -> None:
    secret = make_certificate(HOST)[1].split("\n")[1]
    for state in ("rendered", "present"):
        result = json.dumps(edge.run([route()], state=state))
        assert secret not in result
    assert secret not in (edge.directory / "acme.yml").read_text()
    assert secret in next(edge.certificates.glob("*.key")).read_text()


@every
def test_exposure(edge: Edge, route: Route, serve: Callable[..., Server], pages: Server) -> None:
    for number in (1, 2, 3, 4):
        serve(number)
    edge.run([
        route(), route("internal", 2, exposure="internal"),
        route("partner", 3, exposure="partner", allow_list=["192.0.2.0/24"]),
        route("friend", 4, exposure="partner", allow_list=["127.0.0.0/8"]),
    ])
    assert edge.request(HOST)[0] == 200
    assert edge.request("internal.example.test")[0] == 404
    assert edge.request("internal.example.test", entry_point="internal")[0] == 200
    assert edge.request("partner.example.test")[0] == 403
    status, headers, _body = edge.request("friend.example.test")
    assert status == 200 and headers["x-robots-tag"].startswith("noindex") and "server" not in headers
    status, headers, _body = edge.request(HOST, "/web?a=1", entry_point="web")
    assert (status, headers["location"]) == (301, "https://{0}/web?a=1".format(HOST))
    assert edge.request(HOST, method="POST", body=b"x", entry_point="web")[0] == 308


@every
@pytest.mark.parametrize(
    "path",
    ["/web/database/manager", "/web//database/manager", "/web/./database/list", "/web/%64atabase/manager",
     "/fr/web/database/selector", "/WEB/database", "/x/../web/database", "/xmlrpc/2/db", "/sysgenpro/ready",
     "//sysgenpro/ready"],
)
def test_closed_paths_never_reach_odoo(
    edge: Edge, route: Route, serve: Callable[..., Server], pages: Server, path: str
) -> None:
    server = serve(1)
    edge.run([route()])
    edge.request(HOST, path)
    assert server.seen == [] and [seen[1] for seen in pages.seen] == ["/edge/404"]


@every
def test_the_database_manager_can_be_opened_inside_and_the_probe_cannot(
    edge: Edge, route: Route, serve: Callable[..., Server], pages: Server
) -> None:
    server = serve(1)
    edge.run([route(exposure="internal", database_manager=True)])
    edge.request(HOST, "/web/database/manager", entry_point="internal")
    edge.request(HOST, "/sysgenpro/ready", entry_point="internal")
    assert [seen[1] for seen in server.seen] == ["/web/database/manager"]


@every
def test_a_body_that_announces_too_much_is_refused_before_it_is_read(
    edge: Edge, route: Route, serve: Callable[..., Server], pages: Server
) -> None:
    server = serve(1)
    edge.run([route(max_body=1000)])
    assert edge.request(HOST, method="POST", body=b"x" * 1000)[2] == b"odoo 1000"
    edge.request(HOST, method="POST", body=b"x" * 1001)
    assert len(server.seen) == 1 and [seen[1] for seen in pages.seen] == ["/edge/413"]


@every
def test_check_mode_says_the_same_and_writes_nothing(edge: Edge, route: Route) -> None:
    planned = edge.run([route()], check=True)
    assert edge.routes() == [] and edge.stored() == 0
    done = edge.run([route()])
    assert planned["plan"] == done["plan"] and planned["diff"] == done["diff"]
    assert edge.run([route()], expected_plan_digest="sha256:0")["changed"] is False
    assert edge.run([route(hsts=1)], expected_plan_digest="sha256:0")["code"] == "plan_changed"


def test_rendered_is_what_present_writes(edge: Edge, route: Route) -> None:
    rendered = edge.run([route()], state="rendered")
    assert rendered["changed"] is False and list(edge.directory.iterdir()) == []
    edge.run([route()])
    path, text = next(iter(rendered["rendered"].items()))
    assert path == str(edge.directory / "acme.yml") and (edge.directory / "acme.yml").read_text() == text


@every
def test_purge_and_absent(edge: Edge, route: Route) -> None:
    edge.run([route(), route("bodega", 2), route("cantina", 3)])
    assert edge.run([route(), route("bodega", 2)], purge=True)["changed"]
    assert edge.routes() == ["acme", "bodega"]
    assert edge.run([{"name": "bodega"}], state="absent")["changed"]
    assert edge.run([{"name": "bodega"}], state="absent")["changed"] is False
    assert edge.routes() == ["acme"]
    assert edge.stored() == (2 if edge.own_certificates else 0)


@every
def test_what_is_named_goes_in_the_same_call_and_what_is_not_stays(edge: Edge, route: Route) -> None:
    edge.run([route(), route("bodega", 2), route("cantina", 3)])
    planned = edge.run([route("dulce", 4, hosts=[HOST])], absent=["acme", "nobody"], check=True)
    assert [step["name"] for step in planned["plan"]["steps"]] == ["certificate", "write", "remove", "verify"][0 if edge.own_certificates else 1:]
    assert edge.run([route("dulce", 4, hosts=[HOST])], absent=["acme", "nobody"])["changed"]
    assert edge.routes() == ["bodega", "cantina", "dulce"]
    assert edge.run([route("dulce", 4, hosts=[HOST])], absent=["acme", "nobody"])["changed"] is False
    twice = edge.run([route("bodega", 2)], absent=["bodega"])
    assert twice["code"] == "bad_input" and "bodega" in twice["msg"]
    assert edge.run([], absent=["../x"])["code"] == "bad_input"


@every
def test_a_host_moves_from_one_route_to_another(edge: Edge, route: Route) -> None:
    edge.run([route()])
    result = edge.run([route("bodega", 2, hosts=[HOST])], purge=True)
    assert "failed" not in result and edge.routes() == ["bodega"]


@both
def test_a_name_with_other_letters_leads_where_browsers_go(edge: Edge, route: Route, serve: Callable[..., Server], make_certificate: Callable[..., Any]) -> None:
    """straße is not strasse: neither by rule nor by certificate. What no browser agrees on is refused, with what to write instead."""
    serve(1), serve(2)
    names = {"straße.example.test": "xn--strae-oqa.example.test", "ΒΌΛΟΣ.example.test": "xn--nxasmq6b.example.test", "βόλος.example.test": "xn--nxasmm1c.example.test"}
    certificate, key = make_certificate(*names.values())
    result = edge.run([route(hosts=list(names), tls={"certificate": certificate, "private_key": key}), route("strasse", 2)])
    assert "failed" not in result and result["routes"][0]["hosts"] == list(names.values()), result
    assert [edge.request(name)[0] for name in (*names.values(), "strasse.example.test")] == [200, 200, 200, 200]
    other = make_certificate("strasse.example.test")
    wrong = edge.run([route(hosts=["straße.example.test"], tls={"certificate": other[0], "private_key": other[1]})])
    assert wrong["code"] == "certificate_wrong_host"
    for name, instead in {"GROẞ.example.test": "xn--gro-7ka.example.test or gross.example.test", "i❤.example.test": "xn--i-7iq.example.test"}.items():
        refused = edge.run([route(hosts=[name])])
        assert refused["code"] == "bad_input" and instead in refused["advice"]


def test_what_an_authority_is_asked_for_is_the_name_in_the_rule(edge: Edge, route: Route) -> None:
    rendered = edge.run([route(hosts=["www.straße.example.test", "straße.example.test"], tls={"resolver": "le"})], state="rendered")
    written = json.loads(next(iter(rendered["rendered"].values())).split("\n", 1)[1])["http"]["routers"]["acme"]
    assert written["tls"]["domains"] == [{"main": "www.xn--strae-oqa.example.test", "sans": ["xn--strae-oqa.example.test"]}]
    assert "strasse" not in written["rule"] and "Host(`xn--strae-oqa.example.test`)" in written["rule"]
