# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where recovery points lie, and the lines that tell of them."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.filter.recovery_of import names_of, recovery_of, recovery_points_of
from ansible_collections.sysgenpro.odoo.plugins.filter.release_text import plan_summary, points_summary

SECRETS = {"recovery": "p"}


@pytest.mark.parametrize(("given", "expected"), [
    ({}, {"repository": {"location": "/var/lib/sysgenpro/recovery/acme", "password": "p"}, "secret_names": ["recovery"]}),
    ({"instance_config_secrets": {"smtp_password": "x"}}, {
        "repository": {"location": "/var/lib/sysgenpro/recovery/acme", "password": "p"},
        "secret_names": ["instance_config_secrets.smtp_password", "recovery"]}),
    ({"instance_recovery": False}, {}),
    ({"instance_recovery": {"location": "s3:https://s3.test/acme", "access_key": "a", "secret_key": "b", "keep_abandoned": 3}},
     {"repository": {"location": "s3:https://s3.test/acme", "access_key": "a", "secret_key": "b", "password": "p"}, "secret_names": ["recovery"],
      "keep_abandoned": 3}),
    ({"instance_cluster": "lab", "instance_authorities": {"recovery": "PEM"}}, {"repository": {
        "location": "/var/lib/sysgenpro/recovery/acme", "password": "p", "ca_path": "/etc/sysgenpro/toolbox/recovery.crt"}, "secret_names": ["recovery"]}),
    ({"instance_recovery": {"retention": {"last": 1}, "schedule": {"capture": "daily"}}},
     {"repository": {"location": "/var/lib/sysgenpro/recovery/acme", "password": "p"}, "secret_names": ["recovery"]}),
])
def test_recovery_of(given: dict[str, Any], expected: dict[str, Any]) -> None:
    assert recovery_of({"inventory_hostname": "acme", **given}, SECRETS) == expected


def test_secrets_are_named_and_not_told() -> None:
    assert names_of({"session": "s3cret", "database": {"web": "w", "cron": {"old": "o"}}, "recovery": ""}) == [
        "database.cron.old", "database.web", "recovery", "session"]


@pytest.mark.parametrize(("given", "said"), [("nightly", "expected a dictionary or false"), ({"place": "/x"}, "has place, expected some of location")])
def test_what_is_none_is_named(given: Any, said: str) -> None:
    with pytest.raises(AnsibleFilterError, match=f"instance acme: instance_recovery.*{said}"):
        recovery_of({"inventory_hostname": "acme", "instance_recovery": given}, SECRETS)


def test_an_instance_without_recovery_points_has_no_timers() -> None:
    values = [{"name": name, "tenant": name, "environment": "test", "data_class": "synthetic", "database": {"name": name}} for name in ("a", "b")]
    hostvars = {"a": {"instance_recovery": {"oldest": 7200, "trusted_signers": ["ssh-ed25519 A"]}}, "b": {"instance_recovery": False}}
    found = recovery_points_of(values, hostvars, {"a": SECRETS, "b": SECRETS})
    assert found == [{
        "instance": "a", "tenant": "a", "environment": "test", "data_class": "synthetic", "database": {"name": "a"},
        "repository": {"location": "/var/lib/sysgenpro/recovery/a", "password": "p"}, "secret_names": ["recovery"],
        "trusted_signers": ["ssh-ed25519 A"], "oldest": 7200}]


def test_the_price_is_told() -> None:
    price = {"since": "2026-11-21", "summary": "made and lost: 2 orders", "documents": [
        {"name": "orders", "made": 2, "changed": 0, "given_out": 2, "numbers": ["S1", "S2"], "last": "S2"},
        {"name": "POS payments", "made": 0, "changed": 1, "given_out": 0, "numbers": [], "last": ""}]}
    plan = {"digest": "sha256:1", "steps": [{"title": "Go"}], "class": "restore", "strategy": "hold", "before": {}, "after": {},
            "point": "P", "taken": "2026-11-21", "price": price}
    lines = plan_summary({"plan": plan}, "acme")
    assert "  made and lost: 2 orders" in lines
    assert "    2 numbers of orders were given out: S1 to S2" in lines
    assert not any("POS payments were" in line for line in lines)


def test_points_are_told_with_why_they_stay_or_go() -> None:
    result = {
        "plan": {"steps": [{"title": "Forget 1 snapshots"}], "keep": {"A": ["last 1", "daily"]}, "remove": {"B": "no rule keeps it"}},
        "timings": {"store": 1.5, "lock_held": 0.0123},
        "points": [{"id": "A", "state": "verified", "age": 120, "files": 3, "bytes": 2_000_000, "added": 500_000, "hold": "", "problem": ""},
                   {"id": "C", "state": "untrusted", "age": 60, "hold": "", "problem": "its manifest is not signed"}]}
    assert points_summary(result, "acme") == [
        "acme: Forget 1 snapshots", "  keeps A: last 1, daily", "  removes B: no rule keeps it",
        "  stored in 1.500 s, attachments locked for 0.0123 s",
        "  A: verified, 2 min old, 3 files, 2 MB, 0.5 MB of it new", "  C: untrusted, 1 min old: its manifest is not signed"]


def test_a_missing_password_is_named() -> None:
    with pytest.raises(AnsibleFilterError, match="acme: its secrets lack recovery"):
        recovery_of({"inventory_hostname": "acme"}, {"session": "x"})
