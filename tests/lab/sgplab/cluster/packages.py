# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs of Debian packages that are not installed: busybox-static would take busybox's place, and the registry's package starts a service for all."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from ..base import LabError, cache, locked, say

#: Package: what it is needed for, beneath the root or /usr (Debian 13 has no other).
_PACKAGES = {"busybox-static": "bin/busybox", "containernetworking-plugins": "lib/cni/ptp", "docker-registry": "bin/docker-registry"}
#: Comes with Docker, or is what script/common installs.
_INSTALLED = ("containerd", "ctr", "runc", "iptables", "ip", "nsenter", "openssl", "sysctl", "mount")


def _found(name: str) -> Path | None:
    tools = cache() / "tools"
    return next((path for path in (tools / "usr" / _PACKAGES[name], tools / _PACKAGES[name]) if path.exists()), None)


def ensure() -> None:
    """Have all packages' files in the cache. Raises LabError if one cannot be had, or a program of this host is missing."""
    lacking = [name for name in _INSTALLED if shutil.which(name) is None]
    if lacking:
        raise LabError(f"{', '.join(lacking)}: not on this host; script/common installs what the lab needs")
    with locked("packages"):
        for name in _PACKAGES:
            if _found(name) is None:
                _fetch(name)


def path(name: str) -> Path:
    """Return the file that a package is needed for."""
    found = _found(name)
    if found is None:
        raise LabError(f"{name} was not brought to this host; `lab cluster up` does it")
    return found


def _fetch(name: str) -> None:
    say(f"fetching {name}")
    with tempfile.TemporaryDirectory() as directory:
        for refresh in (False, True):
            if refresh:
                subprocess.run(["apt-get", "-qq", "update"], check=False)
            if subprocess.run(["apt-get", "-qq", "download", name], cwd=directory, capture_output=True, check=False).returncode == 0:
                break
        packages = list(Path(directory).glob("*.deb"))
        if not packages:
            raise LabError(f"apt has no package {name}")
        subprocess.run(["dpkg", "--extract", str(packages[0]), str(cache() / "tools")], check=True)
