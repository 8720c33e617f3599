# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments: all in UTC inside, written as ISO 8601 to the second."""

from __future__ import annotations

import datetime
from typing import Any

from .._kernel.errors import bad_input

UTC = datetime.timezone.utc
HOUR = 3600.0


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(UTC)


def written(at: datetime.datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds")


def read(field: str, text: Any) -> datetime.datetime:
    """:raises DomainError: ``bad_input`` for what is no moment with an offset; without one nobody knows which moment is meant."""
    try:
        found = datetime.datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise bad_input(field, text, "a moment with an offset, such as 2026-12-24T18:00:00+01:00")
    return found.astimezone(UTC)


def hours_between(earlier: datetime.datetime, later: datetime.datetime) -> float:
    return round((later - earlier).total_seconds() / HOUR, 2)
