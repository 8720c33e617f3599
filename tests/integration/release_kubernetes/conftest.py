# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One instance of its own in a real cluster, that of ``KUBECONFIG``, made by the operator's playbooks and taken away at the end.

It needs what the lab has there: PostgreSQL and Redis (``lab cluster services``), the edge's image, and the demo's releases and toolbox in the cluster's registry
(``script/demo kubernetes`` makes them).
"""

from __future__ import annotations

import io
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api
from ansible_collections.sysgenpro.odoo.plugins.modules import tenant_quota

sys.path.insert(0, str(Path(__file__).parents[2] / "lab"))
from load import Record, read_records
from sgplab import base, certificates, template
from sgplab.cluster import life, where

ROOT = Path(__file__).resolve().parents[3]
DEMO = ROOT / "inventories" / "demo" / "kubernetes"
CLUSTER = "lab"
NAME = "release-it"
EDGE = ("sysgenpro-edge", "traefik-internal")
PACE = {"writes": 2.0, "pages": 0.03, "logins": 0.05}
"""Beside the others of ``load.config.Pace``: less of what two processors are busy with for long."""


class Instance:
    """One instance, its inventory, and what is asked of it.

    :param state: outside the checkout; its own inventory, secrets and vault password lie there.
    """

    def __init__(self, api: Api, name: str, state: Path) -> None:
        self.api, self.name, self.state = api, name, state
        shutil.rmtree(state, ignore_errors=True)
        self.host = f"{name}.k8s.example.test"
        self.database = name.replace("-", "_")
        certificates.issue([self.host])
        inventory = state / "inventory"
        inventory.mkdir(parents=True, exist_ok=True)
        (state / "vault").write_text(secrets.token_urlsafe(32) + "\n")
        (state / "vault").chmod(0o600)
        for part in ("group_vars", "90-constructed.yml"):
            (inventory / part).symlink_to(DEMO / part)
        self.told: dict[str, Any] = {}
        self.tell()

    def tell(self, **variables: Any) -> None:
        """Have these in its inventory, beside those it has."""
        self.told.update(variables)
        own = {"instance_cluster": CLUSTER, "instance_tenant": "it", "instance_hosts": [self.host], "sysgenpro_secrets_path": str(self.state / "secrets"),
               "instance_storage": {"size": "2Gi"}, "instance_environment": "uat", "instance_data_class": "synthetic",
               "instance_exposure": "internal", "instance_template": "", **self.told}
        (self.state / "inventory" / "10-hosts.json").write_text(json.dumps({
            "all": {"vars": {"lab_cluster": where.facts(life.the())}, "children": {"clusters": {"hosts": {CLUSTER: {}}}, "instances": {"hosts": {self.name: own}}}}}))

    def play(self, verb: str, fails: bool = False, **variables: Any) -> str:
        """A verb on this instance, or a play of a test by its path; what it printed."""
        done = subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), verb if "/" in verb else f"sysgenpro.odoo.{verb}", "-i", str(self.state / "inventory"),
             "-e", json.dumps(variables)], cwd=ROOT, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=420, env={
                **os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "true",
                "ANSIBLE_VAULT_IDENTITY_LIST": f"uat@{self.state / 'vault'}", "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"})
        output = done.stdout + done.stderr
        assert bool(done.returncode) == fails, output[-6000:]
        return output

    def create(self) -> Instance:
        """Its place, and its first release, r1, from the lab's database with demo data."""
        self.play("site")
        place = f"/var/lib/sysgenpro/instances/{self.name}/template"
        self.bring(template.ensure("19.0", template.MODULES.split(",")), place)
        self.tell(instance_template=place)
        self.release("r1")
        return self

    def leading(self) -> str:
        """The colour that leads."""
        return str(self.status()["instance"]["colour"])

    def release(self, reference: str, **variables: Any) -> str:
        return self.play("release", release_reference=reference, release_reason="test", **variables)

    def status(self) -> dict[str, Any]:
        """What the verb says of it."""
        self.play("status", status_directory=str(self.state))
        found: dict[str, Any] = json.loads((self.state / f"{self.name}.json").read_text())
        return found

    def bring(self, source: Path, to: str) -> None:
        """Put a directory into its toolbox."""
        packing = subprocess.Popen(["tar", "-C", str(source), "-cf", "-", "."], stdout=subprocess.PIPE)
        subprocess.run(["kubectl", "exec", "-i", "-n", self.name, "toolbox-0", "--", "sh", "-c", f"mkdir -p {to} && tar -C {to} --no-same-owner -xf -"],
                       stdin=packing.stdout, check=True)
        assert packing.wait() == 0

    def shell(self, script: str, check: bool = True) -> str:
        """Run something in its toolbox, the words of a secret not on a command line."""
        done = subprocess.run(["kubectl", "exec", "-i", "-n", self.name, "toolbox-0", "--", "sh", "-s"], input=script, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def remove(self) -> None:
        """Its databases and roles, and its namespace with all that is in it, its route too."""
        named = f"like '{self.database}%'"
        subprocess.run(["kubectl", "exec", "-i", "-n", "services", "postgresql-0", "--", "sh", "-s"], text=True, check=True, stdout=subprocess.DEVNULL, input=f"""
            export PGUSER=postgres PGHOST=/var/run/postgresql
            psql -qAtd postgres -c "select format('drop database %I with (force);', datname) from pg_database where datname {named}" | psql -v ON_ERROR_STOP=1 -qd postgres
            psql -qAtd postgres -c "select format('drop role %I;', rolname) from pg_roles where rolname {named} order by rolname ~ '_owner$'" | psql -v ON_ERROR_STOP=1 -qd postgres
            """)
        for kind in ("CronJob", "Job", "Deployment", "StatefulSet"):
            for item in self.api.every(kind, self.name):
                self.api.delete(kind, self.name, item["metadata"]["name"])
        for item in self.api.every("Pod", self.name):
            self.api.delete("Pod", self.name, item["metadata"]["name"], grace=1)
        quota(state="absent", tenants=[{"name": self.name}], purge=[self.name], timeout=240)
        assert self.api.get("Namespace", None, self.name) is None, f"the namespace {self.name} does not go"

    @contextmanager
    def load(self, may_fail: bool = False) -> Iterator[list[Record]]:
        """Its users at work; what became of each request is in the list at the end. Fails where a request failed, or a write was lost, doubled or damaged.

        :param may_fail: only where a write was.
        """
        directory = self.state / "load"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir()
        edge = self.api.get("Service", *EDGE)
        assert edge, "there is no edge"
        config = {"ca": str(certificates.authority()), "tenants": [
            {"name": self.name, "url": f"https://{self.host}", "database": self.database, "address": edge["spec"]["clusterIP"], "pace": PACE}]}
        (directory / "config.json").write_text(json.dumps(config))
        found: list[Record] = []
        with (directory / "output").open("w") as output:
            process = subprocess.Popen([sys.executable, "-m", "load", "--config", str(directory / "config.json"), "--out", str(directory), "--until-stopped"],
                                       cwd=ROOT / "tests" / "lab", stdout=output, stderr=subprocess.STDOUT)
            try:
                time.sleep(5)
                yield found
                time.sleep(3)
            finally:
                process.send_signal(signal.SIGTERM)
                code = process.wait(timeout=120)
        said = (directory / "output").read_text()
        found.extend(read_records(str(directory / "requests.jsonl")))
        print(said)
        assert " 0 lost, 0 doubled, 0 damaged" in said, said
        assert may_fail or code == 0, said


def quota(**arguments: Any) -> None:
    """Call tenant_quota on the cluster."""
    output = io.StringIO()
    with patch_module_args({"kubeconfig": os.environ["KUBECONFIG"], **arguments}), redirect_stdout(output), pytest.raises(SystemExit):
        tenant_quota.main()
    found = json.loads(output.getvalue())
    assert "msg" not in found, found["msg"]


@pytest.fixture(scope="session")
def api() -> Api:
    """The cluster as its administrator sees it; skips, and says why, where there is none or where it lacks what the lab has."""
    if not os.environ.get("KUBECONFIG"):
        pytest.skip("KUBECONFIG names no cluster")
    state = base.cache() / "demo-kubernetes"
    for name in ("releases.yml", "toolbox"):
        if not (state / name).exists():
            pytest.skip(f"the cluster's registry has no images of releases and toolbox ({state / name} is missing): script/demo kubernetes makes them")
    if not shutil.which("kubectl"):
        pytest.skip("kubectl is not on PATH")
    try:
        found = Api.open()
        found.patience = 5
        found.call("GET", "/readyz", plain=True)
        for namespace, name in (("services", "postgresql"), ("services", "redis")):
            if found.get("Service", namespace, name) is None:
                pytest.skip(f"the cluster has no {namespace}/{name}: lab cluster services")
    except DomainError as error:
        pytest.skip(f"no cluster: {error}")
    found.patience = 90
    return found


@pytest.fixture(scope="module")
def instance(api: Api) -> Iterator[Instance]:
    with base.locked(NAME):
        state = base.cache() / NAME
        made = Instance(api, NAME, state)
        made.remove()  # what a test that was killed left
        try:
            yield made
        finally:
            made.remove()
            shutil.rmtree(state)
