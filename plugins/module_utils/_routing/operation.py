# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation behind traefik_route: plan, write, prove by Traefik's own word, or put back."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.files import remove_file
from .._kernel.journal import locked
from .._kernel.plan import Plan
from .._kernel.wait import Deadline, WaitTimeout, wait_until
from . import api as traefik
from . import io, render_file
from .api import Api, Difference, Snapshot
from .model import Route
from .plan import Desired, Observed, desired_present, make_plan

# Seconds between two looks at Traefik; it applies changes every providersThrottleDuration, 2 s by default.
LOOK_INTERVAL = 0.25


class Refused(Exception):
    """Traefik does not serve what was written. :param reasons: Traefik's words first."""

    def __init__(self, reasons: list[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


class RouteOperation:
    """Routes of one machine as an operation of the kernel.

    :param names: instances whose routes are to go (``absent``).
    :param purge: whether routes of instances that are not named go, too.
    :param timeout: seconds for Traefik to serve what was asked.
    :param refused: why routes that were asked for, too, are not among ``routes``. What is there of them stays, the others are brought about, and then
        it fails: one tenant's certificate that ran out holds up nobody else.
    :param required: whether a silent API is an error (it is none in check mode, before a machine is converged).
    """

    def __init__(
        self, place: io.Place, api: Api, routes: Sequence[Route], names: Sequence[str] = (), *,
        pages: str, purge: bool = False, timeout: float = 30, required: bool = True, refused: Sequence[DomainError] = (),
    ) -> None:
        self.writes = True
        self.place, self.api, self.routes = place, api, list(routes)
        self.names, self.pages, self.purge = tuple(names), pages, purge
        self.timeout, self.required, self.refused = timeout, required, refused
        self.desired = Desired({})
        self.observed = Observed({})
        self.reason = ""

    def plan(self) -> Plan:
        self.observed, self.reason = io.observe(self.place, self.api)
        if self.reason and self.required:
            raise traefik.unreachable(self.reason)
        wanted = desired_present(self.routes, self.pages, self.place.certificates)
        absent = set(self.names)
        if self.purge:
            absent |= set(self.observed.files) - set(wanted.files) - {str(error.details["route"]) for error in self.refused}
        self.desired = Desired(wanted.files, tuple(sorted(absent)))
        plan = make_plan(self.routes, self.desired, self.observed)
        if self.refused and not (plan.steps and self.required):
            raise self._refusal("Nothing was changed")
        return plan

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        """Carry the plan out.

        :raises DomainError: ``not_served`` after the earlier files are back; ``locked``; ``directory_unusable``.
        """
        io.make_stage(self.place)
        with locked(self.place.stage, {"operation": "traefik_route", "who": "traefik_route"}):
            done = self._perform(plan, timings)
        if self.refused:
            raise self._refusal("Their routes are as they were; all others are as asked")
        return done

    def _refusal(self, unchanged: str) -> DomainError:
        return DomainError(
            self.refused[0].code, "; ".join(error.message for error in self.refused), unchanged=unchanged,
            advice="Give them certificates that are valid now and cover their host names",
            route=self.refused[0].details["route"], routes=[error.details["route"] for error in self.refused], field="tls",
        )

    def _perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        names = {str(step.parameters["instance"]) for step in plan.steps if step.name in ("write", "remove")}
        contents = {name: self.desired.files.get(name) for name in sorted(names)}
        changed = [route for route in self.routes if route.name in contents]
        since = io.log_size(self.place)
        started = time.monotonic()
        new = io.store_certificates(self.place, changed)
        try:
            io.write_files(self.place, contents)
            timings["write"] = round(time.monotonic() - started, 3)
            started = time.monotonic()
            self._await(contents, changed, since)
        except (Refused, DomainError, OSError) as error:
            raise self._undo(contents, new, error) from error
        timings["verify"] = round(time.monotonic() - started, 3)
        io.sweep_certificates(self.place)
        return {"api_calls": self.api.calls}

    def facts(self) -> Mapping[str, Any]:
        return {
            "routes": [io.facts(route, self.place) for route in self.routes],
            "api_calls": self.api.calls,
            "api_reachable": not self.reason,
        }

    def _await(self, contents: Mapping[str, str | None], changed: Sequence[Route], since: int) -> None:
        """Look at Traefik until it serves what was written, or says why not."""
        last: list[Difference] = []
        entry_points: dict[str, str] = {}

        def look() -> bool:
            nonlocal last, entry_points
            try:
                last = self._differences(contents, self.api.snapshot())
                if not last and any(route.certificate for route in changed):
                    entry_points = entry_points or self.api.entry_points()
                    last = io.certificate_differences(changed, entry_points)
            except traefik.Unreachable as error:
                last = [Difference(str(error))]
            complaints = io.log_errors(self.place, since) if last else []
            if complaints or any(difference.final for difference in last):
                raise Refused(complaints + [difference.what for difference in last])
            return not last

        try:
            wait_until(look, Deadline(self.timeout), LOOK_INTERVAL)
        except WaitTimeout:
            raise Refused([difference.what for difference in last]) from None

    def _differences(self, contents: Mapping[str, str | None], snapshot: Snapshot) -> list[Difference]:
        found: list[Difference] = []
        for name, text in contents.items():
            if text is None:
                found += traefik.leftovers(self.observed.parsed.get(name, {}), snapshot)
            else:
                found += traefik.compare(render_file.parse(text) or {}, snapshot)
        return found

    def _undo(self, contents: Mapping[str, str | None], new: Sequence[str], cause: Exception) -> DomainError:
        """Put the earlier files back and say whether Traefik serves them again."""
        earlier = {name: self.observed.files.get(name) for name in contents}
        io.write_files(self.place, earlier)
        for path in new:
            remove_file(path)
        reasons = cause.reasons if isinstance(cause, Refused) else [str(cause)]
        unchanged = "The earlier routes are back in {0}".format(self.place.directory)
        if not self._serves_earlier(earlier):
            unchanged += ", but Traefik does not serve them yet"
        return DomainError(
            "not_served", "Traefik does not serve what was asked: " + "; ".join(reasons[:5]),
            unchanged=unchanged,
            advice="Mend what Traefik names; one bad file in its directory keeps it from reading any",
            reasons=reasons, instances=sorted(contents),
        )

    def _serves_earlier(self, earlier: Mapping[str, str | None]) -> bool:
        def look() -> bool:
            try:
                snapshot = self.api.snapshot()
            except traefik.Unreachable:
                return False
            return not any(
                traefik.compare(render_file.parse(text) or {}, snapshot) if text is not None
                else traefik.leftovers(render_file.parse(self.desired.files.get(name) or "") or {}, snapshot)
                for name, text in earlier.items()
            )

        # Where another's bad file is the reason, Traefik takes nothing, so it still serves the earlier state.
        try:
            return wait_until(look, Deadline(min(self.timeout, 10)), LOOK_INTERVAL)
        except WaitTimeout:
            return False
