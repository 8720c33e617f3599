# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What status says of a share."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.filter.release_text import share_summary, status_summary

GOOD: dict[str, Any] = {
    "name": "acme", "profile": "small", "limits": {"connections": "150"}, "usage": {}, "fullest": {"limit": "connections", "used": 0.414}, "noisy": [], "forecast": {},
    "second_colour": {"fits": True, "memory": {"free": "9", "needs": "3"}}, "waits_for_restart": False}


@pytest.mark.parametrize(("share", "said"), [
    (None, []), ({"problem": "no rights"}, ["  its share cannot be read: no rights"]),
    (GOOD, ["  share small, connections is the fullest with 41%, a second colour fits"]),
    ({**GOOD, "profile": "", "fullest": {"limit": "", "used": 0.0}}, ["  share of its own size, a second colour fits"]),
    ({**GOOD, "second_colour": {"fits": False, "memory": {"free": "2", "needs": "3"}}, "waits_for_restart": True,
      "noisy": [{"name": "acme", "by": "web_cpu", "uses": "2", "of": "2", "is": "enforced"}],
      "forecast": {"data": {"per_day": 52_000_000, "reached": "2027-01-02T03:04:05Z"}, "wal": {"per_day": 3, "reached": None}}},
     ["  share small, connections is the fullest with 41%", "  look: a second colour does not fit: memory 2 free, 3 needed", "  look: web_cpu 2 of 2 (enforced)",
      "  look: data grows by 52 MB a day and reaches its limit at ", "  look: PostgreSQL takes its number of connections when it is started anew"]),
])
def test_lines(share: Any, said: list[str]) -> None:
    lines = share_summary(share)
    assert [line.split("2027")[0] for line in lines] == said
    assert all(line in status_summary({"instance": {}, "share": share}, "acme") for line in lines)
