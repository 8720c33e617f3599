# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which runs of the timers were missed: when each verb ended well last, and when its calendar had it due since."""

from __future__ import annotations

import datetime
import fcntl
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..._kernel.commands import run_program
from ..._kernel.files import read_text, replace_file
from .calendar import parse_event

# A file for each instance and verb, with the second at which it ended well last.
RUNS = "/var/lib/sysgenpro/recovery-runs"
# Seconds after its time within which a run has begun: the timers' random delay, and some.
GRACE = 900
_CALENDAR = re.compile(r"(?:\(in UTC\)|Next elapse): \S+ (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC")


def note(instance: str, verb: str, ended: float, directory: str = "") -> None:
    """Keep that a run ended well."""
    directory = directory or RUNS
    os.makedirs(directory, mode=0o700, exist_ok=True)
    replace_file(os.path.join(directory, f"{instance}-{verb}"), f"{ended:.0f}\n".encode(), mode=0o600)


def last(instance: str, verb: str, directory: str = "") -> float | None:
    """When a run ended well last; None where none ever did."""
    found = (read_text(os.path.join(directory or RUNS, f"{instance}-{verb}")) or "").strip()
    return float(found) if found.isdigit() else None


def due(calendar: str, since: float) -> float | None:
    """When a calendar event (systemd.time(7)) comes next after a moment; None where never.

    :raises DomainError: ``calendar``.
    """
    if not shutil.which("systemd-analyze"):
        return parse_event(calendar).next(since)
    said = run_program(["systemd-analyze", "calendar", "--iterations=1", f"--base-time=@{since:.0f}", calendar], "calendar", f"reading {calendar!r}")
    found = _CALENDAR.findall(said)  # the machine's own zone first, then UTC where that is another
    return datetime.datetime.strptime(found[-1] + "+0000", "%Y-%m-%d %H:%M:%S%z").timestamp() if found else None


@contextmanager
def at_work(instance: str, verb: str, directory: str = "") -> Iterator[None]:
    """Have ``under_way`` true meanwhile, also in another container that has the directory."""
    directory = directory or RUNS
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with open(os.path.join(directory, f".{instance}-{verb}"), "w", encoding="utf-8") as stream:
        fcntl.flock(stream, fcntl.LOCK_SH)
        yield


def under_way(instance: str, verb: str, directory: str = "") -> bool:
    """Whether a run is at work, or waits for the instance's lock."""
    try:
        with open(os.path.join(directory or RUNS, f".{instance}-{verb}"), encoding="utf-8") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def overdue(calendar: str, since: float, now: float) -> float | None:
    """The moment after ``since`` at which a run should have begun by now; None where none should."""
    found = due(calendar, since)
    return found if found is not None and found + GRACE < now else None


def missed(instance: str, schedule: Mapping[str, str], now: float) -> dict[str, float]:
    """Since when each verb of a schedule has been due without a run that ended well; a run that is under way is not missed.

    What never ran counts from the first time it was looked for.
    """
    found = {}
    for verb, calendar in schedule.items():
        ended = last(instance, verb)
        if ended is None:
            note(instance, verb, now)
            continue
        moment = overdue(calendar, ended, now)
        if moment is not None and not under_way(instance, verb):
            found[verb] = moment
    return found
