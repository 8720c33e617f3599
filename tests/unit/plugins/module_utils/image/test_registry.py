# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading and pushing releases, against a real registry (Debian's docker-registry) that each test may damage."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import tarfile
import time

import pytest
import requests
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import registry as subject
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.layers import addons_layer, single_file_layer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.publish import find_tag, push_image
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import Reference, parse_reference
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

BINARY = shutil.which("docker-registry") or os.environ.get("SYSGENPRO_DOCKER_REGISTRY", "")
pytestmark = pytest.mark.skipif(not BINARY, reason="needs the Debian package docker-registry")

RECORD = {
    "format": 1, "series": "19.0", "digests": 1, "source": {"name": "r1"}, "addons_path": [], "command": ["odoo"],
    "wkhtmltopdf": None,
    "modules": {"base": {"version": "1", "depends": [], "installable": True, "auto_install": False,
                         "schema": "0" * 32, "code": "0" * 32}},
}  # fmt: skip
# docker-registry's htpasswd knows bcrypt only: "odoo" with the password "it's a $ecret{{x}}".
PASSWORD = "it's a $ecret{{x}}"
DOCKER, OCI = subject.MANIFESTS


class Running:
    """A registry process, and what it was asked."""

    def __init__(self, directory, users=""):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.host = f"127.0.0.1:{self.port}"
        self.log = directory / "log"
        self.data = directory / "data"
        config = {
            "version": "0.1",
            "log": {"accesslog": {"disabled": False}, "formatter": "json"},
            "storage": {"filesystem": {"rootdirectory": str(self.data)}, "delete": {"enabled": True}},
            "http": {"addr": self.host},
        }
        if users:
            (directory / "users").write_text(users)
            config["auth"] = {"htpasswd": {"realm": "lab", "path": str(directory / "users")}}
        (directory / "config.yml").write_text(json.dumps(config))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([BINARY, "serve", str(directory / "config.yml")], stdout=log, stderr=log)
        for _attempt in range(100):
            try:
                requests.get(f"http://{self.host}/v2/", timeout=1)
                return
            except requests.ConnectionError:
                time.sleep(0.05)
        raise AssertionError(self.log.read_text())

    def asked(self):
        """Method and path of every request for a repository so far."""
        return re.findall(r'"(GET|HEAD|PUT|POST) (/v2/[^" ]+)', self.log.read_text())

    def stop(self):
        self.process.terminate()
        self.process.wait()

    def blob(self, digest):
        return self.data / "docker/registry/v2/blobs/sha256" / digest[7:9] / digest[7:] / "data"


@pytest.fixture
def registry(tmp_path):
    running = Running(tmp_path)
    yield running
    running.stop()


def put_blob(host, repository, content):
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    start = requests.post(f"http://{host}/v2/{repository}/blobs/uploads/", timeout=5)
    place = start.headers["Location"]
    place = place if "://" in place else f"http://{host}{place}"
    requests.put(place + f"&digest={digest}", data=content, timeout=5).raise_for_status()
    return digest


def put_manifest(host, repository, manifest, kind=DOCKER):
    content = json.dumps(manifest).encode()
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    url = f"http://{host}/v2/{repository}/manifests/{digest}"
    requests.put(url, data=content, headers={"Content-Type": kind}, timeout=5).raise_for_status()
    return f"{host}/{repository}@{digest}"


def tar_gz(name, content):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def put_image(host, layers, labels, repository="odoo", kind=DOCKER):
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {"Labels": labels},
                         "rootfs": {"type": "layers", "diff_ids": []}}).encode()  # fmt: skip
    blobs = [(put_blob(host, repository, layer), len(layer)) for layer in layers]
    manifest = {
        "schemaVersion": 2,
        "mediaType": kind,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json",
                   "digest": put_blob(host, repository, config), "size": len(config)},
        "layers": [{"mediaType": "x", "digest": digest, "size": size} for digest, size in blobs],
    }  # fmt: skip
    return put_manifest(host, repository, manifest, kind)


def put_release(host, record=RECORD, kind=DOCKER, name=subject.RECORD_PATH, label=None):
    content = record if isinstance(record, bytes) else json.dumps(record).encode()
    labels = {subject.RECORD_LABEL: label or "sha256:" + hashlib.sha256(content).hexdigest()}
    return put_image(host, [tar_gz("etc/x", b"x"), tar_gz(name, content)], labels, kind=kind)


def code_of(reference, **arguments):
    with pytest.raises(DomainError) as caught:
        subject.fetch_record(reference, **arguments)
    assert caught.value.message
    assert caught.value.unchanged
    return caught.value.code


@pytest.mark.parametrize("kind", [DOCKER, OCI])
def test_three_requests_and_no_more(registry, kind):
    reference = put_release(registry.host, kind=kind)
    before = len(registry.asked())
    release = subject.fetch_record(reference)
    assert release.record.raw == RECORD
    assert release.reference == reference
    time.sleep(0.1)
    asked = registry.asked()[before:]
    assert [(method, path.split("/")[3]) for method, path in asked] == [("GET", "manifests"), ("GET", "blobs"), ("GET", "blobs")]


def test_password_with_every_odd_character(tmp_path):
    bcrypt = pytest.importorskip("bcrypt")
    users = "odoo:" + bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode() + "\n"
    running = Running(tmp_path, users)
    try:
        named = f"{running.host}/odoo@sha256:{'0' * 64}"
        assert code_of(named) == "registry_denied"
        assert code_of(named, username="odoo", password="wrong") == "registry_denied"
        assert code_of(named, username="odoo", password=PASSWORD) == "release_not_found"
    finally:
        running.stop()


def test_registry_down(registry):
    reference = put_release(registry.host)
    registry.stop()
    assert code_of(reference) == "registry_unreachable"


def test_registry_that_never_answers():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        host = "127.0.0.1:{}".format(silent.getsockname()[1])
        assert code_of(f"{host}/odoo@sha256:{'0' * 64}", timeout=0.3) == "registry_unreachable"


def test_a_certificate_that_is_none(registry, tmp_path):
    (tmp_path / "ca.pem").write_text("")
    named = f"{registry.host}/odoo@sha256:{'0' * 64}"
    assert code_of(named, ca_path="/etc/ssl/certs/ca-certificates.crt") == "registry_unreachable"


def test_unknown_digest_and_tag(registry):
    put_release(registry.host)
    assert code_of(f"{registry.host}/odoo@sha256:{'0' * 64}") == "release_not_found"
    assert code_of(f"{registry.host}/odoo:r1") == "not_a_digest"


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda host: put_image(host, [tar_gz("etc/x", b"x")], {}), "not_a_release"),
        (lambda host: put_release(host, name="usr/share/other.json"), "not_a_release"),
        (lambda host: put_image(host, [b"no archive"], {subject.RECORD_LABEL: "x"}), "not_a_release"),
        (lambda host: put_image(host, [], {subject.RECORD_LABEL: "x"}), "not_a_release"),
        (lambda host: put_release(host, label="sha256:" + "0" * 64), "release_damaged"),
        (lambda host: put_release(host, {**RECORD, "series": 19}), "malformed_record"),
        (lambda host: put_release(host, b"{"), "malformed_record"),
    ],
    ids=["no label", "no record", "no tar", "no layers", "other record", "bad field", "no JSON"],
)
def test_images_that_are_no_release(registry, make, code):
    assert code_of(make(registry.host)) == code


def test_index_is_refused(registry):
    image = put_release(registry.host)
    digest = image.partition("@")[2]
    index = {"schemaVersion": 2, "mediaType": subject.INDEXES[1], "manifests": [
        {"mediaType": DOCKER, "digest": digest, "size": 1, "platform": {"architecture": "arm64", "os": "linux"}}]}  # fmt: skip
    assert code_of(put_manifest(registry.host, "odoo", index, subject.INDEXES[1])) == "not_a_release"


def test_a_bomb_is_not_unpacked(registry):
    bomb = gzip.compress(b"\0" * (subject.UNPACKED_LIMIT + 1024))
    assert len(bomb) < subject.LAYER_LIMIT
    assert code_of(put_image(registry.host, [bomb], {subject.RECORD_LABEL: "x"})) == "not_a_release"


@pytest.mark.parametrize("what", ["manifest", "layer"])
def test_damaged_storage_is_noticed(registry, what):
    reference = put_release(registry.host)
    digest = reference.partition("@")[2]
    if what == "layer":
        manifest = json.loads(registry.blob(digest).read_bytes())
        digest = manifest["layers"][-1]["digest"]
    stored = registry.blob(digest)
    stored.write_bytes(stored.read_bytes().replace(b'"', b"'", 1) if what == "manifest" else stored.read_bytes()[:-1] + b"?")
    # The registry notices damage in a manifest itself.
    assert code_of(reference) in ("release_damaged", "registry_unreachable", "release_not_found")


def open_registry(host, repository, digest="sha256:" + "0" * 64):
    return subject.Registry(Reference(host, repository, digest))


@pytest.mark.parametrize("kind", [DOCKER, OCI])
def test_the_same_layers_give_the_same_image(registry, tmp_path, kind):
    base = parse_reference(put_image(registry.host, [tar_gz("etc/base", b"x")], {"from": "base"}, "base", kind))
    (tmp_path / "src" / "shop").mkdir(parents=True)
    (tmp_path / "src" / "shop" / "a.js").write_text("1")
    record = json.dumps(RECORD).encode()
    labels = {subject.RECORD_LABEL: subject.content_digest(record), subject.SERIES_LABEL: "19.0"}
    pushed = []
    for turn in ("one", "two"):
        addons, last = str(tmp_path / f"{turn}-a"), str(tmp_path / f"{turn}-r")
        addons_layer(addons, [(str(tmp_path / "src"), "opt/addons/shop")], "19.0")
        single_file_layer(last, subject.RECORD_PATH, record)
        os.utime(tmp_path / "src" / "shop" / "a.js", (1, 1))
        with open_registry(registry.host, f"odoo-{turn}") as target, subject.Registry(base) as source:
            layers = [(addons, "add-ons"), (last, "record")]
            pushed.append(push_image(target, source, layers, {"labels": labels, "env": {"A": "b"}}, "source-x"))
            assert find_tag(target, "source-x") == pushed[-1].digest
            assert find_tag(target, "source-y") == ""
    assert pushed[0].digest == pushed[1].digest
    assert subject.fetch_record(pushed[0]).id == subject.fetch_record(pushed[1]).id


def test_base_of_another_registry_is_copied(registry, tmp_path):
    (tmp_path / "other").mkdir()
    other = Running(tmp_path / "other")
    try:
        base = parse_reference(put_image(other.host, [tar_gz("etc/base", b"x" * 100_000)], {}, "base"))
        record = json.dumps(RECORD).encode()
        single_file_layer(str(tmp_path / "r"), subject.RECORD_PATH, record)
        labels = {subject.RECORD_LABEL: subject.content_digest(record)}
        with open_registry(registry.host, "odoo") as target, subject.Registry(base) as source:
            reference = push_image(target, source, [(str(tmp_path / "r"), "record")], {"labels": labels, "env": {}}, "t")
        other.stop()
        assert subject.fetch_record(reference).record.raw == RECORD
        with subject.Registry(reference) as reader:
            for layer in subject.fetch_manifest(reader, reference.digest)["layers"]:
                content, _headers = reader.get("/blobs/" + layer["digest"], 1 << 20)
                assert subject.content_digest(content) == layer["digest"]
    finally:
        other.stop()
