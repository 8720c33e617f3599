# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release on a governed machine: refused gate by gate, approved, written down; and nothing gets around that."""

from __future__ import annotations

import datetime
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.place import Governance
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel import journal as journal_module
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import governed
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import Desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.operation import ReleaseOperation
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.parts import Parts
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.house import House
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release import world as worlds
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import (
    R1,
    R2,
    R3,
    Killed,
    Rig,
    released,
)

GATES = [{"gate": "approved", "role": "app", "states": ["released", "rolled_back", "absent"]}, {"gate": "approved", "role": "schema"}, {"gate": "pos_closed"}]


class GovernedRig(Rig):
    """:ivar house: what governs; None where nothing does yet."""

    house: House | None = None
    later = datetime.timedelta(0)

    def parts(self, wanted: Desired) -> Parts:
        governance: Callable[[], Governance | None] = house_of(self).governance if self.house else lambda: None
        return replace(super().parts(wanted), governance=governance)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GovernedRig:
    """An instance that runs r1; then its machine is governed. The clock is the real one, since journals have that."""
    rig = GovernedRig(tmp_path / "rig", monkeypatch)
    monkeypatch.setattr(worlds.FakeDatabase, "open_pos_sessions", lambda self: self.world.pos, raising=False)
    rig.world.pos = None  # type: ignore[attr-defined]
    rig.world.structure = "as approved"  # type: ignore[attr-defined]
    monkeypatch.setattr(governed, "at_work", lambda database: None)
    monkeypatch.setattr(governed, "structure", lambda database: database.world.structure)
    monkeypatch.setattr(journal_module, "now", lambda: clock(rig).isoformat(timespec="milliseconds"))
    rig.run(rig.params(R1))
    rig.house = House(tmp_path, None)
    rig.house.policy["classes"]["production"]["gates"] = GATES
    rig.house.write()
    house_of(rig)
    return rig


def clock(rig: GovernedRig) -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc) + rig.later


def house_of(rig: GovernedRig) -> House:
    assert rig.house
    rig.house.now = clock(rig)
    return rig.house


def planned(rig: GovernedRig, release: Any, **more: Any) -> Any:
    return rig.run(rig.params(release, state="planned", **more))["plan"]


def approve(rig: GovernedRig, digest: str, *, schema: bool = False) -> None:
    """Seconds later than whatever was before, and before what comes, as people are: moments of entries are told to the second."""
    rig.later += datetime.timedelta(seconds=5)
    house_of(rig).decide("anna@example.com", plan=digest)
    if schema:
        house_of(rig).decide("dora@example.com", "schema", plan=digest)
    rig.later += datetime.timedelta(seconds=5)


def refused(rig: GovernedRig, code: str, params: dict[str, Any]) -> DomainError:
    before = rig.world.snapshot()
    with pytest.raises(DomainError) as error:
        rig.run(params)
    assert error.value.code == code
    assert rig.world.snapshot() == before and rig.journal() == []
    return error.value


def kinds(rig: GovernedRig) -> list[tuple[str, str]]:
    found = house_of(rig).ask("ledger")
    assert found["findings"] == []
    return [(line["kind"], line["result"]) for line in found["entries"]]


def test_plan_shows_all_gates_and_writes_nothing(rig: GovernedRig) -> None:
    rig.world.pos = 2  # type: ignore[attr-defined]
    gates = planned(rig, R3).facts["gates"]
    assert [(gate["gate"], gate["passed"]) for gate in gates["gates"]] == [("approved_app", False), ("approved_schema", False), ("pos_closed", False)]
    assert not gates["passed"] and kinds(rig) == []


def test_refused_then_approved(rig: GovernedRig) -> None:
    digest = planned(rig, R3).digest
    error = refused(rig, "gates_closed", rig.params(R3))
    assert "approved_app: 0 of 1" in error.message and "approved_schema: 0 of 1" in error.message and error.unchanged == "Nothing was pulled or changed"
    approve(rig, digest)
    assert "approved_schema" in refused(rig, "gates_closed", rig.params(R3)).message
    house_of(rig).decide("dora@example.com", "schema", plan=digest)
    done = rig.run(rig.params(R3))
    assert released(rig.world, R3) == []
    assert done["ledger"]["sequence"] == 6
    assert kinds(rig) == [("gate", "failed"), ("decision", "approved"), ("gate", "failed"), ("decision", "approved"), ("gate", "passed"), ("release", "done")]
    assert not rig.run(rig.params(R3))["changed"]
    assert len(kinds(rig)) == 6, "a run that has nothing to do writes nothing"


def test_approved_for_another_plan(rig: GovernedRig) -> None:
    approve(rig, planned(rig, R2).digest)
    refused(rig, "gates_closed", rig.params(R2, bounds__drain=7))
    refused(rig, "gates_closed", rig.params(R3))
    rig.run(rig.params(R2))
    assert released(rig.world, R2) == []


def test_a_structure_that_changed_since_it_was_approved(rig: GovernedRig) -> None:
    """The plan is another one, and neither the approvals nor the digest that AWX hands on are for it. What is put back is as it was approved."""
    digest = planned(rig, R3).digest
    approve(rig, digest, schema=True)
    rig.world.structure = "with another column"  # type: ignore[attr-defined]
    assert planned(rig, R3).digest != digest
    assert "approved_schema" in refused(rig, "gates_closed", rig.params(R3)).message
    assert planned(rig, R2).digest == planned(rig, R2).digest
    rig.world.structure = "as approved"  # type: ignore[attr-defined]
    rig.run(rig.params(R3))
    assert released(rig.world, R3) == []


def test_what_cannot_be_read_is_a_closed_gate_and_the_others_are_told(rig: GovernedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    house_of(rig).policy["classes"]["production"]["gates"] = [{"gate": name} for name in ("pos_closed", "imports", "closings", "headroom")]
    house_of(rig).write()

    def fail(_database: Any) -> Any:
        raise DomainError("database_down", "the database does not answer")

    monkeypatch.setattr(worlds.FakeDatabase, "open_pos_sessions", fail)
    monkeypatch.setattr(governed, "running_imports", fail)
    monkeypatch.setattr(governed, "unposted_closings", lambda database: ["POS/1 is being counted"])
    said = {gate["gate"]: (gate["passed"], gate["reason"]) for gate in planned(rig, R2).facts["gates"]["gates"]}
    assert said["pos_closed"] == (False, "it cannot be read (pos: the database does not answer)")
    assert said["imports"] == (False, "it cannot be read (imports: the database does not answer)")
    assert said["closings"] == (False, "1 closings are not in the books: POS/1 is being counted")
    assert said["headroom"][0], said


def test_the_shop_is_looked_at_before_and_after(rig: GovernedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    house_of(rig).policy["classes"]["production"]["gates"] = [{"gate": "closings"}]
    house_of(rig).write()
    monkeypatch.setattr(governed, "unposted_closings", lambda database: [])
    monkeypatch.setattr(governed, "at_work", lambda database: {"open": 1, "imports": 0, "closings": 2})
    rig.later += datetime.timedelta(hours=1)
    rig.run(rig.params(R2))
    assert [result for kind, result in kinds(rig) if kind == "release"] == ["done (after it 1 tills open, 0 imports, 2 closings not in the books)"]


def test_an_approval_is_used_up(rig: GovernedRig) -> None:
    """Release, go back, release: the same plan needs another approval."""
    first = planned(rig, R2).digest
    approve(rig, first)
    rig.run(rig.params(R2))
    back = rig.operation(rig.params(state="rolled_back")).plan()
    refused(rig, "gates_closed", rig.params(state="rolled_back"))
    approve(rig, back.digest)
    rig.run(rig.params(state="rolled_back"))
    assert planned(rig, R2).digest == first
    refused(rig, "gates_closed", rig.params(R2))


def test_what_was_released_before_anybody_governed_is_not_taken_for_what_was_let_pass(rig: GovernedRig) -> None:
    """The very same plan, carried out and gone back from before the machine was governed."""
    house, rig.house = rig.house, None
    rig.run(rig.params(R2))
    rig.run(rig.params(state="rolled_back"))
    rig.house = house
    rig.later += datetime.timedelta(hours=1)
    approve(rig, planned(rig, R2).digest)
    rig.run(rig.params(R2))
    assert kinds(rig) == [("decision", "approved"), ("gate", "passed"), ("release", "done")]


def test_the_requester_is_not_the_approver(rig: GovernedRig) -> None:
    approve(rig, planned(rig, R2).digest)
    assert "anna@example.com asked for the release" in refused(rig, "gates_closed", rig.params(R2, requested_by="anna")).message
    rig.run(rig.params(R2, requested_by="alice"))


@pytest.mark.parametrize("change", [{"environment": "development"}, {"instance": "acme-development"}])
def test_another_name_opens_nothing(rig: GovernedRig, change: dict[str, str]) -> None:
    """Neither the environment nor the name of who releases decides which gates there are."""
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(R2, **change))
    assert error.value.code in ("bad_input", "foreign_database")


def test_removing_is_asked_too(rig: GovernedRig) -> None:
    refused(rig, "gates_closed", rig.params(state="absent"))
    approve(rig, rig.operation(rig.params(state="absent")).plan().digest)
    rig.run(rig.params(state="absent"))
    assert kinds(rig)[-2:] == [("gate", "passed"), ("release", "done")]


def test_a_rehearsal_needs_no_gate(rig: GovernedRig) -> None:
    rig.run(rig.params(R3, state="rehearsed"))
    assert planned(rig, R3).facts["rehearsal"]


def test_what_was_undone_is_written_down_and_may_be_tried_again(rig: GovernedRig) -> None:
    approve(rig, planned(rig, R3).digest, schema=True)
    rig.world.update_ends = "badly"
    refused(rig, "update_failed", rig.params(R3))
    assert kinds(rig)[-2:] == [("gate", "passed"), ("release", "undone")]
    rig.world.update_ends = "well"
    rig.run(rig.params(R3))
    assert kinds(rig)[-2:] == [("gate", "passed"), ("release", "done")]


def test_a_store_that_does_not_answer(rig: GovernedRig) -> None:
    approve(rig, planned(rig, R2).digest)
    store = house_of(rig).directory / "store"
    store.rename(store.with_name("away"))
    store.write_text("no directory")
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(R2))
    assert error.value.code == "store_failed" and released(rig.world, R1) == []


def test_a_ledger_that_was_emptied(rig: GovernedRig) -> None:
    """Whoever takes the store away takes no rejection along: this machine knows how long the ledger was."""
    approve(rig, planned(rig, R2).digest)
    shutil.rmtree(house_of(rig).directory / "store")
    refused(rig, "ledger_broken", rig.params(R2))


def test_what_a_store_missed_is_written_down_by_the_next_run(rig: GovernedRig, monkeypatch: pytest.MonkeyPatch) -> None:
    approve(rig, planned(rig, R2).digest)
    house = house_of(rig)
    house_store = house.directory / "store"

    def break_it(*_args: Any, **_more: Any) -> Any:
        house_store.rename(house_store.with_name("away"))
        house_store.write_text("no directory")
        return before(*_args, **_more)

    before = ReleaseOperation._release
    monkeypatch.setattr(ReleaseOperation, "_release", break_it)
    done = rig.run(rig.params(R2))
    monkeypatch.setattr(ReleaseOperation, "_release", before)
    assert "the next run puts it there" in done["ledger"]["problem"]
    house_store.unlink()
    house_store.with_name("away").rename(house_store)
    approve(rig, planned(rig, R3).digest, schema=True)
    rig.run(rig.params(R3))
    assert [kind for kind in kinds(rig) if kind[0] == "release"] == [("release", "done")] * 2


@pytest.mark.parametrize("number", [1, 5, 12, 20, 26])
def test_killed(rig: GovernedRig, number: int) -> None:
    """What was interrupted goes on without another approval, and is in the ledger in the end. A second release needs a second approval."""
    approve(rig, planned(rig, R3).digest, schema=True)
    rig.fail_at(number, "kill")
    with pytest.raises(Killed):
        rig.run(rig.params(R3))
    rig.mend()
    rig.run(rig.params(R3))
    assert released(rig.world, R3) == []
    done = [kind for kind in kinds(rig) if kind[0] == "release" and kind[1] in ("done", "finished")]
    assert len(done) == 1


def test_a_machine_whose_policy_is_harmed_releases_nothing(rig: GovernedRig) -> None:
    (house_of(rig).place / "policy.json").chmod(0o666)
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(R2))
    assert error.value.code == "governance_unsafe"


def test_who_asked_is_who_signed_that_and_otherwise_a_word(rig: GovernedRig) -> None:
    """In facts, ledger and audit. Whom the caller names is kept beside it, and neither may approve."""
    digest = planned(rig, R3).digest
    approve(rig, digest, schema=True)
    rig.run(rig.params(R3, requested_by="dana"))
    before = [(line["kind"], line["who"], line["proven"]) for line in house_of(rig).ask("ledger")["entries"]]
    assert before[-2:] == [("gate", "dana", False), ("release", "dana", False)] and ("decision", "anna@example.com", True) in before

    rig.later += datetime.timedelta(seconds=5)
    digest = planned(rig, R1).digest
    house_of(rig).decide("rita@example.com", "request", plan=digest)
    approve(rig, digest, schema=True)
    rig.run(rig.params(R1, requested_by="dana"))
    gate, release = house_of(rig).ask("ledger")["entries"][-2:]
    assert [(line["kind"], line["who"], line["proven"]) for line in (gate, release)] == [("gate", "rita@example.com", True), ("release", "rita@example.com", True)]
    request = house_of(rig).ledger().entry(gate["sequence"]).body["facts"]["request"]
    assert {key: request[key] for key in ("by", "said", "signed")} == {"by": "rita@example.com", "said": "dana", "signed": True}
    assert house_of(rig).ledger().entry(release["sequence"]).body["who"] == "dana", "an operation's entry says what its journal says"


def test_who_is_named_may_not_approve_though_another_signed_the_request(rig: GovernedRig) -> None:
    digest = planned(rig, R2).digest
    house_of(rig).decide("rita@example.com", "request", plan=digest)
    approve(rig, digest)
    assert "anna@example.com asked for the release" in str(refused(rig, "gates_closed", rig.params(R2, requested_by="anna")).details["gates"])
