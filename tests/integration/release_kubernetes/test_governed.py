# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance of a cluster that is governed: each way around the gate is tried, with the accounts that the guide gives to who governs and who releases."""

from __future__ import annotations

import base64
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api
from ansible_collections.sysgenpro.odoo.tests.integration.release_kubernetes.conftest import ROOT, Instance
from sgplab import base as lab
from sgplab import certificates, tools
from sgplab.cluster import life

pytestmark = [pytest.mark.slow, pytest.mark.dear]

NAME = "governed-it"
HOST, PORT = "10.90.0.1", 7075
SECRET = "a secret of this test"
PEOPLE = {"anna": "app", "rita": "request"}
MARK = "org.sysgenpro/governed"
BUCKET = f"""
import json, boto3
s3 = boto3.client("s3", endpoint_url="https://{HOST}:{PORT}", aws_access_key_id="root", aws_secret_access_key="{SECRET}", region_name="us-east-1",
                  verify="/etc/sysgenpro/toolbox/registry.crt")
s3.create_bucket(Bucket="ledger", ObjectLockEnabledForBucket=True)
s3.put_bucket_policy(Bucket="ledger", Policy=json.dumps(dict(Version="2012-10-17", Statement=[
    dict(Effect="Allow", Principal=["writer"], Action=["s3:ListBucket", "s3:GetBucketLocation"], Resource=["arn:aws:s3:::ledger"]),
    dict(Effect="Allow", Principal=["writer"], Action=["s3:GetObject", "s3:PutObject", "s3:PutObjectRetention"], Resource=["arn:aws:s3:::ledger/*"])])))
"""
ATTEMPTS = f"""
from kubernetes import client, config
config.load_incluster_config()
core = client.CoreV1Api()
for name, call in (
        ("read", lambda: core.read_namespaced_secret("governance", "{NAME}")),
        ("patch", lambda: core.patch_namespaced_secret("governance", "{NAME}", dict(stringData={{"policy.json": "mine"}}))),
        ("delete", lambda: core.delete_namespaced_secret("governance", "{NAME}")),
        ("create", lambda: core.create_namespaced_secret("{NAME}", dict(metadata=dict(name="governance"), stringData={{"policy.json": "mine"}}))),
        ("mark", lambda: core.patch_namespace("{NAME}", dict(metadata=dict(annotations={{"{MARK}": None}}))))):
    try:
        call()
        print(name, "DONE")
    except client.ApiException as error:
        print(name, error.status)
try:
    open("/etc/sysgenpro/governance/policy.json", "w")
    print("write DONE")
except OSError as error:
    print("write", error.strerror)
"""


class Store:
    """An S3 with Object Lock on this host, where the cluster's pods reach it."""

    def __init__(self, place: Path) -> None:
        self.place, self.program, self.process = place, tools.ensure("versitygw"), None
        self.certificate = certificates.issue([HOST])
        for name in ("iam", "versions", "data"):
            (place / name).mkdir(parents=True)

    def start(self) -> None:
        self.process = subprocess.Popen(  # type: ignore[assignment]
            [str(self.program), "--port", f"{HOST}:{PORT}", "--cert", self.certificate["certificate"], "--key", self.certificate["key"],
             "--iam-dir", str(self.place / "iam"), "posix", "--versioning-dir", str(self.place / "versions"), str(self.place / "data")],
            env={"ROOT_ACCESS_KEY": "root", "ROOT_SECRET_KEY": SECRET}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while socket.socket().connect_ex((HOST, PORT)):
            assert time.monotonic() < deadline, "the store does not come up"
            time.sleep(0.1)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(20)

    def writer(self) -> None:
        subprocess.run([str(self.program), "admin", "--allow-insecure", "--access", "root", "--secret", SECRET, "--endpoint-url", f"https://{HOST}:{PORT}",
                        "create-user", "--access", "writer", "--secret", SECRET, "--role", "user"], check=True, capture_output=True)


class Governed:
    """The instance, its people and accounts."""

    def __init__(self, instance: Instance, store: Store, directory: Path) -> None:
        self.instance, self.store, self.directory = instance, store, directory
        for name in PEOPLE:
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(directory / name)], check=True)
        self.policy: dict[str, Any] = {"default": "uat", "instances": {NAME: {"class": "uat", "environment": "uat"}},
                                       "classes": {"uat": {"gates": [{"gate": "approved", "role": "app"}]}}}
        self.accounts: dict[str, str] = {}

    def account(self, name: str, *roles: str) -> str:
        """A kubeconfig of an account of its own. :param roles: of the cluster; the first in the namespace, the others everywhere."""
        kubectl("create", "serviceaccount", name, "-n", NAME)
        for number, role in enumerate(roles):
            if number == 0:
                kubectl("create", "rolebinding", name, "-n", NAME, f"--clusterrole={role}", f"--serviceaccount={NAME}:{name}")
            else:
                kubectl("create", "clusterrolebinding", f"{NAME}-{role}", f"--clusterrole={role}", f"--serviceaccount={NAME}:{name}")
        config = json.loads(kubectl("config", "view", "--minify", "--raw", "-o", "json"))
        config["users"][0]["user"] = {"token": kubectl("create", "token", name, "-n", NAME, "--duration=2h").strip()}
        path = self.directory / f"{name}.kubeconfig"
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        self.accounts[name] = str(path)
        return str(path)

    def govern(self, account: str = "governor", fails: bool = False, **more: Any) -> str:
        lines = [f'{name}@example.com namespaces="release-{role}@sysgenpro" ' + " ".join((self.directory / f"{name}.pub").read_text().split()[:2])
                 for name, role in PEOPLE.items()]
        ledger = {"location": f"s3:https://{HOST}:{PORT}/ledger", "access_key": "writer", "secret_key": SECRET, "lock_mode": "governance", "lock_days": 1,
                  "authority": certificates.authority().read_text()}
        return self.instance.play("governance", fails, governance_policy=self.policy, governance_signers=lines, governance_ledger=ledger,
                                  governance_kubeconfig=self.accounts[account], ansible_kubectl_kubeconfig=self.accounts[account], **more)

    def as_releaser(self, verb: str, fails: bool = False, **more: Any) -> str:
        return self.instance.play(verb, fails, ansible_kubectl_kubeconfig=self.accounts["releaser"], **more)

    def planned(self, name: str) -> str:
        """The digest of the plan to release it."""
        said = self.as_releaser("plan", instance_release=name)
        found = re.search(r"plan (sha256:[0-9a-f]{64})", said)
        assert found, said[-4000:]
        return found.group(1)

    def decide(self, name: str, digest: str, role: str = "") -> str:
        return self.as_releaser("approve", approve_plan=digest, approve_by=f"{name}@example.com", approve_key=str(self.directory / name),
                                approve_role=role or PEOPLE[name])

    def direct(self, **more: Any) -> str:
        """The module by itself, as nobody's playbook calls it; it has to fail. Returns what was printed."""
        play = self.directory / "direct.yml"
        play.write_text(yaml.safe_dump([{"hosts": "instances", "gather_facts": False, "tasks": [
            {"ansible.builtin.include_role": {"name": "sysgenpro.odoo.release", "tasks_from": "run.yml"},
             "vars": {"__release_run_state": "released", "release_reference": "r2"}}]}]))
        return self.instance.play(str(play), True, ansible_kubectl_kubeconfig=self.accounts["releaser"], **more)

    def audit(self, fails: bool = False) -> str:
        # Of a line in quotes YAML doubles those within.
        return " ".join(self.as_releaser("audit", fails, audit_directory=str(self.directory)).split()).replace("''", "'")


def kubectl(*arguments: str, check: bool = True, given: str | None = None) -> str:
    done = subprocess.run(["kubectl", *arguments], input=given, capture_output=True, text=True, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done.stdout + ("" if check else done.stderr)


@pytest.fixture(scope="module")
def governed(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Governed]:
    with lab.locked(NAME):
        store = Store(tmp_path_factory.mktemp("store"))
        instance = Instance(api, NAME, lab.cache() / NAME)
        clean(instance)
        try:
            store.start()
            store.writer()
            told = yaml.safe_load((ROOT / "inventories/demo/kubernetes/group_vars/instances.yml").read_text().replace("!unsafe", ""))
            egress = [*told["demo_egress"], {"name": "store", "cidr": f"{HOST}/32", "ports": [PORT], "kinds": ["toolbox"]}]
            instance.tell(instance_toolbox_image=life.stock("toolbox", "toolbox"), demo_egress=egress)
            instance.create()
            instance.shell(f"python3 - <<'END'\n{BUCKET}\nEND\n")
            made = Governed(instance, store, tmp_path_factory.mktemp("people"))
            kubectl("apply", "-f", str(ROOT / "docs/guides/govern-a-cluster.rights.yml"))
            made.account("governor", "sysgenpro-governance", "sysgenpro-governance-guard")
            made.account("releaser", "sysgenpro-release")
            yield made
        finally:
            store.stop()
            clean(instance)
            shutil.rmtree(instance.state, ignore_errors=True)


def clean(instance: Instance) -> None:
    for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
        kubectl("delete", kind, "sysgenpro-governance", "--ignore-not-found")
    kubectl("delete", "clusterrolebinding", f"{NAME}-sysgenpro-governance-guard", f"{NAME}-sysgenpro-operator", "--ignore-not-found")
    kubectl("delete", "clusterrole", "sysgenpro-governance", "sysgenpro-governance-guard", "sysgenpro-release", "sysgenpro-operator",
            "--ignore-not-found")
    instance.remove()


def test_governed_by_who_governs_and_by_nobody_else(governed: Governed) -> None:
    governed.govern("releaser", fails=True)
    assert "gate approved_app" not in governed.as_releaser("plan", instance_release="r2"), "not governed yet"
    assert "ledger-governed-it@sysgenpro" in governed.govern()
    governed.govern()  # in between the cluster's controller writes into the status of the new admission policy
    assert "changed=0" in governed.govern()
    said = governed.as_releaser("plan", instance_release="r2")
    assert "gate approved_app: CLOSED" in said
    mark = kubectl("get", "namespace", NAME, "-o", f"jsonpath={{.metadata.annotations.{MARK.replace('.', chr(92) + '.')}}}")
    seen = governed.instance.shell("cd /etc/sysgenpro/governance && LC_ALL=C sha256sum allowed_signers ledger.json policy.json *.crt | sort -k2 | sha256sum")
    assert mark == "sha256:" + seen.split()[0], "as the guide says it"


def may(who: str, verb: str, what: str, namespace: str) -> str:
    """The API server's word, yes or no."""
    return subprocess.run(["kubectl", "auth", "can-i", verb, what, "-n", namespace, who], capture_output=True, text=True, check=False).stdout.strip()


def test_the_toolbox_may_not_change_it(governed: Governed) -> None:
    toolbox = f"--as=system:serviceaccount:{NAME}:toolbox"
    for verb, what, where in (("get", "secret/governance", NAME), ("patch", "secret/governance", NAME), ("delete", "secret/governance", NAME),
                              ("patch", f"namespace/{NAME}", NAME), ("govern", f"namespace/{NAME}", NAME), ("delete", f"namespace/{NAME}", NAME),
                              ("patch", "role/toolbox", NAME), ("create", "rolebindings", NAME), ("create", "pods", NAME)):
        assert may(toolbox, verb, what, where) == "no", (verb, what)
    assert may(toolbox, "get", f"namespace/{NAME}", NAME) == "yes"
    said = governed.instance.shell(f"python3 - <<'END'\n{ATTEMPTS}\nEND\n").split("\n")
    assert said[:6] == ["read 403", "patch 403", "delete 403", "create 422", "mark 403", "write Read-only file system"]


def test_who_runs_site_may_not_change_it(governed: Governed) -> None:
    """Who may patch namespaces and Secrets is still refused, by the admission policy."""
    kubectl("apply", "-f", str(ROOT / "docs/guides/kubernetes.rights.yml"))
    operator = governed.account("operator", "sysgenpro-operator", "sysgenpro-operator")
    for change in (("patch", "secret", "governance", "-n", NAME, "--type=merge", "-p", '{"stringData":{"policy.json":"mine"}}'),
                   ("delete", "secret", "governance", "-n", NAME), ("annotate", "namespace", NAME, f"{MARK}-"),
                   ("annotate", "namespace", NAME, "--overwrite", f"{MARK}=sha256:mine")):
        assert "has the verb govern" in kubectl("--kubeconfig", operator, *change, check=False), change
    assert "labeled" in kubectl("--kubeconfig", operator, "label", "namespace", NAME, "a=b"), "other changes are no business of it"


def pod(name: str, image: str, place: dict[str, Any] | None) -> str:
    """A pod of the toolbox's account that somebody starts by hand. :param place: volume for /etc/sysgenpro/governance."""
    uid = int(kubectl("get", "statefulset", "toolbox", "-n", NAME, "-o", "jsonpath={.spec.template.spec.securityContext.runAsUser}"))
    mounts = [{"name": "data", "mountPath": f"/var/lib/sysgenpro/instances/{NAME}"}, {"name": "toolbox", "mountPath": "/etc/passwd", "subPath": "passwd"},
              {"name": "toolbox", "mountPath": "/etc/sysgenpro/toolbox"}, {"name": "tmp", "mountPath": "/tmp"}]
    volumes: list[dict[str, Any]] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "toolbox", "configMap": {"name": "toolbox"}},
                                     {"name": "tmp", "emptyDir": {}}]
    if place:
        mounts.append({"name": "place", "mountPath": "/etc/sysgenpro/governance"})
        volumes.append({"name": "place", **place})
    return json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": NAME, "labels": {
        "org.sysgenpro/instance": NAME, "org.sysgenpro/place": "toolbox", "org.sysgenpro/kind": "toolbox"}}, "spec": {
            "serviceAccountName": "toolbox", "automountServiceAccountToken": True, "volumes": volumes,
            "securityContext": {"runAsNonRoot": True, "runAsUser": uid, "runAsGroup": uid, "fsGroup": uid, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [{"name": "toolbox", "image": image, "command": ["sleep", "3600"], "volumeMounts": mounts,
                            "env": [{"name": "HOME", "value": "/tmp"}], "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
                            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}]}})


def test_no_way_around(governed: Governed) -> None:
    """The playbook, the module by itself, another policy as a variable, a pod without the place, a pod with a place of its own."""
    assert "gates_closed" in (said := governed.as_releaser("release", True, instance_release="r2")) or "gates are closed" in said
    assert "gates are closed" in governed.direct()
    assert "gates are closed" in governed.direct(governance_policy={"default": "x", "classes": {"x": {"gates": []}}}, governance_state="absent")
    image = kubectl("get", "statefulset", "toolbox", "-n", NAME, "-o", "jsonpath={.spec.template.spec.containers[0].image}")
    mine = dict(json.loads(kubectl("get", "secret", "governance", "-n", NAME, "-o", "json"))["data"])
    mine["policy.json"] = base64.b64encode(b'{"default": "x", "classes": {"x": {"gates": []}}}').decode()
    kubectl("apply", "-f", "-", given=json.dumps({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "namespace": NAME}, "data": mine}))
    for name, place, said in (("without", None, "has no policy.json, and the namespace governed-it is governed"),
                              ("own-place", {"secret": {"secretName": "mine"}}, "cannot be believed: it has sha256:")):
        kubectl("apply", "-f", "-", given=pod(name, image, place))
        kubectl("wait", "--for=condition=Ready", f"pod/{name}", "-n", NAME, "--timeout=120s")
        try:
            direct = governed.instance.play(str(governed.directory / "direct.yml"), True, ansible_kubectl_pod=name)
            assert said in " ".join(direct.split()), direct[-3000:]
        finally:
            kubectl("delete", "pod", name, "-n", NAME, "--grace-period=1")
    assert governed.instance.status()["history"][0]["name"] == "r1"


def test_approved_released_and_audited(governed: Governed) -> None:
    digest = governed.planned("r2")
    governed.decide("rita", digest)
    governed.decide("anna", digest)
    governed.as_releaser("release", instance_release="r2", release_reason="as approved", release_requested_by="somebody")
    said = governed.audit()
    assert "all as they were written" in said and "release released code done, rita@example.com: as approved" in said and "rita@example.com by the caller" not in said
    assert "gate released code failed" in said and "by the caller's word" in said
    assert json.loads((governed.directory / f"{NAME}.checkpoint.json").read_text())["sequence"] == 7


def test_the_store_away(governed: Governed) -> None:
    """Refused by default; by another policy it waits in the toolbox's claim, also over the end of the pod, and comes into the store with what is next."""
    governed.decide("anna", governed.planned("r1"))
    governed.store.stop()
    try:
        assert "store_failed" in (said := governed.as_releaser("release", True, instance_release="r1")) or "reading" in said or "listing" in said
    finally:
        governed.store.start()
    governed.policy["ledger_away"] = "spool"
    governed.govern()
    governed.planned("r1")  # reads what there is, and keeps copies
    governed.store.stop()
    try:
        governed.as_releaser("release", instance_release="r1", release_requested_by="somebody")
        assert governed.instance.status()["history"][0]["name"] == "r1"
        kubectl("delete", "pod", "toolbox-0", "-n", NAME, "--grace-period=1")
        time.sleep(3)
        kubectl("wait", "--for=condition=Ready", "pod/toolbox-0", "-n", NAME, "--timeout=120s")
    finally:
        governed.store.start()
    assert "WAITING on this machine" in governed.audit()
    governed.decide("anna", governed.planned("r2"))
    said = governed.audit()
    assert "WAITING" not in said and "release released code done, somebody by the caller's word, waited for the store" in said


def test_taken_away(governed: Governed) -> None:
    governed.instance.play("governance", governance_state="absent", governance_kubeconfig=governed.accounts["governor"],
                           ansible_kubectl_kubeconfig=governed.accounts["governor"])
    assert "gate approved_app" not in governed.as_releaser("plan", instance_release="r2")
    assert list(json.loads(kubectl("get", "secret", "governance", "-n", NAME, "-o", "json"))["data"]) == ["ledger_key"]
