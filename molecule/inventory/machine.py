#!/usr/bin/env python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of the scenarios: the lab machine they share, and two instances on it. ``molecule_files`` is their place on the controller.

``SYSGENPRO_MOLECULE_MACHINE`` names the machine (default: ``molecule``), so that several people can work at once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "lab"))

from sgplab import base, machines


def inventory() -> dict[str, object]:
    """Return the inventory as Ansible wants it of a script."""
    name = os.environ.get("SYSGENPRO_MOLECULE_MACHINE") or "molecule"
    lab = machines.ansible_inventory()["machines"]
    # Without its address yet, before "create" has run.
    address = lab["hosts"].get(name, {"ansible_host": "127.0.0.1"})
    hosts = {name: address}
    instances = {}
    for number, tenant in enumerate(("acme", "bodega"), start=1):
        instances[f"{tenant}-molecule"] = {
            **address,
            "instance_machine": name,
            "instance_number": number,
            "instance_tenant": tenant,
            "instance_environment": "molecule",
            "instance_data_class": "synthetic",
            "instance_hosts": [f"{tenant}.example.test"],
        }
    return {
        "machines": {"hosts": list(hosts)},
        "instances": {"hosts": list(instances)},
        "all": {"vars": {**lab["vars"], "molecule_files": str(base.cache() / "molecule" / name)}},
        "_meta": {"hostvars": hosts | instances},
    }


if __name__ == "__main__":
    print(json.dumps(inventory(), indent=2))
