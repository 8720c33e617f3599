# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The second story: recovery points, and the ways back. It goes on with the first story's production machine, or makes it."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from load import Tenant, read_records, summarise

from . import prepare, work
from .claims import Claims
from .playbook import ROOT, Outcome, Playbooks
from .story import Load
from .way_back import go_back, point_of

ACME, BODEGA, SCRATCH, CORNER = "acme-production", "bodega-production", "acme-scratch", "corner-production"
BESIDE = ROOT / "inventories" / "demo" / "recovery"
ORDERS, OTHERS = 12, 3


class RecoveryStory:
    """Its chapters, in order."""

    def __init__(self, playbooks: Playbooks, state: Path) -> None:
        self.playbooks, self.state = playbooks, state
        self.claims = Claims()
        self.addresses: dict[str, str] = {}
        self.authority = ""
        self.load: Load | None = None
        self.first = ""

    def tell(self) -> None:
        """All of it.

        :raises RuntimeError: when something without which the story cannot go on failed.
        """
        self._prepare()
        self.load = Load(self.state, dict.fromkeys((ACME, BODEGA), self.addresses["vm-prod-1"]), self.authority)
        self._chapter("A recovery point under load, and another one after a little work")
        self._capture()
        self._chapter("r3 takes its own, and an hour of work later everybody wishes it had not come")
        self._way_back()
        self._chapter("A recovery point becomes a new instance beside a shop that works")
        self._restore()
        self._chapter("A shop comes with a backup zip")
        self._import()
        self._chapter("What no policy keeps any more")
        self._expire()

    def end(self) -> None:
        """Stop the load and show what was claimed."""
        if self.load:
            self.load.stop()
            records = read_records(str(self.load.directory / "requests.jsonl"))
            for name in (ACME, BODEGA):
                total = summarise(records, name)
                self.claims.check(total.requests > 0 and total.failed == 0,
                                  f"{name}: {total.requests} requests from the first capture to the end, {total.failed} failed, {total.together} waited together at most {total.reasons or ''}".rstrip())
        self._chapter("Summary")
        for held, text in self.claims.made:
            print(f"{'held  ' if held else 'FAILED'}  {text}")

    # -- chapters -------------------------------------------------------------------------------

    def _chapter(self, title: str) -> None:
        self.playbooks.say("")
        self.playbooks.say(title, "#")

    def _run(self, verb: str, limit: str, variables: Mapping[str, Any] | None = None, fails: bool = False) -> Outcome:
        return self.playbooks.run(verb, "production", variables, limit=limit, fails=fails, beside=str(BESIDE / "production"))

    def _tenant(self, name: str) -> Tenant:
        return Tenant(name=name, url=f"https://{prepare.HOSTS[name]}", database=name.replace("-", "_"), address=self.addresses["vm-prod-1"])

    def _prepare(self) -> None:
        self._chapter("The lab")
        prepare.vault(self.state)
        prepare.forget_lost_releases(self.state)
        self.addresses = prepare.machines(fresh=False)
        self.authority = prepare.certificates()
        os.environ["DEMO_VERSITYGW"] = prepare.lab("tool", "versitygw").strip()
        self.playbooks.run("site", "ops", beside=str(BESIDE / "ops"))
        if not (self.state / "releases.yml").exists():
            prepare.base_image(self.state)
            self.playbooks.run("build", "ops")
        prepare.template(["vm-prod-1"])
        self._run("site", limit=f"vm-prod-1,{ACME},{BODEGA},{SCRATCH},{CORNER}")
        self._run("release", limit=f"{ACME},{BODEGA}", variables={"instance_release": "r2", "release_reason": "where the story begins"})

    def _capture(self) -> None:
        self.first = point_of(self._run("recovery_point", limit=ACME, variables={"recovery_point_reason": "the first"}))
        work.work(self._tenant(ACME), self.authority, 2)
        told = _told(self._run("recovery_point", limit=ACME, variables={"recovery_point_reason": "after a little work"}))
        self.claims.check(0 < told["added"] < told["size"] / 4, "the second point brought {added:.1f} MB of {size:.0f} MB anew".format(**told))
        self.claims.check(told["lock"] < 0.1, "attachments were locked for {:.0f} ms".format(told["lock"] * 1000))

    def _way_back(self) -> None:
        self._run("release", limit=ACME, variables={"instance_release": "r3", "release_reason": "a new field"})
        made = work.work(self._tenant(ACME), self.authority, ORDERS, OTHERS)
        price = f"{ORDERS} orders, {OTHERS} POS orders, {OTHERS} invoices"
        self._go_back({"rollback_reason": "the new field confuses the tills"}, (price, f"{OTHERS} payments", "stock moves"))
        left = work.orders(self._tenant(ACME), self.authority, made)
        self.claims.check(not left, "the orders and invoices of that hour are gone from acme")
        exported = prepare.on("vm-prod-1", f"cd /var/lib/sysgenpro/instances/{ACME}/exports && cat */sale_order.csv */account_move.csv")
        self.claims.check(all(name in exported for name in made), "and each of them is in the export")

    def _restore(self) -> None:
        self._run("restore", limit=SCRATCH, variables={"restore_source": ACME, "restore_point": self.first})
        there = work.orders(self._tenant(SCRATCH), self.authority, [])
        active = prepare.on("vm-prod-1", "psql -XAtq -h /run/sysgenpro/acme-scratch/postgresql -p 5503 -U postgres -d acme_scratch"
                                         " -c 'select count(*) from ir_cron where active'").strip()
        self.claims.check(there == [] and active == "0", "a login on the scratch instance works, and no scheduled action of it is active")
        made = work.work(self._tenant(ACME), self.authority, 1)
        self._go_back({"rollback_point": self.first, "rollback_reason": "what was seen in the scratch instance is what is wanted"}, ("3 orders",))
        self.claims.check(not work.orders(self._tenant(ACME), self.authority, made), "the point that was looked at is the live one now")
        self._run("release", limit=SCRATCH, variables={"release_state": "absent", "release_purge": SCRATCH})

    def _go_back(self, variables: Mapping[str, Any], price: tuple[str, ...]) -> None:
        go_back(lambda more: self._run("rollback", limit=ACME, variables={**variables, **more}), self.claims, price)

    def _import(self) -> None:
        archive = self.state / "corner.zip"
        _zip(Path(prepare.lab("template").strip().splitlines()[-1]), archive)
        self._run("import", limit=CORNER, variables={"import_archive": str(archive), "import_copy": True, "instance_release": "r2"})
        self.claims.check(work.orders(self._tenant(CORNER), self.authority, []) == [], "a login on the imported shop works")

    def _expire(self) -> None:
        """The small shop's: what lies in acme's store is locked for a day."""
        for number in (1, 2, 3):
            self._run("recovery_point", limit=BODEGA, variables={"recovery_point_reason": f"number {number}"})
        policy = {"expire_retention": {"last": 1, "daily": 0, "weekly": 0, "monthly": 0}}
        outcome = self._run("expire", limit=BODEGA, variables=policy)
        text = outcome.log.read_text(encoding="utf-8")
        self.claims.check("removes " in text and "keeps " in text, "expire says of each point why it goes or stays")
        again = self._run("expire", limit=BODEGA, variables=policy)
        self.claims.check(not any(again.changed.values()), "and finds nothing more to remove")


def _told(outcome: Outcome) -> dict[str, float]:
    """What the playbook printed of the newest point: seconds of the lock, size and what is new of it in MB."""
    text = " ".join(outcome.log.read_text(encoding="utf-8").split())
    lock = re.search(r"attachments locked for ([0-9.]+) s", text)
    size = re.search(r"files, ([0-9.]+) MB, ([0-9.]+) MB of it new", text)
    if not lock or not size:
        raise RuntimeError(f"{outcome.name} told no figures; see {outcome.log}")
    return {"lock": float(lock.group(1)), "size": float(size.group(1)), "added": float(size.group(2))}


def _zip(template: Path, archive: Path) -> None:
    """The lab's database as Odoo's own backup would give it."""
    facts = json.loads((template / "template.json").read_text(encoding="utf-8"))
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        packed.writestr("manifest.json", json.dumps({"odoo_dump": "1", "db_name": facts["database"], "version": facts["series"]}))
        packed.write(template / "database.dump", "dump.dump")
        for path in sorted((template / "filestore").rglob("*")):
            if path.is_file():
                packed.write(path, "filestore/" + path.relative_to(template / "filestore").as_posix())
