# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The story: two environments, two tenants, six releases."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from load import Pace, read_records, summarise

from . import prepare
from .claims import Claims, Operation, read_operations, sentences, served_by_operation, table
from .playbook import ROOT, Outcome, Playbooks

TENANTS = ("acme-production", "bodega-production")
CONFIG: Mapping[str, Any] = {"instance_config": {"limit_time_real": 240}}
"""What r6 changes beside its static files."""
PROMOTED = ("r1", "r2", "r3", "r6")
"""What UAT lets pass to production; r4 and r5 show what happens where somebody goes past it."""
CAUSES: Mapping[str, str] = {
    "r4": "shelf plan 2026: 1 product stands on two shelves, S-17 and S-23",
    "r5": "the module @sgp_demo_shop/main needs @sgp_demo_shop/shop_client",
}
"""What is wrong with the releases that are undone, in the words of whoever made them so (``inventories/demo/addons``)."""
PACE = Pace(lists=0.7, writes=2.0, pages=0.12, logins=0.1, uploads=0.25, slow_uploads=0.08)
"""Two busy shops on two processors that also build, update and run Ansible."""


class Load:
    """The load generator on tenants, as a process of its own."""

    def __init__(self, state: Path, shops: Mapping[str, str], authority: str) -> None:
        """:param shops: each tenant's name with the address of its edge."""
        self.directory = state / "load"
        self.directory.mkdir(exist_ok=True)
        self.ended = False
        self._end_earlier()
        config = {
            "ca": authority,
            "tenants": [
                {"name": name, "url": f"https://{prepare.HOSTS[name]}", "database": name.replace("-", "_"),
                 "address": address, "pace": dataclasses.asdict(PACE)}
                for name, address in shops.items()
            ],
        }
        path = self.directory / "config.json"
        path.write_text(json.dumps(config), encoding="utf-8")
        self._output = (self.directory / "output.txt").open("w", encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "load", "--config", str(path), "--out", str(self.directory), "--until-stopped"],
            cwd=ROOT / "tests" / "lab", stdout=self._output, stderr=subprocess.STDOUT,
        )

    def _end_earlier(self) -> None:
        """A demo that was killed leaves its load behind, which would go on writing to the same files."""
        for command in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                words = command.read_bytes().split(b"\0")
                if words[1:3] == [b"-m", b"load"] and str(self.directory).encode() in words:
                    os.kill(int(command.parent.name), signal.SIGKILL)

    def stop(self) -> int:
        """Stop it, let it count what its writes left, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=300)
        self._output.close()
        self.ended = True
        return code


class Story:
    """Its chapters, in order.

    :cvar tenants: who is released to under load.
    :cvar inventories: those that have instances; ``serving`` is the one of ``tenants``.
    """

    tenants: tuple[str, ...] = TENANTS
    inventories: tuple[str, ...] = ("uat", "production")
    serving = "production"

    def __init__(self, playbooks: Playbooks, state: Path) -> None:
        self.playbooks = playbooks
        self.state = state
        self.claims = Claims()
        self.load: Load | None = None
        self.addresses: dict[str, str] = {}

    def tell(self, fresh: bool) -> None:
        """All of it.

        :raises RuntimeError: when something without which the story cannot go on failed.
        """
        self.addresses, authority = self._prepare(fresh)
        self._chapter("Machines converge and releases are built; UAT goes ahead, production follows what held there")
        with ThreadPoolExecutor() as pool:
            built = pool.submit(self._build)
            passed: dict[str, Future[None]] = {name: Future() for name in PROMOTED}
            lanes = [built, pool.submit(self._uat, built, passed), pool.submit(self._production, passed, authority)]
            for lane in lanes:
                lane.result()
        self._chapter("All of it once more: nothing to do")
        self._once_more()

    def end(self) -> None:
        """Stop the load; show status, report and summary."""
        self._chapter("What the load saw")
        if self.load and not self.load.ended:
            self._judge_load(self.load)
        status = self.state / "status"
        status.mkdir(exist_ok=True)
        for old in status.glob("*.json"):
            old.unlink()
        self._everywhere(lambda environment: self.playbooks.run("status", environment, {"status_directory": str(status), "status_history": 50}))
        records = read_records(str(self.load.directory / "requests.jsonl")) if self.load else []
        operations = read_operations(status, records)
        self._judge_operations(operations)
        served = self.state / "served.json"
        served.write_text(json.dumps(served_by_operation(operations), indent=1), encoding="utf-8")
        report = self.state / "report"
        self._everywhere(lambda environment: self.playbooks.run("report", environment, {
            "report_directory": str(report), "report_requests_path": str(served)}))
        self._chapter("Summary")
        print("\n".join(table(operations)))
        print()
        for held, text in self.claims.made:
            print(f"{'held  ' if held else 'FAILED'}  {text}")
        print()
        for index in sorted(report.glob("index-*.html")):
            print(f"report: {index}")

    # -- chapters -------------------------------------------------------------------------------

    def _everywhere(self, work: Callable[[str], Outcome]) -> None:
        """In UAT and in production at the same time."""
        with ThreadPoolExecutor() as pool:
            list(pool.map(work, self.inventories))

    def _chapter(self, title: str) -> None:
        self.playbooks.say("")
        self.playbooks.say(title, "#")

    def _prepare(self, fresh: bool) -> tuple[dict[str, str], str]:
        self._chapter("The lab")
        prepare.vault(self.state)
        addresses = prepare.machines(fresh)
        authority = prepare.certificates()
        for name, address in addresses.items():
            self.playbooks.say(f"{name} is at {address}")
        return addresses, authority

    def _build(self) -> None:
        self.playbooks.run("site", "ops")
        prepare.base_image(self.state)
        self.playbooks.run("build", "ops")

    def _uat(self, built: Future[None], passed: Mapping[str, Future[None]]) -> None:
        """Every release goes to UAT first; one that fails there stops production, too."""
        try:
            self._site("uat")
            built.result()
            for name in PROMOTED:
                self._promote(name, "uat")
                passed[name].set_result(None)
        except BaseException as error:
            for waiting in passed.values():
                if not waiting.done():
                    waiting.set_exception(error)
            raise

    def _production(self, passed: Mapping[str, Future[None]], authority: str) -> None:
        self._site("production")
        passed["r1"].result()
        self._chapter("r1 becomes what runs in production")
        self._promote("r1", "production")
        self._chapter("Two shops at work in production, from here to the end")
        self.load = Load(self.state, {name: self._edge(name) for name in self.tenants}, authority)
        passed["r2"].result()
        self._chapter("r2 in production: function bodies changed")
        self._promote("r2", "production")
        passed["r3"].result()
        self._chapter("r3 in production: a new field and a view, rehearsed beforehand on a clone")
        self._promote("r3", "production")
        self._chapter("r4: its upgrade raises half-way")
        self._undone("r4")
        self._chapter("r5: upgrades, but the web client does not come up")
        self._undone("r5")
        passed["r6"].result()
        self._chapter("r6 in production: only static files and configuration")
        self._promote("r6", "production")

    def _edge(self, _tenant: str) -> str:
        """The address at which an instance answers."""
        return self.addresses["vm-prod-1"]

    def _site(self, environment: str) -> None:
        self.playbooks.run("site", environment)
        prepare.template([{"uat": "vm-uat-1", "production": "vm-prod-1"}[environment]])

    def _release(
        self, name: str, environment: str, variables: Mapping[str, Any] | None = None, fails: bool = False
    ) -> Outcome:
        given = {"instance_release": name, "release_reason": f"{name} by the demo", **(variables or {})}
        return self._play("release", environment, given, fails)

    def _play(self, verb: str, environment: str, variables: Mapping[str, Any], fails: bool = False) -> Outcome:
        """Run a playbook on an environment's instances."""
        return self.playbooks.run(verb, environment, variables, fails=fails)

    def _promote(self, name: str, environment: str) -> None:
        """Plan, then release. UAT's copy of the data says nothing about production's pause, so only production's is rehearsed."""
        variables = CONFIG if name == "r6" else {}
        if name != "r1":
            self._play("plan", environment, {"instance_release": name, **variables, "plan_rehearse": name == "r3" and environment == self.serving})
        self._release(name, environment, variables)

    def _undone(self, name: str) -> None:
        outcome = self._release(name, self.serving, fails=True)
        self.claims.check(
            outcome.code != 0 and all(outcome.failed.get(tenant) for tenant in self.tenants),
            f"{name} is refused on every tenant, and the playbook says so",
        )
        said = sentences(outcome.log)
        for tenant in self.tenants:
            self.claims.check(
                any(CAUSES[name] in sentence and f"{tenant} runs as before" in sentence for sentence in said),
                f"{name} on {tenant} is undone, and one sentence names the cause: {CAUSES[name]}")

    def _once_more(self) -> None:
        def again(environment: str) -> list[Outcome]:
            runs: list[Callable[[], Outcome]] = [lambda: self.playbooks.run("site", environment)]
            if environment != "ops":
                runs.append(lambda: self._release("r6", environment, CONFIG))
            return [run() for run in runs]

        with ThreadPoolExecutor() as pool:
            self._judge_unchanged([outcome for found in pool.map(again, ("ops", "uat", "production")) for outcome in found])

    def _judge_unchanged(self, outcomes: Sequence[Outcome]) -> None:
        changed = {
            f"{outcome.name} {host}": count
            for outcome in outcomes for host, count in outcome.changed.items() if count
        }
        self.claims.check(not changed, f"site and release once more change nothing on any host {changed or ''}".rstrip())

    # -- judging --------------------------------------------------------------------------------

    def _judge_load(self, load: Load) -> None:
        code = load.stop()
        output = (load.directory / "output.txt").read_text(encoding="utf-8")
        for line in output.splitlines():
            self.playbooks.say(line)
        records = read_records(str(load.directory / "requests.jsonl"))
        path = load.directory / "result.json"
        result = json.loads(path.read_text(encoding="utf-8"))["tenants"] if path.exists() else {}
        self.claims.check(code in (0, 1) and bool(result), "the load ran from the first release to the end")
        for tenant in self.tenants:
            total = summarise(records, tenant)
            self.claims.check(
                total.requests > 0 and total.failed == 0,
                f"{tenant}: {total.requests} requests, {total.failed} failed, {total.together} waited together at most {total.reasons or ''}".rstrip())
            kept = result.get(tenant, {}).get("kept", {})
            self.claims.check(
                bool(kept) and not (kept["lost"] or kept["duplicated"] or kept["damaged"] or kept["unknown"]),
                f"{tenant}: of {kept.get('written', 0)} writes and uploads none is lost, doubled or damaged")
            self.claims.check(
                set(total.closes) <= {"1000", "1001"}, f"{tenant}: websockets were closed cleanly {total.closes}")

    def _judge_operations(self, operations: Sequence[Operation]) -> None:
        expected = {"r2": ("code", "done"), "r3": ("update", "done"), "r4": ("update", "undone"),
                    "r5": ("update", "undone"), "r6": ("code", "done")}
        released = [item for item in operations if item.header["state"] == "released"]
        for name, (kind, outcome) in expected.items():
            # The last of each tenant: one that was killed is an operation, too.
            mine = {item.instance: item for item in released if item.header.get("name") == name and item.environment == "production"}
            seen = sorted({(item.header["class"], item.outcome) for item in mine.values()})
            self.claims.check(
                seen == [(kind, outcome)] and len(mine) == len(self.tenants),
                f"{name} in production: {kind}, {outcome} on {len(self.tenants)} tenants; seen {seen} on {len(mine)}")
        updates = [item for item in released if item.header.get("name") == "r3" and item.environment == "production"]
        self.claims.check(
            bool(updates) and all((item.header.get("rehearsal") or {}).get("pause") for item in updates),
            "the pause of r3 in production was predicted by a rehearsal on every tenant")
