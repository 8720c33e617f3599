# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Calendar events of systemd as a CronJob has them."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.timer.calendar import parse_event


def cron_of(text: str) -> dict[str, str]:
    """``schedule`` and ``zone`` of a calendar event. :raises AnsibleFilterError: for one that a CronJob cannot say."""
    try:
        event = parse_event(text)
    except DomainError as error:
        raise AnsibleFilterError(f"{error.message}. {error.unchanged}.") from error
    return {"schedule": event.cron(), "zone": event.zone}


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"cron_of": cron_of}
