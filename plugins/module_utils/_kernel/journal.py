# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The journal of the operation under way, and the lock that goes with it.

One JSON object a line, each made durable before the step it announces starts. An operation that ended is moved to
``history/``; so a journal that exists and has no living holder is one that was interrupted.
"""

from __future__ import annotations

import datetime
import fcntl
import json
import os
import secrets
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import IO, Any

from .errors import DomainError
from .files import read_leniently, read_text, replace_file, sync_directory
from .wait import Deadline

ENDED_WELL = ("done", "finished")
"""Outcomes of an operation that came to its end, at once or when it was taken up again."""
# Seconds in which who holds a lock says who it is, or has let go: two writes, by a process that may have to wait for a processor.
BETWEEN = 5


def now() -> str:
    """The moment in UTC, ISO 8601, to the millisecond."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")


def operation_id(verb: str) -> str:
    """A name for an operation; names sort by the moment, in UTC."""
    return f"{datetime.datetime.now(datetime.timezone.utc):%Y%m%dT%H%M%S}-{verb}-{secrets.token_hex(4)}"


def parse_entries(text: str) -> list[dict[str, Any]]:
    """Entries of a journal's text, up to the first line that is no JSON."""
    entries = []
    for line in text.splitlines():
        try:
            entries.append(json.loads(line))
        except ValueError:
            break
    return entries


class Journal:
    """Steps of one operation in ``<directory>/journal.jsonl``.

    :param directory: the instance's state directory on its machine; must exist.
    """

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, "journal.jsonl")
        self.history = os.path.join(directory, "history")
        self._start = time.monotonic()
        self._whole = False

    def read(self) -> list[dict[str, Any]]:
        """The entries of the operation under way; a last line torn by a crash is left out."""
        return parse_entries(read_leniently(self.path))

    def open(self, header: Mapping[str, Any]) -> None:
        """Begin an operation. ``header`` names it: id, plan digest, steps, context; never secrets."""
        self._start = time.monotonic()
        self.write("open", **header)

    def write(self, event: str, **data: Any) -> None:
        """Append one entry and make it durable before returning. What a crash tore is dropped first, as it ends no line.

        :raises DomainError: ``journal_failed``, as where the disk is full.
        """
        try:
            if not self._whole:
                self._drop_torn_line()
                self._whole = True
            self._append(event, data)
        except OSError as error:
            self._whole = False
            raise _cannot_write(self.path, error) from error

    def _append(self, event: str, data: Mapping[str, Any]) -> None:
        entry = {"at": now(), "seconds": round(time.monotonic() - self._start, 3), "event": event, **data}
        created = not os.path.exists(self.path)
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        if created:
            sync_directory(os.path.dirname(self.path))

    def close(self, outcome: str, **data: Any) -> str:
        """End the operation and keep its record. Returns the path it is kept under."""
        self.write("close", outcome=outcome, **data)
        os.makedirs(self.history, mode=0o700, exist_ok=True)
        operation = next((e.get("operation", "") for e in self.read() if e["event"] == "open"), "")
        kept = os.path.join(self.history, "{}.jsonl".format(operation or now().replace(":", "")))
        os.replace(self.path, kept)
        sync_directory(self.history)
        sync_directory(os.path.dirname(self.path))
        return kept

    def _drop_torn_line(self) -> None:
        text = read_leniently(self.path)
        if text and not text.endswith("\n"):
            replace_file(self.path, text[: text.rfind("\n") + 1].encode())


def newest_first(directory: str, limit: int) -> Iterator[list[dict[str, Any]]]:
    """The journals of the newest operations, so many at most, each read only when it is asked for. Their names begin with their time."""
    names = sorted(os.listdir(directory), reverse=True)[:limit] if os.path.isdir(directory) else []
    for name in names:
        yield parse_entries(read_text(os.path.join(directory, name)) or "")


@contextmanager
def locked(directory: str, holder: Mapping[str, Any], waits_for: Container[str] = (), seconds: float = 0) -> Iterator[None]:
    """Hold the instance's lock: one operation at a time.

    The kernel lets go of the lock when its holder dies, so a lock is never stale.

    :param holder: who takes it and what for; shown to whoever finds it taken.
    :param waits_for: operations that are waited for, for so many seconds: those of a timer, which nobody sees.
    :raises DomainError: ``locked``, naming the holder and since when.
    """
    path, deadline, between = os.path.join(directory, "lock"), Deadline(seconds), Deadline(BETWEEN)
    with open(path, "a+", encoding="utf-8") as stream:
        while not _taken_soon(stream):
            stream.seek(0)
            taken = _parse(stream.read())
            if not taken and not between.passed:
                # Who takes it has not said so yet, or who lets go of it says so no more.
                time.sleep(0.05)
                continue
            if taken.get("operation") not in waits_for or deadline.passed:
                raise _locked(taken)
            time.sleep(1)
        stream.truncate(0)
        stream.write(json.dumps({**holder, "since": now(), "pid": os.getpid()}))
        stream.flush()
        try:
            yield
        finally:
            stream.truncate(0)


def _locked(taken: Mapping[str, Any]) -> DomainError:
    return DomainError(
        "locked",
        "another operation holds the lock of this instance: {} by {} since {} (pid {})".format(
            taken.get("operation", "unknown"), taken.get("who", "unknown"), taken.get("since", "unknown"), taken.get("pid", "unknown")),
        unchanged="Nothing was changed",
        advice="Wait for it to end, or look at its steps with the status playbook",
        holder=taken)


@contextmanager
def one_of(path: str, slots: int, seconds: float) -> Iterator[None]:
    """Hold one of a machine's few places for heavy work; waits for one. Placed in files, so a dead holder frees its own.

    :param path: the places are ``<path>.0`` and on; the directory must exist.
    :param seconds: how long to wait.
    :raises DomainError: ``machine_busy``.
    """
    deadline = Deadline(seconds)
    with ExitStack() as stack:
        places = [stack.enter_context(open(f"{path}.{number}", "a", encoding="utf-8")) for number in range(slots)]
        while not any(_taken(place) for place in places):
            if deadline.passed:
                raise DomainError(
                    "machine_busy", f"other instances of this machine are being updated; no place came free in {seconds:g} s",
                    unchanged="Nothing was changed", advice="Run this again later")
            time.sleep(0.2)
        yield


def _taken_soon(place: IO[str]) -> bool:
    """Whoever only looks (``lock_holder``) holds the lock for a moment, and is not who is at work."""
    for _look in range(10):
        if _taken(place):
            return True
        time.sleep(0.02)
    return False


def _taken(place: IO[str]) -> bool:
    try:
        fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def lock_holder(directory: str) -> dict[str, Any] | None:
    """Who holds the instance's lock now, or None. Writes nothing."""
    try:
        with open(os.path.join(directory, "lock"), encoding="utf-8") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return _parse(stream.read())
    except FileNotFoundError:
        pass
    return None


def _cannot_write(path: str, error: OSError) -> DomainError:
    return DomainError("journal_failed", f"the journal {path} cannot be written: {error}",
                       advice="Mend that, then run the same command again: it finishes or undoes what it finds there")


def _parse(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
