# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carrying out steps with a journal, and undoing them: what holds for every operation."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from .errors import DomainError
from .plan import Step


class Writes(Protocol):
    """A journal, or what stands in for one where none is needed."""

    def write(self, event: str, **data: Any) -> None: ...


class Handlers(Protocol):
    """``do_<step>`` carries a step out and returns what a next run must know; ``undo_<step>`` takes it back."""

    context: dict[str, Any]


def carry_out(journal: Writes, steps: Sequence[Step], handlers: Handlers, timings: dict[str, float]) -> None:
    """Each step is in the journal before it begins and again when it is done.

    :raises DomainError: of the step that failed; nothing is undone here.
    """
    for step in steps:
        journal.write("begin", step=step.name, title=step.title)
        handlers.context.setdefault("begun", []).append(step.name)
        started = time.monotonic()
        try:
            found = getattr(handlers, "do_" + step.name)(step)
        except DomainError as error:
            _note(journal, "failed", step=step.name, code=error.code, message=error.message)
            raise
        except Exception as error:
            message = f"{step.title}: {_first_line(error)}"
            _note(journal, "failed", step=step.name, code="step_failed", message=message)
            raise DomainError("step_failed", message, kind=type(error).__name__) from error
        timings[step.name] = round(time.monotonic() - started, 3)
        handlers.context.update(found)
        journal.write("done", step=step.name, took=timings[step.name], data=found)


def undo(journal: Writes, steps: Iterable[Step], handlers: Handlers) -> None:
    """Undo the steps that began, the last one first. A journal that cannot be written holds up nothing: each undo may be done again.

    :raises DomainError: ``undo_failed``; the journal stays open, so that the next run goes on here.
    """
    begun = set(handlers.context.get("begun", ()))
    for step in reversed([step for step in steps if step.name in begun]):
        handler = getattr(handlers, "undo_" + step.name, None)
        if handler is None:
            continue
        _note(journal, "undo", step=step.name, title=step.title)
        try:
            handler(step)
        except Exception as error:
            message = error.message if isinstance(error, DomainError) else _first_line(error)
            _note(journal, "undo_failed", step=step.name, message=message)
            raise DomainError(
                "undo_failed", f"undoing '{step.title}' failed: {message}",
                advice="Mend that, then run the same command again: it goes on where this stopped") from error
        _note(journal, "undone", step=step.name)


def _note(journal: Writes, event: str, **data: Any) -> None:
    """Write down what is so already. A full disk must hide no cause and stop no undo."""
    with contextlib.suppress(DomainError):
        journal.write(event, **data)


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    return "{}: {}".format(type(error).__name__, text.splitlines()[0] if text else "")
