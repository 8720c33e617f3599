# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""AWX surveys, made from the play argument specs (``playbooks/*.meta.yml``), which are the one source of what a verb takes. Pure."""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from typing import Any

# What a person may not type into a form: an approved digest comes from the plan's job, and who asks is whom AWX knows.
NEVER = ("release_expected_plan_digest", "release_requested_by", "sysgenpro_releases_path", "sysgenpro_secrets_path")
# Asked for wherever they are; other lists, dictionaries and paths only where the verb cannot do without.
SIMPLE = {"str": "text", "int": "integer", "float": "float", "bool": "multiplechoice", "raw": "text"}
LONG = {"list": "textarea", "dict": "textarea", "path": "text"}


def survey(title: str, options: Mapping[str, Mapping[str, Any]], only: Container[str] | None = None) -> dict[str, Any]:
    """A survey as AWX' API has it (``survey_spec``); empty where there is nothing to ask.

    :param options: of a play argument spec. :param only: names that may be asked for; None for all.
    """
    questions = [_question(name, option) for name, option in options.items() if _asked(name, option) and (only is None or name in only)]
    return {"name": title, "description": "", "spec": questions} if questions else {}


def _asked(name: str, option: Mapping[str, Any]) -> bool:
    return name not in NEVER and not option.get("no_log") and (option.get("type", "str") in SIMPLE or bool(option.get("required")))


def _question(name: str, option: Mapping[str, Any]) -> dict[str, Any]:
    kind = option.get("type", "str")
    choices = ["true", "false"] if kind == "bool" else [str(choice) for choice in option.get("choices", ())]
    question = {"variable": name, "question_name": name.replace("_", " ").capitalize(), "question_description": _plain(option.get("description", "")),
                "required": bool(option.get("required")), "type": "multiplechoice" if choices and kind != "list" else {**SIMPLE, **LONG}[kind],
                "choices": choices if kind != "list" else []}
    # Without a default no key: an empty one would be sent where nobody answered.
    if option.get("default") is not None:
        question["default"] = str(option["default"]).lower() if kind == "bool" else option["default"]
    return question


def _plain(text: Any) -> str:
    """A description without Ansible's markup, such as ``V(x)``."""
    lines = text if isinstance(text, list) else [text]
    return re.sub(r"\b[A-Z]+\(([^)]*)\)", r"\1", " ".join(str(line) for line in lines)).strip()
