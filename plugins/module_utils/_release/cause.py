# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why Odoo ended as it did, in one sentence, out of all that it wrote (text, as it has no JSON)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .._runtime.protocol import LOST, Outcome

_TRACEBACK = "Traceback (most recent call last):"
_LOGGED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} ")
# What follows a message and is no part of it: rows and queries of PostgreSQL, the context of a view.
_ASIDE = re.compile(r"(DETAIL|HINT|CONTEXT|LINE \d+): |View error context:")
_CHAIN = re.compile(r"(The above exception was the direct cause|During handling of the above exception)")
# Of a data file that calls a function Odoo's last words are where it stood, and no longer why it fell (tools/convert.py).
_WHERE = re.compile(r"(somewhere inside|, near)\b")
_CRITICAL = re.compile(r" (?:CRITICAL|ERROR) \S+ [\w.]+: (.+)")

# What a shell says of a program that SIGKILL or SIGTERM ended, and strerror(ENOSPC).
_KILLED = (137, 143)
_NO_SPACE = "No space left on device"


def is_passing(output: str, outcome: Outcome) -> bool:
    """Whether an update failed for want of something on the machine, or was killed, so that the same one may well succeed."""
    return outcome.out_of_memory or outcome.lost or not outcome.there or outcome.code in _KILLED or _NO_SPACE in output


def cause(output: str, outcome: Outcome) -> str:
    """The cause of a failure in one sentence."""
    if outcome.out_of_memory:
        return "it needed more memory than it may have"
    if outcome.lost:
        return LOST
    lines = output.splitlines()
    raised = _raised(lines)
    if raised:
        said = " ".join(raised[-1])
        # Of a chain the last one has the most to say, except where it only tells a place.
        reason = (": " + " ".join(raised[0]))[:300] if len(raised) > 1 and _WHERE.search(said) else ""
        return said[: 500 - len(reason)] + reason
    for line in reversed(lines):
        found = _CRITICAL.search(line)
        if found:
            return found.group(1)[:500]
    said = lines[-1].strip() if lines and not _LOGGED.match(lines[-1]) else ""
    return f"Odoo ended with code {outcome.code}" + (f": {said[:500]}" if said else "")


def _raised(lines: Iterable[str]) -> list[list[str]]:
    """The messages of the last chain of exceptions in a log, each by its lines.

    A message begins with the first line after a traceback's frames, which are indented, and goes on until something else is logged: Odoo tells
    what is wrong with a view or a data file in the lines that follow.
    """
    chain: list[list[str]] = []
    where, chained, goes_on = "outside", False, False
    for line in lines:
        if line.startswith(_TRACEBACK):
            where, chained, goes_on = "frames", goes_on, False
        elif _CHAIN.match(line):
            where, goes_on = "outside", True
        elif where == "frames" and line.strip() and not line.startswith(" "):
            chain = [*(chain if chained else []), [line.strip()]]
            where = "message"
        elif where == "message" and (_LOGGED.match(line) or _ASIDE.match(line)):
            where = "outside"
        elif where == "message" and line.strip():
            chain[-1].append(line.strip())
    return chain
