# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs that more than one module shares."""

from __future__ import annotations

from typing import Any

from .._kernel.arguments import CLUSTER
from .._recovery.arguments import REPOSITORY


def _seconds(default: int) -> dict[str, Any]:
    return {"type": "int", "default": default}


WHERE: dict[str, Any] = {
    "instance": {"type": "str", "required": True},
    "runtime": {"type": "str", "choices": ["docker", "kubernetes"], "default": "docker"},
    "subnet": {"type": "str"},
    "namespace": {"type": "str"},
    "root": {"type": "path", "default": "/var/lib/sysgenpro/instances"},
}

ARGUMENTS: dict[str, Any] = {
    **WHERE,
    "tenant": {"type": "str", "required": True},
    "environment": {"type": "str", "required": True},
    "data_class": {"type": "str", "choices": ["production", "masked", "synthetic"], "required": True},
    "release": {"type": "str"},
    "state": {
        "type": "str",
        "choices": ["planned", "rehearsed", "staged", "released", "rolled_back", "absent"],
        "default": "released",
    },
    "registry": {
        "type": "dict",
        "default": {},
        "options": {
            "username": {"type": "str"},
            "password": {"type": "str", "no_log": True},
            "ca_path": {"type": "path"},
        },
    },
    "uid": {"type": "int", "required": True},
    "placement": {"type": "dict", "default": {}},
    "database": {
        "type": "dict",
        "required": True,
        "options": {
            **CLUSTER,
            "passwords": {"type": "dict", "required": True, "no_log": True},
        },
    },
    "session": {
        "type": "dict",
        "options": {
            "socket": {"type": "path"},
            "host": {"type": "str"},
            "port": {"type": "int", "default": 6379},
            "tls": {"type": "bool", "default": True},
            "ca_path": {"type": "path"},
            "username": {"type": "str", "default": "odoo"},
            "password": {"type": "str", "required": True, "no_log": True},
        },
    },
    "config": {"type": "dict", "default": {}},
    "config_secrets": {"type": "dict", "default": {}, "no_log": True},
    "environment_variables": {"type": "dict", "default": {}},
    "processes": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {
            "web_replicas": {"type": "int", "default": 1},
            "web_replicas_most": {"type": "int", "default": 0},
            "web_busy_cpu": {"type": "int", "default": 70},
            "web_busy_metric": {"type": "str", "default": ""},
            "web_busy_target": {"type": "str", "default": ""},
            "web_workers": {"type": "int", "default": 2},
            "web_memory": {"type": "str", "default": "2g"},
            "web_cpus": {"type": "float", "default": 0},
            "cron_threads": {"type": "int", "default": 1},
            "cron_memory": {"type": "str", "default": "1g"},
            "cron_cpus": {"type": "float", "default": 0},
            "cron_loads": {"type": "list", "elements": "str", "default": []},
            "queue_channels": {"type": "str", "default": ""},
            "queue_memory": {"type": "str", "default": "1g"},
            "queue_cpus": {"type": "float", "default": 0},
            "db_maxconn": {"type": "int", "default": 8},
        },
    },
    "modules": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {
            "install": {"type": "list", "elements": "str", "default": []},
            "uninstall": {"type": "list", "elements": "str", "default": []},
            "without_code": {"type": "list", "elements": "str", "default": []},
        },
    },
    "languages": {"type": "list", "elements": "str", "default": []},
    "demo": {"type": "bool", "default": False},
    "template": {"type": "path"},
    "admin_password": {"type": "str", "no_log": True},
    "adopt": {"type": "bool", "default": False},
    "neutralize": {"type": "bool", "default": False},
    "rehearsal": {"type": "str", "choices": ["auto", "required"], "default": "auto"},
    "canary": {"type": "dict", "options": {
        "steps": {"type": "list", "elements": "int", "required": True},
        "watch": {"type": "int", "default": 60},
        "errors": {"type": "float", "default": 1},
        "slower": {"type": "float", "default": 3},
    }},
    "bounds": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {
            "pull": _seconds(1800),
            "ready": _seconds(180),
            "drain": _seconds(30),
            "finish": _seconds(600),
            "cron": _seconds(120),
            "queue": _seconds(120),
            "update": _seconds(1800),
            "updates_at_once": {"type": "int", "default": 1},
            "max_pause": _seconds(55),
            "watch": _seconds(3),
            "count": _seconds(60),
        },
    },
    "edge": {
        "type": "dict",
        "default": {},
        "apply_defaults": True,
        "options": {
            "metrics_url": {"type": "str"},
            "access_log": {"type": "path"},
            "service": {"type": "str"},
            "maintenance": {"type": "str", "default": "172.28.0.2:8069"},
        },
    },
    "recovery": {
        "type": "dict",
        "options": {
            "repository": {"type": "dict", "required": True, "options": REPOSITORY},
            "trusted_signers": {"type": "list", "elements": "str", "default": []},
            "before_update": {"type": "str", "choices": ["always", "never"], "default": "always"},
            "keep_abandoned": {"type": "int", "default": 14},
            "jobs": {"type": "int", "default": 2},
            "secret_names": {"type": "list", "elements": "str", "default": [], "no_log": False},
            "accepted_losses": {"type": "list", "elements": "str", "default": []},
        },
    },
    "point": {"type": "str"},
    "from_point": {
        "type": "dict",
        "options": {
            "source": {"type": "str", "required": True},
            "point": {"type": "str", "default": "latest_verified"},
            "repository": {"type": "dict", "required": True, "options": REPOSITORY},
            "trusted_signers": {"type": "list", "elements": "str", "default": []},
            "neutralize": {"type": "bool", "default": True},
        },
    },
    "requested_by": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
    "expected_plan_digest": {"type": "str"},
    "purge": {"type": "str"},
}
