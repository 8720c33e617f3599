# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's programs as daemons of this host: they outlive the shell that started them; a record names each with its arguments."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ..base import LabError
from .place import Place


def _record(place: Place, name: str) -> Path:
    return place.root / "processes" / f"{name}.json"


def log(place: Place, name: str) -> Path:
    """Return the file with what a daemon says."""
    return place.root / "logs" / f"{name}.log"


def born(pid: int) -> int | None:
    """Return when a process began, in the kernel's ticks since boot, or None if it has ended. A pid alone may be another's later."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # After the name in parentheses: the state is the first field, the start the twentieth, see proc(5).
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else int(fields[19])


def pid(place: Place, name: str) -> int | None:
    """Return a running daemon's pid, else None."""
    try:
        record = json.loads(_record(place, name).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    # None was written where it had ended by then.
    return int(record["pid"]) if record["born"] is not None and born(record["pid"]) == record["born"] else None


def names(place: Place) -> list[str]:
    """Return the names of all daemons that were started, running or not, the last one first."""
    return [path.stem for path in sorted((place.root / "processes").glob("*.json"), key=lambda path: path.stat().st_mtime_ns, reverse=True)]


def digest(command: Sequence[str], configuration: str = "") -> str:
    """Return what tells a daemon from one with other arguments or another configuration."""
    return hashlib.sha256(json.dumps([list(command), configuration]).encode()).hexdigest()


def ensure(place: Place, name: str, command: Sequence[str], configuration: str = "", environment: dict[str, str] | None = None) -> bool:
    """Have the daemon run with this command and this configuration. Returns whether it was started."""
    wanted = digest(command, configuration)
    if pid(place, name) and json.loads(_record(place, name).read_text(encoding="utf-8"))["digest"] == wanted:
        return False
    stop(place, name)
    with log(place, name).open("ab") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True, cwd="/",
                                   env={**os.environ, **(environment or {})})
    _record(place, name).write_text(json.dumps({"pid": process.pid, "born": born(process.pid), "digest": wanted}), encoding="utf-8")
    return True


def stop(place: Place, name: str, seconds: float = 15) -> None:
    """End a daemon: ask it, and after some seconds make it."""
    running = pid(place, name)
    if running:
        os.kill(running, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while pid(place, name) and time.monotonic() < deadline:
            time.sleep(0.05)
        if pid(place, name):
            os.kill(running, signal.SIGKILL)
        while pid(place, name):
            time.sleep(0.05)
    _record(place, name).unlink(missing_ok=True)


def wait(place: Place, name: str, ready: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until a daemon is ready. Raises LabError with the end of its log if it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        ended = pid(place, name) is None
        if ended or time.monotonic() > deadline:
            text = log(place, name).read_text(encoding="utf-8", errors="replace")
            raise LabError(f"{name} {'ended' if ended else 'is not ready'}; {log(place, name)} ends with\n{text[-2000:]}")
        time.sleep(0.1)
