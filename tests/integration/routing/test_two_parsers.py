# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two parsers, one path: what a real Traefik lets through, Odoo's own Werkzeug takes for no closed path, in each series at hand."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from .conftest import Edge, Server, hello, page

sys.path.insert(0, str(Path(__file__).parents[2] / "lab"))
from sgplab import images

ROOT = Path(__file__).resolve().parents[3]
HOST = "acme.example.test"
SERIES = [f"odoo-{series}" for series in (os.environ.get("SYSGENPRO_TEST_SERIES") or "19.0,14.0").split(",")]
CLOSED = ("web/database/manager", "web/database/drop", "xmlrpc/2/db", "xmlrpc/db", "sysgenpro/ready")
BUS = ("websocket", "websocket/health", "longpolling/poll")
BETWEEN = ("/", "%2F", "%2f", "//", "/%2F", "%2F%2f", "/./", "%2F.%2F", "/x/..%2F", "/%2e/", "%5C", "\\", "%252F", "%255C", "%u2215", "%C0%AF", "%EF%BC%8F",
           ";/", "/;x=1/", "%3B/", "%00/", "/%00", "%0A/", "%09", "%20/", "%3F/", "%23/", "#/", "+/", "%EF%BF%BD/")
BEFORE = ("", "fr", "fr_BE", "sr@latin", "es-419", "%66r", "x%2Fy", "%00", "web", "@", "%2E%2E", "..", "http:", "acme.example.test", "%E0%A4%B9")
AFTER = ("", "/", "%2F", "%2f%2F", "%00", "%0A", "%0a%0a", "%20", "?x=1", "%3F", "%23", ";x", "%3Bx", "#", "/.", "%2F..", "%2F.", "%5C", "..;/", "%ff")
LANGUAGE = re.compile("/+(fr|fr_BE|sr@latin|es-419)(/|%2F)", re.IGNORECASE)
# Where an encoded slash is a name's own business, and what is only called like a closed path.
OPEN = ("/web/content/a%2Fb", "/web/image/1/a%2fb.png", "/web/content/web%2Fdatabase", "/shop/a/web%2Fdatabase", "/web/databases", "/web%2Fdatabases",
        "/xmlrpc/2/common", "/xmlrpc%2F2/object", "/jsonrpc", "/sysgenprox", "/web%252Fdatabase/manager", "/web%5Cdatabase/manager", "/odoo/action-1%2F2",
        "/website/websocket", "/shop/longpolling/poll", "/web%C0%AFdatabase/manager", "/", "/%2F", "/shop?next=/web/database/manager",
        "/web/content/1/%2Fweb%2Fdatabase%2Fmanager")

# How an operator's own Traefik may be set, too.
SETTINGS: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "paths as sent": {"http": {"sanitizePath": False}},
    "no encoded slashes": {"http": {"encodedCharacters": {"allowEncodedSlash": False, "allowEncodedBackSlash": False}}},
}


def variants(path: str) -> list[str]:
    """A path's letters written otherwise."""
    return [path, path.replace("d", "%64").replace("w", "%77"), path.upper(), path.replace("b", "%2562")]


def forms(paths: Sequence[str], count: int, seed: int) -> list[str]:
    """Each way to write each part once at least, and a seeded choice of their combinations."""
    found = ["/" + between.join(path.split("/")) for path in paths for between in BETWEEN]
    found += [start + path for start in BETWEEN for path in paths]
    found += ["/" + before + between + path for before in BEFORE[1:] for between in ("/", "%2F", "//", "%2f%2F") for path in paths]
    found += ["/" + path + after for path in paths for after in AFTER]
    found += ["/" + variant for path in paths for variant in variants(path)]
    some = random.Random(seed)
    for _ in range(count):
        path = some.choice(variants(some.choice(paths)))
        for _slash in range(path.count("/")):
            path = path.replace("/", "\0" + some.choice(BETWEEN).replace("/", "\1"), 1)
        path = path.replace("\0", "").replace("\1", "/")
        found.append(some.choice(BETWEEN) + some.choice(BEFORE) + some.choice(BETWEEN) + path + some.choice(AFTER))
    return list(dict.fromkeys(form for form in found if form.startswith("/")))


def asked(image: str, targets: Sequence[str]) -> dict[str, Any]:
    """What the Odoo of an image takes targets for (served.py)."""
    done = subprocess.run(
        ["docker", "run", "--rm", "-i", "--network", "none", "-v", f"{ROOT}/addons:/addons:ro", "-v", f"{Path(__file__).parent}/served.py:/served.py:ro",
         images.ensure(image), "python3", "/served.py", "/addons,/usr/lib/python3/dist-packages/odoo/addons"],
        input=json.dumps({"targets": list(targets)}), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def is_closed(rule: str) -> bool:
    return rule.startswith(("/web/database", "/sysgenpro")) or rule in ("/xmlrpc/db", "/xmlrpc/2/db")


def is_bus(rule: str) -> bool:
    return rule.startswith(("/websocket", "/longpolling"))


@pytest.fixture(scope="module", params=SETTINGS)
def tried(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, make_certificate: Callable[..., tuple[str, str]]) -> Iterator[Any]:
    """A function that sends targets through Traefik and says what arrived where: ``(status, target at 8069, target at 8072)`` for each."""
    edge = Edge(tmp_path_factory.mktemp("edge") / "traefik")
    for name in ("websecure", "internal"):
        edge.static["entryPoints"][name].update(SETTINGS[request.param])
    edge.start()
    servers = [Server("127.28.9.2", 8069, hello), Server("127.28.9.2", 8072, hello)]
    pages = Server("127.28.0.2", 8069, page)
    certificate, key = make_certificate(HOST)
    result = edge.run([{"name": "acme", "hosts": [HOST], "front": "127.28.9.2", "rate_limit": {"average": 0},
                        "tls": {"certificate": certificate, "private_key": key}}])
    assert "failed" not in result, result

    def send(targets: Sequence[str]) -> list[tuple[int, list[str], list[str]]]:
        found = []
        for target in targets:
            for server in servers:
                server.seen.clear()
            status = edge.request(HOST, target)[0]
            found.append((status, *([seen[1] for seen in server.seen] for server in servers)))
        return found

    seen: dict[tuple[str, ...], Any] = {}

    def once(targets: Sequence[str]) -> list[tuple[int, list[str], list[str]]]:
        key = tuple(targets)
        if key not in seen:
            seen[key] = send(targets)
        return seen[key]  # type: ignore[no-any-return]

    once.setting = request.param  # type: ignore[attr-defined]
    yield once
    for server in (*servers, pages):
        server.close()
    edge.stop()


@pytest.mark.parametrize("image", SERIES)
def test_what_arrives_is_no_closed_path_and_the_bus_arrives_at_its_port(tried: Any, image: str, figure: Callable[[str], None]) -> None:
    targets = forms(CLOSED, 200, 8) + forms(BUS, 60, 8)
    seen = tried(targets)
    arrived = [(sent, port, target) for sent, (_status, web, bus) in zip(targets, seen) for port, found in ((8069, web), (8072, bus)) for target in found]
    answers = asked(image, targets + [target for _sent, _port, target in arrived])["rules"]
    meant, rules = answers[: len(targets)], answers[len(targets):]
    passed = [(sent, target, rule) for (sent, _port, target), rule in zip(arrived, rules) if any(map(is_closed, rule))]
    assert not passed, passed
    astray = [(sent, target, rule) for (sent, port, target), rule in zip(arrived, rules) if port != 8072
              and (is_bus(rule[0]) or (is_bus(rule[1]) and LANGUAGE.match(target)))]
    assert not astray, astray
    # The forms are worth the trial: many mean a closed path as they are sent.
    closed = [target for target, rule in zip(targets, meant) if any(map(is_closed, rule))]
    assert len(closed) > 200 and any("%2F" in target for target in closed)
    figure(f"{len(targets)} forms of paths through Traefik ({tried.setting}): {len(closed)} mean a closed path to {image}, {len(arrived)} arrived, none of those")


def test_what_is_no_closed_path_arrives_as_it_was_sent(tried: Any) -> None:
    for target, (status, web, bus) in zip(OPEN, tried(OPEN)):
        if tried.setting == "no encoded slashes" and ("%2f" in target.lower() or "%5C" in target):
            assert status == 400
        else:
            assert (status, len(web), bus) == (200, 1, []) and unquote(web[0]) == unquote(target), (target, status, web, bus)


def test_the_bus_by_other_names(tried: Any) -> None:
    """Also where no series at hand knows it: 14 has no websocket, 19 no longpolling."""
    targets = ("/longpolling%2Fpoll", "/websocket%2Fx", "/%2Fwebsocket", "/fr/websocket", "/es_419%2flongpolling%2Fpoll")
    for path, (status, web, bus) in zip(targets, tried(targets)):
        assert web == [] and (len(bus) == 1 or (status == 400 and tried.setting == "no encoded slashes")), (path, status, web, bus)


@pytest.mark.parametrize("image", SERIES)
def test_the_service_db_is_closed_in_odoo_itself(image: str) -> None:
    """The edge cannot see which service a call of /jsonrpc is for. With list_db off, which no inventory can change, Odoo refuses whoever knows the
    master password all that makes, reads, changes or drops a database; what is left tells of languages, countries and its version."""
    found = asked(image, [])
    assert found["series"] == image.split("-")[1]
    assert found["carried_out"] == ["db_exist", "list_countries", "list_lang", "server_version"]
    assert {"create_database", "drop", "dump", "restore", "list", "rename", "duplicate_database", "change_admin_password", "migrate_databases"} <= set(
        found["refused"])
