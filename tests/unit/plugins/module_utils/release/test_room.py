# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Room for a second colour: on a machine by what is free there, in a cluster by what the quota has left."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import DatabaseState
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.labels import COLOUR_CPU, COLOUR_MEMORY
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.observed import Observed
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.room import room
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.kubernetes import KubernetesRuntime
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.pods import Ground
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release import samples

GB, MB = 1024 ** 3, 1024 ** 2
SHARE = [{"what": "requests.memory", "unit": "MB", "free": 100.0, "needs": 2048.0}]


class Api:
    def __init__(self, *quotas: dict[str, Any]) -> None:
        self.quotas = quotas

    def every(self, kind: str, namespace: str) -> Any:
        assert (kind, namespace) == ("ResourceQuota", "acme")
        return self.quotas


def quota(hard: dict[str, str], used: dict[str, str], notes: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"annotations": notes}, "spec": {"hard": hard}, "status": {"used": used}}


NOTES = {COLOUR_CPU: "500m", COLOUR_MEMORY: "2Gi"}


@pytest.mark.parametrize(("memory", "disk", "share", "said"), [
    (8 * GB, 0, [], [("memory", 8192, 1152)]), (8 * GB, 4 * GB, [], [("memory", 8192, 1152), ("disk", 4096, 1254)]),
    (8 * GB, 4 * GB, SHARE, [("requests.memory", 100.0, 2048.0), ("disk", 4096, 1254)]), (0, 4 * GB, [], [])])
def test_bounds(memory: int, disk: int, share: list[dict[str, Any]], said: list[Any]) -> None:
    """Where nothing tells of memory there are no bounds at all, and the gate is closed: disk alone says nothing of a second colour."""
    wanted = desired(samples.params(processes__web_memory="2g"))
    seen = Observed(places={}, front="blue", database=DatabaseState(exists=True, bytes=GB), memory=memory, disk=disk)
    assert [(one["what"], one["free"], one["needs"]) for one in room(wanted, seen, share)["bounds"]] == said


@pytest.mark.parametrize(("quotas", "said"), [
    ([], []), ([quota({"pods": "10"}, {}, NOTES)], []), ([quota({"requests.cpu": "2", "requests.memory": "8Gi"}, {}, {})], []),
    ([quota({"requests.cpu": "2", "requests.memory": "8Gi"}, {"requests.cpu": "1800m", "requests.memory": "4Gi"}, NOTES)],
     [("requests.cpu", "cores", 0.2, 0.5), ("requests.memory", "MB", 4096.0, 2048.0)])])
def test_share_of_a_cluster(quotas: list[dict[str, Any]], said: list[Any]) -> None:
    runtime = KubernetesRuntime(Api(*quotas), Ground("acme", "acme", 20000), "/none")  # type: ignore[arg-type]
    assert [tuple(one.values()) for one in runtime.share()] == said
