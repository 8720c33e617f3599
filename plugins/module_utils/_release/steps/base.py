# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What all steps of a release share: the parts of its world, and what they do with them more than once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..._image.record import Release
from ..._instance import given
from ..._instance.names import HTTP, KINDS, QUEUE, place
from ..._instance.series import series_of
from ..._kernel.errors import DomainError
from ..._kernel.plan import Step
from ..._kernel.text import joined
from ..._kernel.wait import Deadline, WaitTimeout, wait_until
from ..._runtime.protocol import Found
from ..model import Desired
from ..parts import Parts
from ..processes import Processes

# Looks in all of a wait, of some hundred that there should be, below which the runtime was away for most of it; and seconds for which to look again then.
FEW_LOOKS, AWAY = 20, 15


class StepsBase:
    """:param context: JSON-able facts that a next run needs; kept in the journal as they come.
    :ivar warnings: what deserves a look afterwards.
    """

    def __init__(self, wanted: Desired, release: Release, parts: Parts, context: dict[str, Any]) -> None:
        self.wanted, self.release, self.parts, self.context = wanted, release, parts, context
        self.runtime, self.front, self.database, self.data, self.edge = parts.runtime, parts.front, parts.database, parts.data, parts.edge
        context.setdefault("begun", [])
        self.processes = Processes(wanted, parts.runtime, parts.database)
        self.bounds: Mapping[str, int] = wanted.params["bounds"]
        self.warnings: list[str] = []

    def give_extensions(self, name: str | None = None, also: bool = False) -> list[str]:
        """Give a database what Odoo gives its own. :param also: unaccent, whatever the configuration says."""
        return self.database.give_extensions(also or given.wants_unaccent(self.wanted.params), name)

    def prove(self, colour: str) -> dict[str, Any]:
        """:raises DomainError: ``not_ready``."""
        web = place(colour, "web")
        try:
            found = {}
            for address in self.runtime.addresses(web) or [self.runtime.address(web)]:
                found = self.parts.prove(address, series_of(self.release.record.series), self.wanted.database, self.runtime.token(web),
                                         self.wanted.instance, self.bounds["ready"], lambda: self.runtime.running(web))
        except DomainError as error:
            error.details["log"] = self.runtime.log(web, 200)
            raise
        self.warnings += ["{} works by itself in {}, also while that is only staged and twice while both colours run: if it must not, name the add-on in "
                          "processes.cron_loads".format(line, colour) for line in self.runtime.own_work(colour)]
        return {"proven": found}

    def admit(self, role: str) -> None:
        """Let a role in, through the fence where one stands."""
        if self.context.get("grants"):
            self.database.let_in(role)
        else:
            self.database.allow_login([role], True)

    def made_so(self, found: Found | None, kind: str) -> bool:
        """Whether a place is what this release would make."""
        return found is not None and (found.config, found.release) == (self.wanted.digest_for(kind), self.release.id)

    def is_staged(self, colour: str, kinds: Sequence[str]) -> bool:
        found = self.runtime.observe()
        return all(self.made_so(found.get(place(colour, kind)), kind) for kind in kinds) and found[place(colour, "web")].running

    def take_away(self, colour: str) -> None:
        """Remove a colour and shut its logins."""
        for kind in (*KINDS, QUEUE):
            self.runtime.remove(place(colour, kind))
        self.runtime.forget_calls(colour)
        self.database.allow_login(self.database.all_roles(colour), False)

    def drained(self, colour: str, seconds: float) -> bool:
        """No connection twice in a row, so that one in the middle of its handshake is not overlooked.

        Where the runtime itself was away (its daemon, its cluster's API) nothing was seen meanwhile, so it is looked at for a while more.
        """
        web = place(colour, "web")
        still = looks = 0

        def idle() -> bool:
            nonlocal still, looks
            still, looks = still + 1 if self.runtime.connections(web, HTTP) == 0 else 0, looks + 1
            return still >= 2

        for patience in (seconds, AWAY):
            try:
                return bool(wait_until(idle, Deadline(patience), interval=0.025))
            except WaitTimeout:
                if looks > FEW_LOOKS:
                    break
        return False

    def under_way(self, colour: str) -> str:
        return joined(self.runtime.requests(colour)) or "requests that the image does not name"


def kinds_of(step: Step) -> tuple[str, ...]:
    """Of which a colour's places are made."""
    return (*KINDS, QUEUE) if step.parameters.get("queue") else KINDS
