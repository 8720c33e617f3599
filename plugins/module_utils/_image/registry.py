# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reading a release from a registry by the HTTP API V2, before anything is pulled.

Three requests, each checked against the digest it was asked by: manifest, configuration, last layer.
Protocol: https://distribution.github.io/distribution/spec/api/ ; media types: the image specifications of Docker
(manifest v2, schema 2) and OCI.
"""

from __future__ import annotations

import hashlib
import io
import ipaddress
import json
import re
import tarfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

from .._kernel.errors import DomainError
from .._kernel.wait import Deadline
from .record import Reference, Release, parse_record, parse_reference

try:
    import requests
except ImportError:  # said in connect(), so that a module can be documented and planned without it
    requests = None  # type: ignore[assignment,unused-ignore]

RECORD_PATH = "usr/share/sysgenpro/release.json"
RECORD_LABEL = "org.sysgenpro.record"
SERIES_LABEL = "org.sysgenpro.series"

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)
INDEXES = (
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)
# Bounds, so that a wrong digest or a hostile registry cannot fill the memory: a manifest is a few KiB; the record of
# 632 modules has 0.4 MiB and is a layer of its own.
MANIFEST_LIMIT = 4 * 1024 * 1024
LAYER_LIMIT = 16 * 1024 * 1024
UNPACKED_LIMIT = 64 * 1024 * 1024

_CHALLENGE = re.compile(r'([a-z_]+)="([^"]*)"')


class Registry:
    """One registry, one repository, one session: authentication, bounds and errors in one place.

    :param reference: what to talk about; its digest is what errors name.
    :param ca_path: CA bundle for the registry's certificate; empty means the system's.
    :param timeout: seconds for all requests of this object together.
    """

    def __init__(
        self, reference: Reference, username: str = "", password: str = "", ca_path: str = "", timeout: float = 30.0
    ) -> None:
        if requests is None:
            raise DomainError(
                "library_missing",
                "the Python library requests is missing",
                advice="Install python3-requests on this host",
            )
        self.reference = reference
        self.base = f"{_scheme(reference.registry, ca_path)}://{reference.registry}/v2/{reference.repository}"
        self._deadline = Deadline(timeout)
        self._session = requests.Session()
        self._session.verify = ca_path or True
        self._basic = (username, password) if username else None
        if self._basic:
            self._session.auth = self._basic

    def __enter__(self) -> Registry:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._session.close()

    def get(
        self, path: str, limit: int, accept: tuple[str, ...] = (), actions: str = "pull"
    ) -> tuple[bytes, Mapping[str, str]]:
        """The body and headers of one document of at most ``limit`` bytes.

        :raises DomainError: ``registry_unreachable``, ``registry_denied``, ``release_not_found``, ``release_damaged``.
        """
        response = self.request(
            "GET", path, headers={"Accept": ", ".join(accept)} if accept else {}, stream=True, actions=actions
        )
        with response:
            body = bytearray()
            try:
                for block in response.iter_content(65536):
                    body += block
                    if len(body) > limit:
                        raise self.error("release_damaged", f"{path} is longer than {limit} bytes")
                    self._check_time()
            except requests.RequestException as error:
                raise self._unreachable(error) from error
            return bytes(body), response.headers

    def download(self, path: str, digest: str, target: IO[bytes]) -> None:
        """Write a blob of any size to a file. :raises DomainError: as ``get``, when it is not the one asked for."""
        total = hashlib.sha256()
        with self.request("GET", path, stream=True) as response:
            try:
                for block in response.iter_content(1 << 20):
                    total.update(block)
                    target.write(block)
                    self._check_time()
            except requests.RequestException as error:
                raise self._unreachable(error) from error
        if "sha256:" + total.hexdigest() != digest:
            raise self.error("release_damaged", f"{path} of {self.reference.registry} has another digest")

    def request(self, method: str, path: str, actions: str = "pull", **arguments: Any) -> Any:
        """One request; a bearer token is fetched once, when the registry asks for it.

        :raises DomainError: ``registry_unreachable``, ``registry_denied``, ``release_not_found``.
        """
        url = path if "://" in path else self.base + path
        response = self._send(method, url, **arguments)
        challenge = response.headers.get("WWW-Authenticate", "")
        if response.status_code == 401 and challenge.lower().startswith("bearer "):
            response.close()
            self._log_in(dict(_CHALLENGE.findall(challenge)), actions)
            response = self._send(method, url, **arguments)
        return self._checked(response)

    def _send(self, method: str, url: str, **arguments: Any) -> Any:
        self._check_time()
        try:
            return self._session.request(method, url, timeout=max(0.1, self._deadline.left), **arguments)
        except requests.RequestException as error:
            raise self._unreachable(error) from error

    def _log_in(self, challenge: Mapping[str, str], actions: str) -> None:
        """Token authentication as https://distribution.github.io/distribution/spec/auth/token/ describes it."""
        realm = challenge.get("realm", "")
        if not realm.startswith("https://") and not self.base.startswith("http://"):
            raise self.error("registry_denied", f"the registry sends the login to {realm!r}, which is not https")
        scope = challenge.get("scope") or f"repository:{self.reference.repository}:{actions}"
        query = {"service": challenge.get("service", ""), "scope": scope}
        self._session.auth = None
        self._session.headers.pop("Authorization", None)
        self._check_time()
        try:
            response = requests.get(
                realm,
                params=query,
                auth=self._basic,
                verify=self._session.verify,
                timeout=max(0.1, self._deadline.left),
            )
            answer = self._checked(response).json()
        except (requests.RequestException, ValueError) as error:
            raise self._unreachable(error) from error
        token = (answer.get("token") or answer.get("access_token")) if isinstance(answer, dict) else None
        if not isinstance(token, str):
            raise self.error("registry_denied", f"the token service {realm} gave no token")
        self._session.auth = _Bearer(token)

    def _checked(self, response: Any) -> Any:
        status = response.status_code
        if status < 400:
            return response
        said = _said(response)
        response.close()
        if status in (401, 403):
            raise self.error(
                "registry_denied",
                f"the registry {self.reference.registry} refused ({status}{said})",
                f"Check the registry's user name and password, and that the user may use {self.reference.repository}",
            )
        if status == 404:
            raise self.error(
                "release_not_found",
                f"the registry {self.reference.registry} does not have {self.reference}{said}",
                "Check the digest against the releases file, or build the release",
            )
        raise self.error(
            "registry_unreachable",
            f"the registry {self.reference.registry} answered {status}{said}",
            "Look at the registry's log",
        )

    def _check_time(self) -> None:
        if self._deadline.passed:
            raise self.error(
                "registry_unreachable",
                f"the registry {self.reference.registry} did not answer within {self._deadline.seconds:g} s",
                "Check that it runs and can be reached from this host",
            )

    def _unreachable(self, error: Exception) -> DomainError:
        advice = "Check that it runs and can be reached from this host"
        if isinstance(error, requests.exceptions.SSLError):
            advice = "Check its certificate and the CA bundle given for it"
        return self.error(
            "registry_unreachable", f"the registry {self.reference.registry} cannot be reached: {error}", advice
        )

    def error(self, code: str, message: str, advice: str = "") -> DomainError:
        return DomainError(code, message, unchanged="Nothing was changed", advice=advice, reference=str(self.reference))


def fetch_record(
    reference: str | Reference,
    username: str | None = None,
    password: str | None = None,
    ca_path: str | None = None,
    timeout: float = 30.0,
) -> Release:
    """Know a release by three requests.

    Plain HTTP is spoken only to this host's own loopback and only without ``ca_path``, as Docker itself does it.

    :param reference: ``registry/repository@sha256:…``.
    :param timeout: seconds for all of it.
    :raises DomainError: ``not_a_digest``, ``registry_unreachable``, ``registry_denied``, ``release_not_found``,
        ``release_damaged`` (content and digest differ), ``not_a_release`` (an image without a record),
        ``malformed_record``.
    """
    named = reference if isinstance(reference, Reference) else parse_reference(reference)
    with Registry(named, username or "", password or "", ca_path or "", timeout) as registry:
        manifest = fetch_manifest(registry, named.digest)
        config = _json(registry, _blob(registry, manifest.get("config"), MANIFEST_LIMIT), "configuration")
        expected = _labels(config).get(RECORD_LABEL, "")
        if not expected:
            raise _no_release(registry, f"it has no label {RECORD_LABEL}")
        layer = (manifest.get("layers") or [None])[-1]
        content = read_record_layer(registry, _blob(registry, layer, LAYER_LIMIT))
        if content_digest(content) != expected:
            raise registry.error("release_damaged", f"the record in {named} is not the one its label names")
        return Release(named.digest, str(named), parse_record(content))


def fetch_manifest(registry: Registry, digest: str) -> dict[str, Any]:
    """The image manifest with this digest.

    :raises DomainError: as ``fetch_record``; ``not_a_release`` for a multi-architecture index.
    """
    body, headers = registry.get("/manifests/" + digest, MANIFEST_LIMIT, MANIFESTS + INDEXES)
    _verify(registry, body, digest, "manifest")
    manifest = _json(registry, body, "manifest")
    kind = manifest.get("mediaType") or headers.get("Content-Type", "").split(";")[0]
    if kind in INDEXES or "manifests" in manifest:
        found = [
            "{} {}".format((entry.get("platform") or {}).get("architecture"), entry.get("digest"))
            for entry in manifest.get("manifests", [])
        ]
        raise registry.error(
            "not_a_release",
            "{} is an index of images for several architectures ({})".format(registry.reference, ", ".join(found)),
            "Name the digest of the image for the machines' architecture",
        )
    if kind not in MANIFESTS:
        raise registry.error("not_a_release", f"{registry.reference} has a manifest of the unknown kind {kind!r}")
    return manifest


def read_record_layer(registry: Registry, blob: bytes) -> bytes:
    """The record's bytes from a layer, gzipped or not. :raises DomainError: ``not_a_release``."""
    if blob[:2] == b"\x1f\x8b":
        try:
            unpacker = zlib.decompressobj(wbits=31)
            blob = unpacker.decompress(blob, UNPACKED_LIMIT)
        except zlib.error as error:
            raise registry.error("release_damaged", f"the last layer cannot be unpacked: {error}") from error
        if unpacker.unconsumed_tail:
            raise _no_release(registry, "its last layer is too large to be a record")
    try:
        with tarfile.open(fileobj=io.BytesIO(blob), mode="r:") as archive:
            for member in archive:
                if member.name.lstrip("./") == RECORD_PATH and member.isfile():
                    stream = archive.extractfile(member)
                    return stream.read() if stream else b""
    except tarfile.TarError as error:
        raise _no_release(registry, f"its last layer is no tar archive ({error})") from error
    raise _no_release(registry, f"its last layer does not hold {RECORD_PATH}")


class _Bearer(requests.auth.AuthBase if requests else object):  # type: ignore[misc,unused-ignore]
    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = "Bearer " + self._token
        return request


def _blob(registry: Registry, descriptor: Any, limit: int) -> bytes:
    digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
    size = descriptor.get("size") if isinstance(descriptor, dict) else None
    if not isinstance(digest, str) or not re.fullmatch("sha256:[0-9a-f]{64}", digest) or not isinstance(size, int):
        raise _no_release(registry, "its manifest names no configuration or no layer")
    if size > limit:
        raise _no_release(registry, f"its last layer is too large ({size} bytes) to be a record")
    body, _headers = registry.get("/blobs/" + digest, limit)
    _verify(registry, body, digest, "blob")
    return body


def _verify(registry: Registry, body: bytes, digest: str, what: str) -> None:
    if content_digest(body) != digest:
        raise registry.error(
            "release_damaged",
            f"the {what} that {registry.reference.registry} sent for {digest} has another digest",
            "The registry's storage is damaged or something between it and this host changes the content",
        )


def _json(registry: Registry, body: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(body.decode("utf-8"))
    except ValueError as error:
        raise registry.error("not_a_release", f"the {what} of {registry.reference} is no JSON") from error
    if not isinstance(value, dict):
        raise registry.error("not_a_release", f"the {what} of {registry.reference} is no JSON object")
    return value


def _labels(config: Mapping[str, Any]) -> Mapping[str, str]:
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    return labels if isinstance(labels, dict) else {}


def _no_release(registry: Registry, why: str) -> DomainError:
    return registry.error(
        "not_a_release",
        f"{registry.reference} is an image, but no release: {why}",
        "Build releases with the role odoo_image; a base image alone cannot be released",
    )


def _said(response: Any) -> str:
    """What a registry's error body says, in a few words."""
    try:
        errors = response.json().get("errors") or []
        return ", " + "; ".join("{}: {}".format(e.get("code"), e.get("message")) for e in errors[:3]) if errors else ""
    except (ValueError, AttributeError, requests.RequestException):
        return ""


def _scheme(host: str, ca_path: str) -> str:
    name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
    try:
        loopback = ipaddress.ip_address(name.strip("[]")).is_loopback
    except ValueError:
        loopback = name == "localhost"
    return "http" if loopback and not ca_path else "https"


def content_digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
