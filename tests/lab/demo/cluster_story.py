# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same story in a Kubernetes cluster: the same playbooks, release sources and claims; another inventory, and a toolbox that is killed half-way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from load import Tenant

from . import cluster, prepare, work
from .playbook import ROOT
from .story import CONFIG, Load, Story
from .way_back import go_back, point_of

ACME, BODEGA = "acme-kubernetes", "bodega-kubernetes"
ORDERS = 3


class ClusterStory(Story):
    """Its chapters, in order. There is one cluster, so there is no UAT before."""

    tenants = (ACME, BODEGA)
    inventories = ("kubernetes",)
    serving = "kubernetes"

    def prepare(self, only: Sequence[str]) -> None:
        """What tests of a cluster begin with: the cluster, its services, and the releases in its registry, all or only some."""
        self._lab()
        self.playbooks.run("site", self.serving, limit=cluster.BUILDER)
        sources = [str(ROOT / "inventories" / "demo" / "releases" / f"{name}.yml") for name in only]
        self.playbooks.run("build", self.serving, {"odoo_image_sources": sources} if sources else {})
        prepare.lab("down", cluster.BUILDER)

    def _lab(self) -> None:
        self._chapter("The lab")
        prepare.vault(self.state, ACME)
        cluster.up(self.state)
        # Ansible's connection to a pod finds kubectl by that.
        os.environ["PATH"] = f"{cluster.programs()}:{os.environ['PATH']}"

    def tell(self, fresh: bool) -> None:
        """All of it.

        :raises RuntimeError: when something without which the story cannot go on failed.
        """
        self._lab()
        if fresh:
            cluster.forget(self.tenants)
        self.authority = prepare.certificates()
        self._chapter("The cluster converges: shares of the tenants, edge, toolboxes, routes; releases are built")
        self.playbooks.run("site", self.serving)
        self.addresses = dict.fromkeys(self.tenants, cluster.edge())
        self.playbooks.run("build", self.serving)
        cluster.template(self.tenants)
        self._chapter("r1 becomes what runs")
        self._promote("r1", self.serving)
        self._chapter("Two shops at work, from here to the end")
        self.load = Load(self.state, self.addresses, self.authority)
        self._chapter("r2: function bodies changed")
        self._promote("r2", self.serving)
        self._chapter("A recovery point of acme, while people work")
        point = point_of(self.playbooks.run("recovery_point", self.serving, {"recovery_point_reason": "before the new field"}, limit=ACME))
        self._chapter("r3: a new field and a view, rehearsed beforehand on a clone")
        self._promote("r3", self.serving)
        self._chapter("r4: its upgrade raises half-way")
        self._undone("r4")
        self._chapter("r5: upgrades, but the web client does not come up")
        self._undone("r5")
        self._chapter("r6: only static files and configuration; acme's toolbox is killed half-way")
        self._killed("r6")
        self._chapter("A pod beyond the tenant's share")
        self._greedy()
        self._chapter("All of it once more: nothing to do")
        self._judge_unchanged([self.playbooks.run("site", self.serving), self._release("r6", self.serving, CONFIG)])
        self._chapter("Back across r3, once people have gone home")
        self._judge_load(self.load)
        self._way_back(point)

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

    def _way_back(self, point: str) -> None:
        """It discards what was done since, so nobody works meanwhile."""
        acme = Tenant(name=ACME, url=f"https://{prepare.HOSTS[ACME]}", database=ACME.replace("-", "_"), address=self.addresses[ACME])
        made = work.work(acme, self.authority, ORDERS)
        given = {"rollback_point": point, "rollback_reason": "the new field confuses the tills"}
        go_back(lambda more: self.playbooks.run("rollback", self.serving, {**given, **more}, limit=ACME), self.claims, ("orders",))
        self.claims.check(not work.orders(acme, self.authority, made), f"acme is as it was before r3: {ORDERS} orders made since are gone, and people log in")
