# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The thin line of the scaled tier, in a real cluster: an instance's place, its first release, one by code and one by update under load, and none of it twice."""

from __future__ import annotations

from collections.abc import Callable

from ansible_collections.sysgenpro.odoo.tests.integration.release_kubernetes.conftest import Instance


def test_created_and_released_by_code_and_by_update_under_load(instance: Instance, figure: Callable[[str], None]) -> None:
    instance.create()
    with instance.load() as requests:
        for name in ("r2", "r3"):
            instance.release(name)

    figure(f"{len(requests)} requests while a release by code and one by update came: {sum(bool(each.reason) for each in requests)} failed, "
           f"the longest waited {max(each.seconds for each in requests if each.waits):.1f} s")
    found = instance.status()
    assert [(row["name"], row["class"]) for row in found["history"]] == [("r3", "update"), ("r2", "code"), ("r1", "create")]
    assert found["instance"]["colour"] in ("blue", "green")
    assert found["instance"]["way_back"]["class"] == "data"
    assert found["instance"]["interrupted"] is None
    assert found["instance"]["lock"] is None
    assert {name: state for name, state in found["instance"]["processes"].items() if "1/1" in state}.keys() == {
        f"{instance.name}/{found['instance']['colour']}-{kind}" for kind in ("web", "cron")}
    assert [point["state"] for point in found["recovery"]["points"]] == ["verified"]
    assert "changed=0" in instance.release("r3")
