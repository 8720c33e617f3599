# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the edge's answers during a release come to."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.answered import (
    AccessLog,
    Answer,
    Edge,
    Held,
    epoch,
    held_of,
    lines_of,
    tell,
)

HELD = Held(100.0, 110.0)
PAGES = "acme-pages@file"


def answer(at: float, seconds: float, status: int = 200, service: str = "acme@file", bus: bool = False) -> Answer:
    return Answer(at, seconds, status, service, "POST", "/web/x", bus)


@pytest.mark.parametrize(("one", "held", "reason"), [
    (answer(90, 1, 500), HELD, "Odoo answered 500"),
    (answer(112, 1, 503, PAGES), HELD, "the connection to Odoo broke, or Odoo answered 429 or 502 to 504"),
    (answer(105, 7, 503, PAGES), HELD, "the connection to Odoo broke, or Odoo answered 429 or 502 to 504"),
    (answer(105, 0.01, 503, PAGES), HELD, "turned away at once, as many waited as the route lets (hold.requests)"),
    (answer(101, 8, 503, PAGES), HELD, "waited for as long as the route lets (hold.timeout, hold.attempts)"),
    (answer(101, 8, 503, PAGES), Held(100, 110, 104), "the maintenance page was shown"),
    (answer(101, 0.01, 503, PAGES), Held(100, 110, 104), "turned away at once, as many waited as the route lets (hold.requests)"),
    (answer(111, 0.01, 503, PAGES), Held(100, 110, 104), "the connection to Odoo broke, or Odoo answered 429 or 502 to 504"),
    (answer(111, 0.01, 503, PAGES), None, "the connection to Odoo broke, or Odoo answered 429 or 502 to 504"),
])
def test_reasons(one: Answer, held: Held | None, reason: str) -> None:
    found = tell([one], held)
    assert found["failed"] == 1
    assert found["reasons"] == [{"reason": reason, "count": 1, "paths": ["POST /web/x"]}]
    assert reason in lines_of(found)[1]


def test_who_waited_together() -> None:
    found = tell([answer(99, 12), answer(105, 5.5), answer(105, 4), answer(111, 1), answer(90, 900, 101, bus=True)], HELD)
    assert found == {"requests": 5, "failed": 0, "limited": 0, "waited": 2, "longest": 12, "reasons": []}
    assert lines_of(found) == []
    assert "2 of 2 requests were answered 429" in lines_of(tell([answer(99, 12, 429), answer(105, 1, 429)], HELD))[0]


def line(router: str, at: str, status: int = 200, **more: Any) -> str:
    return json.dumps({"RouterName": router, "StartUTC": at, "Duration": 1_500_000_000, "DownstreamStatus": status, "ServiceName": "acme@file",
                       "RequestMethod": "GET", "RequestPath": "/shop?secret=1", **more}) + "\n"


def test_the_log_is_read_from_the_mark_on_and_over_a_rotation(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    log = AccessLog(str(path))
    assert log.position() is None
    path.write_text(line("acme@file", "2026-11-29T14:55:30.5Z"))
    position = log.position()
    assert position is not None
    with path.open("a") as stream:
        stream.write(line("acme@file", "2026-11-29T14:55:31.123456789Z", 500) + line("acme-two@file", "2026-11-29T14:55:31Z") + "{torn\n")
    os.rename(path, tmp_path / "access.log.1")
    path.write_text(line("acme-websocket@file", "2026-11-29T14:55:32Z", 101) + '{"RouterName": "acme@f')
    found = list(log.since(position, "acme"))
    assert [(one.status, one.path, one.bus) for one in found] == [(500, "/shop", False), (101, "/shop", True)]
    assert found[0].at == pytest.approx(epoch("2026-11-29T14:55:31Z") + 0.123456789)


def test_the_hold_is_read_from_the_journal() -> None:
    def at(seconds: int, event: str, step: str) -> dict[str, str]:
        return {"at": f"2026-11-29T14:00:{seconds:02}.000+00:00", "event": event, "step": step}

    begun = [at(1, "begin", "pull"), at(2, "begin", "hold"), at(3, "done", "hold")]
    start = epoch("2026-11-29T14:00:00Z")
    assert held_of([at(1, "begin", "switch")], None) is None
    assert held_of([*begun, at(8, "begin", "let_go"), at(9, "done", "let_go"), at(11, "done", "settle")], None) == Held(start + 2, start + 8)
    assert held_of([*begun, at(6, "undo", "hold"), at(7, "undone", "hold")], 5.0) == Held(start + 2, start + 6, 5.0)


def test_nothing_marked_counts_nothing_and_waits_for_nothing(tmp_path: Path) -> None:
    edge = Edge({"access_log": str(tmp_path / "none")}, "acme")
    assert edge.mark() == {}
    assert edge.answered([{"at": "2999-11-29T14:00:00Z", "event": "begin", "step": "hold"}], {}, 60) is None
