# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions in Redis: nobody is logged out, whatever happens to Redis or to a colour."""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path

import pytest
import rig as rigs

STORE_SCRIPT = (Path(__file__).parent / "inside_store.py").read_text(encoding="utf-8")


def test_the_stores_whole_interface_in_odoo_itself(rig: rigs.Rig, blue: rigs.Odoo) -> None:
    done = subprocess.run(
        ["docker", "exec", "-i", blue.name, "python3", "-"],
        input=STORE_SCRIPT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.strip().endswith("all of it works")


def test_a_session_holds_in_the_other_colour_and_over_a_restart_of_redis(
    rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser
) -> None:
    green = rig.odoo("green")
    try:
        assert user.me(green) == user.me(blue) == 2
        rigs.docker("restart", "--time", "10", rig.name("redis"))
        assert user.me(green) == user.me(blue) == 2
        sid = user.sid
        rigs.docker("kill", rig.name("redis"))
        threading.Timer(1, lambda: rigs.docker("start", rig.name("redis"))).start()
        assert user.me(blue) == 2, "the request waits for Redis and goes on"
        assert user.sid == sid
    finally:
        green.remove()


def test_without_redis_a_request_ends_with_503_and_the_user_stays_logged_in(
    rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser
) -> None:
    sid = user.sid
    rigs.docker("stop", rig.name("redis"))
    try:
        answer = user.request("GET", f"{blue.url}/web")
    finally:
        rigs.docker("start", rig.name("redis"))
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "5"
    assert "Set-Cookie" not in answer.headers
    rigs.wait_for(lambda: rig.redis("PING") == "PONG", 120, "Redis")
    assert (user.me(blue), user.sid) == (2, sid)


def test_sessions_that_lie_in_files_are_taken_over_once(rig: rigs.Rig, blue: rigs.Odoo) -> None:
    legacy = rig.odoo("legacy", redis=False)
    try:
        user, other = rigs.Browser(legacy), rigs.Browser(legacy)
        assert rig.redis("EXISTS", f"sgp:session:{user.sid}") == "0"
        assert user.me(blue) == 2
        assert rig.redis("EXISTS", f"sgp:session:{user.sid}") == "1"
        assert user.me(legacy) == 2, "the way back is open"
        sid = user.sid
        user.request("GET", f"{blue.url}/web/session/logout")
        assert rigs.Browser(sid=sid).me(blue) != 2, "who logged out does not come back from a file"
        assert other.me(blue) == 2
    finally:
        legacy.remove()


def test_a_session_expires_after_the_lifetime(rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser) -> None:
    assert 0 < int(rig.redis("TTL", f"sgp:session:{user.sid}")) <= 7 * 24 * 3600


def test_a_long_session_gets_a_new_id_and_the_old_one_works_for_a_while(
    rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser
) -> None:
    if rig.major < 18:
        pytest.skip("soft rotation came with Odoo 18")

    def age(sid: str, seconds: int) -> None:
        kept = json.loads(rig.redis("GET", f"sgp:session:{sid}"))
        kept["data"]["create_time"] -= seconds
        rig.redis("SET", f"sgp:session:{sid}", json.dumps(kept), "KEEPTTL")

    user.me(blue)
    old = user.sid
    age(old, 4 * 3600)
    assert user.me(blue) == 2
    new = user.sid
    assert new != old
    assert new[:42] == old[:42]
    assert rigs.Browser(sid=old).me(blue) == 2, "a request that was under way with the old id"
    age(new, 300)
    assert user.me(blue) == 2
    assert rig.redis("EXISTS", f"sgp:session:{old}") == "0"
    assert user.me(blue) == 2
    assert user.sid == new


def test_redis_restarts_under_load_and_no_request_fails(rig: rigs.Rig, blue: rigs.Odoo, user: rigs.Browser) -> None:
    seen: list[object] = []
    restarted = threading.Event()

    def work() -> None:
        after = 0
        while after < 5:
            after += restarted.is_set()
            seen.append(user.me(blue))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    rigs.wait_for(lambda: len(seen) > 5, 120, "work goes on")
    rigs.docker("restart", "--time", "10", rig.name("redis"))
    restarted.set()
    for thread in threads:
        thread.join()
    assert set(seen) == {2}


def test_a_wrong_environment_ends_the_process(rig: rigs.Rig, blue: rigs.Odoo) -> None:
    broken = rigs.Odoo(rig, "broken", environment={"SYSGENPRO_SESSION_WAIT": "soon"})
    try:
        with pytest.raises(
            AssertionError, match="SYSGENPRO_SESSION_WAIT: expected seconds between 0 and 120, got 'soon'"
        ):
            broken.start()
    finally:
        broken.remove()
