# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs of ``release_gate`` and ``release_gate_info``."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import env_fallback

from .evidence import KINDS
from .signers import DECIDING

STORE: dict[str, Any] = {
    "location": {"type": "str", "required": True},
    "access_key": {"type": "str", "no_log": True},
    "secret_key": {"type": "str", "no_log": True},
    "region": {"type": "str", "default": "us-east-1"},
    "ca_path": {"type": "path"},
}
EVIDENCE: dict[str, Any] = {
    "kind": {"type": "str", "choices": list(KINDS), "required": True},
    "report": {"type": "path", "required": True},
    "image": {"type": "str", "required": True},
    "made": {"type": "str", "default": ""},
}
ARGUMENTS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["signed", "recorded"], "required": True},
    "instance": {"type": "str"},
    "plan": {"type": "str"},
    "role": {"type": "str", "choices": list(DECIDING)},
    "verdict": {"type": "str", "choices": ["approved", "rejected", "withdrawn"], "default": "approved"},
    "evidence": {"type": "dict", "options": EVIDENCE},
    "by": {"type": "str"},
    "key": {"type": "path", "no_log": False},
    "hours": {"type": "int", "default": 24},
    "reason": {"type": "str", "default": ""},
    "envelope": {"type": "dict"},
}
INFO: dict[str, Any] = {
    "query": {"type": "str", "choices": ["ledger", "windows", "policy", "governance", "candidate"], "required": True},
    "instance": {"type": "str"},
    "tenant": {"type": "str", "default": ""},
    "environment": {"type": "str", "default": ""},
    "ledger": {"type": "dict", "options": STORE},
    "allowed_signers": {"type": "str"},
    "checkpoints": {"type": "list", "elements": "dict", "default": [],
                    "options": {"sequence": {"type": "int", "required": True}, "digest": {"type": "str", "required": True}, "signers": {"type": "str"}}},
    "since_checkpoint": {"type": "bool", "default": False},
    "days": {"type": "int", "default": 28},
    "policy": {"type": "dict"},
    "calendars": {"type": "list", "elements": "dict", "default": [],
                  "options": {"name": {"type": "str", "required": True}, "content": {"type": "str", "required": True}}},
}
# As the AWX credential types inject them; see the role awx.
AWX_DECISIONS: dict[str, Any] = {
    "instance": {"type": "str", "required": True},
    "hours": {"type": "int", "default": 24},
    "job": {"type": "str", "required": True, "fallback": (env_fallback, ["JOB_ID"])},
    "controller_host": {"type": "str", "required": True, "fallback": (env_fallback, ["CONTROLLER_HOST"])},
    "controller_oauthtoken": {"type": "str", "required": True, "no_log": True, "fallback": (env_fallback, ["CONTROLLER_OAUTH_TOKEN"])},
    "ca_path": {"type": "path", "fallback": (env_fallback, ["SYSGENPRO_AWX_CA"])},
    "signer": {"type": "str", "required": True, "fallback": (env_fallback, ["SYSGENPRO_SIGNER"])},
    "key": {"type": "path", "required": True, "no_log": False, "fallback": (env_fallback, ["SYSGENPRO_SIGNING_KEY"])},
}
