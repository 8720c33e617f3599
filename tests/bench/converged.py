# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A converged ``odoo_release`` beside one unchanged ``community.docker.docker_container`` task, in one play."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from estate import Estate
from estate.place import INSTANCE

ROUNDS = 5
_TASKS: list[tuple[str, dict[str, Any]]] = [
    ("release", {"sysgenpro.odoo.odoo_release": "{{ release_arguments }}"}),
    ("container", {"community.docker.docker_container": "{{ container_arguments }}"}),
]


def measure(estate: Estate) -> dict[str, float]:
    """Median seconds of each task over several rounds, taken in turn. Keys ``release`` and ``container``."""
    estate.runs("one-a")
    arguments = estate.machine.parameters({"release": estate.releases["one-a"], "state": "released"})
    arguments = {key: value for key, value in arguments.items() if not key.startswith("_")}
    path = estate.state / "converged"
    path.mkdir(mode=0o700, exist_ok=True)
    values = path / "values.json"
    values.touch(mode=0o600)
    values.write_text(json.dumps({"release_arguments": arguments, "container_arguments": _container(estate)}), encoding="utf-8")
    tasks: list[dict[str, Any]] = []
    for number in range(ROUNDS + 1):
        for name, task in _TASKS:
            tasks += [
                {"ansible.builtin.set_fact": {"began": "{{ lookup('pipe', 'date +%s.%N') }}"}},
                {"name": name, "register": "outcome", "no_log": True, **task},
                {"ansible.builtin.assert": {"that": "outcome is not changed"}},
                {"ansible.builtin.debug": {"msg": f"took {name} {number} {{{{ lookup('pipe', 'date +%s.%N') | float - began | float }}}}"}},
            ]
    playbook = path / "converged.yml"
    playbook.write_text(json.dumps([{"hosts": INSTANCE, "gather_facts": False, "become": True, "vars_files": [str(values)], "tasks": tasks}]),
                        encoding="utf-8")
    try:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), str(playbook), "-i", str(estate.state / "inventory")],
            env={**os.environ, **estate.environment()}, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    finally:
        values.unlink()
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]
    return {name: _median(done.stdout, name) for name, _task in _TASKS}


def _median(output: str, name: str) -> float:
    took = [line.split(f"took {name} ", 1)[1].strip('"').split() for line in output.splitlines() if f"took {name} " in line]
    # The first round fills caches of either.
    times = sorted(float(seconds) for number, seconds in took if number != "0")
    assert len(times) == ROUNDS, output[-2000:]
    return times[len(times) // 2]


def _container(estate: Estate) -> dict[str, Any]:
    """What describes the instance's web container to ``docker_container`` so that it finds nothing to change."""
    name = estate.machine.sh("docker ps --format '{{.Names}}' --filter label=org.sysgenpro.kind=web --filter label=org.sysgenpro.instance=" + INSTANCE).split()[0]
    seen = json.loads(estate.machine.sh(f"docker inspect {name}"))[0]
    config, host = seen["Config"], seen["HostConfig"]
    return {
        "name": name, "image": config["Image"], "command": config["Cmd"], "user": config["User"], "labels": config["Labels"],
        "env": dict(item.split("=", 1) for item in config["Env"]), "volumes": host["Binds"] or [], "memory": str(host["Memory"]),
        "restart_policy": host["RestartPolicy"]["Name"], "networks": [{"name": INSTANCE}], "state": "started", "pull": "never",
        "comparisons": {"*": "ignore", "env": "allow_more_present", "labels": "allow_more_present", "image": "strict", "command": "strict", "user": "strict"},
    }
