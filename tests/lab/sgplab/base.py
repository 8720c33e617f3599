# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of the lab needs: the cache, a lock, commands, the error to raise."""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

STARTED = time.monotonic()


class LabError(Exception):
    """Something the lab cannot do; its text says what and what to do about it."""


def cache() -> Path:
    """Return the directory for all that is made once; ``SYSGENPRO_CACHE`` moves it."""
    path = Path(os.environ.get("SYSGENPRO_CACHE") or "/var/cache/sysgenpro-odoo")
    path.mkdir(parents=True, exist_ok=True)
    return path


def secrets() -> Path:
    """Return the directory of the lab's keys, readable by its owner only."""
    path = cache() / "lab"
    path.mkdir(mode=0o700, exist_ok=True)
    return path


@contextlib.contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock ``name`` against other runs of the lab on this host; wait for it if it is taken."""
    with (cache() / f".{name}.lock").open("w", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"waiting for another run of the lab that holds the lock {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def say(text: str) -> None:
    """Print one line of progress with the seconds since the start, to stderr: stdout is for results."""
    print(f"[{time.monotonic() - STARTED:6.1f}s] {text}", file=sys.stderr, flush=True)


def run(command: Sequence[str], *, data: str | None = None, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a command and return its output as text; raise LabError with its error output if it fails and ``check``."""
    done = subprocess.run(command, input=data, capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise LabError(f"{' '.join(command)}\nended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")
    return done


def output(command: Sequence[str]) -> str:
    """Run a command and return its standard output, stripped."""
    return run(command).stdout.strip()
