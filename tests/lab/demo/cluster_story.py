# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same story in a Kubernetes cluster: the same playbooks, release sources and claims; another inventory, and a toolbox that is killed half-way."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from load import Tenant

from . import cluster, prepare, work
from .playbook import ROOT, Outcome
from .story import CONFIG, PROMOTED, Story
from .way_back import go_back, point_of

ACME, BODEGA, UAT, SCRATCH = "acme-kubernetes", "bodega-kubernetes", "acme-uat-kubernetes", "acme-scratch-kubernetes"
INVENTORY = "kubernetes"
WHO: Mapping[str, str] = {"uat": UAT, "production": f"{ACME},{BODEGA}"}
"""Both environments are in one cluster, and so in one inventory."""
ORDERS = 3


class ClusterStory(Story):
    """Its chapters, in order."""

    tenants = (ACME, BODEGA)
    inventories = (INVENTORY,)
    authority = point = ""

    def prepare(self, only: Sequence[str]) -> None:
        """What tests of a cluster begin with: the cluster, its services, and the releases in its registry, all or only some."""
        self._lab(fresh=False)
        self.playbooks.run("site", INVENTORY, limit=cluster.BUILDER)
        sources = [str(ROOT / "inventories" / "demo" / "releases" / f"{name}.yml") for name in only]
        self.playbooks.run("build", INVENTORY, {"odoo_image_sources": sources} if sources else {})
        prepare.lab("down", cluster.BUILDER)

    def _lab(self, fresh: bool) -> None:
        self._chapter("The lab")
        prepare.vault(self.state, ACME)
        cluster.up(self.state, fresh)
        # Ansible's connection to a pod finds kubectl by that.
        os.environ["PATH"] = f"{cluster.programs()}:{os.environ['PATH']}"

    def tell(self, fresh: bool) -> None:
        """All of it.

        :raises RuntimeError: when something without which the story cannot go on failed.
        """
        self._lab(fresh)
        if fresh:
            cluster.forget([*self.tenants, UAT, SCRATCH])
        self.authority = prepare.certificates()
        self._chapter("The cluster converges: shares of the tenants, edge, toolboxes, routes; releases are built")
        self.playbooks.run("site", INVENTORY)
        self.addresses = dict.fromkeys((*self.tenants, SCRATCH), cluster.edge())
        self.playbooks.run("build", INVENTORY)
        cluster.template([*self.tenants, UAT])
        self._chapter("UAT goes ahead, production follows what held there")
        built: Future[None] = Future()
        built.set_result(None)
        passed: dict[str, Future[None]] = {name: Future() for name in PROMOTED}
        with ThreadPoolExecutor() as pool:
            lanes = [pool.submit(self._uat, built, passed), pool.submit(self._production, passed, self.authority)]
            for lane in lanes:
                lane.result()
        self._chapter("A pod beyond the tenant's share")
        self._greedy()
        self._chapter("All of it once more: nothing to do")
        self._judge_unchanged([self.playbooks.run("site", INVENTORY), self._release("r6", self.serving, CONFIG)])
        self._chapter("A recovery point becomes a new instance beside a shop that works")
        self._restore()
        self._chapter("Back across r3, once people have gone home")
        if self.load:
            self._judge_load(self.load)
        self._way_back()

    def _play(self, verb: str, environment: str, variables: Mapping[str, Any], fails: bool = False) -> Outcome:
        return self.playbooks.run(verb, INVENTORY, variables, fails=fails, limit=WHO[environment])

    def _edge(self, tenant: str) -> str:
        return self.addresses[tenant]

    def _site(self, environment: str) -> None:
        """The whole cluster converges at once."""

    def _promote(self, name: str, environment: str) -> None:
        if environment != self.serving or name not in ("r3", "r6"):
            super()._promote(name, environment)
        elif name == "r3":
            self.point = point_of(self.playbooks.run("recovery_point", INVENTORY, {"recovery_point_reason": "before the new field"}, limit=ACME))
            super()._promote(name, environment)
        else:
            self._killed(name)

    def _killed(self, name: str) -> None:
        with ThreadPoolExecutor() as pool:
            releasing = pool.submit(self._release, name, self.serving, CONFIG, True)
            colour = cluster.kill_toolbox(ACME, 120)
            self.playbooks.say(f"kubectl delete pod toolbox-0 -n {ACME} --force, while {colour} starts", "$")
            outcome = releasing.result()
        self.claims.check(bool(outcome.failed.get(ACME)) and not outcome.failed.get(BODEGA), f"the release on {ACME} ends with its toolbox, that on {BODEGA} does not")
        again = self._release(name, self.serving, CONFIG)
        self.claims.check(
            not again.code and bool(again.changed.get(ACME)) and not again.changed.get(BODEGA), f"the same command once more finishes {name} on {ACME}, and has nothing to do on {BODEGA}")

    def _greedy(self) -> None:
        image = (self.state / "toolbox").read_text(encoding="utf-8").strip()
        said = cluster.refusal(cluster.pod(BODEGA, image, "8"))
        self.playbooks.say(said or "it was let in")
        self.claims.check("exceeded quota" in said, f"a pod beyond the share of {BODEGA} is refused, and the cluster says by which limit")

    def _restore(self) -> None:
        given = {"restore_source": ACME, "restore_point": self.point, "restore_trusted_signers": [cluster.signer(ACME)]}
        self.playbooks.run("restore", INVENTORY, given, limit=SCRATCH)
        there = work.orders(self._tenant(SCRATCH), self.authority, [])
        active = cluster.psql("select count(*) from ir_cron where active", SCRATCH.replace("-", "_")).strip()
        self.claims.check(there == [] and active == "0", "a login on the scratch instance works, and no scheduled action of it is active")
        self.playbooks.run("release", INVENTORY, {"release_state": "absent", "release_purge": SCRATCH}, limit=SCRATCH)

    def _way_back(self) -> None:
        """It discards what was done since, so nobody works meanwhile."""
        made = work.work(self._tenant(ACME), self.authority, ORDERS)
        given = {"rollback_point": self.point, "rollback_reason": "the new field confuses the tills"}
        go_back(lambda more: self.playbooks.run("rollback", INVENTORY, {**given, **more}, limit=ACME), self.claims, ("orders",))
        left = work.orders(self._tenant(ACME), self.authority, made)
        self.claims.check(not left, f"acme is as it was before r3: {ORDERS} orders made since are gone, and people log in")

    def _tenant(self, name: str) -> Tenant:
        return Tenant(name=name, url=f"https://{prepare.HOSTS[name]}", database=name.replace("-", "_"), address=self._edge(name))
