# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps, their journal and their undoing."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.execute import carry_out, undo
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.plan import Step

STEPS = tuple(Step(name, name.upper()) for name in ("one", "two", "three"))


class Written:
    """A journal and the handlers, in one list of what happened when."""

    def __init__(self, fails: dict[str, Exception]) -> None:
        self.fails, self.context, self.said = fails, dict[str, Any](), list[Any]()

    def write(self, event: str, **data: Any) -> None:
        self.said.append((event, data["step"]))

    def _act(self, what: str) -> dict[str, Any]:
        self.said.append(what)
        if what in self.fails:
            raise self.fails[what]
        return {what: 1}

    def do_one(self, step: Step) -> dict[str, Any]:
        return self._act("do_one")

    def do_two(self, step: Step) -> dict[str, Any]:
        return self._act("do_two")

    def do_three(self, step: Step) -> dict[str, Any]:
        return self._act("do_three")

    def undo_one(self, step: Step) -> None:
        self._act("undo_one")

    def undo_three(self, step: Step) -> None:
        self._act("undo_three")


def test_each_step_is_announced_before_and_noted_after() -> None:
    world, timings = Written({}), dict[str, float]()
    carry_out(world, STEPS, world, timings)
    assert world.said == [x for name in ("one", "two", "three") for x in (("begin", name), "do_" + name, ("done", name))]
    assert world.context == {"begun": ["one", "two", "three"], "do_one": 1, "do_two": 1, "do_three": 1}
    assert set(timings) == {"one", "two", "three"}


def test_an_error_stops_and_the_last_one_begun_is_undone_first() -> None:
    world = Written({"do_three": DomainError("busy", "it is busy")})
    with pytest.raises(DomainError) as error:
        carry_out(world, STEPS, world, {})
    assert error.value.code == "busy" and world.said[-1] == ("failed", "three")
    world.said.clear()
    undo(world, STEPS, world)
    assert world.said == [("undo", "three"), "undo_three", ("undone", "three"), ("undo", "one"), "undo_one", ("undone", "one")]


def test_what_did_not_begin_is_not_undone() -> None:
    world = Written({"do_two": KeyError("x")})
    with pytest.raises(DomainError) as error:
        carry_out(world, STEPS, world, {})
    assert error.value.code == "step_failed" and error.value.message == "TWO: KeyError: 'x'"
    world.said.clear()
    undo(world, STEPS, world)
    assert world.said == [("undo", "one"), "undo_one", ("undone", "one")]


class Full(Written):
    """A journal on a disk that is full from a step on."""

    full = False

    def write(self, event: str, **data: Any) -> None:
        if self.full:
            raise DomainError("journal_failed", "No space left on device")
        super().write(event, **data)

    def do_two(self, step: Step) -> dict[str, Any]:
        self.full = True
        return super().do_two(step)


def test_a_full_disk_hides_no_cause_and_stops_no_undo() -> None:
    world = Full({"do_two": DomainError("busy", "it is busy")})
    with pytest.raises(DomainError) as error:
        carry_out(world, STEPS, world, {})
    assert error.value.code == "busy"
    undo(world, STEPS, world)
    assert world.said[-1] == "undo_one"


def test_an_undo_that_fails_says_how_to_go_on() -> None:
    world = Written({"undo_three": OSError("no\nnft")})
    carry_out(world, STEPS, world, {})
    with pytest.raises(DomainError) as error:
        undo(world, STEPS, world)
    assert error.value.code == "undo_failed"
    assert str(error.value) == ("undoing 'THREE' failed: OSError: no. Mend that, then run the same command again: "
                                "it goes on where this stopped.")
    assert world.said[-1] == ("undo_failed", "three") and "undo_one" not in world.said
