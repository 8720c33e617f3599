# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Up again does nothing, what ended is started again, and a node is lost and found."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable

import pytest
from sgplab.cluster import control_plane, life, processes
from sgplab.cluster.place import Place

from .conftest import SERVE, Space, eventually

Spaces = Callable[[], Space]
Figure = Callable[[str], None]


def _pids(place: Place) -> dict[str, int | None]:
    return {name: processes.pid(place, name) for name in processes.names(place)}


def test_up_again_starts_nothing_and_is_quick(place: Place, figure: Figure) -> None:
    before = _pids(place)
    began = time.monotonic()
    life.up(place.name)
    figure(f"up with all running: {time.monotonic() - began:.1f} s")
    assert _pids(place) == before and None not in before.values()


@pytest.mark.parametrize("program", ["kube-scheduler", "kube-proxy-node1", "netpol-node2"])
def test_what_was_killed_is_started_again_and_the_rest_stays(place: Place, program: str) -> None:
    before = _pids(place)
    os.kill(before[program] or 0, signal.SIGKILL)
    life.up(place.name)
    after = _pids(place)
    assert {name for name in before if before[name] != after[name]} == {program}


def test_a_node_that_is_cut_off_is_lost_and_found(place: Place, space: Spaces, figure: Figure) -> None:
    one = space()
    one.pod("web", SERVE, node="node2")
    one.pod("near", node="node1")
    address = one.service("web")
    assert eventually(lambda: one.answers("near", address) == "web")

    def ready() -> str:
        return control_plane.kubectl(place, "get", "node", "node2", "-o", "jsonpath={.status.conditions[?(@.type==\"Ready\")].status}")

    life.cut("node2", on=False)
    try:
        began = time.monotonic()
        assert eventually(lambda: ready() != "True", 60)
        figure(f"a node cut off was known as lost after {time.monotonic() - began:.1f} s")
        assert eventually(lambda: one.answers("near", address).endswith("Connection refused")), "its pods are no endpoints any more"
    finally:
        life.cut("node2", on=True)
    began = time.monotonic()
    assert eventually(lambda: ready() == "True", 60)
    assert eventually(lambda: one.answers("near", address) == "web", 60)
    figure(f"and served again {time.monotonic() - began:.1f} s after its cable was in")
