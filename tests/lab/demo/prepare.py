# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab as the demo needs it: machines, certificates, vault passwords, a database to begin with."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from .playbook import ROOT

MACHINES = ("ops-1", "vm-uat-1", "vm-prod-1")
HOSTS = {
    "acme-uat": "acme.uat.example.test", "bodega-uat": "bodega.uat.example.test",
    "acme-production": "acme.example.test", "bodega-production": "bodega.example.test",
    "acme-scratch": "acme-scratch.example.test", "corner-production": "corner.example.test",
    "acme-kubernetes": "acme.kubernetes.example.test", "bodega-kubernetes": "bodega.kubernetes.example.test",
    "acme-uat-kubernetes": "acme.uat.kubernetes.example.test", "acme-scratch-kubernetes": "acme-scratch.kubernetes.example.test",
}
TEMPLATE = "/var/lib/sysgenpro/templates/odoo-19.0"
AWKWARD = """it's "q" {{ 1/0 }} $HOME \\ %s {% x %} Ö東#;"""
"""A password as a person may choose it; ``site`` and ``release`` must take it as it is."""


def lab(*arguments: str, given: str | None = None) -> str:
    """Run the lab's command line and return what it printed.

    :param given: its standard input.
    :raises subprocess.CalledProcessError: when it failed.
    """
    command = [sys.executable, str(ROOT / "tests" / "lab" / "lab"), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, input=given).stdout


def on(name: str, command: str) -> str:
    """Run a command on a machine and return what it printed."""
    return lab("ssh", name, "--", command)


def machines(fresh: bool) -> dict[str, str]:
    """Bring the machines up; from nothing where ``fresh``. Returns their addresses."""
    there = [name for name in MACHINES if name in json.loads(lab("inventory"))]
    if fresh and there:
        lab("down", *there)
    lab("up", *MACHINES, "--image", "debian13-warm")
    found = json.loads(lab("inventory"))
    return {name: found[name] for name in MACHINES}


def forget_lost_releases(state: Path) -> None:
    """References name what the registry holds, which is gone with its machine. Call it before ``machines``."""
    if MACHINES[0] not in json.loads(lab("inventory")):
        (state / "releases.yml").unlink(missing_ok=True)


def certificates() -> str:
    """A certificate for each host name and the registry. Returns the authority's file."""
    for host in (*HOSTS.values(), "ops-1.lab.test"):
        authority = json.loads(lab("cert", host))["authority"]
    return str(authority)


def vault(state: Path, instance: str = "acme-production") -> None:
    """A vault password for each environment, and passwords of one of production's instances chosen by a person."""
    directory = state / "vault"
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    for environment in ("uat", "production", "ops"):
        path = directory / environment
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(32) + "\n", encoding="utf-8")
    chosen = state / "secrets" / "production" / f"{instance}.yml"
    if not chosen.exists():
        chosen.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        text = json.dumps({"database_blue_web": AWKWARD, "database_green_web": AWKWARD + "2"}, ensure_ascii=False)
        subprocess.run(
            [str(Path(sys.executable).with_name("ansible-vault")), "encrypt", "--output", str(chosen),
             "--encrypt-vault-id", "production", "--vault-id", f"production@{directory / 'production'}", "-"],
            input=text, text=True, check=True, stderr=subprocess.DEVNULL, cwd=state,
        )


def template(names: Sequence[str], series: str = "19.0") -> None:
    """Put the lab's database with demo data on machines, for their first instances."""
    source = template_directory(series)
    for name in names:
        unpack(source, ["ssh", name, "--"], TEMPLATE)


def template_directory(series: str = "19.0") -> str:
    """Where the lab keeps the database with demo data."""
    return lab("template", "--series", series).strip().splitlines()[-1]


def unpack(source: str, way: Sequence[str], target: str) -> None:
    """Put the template ``source`` at ``target``, unless one is there.

    :param way: the lab's verb that runs a command there.
    """
    new = target + ".new"
    place = f"rm -rf {new}; mkdir -p {new} && tar -C {new} -xf - && mv -T {new} {target}"
    unless = f"test -e {target}/template.json && cat >/dev/null || {{ {place}; }}"
    packing = subprocess.Popen(["tar", "-C", source, "-cf", "-", "."], stdout=subprocess.PIPE)
    subprocess.run([sys.executable, str(ROOT / "tests" / "lab" / "lab"), *way, unless], stdin=packing.stdout, check=True)
    packing.wait()


def base_image(state: Path) -> None:
    """Have the base image in the registry, and its digest where the builder looks for it."""
    digest = lab("stock", "ops-1", "odoo-19.0").strip()
    (state / "bases.yml").write_text(f"odoo-19.0: ops-1.lab.test:5000/odoo-base@{digest}\n", encoding="utf-8")


def state_directory(story: str) -> Path:
    """Where the demo keeps what it makes; the inventories name the same."""
    name = "demo-kubernetes" if story == "kubernetes" else "demo"
    return Path(os.environ.get("SYSGENPRO_CACHE", "/var/cache/sysgenpro-odoo")) / name
