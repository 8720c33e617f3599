# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Hundreds who arrive together while an update holds them."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from load.herd import Answered, Herd, came_to, poll, websocket, write

from .edge import target
from .place import HOST
from .seen import leave_mark, sound
from .steps import Beside, began, moment

if TYPE_CHECKING:
    from .place import Estate

SECONDS = 25
"""How long the update takes beside what it has to do: every one of the herd must have come, on a machine that is busy with other things, too."""


def held(estate: Estate, writers: int, browsers: int) -> tuple[list[Answered], list[Answered], dict[str, Any], str]:
    """Have them come in the middle of an update. Returns what became of either kind, the result, and how the writers' partners are named."""
    mark = f"herd {secrets.token_hex(4)}"
    leave_mark(estate, mark)
    _current, other = estate.other_schema()
    where = target(estate, HOST)
    estate.behave(during_update=f"sleep {SECONDS}")
    try:
        beside = Beside(estate, other, bounds={"count": 60})
        began(estate, "update")
        writing = Herd(where, write(where, mark + "/"), writers)
        coming = Herd(where, websocket(where) if int(estate.series.split(".")[0]) >= 16 else poll(where), browsers) if browsers else None
        ran = beside.end().ok()
        answers, came = writing.answers(), coming.answers() if coming else []
    finally:
        estate.behave(during_update="")
    sound(estate, other, mark)
    first = writing.began + min(one.seconds for one in answers if one.status == 200)
    assert first > moment(ran.result["operation"]["steps"], "begin", "let_go"), "somebody was answered while requests were held"
    return answers, came, ran.result["operation"], mark


def kept(estate: Estate, mark: str) -> tuple[int, int]:
    """How many partners of a herd there are, and how many different ones."""
    total, different = estate.machine.sql(
        f"select count(*), count(distinct name) from res_partner where name like '{mark}/%'").split("|")
    return int(total), int(different)


def waits_out_a_hold(estate: Estate, writers: int, browsers: int) -> str:
    """Fail unless every one is answered rightly, no write is lost or doubled, and the release says so. Returns a line for people."""
    answers, came, operation, mark = held(estate, writers, browsers)
    assert came_to(answers) == {"200": writers}
    assert came_to(came) == {"101" if int(estate.series.split(".")[0]) >= 16 else "200": browsers}
    assert kept(estate, mark) == (writers, writers)
    answered = operation["answered"]
    assert answered["failed"] == 0 and answered["waited"] >= writers, answered
    return (f"{writers} writers and {browsers} browsers waited for {operation['pause']} s on two workers: all answered, the last after "
            f"{max(one.seconds for one in answers):.1f} s; the release counted {answered['waited']} who waited")
