# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
from __future__ import annotations

from collections.abc import Callable

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._routing.certificates import Certificate, covers

from .conftest import NOW

Issue = Callable[..., tuple[str, str]]


@pytest.mark.parametrize(
    "name,host,truth",
    [
        ("a.test", "a.test", True), ("A.test", "a.TEST", True), ("a.test", "b.a.test", False),
        ("*.a.test", "b.a.test", True), ("*.a.test", "a.test", False), ("*.a.test", "c.b.a.test", False),
    ],
)
def test_covers(name: str, host: str, truth: bool) -> None:
    assert covers(name, host) is truth


def test_a_good_one_tells_its_validity_and_hides_its_key(issue: Issue) -> None:
    chain, key = issue("a.test", "*.a.test")
    found = Certificate.load("acme", ["a.test", "b.a.test"], chain, key, NOW)
    assert found.as_dict()["not_after"].startswith("2026-06-11")
    assert "PRIVATE" not in repr(found) and "PRIVATE" not in str(found.as_dict())
    again = Certificate.load("acme", ["a.test"], chain.replace("\n", "\r\n"), "\n" + key, NOW)
    assert again.digest == found.digest


@pytest.mark.parametrize(
    "case,code",
    [
        ({"start": -10, "end": -1}, "certificate_expired"),
        ({"start": 1, "end": 10}, "certificate_not_yet_valid"),
        ({"names": ("b.test",)}, "certificate_wrong_host"),
        ({"names": ()}, "certificate_wrong_host"),
        ({"other_key": True}, "certificate_key_mismatch"),
        ({"chain": "nonsense"}, "certificate_unreadable"),
        ({"chain": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"}, "certificate_unreadable"),
        ({"key": "nonsense"}, "certificate_unreadable"),
        ({"torn": True}, "certificate_unreadable"),
    ],
)
def test_refusals_name_the_route(issue: Issue, case: dict[str, object], code: str) -> None:
    names = case.get("names", ("a.test",))
    chain, key = issue(*names, start=case.get("start", -10), end=case.get("end", 10))  # type: ignore[misc]
    if case.get("other_key"):
        key = issue("a.test")[1]
    if case.get("torn"):
        chain = chain + "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    with pytest.raises(DomainError) as caught:
        Certificate.load("acme", ["a.test"], str(case.get("chain", chain)), str(case.get("key", key)), NOW)
    assert caught.value.code == code and "route acme" in caught.value.message and caught.value.unchanged
    assert "PRIVATE" not in str(caught.value)
