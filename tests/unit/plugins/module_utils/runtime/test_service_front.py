# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The front as a Service."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel import wait
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.pods import Ground
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.protocol import ELSEWHERE, PAGE
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.service_front import ServiceFront, connects
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.cluster import FakeApi
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.world import World

GROUND = Ground("acme-production", "acme-production", 20001)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    world = World(tmp_path, {}, {})
    for name, stands_in in {"sleep": world.sleep, "monotonic": world.monotonic}.items():
        monkeypatch.setattr(wait.clock, name, stands_in)
    monkeypatch.setattr(world, "look", lambda: None)
    return FakeApi(world, GROUND)


def test_it_leads_and_says_where(api: FakeApi) -> None:
    fares = {"how": "refused"}
    front = ServiceFront(api, GROUND, lambda *_a: fares["how"])  # type: ignore[arg-type]
    assert front.leads() is None
    for to in ("blue", "green", PAGE):
        fares["how"] = "open"
        front.lead(to)
        assert front.leads() == to
    fares["how"] = "refused"
    front.lead(None)
    assert front.leads() is None and front.lead_back("blue") == ""
    api.objects["Service", "acme-production"]["spec"]["selector"]["org.sysgenpro/place"] = "by-hand"
    assert front.leads() == ELSEWHERE


def test_a_second_time_changes_nothing(api: FakeApi) -> None:
    front = ServiceFront(api, GROUND, lambda *_a: "open")  # type: ignore[arg-type]
    front.lead("blue")
    before = list(api.world.effects)
    front.lead("blue")
    assert api.world.effects == before


def test_a_hold_that_does_not_take_effect_is_none(api: FakeApi) -> None:
    """Whoever would go on to the fence would break the requests that still come."""
    front = ServiceFront(api, GROUND, lambda *_a: "open")  # type: ignore[arg-type]
    with pytest.raises(DomainError) as error:
        front.lead(None)
    assert error.value.code == "front_hangs"


@pytest.mark.parametrize(("how", "holds"), [("refused", True), ("dropped", False), ("open", False)])
def test_that_a_service_without_a_pod_refuses_is_seen_before_anything_is_held(api: FakeApi, how: str, holds: bool) -> None:
    front = ServiceFront(api, GROUND, lambda *_a: how)  # type: ignore[arg-type]
    assert (front.cannot_hold() == "") == holds


def test_one_that_drops_refuses_as_well_as_it_can(api: FakeApi) -> None:
    """An instance that is removed, or not yet let go of."""
    front = ServiceFront(api, GROUND, lambda *_a: "dropped")  # type: ignore[arg-type]
    front.lead(None)
    assert front.leads() is None and "maintenance page" in front.cannot_hold()


def test_there_may_be_none(api: FakeApi) -> None:
    api.objects.clear()
    with pytest.raises(DomainError) as error:
        ServiceFront(api, GROUND, connects).leads()  # type: ignore[arg-type]
    assert error.value.code == "front_missing" and "site" in error.value.advice


def test_how_a_connection_fares() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        address = listening.getsockname()
        assert connects(*address, 1) == "open"
        with contextlib.ExitStack() as stack:
            # As many as the kernel queues; from then on it drops.
            for _ in range(3):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(address)
            assert connects(*address, 0.3) == "dropped"
    assert connects(*address, 1) == "refused"
