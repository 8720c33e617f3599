# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the queue process: jobs run in one colour, the one that leads."""

from __future__ import annotations

from typing import Any

from ..._instance.names import COLOURS, QUEUE, place
from ..._kernel.errors import DomainError
from ..._kernel.plan import Step
from ..._kernel.text import joined
from .. import jobs
from .base import StepsBase


class QueueSteps(StepsBase):
    """Part of ``Steps``."""

    def do_stop_queue(self, step: Step) -> dict[str, Any]:
        """From its signal on it takes no job. What runs comes to its end, or is named."""
        colour = step.parameters["colour"]
        queue = place(colour, QUEUE)
        self.runtime.ask_to_end(queue)
        if not self.runtime.ended(queue, self.bounds["queue"]):
            raise DomainError("queue_busy", "the queue process of {} still runs {} after {} s (bounds.queue)".format(
                colour, joined(self.database.running_jobs()) or "something", self.bounds["queue"]))
        return {}

    def undo_stop_queue(self, step: Step) -> None:
        """A job that runs on is not torn: nobody waits for it meanwhile but this."""
        colour = step.parameters["colour"]
        queue = place(colour, QUEUE)
        self.database.allow_login([self.database.role(colour, QUEUE)], True)
        if self.runtime.outcome(queue).there:
            self.runtime.revive(queue, self.bounds["update"])
        else:  # it was to be made anew in its own place
            self.processes.prepare(colour, QUEUE, self.release)
            self.runtime.start(queue)

    def do_start_queue(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        for each in COLOURS:
            if each != colour and self.runtime.running(place(each, QUEUE)):
                raise DomainError("queue_twice", f"the queue process of {each} still runs")
        installed = [name for name, state in self.database.module_states()[0].items() if state == "installed"]
        if not jobs.wanted_for(self.wanted, installed):
            return {"queue": "there are no jobs"}
        lacking = jobs.missing_logins(self.wanted, self.database.queue_roles)
        if lacking:
            raise lacking
        self.admit(self.database.role(colour, QUEUE))
        queue = place(colour, QUEUE)
        if not self.made_so(self.runtime.observe().get(queue), QUEUE):
            self.processes.prepare(colour, QUEUE, self.release)
        self.runtime.revive(queue, self.bounds["queue"])  # an undone start may have asked it to end
        return {}

    def undo_start_queue(self, step: Step) -> None:
        """Before the other colour's is revived: there is never more than one. Nobody waits for its jobs but this."""
        queue = place(step.parameters["colour"], QUEUE)
        self.runtime.ask_to_end(queue)
        if not self.runtime.ended(queue, self.bounds["update"]):
            self.runtime.stop(queue, 1)
