# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is in an image and what is wrong with it, found out on a machine that has it: an SBOM in CycloneDX, and a scan.

The demo has no scanner. It compares the image's packages with Debian's security archive, as the machine's apt has it: what is older there lacks a fix. How bad
that is Debian's archive does not say, so each finding is of severity unknown.
"""

from __future__ import annotations

import datetime
import json
import subprocess
import uuid
from pathlib import Path

from . import prepare

_ARCHIVE = ("apt-get -qq update; apt-get indextargets --format '$(FILENAME)' 'Created-By: Packages' 'Suite: stable-security' | xargs -r -n1 /usr/lib/apt/apt-helper cat-file"
            " | awk '/^Package: /{name=$2} /^Version: /{print name, $2}'")


def packages(machine: str, image: str) -> dict[str, str]:
    """Versions by package of an image that the machine has. :raises subprocess.CalledProcessError: where it has not."""
    said = prepare.on(machine, f"docker run --rm --network none --entrypoint dpkg-query {image} -W -f '${{Package}} ${{Version}}\\n'")
    return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)


def sbom(image: str, found: dict[str, str], path: Path) -> None:
    """Write it."""
    path.write_text(json.dumps({
        "bomFormat": "CycloneDX", "specVersion": "1.6", "serialNumber": f"urn:uuid:{uuid.uuid4()}", "version": 1,
        "metadata": {"timestamp": _now(), "component": {"type": "container", "name": image.split("@")[0], "version": image.split("@")[1]}},
        "components": [{"type": "library", "name": name, "version": version, "purl": f"pkg:deb/debian/{name}@{version}"} for name, version in sorted(found.items())],
    }), encoding="utf-8")


def scan(machine: str, image: str, found: dict[str, str], path: Path) -> int:
    """Write it in the shape of Trivy's report. Returns how many packages were compared.

    :raises RuntimeError: where the machine's apt has no security archive.
    """
    archive = dict(line.split(" ", 1) for line in prepare.on(machine, _ARCHIVE).splitlines() if " " in line)
    if not archive:
        raise RuntimeError(f"{machine} has no package list of Debian's security archive, so nothing can be compared")
    both = sorted(name for name in found if name in archive)
    older = [name for name in both if subprocess.run(["dpkg", "--compare-versions", found[name], "lt", archive[name]], check=False).returncode == 0]
    path.write_text(json.dumps({
        "SchemaVersion": 2, "CreatedAt": _now(), "ArtifactName": image, "ArtifactType": "container_image", "Metadata": {"RepoDigests": [image]},
        "Results": [{"Target": "debian", "Class": "os-pkgs", "Vulnerabilities": [
            {"VulnerabilityID": f"DEBIAN-SECURITY-{name}-{archive[name]}", "PkgName": name, "InstalledVersion": found[name], "FixedVersion": archive[name],
             "Severity": "UNKNOWN"} for name in older]}],
    }), encoding="utf-8")
    return len(both)


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
