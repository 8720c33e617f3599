# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judging: every gate of a class over the same facts, all at once, with what would satisfy each and who can. Pure."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.text import joined
from .expressions import broken, judged
from .gates import READY
from .gates_shop import READS, UNSURE, unknown
from .moments import written
from .policy import Class, Gate
from .result import Result

PASSED, FAILED, BROKEN = "passed", "failed", "broken"


@dataclass(frozen=True)
class Verdict:
    """:param gates: each gate with its result. :param broken: gates that an emergency broke, :param by: by whom, :param why: and why."""

    outcome: str
    gates: Sequence[Mapping[str, Any]]
    broken: Sequence[str] = ()
    by: Sequence[str] = ()
    why: str = ""
    review_until: str = ""

    @property
    def passed(self) -> bool:
        return self.outcome != FAILED

    @property
    def failed(self) -> list[Mapping[str, Any]]:
        """The gates that hold it up."""
        return [gate for gate in self.gates if not gate["passed"] and gate["gate"] not in self.broken]

    def as_dict(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "passed": self.passed, "gates": [dict(gate) for gate in self.gates], "broken": list(self.broken),
                "broken_by": list(self.by), "broken_why": self.why, "review_until": self.review_until}


def judge(policy: Class, facts: Mapping[str, Any], now: datetime.datetime) -> Verdict:
    """:raises DomainError: ``policy_broken`` where a gate cannot be judged: what is not known passes nothing."""
    asked = [gate for gate in policy.gates if facts["request"]["state"] in gate.states]
    gates = [{"gate": gate.name, "passed": result.passed, "reason": result.reason, "needs": result.needs, "who": result.who}
             for gate, result in ((gate, _result(gate, facts)) for gate in asked)]
    failed = [str(gate["gate"]) for gate in gates if not gate["passed"]]
    if not failed:
        return Verdict(PASSED, gates)
    breaking = [one for one in facts["decisions"] if one["role"] == "emergency" and one["counts"]]
    if breaking and set(failed) <= set(policy.breakable):
        until = written(now + datetime.timedelta(hours=policy.review))
        return Verdict(BROKEN, gates, failed, sorted({one["by"] for one in breaking}), joined([one["reason"] for one in breaking]), until)
    return Verdict(FAILED, gates)


def _result(gate: Gate, facts: Mapping[str, Any]) -> Result:
    asked = READS.get(gate.kind, ()) if gate.expression is None else tuple(
        name for name in UNSURE if re.search(rf"\b{name}\b", str(gate.options["expression"])))
    unread = unknown(facts, asked)
    if unread:
        return unread
    if gate.expression is not None:
        passed = judged(gate.field, gate.expression, facts)
        return Result(True, "it holds") if passed else Result(False, gate.options["reason"], gate.options["needs"], gate.options["who"])
    try:
        return READY[gate.kind][0](facts, gate.options)
    except (KeyError, TypeError) as error:
        raise broken(gate.field, f"the facts do not have what the gate {gate.kind} asks for ({type(error).__name__}: {error})") from error


def refused(instance: str, verdict: Verdict, breakable: Sequence[str]) -> DomainError:
    """What stops a release, with every reason at once."""
    lines = [f"{gate['gate']}: {gate['reason']} (needs: {gate['needs']}; who: {gate['who']})" for gate in verdict.failed]
    left = [str(gate["gate"]) for gate in verdict.failed if gate["gate"] not in breakable]
    way = f"; an emergency cannot break {joined(left)}" if left and breakable else ""
    return DomainError("gates_closed", f"{len(lines)} of {len(verdict.gates)} gates are closed for {instance}: " + "; ".join(lines) + way,
                       unchanged="Nothing was pulled or changed", advice="See to what each needs, then run the same command again", **verdict.as_dict())
