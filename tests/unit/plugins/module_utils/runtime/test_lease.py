# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One toolbox at a time works on an instance, also where two nodes have one each."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NoReturn

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel import wait
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kubernetes.api import PATIENCE, ApiError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime import lease as module
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.lease import Lease


class Lost(Exception):
    """In place of the end of the process."""


class Hand:
    """A clock that only sleeping moves; what is to happen at a moment happens then."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self.due: list[tuple[float, Callable[[], object]]] = []

    def monotonic(self) -> float:
        return self.now

    time = monotonic

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        for each in [each for each in self.due if each[0] <= self.now]:
            self.due.remove(each)
            each[1]()

    def wait(self, seconds: float) -> bool:
        """As ``threading.Event.wait`` of one that is not set."""
        self.sleep(seconds)
        return False

    def is_set(self) -> bool:
        return False


class Api:
    """One Lease, optimistic as the API is. A copy of it is of the same one."""

    def __init__(self) -> None:
        self.patience = PATIENCE
        self.item: dict[str, Any] | None = None
        self.away: list[bool] = []
        self.unauthorized: Callable[[], None] = lambda: None

    def get(self, kind: str, namespace: str, name: str) -> Any:
        self._answers()
        return json.loads(json.dumps(self.item))

    def create(self, item: Mapping[str, Any]) -> Any:
        self._answers()
        if self.item:
            raise ApiError(409, "AlreadyExists", "cluster_conflict", "it is there", "")
        self.item = {**item, "metadata": {**item["metadata"], "resourceVersion": "1"}}
        return json.loads(json.dumps(self.item))

    def merge(self, kind: str, namespace: str, name: str, change: Mapping[str, Any]) -> Any:
        self._answers()
        if not self.item or change["metadata"]["resourceVersion"] != self.item["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "cluster_conflict", "it was changed", "")
        self.item["spec"].update(change["spec"])
        self.item["metadata"]["resourceVersion"] = str(int(self.item["metadata"]["resourceVersion"]) + 1)
        return json.loads(json.dumps(self.item))

    def _answers(self) -> None:
        if any(self.away):
            raise DomainError("cluster_down", "it does not answer")

    @property
    def holder(self) -> str:
        return str(((self.item or {}).get("spec") or {}).get("holderIdentity") or "")


@pytest.fixture
def hand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hand]:
    made = Hand()
    for name in ("monotonic", "sleep", "time"):
        monkeypatch.setattr(wait.clock, name, getattr(made, name), raising=False)
    yield made


def lost(sentence: str) -> NoReturn:
    raise Lost(sentence)


def of(api: Api, node: str, process: str = "a") -> Lease:
    return Lease(api, "acme", node, process, lost)  # type: ignore[arg-type]


def taken(api: Api, node: str, process: str = "a") -> AbstractContextManager[None]:
    return of(api, node, process).held(nullcontext())


def test_it_is_made_held_and_let_go_of(hand: Hand) -> None:
    api = Api()
    with taken(api, "node1"):
        assert api.holder == "node1/a"
    assert api.holder == ""
    with taken(api, "node2"):
        assert api.holder == "node2/a"


def test_who_was_killed_on_this_node_is_not_waited_for(hand: Hand) -> None:
    api, began = Api(), hand.now
    of(api, "node1")._taken()
    with taken(api, "node1", "b"):
        assert api.holder == "node1/b"
    assert hand.now == began


def test_who_was_lost_with_another_node_is_waited_for_until_its_lease_ended(hand: Hand) -> None:
    api, began = Api(), hand.now
    of(api, "node1")._taken()
    with taken(api, "node2"):
        assert api.holder == "node2/a"
    assert module.SECONDS < hand.now - began < module.SECONDS + 2 * module.SKEW


def test_who_works_on_another_node_is_left_alone_and_named(hand: Hand) -> None:
    api = Api()
    working = of(api, "node1")
    working._taken()
    hand.due.append((hand.now + module.RENEW, lambda: working._write(working.holder)))
    with pytest.raises(DomainError, match=r"another toolbox works on this instance, on the node node1") as refused, taken(api, "node2"):
        raise AssertionError
    assert refused.value.code == "locked" and api.holder == "node1/a"


@pytest.mark.parametrize("away,ends", [(0, False), (PATIENCE, False), (module.STOP + 3 * module.RENEW, True)])
def test_one_that_cannot_be_renewed_ends_before_anybody_may_take_it(hand: Hand, away: float, ends: bool) -> None:
    """As long as an API server is waited for, it holds."""
    api, began = Api(), hand.now
    holder = of(api, "node1")
    holder._taken()
    api.away.append(bool(away))
    hand.due.append((hand.now + away, api.away.clear))
    hand.due.append((hand.now + 600, lambda: lost("it goes on for good")))
    with pytest.raises(Lost) as raised:
        holder._keep(hand)  # type: ignore[arg-type]
    assert ("Run the same command again" in str(raised.value)) == ends
    assert ends == (hand.now - began < module.SECONDS)


def test_one_that_another_took_ends_and_one_that_a_hand_touched_does_not(hand: Hand) -> None:
    api = Api()
    holder = of(api, "node1")
    holder._taken()
    hand.due.append((hand.now + 30, lambda: api.merge("", "", "", {"metadata": api.item["metadata"], "spec": {"note": "by hand"}})))  # type: ignore[index]
    hand.due.append((hand.now + 300, lambda: api.merge("", "", "", {"metadata": api.item["metadata"], "spec": {"holderIdentity": "node2/b"}})))  # type: ignore[index]
    began = hand.now
    with pytest.raises(Lost, match="it was given up"):
        holder._keep(hand)  # type: ignore[arg-type]
    assert 300 <= hand.now - began <= 310
    assert holder.api.patience == PATIENCE, "renewing waits for less"


def test_two_that_take_it_at_once_are_one(hand: Hand) -> None:
    """Each by the version that it saw."""
    api = Api()
    first, second = of(api, "node1"), of(api, "node2")
    found = first._made()
    assert found and second._made() is None
    first._version = second._version = found["metadata"]["resourceVersion"]
    assert first._write(first.holder) and not second._write(second.holder)
    assert api.holder == "node1/a"


def test_the_lock_is_asked_for_once_the_other_s_lease_has_ended(hand: Hand) -> None:
    """A file system of a network keeps the lock of a node that is gone for a while, and the node itself may work on."""
    api, asked, began = Api(), [], hand.now
    of(api, "node1")._taken()

    @contextmanager
    def lock() -> Iterator[None]:
        asked.append(hand.now - began)
        yield

    with of(api, "node2").held(lock()):
        assert asked[0] > module.SECONDS


def test_who_is_not_known_any_more_ends_at_once(hand: Hand) -> None:
    """The token of a toolbox that was given up ends with its pod: it undoes nothing while another one works."""
    api = Api()
    with taken(api, "node1"), pytest.raises(Lost, match="it was given up"):
        api.unauthorized()
    api.unauthorized()
