# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making an image out of a base image's layers and a few more, in the registry, by the HTTP API V2.

No builder's clock, cache or version takes part: the same layers and settings give the same image digest. The base's
layers are mounted from where they lie in the same registry, or copied from another, and never unpacked.
"""

from __future__ import annotations

import copy
import hashlib
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urljoin

from .._kernel.errors import DomainError
from .layers import layer_digests
from .record import Reference
from .registry import MANIFEST_LIMIT, MANIFESTS, Registry, fetch_manifest

CREATED = "2020-01-01T00:00:00Z"  # of every image: a real moment would make equal images differ
_DOCKER, _OCI = MANIFESTS
_LAYER = {
    _DOCKER: "application/vnd.docker.image.rootfs.diff.tar.gzip",
    _OCI: "application/vnd.oci.image.layer.v1.tar+gzip",
}
_CONFIG = {
    _DOCKER: "application/vnd.docker.container.image.v1+json",
    _OCI: "application/vnd.oci.image.config.v1+json",
}


def find_tag(registry: Registry, tag: str) -> str:
    """The image digest a tag names, or an empty text. One request."""
    headers = {"Accept": ", ".join(MANIFESTS)}
    try:
        with registry.request("HEAD", "/manifests/" + tag, headers=headers) as response:
            return str(response.headers.get("Docker-Content-Digest", ""))
    except DomainError as error:
        if error.code == "release_not_found":
            return ""
        raise


def push_image(
    target: Registry,
    base: Registry,
    layers: Sequence[tuple[str, str]],
    settings: Mapping[str, Any],
    tag: str,
    before: Callable[[Reference, Mapping[str, Any]], None] = lambda reference, descriptor: None,
) -> Reference:
    """Put an image together and push it.

    :param layers: (path of a tar.gz of this host, what made it) in order, above the base's layers.
    :param settings: ``labels`` and ``env`` (``{name: value}``) that come on top of the base's.
    :param tag: keeps the image from being swept out of the registry; nobody names the image by it.
    :param before: called with the image's reference and descriptor before anybody can find the image, so that no image is without what it puts beside it.
    :raises DomainError: as ``Registry.request``.
    """
    manifest = fetch_manifest(base, base.reference.digest)
    kind = manifest.get("mediaType") or _OCI
    body, _headers = base.get("/blobs/" + manifest["config"]["digest"], MANIFEST_LIMIT)
    config = json.loads(body)
    for descriptor in manifest["layers"]:
        _provide(target, base, descriptor)
    described = []
    for path, _why in layers:
        stored, inner, size = layer_digests(path)
        _upload_file(target, path, stored)
        described.append({"mediaType": _LAYER[kind], "size": size, "digest": stored})
        config.setdefault("rootfs", {"type": "layers"}).setdefault("diff_ids", []).append(inner)
    content = _bytes(_configured(config, settings, [why for _path, why in layers]))
    digest = "sha256:" + hashlib.sha256(content).hexdigest()
    upload(target, digest, content)
    document = _bytes(
        {
            "schemaVersion": 2,
            "mediaType": kind,
            "config": {"mediaType": _CONFIG[kind], "size": len(content), "digest": digest},
            "layers": [*manifest["layers"], *described],
        }
    )
    reference = Reference(target.reference.registry, target.reference.repository, "sha256:" + hashlib.sha256(document).hexdigest())
    before(reference, {"mediaType": kind, "digest": reference.digest, "size": len(document)})
    target.request("PUT", "/manifests/" + tag, "pull,push", data=document, headers={"Content-Type": kind}).close()
    return reference


def _configured(base: Mapping[str, Any], settings: Mapping[str, Any], history: Sequence[str]) -> dict[str, Any]:
    config = copy.deepcopy(dict(base))
    config["created"] = CREATED
    for name in ("container", "container_config", "docker_version", "author"):
        config.pop(name, None)
    inner = config["config"] = dict(config.get("config") or {})
    inner["Labels"] = {**(inner.get("Labels") or {}), **settings["labels"]}
    environment = dict(item.split("=", 1) for item in inner.get("Env") or [] if "=" in item)
    inner["Env"] = [f"{name}={value}" for name, value in sorted({**environment, **settings["env"]}.items())]
    inner.pop("Image", None)
    config["history"] = [*(config.get("history") or []), *({"created": CREATED, "created_by": why} for why in history)]
    return config


def _provide(target: Registry, base: Registry, descriptor: Mapping[str, Any]) -> None:
    digest = descriptor["digest"]
    if _has(target, digest):
        return
    same = target.reference.registry == base.reference.registry
    query = "?" + urlencode({"mount": digest, "from": base.reference.repository}) if same else ""
    with target.request("POST", "/blobs/uploads/" + query, "pull,push") as response:
        if response.status_code == 201:
            return
        place = _place(response, digest)
    with tempfile.TemporaryFile() as spool:
        base.download("/blobs/" + digest, digest, spool)
        spool.seek(0)
        headers = {"Content-Type": "application/octet-stream"}
        target.request("PUT", place, "pull,push", data=spool, headers=headers).close()


def _upload_file(target: Registry, path: str, digest: str) -> None:
    if not _has(target, digest):
        with open(path, "rb") as stream:
            upload(target, digest, stream)


def upload(target: Registry, digest: str, data: Any) -> None:
    """A blob, where it is not there yet."""
    if isinstance(data, bytes) and _has(target, digest):
        return
    with target.request("POST", "/blobs/uploads/", "pull,push") as response:
        place = _place(response, digest)
    headers = {"Content-Type": "application/octet-stream"}
    target.request("PUT", place, "pull,push", data=data, headers=headers).close()


def _has(registry: Registry, digest: str) -> bool:
    try:
        registry.request("HEAD", "/blobs/" + digest).close()
    except DomainError as error:
        if error.code == "release_not_found":
            return False
        raise
    return True


def _place(response: Any, digest: str) -> str:
    place: str = urljoin(response.url, response.headers["Location"])
    return place + ("&" if "?" in place else "?") + urlencode({"digest": digest})


def _bytes(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
