# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running a program of the machine, in one place. No AnsibleModule is near, whose ``run_command`` could serve."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from .errors import DomainError


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
        done = subprocess.run(  # pylint: disable=ansible-bad-function
            list(arguments), input=given, capture_output=True, text=True, check=False, timeout=seconds)
    except FileNotFoundError:
        raise DomainError(code, f"{what}: the command {arguments[0]} is not on this machine", unchanged=unchanged,
                          advice=advice or "Run the site playbook for this machine") from None
    except subprocess.TimeoutExpired:
        raise DomainError(code, f"{what}: {arguments[0]} took longer than {seconds:g} s", unchanged=unchanged,
                          advice=advice) from None
    if done.returncode:
        complaint = (done.stderr.strip().splitlines() or [f"{arguments[0]} ended with {done.returncode}"])[0]
        raise DomainError(code, f"{what}: {complaint}", unchanged=unchanged, advice=advice)
    return done.stdout
