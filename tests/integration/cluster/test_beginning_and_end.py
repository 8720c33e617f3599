# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Down leaves nothing, and up brings it again. First of this folder: the others keep one cluster."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from sgplab.cluster import control_plane, end, life, namespace
from sgplab.cluster.place import existing

from .conftest import SERVE, Space


def _traces() -> dict[str, set[str]]:
    """All that a cluster could leave on this host."""
    def lines(*command: str) -> set[str]:
        return set(subprocess.run(command, capture_output=True, text=True, check=False).stdout.splitlines())

    chains = {re.sub(r"\[[\d:]*\]", "", f"{table} {line}") for table in ("filter", "nat", "mangle") for line in lines("iptables", "-t", table, "-S")}
    return {
        "rules": chains, "links": {line.split()[0].partition("@")[0] for line in lines("ip", "-br", "link")}, "routes": lines("ip", "route"),
        "mounts": set(namespace.mounts()),
        "cgroups": {str(path) for top in namespace.hierarchies() for path in top.glob("*") if path.is_dir() and re.match(r"kube|sgp-node", path.name)},
        "programs": {line for line in lines("ps", "-eo", "args") if re.search(r"kubernetes-[0-9a-f]{12}/|sgp-cluster", line)},
        "files": {str(path) for path in (Path("/run/sgp-cluster"), Path("/etc/docker/certs.d/10.90.0.1:5000"), Path("/var/lib/cni/results")) if path.exists()},
    }  # fmt: skip


def test_down_leaves_nothing_and_up_brings_it_again(figure: Callable[[str], None]) -> None:
    if existing():
        pytest.skip("a cluster is up that is not this test's")
    before = _traces()
    place = life.up("lab", second=True)
    assert control_plane.ready(place)
    one = Space(place, "default")
    one.pod("left", SERVE)
    began = time.monotonic()
    end.down()
    figure(f"down: {time.monotonic() - began:.1f} s")
    assert {kind: found - before[kind] for kind, found in _traces().items() if found - before[kind]} == {}
    assert not place.root.exists()
    began = time.monotonic()
    life.up("lab", second=True, edge=True)
    figure(f"up from nothing, two nodes and an edge, programs and images cached: {time.monotonic() - began:.1f} s")
    end.down()
