# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When an instance has a process of the kind ``queue``, and the steps that have it run in the leading colour alone. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .._image.record import Record
from .._instance.names import COLOURS, QUEUE
from .._kernel.errors import DomainError
from .._kernel.plan import Step
from .model import Desired
from .observed import Observed, Work
from .queue_job import INSTEAD, MODULE, capacity


def wanted_for(wanted: Desired, modules: Iterable[str]) -> bool:
    """Whether the process runs where these modules are installed."""
    found = set(modules)
    return MODULE in found and INSTEAD not in found and capacity(wanted.params) > 0


def modules_after(installed: Iterable[str], record: Record | None, change: Mapping[str, Iterable[str]]) -> set[str]:
    """The modules of a database after an update, with what those installed or updated need."""
    found = set(installed)
    todo = [*change.get("install", ()), *change.get("update", ())]
    while todo:
        name = todo.pop()
        offered = record.modules.get(name) if record else None
        todo += [need for need in (offered.depends if offered else ()) if need not in found]
        found.add(name)
    return found.difference(change.get("uninstall", ()))


def runs_after(wanted: Desired, seen: Observed, work: Work) -> bool:
    """Whether the release ends with the process. Of a recovery point only the release is known: what is not installed in it is not started then."""
    record = seen.target.record if seen.target else None
    if seen.back or seen.origin:
        offered = MODULE in record.modules if record else MODULE in seen.database.installed
        return offered and capacity(wanted.params) > 0
    template = (seen.template or {}).get("modules", ())
    return wanted_for(wanted, modules_after([*seen.database.installed, *template], record, work.change))


def check_logins(wanted: Desired, seen: Observed) -> None:
    """:raises DomainError: ``queue_login_missing`` where neither secrets nor cluster know of the process, as those made before it was known."""
    lacking = missing_logins(wanted, seen.database.roles)
    if lacking:
        raise lacking


def missing_logins(wanted: Desired, roles: Iterable[str]) -> DomainError | None:
    """The error that says what there is no password or no role for."""
    there = set(roles)
    missing = [f"database.passwords.{colour}_{QUEUE}" for colour in COLOURS if not wanted.params["database"]["passwords"].get(f"{colour}_{QUEUE}")]
    missing += [f"the role {name}" for name in (f"{wanted.database}_{colour}_{QUEUE}" for colour in COLOURS) if name not in there]
    if not missing:
        return None
    return DomainError(
        "queue_login_missing", f"{MODULE} is installed in {wanted.database}, and its process has no login: {', '.join(missing)} missing",
        unchanged="Nothing was changed",
        advice="Run the playbook site for this machine, which makes the secrets and the roles, then run this again")


# -- steps --------------------------------------------------------------------------------------------

def kinds(runs: bool) -> dict[str, Any]:
    """Further parameters of a step that makes a colour's containers; nothing where there are no jobs."""
    return {"queue": True} if runs else {}


def stop_steps(wanted: Desired, seen: Observed) -> list[Step]:
    """In the colour where it runs. It is asked to end at once, since jobs may come without a pause."""
    return [_stop(colour) for colour in seen.colours_with(QUEUE)[:1]]


def mend_steps(wanted: Desired, seen: Observed, colour: str, runs: bool) -> list[Step]:
    """Have it run in the colour that leads alone, made anew where it is not as it should be."""
    if not drifted(wanted, seen, colour):
        return []
    running = seen.colours_with(QUEUE)
    return [*map(_stop, ([each for each in running if each != colour] or running)[:1]), *start_steps(colour, runs)]


def _stop(colour: str) -> Step:
    return Step("stop_queue", f"Let running jobs end, and the queue process of {colour} with them", {"colour": colour})


def start_steps(colour: str, runs: bool) -> list[Step]:
    return [Step("start_queue", f"Start the queue process of {colour}", {"colour": colour})] if runs else []


def drifted(wanted: Desired, seen: Observed, colour: str) -> bool:
    """Whether the process is not as it should be in the colour that leads."""
    running = seen.colours_with(QUEUE)
    if not wanted_for(wanted, seen.database.installed):
        return bool(running)
    return running != [colour] or not seen.fresh(wanted, colour, QUEUE)
