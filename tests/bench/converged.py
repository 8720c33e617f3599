# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A converged ``odoo_release`` beside one unchanged ``community.docker.docker_container`` task, in one play; and the whole playbook ``release``
beside one that keeps the same network and containers by plain ``community.docker`` tasks.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from estate import Estate
from estate.place import INSTANCE

ROUNDS = 5
_TASKS: list[tuple[str, dict[str, Any]]] = [
    ("release", {"sysgenpro.odoo.odoo_release": "{{ release_arguments }}"}),
    ("container", {"community.docker.docker_container": "{{ container_arguments }}"}),
]


def measure(estate: Estate) -> dict[str, float]:
    """Median seconds over several rounds, taken in turn: of the tasks ``release`` and ``container``, of the playbooks ``playbook`` and ``plain``."""
    estate.runs("one-a")
    arguments = estate.machine.parameters({"release": estate.releases["one-a"], "state": "released"})
    arguments = {key: value for key, value in arguments.items() if not key.startswith("_")}
    path = estate.state / "converged"
    path.mkdir(mode=0o700, exist_ok=True)
    values = path / "values.yml"
    values.touch(mode=0o600)
    seen = _containers(estate)
    values.write_text(_as_they_are({"release_arguments": arguments, "container_arguments": seen["web"]}), encoding="utf-8")
    try:
        output = _play(estate, path / "converged.yml", _tasks(), [str(values)])
        return {**{name: _median(output, name) for name, _task in _TASKS}, **_playbooks(estate, path / "plain.yml", seen)}
    finally:
        values.unlink()


class _Text(str):
    """Text that is no template, whatever it holds: passwords may hold anything."""


class _Dumper(yaml.SafeDumper):
    """Writes ``_Text`` as Ansible's ``!unsafe``."""


_Dumper.add_representer(_Text, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


def _as_they_are(values: Any) -> str:
    def marked(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: marked(item) for key, item in value.items()}
        if isinstance(value, list):
            return [marked(item) for item in value]
        return _Text(value) if isinstance(value, str) else value

    return yaml.dump(marked(values), Dumper=_Dumper, allow_unicode=True)


def _tasks() -> list[dict[str, Any]]:
    tasks: list[dict[str, Any]] = []
    for number in range(ROUNDS + 1):
        for name, task in _TASKS:
            tasks += [
                {"ansible.builtin.set_fact": {"began": "{{ lookup('pipe', 'date +%s.%N') }}"}},
                {"name": name, "register": "outcome", "no_log": True, **task},
                {"ansible.builtin.assert": {"that": "outcome is not changed"}},
                {"ansible.builtin.debug": {"msg": f"took {name} {number} {{{{ lookup('pipe', 'date +%s.%N') | float - began | float }}}}"}},
            ]
    return tasks


def _playbooks(estate: Estate, path: Path, seen: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Each from its start to its end, as an operator waits for it."""
    network = json.loads(estate.machine.sh(f"docker network inspect {INSTANCE}"))[0]
    tasks: list[dict[str, Any]] = [
        {"community.docker.docker_network": {
            "name": INSTANCE, "driver": network["Driver"], "driver_options": network["Options"], "internal": network["Internal"],
            "ipam_config": [{"subnet": found["Subnet"], **({"gateway": found["Gateway"]} if found.get("Gateway") else {}),
                             **({"iprange": found["IPRange"]} if found.get("IPRange") else {})} for found in network["IPAM"]["Config"]]}},
        *({"community.docker.docker_container": seen[kind]} for kind in ("web", "cron")),
    ]
    took: dict[str, list[float]] = {"playbook": [], "plain": []}
    for number in range(ROUNDS + 1):
        began = time.monotonic()
        changed = estate.play("release", instance_release="one-a").changed
        middle = time.monotonic()
        output = _play(estate, path, tasks, [])
        ended = time.monotonic()
        assert not changed and "changed=0" in output.split("PLAY RECAP")[1], output[-2000:]
        if number:
            took["playbook"].append(middle - began)
            took["plain"].append(ended - middle)
    return {name: statistics.median(seconds) for name, seconds in took.items()}


def _play(estate: Estate, path: Path, tasks: list[dict[str, Any]], files: list[str]) -> str:
    path.write_text(json.dumps([{"hosts": INSTANCE, "gather_facts": False, "become": True, "vars_files": files, "tasks": tasks}]), encoding="utf-8")
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ansible-playbook")), str(path), "-i", str(estate.state / "inventory")],
        env={**os.environ, **estate.environment()}, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return done.stdout


def _median(output: str, name: str) -> float:
    took = [line.split(f"took {name} ", 1)[1].strip('"').split() for line in output.splitlines() if f"took {name} " in line]
    # The first round fills caches of either.
    times = sorted(float(seconds) for number, seconds in took if number != "0")
    assert len(times) == ROUNDS, output[-2000:]
    return times[len(times) // 2]


def _containers(estate: Estate) -> dict[str, dict[str, Any]]:
    """What describes the instance's web and cron containers to ``docker_container`` so that it finds nothing to change."""
    return {kind: _container(estate, kind) for kind in ("web", "cron")}


def _container(estate: Estate, kind: str) -> dict[str, Any]:
    labels = f"--filter label=org.sysgenpro.kind={kind} --filter label=org.sysgenpro.instance={INSTANCE}"
    name = estate.machine.sh("docker ps --format '{{.Names}}' " + labels).split()[0]
    seen = json.loads(estate.machine.sh(f"docker inspect {name}"))[0]
    config, host = seen["Config"], seen["HostConfig"]
    return {
        "name": name, "image": config["Image"], "command": config["Cmd"], "user": config["User"], "labels": config["Labels"],
        "env": dict(item.split("=", 1) for item in config["Env"]), "volumes": host["Binds"] or [], "memory": str(host["Memory"]),
        "restart_policy": host["RestartPolicy"]["Name"], "networks": [{"name": INSTANCE}], "state": "started", "pull": "never",
        "comparisons": {"*": "ignore", "env": "allow_more_present", "labels": "allow_more_present", "image": "strict", "command": "strict", "user": "strict"},
    }
