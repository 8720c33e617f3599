# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation behind traefik_route: plan, write, prove by Traefik's own word, or put back."""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Mapping, Sequence
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
from .plan import Desired, Observed, conflicts, desired_present, make_plan, without

# Seconds between two looks at Traefik; it applies changes every providersThrottleDuration, 2 s by default.
LOOK_INTERVAL = 0.25


# Seconds that other routes of the call have to be served once Traefik complains, to know whom the complaint is about.
SETTLE = 3.0


class Refused(Exception):
    """Traefik does not serve what was written.

    :param reasons: Traefik's words first.
    :param names: the routes that are not served; the others of the call are.
    """

    def __init__(self, reasons: list[str], names: Collection[str]) -> None:
        super().__init__("; ".join(reasons))
        self.reasons, self.names = reasons, frozenset(names)


class Routing:
    """Routes as an operation of the kernel, whatever carries them.

    What one route meets is that route's trouble: what is there of it stays, the others are brought about, and then it fails and names it.

    :param names: instances whose routes are to go.
    :param purge: whether routes of instances that are not named go, too.
    :param timeout: seconds for Traefik to serve what was asked.
    :param refused: why routes that were asked for, too, are not among ``routes``.
    :param required: whether a silent API is an error (it is none in check mode, before a machine is converged).
    :ivar reason: why it is not known what Traefik serves; empty where it is.
    """

    def __init__(
        self, routes: Sequence[Route], names: Sequence[str], purge: bool, timeout: float, required: bool, refused: Sequence[DomainError],
    ) -> None:
        self.writes = True
        self.routes, self.names, self.purge = list(routes), tuple(names), purge
        self.timeout, self.required = timeout, required
        # Known before the world was looked at, and all that is.
        self.unfit, self.refused = tuple(refused), list(refused)
        self.desired = Desired({})
        self.reason = ""

    # -- what carries them knows ----------------------------------------------------------------

    def _observe(self) -> Collection[str]:
        """Look at the world, and return the names of the routes that are there."""
        raise NotImplementedError

    def _wanted(self) -> Desired:
        raise NotImplementedError

    def _conflicts(self) -> list[DomainError]:
        raise NotImplementedError

    def _steps(self) -> Plan:
        raise NotImplementedError

    def _write(self, contents: dict[str, Any]) -> None:
        """Bring the contents about, None of what is to go. Takes out of them, and notes as refused, what single routes met."""
        raise NotImplementedError

    def _await(self, contents: Mapping[str, Any]) -> None:
        """Return once Traefik serves the contents. :raises Refused: where it does not."""
        raise NotImplementedError

    def _undo(self, contents: Mapping[str, Any], cause: Exception) -> DomainError:
        """Put back what was there, and say of what is left of that."""
        raise NotImplementedError

    def _sweep(self) -> None:
        """Remove what nothing refers to any more."""
        raise NotImplementedError

    def _calls(self) -> dict[str, Any]:
        raise NotImplementedError

    # -- what holds for all ---------------------------------------------------------------------

    def plan(self) -> Plan:
        there = self._observe()
        if self.reason and self.required:
            raise traefik.unreachable(self.reason)
        wanted = self._wanted()
        self.refused = list(self.unfit)
        absent = set(self.names)
        if self.purge:
            absent |= set(there) - set(wanted.files) - {str(error.details["route"]) for error in self.refused}
        self.desired = Desired(wanted.files, tuple(sorted(absent)))
        while found := self._conflicts():
            self.refused += found
            self.desired = without(self.desired, [str(error.details["route"]) for error in found])
        plan = self._steps()
        if self.refused and not (plan.steps and self.required):
            raise self._refusal("Nothing was changed")
        return plan

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        """Carry the plan out.

        :raises DomainError: ``not_served`` after what was there is back, and what a route met otherwise.
        """
        names = {str(step.parameters["instance"]) for step in plan.steps if step.name in ("write", "remove")}
        contents = {name: self.desired.files.get(name) for name in sorted(names)}
        started = time.monotonic()
        timings["write"] = timings["verify"] = 0.0
        try:
            self._write(contents)
        except (DomainError, OSError) as error:
            raise self._undo(contents, error) from error
        timings["write"] = round(time.monotonic() - started, 3)
        if self.refused and not contents:
            raise self._refusal("What there was of it stays as it was")
        started = time.monotonic()
        while contents:
            try:
                self._await(contents)
                break
            except (Refused, DomainError, OSError) as error:
                names = set(error.names) if isinstance(error, Refused) else set(contents)
                failure = self._undo({name: contents.pop(name) for name in sorted(names)}, error)
                if not contents:
                    raise failure from error
                self.refused.append(failure)
        timings["verify"] = round(time.monotonic() - started, 3)
        self._sweep()
        if self.refused:
            raise self._refusal("What there was of it stays as it was; all other routes are as asked")
        return self._calls()

    def _refusal(self, unchanged: str) -> DomainError:
        first = self.refused[0]
        advice = [error.advice.rstrip(".") for error in self.refused if error.advice]
        routes = [name for error in self.refused for name in error.details.get("instances") or [error.details["route"]]]
        details = {**first.details, "routes": routes}
        return DomainError(
            first.code, "; ".join(error.message for error in self.refused), unchanged=unchanged,
            advice=". ".join(dict.fromkeys(advice)), **details,
        )

    def _not_served(self, contents: Mapping[str, Any], cause: Exception, unchanged: str, advice: str) -> DomainError:
        reasons = cause.reasons if isinstance(cause, Refused) else [str(cause)]
        return DomainError(
            "not_served", "Traefik does not serve what was asked of {0}: {1}".format(", ".join(sorted(contents)), "; ".join(reasons[:5])),
            unchanged=unchanged, advice=advice, reasons=reasons, instances=sorted(contents), route=min(contents), field="name",
        )


class RouteOperation(Routing):
    """Routes of one machine, through the directory of Traefik's file provider."""

    def __init__(
        self, place: io.Place, api: Api, routes: Sequence[Route], names: Sequence[str] = (), *,
        pages: str, purge: bool = False, timeout: float = 30, required: bool = True, refused: Sequence[DomainError] = (),
    ) -> None:
        super().__init__(routes, names, purge, timeout, required, refused)
        self.place, self.api, self.pages = place, api, pages
        self.observed = Observed({})
        # Where Traefik's log ended, and the certificates that are new.
        self._since, self._new = 0, list[str]()

    def _observe(self) -> Collection[str]:
        self.observed, self.reason = io.observe(self.place, self.api)
        return self.observed.files

    def _wanted(self) -> Desired:
        return desired_present(self.routes, self.pages, self.place.certificates)

    def _conflicts(self) -> list[DomainError]:
        return conflicts(self.routes, self.desired, self.observed)

    def _steps(self) -> Plan:
        return make_plan(self.routes, self.desired, self.observed)

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        """Carry the plan out.

        :raises DomainError: as ``Routing.perform`` does; ``locked``; ``directory_unusable``.
        """
        io.make_stage(self.place)
        with locked(self.place.stage, {"operation": "traefik_route", "who": "traefik_route"}):
            return super().perform(plan, timings)

    def _write(self, contents: dict[str, Any]) -> None:
        self._since = io.log_size(self.place)
        self._new = io.store_certificates(self.place, [route for route in self.routes if route.name in contents])
        io.write_files(self.place, contents)

    def _sweep(self) -> None:
        io.sweep_certificates(self.place)

    def _calls(self) -> dict[str, Any]:
        return {"api_calls": self.api.calls}

    def facts(self) -> Mapping[str, Any]:
        return {
            "routes": [io.facts(route, self.place) for route in self.routes],
            "api_calls": self.api.calls,
            "api_reachable": not self.reason,
        }

    def _await(self, contents: Mapping[str, Any]) -> None:
        """Look at Traefik until it serves what was written, or says why not."""
        changed, since = [route for route in self.routes if route.name in contents], self._since
        last: dict[str, list[Difference]] = {}
        settled: Deadline | None = None
        entry_points: dict[str, str] = {}

        def look() -> bool:
            nonlocal last, entry_points, settled
            try:
                last = self._differences(contents, self.api.snapshot())
                waiting = [route for route in changed if route.certificate and route.name not in last]
                if waiting:
                    entry_points = entry_points or self.api.entry_points()
                    last.update(io.certificate_differences(waiting, entry_points))
            except traefik.Unreachable as error:
                last = {name: [Difference(str(error))] for name in contents}
            final = {name for name, found in last.items() if any(difference.final for difference in found)}
            complaints = io.log_errors(self.place, since) if last else []
            if final:
                raise Refused(complaints + said(last, final), final)
            if complaints:
                settled = settled or Deadline(min(self.timeout, SETTLE))
                if settled.passed:
                    raise Refused(complaints + said(last, last), last)
            return not last

        try:
            wait_until(look, Deadline(self.timeout), LOOK_INTERVAL)
        except WaitTimeout:
            raise Refused(said(last, last), last) from None

    def _differences(self, contents: Mapping[str, str | None], snapshot: Snapshot) -> dict[str, list[Difference]]:
        found = {
            name: traefik.leftovers(self.observed.parsed.get(name, {}), snapshot) if text is None
            else traefik.compare(render_file.parse(text) or {}, snapshot)
            for name, text in contents.items()
        }
        return {name: differences for name, differences in found.items() if differences}

    def _undo(self, contents: Mapping[str, Any], cause: Exception) -> DomainError:
        """Put the earlier files back and say whether Traefik serves them again."""
        # What was damaged is put back for nobody: Traefik would read nothing at all.
        earlier = {name: None if name in self.observed.damaged else self.observed.files.get(name) for name in contents}
        io.write_files(self.place, earlier)
        for path in self._new:
            if os.path.basename(path).split(".")[0] in contents:
                remove_file(path)
        unchanged = "The earlier routes are back in {0}".format(self.place.directory)
        if not self._serves_earlier(earlier):
            unchanged += ", but Traefik does not serve them yet"
        # What Traefik said of those is not said of the others.
        self._since = io.log_size(self.place)
        return self._not_served(contents, cause, unchanged, "Mend what Traefik names; one bad file in its directory keeps it from reading any")

    def _serves_earlier(self, earlier: Mapping[str, str | None]) -> bool:
        # Traefik's API does not tell which certificates it has.
        entry_points: dict[str, str] = {}

        def look() -> bool:
            nonlocal entry_points
            try:
                snapshot = self.api.snapshot()
                entry_points = entry_points or self.api.entry_points()
            except traefik.Unreachable:
                return False
            return all(text is None or io.shows_certificate(self.observed.parsed[name], name, entry_points) for name, text in earlier.items()) and not any(
                traefik.compare(self.observed.parsed[name], snapshot) if text is not None
                else traefik.leftovers(render_file.parse(self.desired.files.get(name) or "") or {}, snapshot)
                for name, text in earlier.items()
            )

        # Where another's bad file is the reason, Traefik takes nothing, so it still serves the earlier state.
        try:
            return wait_until(look, Deadline(min(self.timeout, 10)), LOOK_INTERVAL)
        except WaitTimeout:
            return False


def said(differences: Mapping[str, Sequence[Difference]], names: Collection[str]) -> list[str]:
    """What is not served of some routes, for people."""
    return [difference.what for name in sorted(names) for difference in differences[name]]
