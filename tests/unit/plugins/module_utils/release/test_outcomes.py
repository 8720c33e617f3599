# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is told at the end is true: every state and class, done, undone and failed, as a table and on the machine in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.filter.release_text import release_summary
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance import people
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.people import sealed
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.outcomes import undone
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.rig import (
    R1,
    R2,
    R3,
    Killed,
    Rig,
    running_r1,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.release.test_journal_recovery import RECOVERY

BLUE, NONE = {"colour": "blue"}, {"colour": None}
RUNS = "acme runs as before"
UNDONE = [
    ("create", False, NONE, "What was made of it was removed; nothing of acme runs, as nothing did before"),
    ("adopt", False, NONE, "The release was undone; the database of acme is as it was, and nothing of it runs here"),
    ("adopt", False, BLUE, f"The release was undone; {RUNS}"), ("code", False, BLUE, f"The release was undone; {RUNS}"),
    ("code", True, BLUE, f"What was started was removed; {RUNS}"), ("update", False, BLUE, f"The release was undone; {RUNS}"),
    ("restore", False, BLUE, f"The release was undone; {RUNS}"), ("none", False, BLUE, f"The release was undone; {RUNS}"),
    ("code", False, NONE, "The release was undone; acme is as it was before: its front leads to no colour"),
    ("update", False, NONE, "The release was undone; acme is as it was before: its front leads to no colour")]


@pytest.mark.parametrize(("kind", "staged", "before", "said"), UNDONE)
def test_after_an_undo(kind: str, staged: bool, before: dict[str, Any], said: str) -> None:
    assert undone("acme", kind, staged, before) == said


def result(rig: Rig, params: dict[str, Any], check: bool = False) -> dict[str, Any]:
    """As the module returns it."""
    operation = rig.operation(params)
    plan = operation.plan()
    further = operation.perform(plan, {}) if plan.steps and operation.writes and not check else {}
    return {"changed": bool(plan.steps), "plan": plan.as_dict(), **operation.facts(), **further}


def said(rig: Rig, *arguments: Any, **more: Any) -> str:
    return " | ".join(release_summary(result(rig, *arguments, **more), "acme"))


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, monkeypatch, "docker")


def name(release: Any) -> str:
    return str(release.id[7:19])


def test_from_its_making_to_its_end(rig: Rig) -> None:
    """Each line is compared with what the machine is like then."""
    assert "nothing to remove" in said(rig, rig.params(state="absent"))
    checked = said(rig, rig.params(R1), check=True)
    assert "not done, as this is a check: class create" in checked and "nothing is served" in checked and not rig.world.boxes
    made = said(rig, rig.params(R1))
    assert "done, class create" in made and "log in as admin; the password is the instance's secret 'admin'" in made
    assert rig.world.first_password == "secret of admin" and "secret of admin" not in made
    assert said(rig, rig.params(R1)) == f"acme: unchanged, {name(R1)} runs on blue"
    assert said(rig, rig.params(R2), check=True).endswith(f"steps; {name(R1)} runs on blue")
    assert said(rig, rig.params(R2, state="staged")).endswith(f"staged and not routed: {name(R1)} runs on blue")
    assert said(rig, rig.params(R2, state="staged")) == f"acme: unchanged, {name(R1)} runs on blue"
    found = result(rig, rig.params(R2))
    assert (found["instance"]["colour"], found["instance"]["release"]) == ("green", R2.id), "what runs now, not what ran before"
    assert "requests waited" in said(rig, rig.params(R3, recovery=RECOVERY))
    removed = {"state": "absent", "purge": ""}
    assert "not done, as this is a check: " in said(rig, rig.params(**removed), check=True) and rig.world.boxes
    rig.world.purging = True
    assert said(rig, rig.params(**removed)) == "acme: removed; nothing of it runs. Database and filestore stay"
    assert said(rig, rig.params(**removed)) == "acme: unchanged, there is nothing to remove"
    dropped = said(rig, rig.params(state="absent", purge="acme-production"))
    assert dropped.startswith("acme: removed; nothing of it runs. Dropped: acme_production") and not rig.world.boxes


def test_a_known_password_is_told(rig: Rig) -> None:
    made = said(rig, rig.params(R1, admin_password=""))
    assert "which everybody knows" in made and rig.world.first_password == ""


def test_without_a_password_no_shop_is_made(rig: Rig) -> None:
    with pytest.raises(DomainError, match="admin_password") as error:
        rig.run(rig.params(R1, admin_password=None))
    assert error.value.code == "bad_input" and rig.world.effects == [] and not rig.world.databases
    assert rig.run(rig.params(R1, admin_password=None, state="planned"))["plan"].steps
    rig.run(rig.params(R1))
    assert not rig.run(rig.params(R1, admin_password=None))["changed"], "of a database that is there nothing is asked"


@pytest.mark.parametrize("state", ["released", "rehearsed", "staged"])
def test_what_failed_says_what_is_so(rig: Rig, state: str) -> None:
    rig.world.not_ready = {R1.reference}
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(R1))
    assert error.value.unchanged == "What was made of it was removed; nothing of acme-production runs, as nothing did before"
    assert not rig.world.databases and not rig.world.boxes and not rig.world.map
    rig.world.not_ready = set()
    running_r1(rig)
    before = rig.world.snapshot()
    release = R3 if state == "rehearsed" else R2
    rig.world.not_ready = {release.reference}
    with pytest.raises(DomainError) as error:
        rig.run(rig.params(release, state=state))
    assert rig.world.snapshot() == before
    expected = {"released": "The release was undone; acme-production runs as before", "staged": "What was started was removed; acme-production runs as before",
                "rehearsed": "The instance was not touched; the clone was removed"}
    assert error.value.unchanged == expected[state]


def test_what_was_interrupted_says_which(rig: Rig) -> None:
    """And what is so after it was undone and nothing more was to be done."""
    running_r1(rig)
    rig.fail_at(30, "kill")
    with pytest.raises(Killed):
        rig.run(rig.params(R3))
    rig.mend()
    entries = rig.journal()
    title = rig.run(rig.params(R1, state="planned"))["plan"].steps[0].title
    assert title.startswith("Undo the operation " + entries[0]["operation"]) and "that was interrupted in '" in title
    told: list[str] = []
    wrote = type(rig.operation(rig.params(R1)).parts.journal).write

    def write(self: Any, event: str, **data: Any) -> None:
        told.append(data.get("title", "") if event == "recover" else "")
        wrote(self, event, **data)

    rig.patch.setattr(type(rig.operation(rig.params(R1)).parts.journal), "write", write)
    assert "undone, class update" in said(rig, rig.params(R1))
    assert title in told


def test_a_removal_that_fails_half_way(rig: Rig) -> None:
    running_r1(rig)
    rig.fail_at(3, "error")
    rig.world.purging = True
    with pytest.raises(DomainError, match="is removed in part") as error:
        rig.run(rig.params(state="absent"))
    assert "removes the rest" in error.value.advice
    rig.mend()
    assert said(rig, rig.params(state="absent")).startswith("acme: removed")


def test_a_password_as_odoo_keeps_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As passlib, which Odoo uses, makes it of the same salt. With real Odoo: tests/integration/addons."""
    assert sealed("secret", 1000) != sealed("secret", 1000) and sealed("secret").startswith("$pbkdf2-sha512$600000$")
    monkeypatch.setattr(people.secrets, "token_bytes", lambda size: bytes(range(size)))
    assert sealed("süß", 25000) == (
        "$pbkdf2-sha512$25000$AAECAwQFBgcICQoLDA0ODw$h4SyuLLCk4pAlzpKvyRZqR9NN/6qno23/zROX/EINbwbtJ/jFZj4lmyFpgJKjSX3a2qBXb0XqMod9WyMBXgAxA")


def test_browsers_are_told_by_the_release(rig: Rig) -> None:
    """At every switch and let-go the colour that leads is asked, and what a colour kept that never led is forgotten."""
    running_r1(rig)
    for release, colour in ((R2, "green"), (R3, "blue")):
        rig.world.called.clear()
        rig.run(rig.params(release))
        assert rig.world.called and set(rig.world.called) == {colour}
    kept = rig.directory / "run" / "acme-production" / "green" / "bundle_changed"
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("{}")
    rig.world.not_ready = {R2.reference}
    with pytest.raises(DomainError):
        rig.run(rig.params(R2))
    assert not kept.exists()
    kept.write_text("{}")
    rig.world.not_ready = set()
    rig.run(rig.params(R3, config={"limit_time_real": 9}))
    assert not kept.exists() and rig.world.front_colour() == "green"
