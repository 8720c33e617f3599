# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The gate of one instance: its ledger read, its plan judged, what was judged written down. What a release knows is handed in as facts."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from itertools import islice
from typing import Any

from .._kernel.errors import DomainError, bad_input
from .._kernel.journal import ENDED_WELL
from .._kernel.text import joined
from . import built
from .calendar import TIMED
from .decisions import standing
from .evidence import opened_evidence
from .incidents import INCIDENT, still_open
from .judging import FAILED, Verdict, judge, refused
from .ledger import SKEW, Entry, Ledger
from .moments import UTC, hours_between, read, written
from .place import Governance
from .policy import Governed
from .signers import ROLES

# With these an operation ended well; what was approved for a change of what runs is used up then.
CHANGES = ("released", "rolled_back", "absent")
# How many of a ledger's entries are looked at for soak time and evidence. What lies further back counts as not there.
LOOKED_BACK = 500
NEVER = datetime.datetime.max.replace(tzinfo=UTC)
# As much of an operation's name as is its moment.
SECOND = len("20261130T210000")
# Which gate judges which evidence.
EVIDENCE_FOR = {"scan": "scanned", "sbom": "sbom"}


class InstanceGate:
    """:param identity: ``instance``, ``tenant``, ``environment`` and ``data_class``, as who releases gives them.

    :raises DomainError: ``bad_input`` where the policy says otherwise of the instance.
    """

    def __init__(self, governance: Governance, identity: Mapping[str, str]) -> None:
        self.governance, self.identity = governance, identity
        self.name = identity["instance"]
        self.governed: Governed = governance.policy.of(self.name)
        if self.governed.environment and self.governed.environment != identity["environment"]:
            raise bad_input("environment", identity["environment"], f"{self.governed.environment}, as the policy on this machine says of {self.name}")
        self.policy = governance.policy.classes[self.governed.class_name]
        self.hours = governance.policy.regions.get(self.governed.region)

    @cached_property
    def ledger(self) -> Ledger:
        """Opened when it is first asked, since a run with nothing to do asks it nothing."""
        return self.governance.ledger(self.name)

    def asks(self, kind: str) -> bool:
        """Whether a gate of the class judges a fact: a ready one by its name, and an expression may judge any."""
        return any(gate.kind in (kind, "") for gate in self.policy.gates)

    @property
    def words(self) -> list[str]:
        """What calendars may call the instance by."""
        return words_of(self.name, self.identity["tenant"], self.identity["environment"], self.governed.region)

    # -- facts ------------------------------------------------------------------------------------

    def built(self, image: str, source: Mapping[str, Any] | None, documents: Mapping[str, bytes], by: str,
              signatures: Sequence[tuple[bytes, str]]) -> dict[str, Any]:
        """What lies beside an image, as ``built.facts`` has it."""
        keys = {name: key for gate in self.policy.gates if gate.kind == "image_signature" for name, key in gate.options["keys"].items()}
        return built.facts(image, source, documents, by, signatures, keys, self.governance.signers, self.governance.clock())

    def facts(self, plan: Mapping[str, Any], request: Mapping[str, Any], seen: Mapping[str, Any]) -> dict[str, Any]:
        """All facts of one plan.

        :param plan: the fact ``plan``. :param request: the fact ``request``. :param seen: ``recovery_point``, ``rehearsal``, ``pos`` and those of ``built``,
            whose SBOM counts where the ledger has none.
        :raises DomainError: ``ledger_broken``, ``store_failed``.
        """
        now, kinds = self.governance.clock(), {gate.kind for gate in self.policy.gates}
        entries, _change = since_release(self.ledger)
        said = str(request["by"])
        decisions = standing(entries, str(plan["digest"]), [said], self.governance.signers, now, self.policy.awx)
        asked = sorted({one.decision.by for one in decisions if one.decision.role == "request" and not one.why_not})
        image = str(plan["image"] or "")
        return {
            "now": written(now),
            "instance": {"name": self.name, "tenant": self.identity["tenant"], "environment": self.identity["environment"],
                         "class": self.governed.class_name, "region": self.governed.region, "data_class": self.identity["data_class"]},
            "request": {**request, "by": joined(asked) if asked else said, "said": said, "signed": bool(asked)}, "plan": dict(plan),
            "lower": self._lower(image, now),
            "calendar": self.governance.calendar.facts(now, self.words, self.hours, [kind for kind in TIMED if kind in kinds]),
            "decisions": [one.as_dict() for one in sorted(decisions, key=lambda one: one.sequence)],
            "signers": {role: sorted({*self.governance.signers.people(role, now), *self.policy.awx.get(role, ())}) for role in ROLES},
            "differences": [{**one, "over": read("until", one["until"]) <= now} for one in self.governed.differences],
            "incidents": self.incidents(image, self.ledger) if self.asks("incidents") else [],
            "waves": None, **built.nothing(), **seen,
            **{kind: (self._evidence(kind, image, now) if self.asks(gate) else None) or seen.get(kind) for kind, gate in EVIDENCE_FOR.items()},
        }

    def _lower(self, image: str, now: datetime.datetime) -> dict[str, Any] | None:
        """How long an image ran in the lower environment without another in between, by the ledger of the instance there."""
        if not self.governed.lower:
            return None
        ledger = self.governance.ledger(self.governed.lower, own=False)
        told: dict[str, Any] = {"instance": self.governed.lower, "image": None, "since": None, "hours": None, "unread": "", "incidents": []}
        try:
            since, until, running = ran(islice(ledger.newest_first(), LOOKED_BACK), image, now)
            told["incidents"] = self.incidents(image, ledger)
        except DomainError as error:
            # Of others' ledgers there are no copies that count: they may have gone on.
            if not self.governance.policy.spools or not error.details.get("away"):
                raise
            return {**told, "unread": error.message}
        return {**told, "image": running, "since": written(since) if since else None, "hours": hours_between(since, until) if since else None}

    def _evidence(self, kind: str, image: str, now: datetime.datetime) -> dict[str, Any] | None:
        """The newest believed evidence about an image."""
        found = next(self._believed(kind, image, self.ledger), None)
        return {**found, "hours": hours_between(read("made", found["made"]), now)} if found else None

    def incidents(self, image: str, ledger: Ledger) -> list[dict[str, Any]]:
        """What is open about an image, by a ledger."""
        return still_open(self._believed(INCIDENT, image, ledger), ledger.instance)

    def _believed(self, kind: str, image: str, ledger: Ledger) -> Iterator[dict[str, Any]]:
        """Evidence of a kind about an image, the newest first."""
        for entry in islice(ledger.newest_first(), LOOKED_BACK):
            if entry.kind != "evidence" or entry.body.get("kind") != kind or entry.body.get("image") != image:
                continue
            try:
                found = opened_evidence(entry.body.get("envelope"), self.governance.signers, entry.at)
            except ValueError:
                continue
            if found["image"] == image and found["kind"] == kind:
                yield found

    # -- judging ----------------------------------------------------------------------------------

    def judge(self, facts: Mapping[str, Any]) -> Verdict:
        return judge(self.policy, facts, self.governance.clock())

    def admit(self, facts: Mapping[str, Any], verdict: Verdict) -> Entry:
        """Write down what was judged and on what facts, then let it pass or not.

        :raises DomainError: ``gates_closed``; ``store_failed`` and those of ``Ledger.append``: what cannot be written down does not pass.
        """
        entry = self.ledger.append("gate", {f"plan:{self.name}": facts["plan"]["digest"]}, {
            "plan": facts["plan"]["digest"], "image": facts["plan"]["image"], "class": facts["plan"]["class"], "state": facts["request"]["state"],
            "by": facts["request"]["by"], "reason": facts["request"]["reason"], "facts": dict(facts), **verdict.as_dict()})
        if not verdict.passed:
            raise refused(self.name, verdict, self.policy.breakable)
        return entry

    def record(self, operations: Sequence[Mapping[str, Any]]) -> list[Entry]:
        """Write down operations that ended and are not in the ledger yet, the oldest first.

        Names of operations begin with their second. What no gate had let pass is of a time before the instance was governed, though it may have had the
        same plan; of rehearsals, which need no gate, those count that are later than the last operation in the ledger.
        """
        recorded: set[str] = set()
        admitted: dict[str, datetime.datetime] = {}
        newest = ""
        for entry in self.ledger.newest_first():
            if entry.kind == "release":
                name = str(entry.body["operation"])
                newest = newest or name
                if name[:SECOND] < newest[:SECOND]:
                    break
                recorded.add(name)
            elif entry.kind == "gate" and entry.body["outcome"] != FAILED:
                admitted[entry.body["plan"]] = entry.at - SKEW
        late = [one for one in operations if one["operation"] not in recorded and one["operation"][:SECOND] >= newest[:SECOND]
                and (admitted.get(one["plan"], NEVER) <= read("began", one["began"]) or (newest and one["state"] == "rehearsed"))]
        return [self.ledger.append("release", {f"plan:{self.name}": one["plan"], **({"image": one["image"]} if one.get("image") else {})}, one) for one in late]


def ran(entries: Iterable[Entry], image: str, now: datetime.datetime) -> tuple[datetime.datetime | None, datetime.datetime, str | None]:
    """Since when and until when an image ran last without another in between, and which runs; since None where it never did.

    :param entries: of the ledger there, the newest first.
    """
    since, until, running = None, now, None
    for entry in entries:
        if not changed(entry):
            continue
        running = running or entry.body.get("image")
        if entry.body.get("image") == image:
            since = entry.at
        elif since is not None:
            break
        else:
            until = entry.at
    return since, until, running


def words_of(instance: str, tenant: str, environment: str, region: str) -> list[str]:
    """What calendars may call an instance by: its name, and the inventory's groups."""
    groups = {"tenant": tenant, "environment": environment, "region": region}
    return [instance, *(f"{kind}_{name}" for kind, name in groups.items() if name)]


def since_release(ledger: Ledger) -> tuple[list[Entry], datetime.datetime | None]:
    """The entries after the last change of what runs that ended well, the oldest first, and when that ended.

    A change that was written down late, since its ledger did not answer, took away only what was there before it ended.
    """
    found: list[Entry] = []
    ended: datetime.datetime | None = None
    for entry in ledger.newest_first():
        if ended and entry.at <= ended:
            break
        if changed(entry):
            its = read("ended", entry.body.get("ended") or written(entry.at))
            ended = max(ended, its) if ended else its
        else:
            found.append(entry)
    return found[::-1], ended


def changed(entry: Entry) -> bool:
    return entry.kind == "release" and entry.body.get("outcome") in ENDED_WELL and entry.body.get("state") in CHANGES
