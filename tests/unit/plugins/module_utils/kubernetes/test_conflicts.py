# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which conflict is worth another try."""

from __future__ import annotations

import json
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel import wait
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import Api, ApiError

RACE = {"reason": "Conflict", "message": "the object has been modified; please apply your changes to the latest version and try again"}
MANAGED = {"reason": "Conflict", "message": "Apply failed with 1 conflict", "details": {"causes": [{"reason": "FieldManagerConflict", "field": ".spec.replicas"}]}}


class Pool:
    """Answers in turn; the last one goes on."""

    def __init__(self, *answers: tuple[int, Any]) -> None:
        self.answers, self.asked = list(answers), 0

    def request(self, *_a: Any, **_b: Any) -> SimpleNamespace:
        status, said = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        return SimpleNamespace(status=status, data=said.encode() if isinstance(said, str) else json.dumps(said).encode(), headers={})


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(wait.clock, "monotonic", lambda: now[0], raising=False)
    monkeypatch.setattr(wait.clock, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds), raising=False)


def api(pool: Pool) -> Api:
    settings = SimpleNamespace(host="https://192.0.2.1", auth_settings=dict)
    return Api(SimpleNamespace(configuration=settings, rest_client=SimpleNamespace(pool_manager=pool)), patience=20)


def _merge(found: Api, **change: Any) -> Any:
    return found.merge("Service", "acme", "acme", change)


@pytest.mark.parametrize(("asks", "said", "again"), [
    (lambda found: _merge(found, spec={}), RACE, True),
    (lambda found: found.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"}}), RACE, True),
    (lambda found: found.apply({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"}}), MANAGED, False),
    (lambda found: _merge(found, metadata={"resourceVersion": "7"}, spec={}), RACE, False),
    (lambda found: found.create({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "namespace": "b"}}), RACE, False),
    (lambda found: _merge(found, spec={}), {"reason": "AlreadyExists"}, False),
    (lambda found: _merge(found, spec={}), "a proxy's page", False),
])
def test_a_change_that_met_another_is_asked_for_again_where_it_may_win(asks: Callable[[Api], Any], said: Any, again: bool) -> None:
    pool = Pool((409, said), (409, said), (200, {"ok": True}))
    if again:
        assert asks(api(pool)) == {"ok": True} and pool.asked == 3
    else:
        with pytest.raises(ApiError) as refused:
            asks(api(pool))
        assert refused.value.code == "cluster_conflict" and pool.asked == 1


def test_one_that_never_wins_is_told_in_the_end() -> None:
    pool = Pool((409, RACE))
    with pytest.raises(ApiError, match="has been modified") as refused:
        _merge(api(pool), spec={})
    assert refused.value.code == "cluster_conflict" and pool.asked > 5
