# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Canonical JSON and digests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.plan import Plan, Step, canonical_json, digest_of
from hypothesis import given
from hypothesis import strategies as st

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_canonical_json_is_read_back_as_it_was(value: Any) -> None:
    assert json.loads(canonical_json(value)) == value


@given(st.dictionaries(st.text(), VALUES))
def test_order_of_keys_does_not_matter(value: dict[str, Any]) -> None:
    turned = dict(reversed(list(value.items())))
    assert canonical_json(turned) == canonical_json(value)
    assert digest_of(turned) == digest_of(value)


def test_digests_are_the_same_for_ever() -> None:
    """Approvals name them: a change here makes every approval void."""
    assert canonical_json({"b": [1, None, True], "a": "é \" {{ }}"}) == '{"a":"é \\" {{ }}","b":[1,null,true]}'
    assert digest_of({"b": 1, "a": "é"}) == "sha256:aa58fba8483623bed37c1b02edfccbdd9a53123837c20bfa4cb4049993a2872e"


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {"a": [float("-inf")]}])
def test_what_has_no_json_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical_json(value)


def test_only_the_subject_enters_the_digest() -> None:
    plan = Plan((Step("a", "A"),), {"x": 1}, {"x": 2}, {"to": "r1"}, {"reasons": {}})
    other = Plan((), {}, {}, {"to": "r1"}, {"reasons": {"stock": ["why"]}}, recovers=True)
    assert plan.digest == other.digest != Plan((), {}, {}, {"to": "r2"}).digest


def test_a_step_survives_its_journal() -> None:
    step = Step("switch", "Lead the front to green", {"colour": "green", "from": None})
    assert Step.from_dict(json.loads(json.dumps(step.as_dict()))) == step
