# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which points a policy keeps."""

from __future__ import annotations

import datetime
import random

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import Point
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.points import newest_first
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.retention import decide
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.recovery.samples import NOW, point
from hypothesis import assume, given
from hypothesis import strategies as st

HOUR = 1 / 24
HELD = (NOW + datetime.timedelta(days=1)).isoformat()
OVER = (NOW - datetime.timedelta(days=1)).isoformat()


def removed(points: list[Point], policy: dict[str, int], named: list[str] | None = None) -> list[Point]:
    gone = decide(points, policy, named or [], NOW).remove
    return [p for p in points if p.id in gone]


def test_last() -> None:
    points = [point(days) for days in range(5)]
    assert removed(points, {"last": 2}) == points[2:]


def test_daily_keeps_the_newest_good_one_of_a_day() -> None:
    old_verified, new_captured, yesterday = point(0.4, "verified"), point(0.1), point(1.2)
    assert removed([old_verified, new_captured, yesterday], {"daily": 2}) == [new_captured]


def test_failed_counts_only_where_there_is_nothing_good() -> None:
    good, bad, alone = point(0.4), point(0.1, "failed"), point(1.2, "failed")
    assert removed([good, bad, alone], {"daily": 2}) == [bad, alone]
    assert removed([bad, alone], {"daily": 2}) == []


def test_bad_ones_do_not_push_good_ones_out() -> None:
    good = [point(days, "verified") for days in (3, 4, 5)]
    bad = [point(days, "failed") for days in (0, 1, 2)]
    assert removed(bad + good, {"last": 2}) == [*bad, good[2]]


def test_a_hold_that_cannot_be_believed_holds() -> None:
    """By policy and by name; the way out is said."""
    newest, held = point(0), point(50, ignored=["verification-000001.json: x", "hold-000001.json: its signature is wrong"])
    assert removed([newest, held], {"last": 1}) == []
    assert decide([newest, held], {"last": 1}, [], NOW).keep[held.id] == [
        "held by a document that cannot be believed: hold-000001.json: its signature is wrong"]
    with pytest.raises(DomainError) as error:
        decide([newest, held], None, [held.id], NOW)
    assert error.value.code == "point_protected" and "trusted_signers" in error.value.advice


def test_weekly_and_monthly_reach_back() -> None:
    points = [point(days) for days in range(0, 100)]
    decision = decide(points, {"weekly": 2, "monthly": 3}, [], NOW)
    assert len(decision.keep) == 4 and points[0].id in decision.keep
    assert decision.keep[points[0].id] == ["weekly 1 of 2", "monthly 1 of 3"]


@pytest.mark.parametrize("protected", [
    point(50, "verified"), point(50, hold=HELD), point(50, locked_until=HELD)], ids=["newest verified", "held", "locked"])
def test_protected_stays_by_policy_and_by_name(protected: Point) -> None:
    newest = point(0)
    assert removed([newest, protected], {"last": 1}) == []
    with pytest.raises(DomainError) as error:
        decide([newest, protected], None, [protected.id], NOW)
    assert error.value.code == "point_protected" and protected.id in str(error.value)


def test_a_hold_that_is_over_protects_no_more() -> None:
    over = point(50, hold=OVER, locked_until=OVER)
    assert removed([point(0), over], {"last": 1}) == [over]


def test_older_verified_goes_when_a_newer_is_verified() -> None:
    old = point(50, "verified")
    assert removed([point(0, "verified"), old], {"last": 1}) == [old]


def test_untrusted_goes_only_by_name_and_never_leaves_nothing() -> None:
    newest, strange = point(0), point(3, "untrusted")
    assert removed([newest, strange], {"last": 1}) == []
    assert removed([newest, strange], {}, [strange.id]) == [strange]
    with pytest.raises(DomainError) as error:
        decide([newest, strange], None, [newest.id], NOW)
    assert error.value.code == "removes_everything"


def test_a_point_dated_in_the_future_is_not_the_newest() -> None:
    """It was taken before the other one, by a clock that was an hour ahead."""
    ahead, right = point(-HOUR, "verified", position=10), point(HOUR / 2, "verified", position=11)
    assert [p.id for p in newest_first([ahead, right])] == [right.id, ahead.id]
    assert removed([ahead, right], {"last": 1}) == [ahead]


def test_a_point_dated_an_hour_too_early_is_the_newest() -> None:
    before, behind = point(HOUR / 2, "verified", position=10), point(HOUR, "verified", position=11)
    assert removed([before, behind], {"last": 1}) == [before]


def test_positions_of_another_cluster_say_nothing() -> None:
    old, new = point(1, "verified", position=99, system="6"), point(0, "verified", position=1)
    assert newest_first([old, new]) == [new, old]


@given(st.lists(st.integers(-48, 48), min_size=1, max_size=12), st.randoms(use_true_random=False))
def test_whatever_the_clocks_the_log_tells(skews: list[int], chance: random.Random) -> None:
    points = [point(-number - skew * HOUR, "verified", position=1000 + number) for number, skew in enumerate(skews)]
    assume(len({each.id for each in points}) == len(points))  # an id is a moment here
    mixed = list(points)
    chance.shuffle(mixed)
    assert newest_first(mixed) == points[::-1]


def test_unknown() -> None:
    with pytest.raises(DomainError) as error:
        decide([point(0)], None, ["20200101T000000-00000000"], NOW)
    assert error.value.code == "unknown_point" and "20200101T000000-00000000" in str(error.value)


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(["captured", "verified", "failed", "untrusted"])), unique_by=lambda p: p[0]),
       st.fixed_dictionaries({name: st.integers(0, 5) for name in ("last", "daily", "weekly", "monthly")}).filter(lambda p: any(p.values())))
def test_whatever_the_policy(made: list[tuple[int, str]], policy: dict[str, int]) -> None:
    points = [point(days, state) for days, state in made]
    decision = decide(points, policy, [], NOW)
    assert set(decision.keep).isdisjoint(decision.remove) and {p.id for p in points} == {*decision.keep, *decision.remove}
    trusted = [p for p in points if not p.problem]
    assert not trusted or any(p.id in decision.keep for p in trusted)
    verified = sorted((p for p in points if p.state == "verified"), key=lambda p: p.id)
    assert not verified or verified[-1].id in decision.keep
    rest = [p for p in points if p.id in decision.keep]
    assert not decide(rest, policy, [], NOW).remove, "a second run removes nothing"
