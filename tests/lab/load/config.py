# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tenants to work on, and how hard."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit


@dataclasses.dataclass(frozen=True)
class Pace:
    """How many of each arrive in a second, by the clock: whatever became of those before, the next ones come. 0 leaves a kind out.

    A user who waits for an answer before asking again would never show what a herd meets. Half of all requests or more write; each has a
    connection of its own.

    :ivar pages: a browser without a cache, which loads the page and each of its scripts and stylesheets.
    :ivar realtime_users: websockets or polls that stay open.
    """

    lists: float = 0.5
    writes: float = 3.0
    pages: float = 0.1
    logins: float = 0.1
    uploads: float = 0.25
    upload_bytes: int = 65536
    slow_uploads: float = 0.08
    slow_upload_seconds: float = 8.0
    realtime_users: int = 1


@dataclasses.dataclass(frozen=True)
class Tenant:
    """One Odoo database as its users see it.

    :ivar address: where the edge of ``url``'s host name is; None asks the resolver.
    :ivar series: of Odoo, as ``19.0``; before 16 realtime is longpolling, from there a websocket.
    """

    name: str
    url: str
    database: str
    login: str = "admin"
    password: str = dataclasses.field(default="admin", repr=False)
    series: str = "19.0"
    address: str | None = None
    pace: Pace = Pace()

    @property
    def host(self) -> str:
        """The host name alone."""
        return urlsplit(self.url).hostname or ""

    @property
    def websocket(self) -> bool:
        """Whether realtime goes by websocket (Odoo 16 and later) rather than by longpolling."""
        return int(self.series.split(".")[0]) >= 16


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything a run needs.

    :ivar ca: file with the certificate authority to trust, beside the system's.
    :ivar patience: seconds after which a user gives a request up: Odoo's own web client waits for minutes.
    """

    tenants: tuple[Tenant, ...]
    ca: str | None = None
    patience: float = 120.0

    @classmethod
    def read(cls, path: str) -> Config:
        """Read a JSON file of the shape of this class.

        :raises ValueError: naming the field that is wrong.
        """
        with open(path, encoding="utf-8") as stream:
            return cls.of(json.load(stream))

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Config:
        """Make it from plain values; unknown and missing fields are refused.

        :raises ValueError: naming the field that is wrong.
        """
        tenants = []
        for index, item in enumerate(data.get("tenants") or ()):
            values = dict(item)
            pace = _checked(Pace, values.pop("pace", {}), f"tenants[{index}].pace")
            tenants.append(_checked(Tenant, {**values, "pace": pace}, f"tenants[{index}]"))
        if not tenants:
            raise ValueError("tenants: at least one is needed")
        config: Config = _checked(cls, {**data, "tenants": tuple(tenants)}, "config")
        return config


def _checked(kind: Any, values: Mapping[str, Any], where: str) -> Any:
    known = {field.name: field for field in dataclasses.fields(kind)}
    unknown = sorted(set(values) - set(known))
    if unknown:
        raise ValueError(f"{where}: unknown {', '.join(unknown)}; known are {', '.join(known)}")
    missing = [
        name for name, field in known.items()
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING and name not in values
    ]
    if missing:
        raise ValueError(f"{where}: {', '.join(missing)} missing")
    return kind(**values)
