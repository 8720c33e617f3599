# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing import model, parts, render_file
from hypothesis import given
from hypothesis import strategies as st


def value(**further: Any) -> dict[str, Any]:
    return {"name": "acme", "hosts": ["a.test"], "front": "172.28.1.2", "tls": {"resolver": "le"}, **further}


@pytest.mark.parametrize(
    "change,field",
    [
        ({"name": "Acme"}, "name"), ({"name": "acme-websocket"}, "name"), ({"name": "a" * 63}, "name"),
        ({"name": "../etc"}, "name"), ({"hosts": []}, "hosts"), ({"hosts": ["a b"]}, "hosts"),
        ({"hosts": ["`"]}, "hosts"), ({"front": "front"}, "front"),
        ({"exposure": "partner"}, "allow_list"), ({"allow_list": ["10.0.0.1/8"]}, "allow_list"),
        ({"database_manager": True}, "database_manager"), ({"tls": {}}, "tls"),
        ({"tls": {"resolver": "a", "certificate": "b"}}, "tls"), ({"hold": {"timeout": 901}}, "hold.timeout"),
        ({"hold": {"attempts": 1}}, "hold.attempts"), ({"headers": {"a b": "x"}}, "headers"),
        ({"headers": {"X-A": "x\r\ny"}}, "headers"), ({"rate_limit": {"average": -1}}, "rate_limit.average"),
        ({"trusted_proxies": ["nowhere"]}, "trusted_proxies"), ({"entry_point": "a b"}, "entry_point"),
    ],
)
def test_bad_input_names_route_and_field(change: dict[str, Any], field: str) -> None:
    with pytest.raises(DomainError) as caught:
        model.parse_routes([value(**change)])
    assert caught.value.details["field"] == field and caught.value.unchanged == "Nothing was changed"


def test_a_host_twice_and_a_name_twice_are_refused() -> None:
    with pytest.raises(DomainError, match="already serves"):
        model.parse_routes([value(), value(name="bodega", hosts=["A.test."])])
    with pytest.raises(DomainError, match="given twice"):
        model.parse_routes([value(), value(hosts=["b.test"])])


def test_a_certificate_that_does_not_fit_is_its_own_routes_trouble(issue: Callable[..., tuple[str, str]]) -> None:
    chain, key = issue("a.test", start=-9000, end=-8000)
    expired = value(tls={"certificate": chain, "private_key": key})
    with pytest.raises(DomainError, match="expired"):
        model.parse_routes([expired])
    refused: list[DomainError] = []
    found = model.parse_routes([expired, value(name="bodega", hosts=["b.test"])], refused)
    assert [route.name for route in found] == ["bodega"]
    assert [(error.code, error.details["route"]) for error in refused] == [("certificate_expired", "acme")]
    # Its name and hosts are taken all the same, and what is wrong otherwise is wrong for all.
    for other in (value(name="bodega"), value(hosts=["b.test"])):
        with pytest.raises(DomainError, match=r"already serves|given twice"):
            model.parse_routes([expired, other], [])
    with pytest.raises(DomainError, match="front"):
        model.parse_routes([expired, value(name="bodega", hosts=["b.test"], front="x")], [])


@pytest.mark.parametrize("exposure", ["public", "partner", "internal"])
def test_exposure_decides(exposure: str) -> None:
    allow = ["192.0.2.0/24"] if exposure == "partner" else None
    route = model.parse_routes([value(exposure=exposure, allow_list=allow)])[0]
    config = render_file.configuration(route, "http://172.28.0.2:8069", "/c")["http"]
    main = config["routers"]["acme"]
    assert main["entryPoints"] == [{"internal": "internal"}.get(exposure, "websecure")]
    assert ("acme-allow" in main["middlewares"]) is (exposure != "public")
    assert ("acme-rate" in main["middlewares"]) is (exposure != "internal")
    assert ("acme-redirect" in config["routers"]) is (exposure != "internal")
    response = config["middlewares"]["acme-headers"]["headers"]["customResponseHeaders"]
    assert ("X-Robots-Tag" in response) is (exposure != "public")


def pattern(router: str, **further: Any) -> str:
    """A router's pattern of paths, which Go and Python read alike but for ``$``."""
    rule = render_file.configuration(model.parse_routes([value(**further)])[0], "http://p", "/c")["http"]["routers"][router]["rule"]
    return re.search(r"PathRegexp\(`(.*)`\)", rule).group(1).replace("$", r"\Z")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "path,bus",
    [
        ("/websocket", True), ("/longpolling/poll", True), ("/longpolling%2Fpoll", True), ("/websocket%2fx", True), ("//websocket/", True),
        ("/fr/websocket", True), ("/es_419%2Fwebsocket", True), ("/websockets", False), ("/shop/websocket", False), ("/WebSocket", False),
        ("/websocket%252F", False),
    ],
)
def test_the_bus_of_every_series_goes_to_its_port(path: str, bus: bool) -> None:
    assert bool(re.search(pattern("acme-websocket"), path)) is bus
    config = render_file.configuration(model.parse_routes([value()])[0], "http://p", "/c")["http"]
    server = config["services"][config["routers"]["acme-websocket"]["service"]]["loadBalancer"]["servers"][0]
    assert server["url"].endswith(":8072")


@pytest.mark.parametrize("opened", [False, True])
@pytest.mark.parametrize(
    "path,closed",
    [
        ("/web/database", True), ("/web/database/manager", True), ("/WEB/Database/list", True),
        ("/fr/web/database/manager", True), ("/xmlrpc/2/db", True), ("/xmlrpc/db", True), ("/web/databases", False),
        ("/web", False), ("/shop/web", False), ("/xmlrpc/2/common", False), ("/sysgenpro/ready", None),
        ("/fr/sysgenpro/ready", None), ("/sysgenpro", None), ("/sysgenprox", False),
        # As Traefik shows what was encoded to its rules: slashes stay so.
        ("/web%2Fdatabase/manager", True), ("/web%2fdatabase%2Fmanager", True), ("/%2Fweb/database/manager", True), ("/fr%2Fweb/database/list", True),
        ("/fr//web//database", True), ("//%2F/web/%2Fdatabase%2F", True), ("/xmlrpc/2%2Fdb", True), ("/xmlrpc%2Fdb", True), ("/xmlrpc%2F2%2Fdb%2F", True),
        ("/sysgenpro%2Fready", None), ("/web/database/manager\n", True), ("/web%252Fdatabase", False), ("/web\\database", False), ("/web;/database", False),
        ("/web/content/a%2Fb", False), ("/web/content/web%2Fdatabase", False), ("/shop/fr/web%2Fdatabase", False),
    ],
)
def test_closed_paths(path: str, closed: bool | None, opened: bool) -> None:
    expected = True if closed is None else closed and not opened
    assert bool(re.search(pattern("acme-closed", exposure="internal", database_manager=opened), path)) is expected


def test_retries_outlast_the_timeout_and_retry_no_status() -> None:
    for timeout, interval in ((1, 10), (300, 250), (900, 10000)):
        route = model.parse_routes([value(hold={"timeout": timeout, "interval": interval})])[0]
        retry = render_file.configuration(route, "http://p", "/c")["http"]["middlewares"]["acme-retry"]["retry"]
        # Even if jitter always took its half off, as it cannot.
        assert (retry["attempts"] - 1) * interval * 0.5 >= timeout * 1000
        assert set(retry) == {"attempts", "initialInterval", "timeout"}


@given(st.integers(1, 10**13), st.integers(0, 10**15))
def test_larger_than(limit: int, number: int) -> None:
    assert bool(re.fullmatch(parts.larger_than(limit), str(number))) is (number > limit)


@given(st.dictionaries(st.text(min_size=1), st.text()))
def test_no_text_can_hold_a_template_and_all_come_back(headers: dict[str, str]) -> None:
    content = {"http": {"x": headers}}
    text = render_file.text(content)
    assert "{{" not in text
    assert render_file.parse(text) == content
    assert json.loads(text.split("\n", 1)[1]) == content


