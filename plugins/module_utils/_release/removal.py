# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Removing an instance: processes and front; data only where the operator repeats the instance's name."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from .._instance.names import BESIDE, COLOURS, logins_of
from .._kernel.errors import DomainError
from .._kernel.execute import carry_out
from .._kernel.plan import Plan, Step
from .._kernel.text import joined
from .checks import check_owner
from .model import Desired
from .observed import Observed
from .parts import Parts
from .recovery import abandoned


def beside(database: str, names: Iterable[str]) -> list[str]:
    """Those of ``names`` that an instance's releases left beside its database: copies, clones and what was gone back from."""
    there = list(names)
    made = {database + end for end in BESIDE}
    return sorted([*made.intersection(there), *abandoned(database, there)])


def make_plan(wanted: Desired, seen: Observed) -> Plan:
    """Pure: what is left to remove."""
    purge = wanted.params.get("purge") == wanted.instance
    check_owner(wanted, seen.database)
    steps = []
    if seen.front:
        steps.append(Step("close_front", "Lead the front nowhere"))
    if seen.places:
        steps.append(Step("remove_places", "End and remove the processes", {"places": sorted(seen.places)}))
    if seen.database.exists and any(seen.database.roles.get(role) for role in logins_of(wanted.database)):
        steps.append(Step("shut_logins", "Shut the database to the instance's processes"))
    databases = [wanted.database] * seen.database.exists + beside(wanted.database, seen.database.databases)
    if purge and (databases or seen.filestore):
        steps.append(Step("purge", "Drop {} and all files of the instance's data".format(joined(databases) or "what is left"), {"databases": databases}))
    applied = seen.database.applied or {}
    before = {"instance": wanted.instance, "release": applied.get("release"), "processes": sorted(found.name for found in seen.places.values()),
              "database": seen.database.exists}
    after: dict[str, Any] = {
        "instance": wanted.instance, "release": None, "processes": [], "database": seen.database.exists and not purge}
    kind = "remove" if steps else "none"
    subject = {"identity": dict(wanted.identity), "class": kind, "purge": purge, "steps": [s.name for s in steps]}
    return Plan(tuple(steps), before, after, subject,
                {"class": kind, "strategy": "switch", "reasons": {}, "rehearsal": None})


class Removal:
    """Each step may be done again; nothing of it is undone."""

    def __init__(self, wanted: Desired, parts: Parts) -> None:
        self.wanted, self.parts = wanted, parts
        self.context: dict[str, Any] = {}

    def do_close_front(self, step: Step) -> dict[str, Any]:
        self.parts.front.forget()
        return {}

    def do_remove_places(self, step: Step) -> dict[str, Any]:
        """What the runtime keeps beside them goes while they are there to be seen, so that a run that was killed is begun again."""
        runtime = self.parts.runtime
        for place in step.parameters["places"]:
            runtime.stop(place, 30)
        runtime.forget()
        for place in step.parameters["places"]:
            runtime.remove(place)
        return {}

    def do_shut_logins(self, step: Step) -> dict[str, Any]:
        database = self.parts.database
        database.allow_login([role for colour in COLOURS for role in database.all_roles(colour)] + [database.update_role], False)
        return {}

    def do_purge(self, step: Step) -> dict[str, Any]:
        wanted, data = self.wanted, self.parts.data
        for name in step.parameters["databases"]:
            self.parts.database.drop(name)
        places = [data.beside(name) for name in beside(wanted.database, data.names())]
        places += [os.path.join(wanted.directory, name) for name in ("exports", "rehearsal")]
        # The filestore last: while it is there, the same command goes on where it was interrupted.
        removed = [path for path in (*places, data.filestore) if os.path.isdir(path)]
        for path in removed:
            shutil.rmtree(path, ignore_errors=True)
        return {"purged": {"databases": list(step.parameters["databases"]), "directories": removed}}


def perform(wanted: Desired, parts: Parts, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
    """Remove. Interrupted, the same command removes the rest."""
    removal = Removal(wanted, parts)
    try:
        carry_out(_Silent(), plan.steps, removal, timings)
    except DomainError as error:
        raise DomainError(error.code, f"{wanted.instance} is removed in part: {error.message}",
                          advice="Mend that, then run the same command again: it removes the rest", **error.details) from None
    return {"removed": [step.name for step in plan.steps], **{key: removal.context[key] for key in ("purged",) if key in removal.context}}


class _Silent:
    """A removal needs no journal: what is left to do shows in the world itself."""

    def write(self, event: str, **data: Any) -> None:
        del event, data
