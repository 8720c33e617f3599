# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab machine: commands on it, its databases, and ``odoo_release`` as the playbook runs it there."""

from __future__ import annotations

import base64
import copy
import json
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = "/var/lib/sysgenpro/instances"
RUNNER = "/var/lib/sysgenpro/fault-runner.py"
PAYLOAD = "/var/lib/sysgenpro/fault-payload"
LOOPS_BOUND = 900


@dataclass
class Ran:
    """One run of the module.

    :ivar result: what it returned; empty when it was killed.
    :ivar did: what was done to it, when and at which entry of the journal.
    """

    result: dict[str, Any]
    code: int
    text: str
    did: list[dict[str, Any]] = field(default_factory=list)
    left: list[dict[str, Any]] = field(default_factory=list)
    calls: dict[str, list[str]] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        return bool(self.result.get("failed"))

    @property
    def error(self) -> str:
        """The stable code of the error; nothing where there was none."""
        return str(self.result.get("code", "")) if self.failed else ""

    @property
    def message(self) -> str:
        return str(self.result.get("msg", "")) or self.text

    @property
    def kind(self) -> str:
        """The class of the release that was planned."""
        return str(self.result["plan"]["class"])

    def ok(self) -> Ran:
        """Itself; fails unless the module ended well."""
        assert self.result and not self.failed, self.message
        assert not self.left, f"never came to pass: {self.left}"
        return self


class Machine:
    """A machine of the lab."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        self._parameters: dict[str, Any] = {}

    def sh(self, command: str, data: str | None = None, check: bool = True, timeout: float = LOOPS_BOUND) -> str:
        """Standard output of a shell command on the machine.

        It goes through the container, not through SSH, so that it works whatever the test does to the network.
        """
        done = subprocess.run(
            ["docker", "exec", "-i", f"sgp-lab-{self.name}", "sh", "-c", command], input=data, text=True, errors="replace",
            capture_output=True, check=False, timeout=timeout)
        assert not check or done.returncode == 0, f"{command}\nended with {done.returncode}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
        return done.stdout

    def background(self, command: str) -> subprocess.Popen[str]:
        """A shell command that runs beside the test."""
        return subprocess.Popen(
            ["docker", "exec", "-i", f"sgp-lab-{self.name}", "sh", "-c", command], text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def sql(self, query: str, database: str = "fault_one", port: int = 5501, user: str = "postgres", check: bool = True) -> str:
        """Rows of a query, columns by ``|``, by the peer login that the module uses."""
        socket = {5501: "fault-one", 5502: "fault-two"}[port]
        return self.sh(
            f"psql -XAtq -v ON_ERROR_STOP=1 -h /run/sysgenpro/{socket}/postgresql -p {port} -U {user} -d {database}", query, check).strip()

    # -- the module -----------------------------------------------------------------------------

    def take_module(self, play: Callable[[], Any]) -> None:
        """Take the module and its parameters from a playbook's run that leaves its files on the machine."""
        kept = "~/.ansible/tmp"
        self.sh(f"rm -rf {kept}")
        play()
        found = self.sh(f"ls -t {kept}/*/AnsiballZ_odoo_release.py").split()
        assert found, "the playbook left no module behind"
        self.sh(f"python3 {found[0]} explode")
        exploded = f"{Path(found[0]).parent}/debug_dir"
        self.sh(f"rm -rf {PAYLOAD} && cp -r {exploded} {PAYLOAD} && rm -rf {kept}")
        self._parameters = json.loads(self.sh(f"cat {PAYLOAD}/args"))["ANSIBLE_MODULE_ARGS"]
        runner = Path(__file__).with_name("runner.py").read_text(encoding="utf-8")
        self.sh(f"cat > {RUNNER}", runner)

    def parameters(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        """The playbook's parameters with these instead; dictionaries are merged, None takes a parameter out."""
        made = copy.deepcopy(self._parameters)
        _merge(made, changes)
        return made

    def module(self, changes: Mapping[str, Any], at: Sequence[Mapping[str, Any]] = (), count: bool = False) -> Ran:
        """Run ``odoo_release`` on the machine; see ``runner.py`` for ``at``."""
        return self._run("odoo_release", self.parameters(changes), at, count)

    def other_module(self, name: str, parameters: Mapping[str, Any]) -> Ran:
        """Run another module, which needs no more of ``module_utils`` than ``odoo_release`` does, with just these parameters."""
        source = Path(__file__).parents[4] / "plugins" / "modules" / f"{name}.py"
        self.write(f"{PAYLOAD}/ansible_collections/sysgenpro/odoo/plugins/modules/{name}.py", source.read_bytes())
        return self._run(name, parameters)

    def _run(self, name: str, parameters: Mapping[str, Any], at: Sequence[Mapping[str, Any]] = (), count: bool = False) -> Ran:
        spec = {"payload": PAYLOAD, "profile": "legacy", "module": f"ansible_collections.sysgenpro.odoo.plugins.modules.{name}",
                "parameters": parameters, "at": list(at), "count": count,
                "journal": f"{parameters.get('root', ROOT)}/{parameters['instance']}/state/journal.jsonl"}
        done = subprocess.run(
            ["docker", "exec", "-i", f"sgp-lab-{self.name}", "python3", RUNNER], input=json.dumps(spec), text=True, errors="replace",
            capture_output=True, check=False, timeout=LOOPS_BOUND)
        try:
            said = json.loads(done.stdout)
        except ValueError:
            return Ran({}, done.returncode, done.stdout[-2000:] + done.stderr[-2000:], left=list(at))
        result = said["result"] or {}
        return Ran(result, said["code"], said["text"], said["did"], said["left"], said["calls"])

    # -- files ----------------------------------------------------------------------------------

    def write(self, path: str, content: bytes) -> None:
        """Write a file of the machine."""
        self.sh(f"base64 -d > {shlex.quote(path)}", base64.b64encode(content).decode())


def _merge(made: dict[str, Any], changes: Mapping[str, Any]) -> None:
    for key, value in changes.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(made.get(key), dict):
            _merge(made[key], value)
        else:
            made[key] = value
