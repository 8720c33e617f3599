# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OCA's ``queue_job``: how large its process is, and what that is told. Pure.

Loaded server-wide, ``queue_job`` starts a runner by itself, in every process and every colour that loads it; so only the kind ``queue`` does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._instance.names import QUEUE

MODULE = "queue_job"
# Has scheduled actions run the jobs, and must not be used beside the runner (its README).
INSTEAD = "queue_job_cron_jobrunner"
# What the runner opens beside its workers: its own session, and before 16.0 one for a moment that gives a job back.
RUNNER_CONNECTIONS = 2
# Add-ons that start a runner of jobs in every process that loads them server-wide.
RUNNERS = (MODULE,)


def root_capacity(channels: str) -> int:
    """How many jobs a configuration of channels lets run at once: the capacity of ``root``, which is 1 where nothing is said
    (``ChannelManager.parse_simple_config``).

    :raises ValueError: for one that ``queue_job`` would not read either.
    """
    found = 1
    for channel in channels.replace("\n", ",").split(","):
        name, *further = (part.strip() for part in channel.split(":"))
        if not name and further:
            raise ValueError(f"a channel without a name in {channel!r}")
        capacity = int(further[0]) if further and further[0] else 1
        if name == "root":
            found = capacity
    return found


def asked_to_load(config: Mapping[str, Any]) -> list[str]:
    """The add-ons that options of odoo.conf name to be loaded server-wide."""
    asked = config.get("server_wide_modules") or ""
    names = asked if isinstance(asked, (list, tuple)) else str(asked).split(",")
    return [name for name in (str(each).strip() for each in names) if name]


def capacity(params: Mapping[str, Any]) -> int:
    """Jobs at once, so workers of the process. Where nothing is asked for it is ``queue_job``'s own default."""
    channels = params["processes"]["queue_channels"]
    if channels:
        return max(0, root_capacity(channels))
    asked = str(params["environment_variables"].get("ODOO_QUEUE_JOB_MAX_CAPACITY", ""))  # 18.0 and later
    return int(asked) if asked.isdigit() else 1


def environment(params: Mapping[str, Any], port: int) -> dict[str, str]:
    """The runner asks its own container, whatever odoo.conf or ``server_environment`` say: variables come first in every series."""
    values = {"SYSGENPRO_KIND": QUEUE, "ODOO_QUEUE_JOB_SCHEME": "http", "ODOO_QUEUE_JOB_HOST": "127.0.0.1", "ODOO_QUEUE_JOB_PORT": str(port)}
    if params["processes"]["queue_channels"]:
        values["ODOO_QUEUE_JOB_CHANNELS"] = params["processes"]["queue_channels"]
    return values
