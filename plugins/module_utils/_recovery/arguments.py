# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs of ``pg_recovery_point`` and ``pg_recovery_point_info``."""

from __future__ import annotations

from typing import Any

from .._kernel.arguments import CLUSTER

REPOSITORY: dict[str, Any] = {
    "location": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "access_key": {"type": "str", "no_log": True},
    "secret_key": {"type": "str", "no_log": True},
    "region": {"type": "str", "default": "us-east-1"},
    "ca_path": {"type": "path"},
    "lock_mode": {"type": "str", "choices": ["governance", "compliance"]},
    "lock_days": {"type": "int", "default": 0},
}

SHARED: dict[str, Any] = {
    "instance": {"type": "str", "required": True},
    "root": {"type": "path", "default": "/var/lib/sysgenpro/instances"},
    "repository": {"type": "dict", "required": True, "options": REPOSITORY},
    "source": {"type": "str"},
    "trusted_signers": {"type": "list", "elements": "str", "default": []},
}

ARGUMENTS: dict[str, Any] = {
    **SHARED,
    "tenant": {"type": "str", "default": ""},
    "environment": {"type": "str", "default": ""},
    "data_class": {"type": "str", "choices": ["", "production", "masked", "synthetic"], "default": ""},
    "state": {"type": "str", "choices": ["captured", "verified", "restored", "held", "absent"], "default": "captured"},
    "engine": {"type": "str", "choices": ["dump"], "default": "dump"},
    "database": {"type": "dict", "options": CLUSTER},
    "point": {"type": "str", "default": "latest"},
    "max_age": {"type": "int", "default": 0},
    "keep_until": {"type": "str"},
    "accepted_losses": {"type": "list", "elements": "str", "default": []},
    "accept_losses": {"type": "bool", "default": False},
    "load_schema": {"type": "bool", "default": True},
    "secret_names": {"type": "list", "elements": "str", "default": [], "no_log": False},
    "target": {
        "type": "dict",
        "options": {
            "database": {"type": "str", "required": True},
            "filestore": {"type": "path", "required": True},
            "owner": {"type": "str", "required": True},
            "uid": {"type": "int", "required": True},
        },
    },
    "retention": {
        "type": "dict",
        "options": {name: {"type": "int", "default": 0} for name in ("last", "daily", "weekly", "monthly")},
    },
    "points": {"type": "list", "elements": "str", "default": []},
    "pruning": {
        "type": "dict",
        "options": {
            "access_key": {"type": "str", "required": True, "no_log": True},
            "secret_key": {"type": "str", "required": True, "no_log": True},
        },
    },
    "prune": {"type": "bool", "default": True},
    "jobs": {"type": "int", "default": 2},
    "nice": {"type": "int", "default": 10},
    "limits": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {"upload": {"type": "int", "default": 0}, "download": {"type": "int", "default": 0}},
    },
    "bounds": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {
            "lock": {"type": "int", "default": 10},
            "call": {"type": "int", "default": 120},
            "transfer": {"type": "int", "default": 14400},
            "dump": {"type": "int", "default": 14400},
            "schema": {"type": "int", "default": 600},
        },
    },
    "requested_by": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
    "expected_plan_digest": {"type": "str"},
}
