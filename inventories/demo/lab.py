#!/usr/bin/env python3
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory script: where the lab keeps the machines that ``10-hosts.yml`` beside it names, how to log in there, and where its cluster is.

Your own machines need none of this: give them ``ansible_host`` in ``10-hosts.yml``, and a cluster its ``cluster_kubeconfig``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

HERE = Path(sys.argv[0]).absolute().parent  # not resolved: each environment links to this file
LAB = Path(__file__).resolve().parents[2] / "tests" / "lab" / "lab"


def ask(*arguments: str) -> dict[str, Any]:
    """What the lab answers."""
    answer = subprocess.run([sys.executable, str(LAB), *arguments], check=True, capture_output=True)
    return dict(json.loads(answer.stdout))


def main() -> None:
    """Print the inventory."""
    with (HERE / "10-hosts.yml").open(encoding="utf-8") as stream:
        declared = yaml.safe_load(stream)
    lab = ask("inventory", "--ansible")["machines"]
    found = {name: values for name, values in lab["hosts"].items() if name in declared["machines"]["hosts"]}
    groups: dict[str, Any] = {"machines": {"hosts": sorted(found), "vars": lab["vars"]}, "all": {"vars": {}}}
    if "clusters" in declared:
        # For its instances as well. How to log in at machines is no affair of theirs: their connection is another.
        groups["all"]["vars"]["lab_cluster"] = ask("cluster", "where")
        groups["all"]["vars"]["lab_addresses"] = {name: values["ansible_host"] for name, values in found.items()}
    else:
        groups["all"]["vars"] = groups["machines"].pop("vars")
    print(json.dumps({"_meta": {"hostvars": found}, **groups}))


if __name__ == "__main__":
    main()
