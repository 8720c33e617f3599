# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Moments as people read them."""

from __future__ import annotations

import time

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.text import local_time


@pytest.mark.parametrize(("zone", "moment", "said"), [
    ("Europe/Paris", "2026-11-29T19:26:05.123456+00:00", "2026-11-29 20:26:05 CET"), ("Europe/Paris", "2026-07-01T00:30:00Z", "2026-07-01 02:30:00 CEST"),
    ("America/New_York", "2026-11-29T02:00:00+01:00", "2026-11-28 20:00:00 EST"), ("UTC", "2026-11-29T19:26:05", "2026-11-29 19:26:05 UTC"),
    ("UTC", "never", "never"), ("UTC", "", ""), ("UTC", None, "")])
def test_a_moment_is_said_in_the_zone_of_who_reads_it(monkeypatch: pytest.MonkeyPatch, zone: str, moment: str | None, said: str) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        assert local_time(moment) == said
    time.tzset()
