# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every process ends by itself, and nothing that was under way is cut off."""

from __future__ import annotations

import subprocess
import threading
import time

import pytest
import requests
import rig as rigs


class Lock:
    """Holds a partner's row for some seconds, so that a request which writes it takes as long."""

    def __init__(self, rig: rigs.Rig, seconds: float) -> None:
        query = f"begin; update res_partner set id = id where id = 3; select pg_sleep({seconds}); commit"
        self.process = subprocess.Popen(
            ["docker", "exec", rig.name("pg"), "psql", "-XAtq", "-U", "odoo", "-d", rigs.DATABASE, "-c", query],
            stdout=subprocess.DEVNULL,
        )
        rigs.wait_for(
            lambda: rig.sql("select 1 from pg_stat_activity where query like '%pg_sleep%' and wait_event = 'PgSleep'"),
            20,
            "the lock",
        )


def _slow(odoo: rigs.Odoo, user: rigs.Browser, answers: list[object]) -> threading.Thread:
    def work() -> None:
        try:
            answers.append(user.call(odoo, "res.partner", "write", [3], {"comment": "slow"}))
        except Exception as error:
            answers.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_files_of_an_earlier_container_are_gone(blue: rigs.Odoo) -> None:
    assert not (blue.run_directory / "99999-1").exists()
    assert not list(blue.run_directory.glob(".[0-9]*"))


def test_a_request_under_way_is_listed_and_then_gone(rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser) -> None:
    lock, answers, begun = Lock(rig, 2), [], time.time()
    thread = _slow(blue, user, answers)
    found = rigs.wait_for(lambda: [r for r in blue.requests_under_way() if r["uid"]], 60, "it is listed")
    assert len(found) == 1
    assert found[0]["method"] == "POST"
    assert found[0]["path"] == "/web/dataset/call_kw/res.partner/write"
    assert found[0]["uid"] == 2
    assert begun - 1 < found[0]["since"] < time.time() + 1
    thread.join()
    lock.process.wait()
    assert answers == [True]
    rigs.wait_for(lambda: not blue.requests_under_way(), 60, "it is gone")


def test_a_worker_killed_within_a_request_leaves_no_file(rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser) -> None:
    lock, answers = Lock(rig, 3), []
    thread = _slow(blue, user, answers)
    rigs.wait_for(lambda: [r for r in blue.requests_under_way() if r["uid"]], 60, "it is listed")
    (path,) = blue.run_directory.glob("[0-9]*-*")
    rigs.docker("exec", blue.name, "kill", "-9", path.name.split("-")[0])
    rigs.wait_for(lambda: not path.exists(), 60, "its file is gone")
    thread.join()
    lock.process.wait()
    assert isinstance(answers[0], requests.RequestException)


def test_sigterm_ends_requests_under_way_and_those_accepted(rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser) -> None:
    green = rig.odoo("green", workers=2)
    try:
        users = [user, rigs.Browser(blue)]
        lock, answers = Lock(rig, 4), []
        threads = [_slow(green, one, answers) for one in users]
        rigs.wait_for(lambda: len(green.requests_under_way()) == 2, 60, "both workers are busy")
        waiting: list[int] = []
        late = threading.Thread(
            target=lambda: waiting.append(requests.get(f"{green.url}/web/login", timeout=60).status_code)
        )
        late.start()
        time.sleep(0.3)
        assert not waiting
        green.signal()
        assert green.wait() == 0
        for thread in (*threads, late):
            thread.join()
        lock.process.wait()
        assert answers == [True, True]
        assert waiting == [200]
        assert not green.requests_under_way()
    finally:
        green.remove()


def test_websockets_are_told_to_come_back(rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser) -> None:
    if rig.major < 16:
        pytest.skip("websockets came with Odoo 16")
    green = rig.odoo("green")
    try:
        first, second = user.websocket(green), rigs.Browser(blue).websocket(green)
        time.sleep(0.5)
        green.signal()
        for connection in (first, second):
            opcode, data = connection.recv_data()
            assert (opcode, int.from_bytes(data[:2], "big")) == (8, 1001)
            connection.close()
        assert green.wait() == 0
        logs = green.logs()
        assert "SIGTERM: closing 2 connections" in logs
        assert "did not answer" not in logs
        assert "killed" not in logs
        again = user.websocket(blue)
        again.close()
    finally:
        green.remove()


def test_a_browser_that_does_not_answer_the_closing_delays_the_end_only_so_long(
    rig: rigs.Rig, user: rigs.Browser
) -> None:
    if rig.major < 16:
        pytest.skip("websockets came with Odoo 16")
    green = rig.odoo("green", environment={"SYSGENPRO_DRAIN_EVENTED": "1"})
    try:
        deaf = user.websocket(green)
        time.sleep(0.5)
        green.signal()
        assert green.wait() == 0
        assert "1 connections did not answer the closing" in green.logs()
        deaf.shutdown()
    finally:
        green.remove()


def test_a_poll_is_answered(rig: rigs.Rig, user: rigs.Browser) -> None:
    if rig.major >= 16:
        pytest.skip("longpolling ended with Odoo 15")
    green = rig.odoo("green")
    try:
        answers: list[object] = []

        def poll(browser: rigs.Browser, channels: list[str]) -> None:
            body = {"jsonrpc": "2.0", "params": {"channels": channels, "last": 0, "options": {}}}
            answers.append(browser.request("POST", f"http://{green.address}:8072/longpolling/poll", json=body).json())

        # Also of a visitor, who listens to no channel at all.
        threads = [threading.Thread(target=poll, args=given) for given in ((user, ["x"]), (rigs.Browser(), []))]
        for thread in threads:
            thread.start()
        time.sleep(3)
        assert not answers
        green.signal()
        for thread in threads:
            thread.join(20)
        assert green.wait() == 0
        assert [answer["result"] for answer in answers] == [[], []]
        assert "did not answer the closing" not in green.logs()
    finally:
        green.remove()


def test_cron_ends_its_job_and_takes_no_other(rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser) -> None:
    rig.sql("update ir_cron set active = false")
    model = user.call(blue, "ir.model", "search", [("model", "=", "res.partner")])[0]
    for number, code in enumerate(("env.cr.execute('select pg_sleep(3)')", ""), 1):
        values = {
            "name": f"job {number}",
            "model_id": model,
            "state": "code",
            "priority": number,
            "nextcall": "2020-01-01 00:00:00",
            "interval_number": 1,
            "interval_type": "days",
            "active": True,
            "code": f"env['ir.config_parameter'].set_param('sgp.begun{number}', '1'); {code}\nenv['ir.config_parameter'].set_param('sgp.job{number}', 'done')",
        }
        if rig.major < 18:
            values["numbercall"] = -1
        user.call(blue, "ir.cron", "create", values)
    cron = rig.odoo("cron", http=False, workers=1, cron=1)
    try:
        rigs.wait_for(
            lambda: rig.sql(
                "select 1 from pg_stat_activity where query like 'select pg_sleep(3)%' and wait_event = 'PgSleep'"
            ),
            300,
            "job 1",
        )
        cron.signal()
        assert cron.wait() == 0
        assert rig.sql("select key from ir_config_parameter where key like 'sgp.job%'") == "sgp.job1"
        assert rig.sql("select count(*) from ir_cron where cron_name = 'job 2' and nextcall < '2021-01-01'") == "1", (
            "the other job still waits"
        )
    finally:
        cron.remove()
        rig.sql("update ir_cron set active = false; delete from ir_config_parameter where key like 'sgp.%'")


def test_the_threaded_server_waits_too(rig: rigs.Rig, user: rigs.Browser) -> None:
    green = rig.odoo("green", workers=0)
    try:
        lock, answers = Lock(rig, 3), []
        thread = _slow(green, user, answers)
        rigs.wait_for(lambda: [r for r in green.requests_under_way() if r["uid"]], 60, "it is listed")
        green.signal()
        assert green.wait() == 0
        thread.join()
        lock.process.wait()
        assert answers == [True]
    finally:
        green.remove()
