# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the collection's playbooks and shows what is worth seeing of them."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
_STEP = re.compile(r"^    \S+ +[0-9.]+s  ")
_RECAP = re.compile(r"^(\S+)\s*: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)")
_SHOWN = re.compile(r"^TASK \[.*Show ")
_NOISE = re.compile(r"^(ok|skipping|changed): |^\s+(changed|msg):|^$|^Saturday|^\w+day \d\d ")
_LOCK = threading.Lock()


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How a playbook ended.

    :ivar changed: tasks that changed something, by host.
    :ivar failed: tasks that failed or hosts not reached, by host.
    :ivar seconds: how long it took.
    """

    name: str
    code: int
    changed: dict[str, int]
    failed: dict[str, int]
    seconds: float
    log: Path


class Playbooks:
    """Runs playbooks with the demo's inventories; whole outputs go to numbered files in ``logs``."""

    def __init__(self, state: Path, started: float) -> None:
        self.state = state
        self._started = started
        self._numbers = itertools.count(1)
        (state / "logs").mkdir(parents=True, exist_ok=True)

    def say(self, text: str, mark: str = " ") -> None:
        """One line with the time since the demo began."""
        with _LOCK:
            print(f"{time.monotonic() - self._started:6.1f}s {mark} {text}", flush=True)

    def run(
        self, verb: str, environment: str, variables: Mapping[str, Any] | None = None, limit: str | None = None,
        fails: bool = False, beside: str | None = None,
    ) -> Outcome:
        """Run one playbook: a verb of the collection, or the path of one.

        :param fails: a failure is what is expected.
        :param beside: a further inventory.
        :raises RuntimeError: when it fails unexpectedly.
        """
        name = Path(verb).stem
        playbook = verb if "/" in verb else f"sysgenpro.odoo.{verb}"
        log = self.state / "logs" / f"{next(self._numbers):02}-{name}-{environment}.log"
        # What is beside comes first: groups are constructed by the environment's own inventory, of all hosts before it.
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")), playbook, *(["-i", beside] if beside else []),
            "-i", str(ROOT / "inventories" / "demo" / environment),
        ]
        if variables:
            command += ["--extra-vars", json.dumps(dict(variables))]
        if limit:
            command += ["--limit", limit]
        given = " ".join(f"{key}={value}" for key, value in (variables or {}).items() if isinstance(value, str))
        self.say(f"ansible-playbook sysgenpro.odoo.{name} -i inventories/demo/{environment} {given}".rstrip(), "$")
        outcome = self._follow(name, command, log)
        if outcome.code and not fails:
            raise RuntimeError(f"{name} on {environment} failed; see {log}")
        return outcome

    def _follow(self, name: str, command: Sequence[str], log: Path) -> Outcome:
        began = time.monotonic()
        changed: dict[str, int] = {}
        failed: dict[str, int] = {}
        shown = False
        process = subprocess.Popen(
            command, cwd=ROOT, env=self._environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            errors="replace",
        )
        assert process.stdout
        with process, log.open("w", encoding="utf-8") as stream:
            for line in process.stdout:
                stream.write(line)
                stream.flush()
                line = line.rstrip("\n")
                recap = _RECAP.match(line)
                if recap:
                    changed[recap.group(1)] = int(recap.group(3))
                    failed[recap.group(1)] = int(recap.group(4)) + int(recap.group(5))
                if line.startswith(("TASK [", "PLAY")):
                    shown = bool(_SHOWN.match(line))
                elif _STEP.match(line) or line.startswith(("[ERROR]", "fatal:")):
                    self.say(line.strip()[:300])
                elif shown and not _NOISE.match(line):
                    self.say("  " + line.strip().removeprefix("- ").strip("'\""))
        took = time.monotonic() - began
        ending = ", ".join(f"{host} changed={count}" for host, count in changed.items())
        self.say(f"{name}: {took:.1f} s; {ending}")
        return Outcome(name, process.returncode, changed, failed, took, log)

    def _environment(self) -> dict[str, str]:
        vaults = ",".join(f"{name}@{self.state / 'vault' / name}" for name in ("uat", "production", "ops"))
        return {
            **os.environ,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_VAULT_IDENTITY_LIST": vaults,
            "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FATAL": "true",
            "ANSIBLE_NOCOLOR": "true",
            "PYTHONUNBUFFERED": "1",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }
