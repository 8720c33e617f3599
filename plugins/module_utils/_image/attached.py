# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies beside an image in its registry: the build's statements, and signatures of cosign.

The statements are one OCI artefact that names the image as its ``subject``, under the tag ``sha256-<digits>.build``: so whoever can pull an image gets them,
and a registry without the referrers API has them, too (https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md). Signatures of ``cosign sign
--key`` lie under ``sha256-<digits>.sig`` (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .._kernel.errors import DomainError
from .publish import upload
from .record import Reference
from .registry import LAYER_LIMIT, MANIFEST_LIMIT, MANIFESTS, Registry, content_digest

OCI = MANIFESTS[1]
ARTIFACT = "application/vnd.sysgenpro.build.v1+json"
TITLE = "org.opencontainers.image.title"
BY = "org.sysgenpro.signed-by"
KINDS = {"provenance.dsse.json": "application/vnd.dsse.envelope.v1+json", "sbom.dsse.json": "application/vnd.dsse.envelope.v1+json",
         "image.sig": "application/vnd.sysgenpro.ssh-signature.v1", "provenance.json": "application/vnd.in-toto+json",
         "sbom.json": "application/vnd.in-toto+json"}
"""Media type of each document by its name. Those in ``.dsse.json`` and ``.sig`` are signed."""
COSIGN = "application/vnd.dev.cosign.simplesigning.v1+json"
COSIGN_SIGNATURE = "dev.cosignproject.cosign/signature"
# The empty descriptor of the image specification: an artefact needs no configuration.
EMPTY = b"{}"
EMPTY_KIND = "application/vnd.oci.empty.v1+json"
MOST_SIGNATURES = 20
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Attached:
    """:param documents: by name, as in ``KINDS``. :param by: who is said to have signed; empty where nothing is signed.
    :param cosign: payload and Base64 of its signature, each.
    """

    documents: Mapping[str, bytes] = field(default_factory=dict)
    by: str = ""
    cosign: tuple[tuple[bytes, str], ...] = ()


def tag_of(digest: str, what: str) -> str:
    return digest.replace(":", "-") + "." + what


def push(registry: Registry, image: Mapping[str, Any], documents: Mapping[str, bytes], by: str) -> str:
    """Put the build's documents beside an image. Those of before are no longer named.

    :param image: the image manifest's descriptor: ``mediaType``, ``digest``, ``size``. Its manifest may be missing yet.
    :returns: the artefact's digest. :raises DomainError: as ``Registry.request``.
    """
    layers = []
    for name, content in sorted(documents.items()):
        upload(registry, content_digest(content), content)
        layers.append({"mediaType": KINDS[name], "digest": content_digest(content), "size": len(content), "annotations": {TITLE: name}})
    upload(registry, content_digest(EMPTY), EMPTY)
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": OCI, "artifactType": ARTIFACT,
        "config": {"mediaType": EMPTY_KIND, "digest": content_digest(EMPTY), "size": len(EMPTY)},
        "layers": layers, "subject": dict(image), "annotations": {BY: by} if by else {}}, sort_keys=True, separators=(",", ":")).encode()
    registry.request("PUT", "/manifests/" + tag_of(str(image["digest"]), "build"), "pull,push", data=manifest, headers={"Content-Type": OCI}).close()
    return content_digest(manifest)


def signed_by(registry: Registry, digest: str) -> str | None:
    """Whose signed documents lie beside an image; empty where they are not signed, None where there are none. One request."""
    manifest = _manifest(registry, tag_of(digest, "build"))
    return None if manifest is None else str((manifest.get("annotations") or {}).get(BY, ""))


def fetch_attached(image: Reference, username: str | None = None, password: str | None = None, ca_path: str | None = None, timeout: float = 30.0) -> Attached:
    """The same of an image whose registry is not open yet. :param timeout: seconds for all of it."""
    with Registry(image, username or "", password or "", ca_path or "", timeout) as registry:
        return fetch(registry, image.digest)


def fetch(registry: Registry, digest: str) -> Attached:
    """Everything beside an image, as it is found: whom to believe is another matter.

    :raises DomainError: as ``Registry.get``; ``release_damaged`` where content and digest differ.
    """
    build, cosign = (_manifest(registry, tag_of(digest, what)) for what in ("build", "sig"))
    documents = {}
    for layer in _layers(build):
        name = str((layer.get("annotations") or {}).get(TITLE, ""))
        if name in KINDS:
            documents[name] = _blob(registry, layer)
    by = str(((build or {}).get("annotations") or {}).get(BY, ""))
    return Attached(documents, by, tuple(
        (_blob(registry, layer), str((layer.get("annotations") or {}).get(COSIGN_SIGNATURE, "")))
        for layer in list(_layers(cosign))[:MOST_SIGNATURES] if layer.get("mediaType") == COSIGN))


def _manifest(registry: Registry, tag: str) -> dict[str, Any] | None:
    try:
        body, _headers = registry.get("/manifests/" + tag, MANIFEST_LIMIT, (OCI,))
    except DomainError as error:
        if error.code == "release_not_found":
            return None
        raise
    try:
        value = json.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise registry.error("release_damaged", f"what lies under the tag {tag} is no manifest")
    return value


def _layers(manifest: Mapping[str, Any] | None) -> Iterator[Mapping[str, Any]]:
    layers = (manifest or {}).get("layers")
    for layer in layers if isinstance(layers, list) else ():
        if isinstance(layer, dict) and isinstance(layer.get("annotations") or {}, dict):
            yield layer


def _blob(registry: Registry, layer: Mapping[str, Any]) -> bytes:
    digest = str(layer.get("digest"))
    if not _DIGEST.fullmatch(digest):
        raise registry.error("release_damaged", f"a document beside {registry.reference} has no digest")
    body, _headers = registry.get("/blobs/" + digest, LAYER_LIMIT)
    if content_digest(body) != digest:
        raise registry.error("release_damaged", f"a document beside {registry.reference} has another digest than its manifest names")
    return body
