# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions as JSON. Odoo 17 and later keep only JSON values in them; older series keep what pickle can hold.

What JSON does not know is written as ``{"__sgp__": kind, "v": …}``. Nothing here runs code from what it reads.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from werkzeug.datastructures import MultiDict

_TAG = "__sgp__"


def _plain(value: Any) -> Any:
    """``value`` with tagged containers instead of what JSON lacks."""
    if value is None or isinstance(value, (bool, float)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, MultiDict):
        return {_TAG: "multidict", "v": [[_plain(k), _plain(v)] for k, v in value.items(multi=True)]}
    if isinstance(value, Mapping):
        if _TAG not in value and all(type(key) is str for key in value):
            return {key: _plain(item) for key, item in value.items()}
        return {_TAG: "dict", "v": [[_plain(k), _plain(v)] for k, v in value.items()]}
    for kind, (cls, write, _read) in _KINDS.items():
        if isinstance(value, cls):
            return {_TAG: kind, "v": write(value)}
    if type(value).__name__ in ("_lt", "LazyGettext", "LazyTranslate"):
        return str(value)  # a translation not yet made
    raise TypeError(f"a session cannot hold a {type(value).__module__}.{type(value).__name__}")


# datetime before date: a datetime is a date.
_KINDS: dict = {
    "tuple": (tuple, lambda v: [_plain(item) for item in v], tuple),
    "set": ((set, frozenset), lambda v: [_plain(item) for item in v], set),
    "bytes": (bytes, lambda v: base64.b64encode(v).decode("ascii"), base64.b64decode),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "decimal": (Decimal, str, Decimal),
}


def _revive(found: dict) -> Any:
    kind = found.get(_TAG)
    if kind is None:
        return found
    if kind == "dict":
        return {key: value for key, value in found["v"]}
    if kind == "multidict":
        return MultiDict([(key, value) for key, value in found["v"]])
    return _KINDS[kind][2](found["v"])


def dumps(data: Mapping, saved: float) -> bytes:
    """A session's content and the time of its last save (seconds since 1970) as UTF-8 JSON.

    :raises TypeError: a value that has no JSON form.
    """
    return json.dumps({"format": 1, "saved": saved, "data": _plain(dict(data))}, separators=(",", ":")).encode("utf-8")


def loads(text: bytes) -> dict:
    """:returns: ``{"saved": seconds since 1970, "data": dict}``.
    :raises ValueError: not what ``dumps`` writes.
    """
    try:
        read = json.loads(text, object_hook=_revive)
        if read["format"] != 1:
            raise ValueError(f"unknown format {read['format']!r}")
        return {"saved": float(read["saved"]), "data": dict(read["data"])}
    except (KeyError, TypeError) as error:
        raise ValueError(f"not a session: {error!r}") from error
