# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the queue process: jobs run in one colour, the one that leads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._image.record import Release
from .._instance.database import Database
from .._instance.names import COLOURS, QUEUE
from .._kernel.errors import DomainError
from .._kernel.plan import Step
from .._kernel.text import joined
from .._runtime.docker import DockerRuntime
from . import jobs
from .model import Desired
from .processes import Processes

if TYPE_CHECKING:
    from .._runtime.docker import Container


class QueueSteps:
    """Part of ``Steps``."""

    wanted: Desired
    release: Release
    runtime: DockerRuntime
    database: Database
    processes: Processes
    bounds: Mapping[str, int]

    def _admit(self, role: str) -> None:
        raise NotImplementedError

    def do_stop_queue(self, step: Step) -> dict[str, Any]:
        """From its signal on it takes no job. What runs comes to its end, or is named."""
        colour = step.parameters["colour"]
        name = self.processes.name(colour, QUEUE)
        self.runtime.terminate(name)
        if not self.runtime.wait_end(name, self.bounds["queue"]):
            raise DomainError("queue_busy", "the queue process of {} still runs {} after {} s (bounds.queue)".format(
                colour, joined(self.database.running_jobs()) or "something", self.bounds["queue"]))
        return {}

    def undo_stop_queue(self, step: Step) -> None:
        """A job that runs on is not torn: nobody waits for it meanwhile but this."""
        colour = step.parameters["colour"]
        name = self.processes.name(colour, QUEUE)
        self.database.allow_login([self.database.role(colour, QUEUE)], True)
        if self.runtime.state(name):
            self.runtime.revive(name, self.bounds["update"])
        else:  # it was to be made anew in its own place
            self.processes.prepare_kind(colour, QUEUE, self.release)
            self.runtime.start(name)

    def do_start_queue(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        for each in COLOURS:
            if each != colour and self.runtime.is_running(self.processes.name(each, QUEUE)):
                raise DomainError("queue_twice", f"the queue process of {each} still runs")
        installed = [name for name, state in self.database.module_states()[0].items() if state == "installed"]
        if not jobs.wanted_for(self.wanted, installed):
            return {"queue": "there are no jobs"}
        lacking = jobs.missing_logins(self.wanted, self.database.queue_roles)
        if lacking:
            raise lacking
        self._admit(self.database.role(colour, QUEUE))
        name = self.processes.name(colour, QUEUE)
        if not self._fresh(self.runtime.observe(self.wanted.instance).get(name), QUEUE):
            self.processes.prepare_kind(colour, QUEUE, self.release)
        self.runtime.revive(name, self.bounds["queue"])  # an undone start may have asked it to end
        return {}

    def undo_start_queue(self, step: Step) -> None:
        """Before the other colour's is revived: there is never more than one. Nobody waits for its jobs but this."""
        name = self.processes.name(step.parameters["colour"], QUEUE)
        self.runtime.terminate(name)
        if not self.runtime.wait_end(name, self.bounds["update"]):
            self.runtime.stop(name, 1)

    def _fresh(self, found: Container | None, kind: str) -> bool:
        """Whether a container is what this release would make."""
        return found is not None and (found.label("config"), found.label("release")) == (self.wanted.digest_for(kind), self.release.id)
