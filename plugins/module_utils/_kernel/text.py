# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes that people write, and parts of sentences that they read."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Sequence

from .errors import bad_input


def joined(names: Sequence[str], limit: int = 8) -> str:
    """Names for a sentence, cut where there are many."""
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"


def lasting(hours: float, up: bool = False) -> str:
    """Hours for a sentence: minutes where it is less than an hour. :param up: whether to round up, as for a time to wait."""
    minutes = hours * 60
    if minutes < 60:
        return f"{(math.ceil if up else math.floor)(round(minutes, 6))} min"
    return f"{round(hours, 1):g} h"


def parse_memory(field_name: str, text: str) -> int:
    """Bytes of a size such as ``2g`` or ``512m``.

    :raises DomainError: ``bad_input``, naming the field.
    """
    units = {"b": 1, "k": 1024, "m": 1024 ** 2, "g": 1024 ** 3}
    number, unit = text[:-1], text[-1:].lower()
    if unit not in units or not re.fullmatch(r"[0-9]+(\.[0-9]+)?", number) or float(number) * units[unit] < 1:
        raise bad_input(field_name, text, "a number with a unit b, k, m or g, such as 2g")
    return int(float(number) * units[unit])


def local_time(moment: str | None) -> str:
    """A moment as people read it, in the time zone of whoever runs this: ``2026-11-29 20:26:05 CET``. What is no moment comes back as it is.

    :param moment: ISO 8601; without an offset it is in UTC.
    """
    try:
        found = datetime.datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
    except ValueError:
        return "" if moment is None else str(moment)
    known = found if found.tzinfo else found.replace(tzinfo=datetime.timezone.utc)
    return f"{known.astimezone():%Y-%m-%d %H:%M:%S %Z}"


def covers(declared: str, what: str) -> bool:
    """Whether a declaration is of a difference: its very name, or a whole that it is a part of."""
    return what == declared or what.startswith(declared + ".")
