# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of a release, by name, and killing one."""

from __future__ import annotations

from .place import Estate
from .seen import Seen, sound

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
    if step in HELD:
        assert between.colour is None, f"killed at {step}, the front leads to {between.front}"
    elif target != current:
        assert between.colour is not None or step in ("hold", "let_go"), f"killed at {event} {step}, the front refuses"
    again = estate.release(target).ok()
    print(f"killed at {event} {step} after {ran.did[0]['after']} s; again: {again.result['timings']['total']} s")
    return sound(estate, target, *marks)
