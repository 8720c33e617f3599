# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SBOM of an image: CycloneDX 1.6 in JSON (https://cyclonedx.org/docs/1.6/json/), made from what was found in the image itself.

Written as plain data, since modules run with the Python of a machine and nothing of PyPI; a test holds it against the official schema.
Package URLs: https://github.com/package-url/purl-spec.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from .record import Reference

FORMAT = "1.6"
TOOL = "sysgenpro.odoo"


def bill(image: Reference, record: Mapping[str, Any], contents: Mapping[str, Any], at: str) -> dict[str, Any]:
    """:param record: the image's release record. :param contents: what ``contents.py`` said in the image. :param at: the moment, ISO 8601 in UTC."""
    subject = purl("oci", image.repository.rpartition("/")[2], image.digest, {"repository_url": f"{image.registry}/{image.repository}"})
    components = [*_system(contents["system"]), _odoo(contents, record), *_debian(contents), *_python(contents["python"]),
                  *_addons(record, contents["modules"])]
    for number, one in enumerate(components):  # bom-ref has to be unique; two packages may share a purl
        one["bom-ref"] = f"{number}-{one['name']}"
    return {
        "bomFormat": "CycloneDX", "specVersion": FORMAT, "version": 1, "serialNumber": f"urn:uuid:{uuid.uuid4()}",
        "metadata": {"timestamp": at, "tools": {"components": [{"type": "application", "name": TOOL}]},
                     "component": {"type": "container", "bom-ref": subject, "name": f"{image.registry}/{image.repository}", "version": image.digest,
                                   "purl": subject}},
        "components": components,
        "dependencies": [{"ref": subject, "dependsOn": [one["bom-ref"] for one in components]}],
    }


def purl(kind: str, name: str, version: str, qualifiers: Mapping[str, str] | None = None, namespace: str = "") -> str:
    """``pkg:kind/namespace/name@version?qualifiers``."""
    path = "/".join(quote(part, safe="") for part in [*filter(None, namespace.split("/")), name])
    further = "&".join(f"{key}={quote(value, safe='/:')}" for key, value in sorted((qualifiers or {}).items()) if value)
    return f"pkg:{kind}/{path}@{quote(version, safe='')}" + (f"?{further}" if further else "")


def _system(found: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    if found.get("id"):
        yield {"type": "operating-system", "name": found["id"], **({"version": found["version_id"]} if found.get("version_id") else {}),
               **({"description": found["pretty_name"]} if found.get("pretty_name") else {})}


def _odoo(contents: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Odoo with the modules that are not of the source's add-ons, below it. Its commit is said where its source is a checkout, and else not known."""
    found, others = contents["odoo"], {name for names in contents["modules"].values() for name in names}
    own = sorted(set(record["modules"]) - others)
    commit = found.get("commit") or ""
    return {
        "type": "application", "name": "odoo", "version": found["version"],
        "purl": purl("generic", "odoo", found["version"], {"vcs_url": f"git+https://github.com/odoo/odoo@{commit}" if commit else ""}),
        **({"pedigree": {"commits": [{"uid": commit}]}} if commit else {}),
        "properties": [{"name": "sysgenpro:commit", "value": commit or "unknown: the base image has no checkout of Odoo"}],
        "components": [{"type": "library", "bom-ref": f"odoo-module-{name}", "name": name, "version": str(record["modules"][name]["version"])} for name in own],
    }


def _debian(contents: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    system = contents["system"]
    vendor = system.get("id") or "debian"
    distro = "-".join(filter(None, [vendor, system.get("version_id")]))
    for one in contents["debian"]:
        yield {"type": "library", "name": one["name"], "version": one["version"],
               "purl": purl("deb", one["name"], one["version"], {"arch": one["architecture"], "distro": distro}, vendor),
               "properties": [{"name": "sysgenpro:source", "value": f"{one['source']} {one['source_version']}"}]}


def _python(found: Sequence[Mapping[str, str]]) -> Iterator[dict[str, Any]]:
    for one in found:
        name = re.sub(r"[-_.]+", "-", one["name"]).lower()  # PEP 503
        yield {"type": "library", "name": one["name"], "version": one["version"], "purl": purl("pypi", name, one["version"]),
               "properties": [{"name": "sysgenpro:place", "value": one["place"]}]}


def _addons(record: Mapping[str, Any], modules: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    """The modules of the source's add-ons, each with its manifest's version, and its Git commit or its folder's digest."""
    for source in record["source"]["addons"]:
        commit, url = source.get("commit", ""), source.get("url", "")
        for name in modules.get("/" + source["place"], ()):
            version = str((record["modules"].get(name) or {}).get("version") or "")
            yield {
                "type": "library", "group": source["name"], "name": name, **({"version": version} if version else {}),
                "purl": purl("generic", name, version or commit or "0", {"vcs_url": f"git+{url}@{commit}" if commit else ""}, source["name"]),
                **({"pedigree": {"commits": [{"uid": commit, "url": url}]}} if commit and _is_url(url) else
                   {"pedigree": {"commits": [{"uid": commit}]}} if commit else {}),
                "properties": [{"name": "sysgenpro:commit", "value": commit}] if commit else
                              [{"name": "sysgenpro:folder", "value": source.get("digest", "")}],
            }


def _is_url(text: str) -> bool:
    # CycloneDX wants an IRI; Git also takes host:path.
    return bool(re.match(r"[a-z+]+://", text))
