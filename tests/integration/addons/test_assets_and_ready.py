# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two versions of the code on one database: bundles of both are served, and readiness tells a good one from a bad one."""

from __future__ import annotations

import json
import os
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from collections.abc import Iterator

import pytest
import requests
import rig as rigs

INSIDE = "/usr/lib/python3/dist-packages/odoo/addons/"


def _variant(rig: rigs.Rig, file: str, added: str) -> dict[str, str]:
    """A mount that puts ``added`` at the end of one of Odoo's files; its times are the old one's, as in images."""
    copy = rig.directory / "etc" / file.replace("/", "-")
    rigs.docker("cp", f"{rig.name('blue')}:{INSIDE}{file}", str(copy))
    stat = copy.stat()
    copy.write_text(copy.read_text(encoding="utf-8") + added, encoding="utf-8")
    copy.chmod(0o644)
    os.utime(copy, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return {str(copy): f"{INSIDE}{file}:ro"}


def _script(rig: rigs.Rig) -> str:
    return "web/static/src/core/browser/title_service.js" if rig.major >= 16 else "web/static/src/js/core/utils.js"


def _client_bundle(found: dict) -> str:
    """The bundle that ``_script`` is in."""
    (url,) = [url for url in found["assets"] if url.endswith(("/web.assets_web.min.js", "/web.assets_common.js"))]
    return url


def _rows(rig: rigs.Rig) -> set[str]:
    return set(
        rig.sql(
            "select id || ' ' || url from ir_attachment where url like '/web/%assets%' and res_model = 'ir.ui.view'"
        ).splitlines()
    )


def _calls(rig: rigs.Rig) -> int:
    return int(
        rig.sql("select count(*) from bus_bus where channel like '%bundle_changed%' or message like '%bundle_changed%'")
    )


@pytest.fixture(scope="module")
def ready(blue: rigs.Odoo) -> dict:
    answer = blue.ready()
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.fixture(scope="module")
def green(rig: rigs.Rig, ready: dict) -> Iterator[rigs.Odoo]:
    made = rig.odoo("green", mounts=_variant(rig, _script(rig), "\n;window.sgpGreen = 'this is green';\n"))
    yield made
    made.remove()


def test_ready_says_what_it_proved(rig: rigs.Rig, ready: dict) -> None:
    assert (ready["ok"], ready["database"], ready["series"]) == (True, rigs.DATABASE, rig.series)
    names = [check["name"] for check in ready["checks"]]
    assert names == [
        "add-ons", "registry", "sessions", "login page", "login page: bundles", "login page: scripts", "web client", "web client: bundles",
        "web client: scripts", "point of sale", "point of sale: bundles", "point of sale: scripts", "documents",
    ]  # fmt: skip
    assert all(set(check) == {"name", "ok", "detail", "seconds"} for check in ready["checks"])
    assert any("point_of_sale" in url for url in ready["assets"])


def test_two_workers_prove_all_of_it_at_the_same_time(rig: rigs.Rig, blue: rigs.Odoo, ready: dict) -> None:
    """In halves, which have only their beginning in common."""
    with ThreadPoolExecutor(2) as workers:
        login, pages = (answer.json() for answer in workers.map(lambda part: blue.ready(part=part), ("login", "pages")))
    first, second = ([check["name"] for check in found["checks"]] for found in (login, pages))
    assert login["ok"] and pages["ok"], (login, pages)
    assert {*first, *second} == {check["name"] for check in ready["checks"]}
    assert {*first} & {*second} == {"add-ons", "registry", "sessions"}
    assert {*login["assets"], *pages["assets"]} == {*ready["assets"]}


def test_ready_leaves_nothing_behind(rig: rigs.Rig, blue: rigs.Odoo, ready: dict) -> None:
    def state() -> tuple[str, ...]:
        device = "res_device_log" if rig.major >= 18 else "res_users_log"
        return (
            rig.redis("DBSIZE"), rig.sql("select count(*), max(id) from ir_attachment"), rig.sql(f"select count(*) from {device}"),
            rig.sql("select count(*) from res_users_log"),
        )  # fmt: skip

    before = state()
    assert blue.ready().json()["ok"]
    with ThreadPoolExecutor(2) as workers:
        assert all(answer.json()["ok"] for answer in workers.map(lambda part: blue.ready(part=part), ("login", "pages")))
    assert state() == before


@pytest.mark.parametrize("token", ["", "wrong", "probe-token-4", "ü"])
def test_without_the_token_there_is_nothing(blue: rigs.Odoo, token: str) -> None:
    headers = {"X-Sysgenpro-Token": token.encode()} if token else {}
    answer = requests.post(f"{blue.url}/sysgenpro/ready", headers=headers, timeout=60)
    assert (answer.status_code, answer.text) == (404, "Not Found")
    assert requests.get(f"{blue.url}/sysgenpro/ready", timeout=60).status_code in (404, 405)


def test_both_colours_serve_both_versions_and_none_takes_the_others_away(
    rig: rigs.Rig, blue: rigs.Odoo, ready: dict, green: rigs.Odoo
) -> None:
    calls = _calls(rig)
    other = green.ready().json()
    assert other["ok"], other
    old, new = _client_bundle(ready), _client_bundle(other)
    assert old != new, "another content is another version, although the file's time is the same"
    kept = _rows(rig)
    for odoo in (blue, green, blue, green):
        found = odoo.ready().json()
        assert _client_bundle(found) == (old if odoo is blue else new)
        for url, is_green in ((old, False), (new, True)):
            answer = requests.get(f"{odoo.url}{url}", timeout=60, allow_redirects=False)
            assert answer.status_code == 200
            assert ("this is green" in answer.text) is is_green
    assert _rows(rig) == kept, "nothing is made or deleted any more"
    assert _calls(rig) == calls, "nobody is told to refresh before green leads"
    leading = green.run_directory / "leading"
    asked = {"X-Sysgenpro-Leads": "green"}
    requests.get(f"{green.url}/web/login", timeout=60, headers=asked)
    assert _calls(rig) == calls, "nor by who asks for it too early"
    leading.touch()
    for _again in range(3):
        requests.get(f"{green.url}/web/login", timeout=60)
    assert _calls(rig) == calls, "no user's request has to tell the others"
    for _again in range(2):
        requests.get(f"{green.url}{'/web/health' if rig.major >= 15 else '/web/webclient/version_info'}", timeout=60, headers=asked)
    assert _calls(rig) == calls + 1
    assert not list(green.run_directory.glob("bundle_changed*"))


def test_a_call_that_nobody_asks_for_is_not_lost(rig: rigs.Rig, green: rigs.Odoo, ready: dict) -> None:
    """The release died between leading the front and asking."""
    calls = _calls(rig)
    sent = rig.sql("select channel, message from bus_bus where channel like '%bundle_changed%' or message like '%bundle_changed%' limit 1")
    assert sent
    kept = green.run_directory / "bundle_changed"
    method, arguments = ("_sendone", ["broadcast", "bundle_changed", {}]) if rig.major >= 15 else ("sendone", [[rigs.DATABASE, "bundle_changed"], []])
    kept.write_text(json.dumps({"database": rigs.DATABASE, "calls": [[method, arguments]]}), encoding="utf-8")
    os.chown(kept, rigs.UID, rigs.UID)
    leading = green.run_directory / "leading"
    leading.touch()
    requests.get(f"{green.url}/web/login", timeout=60)
    assert _calls(rig) == calls
    os.utime(leading, (0, 0))
    requests.get(f"{green.url}/web/login", timeout=60)
    assert _calls(rig) == calls + 1 and not kept.exists()


def test_old_versions_are_collected_in_the_end(rig: rigs.Rig, blue: rigs.Odoo, ready: dict) -> None:
    url = _client_bundle(ready)
    name, version = url.rsplit("/", 1)[1], url.split("/")[-2].split("-")[-1]
    for number in range(1, 9):
        made = "now() - interval '40 days'" if number in (1, 7) else "now()"
        old = url.replace(version, f"old000{number}")
        rig.sql(
            "insert into ir_attachment (id, name, type, url, res_model, res_id, public, create_uid, create_date, mimetype) "
            f"values ({-number}, '{name}', 'binary', '{old}', 'ir.ui.view', 0, true, 1, {made}, 'text/javascript')"
        )
    third = rig.odoo("third", mounts=_variant(rig, _script(rig), "\n;window.sgpThird = 3;\n"))
    try:
        found = third.ready().json()
        assert found["ok"], found
        rows = {row.split()[1] for row in _rows(rig) if row.endswith(name)}
        assert {url, _client_bundle(found)} <= rows
        # Newest first: third, green, blue, -1 (too old), -2, -3 (rank 6).
        assert {row for row in rows if "old000" in row} == {url.replace(version, "old0002")}
    finally:
        third.remove()


def test_a_release_whose_web_client_stays_white_is_not_ready(rig: rigs.Rig, blue: rigs.Odoo, ready: dict) -> None:
    style = "web/static/src/webclient/webclient.scss" if rig.major >= 16 else "web/static/src/scss/webclient.scss"
    missing = (
        '\nimport { nothing } from "@web/sgp/nowhere";\n'
        if rig.major >= 16
        else "\nodoo.define('sgp.broken', function (require) { var x = require('@web/sgp/nowhere'); });\n"
    )
    mounts = _variant(rig, _script(rig), missing) | _variant(rig, style, "\n.sgp { color: $sgp-no-such-variable; }\n")
    broken = rig.odoo("broken", mounts=mounts)
    try:
        answer = broken.ready()
        assert answer.status_code == 503
        found = {check["name"]: check for check in answer.json()["checks"] if not check["ok"]}
        assert not answer.json()["ok"]
        module = "@web/core/browser/title_service" if rig.major >= 16 else "sgp.broken"
        assert f"the module {module} needs @web/sgp/nowhere" in found["web client: scripts"]["detail"]
        assert "sgp-no-such-variable" in found["web client: bundles"]["detail"]
    finally:
        broken.remove()
    assert blue.ready().json()["ok"], "the other colour is as it was"


def test_a_database_that_waits_for_an_update_is_not_ready(rig: rigs.Rig, blue: rigs.Odoo) -> None:
    rig.sql("update ir_module_module set state = 'to upgrade' where name = 'stock'")
    try:
        answer = blue.ready()
    finally:
        rig.sql("update ir_module_module set state = 'installed' where name = 'stock'")
    assert answer.status_code == 503
    assert (
        answer.json()["checks"][1]["detail"] == "modules wait to be installed, updated or removed: stock (to upgrade)"
    )


def test_a_document_is_printed(ready: dict) -> None:
    assert re.search(r"account\.account_invoices of R?INV\S+: [0-9]{5,} bytes", ready["checks"][-1]["detail"])


def test_a_user_prints_whatever_the_addresses_in_the_database_say(rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser, ready: dict) -> None:
    """Both lead to an edge that lets everybody wait, or to another instance; nothing is asked of it."""
    invoice = user.call(blue, "account.move", "search", [["move_type", "in", ["out_invoice", "out_refund"]]], limit=1)[0]
    gateway = rigs.docker("inspect", "--format", "{{.NetworkSettings.Gateway}}", blue.name)
    before = {key: user.call(blue, "ir.config_parameter", "get_param", key) for key in ("web.base.url", "report.url")}
    with socket.create_server((gateway, 0)) as edge:
        edge.settimeout(0.1)
        try:
            for key in before:
                user.call(blue, "ir.config_parameter", "set_param", key, f"http://{gateway}:{edge.getsockname()[1]}")
            answer = user.request("GET", f"{blue.url}/report/pdf/account.report_invoice/{invoice}", timeout=120)
        finally:
            for key, value in before.items():
                user.call(blue, "ir.config_parameter", "set_param", key, value)
        assert answer.status_code == 200 and answer.content.startswith(b"%PDF"), answer.text[:2000]
        with pytest.raises(TimeoutError):
            edge.accept()
    assert "report_assets" in _asked_of_the_websocket_process(blue), "the document has its styles"


def _asked_of_the_websocket_process(odoo: rigs.Odoo) -> str:
    return "\n".join(line for line in odoo.logs().splitlines() if "127.0.0.1" in line and "GET /web/" in line)
