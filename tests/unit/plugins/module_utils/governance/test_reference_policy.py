# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/reference/policy.md has every gate with its options, and every fact; docs have the script with which the tests audit."""

from __future__ import annotations

import re
from pathlib import Path

from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.facts import described
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.gates import READY
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import ROLES
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.governance.test_ledger import audit_script

DOCS = Path(__file__).parents[5] / "docs"
PAGE = (DOCS / "reference" / "policy.md").read_text()
ROWS = dict(re.findall(r"^\| `([^`]+)` \| (.*) \|$", PAGE, re.MULTILINE))


def test_every_gate_and_its_options() -> None:
    for name, (_judge, options) in READY.items():
        found = set(re.findall(r"`([a-z_]+)`", ROWS[name].split(" | ")[0]))
        assert set(options) <= found, name


def test_every_fact() -> None:
    facts = {path for path in ROWS if "." in path or "[]" in path or path == "now"}
    assert {path for path, _text in described()} <= facts


def test_every_namespace() -> None:
    page = (DOCS / "concepts" / "ledger.md").read_text()
    assert [name for name in ROLES.values() if f"`{name}`" not in page] == []


def test_the_script_is_the_one_that_is_tried() -> None:
    assert "ssh-keygen -q -Y verify" in audit_script()
