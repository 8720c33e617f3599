# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan: ordered steps, before, after and a digest that an approval can name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


def canonical_json(value: Any) -> str:
    """JSON with sorted keys, no blanks and no escapes: equal values give equal text.

    :raises ValueError: for NaN and infinities, which have no JSON form.
    """
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest_of(value: Any) -> str:
    """``sha256:`` and the hexadecimal SHA-256 of the canonical JSON of a value."""
    return "sha256:" + hashlib.sha256(canonical_json(value).encode()).hexdigest()


@dataclass(frozen=True)
class Step:
    """One thing to do, idempotent, small enough to be done again after a crash.

    :param name: what the adapter dispatches on and the journal records.
    :param title: one line for people.
    :param parameters: JSON-able arguments. Never secrets.
    """

    name: str
    title: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "title": self.title, "parameters": dict(self.parameters)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Step:
        return cls(value["name"], value["title"], dict(value["parameters"]))


@dataclass(frozen=True)
class Plan:
    """What a module would do.

    :param steps: in order; empty means that nothing is to be changed.
    :param before: what is, as ``--diff`` shows it.
    :param after: what will be, as ``--diff`` shows it.
    :param subject: what the digest covers: identity, from, to and bounds, never timings or sizes.
    :param recovers: the plan goes on with, or undoes, an operation that was interrupted; it needs no new approval.
    :param facts: further findings for the reader (reasons, predictions), outside the digest.
    """

    steps: tuple[Step, ...]
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    subject: Mapping[str, Any]
    facts: Mapping[str, Any] = field(default_factory=dict)
    recovers: bool = False

    @property
    def digest(self) -> str:
        return digest_of(self.subject)

    def as_dict(self) -> dict[str, Any]:
        return {
            "digest": self.digest,
            "steps": [step.as_dict() for step in self.steps],
            "before": dict(self.before),
            "after": dict(self.after),
            "subject": dict(self.subject),
            **dict(self.facts),
        }
