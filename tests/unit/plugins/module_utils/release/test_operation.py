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
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release import odoo_run
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.way_back import described
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release import samples
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.memory import MemoryRuntime
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import (
    R1,
    R2,
    R3,
    Data,
    Killed,
    Rig,
    released,
    running_r1,
)

R4 = samples.release("r4", sale=samples.module())


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


def test_a_runtime_that_is_away_while_requests_drain_holds_nothing_against_them(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """The API of a cluster away for a minute: seen once, far beyond the bound, and then nobody is under way any more."""
    running_r1(rig)
    asked = []

    def connections(_self: Any, _place: str, _port: int) -> int:
        asked.append(1)
        if len(asked) == 1:
            rig.world.sleep(70)
            return 1
        return 0

    monkeypatch.setattr(MemoryRuntime, "connections", connections)
    assert rig.run(rig.params(R3))["operation"]["outcome"] == "done"


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
    assert "mends it" in refused(rig, "rehearsal_failed", rig.params(R3)).advice
    rig.run(rig.params(R3, state="rehearsed"))
    rig.run(rig.params(R3))
    assert released(rig.world, R3) == []


@pytest.mark.parametrize("how", ["killed", "too long", "no space"])
def test_a_rehearsal_that_failed_for_a_passing_reason_says_nothing(rig: Rig, how: str) -> None:
    running_r1(rig)
    rig.world.update_ends, rig.world.exit_code = ("never", 1) if how == "too long" else ("badly", 137 if how == "killed" else 1)
    if how == "no space":
        rig.fail_at(6, "error")
    error = refused(rig, "rehearsal_failed", rig.params(R3, state="rehearsed"))
    assert "says nothing about the release" in error.advice
    rig.mend()
    rig.world.update_ends = "well"
    assert refused(rig, "not_rehearsed", rig.params(R3, rehearsal="required"))
    rig.run(rig.params(R3))
    assert released(rig.world, R3) == []


def test_a_rehearsal_is_of_what_it_carried(rig: Rig) -> None:
    """Of one step from a release to another, and of none with a language more; also where the release stays."""
    running_r1(rig)
    rig.run(rig.params(R3, state="rehearsed"))
    required = {"rehearsal": "required"}
    refused(rig, "not_rehearsed", rig.params(R3, languages=["fr_FR"], **required))
    assert rig.run(rig.params(R3, languages=["fr_FR"], state="rehearsed"))["rehearsal"]["ok"]
    assert rig.run(rig.params(R3, languages=["fr_FR"], state="planned"))["plan"].facts["rehearsal"]["ok"]
    refused(rig, "not_rehearsed", rig.params(R1, languages=["fr_FR"], **required))
    assert rig.run(rig.params(R1, languages=["fr_FR"], state="rehearsed"))["rehearsal"]["ok"]
    assert rig.run(rig.params(R1, languages=["fr_FR"], **required))["operation"]["outcome"] == "done"


def test_a_module_that_odoo_passed_over_is_no_endless_plan(rig: Rig) -> None:
    """Odoo ends well although it could not install it: the release is undone, and the rehearsal says so beforehand."""
    running_r1(rig)
    rig.world.releases[R4.reference], rig.world.schemas[R4.reference] = R4, "s1"
    wished = rig.params(R4, modules={"install": ["sale"], "uninstall": []})
    for state in ("rehearsed", "released"):
        with pytest.raises(DomainError) as error:
            rig.run({**wished, "state": state})
        assert "sale is not installed" in error.value.message
    assert error.value.code == "rehearsal_failed"


@pytest.mark.parametrize(("change", "said"), [
    ({"install": ["sale"]}, "sale is not installed"), ({"install": ["stock"]}, ""), ({"uninstall": ["stock"]}, "stock is still installed"),
    ({"uninstall": ["sale"]}, ""), ({}, "")])
def test_what_an_update_left_is_compared_with_what_was_asked(rig: Rig, change: dict[str, Any], said: str) -> None:
    running_r1(rig)
    database = rig.operation(rig.params(R1)).parts.database
    if not said:
        odoo_run.check(database, change)
        return
    with pytest.raises(DomainError, match=said) as error:
        odoo_run.check(database, change)
    assert error.value.code == "not_installed"


def test_what_is_to_be_installed_is_looked_up_in_the_record_that_runs(rig: Rig) -> None:
    running_r1(rig)
    refused(rig, "module_unknown", rig.params(R1, modules={"install": ["nowhere"], "uninstall": []}))


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


def test_damaged_files_of_the_state(rig: Rig) -> None:
    """A rehearsal that cannot be read measured nothing; without the release that an interrupted operation kept there is no going on."""
    running_r1(rig)
    rig.run(rig.params(R3, state="rehearsed"))
    state = Path(rig.operation(rig.params(R3)).wanted.state_directory)
    next((state / "rehearsals").iterdir()).write_text("{")
    assert rig.run(rig.params(R3, state="planned"))["plan"].facts["rehearsal"] is None
    rig.fail_at(60, "kill")
    with pytest.raises(Killed):
        rig.run(rig.params(R3))
    rig.mend()
    (state / "release.json").write_text("{}")
    with pytest.raises(DomainError, match="is not what was written there") as error:
        rig.run(rig.params(R3))
    assert error.value.code == "state_damaged"


def test_a_purge_leaves_nothing_of_the_instances_data(rig: Rig) -> None:
    """Nor anything of what releases left beside it; what is another's stays."""
    running_r1(rig)
    wanted = rig.operation(rig.params(R1)).wanted
    stores, was = Path(wanted.filestore).parent, "acme_production_was_2611211530"
    for name in (was, "acme_production_undo", "acme_production_rehearsal", "acme_production_bi"):
        rig.world.databases[name] = Data(schema="s1")
    mine = [stores / was, Path(wanted.directory, "exports", "one"), Path(wanted.directory, "rehearsal"), Path(wanted.filestore)]
    for path in (*mine, stores / "acme_production_bi"):
        path.mkdir(parents=True, exist_ok=True)
    rig.world.purging = True
    purged = rig.run(rig.params(state="absent", purge="acme-production"))["purged"]
    assert purged["databases"] == ["acme_production", "acme_production_rehearsal", "acme_production_undo", was]
    assert sorted(purged["directories"]) == sorted(str(path if path.name != "one" else path.parent) for path in mine)
    assert list(rig.world.databases) == ["acme_production_bi"] and not any(path.exists() for path in mine)
    assert (stores / "acme_production_bi").is_dir()
    assert not rig.run(rig.params(state="absent", purge="acme-production"))["changed"]


ROWS = [("r1", "create"), ("r2", "code"), ("r3", "update"), ("r4", "code")]


@pytest.mark.parametrize(("rows", "way", "said"), [
    ([], None, None), (ROWS[:1], "none", "nothing else"), (ROWS[:2], "code", "to r1 by a switch"),
    (ROWS[:3], "data", "to r2 only with the data of before 3"), (ROWS, "code", "to r3 by a switch"),
    ([ROWS[0], ROWS[1], ("r2", "code")], "code", "to r1 by a switch"),
    ([ROWS[0], ROWS[2], ("r3", "code")], "data", "to r1 only with the data of before 2"),
    ([ROWS[0], ROWS[1], ("r1", "rollback")], "none", "it was gone back to r1"),
    ([ROWS[0], ROWS[2], ("r1", "restore")], "none", "it was gone back to r1"),
    ([ROWS[0], ROWS[1], ("r1", "rollback"), ("r1", "code")], "code", "to r2 by a switch"),
    ([ROWS[0], ("r5", "create")], "none", "nothing else ran here"), ([*ROWS, ("r4", "create")], "none", "nothing else ran here"),
    ([*ROWS, ("r4", "create"), ("r5", "code")], "code", "to r4 by a switch"), ([*ROWS, ("r4", "create"), ("r4", "code")], "none", "nothing else ran here"),
    ([*ROWS, ("r4", "create"), ("r5", "update")], "data", "to r4 only with the data of before 6"),
    ([ROWS[0], ("r2", "adopt")], "code", "to r1 by a switch")])
def test_the_way_back(rows: list[tuple[str, str]], way: str | None, said: str | None) -> None:
    """What is told and what is done are of one function."""
    history = [{"id": number, "image": name, "name": name, "class": kind, "release": "sha256:" + name, "at": number}
               for number, (name, kind) in enumerate(rows, 1)][::-1]
    found = described(history)
    assert (found and found["class"]) == way
    assert said is None or (found and found["said"].startswith(said))


def test_many_releases_of_a_configuration_do_not_hide_the_release_before(rig: Rig) -> None:
    running_r1(rig)
    rig.run(rig.params(R2))
    for number in range(25):
        rig.run(rig.params(R2, config={"limit_time_real": 100 + number}))
    rig.run(rig.params(state="rolled_back"))
    assert released(rig.world, R1) == []


def test_a_copy_goes_back_to_nothing_that_ran_elsewhere(rig: Rig) -> None:
    """Its database brought the records of another instance along: neither its status nor a rollback takes them for its own."""
    running_r1(rig)
    rig.run(rig.params(R2))
    data = rig.world.databases["acme_production"]
    # As ``restore`` leaves it: another operation, which made the database of the release that ran there.
    data.applied.append({**data.applied[-1], "id": 3, "class": "create", "operation": "restored"})
    before = rig.world.snapshot()
    with pytest.raises(DomainError, match="never ran another release") as error:
        rig.run(rig.params(state="rolled_back"))
    assert error.value.code == "nothing_before" and rig.world.snapshot() == before
    assert described(data.applied[::-1]) == {"class": "none", "said": "nothing else ran here before"}
