# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Building a release: from a resolved source to an image in the registry, once."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.plan import Plan, Step, canonical_json, digest_of
from . import attached
from .base_cache import BaseCache
from .container import BuildContainer, companions
from .describing import Describing
from .installing import left_out, obstacle
from .layers import single_file_layer
from .publish import find_tag, push_image
from .record import FORMAT, Record, Reference, Release, parse_record, parse_reference
from .registry import (
    MANIFEST_LIMIT,
    MANIFESTS,
    RECORD_LABEL,
    RECORD_PATH,
    SERIES_LABEL,
    Registry,
    content_digest,
    fetch_record,
)

try:
    import docker
except ImportError:
    docker = None  # type: ignore[assignment,unused-ignore]


class ImageBuild:
    """What ``odoo_image`` does.

    :param params: the module's parameters.

    An image that was built from an equal source lies under the tag ``source-<its digest>``; then nothing is to be done,
    and that took four requests to the registry, with a key one more, and none to Docker.
    """

    writes = True

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.params = params
        self.source: dict[str, Any] = dict(params["source"])
        self.digest = digest_of(self.source)
        self.tag = "source-" + self.digest.split(":")[1]
        self.base = parse_reference(self.source["base"])
        self.release: Release | None = None
        self.describing = Describing(params)

    def plan(self) -> Plan:
        with self._registry() as registry:
            found = find_tag(registry, self.tag)
            signed = not self.describing.by or (found and attached.signed_by(registry, found) == self.describing.by)
        if found:
            self.release = self._fetch(found)
        describe = Step("describe", f"look into the image, and sign what is in it as {self.describing.by}")
        steps = self._steps() if not self.release else () if signed else (describe,)
        after = {"name": self.source["name"], "source": self.digest, "built": True, **({"signed_by": self.describing.by} if self.describing.by else {})}
        before = {**after, "built": bool(found), **({"signed_by": self.describing.by if signed else ""} if self.describing.by else {})}
        return Plan(steps, before, after, {"source": self.digest, "steps": [s.name for s in steps]})

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        if self.release:
            self._describe(self.release, timings)
            return {}
        archive = self.params["archive"]
        if not archive or not os.path.isfile(archive):
            raise DomainError(
                "archive_missing",
                f"archive should be a file with the source's add-ons, and {archive!r} is none",
                unchanged="Nothing was built",
                advice="Make it with odoo_source on the controller and copy it to the builder",
            )
        work = tempfile.mkdtemp(prefix="sysgenpro-build-")
        try:
            self.release = self._build(archive, work, timings)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        return {}

    def facts(self) -> Mapping[str, Any]:
        release = self.release
        return {
            "source_digest": self.digest,
            "reference": release.reference if release else "",
            "release": release.id if release else "",
            "series": self.source["series"],
            "modules": len(release.record.modules) if release else 0,
            "notes": list(release.record.raw.get("notes", [])) if release else [],
            "signer": self.describing.line,
        }

    def _steps(self) -> tuple[Step, ...]:
        steps = [Step("pull", f"pull the base image {self.base}")]
        if self.source["system_packages"]:
            steps.append(
                Step("system_packages", "install {}".format(", ".join(sorted(self.source["system_packages"]))))
            )
        if self.source["python_lock"]:
            steps.append(Step("python_lock", "install the Python lock"))
        steps.append(Step("digests", "take the modules' digests"))
        signed = f", signed as {self.describing.by}" if self.describing.by else ""
        steps.append(Step("push", f"push the image to {self.params['registry']}/{self.params['repository']}, with SBOM and provenance{signed}"))
        return tuple(steps)

    def _build(self, archive: str, work: str, timings: dict[str, float]) -> Release:
        client = _docker()
        self._timed(timings, "pull", lambda: self._pull(client, self.base))
        installs = bool(self.source["system_packages"] or self.source["python_lock"])
        layers = []
        name = "sysgenpro-build-" + self.digest.split(":")[1][:12]
        mounts = [(mount["source"], mount["target"]) for mount in self.params["mounts"]]
        network = self.params["network"] if installs else "none"
        with BuildContainer(client, str(self.base), name, network, mounts, self.params["environment"], self.source["command"]) as container:
            base = self._timed(timings, "base", lambda: self._read_base(container))
            if self.source["system_packages"]:
                packages = self.source["system_packages"]
                self._timed(timings, "system_packages", lambda: container.install_packages(packages))
            if self.source["python_lock"]:
                self._timed(timings, "python_lock", lambda: container.install_python(self.params["lock"]))
            if installs:
                layer = os.path.join(work, "system.tar.gz")
                container.changes_layer(layer)
                layers.append((layer, "system packages and Python lock"))
            container.unpack(archive)
            layers.append((archive, "add-ons"))
            content = self._timed(timings, "digests", lambda: self._record(container, base))
            path = container.python_path
            contents = self._timed(timings, "contents", lambda: container.contents(self._places))
        layer = os.path.join(work, "record.tar.gz")
        single_file_layer(layer, RECORD_PATH, content)
        layers.append((layer, "release record"))
        record = parse_record(content)
        docker_version = str(client.version().get("Version", ""))

        def describe(target: Registry, image: Reference, descriptor: Mapping[str, Any]) -> None:
            attached.push(target, descriptor, self.describing.documents(image, record.raw, contents, docker_version), self.describing.by)

        reference = self._timed(timings, "push", lambda: self._push(layers, content, path, describe))
        return Release(reference.digest, str(reference), record)

    @property
    def _places(self) -> list[str]:
        return ["/" + addon["place"] for addon in self.source["addons"]]

    def _describe(self, release: Release, timings: dict[str, float]) -> None:
        """Of an image that is there: it is looked into as it is, and the statement says that the builder did not see it made."""
        client, image = _docker(), parse_reference(release.reference)
        self._timed(timings, "pull", lambda: self._pull(client, image))
        name = "sysgenpro-describe-" + image.digest.split(":")[1][:12]
        with BuildContainer(client, str(image), name, "none", [], {}, self.source["command"]) as container:
            contents = self._timed(timings, "contents", lambda: container.contents(self._places))
        documents = self.describing.documents(image, release.record.raw, contents, str(client.version().get("Version", "")), afterwards=True)
        with self._registry() as registry:
            body, headers = registry.get("/manifests/" + image.digest, MANIFEST_LIMIT, MANIFESTS)
            attached.push(registry, {"mediaType": headers.get("Content-Type", ""), "digest": image.digest, "size": len(body)}, documents, self.describing.by)

    def _read_base(self, container: BuildContainer) -> bytes:
        """What is kept of the base's modules; read now if nothing is, since nothing is installed yet."""
        if not self.params["cache"]:
            return b""
        cache = BaseCache(self.params["cache"], self.base.digest, companions())
        found = cache.read()
        if not found:
            found = container.read_base()
            if found:
                cache.write(found)
        return found

    def _record(self, container: BuildContainer, base: bytes) -> bytes:
        said = container.describe(self._places, base)
        if said["series"] != self.source["series"]:
            raise DomainError(
                "wrong_series",
                f"the source says series {self.source['series']}, the base image holds Odoo {said['series']}",
                unchanged="Nothing was pushed",
                advice="Correct series or base in the release source",
            )
        container.run(["test", "-x", self.source["command"][0]], "command")
        redis = "python3-redis (sessions need it: add it to system_packages, or redis to the Python lock)"
        container.run([container.python, "-c", "import redis"], redis, {"PYTHONPATH": container.python_path})
        record = {
            "format": FORMAT,
            "series": said["series"],
            "digests": said["digests"],
            "source": self.source,
            "addons_path": said["addons_path"],
            "command": self.source["command"],
            "wkhtmltopdf": container.wkhtmltopdf(),
            "packages": container.packages(),
            "languages": said["languages"],
            "modules": said["modules"],
        }
        record["notes"] = sorted([*said["notes"], *notes_of(Record.parse({**record, "notes": []}))])
        return canonical_json(record).encode()

    def _push(self, layers: list[tuple[str, str]], content: bytes, path: str, describe: Callable[[Registry, Reference, Mapping[str, Any]], None]) -> Reference:
        environment = {"PYTHONPATH": path} if self.source["python_lock"] else {}
        labels = {RECORD_LABEL: content_digest(content), SERIES_LABEL: self.source["series"]}
        with self._registry() as target, self._base_registry() as base:
            return push_image(target, base, layers, {"labels": labels, "env": environment}, self.tag,
                              lambda image, descriptor: describe(target, image, descriptor))

    def _pull(self, client: Any, image: Reference) -> None:
        try:
            client.images.get(str(image))
            return
        except docker.errors.ImageNotFound:
            pass
        login = None
        if self.params["username"] and image.registry == self.params["registry"]:
            login = {"username": self.params["username"], "password": self.params["password"]}
        try:
            client.images.pull(f"{image.registry}/{image.repository}", tag=image.digest, auth_config=login)
        except docker.errors.APIError as error:
            raise DomainError(
                "base_missing",
                f"the image {image} cannot be pulled: {error.explanation or error}",
                unchanged="Nothing was built",
                advice="Push the base image first, and let the builder's Docker trust the registry",
            ) from error

    def _registry(self) -> Registry:
        named = Reference(self.params["registry"], self.params["repository"], self.digest)
        return self._open(named, own=True)

    def _base_registry(self) -> Registry:
        return self._open(self.base, own=self.base.registry == self.params["registry"])

    def _open(self, reference: Reference, own: bool) -> Registry:
        params = self.params
        username, password = (params["username"] or "", params["password"] or "") if own else ("", "")
        return Registry(reference, username, password, params["ca_path"] or "", float(params["timeout"]))

    def _fetch(self, digest: str) -> Release:
        params = self.params
        name = Reference(params["registry"], params["repository"], digest)
        release = fetch_record(name, params["username"], params["password"], params["ca_path"])
        if release.record.source != self.source:
            raise DomainError(
                "release_damaged",
                f"{name} lies under the tag {self.tag} and was built from another source",
                unchanged="Nothing was built",
                advice="Somebody moved that tag: remove it from the registry, then build again",
            )
        return release

    @staticmethod
    def _timed(timings: dict[str, float], name: str, work: Any) -> Any:
        started = time.monotonic()
        try:
            return work()
        finally:
            timings[name] = round(time.monotonic() - started, 3)


def notes_of(record: Record) -> list[str]:
    """What is odd about modules, seen from each other: those that cannot be installed, and those of them that Odoo tries to install all the same."""
    automatic = left_out(record)
    found = []
    for name, module in sorted(record.modules.items()):
        why = obstacle(record, name) if module.installable else ""
        if why:
            found.append(f"{name}: {why}" + ("; it installs itself, and is left out of new databases" if name in automatic else ""))
        if module.lacks:
            found.append("{}: asks for {}, which the image has not".format(name, ", ".join(module.lacks)))
    return found


def _docker() -> Any:
    if docker is None:
        raise DomainError("library_missing", "the Python library docker is missing", advice="Install python3-docker")
    try:
        return docker.from_env(version="auto", timeout=600)
    except docker.errors.DockerException as error:
        raise DomainError(
            "docker_unreachable",
            f"Docker cannot be reached on this builder: {error}",
            unchanged="Nothing was built",
            advice="Start Docker, and run this as a user that may use it",
        ) from error
