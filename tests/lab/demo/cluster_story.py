# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The same story in a Kubernetes cluster: the same playbooks, release sources and claims; another inventory, and a toolbox that is killed half-way."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

from . import cluster, prepare
from .story import CONFIG, Load, Story

ACME, BODEGA = "acme-kubernetes", "bodega-kubernetes"


class ClusterStory(Story):
    """Its chapters, in order. There is one cluster, so there is no UAT before."""

    tenants = (ACME, BODEGA)
    inventories = ("kubernetes",)
    serving = "kubernetes"

    def prepare(self) -> None:
        """What tests of a cluster begin with: the cluster, its services, and the releases in its registry."""
        self._lab()
        self.playbooks.run("site", self.serving, limit=cluster.BUILDER)
        self.playbooks.run("build", self.serving)
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
        authority = prepare.certificates()
        self._chapter("The cluster converges: shares of the tenants, edge, toolboxes, routes; releases are built")
        self.playbooks.run("site", self.serving)
        self.addresses = dict.fromkeys(self.tenants, cluster.edge())
        self.playbooks.run("build", self.serving)
        cluster.template(self.tenants)
        self._chapter("r1 becomes what runs")
        self._promote("r1", self.serving)
        self._chapter("Two shops at work, from here to the end")
        self.load = Load(self.state, self.addresses, authority)
        self._chapter("r2: function bodies changed")
        self._promote("r2", self.serving)
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
