# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The estate: made by the collection's own playbooks from an inventory of its own, used again while it is healthy.

What belongs to it lies in the lab's cache under the machine's name.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import jobs, sources
from .machine import Machine, Ran

ROOT = Path(__file__).resolve().parents[4]
sys.path.insert(0, str(ROOT / "tests" / "lab"))
from demo import prepare  # noqa: E402
from sgplab import base, certificates, images, machines, stock  # noqa: E402

INSTANCE, NEIGHBOUR = "fault-one", "fault-two"
HOST, NEIGHBOUR_HOST = "fault-one.example.test", "fault-two.example.test"
STAMP = "/var/lib/sysgenpro/fault-estate"
# Bounds small enough for a test and wide enough for a build machine that is busy with other things.
BOUNDS = {"ready": 240, "drain": 20, "finish": 60, "cron": 30, "update": 240, "max_pause": 120, "watch": 1, "count": 5, "pull": 300}


@dataclass(frozen=True)
class Outcome:
    """How a playbook ended."""

    code: int
    output: str

    @property
    def changed(self) -> int:
        """How many tasks changed something, by the recap of all hosts."""
        return sum(int(count) for count in re.findall(r"\bchanged=(\d+)", self.output.split("PLAY RECAP")[-1]))


@dataclass
class Estate:
    """The machine, its instances and its releases.

    :ivar jobs: whether it runs jobs of ``queue_job``, two at a time.
    :ivar demo: whether its instances begin with the lab's database (tills, stock, sales, demo data) rather than with an empty one.
    """

    machine: Machine
    state: Path
    demo: bool = False
    series: str = "19.0"
    jobs: bool = False
    releases: dict[str, str] = field(default_factory=dict)
    authority: str = ""

    @classmethod
    def open(cls, name: str, demo: bool = False, series: str = "19.0", jobs: bool = False) -> Estate:
        """Bring the estate up, from nothing where it is not there, and its instance to the release ``one-a``."""
        state = base.cache() / "faults" / name
        (state / "logs").mkdir(parents=True, exist_ok=True)
        images.ensure(f"odoo-{series}")
        machines.up([name], "debian13-warm")
        estate = cls(Machine(name, machines.inspect()[name]["address"]), state, demo, series, jobs)
        estate._write()
        digest = estate._digest()
        if estate.machine.sh(f"cat {STAMP} 2>/dev/null || true").strip() != digest:
            estate._make()
            estate.machine.sh(f"mkdir -p $(dirname {STAMP}); echo {digest} > {STAMP}")
        estate.releases = _flat_yaml(state / "releases.yml")
        estate.play("release", instance_release="one-a", release_reason="where every test begins")
        estate.take()
        return estate

    def take(self) -> None:
        """Take the module with its parameters, secrets among them, as the playbook gives them."""
        self.machine.take_module(lambda: self.play("plan", environment={"ANSIBLE_KEEP_REMOTE_FILES": "1"}, instance_release="one-a"))

    def close(self) -> None:
        """Drop the machine, unless ``KEEP`` is set."""
        if not os.environ.get("KEEP"):
            machines.down([self.machine.name])

    @property
    def _base(self) -> str:
        return f"odoo-{self.series}"

    # -- making ---------------------------------------------------------------------------------

    def _write(self) -> None:
        self.authority = str(certificates.authority())
        vault = self.state / "vault"
        if not vault.exists():
            vault.touch(mode=0o600)
            vault.write_text(secrets.token_urlsafe(32) + "\n", encoding="utf-8")
        inventory = self.state / "inventory"
        inventory.mkdir(exist_ok=True)
        (inventory / "10-hosts.json").write_text(json.dumps(self._inventory(), indent=1), encoding="utf-8")
        (inventory / "90-constructed.yml").write_text(
            "plugin: ansible.builtin.constructed\nuse_vars_plugins: true\nstrict: false\n"
            'keyed_groups:\n  - {key: instance_machine, prefix: "on"}\n', encoding="utf-8")
        further = jobs.write(self.state / "sources", self.series) if self.jobs else ""
        sources.write(self.state / "sources", self.series, further)

    def _inventory(self) -> dict[str, Any]:
        name = self.machine.name
        login = machines.ansible_inventory()["machines"]["vars"]
        registry = certificates.issue([f"{name}.lab.test"])
        password = "{{ lookup('sysgenpro.odoo.secrets', 'registry', environment='test', keys=['releases']).releases }}"
        return {"all": {
            "vars": {
                **login, "sysgenpro_releases_path": str(self.state / "releases.yml"),
                "sysgenpro_secrets_path": str(self.state / "secrets"), "test_registry_password": password,
            },
            "children": {
                "machines": {"hosts": {name: {
                    "ansible_host": self.machine.address, "postgresql_memory": 2048,
                    "container_host_firewall_ports": [{"port": port} for port in (22, 80, 443, 5000)],
                }}},
                "registries": {"hosts": {name: {}}, "vars": {
                    "registry_name": f"{name}.lab.test", "registry_tls_certificate": _text(registry["certificate"]),
                    "registry_tls_key": _text(registry["key"]),
                    "registry_users": [{"name": "releases", "password": "{{ test_registry_password }}"}],
                }},
                "builders": {"hosts": {name: {}}, "vars": {
                    "odoo_image_registry": f"{name}.lab.test:5000",
                    "odoo_image_releases_file": str(self.state / "releases.yml"),
                    "odoo_image_bases_file": str(self.state / "bases.yml"),
                    "odoo_image_sources": [str(self.state / "sources" / f"{source}.yml") for source in sources.names(self.series)],
                    "odoo_image_username": "releases", "odoo_image_password": "{{ test_registry_password }}",
                }},
                "instances": {"hosts": {
                    INSTANCE: {**self._instance(1, HOST), "instance_modules": [sources.ADDON], **(self._with_jobs() if self.jobs else {})},
                    NEIGHBOUR: {**self._instance(2, NEIGHBOUR_HOST), "instance_share": 0.2},
                }},
            },
        }}

    def _instance(self, number: int, host: str) -> dict[str, Any]:
        issued = certificates.issue([host])
        return {
            "ansible_host": self.machine.address, "instance_machine": self.machine.name, "instance_number": number,
            "instance_tenant": host.split(".")[0], "instance_environment": "test", "instance_data_class": "synthetic",
            "instance_exposure": "public", "instance_hosts": [host], "instance_share": 0.4, "instance_bounds": BOUNDS,
            "instance_tls": {"certificate": _text(issued["certificate"]), "private_key": _text(issued["key"])},
            # The load logs in as everybody could.
            "instance_admin_password": "",
            "instance_registry": {"username": "releases", "password": "{{ test_registry_password }}"},
            # A timer that fires in the middle of a test would hold the instance's lock.
            "instance_recovery": {"schedule": dict.fromkeys(("capture", "verify", "expire", "check"), "2100-01-01 00:00:00")},
            **({"instance_template": prepare.TEMPLATE} if self.demo else {}),
        }

    def _with_jobs(self) -> dict[str, Any]:
        """As the add-on's own documentation has people configure it."""
        return {
            "instance_modules": [sources.ADDON, jobs.ADDON], "instance_config": {"server_wide_modules": "queue_job"},
            "instance_processes": {"queue_channels": "root:2"}, "instance_bounds": {**BOUNDS, "queue": 120, "update": 900, "ready": 600},
        }

    def _make(self) -> None:
        name = self.machine.name
        if self.demo:
            prepare.template([name], self.series)
        self.play("site")
        digest = stock.put(name, self._base, "odoo-base")
        (self.state / "bases.yml").write_text(f"{self._base}: {name}.lab.test:5000/odoo-base@{digest}\n", encoding="utf-8")
        self.play("build")

    def _digest(self) -> str:
        """Of all that makes the machine; the collection's own code is not in it: ``lab down`` the machine after changes to roles."""
        found = hashlib.sha256()
        for path in sorted(self.state.glob("inventory/*")) + sorted(self.state.glob("sources/**/*.*")):
            if path.is_file():
                found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
        found.update(images.ensure(self._base).encode())
        return found.hexdigest()

    # -- playbooks ------------------------------------------------------------------------------

    def command(self, verb: str, **variables: Any) -> list[str]:
        """The command line of a playbook: a verb of the collection, or the path of one. ``limit`` is none of its variables."""
        playbook = verb if "/" in verb else f"sysgenpro.odoo.{verb}"
        command = [str(Path(sys.executable).with_name("ansible-playbook")), playbook, "-i", str(self.state / "inventory")]
        limit = variables.pop("limit", INSTANCE if verb in ("release", "plan", "status") else "")
        if limit:
            command += ["--limit", limit]
        return command + (["--extra-vars", json.dumps(variables)] if variables else [])

    def environment(self) -> dict[str, str]:
        """What playbooks are run with."""
        return {
            **os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "true",
            "ANSIBLE_VAULT_IDENTITY_LIST": f"test@{self.state / 'vault'}", "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FATAL": "true",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        }

    def play(self, verb: str, fails: bool = False, environment: Mapping[str, str] | None = None, **variables: Any) -> Outcome:
        """Run a playbook; its output goes to a file of ``logs``.

        :param fails: a failure is what is expected.
        """
        began = time.monotonic()
        log = self.state / "logs" / f"{time.strftime('%H%M%S')}-{Path(verb).stem}.log"
        with log.open("w", encoding="utf-8") as stream:
            done = subprocess.run(
                self.command(verb, **variables), cwd=ROOT, env={**self.environment(), **(environment or {})}, check=False,
                stdin=subprocess.DEVNULL, stdout=stream, stderr=subprocess.STDOUT)
        output = log.read_text(encoding="utf-8", errors="replace")
        print(f"{Path(verb).stem} {variables or ''}: {time.monotonic() - began:.1f} s")
        assert bool(done.returncode) == fails, f"{verb} ended with {done.returncode}; see {log}\n{output[-3000:]}"
        return Outcome(done.returncode, output)

    # -- the module -----------------------------------------------------------------------------

    def runs(self, name: str) -> None:
        """Have the instance run a release, whatever was before."""
        self.release(name).ok()

    def other_schema(self) -> tuple[str, str]:
        """The release that runs, and one to which an update leads."""
        image = self.machine.sql("select image from sysgenpro.applied order by id desc limit 1")
        current = next((name for name, reference in self.releases.items() if reference.endswith(image)), "")
        if current not in ("one-a", "two"):
            self.runs("one-a")
            current = "one-a"
        return current, "two" if current == "one-a" else "one-a"

    def behave(self, **parameters: str) -> None:
        """Say in the database how the add-on behaves; see ``sources.py``. Nothing for a key takes it away."""
        for key, value in parameters.items():
            self.machine.sql(
                f"delete from ir_config_parameter where key = 'fault.{key}'; insert into ir_config_parameter (key, value)"
                f" select 'fault.{key}', '{value}' where '{value}' <> ''")

    def release(self, name: str, at: Any = (), state: str = "released", **parameters: Any) -> Ran:
        """Call ``odoo_release`` on the machine, with the parameters that the playbook gives it and these.

        :param name: short name of a release, or a reference.
        :param at: see ``runner.py``.
        """
        return self.machine.module({"release": self.releases.get(name, name), "state": state, **parameters}, at)


def _text(path: str) -> str:
    return Path(path).read_text(encoding="utf-8")


def _flat_yaml(path: Path) -> dict[str, str]:
    import yaml

    found: dict[str, str] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found
