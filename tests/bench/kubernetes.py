# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants of a cluster by ``tenant_quota``, beside the same objects by ``kubernetes.core.k8s``, by ``kubectl`` and by bare requests; in one run, one after another.

Each way is asked thrice: for what is not there, for what is there, and for what differs at one tenant in a hundred. It has tenants of its own, which are
removed before the next way begins. Seconds are those of a whole ``ansible-playbook`` or ``kubectl`` less those of an ``ansible-playbook`` that does nothing.
"""

from __future__ import annotations

import copy
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.arguments import filled
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.wait import Deadline, wait_until
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api, failures
from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.arguments import module_spec, operation

LOOP = 20
"""Tenants of the way that takes an object at a time; its seconds are multiplied."""
PHASES = ("first", "no change", "1 % changed")
_GONE = 1800
Item = dict[str, Any]


def tenants(way: str, number: int, changed: bool = False) -> list[dict[str, Any]]:
    """As an inventory of shops has them."""
    return [{"name": f"bench-{way}-{each:05d}", "profile": "small", "registries": ["registry.example.test/odoo"],
             "hosts": [f"bench-{way}-{each:05d}.example.test"], "database": {"address": "192.0.2.10"}, "redis": {"address": "192.0.2.11"},
             "people": {"groups": [f"bench-{way}"]}, "ci": {"service_accounts": ["ci"]},
             **({"limits": {"pods": "33"}} if changed and each % 100 == 0 else {})} for each in range(number)]


class KubernetesBench:
    """:param say: tells how far it is. :param directory: for what the peers are given."""

    def __init__(self, say: Callable[[str], None], directory: Path, number: int) -> None:
        self.say, self.directory, self.number = say, directory, number
        self.api = Api.open()
        self.rows: dict[str, list[float]] = {}
        self.facts: dict[str, Any] = {"tenants": number}
        directory.mkdir(parents=True, exist_ok=True)

    def measure(self) -> None:
        """All ways, one after another."""
        self.empty = statistics.median(self._play([]) for _round in range(3))
        self.facts["empty playbook"] = self.empty
        ways: tuple[tuple[str, str, Callable[[str, bool], float], int], ...] = (
            ("ours", "tenant_quota", self._ours, self.number), ("bare", "bare requests, many at once, nothing compared", self._bare, self.number),
            ("kubectl", "kubectl apply --server-side", self._kubectl, self.number), ("list", "kubernetes.core.k8s, one list", self._list, self.number),
            ("loop", f"kubernetes.core.k8s, an object at a time ({LOOP} tenants, multiplied)", self._loop, min(LOOP, self.number)))
        for way, name, work, number in ways:
            self._clear(way)
            try:
                took = []
                for phase in PHASES:
                    self.say(f"{name}: {phase}")
                    took.append(work(way, phase == PHASES[2]) * self.number / number)
                self.rows[name] = took
                self.say("{}: {}".format(name, ", ".join(f"{phase} {seconds:.1f} s" for phase, seconds in zip(PHASES, took, strict=True))))
            finally:
                self._clear(way)

    # -- the ways ---------------------------------------------------------------------------------

    def _ours(self, way: str, changed: bool) -> float:
        seconds = self._play([{"sysgenpro.odoo.tenant_quota": {"tenants": "{{ lookup('ansible.builtin.file', given) | from_json }}",
                                                                "overcommit": {"cpu": 0, "memory": 0}}, "register": "outcome"},
                              {"ansible.builtin.copy": {"content": "{{ outcome | to_json }}", "dest": str(self.directory / "outcome.json"), "mode": "0600"}}],
                             tenants(way, self.number, changed))
        outcome = json.loads((self.directory / "outcome.json").read_text(encoding="utf-8"))
        said = self.facts.setdefault("ours", [])
        said.append({"calls": outcome["api_calls"], "timings": outcome["timings"], "objects": outcome.get("objects"), "changed": outcome["changed"],
                     "memory": _memory(tenants(way, self.number, changed))})
        return seconds - self.empty

    def _bare(self, way: str, changed: bool) -> float:
        items = self._objects(way, self.number, changed)
        began = time.monotonic()
        for spaces in (True, False):
            for _item, error in failures(self.api.many(self.api.apply, [item for item in items if (item["kind"] == "Namespace") == spaces])):
                raise error
        return time.monotonic() - began

    def _kubectl(self, way: str, changed: bool) -> float:
        path = self._given(self._objects(way, self.number, changed))
        began = time.monotonic()
        subprocess.run(["kubectl", "apply", "--server-side", "--force-conflicts", "-f", str(path)], check=True, stdout=subprocess.DEVNULL)
        return time.monotonic() - began

    def _list(self, way: str, changed: bool) -> float:
        return self._by_core(way, self.number, changed, {"definition": "{{ (lookup('ansible.builtin.file', given) | from_json)['items'] }}"}, {})

    def _loop(self, way: str, changed: bool) -> float:
        return self._by_core(way, min(LOOP, self.number), changed, {"definition": "{{ item }}"}, {
            "loop": "{{ (lookup('ansible.builtin.file', given) | from_json)['items'] }}", "loop_control": {"label": "{{ item.metadata.name }}"}})

    def _by_core(self, way: str, number: int, changed: bool, options: dict[str, Any], more: dict[str, Any]) -> float:
        given = {"items": self._objects(way, number, changed)}
        module = {"apply": True, "server_side_apply": {"field_manager": "bench", "force_conflicts": True}, **options}
        return self._play([{"kubernetes.core.k8s": module, **more}], given) - self.empty

    # -- what they are given ----------------------------------------------------------------------

    def _objects(self, way: str, number: int, changed: bool) -> list[Item]:
        """What ``tenant_quota`` would make of tenants that are not there, without what exists once in a cluster."""
        asked = operation(_asked(tenants(way + "-x", number, changed)))
        asked.plan()
        items = [copy.deepcopy(dict(change.item)) for change in asked.changes if change.item and (change.key[1] or change.key[0] == "Namespace")]
        return list(json.loads(json.dumps(items).replace(f"bench-{way}-x-", f"bench-{way}-")))

    def _given(self, items: Sequence[Item]) -> Path:
        path = self.directory / "objects.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(items)}), encoding="utf-8")
        return path

    def _play(self, tasks: list[dict[str, Any]], given: Any = None) -> float:
        path, values = self.directory / "play.yml", self.directory / "given.json"
        values.write_text(json.dumps(given), encoding="utf-8")
        path.write_text(json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": {
            "given": str(values), "ansible_python_interpreter": sys.executable}, "tasks": tasks}]), encoding="utf-8")
        began = time.monotonic()
        done = subprocess.run([str(Path(sys.executable).with_name("ansible-playbook")), "-i", "localhost,", str(path)],
                              capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        took = time.monotonic() - began
        if done.returncode:
            raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
        return took

    def _clear(self, way: str) -> None:
        """Remove a way's namespaces with all in them."""
        def left() -> list[str]:
            return [item["metadata"]["name"] for item in self.api.every("Namespace", metadata=True) if item["metadata"]["name"].startswith(f"bench-{way}-")]

        found = left()
        if found:
            self.say(f"{len(found)} namespaces go")
            self.api.many(lambda name: self.api.delete("Namespace", None, name), found)
            wait_until(lambda: not left(), Deadline(_GONE), interval=2)

    def show(self) -> Iterable[str]:
        """The figures, side by side."""
        ours = next(iter(self.rows.values()))
        yield f"{self.number} tenants; seconds, and how many times ours" + "".join(f"{phase:>22}" for phase in PHASES)
        for name, took in self.rows.items():
            yield f"{name:64}" + "".join(f"{seconds:12.1f} {seconds / mine:8.1f} x" for seconds, mine in zip(took, ours, strict=True))
        for phase, said in zip(PHASES, self.facts["ours"], strict=True):
            calls = ", ".join(f"{number} {method}" for method, number in said["calls"].items())
            yield f"ours, {phase}: {calls} before the changes; {said['timings']}; {said['memory']} MiB at the most"


def _asked(asked: list[dict[str, Any]]) -> dict[str, Any]:
    """The module's parameters."""
    return filled(module_spec(), {"tenants": asked, "edge": {"namespace": "sysgenpro-edge"}, "overcommit": {"cpu": 0, "memory": 0}})


def _memory(asked: list[dict[str, Any]]) -> int:
    """The most memory of the module by itself, MiB, with nothing to change."""
    code = ("import json, resource, sys, os, gc; gc.disable()\n"
            "from ansible_collections.sysgenpro.odoo.plugins.module_utils._tenancy.arguments import operation\n"
            "operation(json.load(sys.stdin)).plan()\n"
            "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024)")
    done = subprocess.run([sys.executable, "-c", code], input=json.dumps(_asked(asked)), capture_output=True, text=True, check=True,
                          env={**os.environ, "PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]})
    return int(done.stdout)
