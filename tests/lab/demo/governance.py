# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story of governance: r3 is refused gate by gate, approved by people with keys, and released; a freeze is broken; an auditor finds every harm."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from load import Tenant

from . import papers, prepare, work
from .auditor import HARMS, Auditor
from .claims import Claims
from .people import People, stocktaking
from .playbook import ROOT, Outcome, Playbooks
from .story import CONFIG

ACME, UAT = "acme-production", "acme-uat"
PLACES = {"ops": "ops-1", "uat": f"vm-uat-1,{UAT}", "production": f"vm-prod-1,{ACME}"}
BESIDE = ROOT / "inventories" / "demo" / "governance"
STARTS, PROMOTED, URGENT = "r2", "r3", "r6"
ROWS = 4000
# Seconds: the policy's soak time, and the second to which ledgers count.
SOAK = 0.02 * 3600 + 2
# Of each gate that is closed at first: who can see to it, as the plan says.
CLOSED = {"soaked": "whoever releases", "recovery_point": "an operator", "rehearsed": "an operator", "freeze": "emil@example.com", "shop_closed": "emil@example.com",
          "pos_closed": "the shops", "scanned": "build@example.com", "sbom": "build@example.com", "approved_app": "anna@example.com", "approved_schema": "dora@example.com"}
NOBODY = "sha256:" + "0" * 64


class GovernanceStory:
    """Its chapters, in order. It goes on with the machines of the first story, or makes them."""

    def __init__(self, playbooks: Playbooks, state: Path) -> None:
        self.playbooks, self.state = playbooks, state
        self.claims = Claims()
        self.addresses: dict[str, str] = {}
        self.authority = ""
        self.place = state / "governance"
        self.people = People(self.place)
        self.bucket = f"ledger-{int(time.time())}"

    def tell(self) -> None:
        """All of it.

        :raises RuntimeError: when something without which the story cannot go on failed.
        """
        self._prepare()
        began = time.monotonic()
        self._chapter("r3 is asked for in a freeze, in an open shop, and nobody saw it yet: every gate says why not, and who can see to it")
        session = self._refused()
        self._chapter("What the gates ask for is seen to; UAT goes ahead")
        image = self._seen_to(session)
        self._chapter("People approve that plan with their keys, and nobody else does")
        self._approved(image)
        self._chapter("In a freeze prices are wrong in all shops: an emergency is possible, and never silent")
        self._emergency()
        self._chapter("An auditor has a copy of the ledger and public keys, and somebody has harmed the copy")
        self._audited()
        self._chapter("Which environments there are, how they differ, and what somebody did by hand")
        self._compared()
        self.playbooks.say(f"from the first refusal to the last audit: {time.monotonic() - began:.0f} s")

    def end(self) -> None:
        """Show what was claimed."""
        self._chapter("Summary")
        for held, text in self.claims.made:
            print(f"{'held  ' if held else 'FAILED'}  {text}")
        self.playbooks.say(f"pages: {self.place / 'audit'}")

    # -- parts ----------------------------------------------------------------------------------

    def _chapter(self, title: str) -> None:
        self.playbooks.say("")
        self.playbooks.say(title, "#")

    def _run(self, verb: str, environment: str = "production", variables: Mapping[str, Any] | None = None, fails: bool = False, limit: str = "") -> Outcome:
        instance = {"production": ACME, "uat": UAT}.get(environment)
        return self.playbooks.run(verb, environment, variables, limit=limit or instance, fails=fails, beside=str(BESIDE / environment))

    def _release(self, name: str, environment: str = "production", fails: bool = False, **more: Any) -> Outcome:
        given = {"instance_release": name, "release_reason": f"{name} by the demo", "release_requested_by": "rita", **(CONFIG if name == URGENT else {}), **more}
        return self._run("release", environment, given, fails)

    def _plan(self, name: str, **more: Any) -> tuple[str, str]:
        """The plan's digest, and what the playbook says of it."""
        given = {"instance_release": name, "release_requested_by": "rita", **(CONFIG if name == URGENT else {}), **more}
        text = said(self._run("plan", variables=given))
        found = re.search(r"plan (sha256:[0-9a-f]{64})", text)
        if not found:
            raise RuntimeError(f"plan told of no digest for {name}")
        return found.group(1), text

    def _decide(self, name: str, role: str, plan: str, fails: bool = False, reason: str = "") -> str:
        return said(self._run("approve", variables={"approve_plan": plan, "approve_role": role, "approve_by": self.people.mail(name),
                                                    "approve_key": self.people.key(name), **({"approve_reason": reason} if reason else {})}, fails=fails))

    def _evidence(self, kind: str, report: Path, image: str, environment: str = "production") -> None:
        self._run("evidence", environment, {"evidence_kind": kind, "evidence_report": str(report), "evidence_image": image.rpartition("@")[2],
                                            "evidence_by": self.people.mail("build"), "evidence_key": self.people.key("build")})

    def _govern(self, environment: str, **more: Any) -> None:
        self._run("governance", environment, more, limit=PLACES[environment].split(",")[0])

    def _tenant(self) -> Tenant:
        return Tenant(name=ACME, url=f"https://{prepare.HOSTS[ACME]}", database=ACME.replace("-", "_"), address=self.addresses["vm-prod-1"])

    def _sql(self, text: str) -> None:
        prepare.on("vm-prod-1", f"psql -XAtq -v ON_ERROR_STOP=1 -h /run/sysgenpro/{ACME}/postgresql -p 5501 -U postgres -d acme_production -c '{text}'")

    # -- chapters -------------------------------------------------------------------------------

    def _prepare(self) -> None:
        self._chapter("The lab")
        prepare.vault(self.state)
        prepare.forget_lost_releases(self.state)
        self.addresses = prepare.machines(fresh=False)
        self.authority = prepare.certificates()
        os.environ["DEMO_VERSITYGW"], os.environ["DEMO_LEDGER"] = prepare.lab("tool", "versitygw").strip(), self.bucket
        self.people.list_signers()
        self.people.freeze(holds=True)
        with ThreadPoolExecutor() as pool:
            built = pool.submit(self._build)
            for one in [pool.submit(self._begin, environment, built) for environment in ("uat", "production")]:
                one.result()
        self._govern("uat")
        key = prepare.on("vm-uat-1", "cat /var/lib/sysgenpro/governance/ledger_key.pub").split()
        self.people.list_signers([f'ledger@vm-uat-1 namespaces="ledger-acme-uat@sysgenpro" {key[0]} {key[1]}'])
        self._govern("production")

    def _build(self) -> None:
        self._run("site", "ops", limit=PLACES["ops"])
        if not (self.state / "releases.yml").exists():
            prepare.base_image(self.state)
            sources = [str(ROOT / "inventories" / "demo" / "releases" / f"{name}.yml") for name in (STARTS, PROMOTED, URGENT)]
            self._run("build", "ops", {"odoo_image_sources": sources}, limit=PLACES["ops"])

    def _begin(self, environment: str, built: Future[None]) -> None:
        """A machine that nobody governs, with r2."""
        prepare.template([PLACES[environment].split(",")[0]])
        self._run("site", environment, limit=PLACES[environment])
        self._govern(environment, governance_state="absent", governance_purge=True)
        built.result()
        self._release(STARTS, environment)

    def _refused(self) -> int:
        session = work.open_till(self._tenant(), self.authority)
        _digest, text = self._plan(PROMOTED)
        for gate, who in CLOSED.items():
            found = re.search(rf"gate {gate}: CLOSED, (.*?)\bneeds: (.*?); who: (.*?)(?= - |$)", text.replace("\n", " "))
            self.claims.check(bool(found and who in found.group(3)), f"gate {gate} is closed, says what it needs, and that {who} can see to it")
        outcome = self._release(PROMOTED, fails=True)
        text = said(outcome)
        self.claims.check(outcome.code != 0 and not any(outcome.changed.values()) and all(gate in text for gate in CLOSED),
                          "release is refused by all of them at once, and nothing is pulled or changed")
        return session

    def _seen_to(self, session: int) -> str:
        with ThreadPoolExecutor() as pool:
            released = pool.submit(self._release, PROMOTED, "uat")
            self._run("recovery_point", variables={"recovery_point_reason": "before the new field"})
            work.close_till(self._tenant(), self.authority, session)
            self._run("plan", variables={"instance_release": PROMOTED, "plan_rehearse": True})
            released.result()
        seen = time.monotonic()
        image = reference(self.state / "releases.yml", PROMOTED)
        self._papers(image)
        self._incident(image)
        self.people.freeze(holds=False)
        self._govern("production", demo_special_days=stocktaking())
        waits = max(0.0, SOAK - (time.monotonic() - seen))
        self.playbooks.say(f"{PROMOTED} runs on {UAT} for another {waits:.0f} s, as the policy asks")
        time.sleep(waits)
        return image

    def _papers(self, image: str) -> None:
        found = papers.packages("vm-uat-1", image)
        papers.sbom(image, found, self.place / "sbom.json")
        compared = papers.scan("vm-uat-1", image, found, self.place / "scan.json")
        self.playbooks.say(f"the image has {len(found)} packages; {compared} of them are in Debian's security archive, with which they were compared")
        for kind in ("sbom", "scan"):
            self._evidence(kind, self.place / f"{kind}.json", image)

    def _incident(self, image: str) -> None:
        """Soak time counts only as long as nothing is open about that image. Meanwhile somebody imports a file."""
        report = {"id": "INC-1", "image": image.rpartition("@")[2], "title": "the shelf is shown twice"}
        for state in ("open", "closed"):
            at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            (self.place / "incident.json").write_text(json.dumps({**report, "at": at, "state": state}), encoding="utf-8")
            self._evidence("incident", self.place / "incident.json", image, "uat")
            if state == "open":
                with ThreadPoolExecutor() as pool:
                    importing = pool.submit(work.import_customers, self._tenant(), self.authority, ROWS)
                    _digest, text = self._plan(PROMOTED)
                    importing.result()
                self.claims.check("gate soaked: CLOSED" in text and "INC-1" in text, "an incident that is open in UAT about this very image holds r3 up")
                self.claims.check("gate imports: CLOSED" in text, "and so does an import that runs in the shop")

    def _approved(self, image: str) -> None:
        digest, text = self._plan(PROMOTED)
        left = re.findall(r"gate (\w+): CLOSED", text)
        self.claims.check(left == ["approved_app", "approved_schema"], f"only the approvals are missing now; closed are {', '.join(left)}")
        self._decide("rita", "request", digest)
        tries: list[tuple[str, str, str, str]] = [
            ("rita", "app", "asked for this release", "the requester's own approval"), ("anna", "schema", "not signed by a key", "an approval in a role that is not hers"),
            ("gone", "app", "not signed by a key", "an approval with a key that is not valid any more")]
        for name, role, why, what in tries:
            self.claims.check(why in self._decide(name, role, digest, fails=True), f"{what} is refused")
        self.claims.check("it ended at" in self._by_hand(digest), "an approval that is out of date is refused")
        self._decide("anna", "app", NOBODY)
        self.claims.check("approved_app: 0 of 1" in said(self._release(PROMOTED, fails=True)), "an approval of another plan opens nothing")
        self._decide("anna", "app", digest)
        text = said(self._release(PROMOTED, fails=True))
        self.claims.check("approved_schema: 0 of 1" in text and "approved_app: 0 of 1" not in text, "the application is approved, the change of the schema is not: refused")
        self._decide("dora", "schema", digest)
        self._sql("alter table res_partner add column loyalty integer")
        outcome = self._release(PROMOTED, fails=True, release_expected_plan_digest=digest)
        self.claims.check(outcome.code != 0 and "plan computed now is" in said(outcome), "the structure of the database changed in between: the plan is another one, and the release stops")
        self._sql("alter table res_partner drop column loyalty")
        outcome = self._release(PROMOTED, release_expected_plan_digest=digest)
        self.claims.check(outcome.code == 0 and bool(outcome.changed.get(ACME)), "as it was approved, r3 is released")

    def _by_hand(self, digest: str) -> str:
        """A decision that ended an hour ago, signed as anybody with the key could, offered to the machine past the playbook."""
        given = self.place / "late.json"
        code = _LATE.format(plan=digest, instance=ACME, by=self.people.mail("anna"), key=self.people.key("anna"))
        made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True,
                                      env={**os.environ, "PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]}).stdout
        given.write_text(made, encoding="utf-8")
        play = self.place / "offer.yml"
        play.write_text(json.dumps([{"hosts": "instances", "gather_facts": False, "become": True, "tasks": [{
            "sysgenpro.odoo.release_gate": {"state": "recorded", "instance": ACME, "envelope": json.loads(made)}}]}]), encoding="utf-8")
        return said(self._run(str(play), fails=True))

    def _emergency(self) -> None:
        self.people.freeze(holds=True)
        self._govern("production", demo_special_days=stocktaking())
        digest, _text = self._plan(URGENT)
        self._decide("anna", "app", digest)
        self.claims.check("inside a freeze: Peak season" in said(self._release(URGENT, fails=True)), f"{URGENT} is approved, and held up by the freeze")
        self.claims.check("a reason, which emergency needs" in self._decide("emil", "emergency", digest, fails=True), "whoever breaks a freeze says why, or is refused")
        self.claims.check("not signed by a key" in self._decide("anna", "emergency", digest, fails=True, reason="it is urgent"), "who has not that authority is refused")
        self._decide("emil", "emergency", digest, reason="prices are wrong in all shops")
        outcome = self._release(URGENT)
        self.claims.check(outcome.code == 0, f"the named authority breaks the freeze, and {URGENT} is released")
        text = self._audit()
        page = (self.place / "audit" / f"{ACME}.html").read_text(encoding="utf-8")
        red = 'class="red"' in page and "prices are wrong in all shops" in page
        self.claims.check(bool(re.search(r"BROKEN in an emergency: [^;]*freeze", text)) and red, "the audit's page shows it in red, with who and why, and that a review is due")
        self._decide("vera", "review", digest, reason="looked at it with the shops")
        self.claims.check("BROKEN in an emergency" not in self._audit(), "until somebody else signed the review")

    def _compared(self) -> None:
        reports = str(self.place / "reports")
        for environment in ("production", "uat"):
            self._run("inventory_report", environment, {"inventory_report_directory": reports})
        page = (self.place / "reports" / "environments.html").read_text(encoding="utf-8")
        self.claims.check(UAT in page and ACME in page and "undeclared" in page, "the page of environments has UAT's differences from production, and which of them nobody declared")
        cron = prepare.on("vm-prod-1", f"docker ps --format '{{{{.Names}}}}' | grep '^{ACME}-.*-cron$'").strip()
        prepare.on("vm-prod-1", f"docker stop {cron}")
        self.playbooks.say(f"somebody, on vm-prod-1: docker stop {cron}", "$")
        text = said(self.playbooks.run("drift", "production", {"drift_directory": reports}, limit=PLACES["production"], beside=str(BESIDE / "production")))
        place = cron.removeprefix(f"{ACME}-")
        self.claims.check(f"{ACME}: running {place}: recorded runs" in text, f"drift finds that {place} was stopped by hand")
        _digest, text = self._plan(PROMOTED)
        self.claims.check("gate differences: CLOSED" in text, "and another release is held up until that is seen to")
        prepare.on("vm-prod-1", f"docker start {cron}")

    def _audit(self) -> str:
        (self.place / "audit").mkdir(exist_ok=True)
        (self.place / "audit" / f"{ACME}.checkpoint.json").unlink(missing_ok=True)
        return said(self._run("audit", variables={"audit_directory": str(self.place / "audit")}))

    def _audited(self) -> None:
        auditor = Auditor(self.place / "auditor", ACME)
        auditor.fetch("ops-1", "vm-prod-1", self.bucket)
        checkpoint = json.loads((self.place / "audit" / f"{ACME}.checkpoint.json").read_text(encoding="utf-8"))
        kept = self.place / "auditor" / "kept"
        self.claims.check(not auditor.findings(kept, checkpoint) and auditor.by_public_tools(kept) == checkpoint["digest"],
                          f"{checkpoint['sequence']} entries are as they were written, by this collection and by ssh-keygen, sha256sum and jq alone")
        for harm in HARMS:
            place = auditor.harmed(harm)
            found = auditor.findings(place, checkpoint)
            shown = f"entry {found[0]['sequence']}: {found[0]['problem']}" if found else "nothing"
            self.claims.check(bool(found) and auditor.by_public_tools(place) != checkpoint["digest"], f"an entry {harm}: found both ways ({shown})")


_LATE = """
import datetime, json
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.decisions import Decision
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import ROLES
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.statements import sealed
now = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)
hour = datetime.timedelta(hours=1)
late = Decision("{instance}", "{plan}", "app", "approved", "{by}", now - 3 * hour, now - hour, "")
print(json.dumps(sealed(late.statement(), Signer("{key}", signs="decisions", namespace=ROLES["app"]).sign)))
"""


def said(outcome: Outcome) -> str:
    """All that a playbook printed, as one line."""
    return " ".join(outcome.log.read_text(encoding="utf-8", errors="replace").split())


def reference(releases: Path, name: str) -> str:
    """A release's image by its digest."""
    found = re.search(rf"^{name}: (\S+)$", releases.read_text(encoding="utf-8"), re.MULTILINE)
    if not found:
        raise RuntimeError(f"{releases} has no {name}")
    return found.group(1)


__all__ = ["GovernanceStory"]
