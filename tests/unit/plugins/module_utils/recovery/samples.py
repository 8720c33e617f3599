# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters and points for the tests of recovery points."""

from __future__ import annotations

import datetime
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.arguments import ARGUMENTS
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import Point

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)


def defaults(spec: dict[str, Any]) -> dict[str, Any]:
    """What Ansible makes of an argument spec where nothing is given."""
    made: dict[str, Any] = {}
    for name, option in spec.items():
        if option.get("apply_defaults"):
            made[name] = defaults(option["options"])
        else:
            made[name] = option.get("default")
    return made


def params(**changes: Any) -> dict[str, Any]:
    """Parameters of a capture; ``outer__inner`` reaches into a dictionary."""
    made = defaults(ARGUMENTS)
    made["instance"] = "acme-production"
    made["database"] = {"name": "acme_production", "port": 5501, "socket": "/run/x"}
    made["repository"] = {**defaults(ARGUMENTS["repository"]["options"]), "location": "/var/lib/recovery/acme", "password": "not shown"}
    for key, value in changes.items():
        outer, _sep, inner = key.partition("__")
        if inner:
            made[outer] = {**(made[outer] or {}), inner: value}
        else:
            made[outer] = value
    return made


def point(days: float = 0, state: str = "captured", **changes: Any) -> Point:
    """A point taken so many days before NOW."""
    at = NOW - datetime.timedelta(days=days)
    name = f"{at:%Y%m%dT%H%M%S}-00000000"
    position = changes.pop("position", int((2000 - days) * 1e6))  # in the cluster's log
    manifest = {"taken": {"at": at.isoformat()}, "locked_until": changes.pop("locked_until", ""),
                "repository": {"snapshot": "snapshot-" + name}, "identity": {"instance": "acme-production"}, "keep_until": "",
                "postgresql": {"system": changes.pop("system", "7"), "timeline": 1, "lsn": f"{position >> 32:X}/{position & 0xFFFFFFFF:X}"}}
    if state == "untrusted":
        return Point(name, {}, problem="its signature is wrong", documents=["manifest.json"])
    schema = changes.pop("schema", "loaded")
    verification = {"verified": {"outcome": "verified", "at": at.isoformat(), "read": {"schema": {"outcome": schema}} if schema else {}},
                    "failed": {"outcome": "failed", "at": at.isoformat()}}.get(state)
    return Point(name, manifest, verification, documents=["manifest.json"], **changes)
