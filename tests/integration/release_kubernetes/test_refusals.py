# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster that refuses in its own ways: credentials that have expired, a webhook, a claim that is full, a data plane that drops."""

from __future__ import annotations

import base64
import json
import os
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api
from ansible_collections.sysgenpro.odoo.tests.integration.release_kubernetes.conftest import EDGE, NAME, Instance
from ansible_collections.sysgenpro.odoo.tests.integration.release_kubernetes.test_faults import (
    kubectl,
    meanwhile,
    until,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from sgplab.cluster import certificates, life
from sgplab.cluster.place import HOST

pytestmark = [pytest.mark.slow, pytest.mark.dear]
UID = 20778
ROOM = 700
"""MB of the claim: a file system of its own, as small as a filestore of the lab fits into twice."""


@pytest.fixture(scope="module")
def shop(instance: Instance, api: Api) -> Iterator[Instance]:
    """At r1; its claim is a file system of its own."""
    place = life.the()
    image, directory = (place.root / "volumes" / name for name in ("small-it.img", "small-it"))
    _unmounted(image, directory)
    with image.open("wb") as stream:
        stream.truncate(ROOM * 2 ** 20)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", str(image)], check=True)
    directory.mkdir()
    subprocess.run(["mount", "-o", "loop", str(image), str(directory)], check=True)
    os.chown(directory, UID, UID)
    api.delete("PersistentVolume", None, "small-it")
    api.apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "small-it"}, "spec": {
        "capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteMany"], "persistentVolumeReclaimPolicy": "Retain", "storageClassName": "small",
        "claimRef": {"namespace": NAME, "name": "data"}, "hostPath": {"path": str(directory), "type": "Directory"}}}, force=True)
    instance.tell(instance_uid=UID, instance_storage={"size": "2Gi", "class": "small", "shared": True})
    try:
        yield instance.create()
    finally:
        instance.remove()
        api.delete("PersistentVolume", None, "small-it")
        _unmounted(image, directory)


def _unmounted(image: Path, directory: Path) -> None:
    subprocess.run(["umount", str(directory)], check=False, stderr=subprocess.DEVNULL)
    image.unlink(missing_ok=True)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def expired(tmp_path: Path) -> Path:
    """A kubeconfig of an administrator whose certificate ended yesterday."""
    place, now = life.the(), datetime.now(timezone.utc)
    authority = x509.load_pem_x509_certificate((place.keys / "ca.crt").read_bytes())
    signer = serialization.load_pem_private_key((place.keys / "ca.key").read_bytes(), None)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "system:masters"), x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    made = (x509.CertificateBuilder().subject_name(name).issuer_name(authority.subject).public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2)).not_valid_after(now - timedelta(days=1))
            .add_extension(x509.ExtendedKeyUsage([x509.ExtendedKeyUsageOID.CLIENT_AUTH]), False).sign(signer, hashes.SHA256()))  # type: ignore[arg-type]
    found = json.loads(place.admin.read_text())
    text = {"client-certificate-data": made.public_bytes(serialization.Encoding.PEM), "client-key-data": key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())}
    found["users"][0]["user"] = {key: base64.b64encode(value).decode() for key, value in text.items()}
    path = tmp_path / "expired.conf"
    path.touch(mode=0o600)
    path.write_text(json.dumps(found))
    return path


def test_credentials_that_have_expired_are_named_and_change_nothing(shop: Instance, expired: Path) -> None:
    before = shop.leading()
    for verb in ("site", "release"):
        said = shop.play(verb, fails=True, cluster_kubeconfig=str(expired), release_reference="r2", release_reason="test")
        assert "401" in said or "Unauthorized" in said or "credentials" in said, said[-3000:]
    assert shop.leading() == before and shop.status()["history"][0]["name"] == "r1"


def test_credentials_that_expire_in_the_middle_leave_the_release_to_end(shop: Instance, expired: Path, tmp_path: Path) -> None:
    """It runs in the toolbox by the toolbox' own account; whoever began it only looks on."""
    other = {"blue": "green", "green": "blue"}[shop.leading()]
    used = tmp_path / "kubeconfig"
    used.touch(mode=0o600)
    used.write_text(life.the().admin.read_text())

    def expire() -> None:
        until(lambda: kubectl("get", "deployment", f"{other}-web", "-n", shop.name, "--ignore-not-found", "-o", "name"), 120, "the other colour did not begin")
        used.write_text(expired.read_text())

    with shop.load():
        with meanwhile(expire):
            said = shop.play("release", fails=True, cluster_kubeconfig=str(used), release_reference="r2", release_reason="test")
        until(lambda: kubectl("get", "service", shop.name, "-n", shop.name, "-o", "jsonpath={.spec.selector}").find(f"{other}-web") > 0, 120, "it did not end")
    assert "nauthorized" in said or "credentials" in said or "logged in" in said, said[-3000:]
    assert "changed=0" in shop.release("r2")
    assert shop.leading() == other and shop.status()["history"][0]["name"] == "r2"


@contextmanager
def webhook(namespace: str) -> Iterator[None]:
    """One of the cluster's that must be asked about each pod, and is away."""
    made = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "away-it"}, "webhooks": [{
        "name": "away.example.test", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Fail", "timeoutSeconds": 2,
        "clientConfig": {"service": {"namespace": "services", "name": "nobody", "path": "/"}},
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
        "rules": [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]}]}
    kubectl("apply", "-f", "-", given=json.dumps(made))
    try:
        yield
    finally:
        kubectl("delete", "validatingwebhookconfiguration", "away-it")


def test_a_webhook_that_refuses_is_found_out_while_nobody_waits(shop: Instance) -> None:
    before, running = shop.leading(), shop.status()["history"][0]["name"]
    with webhook(shop.name), shop.load():
        said = shop.release("r3", fails=True)
    assert "away.example.test" in said
    assert shop.leading() == before and shop.status()["history"][0]["name"] == running


class Hook:
    """One that is asked about each write of the toolbox: it refuses some, as an API server does that is busy or whose other client was first."""

    REFUSALS = (429, 409, 429, 409, 429, 409)

    def __init__(self, shop: Instance) -> None:
        self.name, self.account = shop.name, f"system:serviceaccount:{shop.name}:toolbox"
        self.refused: list[tuple[int, str]] = []

    @contextmanager
    def asked(self) -> Iterator[None]:
        place, hook = life.the(), self
        certificates.leaf(place, "hook-it", "/CN=hook", "serverAuth", (f"IP:{HOST}",))

        class Answers(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                body = json.dumps({**{key: review[key] for key in ("apiVersion", "kind")}, "response": hook.answer(review["request"])}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_arguments: object) -> None:
                pass

        server = ThreadingHTTPServer((HOST, 0), Answers)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(place.keys / "hook-it.crt", place.keys / "hook-it.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        made = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration", "metadata": {"name": "busy-it"}, "webhooks": [{
            "name": "busy.example.test", "admissionReviewVersions": ["v1"], "sideEffects": "None", "failurePolicy": "Ignore", "timeoutSeconds": 5,
            "clientConfig": {"url": f"https://{HOST}:{server.server_address[1]}/", "caBundle": base64.b64encode((place.keys / "ca.crt").read_bytes()).decode()},
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": self.name}},
            "rules": [{"apiGroups": ["", "apps", "batch"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
                       "resources": ["services", "configmaps", "deployments", "deployments/scale", "jobs"]}]}]}
        kubectl("apply", "-f", "-", given=json.dumps(made))
        try:
            yield
        finally:
            kubectl("delete", "validatingwebhookconfiguration", "busy-it")
            server.shutdown()

    def answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Changes only: what is made and is there by then is another conflict."""
        found: dict[str, Any] = {"uid": request["uid"], "allowed": True}
        if request["userInfo"]["username"] == self.account and request["operation"] == "UPDATE" and len(self.refused) < len(self.REFUSALS):
            code = self.REFUSALS[len(self.refused)]
            self.refused.append((code, "{}/{}".format(request["resource"]["resource"], request["name"])))
            found.update(allowed=False, status={"code": code, "reason": {409: "Conflict", 429: "TooManyRequests"}[code], "message": "tried"})
        return found


def test_an_api_that_is_busy_or_met_another_change_is_asked_again(shop: Instance) -> None:
    hook, other = Hook(shop), {"blue": "green", "green": "blue"}[shop.leading()]
    another = "r1" if shop.status()["history"][0]["name"] == "r2" else "r2"
    with shop.load(), hook.asked():
        shop.release(another)
    assert [code for code, _what in hook.refused] == list(hook.REFUSALS), hook.refused
    assert shop.leading() == other


def test_a_claim_that_is_full_is_named_and_the_old_colour_serves(shop: Instance) -> None:
    before = shop.leading()
    place = f"/var/lib/sysgenpro/instances/{shop.name}"
    shop.shell(f"dd if=/dev/zero of={place}/ballast bs=1M 2>/dev/null; sync", check=False)
    try:
        said = shop.release("r3", fails=True)
    finally:
        shop.shell(f"rm {place}/ballast")
    assert "has room for 0 MB" in said and "Make room on that file system" in said, said[-3000:]
    assert shop.leading() == before
    with shop.load():
        shop.release("r3")
    assert shop.status()["history"][0]["name"] == "r3"


@contextmanager
def dropping(address: str) -> Iterator[None]:
    """What comes to an address that leads to nobody is dropped instead of refused, as some data planes do: before whatever kube-proxy would do with it."""
    rule = ("PREROUTING", "-d", address, "-j", "DROP")
    subprocess.run(["iptables", "-t", "raw", "-I", *rule], check=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "-t", "raw", "-D", *rule], check=True)


def test_a_data_plane_that_drops_shows_the_page_and_the_plan_says_why(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    """With the page no Service is without a pod: only that which a plan tries is."""
    nobody = api.get("Service", shop.name, "none")
    assert nobody
    with dropping(str(nobody["spec"]["clusterIP"])):
        planned = shop.play("plan", instance_release="r6")
        assert "strategy maintenance" in planned and "does not refuse connections at once" in planned
        seen: list[int] = []
        done = threading.Event()

        def look() -> None:
            while not done.wait(0.5):
                answer = subprocess.run(["curl", "-sko", "/dev/null", "-m", "5", "-w", "%{http_code}", "--resolve", f"{shop.host}:443:{_edge(api)}",
                                         f"https://{shop.host}/web/login"], capture_output=True, text=True, check=False)
                seen.append(int(answer.stdout or 0))

        beside = threading.Thread(target=look)
        beside.start()
        try:
            before = time.monotonic()
            shop.release("r6")
            took = time.monotonic() - before
        finally:
            done.set()
            beside.join()
    assert shop.status()["history"][0]["name"] == "r6" and 503 in seen and seen[-1] == 200, seen
    figure(f"a release by update where the data plane drops: {took:.0f} s, answers {sorted({code: seen.count(code) for code in set(seen)}.items())}")


def _edge(api: Api) -> Any:
    return (api.get("Service", *EDGE) or {})["spec"]["clusterIP"]
