# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Herds: whoever waits through a hold is answered, and whoever is too many is told so by the route's own limit, and nobody fails by chance."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from estate import Estate
from estate.edge import get, target
from estate.herds import held, kept, waits_out_a_hold
from estate.place import HOST, INSTANCE
from load.herd import Herd, came_to, write

LIMIT = 1000
"""Requests of a route that may wait, where an inventory says nothing (``hold.requests``)."""


def test_every_process_listens_with_room(estate: Estate) -> None:
    """As the kernel has it, in the containers that the product makes."""
    pid = estate.machine.sh(f"docker inspect -f '{{{{.State.Pid}}}}' $(docker ps -qf label=org.sysgenpro.instance={INSTANCE} -f label=org.sysgenpro.kind=web)")
    found = estate.machine.sh(f"nsenter -t {pid.strip()} -n ss -ltnH")
    backlogs = {int(columns[3].rsplit(":", 1)[1]): int(columns[2]) for columns in map(str.split, found.splitlines())}
    assert {port: backlogs.get(port) for port in (8069, 8072)} == {8069: 16384, 8072: 16384}
    limits = estate.machine.sh("for p in $(pgrep -f 'odoo.* gevent|odoo.*longpolling'); do grep 'open files' /proc/$p/limits; done").splitlines()
    assert limits and all(line.split()[3] == line.split()[4] for line in limits), "a websocket process has fewer open files than it may"


def test_hundreds_write_at_once_without_any_release(estate: Estate) -> None:
    where = target(estate, HOST)
    assert came_to(Herd(where, write(where, "all at once/"), 500).answers()) == {"200": 500}
    assert kept(estate, "all at once") == (500, 500)
    estate.machine.sql("delete from res_partner where name like 'all at once/%'")


def test_herd_through_a_hold(estate: Estate, here: None, figure: Callable[[str], None]) -> None:
    """500 write and 200 browsers come back, on two workers and one process for websockets."""
    figure(waits_out_a_hold(estate, 500, 200))


@pytest.mark.slow
def test_two_thousand_wait(estate: Estate, here: None, figure: Callable[[str], None]) -> None:
    """As many as the route lets are answered; the others get the page at once, with a time to come again. None fails otherwise.

    All come from one address, so that the rate limit (429) turns some away before as many wait as may.
    """
    answers, _came, operation, mark = held(estate, 2000, 0)
    found = came_to(answers)
    assert set(found) == {"200", "429", "503"}, found
    served = [one for one in answers if one.status == 200]
    assert len(served) == LIMIT and kept(estate, mark) == (LIMIT, LIMIT), found
    turned_away = [one for one in answers if one.status != 200]
    assert all(int(one.headers["retry-after"]) > 0 and one.headers["content-type"].startswith("text/html") for one in turned_away)
    answered = operation["answered"]
    assert (answered["failed"], answered["limited"]) == (found["503"], found["429"]), answered
    assert [item["count"] for item in answered["reasons"]] == [found["503"]] and "hold.requests" in answered["reasons"][0]["reason"], answered
    assert any("hold.requests" in text for text in operation["warnings"]), operation["warnings"]
    figure(f"of 2000 who came at once {len(served)} waited and were answered, the last after {max(one.seconds for one in served):.1f} s; the others got the page: {found}")
    assert get(estate, HOST, "/web/login")[0] == 200
