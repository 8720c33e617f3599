# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The audit: every entry of a chain looked at, and everything that is wrong told. Needs files and public keys, and nothing else."""

from __future__ import annotations

import datetime
import os
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from .._kernel.errors import DomainError
from . import decisions
from .evidence import opened_evidence
from .gate import changed
from .ledger import FIRST, NAME, Entry, Head, Ledger, parse
from .moments import read, written

# So many of the newest are told whole; of a long chain the rest is a line each.
SHOWN_PLANS, SHOWN_DECISIONS = 20, 100
# How many entries are looked at before the first of them is let go.
AT_ONCE = 64


@dataclass(frozen=True)
class Finding:
    """:param sequence: of the entry that is wrong; 0 for the chain as a whole."""

    sequence: int
    problem: str

    def as_dict(self) -> dict[str, Any]:
        return {"sequence": self.sequence, "problem": self.problem}


def audit(ledger: Ledger, checkpoints: Sequence[Head], now: datetime.datetime, since: bool = False) -> dict[str, Any]:
    """Look at the whole chain, a few entries at a time.

    :param checkpoints: what others saw, which lies elsewhere. Without one nobody can tell that entries are missing at the end.
    :param since: whether signatures up to a checkpoint, by this very list of signers, count as verified when it was made. Each entry is read and the chain
        is held against the checkpoint all the same, and where anything is wrong up to it, all signatures are verified.
    :returns: ``findings``, one line for each entry in ``entries``, the ``head``, the ``reviews`` that are due, the entries that are ``waiting`` for the store,
        and ``verified``, how many signatures were; and of the newest, whole, the plans that were ``judged`` and the ``decisions``.
    """
    trusted = max((point.sequence for point in checkpoints if since and point.signers == ledger.signers.digest), default=0)
    found = _audited(ledger, checkpoints, now, trusted)
    if trusted and any(0 < finding["sequence"] <= trusted for finding in found["findings"]):
        found = _audited(ledger, checkpoints, now, 0)
    return found


def _audited(ledger: Ledger, checkpoints: Sequence[Head], now: datetime.datetime, trusted: int) -> dict[str, Any]:
    """:param trusted: number of the entry up to which signatures count as verified."""
    findings: list[Finding] = []
    lines: list[dict[str, Any]] = []
    known = {point.sequence: point.digest for point in [*checkpoints, ledger.remembered()] if point.sequence}
    head = Head()
    due: dict[str, dict[str, Any]] = {}
    admitted: dict[str, str] = {}
    verified = 0
    judged, decided = deque[dict[str, Any]](maxlen=SHOWN_PLANS), deque[dict[str, Any]](maxlen=SHOWN_DECISIONS)
    for seen in _chained(_looked_at(ledger, trusted)):
        entry = seen.entry
        findings += [Finding(seen.sequence, problem) for problem in seen.problems]
        verified += seen.verified
        if entry is None:
            continue
        head = Head(entry.sequence, entry.digest, ledger.signers.digest)
        if known.get(entry.sequence, entry.digest) != entry.digest:
            findings.append(Finding(entry.sequence, "a checkpoint names another entry here: the chain was forked or written anew"))
        lines.append(_line(entry, admitted))
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
            "checkpoints": len(checkpoints), "waiting": ledger.waiting(), "verified": verified, "judged": list(judged), "decisions": list(decided)}


@dataclass(frozen=True)
class Seen:
    """One entry, or why it is none. :param verified: how many signatures were verified for it."""

    sequence: int
    entry: Entry | None
    problems: Sequence[str]
    verified: int = 0


def _looked_at(ledger: Ledger, trusted: int) -> Iterator[Seen]:
    """Each entry by itself, in order. A signature takes a process of ssh-keygen, so as many are looked at at once as there are processors for this."""
    numbers = ledger.numbers()
    there, last = set(numbers), numbers[-1] if numbers else 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as workers:
        for first in range(1, last + 1, AT_ONCE):
            yield from workers.map(lambda number: _look_at(ledger, number, number > trusted) if number in there else Seen(number, None, ["it is missing"]),
                                   range(first, min(first + AT_ONCE, last + 1)))


def _look_at(ledger: Ledger, sequence: int, verified: bool) -> Seen:
    try:
        entry = parse(ledger.content(sequence), ledger.instance, sequence, ledger.signers, verified)
    except (ValueError, DomainError) as error:
        return Seen(sequence, None, [error.message if isinstance(error, DomainError) else str(error)], 1)
    if not verified:
        return Seen(sequence, entry, [])
    return Seen(sequence, entry, list(_inside(ledger, entry)), 1 + (entry.kind in ("decision", "evidence")))


def _chained(looked_at: Iterable[Seen]) -> Iterator[Seen]:
    """The same, with what is wrong between an entry and the one before it."""
    digest, at = FIRST, None
    for seen in looked_at:
        entry, problems = seen.entry, []
        if entry is not None:
            if digest and entry.previous != digest:
                problems.append("it does not name the entry before it: one of the two was changed, moved or written anew")
            if at and entry.at < at:
                problems.append(f"it is dated {written(entry.at)}, before the entry before it")
            at = entry.at
        digest = entry.digest if entry else ""
        yield replace(seen, problems=[*problems, *seen.problems])


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


def _let_pass(admitted: dict[str, str], entry: Entry) -> list[Finding]:
    """Whether what was released was let pass by its gates before. A release uses that up.

    :param admitted: plans that may pass, each with who signed a request for it.
    """
    plan = entry.body.get("plan", "")
    if entry.kind == "gate" and entry.body.get("passed"):
        admitted[plan] = _signed_request(entry)
    if not changed(entry):
        return []
    wrong = [] if plan in admitted else [Finding(entry.sequence, "it was released, and no gate let its plan pass")]
    admitted.pop(plan, None)
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


def _signed_request(entry: Entry) -> str:
    """Who signed a request for the plan that a gate judged; empty where nobody did."""
    request = (entry.body.get("facts") or {}).get("request") or {}
    return str(request["by"]) if request.get("signed") else ""


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


def _line(entry: Entry, admitted: Mapping[str, str]) -> dict[str, Any]:
    """Who, what, when, why, on what evidence, with what result. ``proven`` says whether who is named signed, or is a word of who called."""
    body = entry.body
    result = body.get("outcome") or body.get("verdict") or body.get("kind") or ""
    if body.get("shop"):
        result += f" ({_shop(body['shop'])})"
    failed = [gate["gate"] for gate in body.get("gates", ()) if not gate["passed"]] if entry.kind == "gate" else []
    asked = _signed_request(entry) if entry.kind == "gate" else admitted.get(str(body.get("plan")), "") if entry.kind == "release" else ""
    proven = bool(asked) or entry.kind in ("decision", "evidence")
    return {"sequence": entry.sequence, "at": written(entry.at), "kind": entry.kind, "spooled": entry.spooled, "proven": proven, "digest": entry.digest,
            "who": asked or body.get("by") or body.get("who") or entry.writer, "why": body.get("reason") or body.get("why") or "",
            "what": " ".join(str(body[key]) for key in ("state", "role", "class") if body.get(key)), "about": body.get("plan") or body.get("image") or "",
            "result": re.sub(r"\s+", " ", str(result)), "failed": failed, "broken": body.get("broken") or []}
