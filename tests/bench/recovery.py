# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery points beside the bare tools, Odoo's own backup and click-odoo's: capture, restore to a first login, going back to a first login."""

from __future__ import annotations

import asyncio
import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from estate import Estate
from estate.edge import PATIENCE
from estate.place import HOST, INSTANCE, NEIGHBOUR, NEIGHBOUR_HOST
from load import BackgroundLoad, Config, Records, Tenant
from load.browser import Browser

from . import shop, today
from .releases import BUSY

BARE = "/var/lib/sysgenpro/bench"
QUIET = 20.0
"""Seconds of load before a capture, to compare with."""
CLICK = ("click-odoo-contrib==1.24", "click-odoo==1.8.0")
_BARE_CAPTURE = """
set -eu
export RESTIC_PASSWORD=bench
[ -e {0}/restic/config ] || restic -q -r {0}/restic init >/dev/null
rm -rf {0}/dump
pg_dump -Fd -j2 --compress=zstd:1 -h {1} -p {2} -U postgres -f {0}/dump fault_one
restic -q -r {0}/restic backup --host bench {0}/dump {3}
"""
"""From nothing, as ours: a repository that is not there is made, and the dump lies in it as well."""

_BARE_RESTORE = """
set -eu
export RESTIC_PASSWORD=bench
rm -rf {0}/back
restic -q -r {0}/restic restore latest --target {0}/back --include {0}/dump
restic -q -r {0}/restic restore latest --target {0}/back --include {3} & files=$!
psql -qX -h {1} -p {2} -U postgres -d postgres -c 'create database {4} owner {4}'
pg_restore -j2 -h {1} -p {2} -U postgres --no-owner --no-acl --role={4} --exclude-schema=sysgenpro -d {4} {0}/back{0}/dump
wait $files
mv {0}/back{3} {5}/data/filestore/{4}
chown -R --reference={5}/data {5}/data/filestore
"""
"""Each tool as fast as it goes, side by side: no list of contents, no comparison, no neutralizing, nothing proven."""


class RecoveryBench:
    """Seconds by name, in the order in which they were measured.

    :param say: shows what is under way.
    """

    def __init__(self, estate: Estate, say: Callable[[str], None]) -> None:
        self.estate, self.say = estate, say
        self.machine = estate.machine
        self.place = today.Today(estate)
        self.seconds: dict[str, float] = {}
        self.facts: dict[str, Any] = {}

    def measure(self) -> None:
        """All of it."""
        self.estate.runs("one-a")
        self.say("a shop of some years")
        self.facts["size"] = str(shop.grow(self.estate))
        self.say(self.facts["size"])
        self._captures()
        self._load()
        self.place.make()
        try:
            self._theirs()
        finally:
            self.place.drop()
            self.machine.sh(f"rm -rf {BARE}")
        self._ours_restored()
        self._back()

    def show(self) -> list[str]:
        """Lines for people: what took how long, and the ratios that count."""
        width = max(map(len, self.seconds))
        took = self.seconds
        bare_first, bare_next = took["capture, first: bare tools"], took["capture, 1 % new: bare tools"]
        theirs = min(took[name] for name in took if name.startswith("restore to a first login: Odoo"))
        return [
            self.facts["size"], *(f"{name.ljust(width)}  {seconds:7.1f} s" for name, seconds in took.items()), "",
            f"capture, first: ratio to the bare tools {took['capture, first: ours'] / bare_first:.2f}",
            f"capture, 1 % new: ratio to the bare tools {took['capture, 1 % new: ours'] / bare_next:.2f}, "
            f"Odoo's dump takes {took['dump: Odoo, zip'] / took['capture, 1 % new: ours']:.1f} times as long",
            f"restore to a first login: Odoo takes {theirs / took['restore to a first login: ours']:.1f} times as long; "
            f"ratio to the bare tools {took['restore to a first login: ours'] / took['restore to a first login: bare tools']:.2f}",
            "of ours: " + ", ".join(f"{name} {seconds:.1f} s" for name, seconds in self.facts["steps"].items()),
            "a load's p99 {quiet:.3f} s without, {meanwhile:.3f} s while captured and verified ({requests} requests, {failed} failed); "
            "attachments locked for {lock:.0f} ms".format(**self.facts["load"])]

    # -- capture --------------------------------------------------------------------------------

    def _timed(self, name: str, work: Callable[[], Any]) -> Any:
        # What the one before left to be written is not this one's.
        self.machine.sh("sync")
        began = time.monotonic()
        result = work()
        self.seconds[name] = time.monotonic() - began
        self.say(f"{name}: {self.seconds[name]:.1f} s")
        return result

    def _point(self, state: str, **more: Any) -> dict[str, Any]:
        recovery = self.machine.parameters({})["recovery"]
        given = {"instance": INSTANCE, "state": state, "repository": recovery["repository"], "requested_by": "bench", "reason": "bench",
                 "database": {"name": "fault_one", "port": today.PORT, "socket": today.SOCKET}, **more}
        return dict(self.machine.other_module("pg_recovery_point", given).ok().result)

    def _captures(self) -> None:
        """In turn, so that neither has the warmer cache."""
        location = self.machine.parameters({})["recovery"]["repository"]["location"]
        instance = f"/var/lib/sysgenpro/instances/{INSTANCE}"
        self.machine.sh(f"rm -rf {location} {instance}/recovery {instance}/state/recovery-repository.json {BARE}; mkdir -p {BARE};"
                        f" find {shop.FILESTORE} -type f -exec cat {{}} + >/dev/null")
        bare = _BARE_CAPTURE.format(BARE, today.SOCKET, today.PORT, shop.FILESTORE)
        self._timed("capture, first: bare tools", lambda: self.machine.sh(bare))
        self._timed("capture, first: ours", lambda: self._point("captured"))
        self._timed("verify, first: ours", lambda: self._point("verified"))
        shop.one_percent(self.estate, "new")
        self._timed("capture, 1 % new: ours", lambda: self._point("captured"))
        self._timed("capture, 1 % new: bare tools", lambda: self.machine.sh(bare))
        self._timed("verify, 1 % new: ours", lambda: self._point("verified"))

    def _load(self) -> None:
        """What a capture does to those who work meanwhile."""
        directory = self.estate.state / "bench" / "capture"
        directory.mkdir(parents=True, exist_ok=True)
        tenant = Tenant(name="bench", url=f"https://{HOST}", database="fault_one", address=self.machine.address, pace=BUSY)
        with BackgroundLoad(Config(tenants=(tenant,), ca=self.estate.authority, patience=PATIENCE), str(directory)) as load:
            time.sleep(5)
            began = time.time()
            time.sleep(QUIET)
            capture = time.time()
            taken = self._point("captured")
            self._point("verified")
            ended = time.time()
            time.sleep(2)
        quiet, meanwhile = load.summary(since=began, until=capture), load.summary(since=capture, until=ended)
        self.facts["load"] = {"quiet": quiet.p99, "meanwhile": meanwhile.p99, "requests": meanwhile.requests, "failed": load.summary().failed,
                              "lock": taken["point"]["timings"]["lock_held"] * 1000}

    # -- as people do today ---------------------------------------------------------------------

    def _theirs(self) -> None:
        tools = self.estate.state / "bench" / "click-odoo"
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-compile", "--upgrade", "--target", str(tools), *CLICK], check=True)
        packed = subprocess.run(["tar", "c", "-C", str(tools), "."], capture_output=True, check=True).stdout
        self.machine.sh(f"mkdir -p {BARE}/click {BARE}/out && chmod 777 {BARE}/out")
        subprocess.run(["docker", "exec", "-i", f"sgp-lab-{self.machine.name}", "tar", "x", "--no-same-owner", "-C", f"{BARE}/click"], input=packed, check=True)
        self.machine.sql("alter role today createdb", "postgres")
        for name, dump, load in (
            ("Odoo, zip", "odoo db -c /etc/odoo/odoo.conf dump today /out/odoo.zip", "odoo db -c /etc/odoo/odoo.conf load -f today /out/odoo.zip"),
            ("click-odoo, zip", _click("backup", "--format zip today /out/click.zip"), _click("restore", "today /out/click.zip")),
            ("click-odoo, folder", _click("backup", "--format folder today /out/click"), _click("restore", "today /out/click")),
        ):
            self._timed(f"dump: {name}", lambda command=dump: self._in_odoo(command))  # type: ignore[misc]
            self._gone()
            self._timed(f"restore to a first login: {name}", lambda command=load: self._served(command))  # type: ignore[misc]
        self._gone()
        self._timed("restore to a first login: bare tools", self._bare)

    def _bare(self) -> None:
        self.machine.sh(_BARE_RESTORE.format(BARE, today.SOCKET, today.PORT, shop.FILESTORE, today.NAME, today.ROOT))
        self.place.start("one-a")
        self._login(today.HOST, today.NAME)

    def _in_odoo(self, command: str) -> None:
        self.place.once(command, f"-v {BARE}/out:/out -v {BARE}/click:/click:ro -e PYTHONPATH=/click")

    def _gone(self) -> None:
        """Their database and files are lost."""
        self.machine.sh(f"docker rm -f {today.NAME} >/dev/null 2>&1; rm -rf {today.ROOT}/data/filestore/*")
        self.machine.sql(f"drop database {today.NAME} with (force)", "postgres")

    def _served(self, command: str) -> None:
        self._in_odoo(command)
        self.place.start("one-a")
        self._login(today.HOST, today.NAME)

    # -- ours -----------------------------------------------------------------------------------

    def _ours_restored(self) -> None:
        """By the operator's playbook, into an instance that has no database, beside the one that works."""
        self.estate.play("release", limit=NEIGHBOUR, release_state="absent", release_purge=NEIGHBOUR)

        def restore() -> None:
            self.estate.play("restore", limit=NEIGHBOUR, restore_source=INSTANCE)
            self._login(NEIGHBOUR_HOST, "fault_two")

        self._timed("restore to a first login: ours", restore)
        self.facts["steps"] = self._steps(NEIGHBOUR)

    def _steps(self, instance: str) -> dict[str, float]:
        """Seconds by step of an instance's newest operation, out of its journal."""
        history = f"/var/lib/sysgenpro/instances/{instance}/state/history"
        entries = [json.loads(line) for line in self.machine.sh(f"cat {history}/$(ls {history} | tail -1)").splitlines()]
        return {entry["step"]: entry["took"] for entry in entries if entry["event"] == "done" and entry.get("took", 0) >= 0.1}

    def _back(self) -> None:
        """Over an update, by its recovery point."""
        self.estate.release("two").ok()
        asked = self.machine.module({"state": "rolled_back", "release": None})
        digest = asked.result["details"]["plan"]["digest"]

        def back() -> None:
            self.machine.module({"state": "rolled_back", "release": None, "expected_plan_digest": digest}).ok()
            self._login(HOST, "fault_one")

        self._timed("back over an update to a first login: ours", back)

    def _login(self, host: str, database: str) -> None:
        """A person logs in at the edge."""
        tenant = Tenant(name="bench", url=f"https://{host}", database=database, address=self.machine.address)

        async def login() -> None:
            browser = Browser(Config(tenants=(tenant,), ca=self.estate.authority), tenant, Records())
            try:
                while not await browser.login():
                    await asyncio.sleep(0.1)
            finally:
                await browser.close()

        asyncio.run(asyncio.wait_for(login(), 300))


def _click(what: str, arguments: str) -> str:
    program = f"import sys; from click_odoo_contrib.{what}db import main; sys.argv[0] = 'click-odoo'; main()"
    return shlex.join(["python3", "-c", program, "-c", "/etc/odoo/odoo.conf"]) + " " + arguments

