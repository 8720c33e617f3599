#!/usr/bin/env python3
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Inventory script: where the lab keeps the machines that ``10-hosts.yml`` beside it names, and how to log in there.

Your own machines need none of this: give them ``ansible_host`` in ``10-hosts.yml``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import yaml

HERE = Path(sys.argv[0]).absolute().parent  # not resolved: each environment links to this file
LAB = Path(__file__).resolve().parents[2] / "tests" / "lab" / "lab"


def main() -> None:
    """Print the inventory."""
    with (HERE / "10-hosts.yml").open(encoding="utf-8") as stream:
        declared = yaml.safe_load(stream)["machines"]["hosts"]
    answer = subprocess.run([sys.executable, str(LAB), "inventory", "--ansible"], check=True, capture_output=True)
    lab = json.loads(answer.stdout)["machines"]
    found = {name: values for name, values in lab["hosts"].items() if name in declared}
    groups = {"all": {"vars": lab["vars"]}, "machines": {"hosts": sorted(found)}}
    print(json.dumps({"_meta": {"hostvars": found}, **groups}))


if __name__ == "__main__":
    main()
