# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that runs OCA's ``queue_job`` (``SYSGENPRO_KIND=queue``) finishes the jobs it runs when it is told to end, and takes no other.

Its runner asks for jobs by requests to the same server, and what waits to be accepted there is a job that was not begun.
"""

from __future__ import annotations

import functools
import logging
import os
from contextlib import closing
from typing import Any

from odoo import http, sql_db
from odoo.service import server
from odoo.tools import config

_logger = logging.getLogger(__name__)

KIND = "SYSGENPRO_KIND"
RUN = "/queue_job/runjob"
# A killed process leaves jobs behind that nothing runs. Where the add-on locks the jobs that run (queue_job_lock), its runner finds those that were
# begun by itself and counts the attempt; before, its README has people do this. What was only asked for was never begun.
_GIVE_BACK = """
update queue_job set state = 'pending', date_enqueued = null, date_started = null
where state = 'enqueued' or (state = 'started' and to_regclass('queue_job_lock') is null) returning uuid
"""

_stopping = False


def is_queue() -> bool:
    """Whether this process runs jobs, and serves nobody else."""
    return os.environ.get(KIND) == "queue"


def _database() -> str:
    names = config["db_name"]  # a list since 19.0
    return names if isinstance(names, str) else names[0]


def give_back() -> None:
    """Let jobs be pending that an earlier process was killed with; nobody else runs any."""
    try:
        with closing(sql_db.db_connect(_database()).cursor()) as cursor:
            cursor.execute("select to_regclass('queue_job')")
            if cursor.fetchone()[0]:
                cursor.execute(_GIVE_BACK)
                for (uuid,) in cursor.fetchall():
                    _logger.warning("job %s was left behind by a process that ended: it is pending again", uuid)
                cursor.commit()
    except Exception:
        _logger.exception("jobs that were left behind could not be given back")
    finally:
        sql_db.close_all()  # nothing of it is for the workers


def _refused(environ: Any, start_response: Any) -> Any:
    start_response("503 Service Unavailable", [("Content-Length", "0")])
    return []


def install() -> None:
    """Only where jobs run: no other process of the instance loads the runner."""
    if not is_queue():
        return
    on_signal, start = server.WorkerHTTP.signal_handler, server.PreforkServer.start

    def signal_handler(self: Any, sig: int, frame: Any) -> None:
        global _stopping
        _stopping = True
        on_signal(self, sig, frame)

    def begin(self: Any) -> None:
        give_back()
        start(self)

    server.WorkerHTTP.signal_handler = signal_handler
    server.PreforkServer.start = begin
    # Nobody connects by websocket here.
    server.PreforkServer.long_polling_spawn = lambda self: None
    application = getattr(http, "Application", None) or http.Root  # Odoo 16 and later; 14 and 15
    call = application.__call__

    @functools.wraps(call)
    def __call__(self: Any, environ: Any, start_response: Any) -> Any:
        if _stopping and environ.get("PATH_INFO", "") == RUN:
            _logger.info("ending: no other job is taken")
            return _refused(environ, start_response)
        return call(self, environ, start_response)

    application.__call__ = __call__
