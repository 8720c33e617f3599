# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build says of its image: an in-toto statement with SLSA's provenance (https://slsa.dev/spec/v1.0/provenance) and one with the SBOM.

It has the form of SLSA. It claims no level: who has root on the builder can sign anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._governance.statements import BILL, PROVENANCE, statement
from .._kernel.plan import digest_of
from .record import Reference, parse_reference

BUILD_TYPE = "urn:sysgenpro:odoo-image:1"
BUILDER = "urn:sysgenpro:builder:"
SBOM = "sbom.cdx.json"


@dataclass(frozen=True)
class Build:
    """How an image came to be.

    :param builder: name of the host that built it. :param versions: of what took part, by name.
    :param materials: what ``odoo_source`` saw of the add-ons: by name, ``digest`` and of those from Git ``signed_by``, ``key``, ``reviewed``, ``signers``.
    :param began: and :param ended: moments, ISO 8601 in UTC.
    :param afterwards: whether the image was there already, so that the builder did not see it made.
    """

    builder: str
    versions: Mapping[str, str]
    materials: Mapping[str, Mapping[str, Any]]
    began: str
    ended: str
    afterwards: bool = False


def statements(image: Reference, source: Mapping[str, Any], sbom: Mapping[str, Any], build: Build) -> dict[str, dict[str, Any]]:
    """``provenance`` and ``sbom``, each a statement about this very image. The first names the digest of the second's content.

    :param source: the resolved source, as the image's record has it.
    """
    subject = {f"{image.registry}/{image.repository}": image.digest}
    predicate = {
        "buildDefinition": {
            "buildType": BUILD_TYPE, "externalParameters": {"source": dict(source)}, "internalParameters": {"afterwards": build.afterwards},
            "resolvedDependencies": list(_materials(source, build.materials)),
        },
        "runDetails": {
            "builder": {"id": BUILDER + build.builder, "version": dict(build.versions)},
            "metadata": {"invocationId": digest_of([image.digest, build.builder, build.began])[7:39], "startedOn": build.began, "finishedOn": build.ended},
            "byproducts": [{"name": SBOM, "mediaType": "application/vnd.cyclonedx+json", "digest": _digest(digest_of(sbom))}],
        },
    }
    return {"provenance": statement(PROVENANCE, subject, predicate), "sbom": statement(BILL, subject, sbom)}


def _materials(source: Mapping[str, Any], seen: Mapping[str, Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    base = parse_reference(source["base"])
    yield {"name": "base", "uri": f"oci://{base}", "digest": _digest(base.digest)}
    if source["python_lock"]:
        yield {"name": "python_lock", "digest": _digest(source["python_lock"])}
    for addon in source["addons"]:
        more = seen.get(addon["name"]) or {}
        if addon.get("commit"):
            yield {"name": addon["name"], "uri": f"git+{addon['url']}@{addon['commit']}",
                   "digest": {"gitCommit": addon["commit"], **(_digest(more["digest"]) if more.get("digest") else {})},
                   "annotations": {key: more.get(key) for key in ("signed_by", "key", "reviewed", "signers")}}
        else:
            yield {"name": addon["name"], "digest": _digest(addon["digest"])}


def _digest(text: str) -> dict[str, str]:
    return {"sha256": text.partition(":")[2]}
