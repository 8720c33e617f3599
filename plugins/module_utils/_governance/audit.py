# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit: every entry of a chain looked at, and everything that is wrong told. Needs files and public keys, and nothing else."""

from __future__ import annotations

import datetime
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError
from . import decisions
from .evidence import opened_evidence
from .gate import changed
from .ledger import FIRST, NAME, Entry, Head, Ledger, parse
from .moments import read, written

# So many of the newest are told whole; of a long chain the rest is a line each.
SHOWN_PLANS, SHOWN_DECISIONS = 20, 100


@dataclass(frozen=True)
class Finding:
    """:param sequence: of the entry that is wrong; 0 for the chain as a whole."""

    sequence: int
    problem: str

    def as_dict(self) -> dict[str, Any]:
        return {"sequence": self.sequence, "problem": self.problem}


def audit(ledger: Ledger, checkpoints: Sequence[Head], now: datetime.datetime) -> dict[str, Any]:
    """Look at the whole chain, one entry at a time.

    :param checkpoints: what others saw, which lies elsewhere. Without one nobody can tell that entries are missing at the end.
    :returns: ``findings``, one line for each entry in ``entries``, the ``head``, the ``reviews`` that are due, and the newest plans that were ``judged`` and ``decisions``.
    """
    findings: list[Finding] = []
    lines: list[dict[str, Any]] = []
    known = {point.sequence: point.digest for point in [*checkpoints, ledger.remembered()] if point.sequence}
    head = Head()
    due: dict[str, dict[str, Any]] = {}
    admitted: set[str] = set()
    judged, decided = deque[dict[str, Any]](maxlen=SHOWN_PLANS), deque[dict[str, Any]](maxlen=SHOWN_DECISIONS)
    for entry, problems in _looked_at(ledger):
        findings += problems
        if entry is None:
            continue
        head = Head(entry.sequence, entry.digest)
        if known.get(entry.sequence, entry.digest) != entry.digest:
            findings.append(Finding(entry.sequence, "a checkpoint names another entry here: the chain was forked or written anew"))
        findings += [Finding(entry.sequence, problem) for problem in _inside(ledger, entry)]
        lines.append(_line(entry))
        _note_review(due, entry)
        if entry.kind == "gate":
            judged.append(_judged(entry))
        elif entry.kind == "decision":
            decided.append({"sequence": entry.sequence, **{key: entry.body.get(key) for key in ("at", "by", "role", "verdict", "plan", "until", "reason")}})
        findings += _let_pass(admitted, entry)
    findings += [Finding(sequence, f"a checkpoint names this entry, and the chain ends at {head.sequence}: it was cut off at its end")
                 for sequence in sorted(known) if sequence > head.sequence]
    findings += [Finding(0, f"{name} is no entry's name") for name in _strange(ledger)]
    reviews = [{**review, "overdue": read("until", review["until"]) < now} for review in due.values()]
    return {"findings": [finding.as_dict() for finding in findings], "entries": lines, "head": head.as_dict(), "reviews": reviews,
            "checkpoints": len(checkpoints), "judged": list(judged), "decisions": list(decided)}


def _looked_at(ledger: Ledger) -> Iterator[tuple[Entry | None, list[Finding]]]:
    numbers = ledger.numbers()
    digest, at = FIRST, None
    there = set(numbers)
    for sequence in range(1, (numbers[-1] if numbers else 0) + 1):
        if sequence not in there:
            digest = ""
            yield None, [Finding(sequence, "it is missing")]
            continue
        try:
            entry = parse(ledger.content(sequence), ledger.instance, sequence, ledger.signers)
        except (ValueError, DomainError) as error:
            digest = ""
            yield None, [Finding(sequence, error.message if isinstance(error, DomainError) else str(error))]
            continue
        problems = []
        if digest and entry.previous != digest:
            problems.append(Finding(sequence, "it does not name the entry before it: one of the two was changed, moved or written anew"))
        if at and entry.at < at:
            problems.append(Finding(sequence, f"it is dated {written(entry.at)}, before the entry before it"))
        digest, at = entry.digest, entry.at
        yield entry, problems


def _inside(ledger: Ledger, entry: Entry) -> Iterator[str]:
    """What an entry holds of others' signatures."""
    try:
        if entry.kind == "decision":
            found = decisions.parse(entry.body.get("envelope"), ledger.signers, entry.at)
            if found.instance != ledger.instance:
                yield f"its decision is about {found.instance}"
            if any(entry.body.get(key) != value for key, value in found.as_dict().items()):
                yield "its decision is not the one that was signed"
        elif entry.kind == "evidence":
            opened_evidence(entry.body.get("envelope"), ledger.signers, entry.at)
    except ValueError as error:
        yield f"its {entry.kind}: {error}"


def _let_pass(admitted: set[str], entry: Entry) -> list[Finding]:
    """Whether what was released was let pass by its gates before. A release uses that up."""
    plan = entry.body.get("plan", "")
    if entry.kind == "gate" and entry.body.get("passed"):
        admitted.add(plan)
    if not changed(entry):
        return []
    wrong = [] if plan in admitted else [Finding(entry.sequence, "it was released, and no gate let its plan pass")]
    admitted.discard(plan)
    return wrong


def _strange(ledger: Ledger) -> list[str]:
    return [name for name in ledger.store.names(f"ledger/{ledger.instance}/") if not NAME.fullmatch(name.rpartition("/")[2])]


def _note_review(due: dict[str, dict[str, Any]], entry: Entry) -> None:
    """A glass that was broken is due for review until somebody signed one for that plan."""
    body = entry.body
    if entry.kind == "gate" and body.get("outcome") == "broken":
        due[body["plan"]] = {"sequence": entry.sequence, "plan": body["plan"], "at": written(entry.at), "until": body["review_until"],
                             "broken": body["broken"], "by": body["broken_by"], "reason": body["broken_why"]}
    elif entry.kind == "decision" and body.get("role") == "review" and body.get("verdict") == "approved":
        review = due.get(body.get("plan", ""))
        if review and not any(decisions.same_person(body["by"], name) for name in review["by"]):
            del due[body["plan"]]


def _judged(entry: Entry) -> dict[str, Any]:
    """A plan that was judged, with every gate: what it said, and what would have satisfied it."""
    body = entry.body
    return {"sequence": entry.sequence, "at": written(entry.at), "broken": body.get("broken") or [],
            **{key: body.get(key) for key in ("plan", "image", "class", "state", "by", "outcome")},
            "gates": [{key: gate.get(key) for key in ("gate", "passed", "reason", "needs", "who")} for gate in body.get("gates", ())]}


def _shop(after: Mapping[str, Any]) -> str:
    """The retail checks after an operation."""
    if after.get("problem"):
        return f"the shop could not be looked at: {after['problem']}"
    counted = (("open", "tills open"), ("imports", "imports"), ("closings", "closings not in the books"))
    return "after it " + ", ".join(f"{after[key]} {what}" for key, what in counted if after.get(key) is not None)


def _line(entry: Entry) -> dict[str, Any]:
    """Who, what, when, why, on what evidence, with what result."""
    body = entry.body
    result = body.get("outcome") or body.get("verdict") or body.get("kind") or ""
    if body.get("shop"):
        result += f" ({_shop(body['shop'])})"
    failed = [gate["gate"] for gate in body.get("gates", ()) if not gate["passed"]] if entry.kind == "gate" else []
    return {"sequence": entry.sequence, "at": written(entry.at), "kind": entry.kind, "digest": entry.digest,
            "who": body.get("by") or body.get("who") or entry.writer, "why": body.get("reason") or body.get("why") or "",
            "what": " ".join(str(body[key]) for key in ("state", "role", "class") if body.get(key)), "about": body.get("plan") or body.get("image") or "",
            "result": re.sub(r"\s+", " ", str(result)), "failed": failed, "broken": body.get("broken") or []}
