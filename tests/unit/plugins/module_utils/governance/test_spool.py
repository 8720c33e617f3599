# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger whose store is away: refused, or written here and brought there later; and a store that lets a second writer in."""

from __future__ import annotations

import datetime
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.store import LocalStore, store_failed
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance import place, spool
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.gate import InstanceGate
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import (
    IMAGE,
    INSTANCE,
    PLAN,
    House,
)


class Remote(LocalStore):
    """A store elsewhere. What it does is said of all of them.

    :ivar gone: whether it does not answer. :ivar refuses: whether it answers, and refuses. :ivar again: how often it was asked for a second writer.
    """

    gone = refuses = loose = False
    leaves_after = -1
    again = 0

    tried = "a store elsewhere"

    def _answer(self) -> None:
        cls = type(self)
        if cls.leaves_after == 0:
            cls.gone = True
        cls.leaves_after -= 1
        if cls.gone or cls.refuses:
            raise store_failed("no answer" if cls.gone else "AccessDenied", away=cls.gone)

    def names(self, prefix: str) -> list[str]:
        self._answer()
        return super().names(prefix)

    def read(self, name: str) -> bytes:
        self._answer()
        return super().read(name)

    def create(self, name: str, content: bytes, until: datetime.datetime | None) -> None:
        self._answer()
        super().create(name, content, until)

    def refuse_again(self, name: str, content: bytes) -> None:
        self._answer()
        type(self).again += 1
        if type(self).loose:
            raise DomainError("store_lacks", "it ignores the condition")
        with pytest.raises(DomainError) as error:
            super().create(name, content, None)
        assert error.value.code == "document_exists"


@pytest.fixture
def remote(monkeypatch: pytest.MonkeyPatch) -> type[Remote]:
    class Fresh(Remote):
        pass

    monkeypatch.setattr(place, "open_store", lambda settings: Fresh(settings["location"]))
    return Fresh


@pytest.fixture
def house(tmp_path: Path, remote: type[Remote]) -> House:
    """Of a policy that spools, with two entries."""
    house = House(tmp_path)
    house.policy["ledger_away"] = "spool"
    house.write()
    append(house, "one")
    house.decide("anna@example.com")
    return house


def append(house: House, name: str) -> int:
    house.now += datetime.timedelta(seconds=5)
    return house.ledger().append("release", {"plan": PLAN}, {"operation": name, "outcome": "undone", "plan": PLAN}).sequence


def in_store(house: House) -> list[str]:
    return [path.name[:8].lstrip("0") for path in sorted(house.path(1).parent.iterdir())]


def refused(house: House, code: str) -> DomainError:
    with pytest.raises(DomainError) as error:
        append(house, "x")
    assert error.value.code == code
    return error.value


def test_refused_by_default(house: House, remote: type[Remote]) -> None:
    del house.policy["ledger_away"]
    house.write()
    remote.gone = True
    refused(house, "store_failed")
    assert not (house.kept / "spool" / "waiting").exists()


def test_waits_here_and_is_brought_there(house: House, remote: type[Remote]) -> None:
    remote.gone = True
    assert [append(house, name) for name in ("three", "four")] == [3, 4]
    assert in_store(house) == ["1", "2"]
    remote.gone = False
    found = house.ask("ledger")
    assert (found["findings"], found["waiting"], in_store(house)) == ([], [3, 4], ["1", "2"]), "an audit tells, and writes nothing"
    assert append(house, "five") == 5
    assert in_store(house) == ["1", "2", "3", "4", "5"]
    found = house.ask("ledger")
    assert (found["findings"], found["waiting"]) == ([], [])
    assert [line["spooled"] for line in found["entries"]] == [False, False, True, True, False]


def test_an_audit_of_a_store_that_is_away_fails(house: House, remote: type[Remote]) -> None:
    remote.gone = True
    with pytest.raises(DomainError, match="no answer"):
        house.ask("ledger")


@pytest.mark.parametrize("calls", range(5))
def test_away_in_the_middle_of_writing(house: House, remote: type[Remote], calls: int) -> None:
    """At whichever call it goes: the entry is there once, and says whether it waited."""
    remote.leaves_after = calls
    try:
        append(house, "three")
    finally:
        remote.gone, remote.leaves_after = False, -1
    append(house, "four")
    found = house.ask("ledger")
    assert found["findings"] == [] and in_store(house) == ["1", "2", "3", "4"]


def test_a_store_that_refuses_is_not_away(house: House, remote: type[Remote]) -> None:
    remote.refuses = True
    assert "AccessDenied" in refused(house, "store_failed").message


def test_gates_are_judged_by_what_was_seen_last(house: House, remote: type[Remote]) -> None:
    """An approval that is in the ledger counts; a rejection that came by this machine as well; of the lower environment nothing is known."""
    remote.gone = True
    gate = InstanceGate(house.governance(), {"instance": INSTANCE, "tenant": "acme", "environment": "production", "data_class": "live"})
    plan: dict[str, Any] = {"digest": PLAN, "class": "update", "image": IMAGE, "updates": 1, "strategy": "hold", "from": None, "to": "r", "steps": []}
    facts = gate.facts(plan, {"by": "ruth", "reason": "", "state": "released"}, {})
    assert [(one["by"], one["counts"]) for one in facts["decisions"]] == [("anna@example.com", True)]
    assert facts["lower"]["hours"] is None and "no answer" in facts["lower"]["unread"]
    assert not next(one for one in gate.judge(facts).gates if one["gate"] == "approved_schema")["passed"]


def test_a_machine_that_begins_to_spool_copies_what_was_written_before(house: House, remote: type[Remote]) -> None:
    """Also what no gate has read since."""
    shutil.rmtree(house.kept / "spool")
    assert len(list(house.ledger().numbers())) == 2
    remote.gone = True
    assert [entry.sequence for entry in house.ledger().newest_first()] == [2, 1]


def test_nothing_passes_where_the_copies_are_gone(house: House, remote: type[Remote]) -> None:
    remote.gone = True
    for path in (house.kept / "spool" / "copies").rglob("*.json"):
        path.unlink()
    assert "this machine saw 2 entries" in refused(house, "ledger_broken").message


def test_what_waits_and_is_lost_is_told(house: House, remote: type[Remote]) -> None:
    remote.gone = True
    append(house, "three")
    remote.gone = False
    for path in (house.kept / "spool" / "waiting").rglob("*.json"):
        path.unlink()
    assert "this machine saw 3 entries" in refused(house, "ledger_broken").message
    assert [one["sequence"] for one in house.ask("ledger")["findings"]] == [3]


def test_another_writer_meanwhile(house: House, remote: type[Remote]) -> None:
    """Of two chains from one entry neither is dropped: a person has to look."""
    remote.gone = True
    append(house, "three")
    remote.gone = False
    house.path(3).write_bytes(house.path(2).read_bytes())
    assert f"ledger/{INSTANCE}/00000003.json waits on this machine" in refused(house, "ledger_forked").message
    assert (house.kept / "spool" / "waiting" / "ledger" / INSTANCE / "00000003.json").exists()


def test_killed_between_writing_there_and_removing_here(house: House, remote: type[Remote]) -> None:
    remote.gone = True
    append(house, "three")
    remote.gone = False
    waiting = house.kept / "spool" / "waiting" / "ledger" / INSTANCE / "00000003.json"
    house.path(3).write_bytes(waiting.read_bytes())
    assert append(house, "four") == 4
    assert house.ask("ledger")["findings"] == [] and not waiting.exists()


def test_only_the_newest_are_copied(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "COPIED", 3)
    for number in range(6):
        append(house, str(number))
    assert sorted(path.name for path in (house.kept / "spool" / "copies").rglob("*.json")) == [f"{number:08}.json" for number in (6, 7, 8)]


def test_a_store_is_tried_once(house: House, remote: type[Remote]) -> None:
    assert remote.again == 1
    append(house, "three")
    assert remote.again == 1
    (house.kept / "store_proven").write_text("another store")
    append(house, "four")
    assert remote.again == 2


def test_a_store_that_lets_a_second_writer_in_is_refused_by_name(house: House, remote: type[Remote]) -> None:
    (house.kept / "store_proven").unlink()
    remote.loose = True
    refused(house, "store_lacks")
    refused(house, "store_lacks")
    remote.loose = False
    append(house, "x")


@pytest.mark.parametrize("value", ["skip", "", None, True])
def test_no_other_way(house: House, value: Any) -> None:
    house.policy["ledger_away"] = value
    house.write()
    with pytest.raises(DomainError) as error:
        house.governance()
    assert (error.value.code, "policy.ledger_away" in error.value.message, "refuse, spool" in error.value.message) == ("bad_input", True, True)
