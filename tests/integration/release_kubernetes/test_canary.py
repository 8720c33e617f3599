# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A share of the requests for a new colour, by a real Traefik: grown until it leads, or taken back by itself; nobody's request fails for either."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api
from ansible_collections.sysgenpro.odoo.tests.integration.release_kubernetes.conftest import Instance
from sgplab import template

TEMPLATE = "/var/lib/sysgenpro/instances/{}/template"


@pytest.fixture(scope="module")
def shop(instance: Instance) -> Instance:
    """At r1."""
    instance.play("site")
    place = TEMPLATE.format(instance.name)
    instance.bring(template.ensure("19.0", template.MODULES.split(",")), place)
    instance.tell(instance_template=place)
    instance.release("r1")
    return instance


def shares(shop: Instance, api: Api) -> list[Any]:
    """What is left of a share."""
    return [found for kind in ("IngressRoute", "TraefikService") if (found := api.get(kind, shop.name, shop.name + "-canary"))]


def test_a_share_grows_until_it_leads(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    shop.tell(instance_canary={"steps": [30, 100], "watch": 20})
    before = shop.status()["instance"]["colour"]
    with shop.load() as requests:
        shop.release("r2")
    found = shop.status()
    assert found["instance"]["colour"] != before and found["history"][0]["name"] == "r2"
    assert shares(shop, api) == []
    told = _told(shop)
    assert [each["percent"] for each in told] == [30, 100]
    assert told[0]["new"]["requests"] > 0 < told[0]["old"]["requests"], told
    assert told[1]["new"]["requests"] > told[1]["old"]["requests"], told
    figure(f"canary of 30, then 100 of 100: {len(requests)} requests, {sum(bool(each.reason) for each in requests)} failed; new and old answered {told}")
    shop.tell(instance_canary={"steps": [30, 100], "watch": 20})
    assert "changed=0" in shop.release("r2")


def test_one_that_fares_worse_is_taken_back_by_itself(shop: Instance, api: Api, figure: Callable[[str], None]) -> None:
    """Its pods have a fifth of a processor."""
    before = shop.status()["instance"]["colour"]
    shop.tell(instance_canary={"steps": [40, 100], "watch": 60, "slower": 1.5}, instance_processes={"web_cpus": 0.2})
    with shop.load() as requests:
        said = shop.release("r2", fails=True)
    found = re.search(r"with 40 of 100 requests led to it .* fares worse than [^.]*", " ".join(said.split()))
    assert found, said[-3000:]
    assert shop.status()["instance"]["colour"] == before and shop.status()["instance"]["interrupted"] is None
    assert shares(shop, api) == []
    figure(f"canary taken back: {len(requests)} requests, {sum(bool(each.reason) for each in requests)} failed; {found[0]}")


def _told(shop: Instance) -> list[dict[str, Any]]:
    """What the last operation's journal has of its canary."""
    path = shop.shell(f"ls -t /var/lib/sysgenpro/instances/{shop.name}/state/history/* | head -1").strip()
    entries = [json.loads(line) for line in shop.shell(f"cat {path}").splitlines()]
    found: list[dict[str, Any]] = next(entry["canary"] for entry in entries if entry["event"] == "done" and entry.get("step") == "canary")
    return found
