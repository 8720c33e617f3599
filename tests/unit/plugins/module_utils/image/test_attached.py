# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies beside an image, against a real registry (Debian's docker-registry): put there, found, verified by the guide's own script, harmed."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import attached
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import Reference
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.registry import Registry
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.image import test_registry as rig
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.image.documents import (
    CONTENTS,
    IMAGE,
    described,
)

pytestmark = pytest.mark.skipif(not rig.BINARY, reason="needs the Debian package docker-registry")
GUIDE = Path(__file__).parents[5] / "docs" / "guides" / "provenance.md"
BY = "build@example.com"


class Place:
    """A registry with one image's documents in it. The image itself is another matter, and may come later."""

    def __init__(self, directory: Path, running: Any) -> None:
        self.running, self.directory, self.image = running, directory, replace(IMAGE, registry=running.host)
        self.key = str(directory / "key")
        self.documents = described(self.key, BY, image=self.image)
        self.push(self.documents)
        (directory / "allowed_signers").write_text(
            f'{BY} namespaces="release-build@sysgenpro,release-image@sysgenpro" {Signer(self.key).public}\n')

    def open(self, image: Reference | None = None) -> Registry:
        return Registry(image or self.image)

    def push(self, documents: dict[str, bytes], by: str = BY) -> str:
        with self.open() as registry:
            return attached.push(registry, {"mediaType": attached.OCI, "digest": self.image.digest, "size": 7}, documents, by)

    @property
    def tag(self) -> str:
        return attached.tag_of(self.image.digest, "build")

    def manifest(self) -> dict[str, Any]:
        found: dict[str, Any] = requests.get(f"http://{self.running.host}/v2/odoo/manifests/{self.tag}", headers={"Accept": attached.OCI}, timeout=5).json()
        return found

    def put(self, tag: str, manifest: Any) -> None:
        requests.put(f"http://{self.running.host}/v2/odoo/manifests/{tag}", data=json.dumps(manifest), headers={"Content-Type": attached.OCI}, timeout=5).raise_for_status()

    def verify(self) -> subprocess.CompletedProcess[str]:
        script = GUIDE.read_text().split("```text\n")[1].split("```")[0]
        return subprocess.run(["bash", "-c", script, "verify", f"http://{self.running.host}/v2/odoo", self.image.digest, str(self.directory / "allowed_signers")],
                              capture_output=True, text=True, cwd=self.directory, check=False)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    running = rig.Running(tmp_path)
    yield Place(tmp_path, running)
    running.stop()


def test_what_was_put_there_is_found(place: Place) -> None:
    found = attached.fetch_attached(place.image)
    assert found.documents == place.documents and found.by == BY and found.cosign == ()
    manifest = place.manifest()
    assert manifest["subject"]["digest"] == place.image.digest and manifest["artifactType"] == attached.ARTIFACT
    with place.open() as registry:
        assert attached.signed_by(registry, place.image.digest) == BY
        assert attached.signed_by(registry, "sha256:" + "99" * 32) is None


def test_they_stay_when_the_registry_clears_up(place: Place) -> None:
    """Also what nobody names any more goes, and only that."""
    before = place.manifest()
    place.push(described(place.key, BY, image=place.image))
    subprocess.run([rig.BINARY, "garbage-collect", "--delete-untagged=true", str(place.directory / "config.yml")], check=True, capture_output=True)
    assert sorted(attached.fetch_attached(place.image).documents) == sorted(place.documents)
    gone = next(each for each in before["layers"] if each["annotations"][attached.TITLE] == "sbom.dsse.json")
    assert not place.running.blob(gone["digest"]).exists()


def test_an_image_without_anything(place: Place) -> None:
    assert attached.fetch_attached(replace(place.image, digest="sha256:" + "99" * 32)) == attached.Attached()


def test_unsigned_documents(place: Place) -> None:
    place.push(described(image=place.image), "")
    found = attached.fetch_attached(place.image)
    assert sorted(found.documents) == ["provenance.json", "sbom.json"] and found.by == ""
    with place.open() as registry:
        assert attached.signed_by(registry, place.image.digest) == ""


def test_signatures_of_cosign(place: Place) -> None:
    digest = rig.put_blob(place.running.host, "odoo", b"payload")
    layer = {"mediaType": attached.COSIGN, "size": 7, "digest": digest, "annotations": {attached.COSIGN_SIGNATURE: "c2ln"}}
    empty = rig.put_blob(place.running.host, "odoo", b"{}")
    place.put(attached.tag_of(place.image.digest, "sig"), {
        "schemaVersion": 2, "mediaType": attached.OCI, "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": empty},
        "layers": [layer, {**layer, "mediaType": "application/other"}]})
    assert attached.fetch_attached(place.image).cosign == ((b"payload", "c2ln"),)


def test_the_guide_s_script(place: Place) -> None:
    done = place.verify()
    assert done.returncode == 0, done.stderr
    assert "shop " + "ab" * 20 + " vera@example.com" in done.stdout and done.stdout.split()[-1] == "9"


def test_the_guide_s_script_finds_what_was_changed(place: Place) -> None:
    others = described(place.key, BY, image=replace(place.image, digest="sha256:" + "99" * 32))
    mallory = described(str(place.directory / "mallory"), BY, image=place.image)
    edited = place.documents["sbom.dsse.json"].replace(b'"payload":"', b'"payload":"e')
    for name, content in [*others.items(), *mallory.items(), ("sbom.dsse.json", edited)]:
        place.push({**place.documents, name: content})
        assert place.verify().returncode != 0, name
    place.push(place.documents)
    assert place.verify().returncode == 0


def test_documents_that_the_registry_changed(place: Place) -> None:
    layer = next(each for each in place.manifest()["layers"] if each["annotations"][attached.TITLE] == "sbom.dsse.json")
    path = place.running.blob(layer["digest"])
    path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))
    with pytest.raises(DomainError) as error:
        attached.fetch_attached(place.image)
    assert error.value.code in ("release_damaged", "registry_unreachable")


@pytest.mark.parametrize("manifest", [b"{", b"[]", b'"x"'])
def test_what_is_no_manifest(place: Place, manifest: bytes) -> None:
    served = place.running.data / f"docker/registry/v2/repositories/odoo/_manifests/tags/{place.tag}/current/link"
    path = place.running.blob(served.read_text())
    path.write_bytes(manifest)
    with pytest.raises(DomainError) as error:
        attached.fetch_attached(place.image)
    assert error.value.code in ("release_damaged", "registry_unreachable")


def test_documents_are_in_another_build_others(place: Place) -> None:
    """What a second build put there is what is found, and only that."""
    less = described(place.key, BY, image=place.image, contents={**CONTENTS, "python": []})
    place.push(less)
    found = attached.fetch_attached(place.image).documents
    assert found == less and hashlib.sha256(found["sbom.dsse.json"]).digest() != hashlib.sha256(place.documents["sbom.dsse.json"]).digest()
