# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a builder's own pip and apt reach the world with, for those in a build container: certificates it trusts, index, proxies. Reads, writes nothing.

Nothing of it gets into an image: the files are mounted read-only, and the variables are of the installing processes alone.
"""

from __future__ import annotations

import configparser
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

# The bundle that Debian's ca-certificates makes of Mozilla's authorities and of those that a machine was given.
BUNDLE = "etc/ssl/certs/ca-certificates.crt"
PLACE = "/tmp/sysgenpro-builder"  # noqa: S108 - in the container, which is ours alone
# What makes pip, Python, curl and their like read a bundle.
TRUST = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "CURL_CA_BUNDLE")
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "all_proxy")
# Of pip's options those that say how packages are reached.
OPTIONS = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "retries", "cert", "client-cert")
# Its files in the order in which it reads them (pip documentation, "Configuration"): the later ones go before the earlier.
FILES = ("etc/xdg/pip/pip.conf", "etc/pip.conf", "root/.pip/pip.conf", "root/.config/pip/pip.conf")


@dataclass(frozen=True)
class Settings:
    """:param files: (path on the builder, path in the container), mounted read-only. :param apt: options of apt-get."""

    files: tuple[tuple[str, str], ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    apt: tuple[str, ...] = ()


def settings(root: str, environ: Mapping[str, str]) -> Settings:
    """What the builder has.

    :param root: its file system. :param environ: its environment, before which pip's files stand back: what pip reads of it, proxies, authorities.
    """
    named = {name: value for name, value in environ.items() if name.lower() in PROXIES or name in TRUST or name.startswith("PIP_")}
    variables = {**_pip(root, environ.get("PIP_CONFIG_FILE", "")), **named}
    variables.pop("PIP_CONFIG_FILE", None)
    files: list[tuple[str, str]] = []
    for name in (*TRUST, "PIP_CLIENT_CERT"):
        if name in variables and os.path.isfile(variables[name]):
            files.append((variables[name], f"{PLACE}/{name}"))
            variables[name] = f"{PLACE}/{name}"
    bundle, inside = os.path.join(root, BUNDLE), f"{PLACE}/authorities.crt"
    if not os.path.isfile(bundle):
        return Settings(tuple(files), variables)
    return Settings((*files, (bundle, inside)), {**dict.fromkeys(TRUST, inside), **variables}, ("-o", f"Acquire::https::CAInfo={inside}"))


def _pip(root: str, further: str) -> dict[str, str]:
    """What the builder's files say to ``pip install``, as variables; paths of its packages, which are not in the container, are none of it."""
    merged = configparser.RawConfigParser(strict=False)
    for path in [*(os.path.join(root, name) for name in FILES), *([further] if further else [])]:
        try:
            merged.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            continue  # pip refuses such a file on the builder, too
    found = {}
    for option in OPTIONS:
        value = next((merged.get(section, option) for section in ("install", "global") if merged.has_option(section, option)), "")
        if value:
            found["PIP_" + option.replace("-", "_").upper()] = " ".join(value.split())
    return found
