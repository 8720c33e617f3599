# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parameters, records and releases as the argument spec and a registry give them."""

from __future__ import annotations

import copy
import functools
import hashlib
import os
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import Record, Release
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.arguments import ARGUMENTS

# What it costs is its purpose; the same few secrets are sealed thousands of times here.
hashlib.scrypt = functools.lru_cache(hashlib.scrypt)

UID = os.getuid() or 20001
REPOSITORY = "registry.example.test:5000/odoo"

PASSWORDS = {key: "secret of " + key for key in ("blue_web", "blue_cron", "blue_queue", "green_web", "green_cron", "green_queue", "update")}
GIVEN: dict[str, Any] = {
    "instance": "acme-production", "subnet": "172.28.1.0/24", "tenant": "acme", "environment": "production",
    "data_class": "production", "uid": UID, "requested_by": "alice", "reason": "as agreed",
    "database": {"name": "acme_production", "port": 5501, "socket": "/run/sysgenpro/acme-production/postgresql",
                 "passwords": PASSWORDS},
    "admin_password": "secret of admin",
    "session": {"socket": "/run/sysgenpro/acme-production/redis/redis.sock", "username": "odoo", "password": "secret of redis"},
}


def _defaults(spec: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """What AnsibleModule makes of parameters that are given."""
    found: dict[str, Any] = {}
    for key, option in spec.items():
        value = given.get(key, copy.deepcopy(option.get("default")))
        found[key] = _defaults(option["options"], value) if "options" in option and value is not None else value
    return found


PARAMS = _defaults(ARGUMENTS, GIVEN)


def params(**changes: Any) -> dict[str, Any]:
    """The parameters with changes; ``database__name`` names a key one level down."""
    values = copy.deepcopy(PARAMS)
    for key, value in changes.items():
        outer, _, inner = key.partition("__")
        if inner:
            values[outer][inner] = value
        else:
            values[outer] = value
    return values


def module(version: str = "1.0", depends: tuple[str, ...] = ("base",), schema: str = "a", code: str = "b") -> dict[str, Any]:
    return {"version": version, "depends": list(depends), "installable": True, "auto_install": False,
            "schema": schema * 32, "code": code * 32, "parts": {"python": schema * 8}}


def raw_record(name: str = "r1", series: str = "19.0", schema: str = "a", code: str = "b", **modules: Any) -> dict[str, Any]:
    offered: dict[str, Any] = {"base": module("1.3", ()), "stock": module("1.1", schema=schema, code=code)}
    offered.update(modules)
    return {"format": 1, "series": series, "digests": 1, "source": {"name": name},
            "addons_path": ["/usr/lib/python3/dist-packages/odoo/addons", "/opt/sysgenpro/addons"],
            "command": ["/usr/bin/odoo"], "wkhtmltopdf": None,
            "modules": {key: value for key, value in offered.items() if value}}


def record(name: str = "r1", series: str = "19.0", **further: Any) -> Record:
    return Record.parse(raw_record(name, series, **further))


def release(name: str = "r1", series: str = "19.0", **further: Any) -> Release:
    """A release whose image digest follows from its name."""
    digest = "sha256:" + name.encode().hex().ljust(64, "0")
    return Release(digest, f"{REPOSITORY}@{digest}", record(name, series, **further))
