# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The artefact asks for the collections that it uses, and for no other."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
NAMES = re.compile(r"\b((?:ansible|community|kubernetes|amazon|google|azure|containers)\.[a-z][a-z0-9_]*)\.[a-z]")


def test_what_is_used_is_asked_for() -> None:
    files = [path for folder in ("roles", "playbooks") for path in (ROOT / folder).rglob("*") if path.suffix in (".yml", ".j2")]
    used = {name for path in files for name in NAMES.findall(path.read_text(encoding="utf-8"))} - {"ansible.builtin"}
    assert used == set(yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))["dependencies"])
