# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Operations that nothing disturbs: what they end in, and that a second run has nothing to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.journal import locked
from ansible_collections.sysgenpro.odoo.plugins.module_utils._odoo.status import way_back
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.odoo.rig import (
    R1,
    R2,
    R3,
    Killed,
    Rig,
    released,
    running_r1,
)


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, monkeypatch)


def test_create_code_update_and_nothing_more_to_do(rig: Rig) -> None:
    for release, kind, colour in ((R1, "create", "blue"), (R2, "code", "green"), (R3, "update", "blue")):
        result = rig.run(rig.params(release))
        assert result["plan"].facts["class"] == kind
        assert released(rig.world, release) == []
        assert rig.world.front_colour() == colour
        assert result["operation"]["outcome"] == "done"
        again = rig.run(rig.params(release))
        assert not again["changed"]
        assert rig.journal() == []
    assert rig.world.accepted > 50


def refused(rig: Rig, code: str, params: dict[str, Any]) -> DomainError:
    """A run that fails, and leaves what was: nothing of the machine and no journal."""
    before = rig.world.snapshot()
    with pytest.raises(DomainError) as error:
        rig.run(params)
    assert error.value.code == code
    assert rig.world.snapshot() == before
    assert rig.journal() == []
    return error.value


def steps_of(error: DomainError) -> list[str]:
    return [entry["step"] for entry in error.details["operation"]["steps"] if entry["event"] == "undone"]


def test_an_update_that_fails_half_way(rig: Rig) -> None:
    running_r1(rig)
    rig.world.update_ends = "badly"
    error = refused(rig, "update_failed", rig.params(R3))
    assert error.message == "the update failed: Odoo ended with code 1: ValueError: it cannot be"
    assert error.unchanged == "The release was undone; acme-production runs as before"
    assert steps_of(error) == ["undo_copy", "fence", "retire", "hold", "stop_cron", "prepare"]
    assert error.details["operation"]["pause"] >= 0
    rig.world.update_ends = "well"
    rig.run(rig.params(R3))
    assert released(rig.world, R3) == []


def test_undone_though_the_old_colour_is_not_as_good_as_it_was(rig: Rig) -> None:
    """Somebody spoilt an invoice's template since it was proven: who waits is served all the same, and that is said."""
    running_r1(rig)
    rig.world.update_ends, rig.world.spoilt = "badly", {R1.reference}
    error = refused(rig, "update_failed", rig.params(R3))
    assert [text for text in error.details["operation"]["warnings"] if "blue was let in again" in text and "not proven" in text]


def test_undone_though_the_journal_cannot_be_written(rig: Rig) -> None:
    """The disk gets full in the middle of an update: its cause is said, everybody is served again, and the next run tidies up."""
    running_r1(rig)
    before = rig.world.snapshot()
    rig.world.fills_journal, rig.world.update_ends = True, "badly"
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(R3))
    assert error.value.code in ("update_failed", "journal_failed") and "No space left on device" in str(error.value)
    assert rig.world.snapshot() == before
    rig.world.fills_journal, rig.world.journal_full, rig.world.update_ends = False, False, "well"
    rig.run(rig.params(R3))
    assert released(rig.world, R3) == [] and rig.journal() == []


def test_an_update_that_hangs(rig: Rig) -> None:
    running_r1(rig)
    rig.world.update_ends = "never"
    error = refused(rig, "update_timeout", rig.params(R3))
    assert "1800 s (bounds.update)" in error.message
    assert any("maintenance page was shown" in text for text in error.details["operation"]["warnings"])


@pytest.mark.parametrize("release", [R2, R3])
def test_a_release_that_does_not_come_up(rig: Rig, release: Any) -> None:
    running_r1(rig)
    rig.world.not_ready = {release.reference}
    refused(rig, "not_ready", rig.params(release))


def test_a_request_that_never_ends(rig: Rig) -> None:
    """An update gives up and says so; a switch of code ends it after ``bounds.finish`` and warns."""
    running_r1(rig)
    rig.world.open_requests = 1
    error = refused(rig, "drain_timeout", rig.params(R3))
    assert "blue after 30 s (bounds.drain)" in error.message
    result = rig.run(rig.params(R2))
    assert released(rig.world, R2) == []
    assert result["operation"]["warnings"] == [
        "ended on blue after 600 s (bounds.finish): requests that the image does not name"]


@pytest.mark.parametrize("release", [R2, R3])
def test_a_scheduled_action_that_runs_on(rig: Rig, release: Any) -> None:
    running_r1(rig)
    rig.world.busy_cron = ["Send the mails"]
    error = refused(rig, "cron_busy", rig.params(release))
    assert "Send the mails" in error.message


def test_staging_is_done_once_and_taken_over(rig: Rig) -> None:
    running_r1(rig)
    assert rig.run(rig.params(R2, state="staged"))["changed"]
    assert rig.world.front_colour() == "blue" and rig.world.boxes["acme-production-green-web"].running
    assert not rig.run(rig.params(R2, state="staged"))["changed"]
    made = rig.world.boxes["acme-production-green-web"]
    rig.run(rig.params(R2))
    assert released(rig.world, R2) == [] and rig.world.boxes["acme-production-green-web"] is made
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(R3, state="staged"))
    assert error.value.code == "cannot_stage"


def test_going_back(rig: Rig) -> None:
    running_r1(rig)
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(state="rolled_back"))
    assert error.value.code == "nothing_before"
    rig.run(rig.params(R2))
    assert rig.run(rig.params(state="rolled_back"))["changed"]
    assert released(rig.world, R1) == []
    assert not rig.run(rig.params(state="rolled_back"))["changed"]
    rig.run(rig.params(R3))
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(state="rolled_back"))
    assert error.value.code == "update_between"


def test_a_rehearsal_is_kept_and_its_failure_stops_the_release(rig: Rig) -> None:
    running_r1(rig)
    before = rig.world.snapshot()
    found = rig.run(rig.params(R3, state="rehearsed"))["rehearsal"]
    assert found["ok"] and found["ddl"] == [{"tag": "CREATE TABLE", "object": "public.x", "command": "create table x ()"}]
    assert rig.world.snapshot() == before and list(rig.world.databases) == ["acme_production"] and not rig.world.networks
    assert not rig.run(rig.params(R3, state="rehearsed"))["changed"]
    plan = rig.run(rig.params(R3, state="planned", rehearsal="required"))["plan"]
    assert plan.facts["rehearsal"]["ddl_fingerprint"] == found["ddl_fingerprint"] == plan.subject["ddl"]


def test_a_failed_rehearsal_stops_the_release(rig: Rig) -> None:
    running_r1(rig)
    rig.world.update_ends = "badly"
    error = refused(rig, "rehearsal_failed", rig.params(R3, state="rehearsed"))
    assert "it cannot be" in error.message
    rig.world.update_ends = "well"
    assert refused(rig, "rehearsal_failed", rig.params(R3)).advice == "Build a release that mends it"
    rig.run(rig.params(R3, state="rehearsed"))
    rig.run(rig.params(R3))
    assert released(rig.world, R3) == []


def test_a_plan_writes_nothing(rig: Rig) -> None:
    running_r1(rig)
    files = sorted(str(path) for path in rig.directory.rglob("*"))
    for release in (R1, R2, R3):
        rig.run(rig.params(release, state="planned"))
    assert rig.world.effects == []
    assert sorted(str(path) for path in rig.directory.rglob("*")) == files


def test_an_approval_of_another_plan_holds_up_nothing(rig: Rig) -> None:
    running_r1(rig)
    digest = rig.run(rig.params(R3, state="planned"))["plan"].digest
    refused(rig, "plan_changed", rig.params(R2, expected_plan_digest=digest))
    rig.run(rig.params(R3, expected_plan_digest=digest))
    assert released(rig.world, R3) == []


def test_an_interrupted_release_needs_no_new_approval(rig: Rig) -> None:
    running_r1(rig)
    digest = rig.run(rig.params(R3, state="planned"))["plan"].digest
    rig.fail_at(60, "kill")
    with pytest.raises(Killed):
        rig.run(rig.params(R3, expected_plan_digest=digest))
    rig.mend()
    plan = rig.run(rig.params(R3, state="planned"))["plan"]
    assert plan.recovers and plan.digest == digest and [step.name for step in plan.steps] == ["recover"]
    rig.run(rig.params(R3, expected_plan_digest=digest))
    assert released(rig.world, R3) == []


def test_while_another_works_nothing_is_touched(rig: Rig) -> None:
    running_r1(rig)
    directory = rig.operation(rig.params(R2)).wanted.state_directory
    with locked(directory, {"who": "alice", "operation": "released"}):
        error = refused(rig, "locked", rig.params(R2))
    assert "released by alice" in error.message


def test_an_interrupted_release_is_finished_without_the_registry(rig: Rig) -> None:
    running_r1(rig)
    total = rig.count(rig.params(R2))
    again = Rig(rig.directory / "again", rig.patch)
    running_r1(again)
    again.fail_at(total - 6, "kill")
    with pytest.raises(Killed):
        again.run(again.params(R2))
    again.mend()
    again.world.releases = {}
    result = again.run(again.params(R2))
    assert result["operation"]["outcome"] == "finished" and released(again.world, R2) == []


ROWS = [("r1", "create"), ("r2", "code"), ("r3", "update"), ("r4", "code")]


@pytest.mark.parametrize(("rows", "way", "said"), [
    ([], None, None), (ROWS[:1], "none", "nothing else"), (ROWS[:2], "code", "to r1 by a switch"),
    (ROWS[:3], "data", "to r2 only with the data of before 3"), (ROWS, "code", "to r3 by a switch"),
    ([ROWS[0], ROWS[1], ("r2", "code")], "code", "to r1 by a switch"),
    ([ROWS[0], ROWS[2], ("r3", "code")], "data", "to r1 only with the data of before 2")])
def test_the_way_back(rows: list[tuple[str, str]], way: str | None, said: str | None) -> None:
    history = [{"id": number, "image": name, "name": name, "class": kind, "release": "sha256:" + name, "at": number}
               for number, (name, kind) in enumerate(rows, 1)][::-1]
    found = way_back(history)
    assert (found and found["class"]) == way
    assert said is None or (found and found["said"].startswith(said))
