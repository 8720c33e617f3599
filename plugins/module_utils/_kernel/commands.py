# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running programs of the machine, in one place. No AnsibleModule is near, whose ``run_command`` could serve."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Any

from .errors import DomainError


class ProgramMissing(Exception):
    """There is no such program on this machine."""


class ProgramSlow(Exception):
    """It took longer than it may, and was ended."""


@dataclass(frozen=True)
class Ended:
    """How a program ended. :param code: its exit code; less than 0 where a signal ended it."""

    code: int
    output: str
    complaint: str

    def first(self, program: str) -> str:
        """The first line that it complained of."""
        return (self.complaint.strip().splitlines() or [f"{program} ended with {self.code}"])[0]


def ended(
    arguments: Sequence[str], *, given: str | None = None, seconds: float | None = None, environment: Mapping[str, str] | None = None, directory: str = "/",
) -> Ended:
    """Run a program to its end, whatever that is. It gets no input but ``given``, and inherits the environment where none is named.

    :raises ProgramMissing:
    :raises ProgramSlow: after ``seconds``; None is without bound.
    """
    source: dict[str, Any] = {"stdin": subprocess.DEVNULL} if given is None else {"input": given}
    try:
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(arguments), capture_output=True, text=True, errors="replace", check=False, timeout=seconds, cwd=directory, env=environment, **source)
    except FileNotFoundError:
        raise ProgramMissing(arguments[0]) from None
    except subprocess.TimeoutExpired:
        raise ProgramSlow(arguments[0]) from None
    return Ended(done.returncode, done.stdout, done.stderr)


@contextmanager
def running(
    arguments: Sequence[str], complaints: IO[bytes], *, given: IO[bytes] | None = None, environment: Mapping[str, str] | None = None, **options: Any,
) -> Iterator[subprocess.Popen[bytes]]:
    """A program whose output is read as it comes; it is ended with the context.

    :param complaints: takes its standard error. :param given: its standard input.
    :param options: of ``subprocess.Popen``, such as ``user``.
    :raises OSError: where it cannot be started.
    """
    process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
        list(arguments), stdin=given or subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=complaints, env=environment, cwd="/", **options)
    try:
        yield process
    finally:
        process.kill()
        if process.stdout:
            process.stdout.close()
        process.wait()


def run_program(
    arguments: Sequence[str], code: str, what: str, *, given: str | None = None, seconds: float | None = None,
    unchanged: str = "", advice: str = "",
) -> str:
    """Run a program and return what it printed.

    :param code: of the error where it fails or is not there.
    :param what: what it was to do, for the error's message.
    :param given: its standard input.
    :param seconds: how long it may take; None is without bound.
    :raises DomainError: ``code``, with the first line of what the program complained of.
    """
    try:
        done = ended(arguments, given=given, seconds=seconds)
    except ProgramMissing:
        raise DomainError(code, f"{what}: the command {arguments[0]} is not on this machine", unchanged=unchanged,
                          advice=advice or "Run the site playbook for this machine") from None
    except ProgramSlow:
        raise DomainError(code, f"{what}: {arguments[0]} took longer than {seconds:g} s", unchanged=unchanged,
                          advice=advice) from None
    if done.code:
        raise DomainError(code, f"{what}: {done.first(arguments[0])}", unchanged=unchanged, advice=advice)
    return done.output
