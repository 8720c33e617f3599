# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decisions of people: statements that a person's own key signed, about one plan of one instance, for one role. Pure but for the signatures."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError, bad_input
from .ledger import SKEW, Entry
from .moments import hours_between, read, written
from .signers import AWX, DECIDING, PRINCIPAL, ROLE_SAID, ROLES, Signers, touched
from .statements import DECISION, opened, statement

DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
VERDICTS = ("approved", "rejected", "withdrawn")
# Who decides so must say why.
MUST_SAY = ("emergency", "review")


@dataclass(frozen=True)
class Decision:
    """
    :param plan: digest of the plan it is about. :param at: when it was signed, by who signed. :param until: when an approval ends.
    :param security_key: see ``signers.touched``; told by the signature, not by the statement.
    :param via: where it was decided in AWX, which signed it in the person's place (``awx.VIA``); None where a person signed.
    """

    instance: str
    plan: str
    role: str
    verdict: str
    by: str
    at: datetime.datetime
    until: datetime.datetime
    reason: str
    security_key: str = "none"
    via: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        return {"instance": self.instance, "plan": self.plan, "role": self.role, "verdict": self.verdict, "by": self.by, "at": written(self.at),
                "until": written(self.until), "reason": self.reason, "security_key": self.security_key, "via": dict(self.via) if self.via else None}

    @property
    def subject(self) -> dict[str, str]:
        return {f"plan:{self.instance}": self.plan}

    def statement(self) -> dict[str, Any]:
        facts = self.as_dict()
        del facts["plan"], facts["security_key"]
        if not self.via:
            del facts["via"]
        return statement(DECISION, self.subject, facts)


def wanted(params: Mapping[str, Any], now: datetime.datetime) -> Decision:
    """A decision from the parameters of who decides. :raises DomainError: ``bad_input``."""
    for name, value, fits, expected in (
            ("plan", params["plan"], DIGEST.fullmatch(str(params["plan"])), "the digest of a plan, sha256: and 64 digits"),
            ("role", params["role"], params["role"] in DECIDING, ROLE_SAID),
            ("by", params["by"], PRINCIPAL.fullmatch(str(params["by"])), "a name as in the list of signers, such as jane@example.com"),
            ("hours", params["hours"], params["hours"] > 0, "1 or more"),
            ("reason", params["reason"], params["reason"].strip() or params["role"] not in MUST_SAY, f"a reason, which {params['role']} needs")):
        if not fits:
            raise bad_input(name, value, expected)
    at = now.replace(microsecond=0)
    return Decision(params["instance"], params["plan"], params["role"], params["verdict"], params["by"], at,
                    at + datetime.timedelta(hours=params["hours"]), params["reason"].strip())


def parse(envelope: Any, signers: Signers, at: datetime.datetime) -> Decision:
    """A decision, signed by a key that was valid at a moment.

    :raises ValueError: why it cannot be believed.
    """
    found = opened(envelope)
    value = found.predicate
    try:
        names = list(found.subject)
        instance = str(value["instance"])
        decision = Decision(instance, found.subject[f"plan:{instance}"], str(value["role"]), str(value["verdict"]), str(value["by"]),
                            read("at", value["at"]), read("until", value["until"]), str(value["reason"]), touched(found.signature), value.get("via"))
        signer = str(decision.via["signer"]) if decision.via else decision.by
    except (KeyError, TypeError, DomainError):
        raise ValueError("it is no decision") from None
    if found.kind != DECISION or len(names) != 1 or decision.role not in DECIDING or decision.verdict not in VERDICTS:
        raise ValueError("it is no decision")
    if not DIGEST.fullmatch(decision.plan) or (decision.role in MUST_SAY and not decision.reason):
        raise ValueError("it is no decision")
    signers.verify(found.encoding, found.signature, signer, AWX if decision.via else ROLES[decision.role], at)
    return decision


def check_new(instance: str, body: Mapping[str, Any], now: datetime.datetime, most: float, change: datetime.datetime | None) -> None:
    """Whether a decision may go into the ledger now.

    :param body: the decision's values. :param most: hours for which an approval may hold.
    :param change: when what runs was changed last: what was decided by then is used up, and is not taken a second time.
    :raises DomainError: ``decision_refused``.
    """
    at, until = read("at", body["at"]), read("until", body["until"])
    why = ""
    if body["instance"] != instance:
        why = f"it is about {body['instance']}"
    elif at > now + SKEW:
        why = f"it is dated {body['at']}, which is yet to come"
    elif until <= now:
        why = f"it ended at {body['until']}"
    elif change and at <= change:
        why = f"it is of {body['at']}, and the last release ended at {written(change)}; what was approved before is used up"
    elif hours_between(at, until) > most:
        why = f"it holds for {hours_between(at, until):g} h, and the policy allows {most:g} h"
    if why:
        raise refused(why)


def refused(why: str) -> DomainError:
    return DomainError("decision_refused", f"the decision is not taken into the ledger: {why}", unchanged="Nothing was changed",
                       advice="Decide again about the plan as it is now, with a key that may")


@dataclass(frozen=True)
class Standing:
    """What a decision counts for now. :param why_not: why an approval does not count; empty where it does."""

    decision: Decision
    sequence: int
    why_not: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {**self.decision.as_dict(), "sequence": self.sequence, "counts": not self.why_not, "why_not": self.why_not}


def same_person(name: str, other: str) -> bool:
    """Whether two names are one person's: a login counts as the part before the @."""
    one, two = name.strip().lower(), other.strip().lower()
    return bool(one) and bool(two) and (one == two or one.partition("@")[0] == two.partition("@")[0])


def standing(entries: Sequence[Entry], plan: str, requesters: Sequence[str], signers: Signers, now: datetime.datetime,
             awx: Mapping[str, Sequence[str]]) -> list[Standing]:
    """Each person's newest decision in each role, about a plan.

    :param entries: of the ledger, the oldest first, none older than the last release: what was approved for that is used up.
    :param requesters: who asks for the release. :param awx: by role, whose decisions the policy takes from AWX.
    """
    newest: dict[tuple[str, str], Standing] = {}
    for entry in entries:
        if entry.kind != "decision":
            continue
        try:
            decision = parse(entry.body.get("envelope"), signers, entry.at)
        except ValueError:
            continue  # believed when it was taken in; the key was taken out of the list since, and its owner may no more
        if decision.role == "request" and decision.verdict == "approved" and decision.plan == plan:
            requesters = [*requesters, decision.by]
        if decision.plan == plan:
            newest[decision.by, decision.role] = Standing(decision, entry.sequence)
    return [Standing(found.decision, found.sequence, _why_not(found.decision, requesters, signers, now, awx)) for found in newest.values()]


def _why_not(decision: Decision, requesters: Sequence[str], signers: Signers, now: datetime.datetime, awx: Mapping[str, Sequence[str]]) -> str:
    if decision.verdict != "approved":
        return "it was " + decision.verdict
    if decision.until <= now:
        return f"it ended at {written(decision.until)}"
    if decision.via:
        if decision.by not in awx.get(decision.role, ()):
            return f"it was given in AWX, and the policy takes nothing of {decision.by} as {decision.role} from there"
    elif decision.by not in signers.people(decision.role, now):
        return f"{decision.by} may not sign as {decision.role} any more"
    if decision.role != "request" and any(same_person(decision.by, name) for name in requesters):
        return f"{decision.by} asked for the release"
    return ""
