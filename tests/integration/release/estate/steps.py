# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a release, by name; waiting for one, running beside one, and killing one."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from .machine import ROOT, Ran
from .place import INSTANCE, Estate
from .seen import Seen, sound

JOURNAL = f"cat {ROOT}/{INSTANCE}/state/journal.jsonl 2>/dev/null || true"

UPDATE = (
    "pull", "prepare", "recovery_point", "cron_idle", "stop_cron", "hold", "drain", "retire", "fence", "undo_copy", "update", "check_modules", "open", "prove",
    "record", "let_go", "start_cron", "settle",
)
CODE = ("pull", "stage", "prove", "cron_idle", "stop_cron", "switch", "finish", "watch", "record", "start_cron", "settle")
BACK = (
    "pull", "prepare", "restore_point", "cron_idle", "stop_cron", "hold", "drain", "retire", "fence", "exchange", "check_modules", "open",
    "prove", "record", "let_go", "start_cron", "export", "settle",
)
HELD = UPDATE[UPDATE.index("drain"):UPDATE.index("let_go")]


def killed(estate: Estate, current: str, target: str, event: str, step: str, *marks: str) -> Seen:
    """Kill the module at an entry of its journal, then run the same command again."""
    ran = estate.release(target, at=[{"event": event, "step": step, "do": "kill"}])
    assert ran.did and not ran.result, f"it was not killed at {event} {step}: {ran.message or ran.result}"
    between = Seen.look(estate)
    assert between.journal, "the kill left no journal"
    assert len(between.running("cron")) < 2, between.containers
    # Some steps are a code release's as well, which holds nobody.
    if step in HELD and '"step": "hold"' in between.journal:
        assert between.colour is None, f"killed at {step}, the front leads to {between.front}"
    elif target != current:
        assert between.colour is not None or step in ("hold", "let_go"), f"killed at {event} {step}, the front refuses"
    again = estate.release(target).ok()
    print(f"killed at {event} {step} after {ran.did[0]['after']} s; again: {again.result['timings']['total']} s")
    return sound(estate, target, *marks)


def until(what: Callable[[], object], seconds: float = 60, told: str = "it never came to pass") -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline, told
        time.sleep(0.05)


def began(estate: Estate, step: str, seconds: float = 180) -> None:
    """Wait until a step has begun."""
    until(lambda: any('"event": "begin"' in line and f'"step": "{step}"' in line for line in estate.machine.sh(JOURNAL).splitlines()),
          seconds, f"{step} never began")


def under_way(estate: Estate, path: str) -> bool:
    """Whether a colour has written a request down as under way."""
    return path in estate.machine.sh(f"cat /run/sysgenpro/{INSTANCE}/*/[0-9]* 2>/dev/null || true")


def moment(steps: Sequence[Mapping[str, Any]], event: str, step: str) -> float:
    """When a journal's entry was written, in epoch seconds."""
    return next(datetime.fromisoformat(entry["at"]).timestamp() for entry in steps if (entry["event"], entry.get("step")) == (event, step))


class Beside:
    """A release that runs beside the test."""

    def __init__(self, estate: Estate, name: str, **parameters: Any) -> None:
        self._ran: list[Ran] = []
        self._thread = threading.Thread(target=lambda: self._ran.append(estate.release(name, **parameters)), daemon=True)
        self._thread.start()

    def end(self) -> Ran:
        """Wait for it."""
        self._thread.join(900)
        return self._ran[0]
