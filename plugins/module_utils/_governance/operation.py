# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation behind ``release_gate``: a person's decision or a scanner's report is signed where the key is, and taken into the ledger where that is."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from .._documents.signing import Signer
from .._kernel.errors import DomainError, bad_input
from .._kernel.plan import Plan, Step, digest_of
from . import decisions, evidence
from .cluster_place import here
from .gate import LOOKED_BACK, since_release
from .ledger import Entry, Ledger
from .moments import utc_now
from .place import Governance, check_instance
from .signers import PRINCIPAL, ROLES
from .statements import sealed


class Signing:
    """``state=signed``: asks nobody but the key. Its plan always has its one step, since a signature is made anew each time."""

    writes = True

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        if not params["key"]:
            raise bad_input("key", params["key"], "path of a private key, or of its public one where an agent or a security key has it")
        if params["evidence"]:
            self.role, self.statement = "evidence", self._evidence(params["evidence"])
        else:
            check_instance(str(params["instance"] or ""))
            decision = decisions.wanted(params, utc_now())
            self.role, self.statement = decision.role, decision.statement()

    def _evidence(self, given: Mapping[str, Any]) -> dict[str, Any]:
        by = str(self.params["by"] or "")
        if not PRINCIPAL.fullmatch(by):
            raise bad_input("by", by, "a name as in the list of signers, such as build@example.com")
        try:
            with open(given["report"], "rb") as stream:
                content = stream.read()
        except OSError as error:
            raise bad_input("evidence.report", given["report"], f"a file that can be read ({error.strerror})") from None
        image = str(given["image"]).rpartition("@")[2]
        return evidence.made_statement(image, evidence.summary(given["kind"], content, image, given.get("made") or ""), by, utc_now().replace(microsecond=0))

    def plan(self) -> Plan:
        title = f"Sign as {self.role} with {self.params['key']}"
        return Plan((Step("sign", title),), {}, {"predicate": self.statement["predicate"]}, {"statement": digest_of(self.statement)})

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        del plan, timings
        signer = Signer(self.params["key"], signs="decisions", namespace=ROLES[self.role])
        return {"envelope": sealed(self.statement, signer.sign)}

    def facts(self) -> Mapping[str, Any]:
        return {}


class Recording:
    """``state=recorded``: an envelope becomes an entry of the instance's ledger, where it is believed and not there yet.

    :param place: what governs this machine.
    """

    writes = True

    def __init__(self, params: Mapping[str, Any], place: Callable[[], Governance | None] = here) -> None:
        self.instance = check_instance(str(params["instance"] or ""))
        self.envelope = params["envelope"] or {}
        governance = place()
        if governance is None:
            raise DomainError("not_governed", "neither policy nor signers nor a ledger are here", unchanged="Nothing was changed",
                              advice="Run the playbook governance for this machine, or for this instance of a cluster, first")
        self.governance: Governance = governance
        self.ledger: Ledger = governance.ledger(self.instance)
        self.kind, self.subject, self.body = self._believed()

    def _believed(self) -> tuple[str, dict[str, str], dict[str, Any]]:
        """:raises DomainError: ``decision_refused``, ``evidence_refused``."""
        now, signers = self.governance.clock(), self.governance.signers
        try:
            decision = decisions.parse(self.envelope, signers, now)
        except ValueError as error:
            if str(error) != "it is no decision":
                raise decisions.refused(str(error)) from None
        else:
            return "decision", decision.subject, {"envelope": self.envelope, **decision.as_dict()}
        try:
            report = evidence.opened_evidence(self.envelope, signers, now)
        except ValueError as error:
            raise evidence.refused(str(error)) from None
        return "evidence", {"image": report["image"]}, {"envelope": self.envelope, **{key: report[key] for key in ("kind", "image", "by", "made", "sha256")}}

    def plan(self) -> Plan:
        entries, change = since_release(self.ledger)
        if any(entry.body.get("envelope") == self.envelope or self._same_in_awx(entry) for entry in entries):
            return Plan((), {}, {}, {"envelope": digest_of(self.envelope)})
        if self.kind == "decision":
            self._check([entry for entry in entries if entry.kind == "decision"], change)
        shown = {key: value for key, value in self.body.items() if key != "envelope"}
        return Plan((Step("record", f"Take it into the ledger of {self.instance}"),), {}, {self.kind: shown}, {"envelope": digest_of(self.envelope)})

    def _same_in_awx(self, entry: Entry) -> bool:
        """Whether it is a decision of AWX that was taken in before, if for another time: it is taken in once, so that what was withdrawn since stays so."""
        via = self.body.get("via")
        return bool(via) and entry.kind == "decision" and entry.body.get("via") == via and entry.body["role"] == self.body["role"]

    def _check(self, known: list[Entry], change: datetime.datetime | None) -> None:
        """:raises DomainError: ``decision_refused``."""
        body = self.body
        decisions.check_new(self.instance, body, self.governance.clock(), self.governance.policy.approval_hours, change)
        if any(entry.body.get("envelope") == self.envelope for entry in islice(self.ledger.newest_first(), LOOKED_BACK)):
            raise decisions.refused("it was in the ledger before the last release, and is used up")
        asked = [entry.body["by"] for entry in known if entry.body["role"] == "request" and entry.body["plan"] == body["plan"]]
        if body["role"] != "request" and any(decisions.same_person(body["by"], name) for name in asked):
            raise decisions.refused(f"{body['by']} asked for this release, and nobody decides about what they asked for")

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        del plan, timings
        entry = self.ledger.append(self.kind, self.subject, self.body)
        return {"entry": {"sequence": entry.sequence, "digest": entry.digest}}

    def facts(self) -> Mapping[str, Any]:
        return {}
