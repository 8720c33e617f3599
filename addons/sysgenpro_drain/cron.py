# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cron worker that is told to end finishes the job it runs and takes no other.

Odoo ends the worker's loop, but inside one turn of it every job that is ready is still run.
"""

from __future__ import annotations

import functools
import logging
from typing import Any

from odoo.service import server

_logger = logging.getLogger(__name__)

_stopping = False


def stop_taking_jobs() -> None:
    """From now on this process takes no job."""
    global _stopping
    _stopping = True


def _wrap(cls: type, name: str, refused: Any) -> None:
    """Let method ``name`` give ``refused`` once the process is ending. Keeps it a static or a class method."""
    method: Any = vars(cls)[name]
    function = method.__func__

    @functools.wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        if _stopping:
            _logger.info("ending: no other job is taken")
            return refused
        return function(*args, **kwargs)

    setattr(cls, name, type(method)(guarded))


def install() -> None:
    """Mark the process at its signal, and guard the one place where a job is taken."""
    on_signal = server.WorkerCron.signal_handler

    def signal_handler(self: Any, sig: int, frame: Any) -> None:
        stop_taking_jobs()
        on_signal(self, sig, frame)

    server.WorkerCron.signal_handler = signal_handler
    from odoo.addons.base.models import ir_cron

    cls = getattr(ir_cron, "IrCron", None) or ir_cron.ir_cron  # Odoo 18 and later; before
    if "_acquire_one_job" in vars(cls):
        _wrap(cls, "_acquire_one_job", None)  # Odoo 15 and later
    else:
        _wrap(cls, "_process_job", None)  # Odoo 14: it takes the job's row before, and gives it back
