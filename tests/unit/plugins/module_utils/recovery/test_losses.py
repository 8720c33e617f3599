# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who accepted which lost file, and when."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.losses import FILE, Losses
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import losses_of
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.retention import decide
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.recovery.samples import NOW, point

ONE, TWO = "ab/" + "a" * 40, "cd/" + "c" * 40


def test_the_first_who_accepted_stays(tmp_path: Path) -> None:
    losses = Losses(str(tmp_path / "state"))
    assert losses.known() == {}
    losses.accept([ONE], "jana", "accepted at a capture")
    losses.accept([ONE, TWO, "no name of a file"], "", "accepted at an import")
    known = losses.known()
    assert (known[ONE]["who"], known[TWO]["who"], set(known)) == ("jana", "unknown", {ONE, TWO})
    losses.inherit({ONE: {"who": "piet", "at": "2026", "how": "x"}})
    losses.forget({TWO})
    assert Losses(str(tmp_path / "state")).known() == {ONE: known[ONE]}


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    losses = Losses(str(tmp_path))
    losses.forget([ONE])
    losses.inherit({})
    assert not (tmp_path / FILE).exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"ab": 1}', '{"ab": {"who": "x"}}'])
def test_a_damaged_list_is_not_an_empty_one(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    with pytest.raises(DomainError) as error:
        Losses(str(tmp_path)).known()
    assert error.value.code == "losses_unreadable"


def test_what_a_manifest_says() -> None:
    """One of before names losses and not who accepted them: whoever captured did."""
    old = losses_of({"taken": {"who": "jana", "written": "2026-11-21T10:15:00+00:00"}, "files": {"accepted_losses": [ONE]}})
    assert old[0][ONE]["who"] == "jana" and old[1] == []
    entry = {"who": "jana", "at": "2026", "how": "accepted at a capture"}
    assert losses_of({"files": {"accepted_losses": [ONE, TWO], "losses": {ONE: entry}}}) == ({ONE: entry}, [TWO])
    assert losses_of({}) == ({}, [])


def test_a_whole_point_stays_while_the_newest_has_new_losses() -> None:
    whole, newest = point(3, "verified"), point(1, "verified")
    newest.manifest["files"] = {"accepted_losses": [ONE], "losses": {}}
    decision = decide([newest, point(2, "captured"), whole], {"last": 1}, (), NOW)
    assert set(decision.keep) == {newest.id, whole.id} and "without losses" in decision.keep[whole.id][0]
    newest.manifest["files"] = {"accepted_losses": [ONE], "losses": {ONE: {"who": "jana", "at": "", "how": ""}}}
    assert set(decide([newest, whole], {"last": 1}, (), NOW).keep) == {newest.id}
