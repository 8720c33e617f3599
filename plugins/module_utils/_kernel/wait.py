# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Waiting, in one place, on the monotonic clock."""

from __future__ import annotations

import time as _time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


class Clock:
    """Time, for all that waits or measures: a world in memory puts its own in the place of these three."""

    monotonic = staticmethod(_time.monotonic)
    sleep = staticmethod(_time.sleep)
    time = staticmethod(_time.time)


clock = Clock()


class WaitTimeout(Exception):
    """The condition did not come true in time."""


class Deadline:
    """A moment on the monotonic clock. :param seconds: from now."""

    def __init__(self, seconds: float, monotonic: Callable[[], float] | None = None) -> None:
        self._clock = monotonic or clock.monotonic
        self._end = self._clock() + seconds
        self.seconds = seconds

    @property
    def left(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self._end - self._clock())

    @property
    def passed(self) -> bool:
        return self.left <= 0


def wait_until(
    probe: Callable[[], Found | None],
    deadline: Deadline,
    interval: float = 0.1,
    sleep: Callable[[float], None] | None = None,
) -> Found:
    """Call ``probe`` until it returns something true, and return that.

    :param interval: seconds between two calls.
    :raises WaitTimeout: when the deadline passed; the probe was called at least once.
    """
    while True:
        found = probe()
        if found:
            return found
        if deadline.passed:
            raise WaitTimeout(f"not so within {deadline.seconds:g} s")
        (sleep or clock.sleep)(min(interval, deadline.left) or interval)
