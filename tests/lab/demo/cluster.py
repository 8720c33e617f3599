# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab's cluster as the demo needs it, and what is done to it by hand. What a playbook does is not here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import prepare
from .playbook import ROOT

BUILDER = "builder-1"
TEMPLATE = "/var/lib/sysgenpro/instances/{0}/templates/odoo-19.0"
"""On the instance's claim: what ``instance_template`` names."""


def kubectl(*arguments: str, given: str | None = None) -> str:
    """Run kubectl as the cluster's administrator and return what it printed.

    :raises subprocess.CalledProcessError: when it failed.
    """
    return prepare.lab("cluster", "kubectl", "--", *arguments, given=given)


def up(state: Path, fresh: bool) -> None:
    """Bring up cluster, services and builder, and have base image and toolbox in the registry under the names that the inventory reads.

    :param fresh: the builder anew, with the store of recovery points on it.
    """
    prepare.lab("cluster", "up")
    prepare.lab("cluster", "services")
    if fresh and BUILDER in json.loads(prepare.lab("inventory")):
        prepare.lab("down", BUILDER)
    prepare.lab("up", BUILDER, "--image", "debian13-warm")
    # It is a store's name, too, for pods that know none of the machines' names.
    prepare.lab("cert", json.loads(prepare.lab("inventory"))[BUILDER])
    os.environ["DEMO_VERSITYGW"] = prepare.lab("tool", "versitygw").strip()
    base = prepare.lab("cluster", "stock", "odoo-19.0").strip()
    (state / "bases.yml").write_text(f"odoo-19.0: {base}\n", encoding="utf-8")
    toolbox = prepare.lab("cluster", "stock", "toolbox", "--repository", "toolbox").strip()
    (state / "toolbox").write_text(toolbox, encoding="utf-8")


def programs() -> str:
    """The directory with kubectl."""
    return prepare.lab("cluster", "programs").strip().splitlines()[-1]


def forget(instances: Sequence[str]) -> None:
    """Take away what an earlier demo left of instances: namespaces with all in them, databases, logins."""
    kubectl("delete", "namespace", *instances, "--ignore-not-found", "--wait=false")
    for name in instances:
        # Nobody is served any more, so nothing need drain.
        kubectl("-n", name, "delete", "pods", "--all", "--grace-period=1", "--wait=false")
    kubectl("delete", "namespace", *instances, "--ignore-not-found", "--timeout=180s")
    for name in instances:
        psql("select format('drop database %I with (force)', datname) from pg_database where starts_with(datname, '{0}') \\gexec\n"
              "select format('drop role %I', rolname) from pg_roles where starts_with(rolname, '{0}') \\gexec\n".format(name.replace("-", "_")))


def psql(text: str, database: str = "postgres") -> str:
    """Run statements as the server's administrator and return what they print."""
    service = json.loads(prepare.lab("cluster", "where"))["services"]["postgresql"]
    return kubectl("-n", service["namespace"], "exec", "-i", "postgresql-0", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1",
                   "-h", "/var/run/postgresql", "-U", "postgres", "-d", database, given=text)


def template(instances: Sequence[str]) -> None:
    """Put the lab's database with demo data on instances' claims, for their creation."""
    source = prepare.template_directory()
    for name in instances:
        way = ["cluster", "kubectl", "--", "--namespace", name, "exec", "-i", "toolbox-0", "--", "sh", "-ec"]
        prepare.unpack(source, way, TEMPLATE.format(name))


def signer(instance: str) -> str:
    """The public key that signs an instance's recovery points: another place believes nobody until it is told whom."""
    return kubectl("-n", instance, "exec", "toolbox-0", "--", "cat", f"/var/lib/sysgenpro/instances/{instance}/state/recovery_key.pub").strip()


def edge() -> str:
    """Where the edge answers."""
    return kubectl("-n", "sysgenpro-edge", "get", "service", "traefik", "-o", "jsonpath={.spec.clusterIP}")


def kill_toolbox(instance: str, seconds: float) -> str:
    """Wait until a release has begun to start the colour that does not lead, and kill the toolbox that it runs in. Returns that colour.

    :raises RuntimeError: when that did not come within ``seconds``.
    """
    leading = kubectl("-n", instance, "get", "service", instance, "-o", r"jsonpath={.spec.selector.org\.sysgenpro/place}")
    colour = "green" if leading.startswith("blue") else "blue"
    until = time.monotonic() + seconds
    while not kubectl("-n", instance, "get", "pods", "-l", f"org.sysgenpro/place={colour}-web", "-o", "name").strip():
        if time.monotonic() > until:
            raise RuntimeError(f"no pod of {colour} in {instance} within {seconds:.0f} s")
        time.sleep(0.3)
    kubectl("-n", instance, "delete", "pod", "toolbox-0", "--grace-period=0", "--force", "--wait=false")
    return colour


def refusal(item: dict[str, Any]) -> str:
    """Offer an object to the cluster. Returns what it says where it refuses, else an empty text."""
    command = [sys.executable, str(ROOT / "tests" / "lab" / "lab"), "cluster", "kubectl", "--", "create", "-f", "-"]
    done = subprocess.run(command, input=json.dumps(item), text=True, capture_output=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def pod(namespace: str, image: str, cpu: str) -> dict[str, Any]:
    """A pod as a tenant may have one, but for what it asks for."""
    return {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one-more", "namespace": namespace},
        "spec": {
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "runAsUser": 20000, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "greedy", "image": image, "command": ["sleep", "60"], "resources": {"requests": {"cpu": cpu}},
                            "securityContext": {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}}],
        },
    }
