# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A lab machine with two instances by the playbook site, and whatever inventory a test gives it next. No Odoo runs; a labelled container stands for it.

``SYSGENPRO_INVENTORY_MACHINE=<name> KEEP=1`` keeps the machine for the next run.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "lab"))
from sgplab import base, certificates, machines

ROOT = Path(__file__).resolve().parents[3]
MACHINE = os.environ.get("SYSGENPRO_INVENTORY_MACHINE", "inventory-1")
ONE, TWO = "shop-one", "shop-two"
STAMP = "/var/lib/sysgenpro/inventory-test"


@dataclass
class Site:
    """The machine and its inventory."""

    name: str
    address: str
    state: Path

    def instance(self, number: int, host: str, **further: Any) -> dict[str, Any]:
        issued = certificates.issue([host])
        return {
            "ansible_host": self.address, "instance_machine": self.name, "instance_number": number, "instance_tenant": "shop",
            "instance_environment": "test", "instance_data_class": "synthetic", "instance_exposure": "public", "instance_hosts": [host],
            "instance_tls": {key: Path(issued[name]).read_text() for key, name in (("certificate", "certificate"), ("private_key", "key"))},
            "instance_recovery": {"schedule": dict.fromkeys(("capture", "verify", "expire", "check"), "2100-01-01 00:00:00")}, **further,
        }

    def play(self, instances: Mapping[str, Any], *arguments: str, verb: str = "site", fails: bool = False, machines_too: Mapping[str, Any] | None = None) -> str:
        """A playbook with an inventory of just these instances; its output."""
        inventory = self.state / "inventory.json"
        here = {"ansible_host": self.address, "postgresql_memory": 2048, "container_host_firewall_ports": [{"port": port} for port in (22, 80, 443)]}
        inventory.write_text(json.dumps({"all": {
            "vars": {**machines.ansible_inventory()["machines"]["vars"], "sysgenpro_secrets_path": str(self.state / "secrets"),
                     "sysgenpro_releases_path": str(self.state / "releases.yml")},
            "children": {"machines": {"hosts": {self.name: here, **(machines_too or {})}}, "instances": {"hosts": dict(instances)}},
        }}))
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), f"sysgenpro.odoo.{verb}", "-i", str(inventory), *arguments],
            cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env={
                **os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "true",
                "ANSIBLE_VAULT_IDENTITY_LIST": f"test@{self.state / 'vault'}", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})
        output = done.stdout + done.stderr
        assert bool(done.returncode) == fails, output[-6000:]
        # As people read it: Ansible breaks lines where they are long.
        return re.sub(r"\s+", " ", output)

    def sh(self, command: str) -> str:
        done = subprocess.run(["docker", "exec", "-i", f"sgp-lab-{self.name}", "sh", "-c", command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stdout[-1000:]}{done.stderr[-2000:]}"
        return done.stdout.strip()

    def runs(self) -> dict[str, str]:
        """What is there of the two instances: a digest of what a run may not take from one that runs, by part."""
        found = {}
        for number, (name, database) in enumerate(((ONE, "shop_one"), (TWO, "shop_two")), start=1):
            found[name] = self.sh(f"""
                cat /etc/traefik/dynamic/{name}.yml | sha256sum
                curl -s http://127.0.0.1:8080/api/http/routers/{name}@file | grep -o '"status":"[a-z]*"'
                systemctl is-active postgresql@17-{database} redis-server@{name} | xargs
                systemctl is-enabled redis-server@{name} sysgenpro-recovery-capture@{name}.timer | xargs
                systemctl is-active sysgenpro-recovery-capture@{name}.timer sysgenpro-recovery-check@{name}.timer | xargs
                grep -h '/{name}/' /etc/tmpfiles.d/sysgenpro-*.conf | sort
                test -s /etc/sysgenpro/recovery/{name}.json && cat /etc/sysgenpro/fronts.d/{name}.ip
                ip -o address show dev lo to 172.28.{number}.2/32 | wc -l
                nft list table inet sysgenpro_mail_{number} | sha256sum
                docker ps -a --filter label=org.sysgenpro.instance={name} --format '{{{{.Names}}}}'
                grep -x {name} /etc/sysgenpro/redis/instances
                stat -c %u /var/lib/sysgenpro/instances/{name}/data""")
        return found


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    machines.up([MACHINE], "debian13-warm")
    state = base.cache() / "inventory-test" / MACHINE
    state.mkdir(parents=True, exist_ok=True)
    vault = state / "vault"
    if not vault.exists():
        vault.touch(mode=0o600)
        vault.write_text(secrets.token_urlsafe(32) + "\n")
    made = Site(MACHINE, machines.inspect()[MACHINE]["address"], state)
    # Of a machine that was kept: after changes to roles, lab down it.
    if made.sh(f"cat {STAMP} 2>/dev/null || true") != "made":
        made.play(both(made))
    for name in (ONE, TWO):
        made.sh(f"docker inspect {name}-blue-web >/dev/null 2>&1 || {{ tar c -T /dev/null | docker import - nothing >/dev/null;"
                f" docker create --name {name}-blue-web --label org.sysgenpro.instance={name} nothing /none >/dev/null; }}")
    made.sh(f"echo made > {STAMP}")
    yield made
    if not os.environ.get("KEEP"):
        machines.down([MACHINE])


def counted(output: str) -> tuple[int, int]:
    """How many tasks a run had, and how many of them changed something: by the recap, so that a task counts once for each host."""
    recap = output.split("PLAY RECAP")[1]
    total = sum(int(count) for count in re.findall(r"\b(?:ok|skipped|rescued|ignored|failed)=(\d+)", recap))
    return total, sum(int(count) for count in re.findall(r"\bchanged=(\d+)", recap))


def both(site: Site) -> dict[str, Any]:
    return {ONE: site.instance(1, "shop-one.example.test"), TWO: site.instance(2, "shop-two.example.test")}
