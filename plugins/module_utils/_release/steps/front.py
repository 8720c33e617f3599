# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Steps of the front: hold, drain, let go, switch, watch."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ..._instance.names import HTTP, place
from ..._instance.series import series_of
from ..._kernel.errors import DomainError
from ..._kernel.plan import Step
from ..._kernel.wait import Deadline, clock
from ..._runtime.protocol import PAGE
from .. import canary
from .base import StepsBase

# Share of failed requests at the edge that a switch may bring at the most, where there were none before.
ERROR_RATE = 0.02
# Seconds in which a colour answers who asks it to tell browsers.
CALL = 5.0
# Seconds between two looks at how a share fares, and lines of a log that are read for one.
WATCH_LOOK, WATCH_LINES = 5.0, 50000
# Requests below which a rate says nothing.
ENOUGH_REQUESTS = 20


class FrontSteps(StepsBase):
    """Part of ``Steps``."""

    def do_canary(self, step: Step) -> dict[str, Any]:
        """A larger share of the requests, step by step, each watched beside the colour that leads."""
        told = []
        for percent in step.parameters["steps"]:
            self.front.share(step.parameters["colour"], percent, int(step.parameters["watch"]))
            told.append({"percent": percent, **self._watch_share(step.parameters, percent)})
        return {"canary": told}

    def _watch_share(self, asked: Mapping[str, Any], percent: int) -> dict[str, Any]:
        new, old = (place(asked[key], "web") for key in ("colour", "from"))
        began = clock.monotonic()
        deadline = Deadline(asked["watch"])
        while True:
            clock.sleep(max(min(WATCH_LOOK, deadline.left), 0.05))
            since = int(clock.monotonic() - began) + 1
            # Of the old colour also as long before: beside a large share it answers nobody.
            fares, other = (canary.fared(self.runtime.log(each, WATCH_LINES, since + before)) for each, before in ((new, 0), (old, int(asked["watch"]))))
            why = canary.verdict(fares, other, asked)
            if why:
                raise DomainError("canary_failed", f"with {percent} of 100 requests led to it {asked['colour']} fares worse than {asked['from']}: {why}",
                                  log=self.runtime.log(new, 200))
            if deadline.passed:
                if not fares.requests:
                    self.warnings.append(f"{asked['colour']} wrote of no request while {percent} of 100 were led to it, so nothing is known of how it fares")
                return {"new": fares.as_json(), "old": other.as_json()}

    def undo_canary(self, step: Step) -> None:
        self.front.share(None)
        # What began on the new colour is finished there.
        self.drained(step.parameters["colour"], self.bounds["finish"])

    def do_switch(self, step: Step) -> dict[str, Any]:
        marked = self.edge.mark()
        self._lead_to(step.parameters["colour"], step.parameters.get("from"))
        if step.parameters.get("shared"):
            self.front.share(None)
        return marked

    def _lead_to(self, colour: str, old: str | None = None) -> None:
        self.front.lead(colour)
        self.runtime.mark_leading(colour, True)
        if old:
            self.runtime.mark_leading(old, False)
        self.call_browsers(colour)

    def undo_switch(self, step: Step) -> None:
        old, new = step.parameters.get("from"), step.parameters["colour"]
        self._lead_back(old)
        self.runtime.mark_leading(new, False)
        if old:
            self.runtime.mark_leading(old, True)
            # What began on the new colour is finished there, and its websockets are closed as they should be.
            self.drained(new, self.bounds["finish"])
            self.runtime.stop(place(new, "web"), 30)

    def do_let_go(self, step: Step) -> dict[str, Any]:
        self._lead_to(step.parameters["colour"])
        return {}

    def undo_let_go(self, step: Step) -> None:
        """Only where it did not take effect; but what is kept for the next boot may say that it did."""
        self._lead_back(None)
        self.runtime.mark_leading(step.parameters["colour"], False)

    def call_browsers(self, colour: str) -> None:
        """Have the colour that leads tell browsers that there is a new page; where it does not answer, a user's request will in a while."""
        web = place(colour, "web")
        for address in self.runtime.addresses(web) or [self.runtime.address(web)]:
            with contextlib.suppress(OSError):
                self.parts.request(address, HTTP, "GET", series_of(self.release.record.series).health,
                                   self.wanted.instance, {"X-Sysgenpro-Leads": colour}, timeout=CALL)

    def do_hold(self, step: Step) -> dict[str, Any]:
        marked = self.edge.mark()
        if step.parameters["strategy"] == "maintenance":
            self.show_maintenance()
            marked["page_at"] = self.context["page_at"]
        else:
            self.front.lead(None)
        self.context["held_at"] = clock.monotonic()
        return marked

    def undo_hold(self, step: Step) -> None:
        self._lead_back(step.parameters["from"])

    def _lead_back(self, to: str | None) -> None:
        """A full disk keeps nobody waiting; only the next boot knows nothing of it."""
        lost = self.front.lead_back(to)
        if lost:
            self.warnings.append(f"where the front leads could not be written down for the next boot: {lost}")

    def show_maintenance(self) -> None:
        self.context["page_at"] = clock.time()
        self.front.lead(PAGE)

    def do_watch(self, step: Step) -> dict[str, Any]:
        before = self.context.get("edge")
        if not before:
            return {"watched": False}
        deadline = Deadline(self.bounds["watch"])
        total = errors = 0
        while not deadline.passed:
            clock.sleep(min(1.0, deadline.left) or 0.05)
            now = self.edge.counts()
            if now:
                total, errors = now[0] - before[0], now[1] - before[1]
            rate_before = before[1] / before[0] if before[0] else 0.0
            if total >= ENOUGH_REQUESTS and errors / total > rate_before + ERROR_RATE:
                raise DomainError("error_rate", f"{errors} of {total} requests failed at the edge after the switch")
        return {"watched": True, "requests": total, "errors": errors}

    def do_finish(self, step: Step) -> dict[str, Any]:
        """Requests that the old colour works on finish; it gets no new ones."""
        colour = step.parameters["colour"]
        if self.drained(colour, self.bounds["finish"]):
            return {}
        self.warnings.append("ended on {} after {} s (bounds.finish): {}".format(
            colour, self.bounds["finish"], self.under_way(colour)))
        return {"ended": self.under_way(colour)}

    def do_drain(self, step: Step) -> dict[str, Any]:
        colour = step.parameters["colour"]
        if colour and not self.drained(colour, self.bounds["drain"]):
            raise DomainError("drain_timeout", "still under way on {} after {} s (bounds.drain): {}".format(
                colour, self.bounds["drain"], self.under_way(colour)))
        return {}
