# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A free gate: a JMESPath expression over the facts, which gives true or false. What it names is checked before it is ever asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._kernel.errors import DomainError, bad_input
from .facts import ANYTHING, FACTS

try:
    import jmespath
    import jmespath.exceptions

    HAS_JMESPATH = True
except ImportError:
    HAS_JMESPATH = False


def compiled(field: str, text: Any) -> Any:
    """:raises DomainError: ``bad_input`` for what is no expression, or names a fact that there is not; ``jmespath_missing``."""
    if not HAS_JMESPATH:
        raise DomainError("jmespath_missing", "the Python library jmespath is not on this machine, and the policy has gates that are expressions",
                          unchanged="Nothing was changed", advice="Run the playbook governance for this machine, which installs it")
    if not isinstance(text, str) or not text.strip():
        raise bad_input(field, text, "a JMESPath expression over the facts")
    try:
        found = jmespath.compile(text)
    except (jmespath.exceptions.JMESPathError, ValueError) as error:
        raise bad_input(field, text, f"a JMESPath expression ({str(error).splitlines()[0]})") from None
    unknown = _unknown(found.parsed, FACTS, "")[1]
    if unknown:
        raise bad_input(field, text, f"facts that there are; there is no {unknown}")
    return found


def judged(field: str, expression: Any, facts: Mapping[str, Any]) -> bool:
    """:raises DomainError: ``policy_broken`` where it does not give true or false."""
    try:
        found = expression.search(facts)
    except jmespath.exceptions.JMESPathError as error:
        raise broken(field, str(error).splitlines()[0]) from None
    if not isinstance(found, bool):
        raise broken(field, f"it gives {found!r}, expected true or false")
    return found


def broken(field: str, why: str) -> DomainError:
    return DomainError("policy_broken", f"{field}: {why}", unchanged="Nothing was changed",
                       advice="Correct the policy in the inventory and run the playbook governance; until then nothing passes")


def _unknown(node: Mapping[str, Any], facts: Any, path: str) -> tuple[Any, str]:
    """What a part of an expression gives, as far as the facts' shape tells, and the first fact that there is not."""
    kind, children = node["type"], node["children"]
    if kind == "field":
        if facts is ANYTHING:
            return ANYTHING, ""
        name = node["value"]
        if not isinstance(facts, Mapping) or name not in facts:
            return ANYTHING, f"{path}.{name}".lstrip(".")
        return facts[name], ""
    if kind in ("subexpression", "pipe", "index_expression"):
        for child in children:
            step = child.get("value")
            facts, unknown = _unknown(child, facts, path)
            if unknown:
                return ANYTHING, unknown
            path = f"{path}.{step}" if child["type"] == "field" else path
        return facts, ""
    if kind == "current":
        return facts, ""
    if kind == "index":
        return facts[0] if isinstance(facts, list) else ANYTHING, ""
    if kind in ("projection", "filter_projection", "flatten", "value_projection"):
        return _projected(kind, children, facts, path)
    if kind in ("multi_select_dict", "multi_select_list", "key_val_pair", "comparator", "and_expression", "or_expression", "not_expression",
                "function_expression", "expref"):
        inner = ANYTHING if kind == "expref" else facts
        return ANYTHING, next((unknown for child in children if (unknown := _unknown(child, inner, path)[1])), "")
    return ANYTHING, ""


def _projected(kind: str, children: Any, facts: Any, path: str) -> tuple[Any, str]:
    inside, unknown = _unknown(children[0], facts, path)
    element = inside[0] if isinstance(inside, list) else ANYTHING
    if kind == "flatten":
        return inside, unknown
    path = ".".join(part for part in (path, str(children[0].get("value", ""))) if part)
    for child in children[1:]:
        unknown = unknown or _unknown(child, element, f"{path}[]")[1]
    return [ANYTHING], unknown
