# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a lab image takes over from this host, read at run time: apt's sources and options, pip's settings, CAs, proxies."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .base import LabError, run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
LOCAL_CAS = Path("/usr/local/share/ca-certificates")
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
#: pip settings that hold for another machine too; those that name a local path (find-links, cert) do not.
PIP_KEYS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries")
#: apt options that say how to reach the sources.
APT_OPTIONS = re.compile(r"^Acquire::(https?::|Check-|Retries|ForceIPv4|Proxy)", re.IGNORECASE)


@dataclass(frozen=True)
class Source:
    """One apt source of the host."""

    uri: str
    suite: str
    signed_by: str


def _one_line(text: str) -> Iterator[Source]:
    for match in re.finditer(r"^deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+(\S+)", text, re.MULTILINE):
        signed = re.search(r"signed-by=(\S+)", match[1] or "", re.IGNORECASE)
        yield Source(match[2], match[3], signed[1] if signed else "")


def _deb822(text: str) -> Iterator[Source]:
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    for paragraph in re.split(r"\n\s*\n", text):
        fields = {name.lower(): value.split() for name, value in re.findall(r"^([\w-]+):[ \t]*(.*)$", paragraph, re.MULTILINE)}
        if "deb" not in fields.get("types", []) or fields.get("enabled") == ["no"]:
            continue
        signed = next((value for value in fields.get("signed-by", []) if value.startswith("/")), "")
        for uri in fields.get("uris", []):
            for suite in fields.get("suites", []):
                yield Source(uri, suite, signed)


def apt_sources(root: Path = Path("/etc/apt")) -> list[Source]:
    """Return every enabled binary source of apt's configuration under ``root``."""
    sources: list[Source] = []
    for path in [root / "sources.list", *sorted((root / "sources.list.d").glob("*"))]:
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            sources += _deb822(text) if path.suffix == ".sources" else _one_line(text)
    return sources


def codename() -> str:
    """Return the host's Debian codename."""
    match = re.search(r"^VERSION_CODENAME=\"?(\w+)", Path("/etc/os-release").read_text(encoding="utf-8"), re.MULTILINE)
    return match[1] if match else ""


def sources_list(suites: list[str], root: Path = Path("/etc/apt")) -> list[str]:
    """Return one-line apt sources for Debian ``suites`` from the places where this host gets its own packages.

    ``SYSGENPRO_DEBIAN_MIRROR`` names the archive where the host is no Debian. Raises LabError if there is none.
    """
    own = codename()
    known = apt_sources(root)
    mirror = os.environ.get("SYSGENPRO_DEBIAN_MIRROR")
    main = Source(mirror, own, "") if mirror else next((s for s in known if s.suite == own), None)
    security = next((s for s in known if s.suite == f"{own}-security"), None)
    if main is None:
        raise LabError(f"apt's sources on this host name no archive for {own or 'its release'}; set SYSGENPRO_DEBIAN_MIRROR to the address of a Debian archive")
    lines = []
    for suite in suites:
        source = security if suite.endswith("-security") else main
        if source is not None:
            lines.append(f"deb [signed-by={KEYRING}] {source.uri} {suite} main")
    return lines


def apt_options() -> list[str]:
    """Return the host's apt options that its machines need as well, as lines of apt.conf."""
    dump = run(["apt-config", "dump"]).stdout.splitlines()
    return sorted(line for line in dump if APT_OPTIONS.match(line) and not line.rstrip().endswith('"";'))


def pip_conf() -> str:
    """Return a pip.conf with the host's index settings and, where it has CAs of its own, the system's bundle."""
    settings: dict[str, str] = {}
    listed = run(["python3", "-m", "pip", "config", "list"], check=False).stdout
    for name, value in re.findall(r"^(?:global|:env:)\.([\w-]+)='(.*)'$", listed, re.MULTILINE):
        settings[name.replace("default-timeout", "timeout")] = value
    for name, value in os.environ.items():
        if name.startswith("PIP_"):
            settings[name[4:].lower().replace("_", "-").replace("default-timeout", "timeout")] = value
    kept = {name: settings[name] for name in PIP_KEYS if settings.get(name)}
    if local_cas():
        kept["cert"] = BUNDLE
    return "".join(["[global]\n", *(f"{name} = {value}\n" for name, value in kept.items())]) if kept else ""


def local_cas() -> list[Path]:
    """Return the certificates of authorities that only this host trusts."""
    return sorted(LOCAL_CAS.rglob("*.crt"))


def overlay() -> dict[str, str]:
    """Return the files that an image takes over from this host: path to content."""
    files = {f"/usr/local/share/ca-certificates/host-{path.name}": path.read_text(encoding="utf-8") for path in local_cas()}
    if pip_conf():
        files["/etc/pip.conf"] = pip_conf()
    environment = "".join(f"{name}={os.environ[name]}\n" for name in PROXIES if os.environ.get(name))
    if environment:
        files["/etc/environment"] = environment
    return files
