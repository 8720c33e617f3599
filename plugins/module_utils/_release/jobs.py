# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs of OCA's ``queue_job``: when an instance has a process of the kind ``queue``, how large it is, and what it is told. Pure.

Loaded server-wide, ``queue_job`` starts a runner by itself, in every process and every colour that loads it; so only this kind does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from .._instance.names import COLOURS, QUEUE
from .._kernel.errors import DomainError
from .._kernel.plan import Step

if TYPE_CHECKING:
    from .._image.record import Record
    from .model import Desired
    from .plan import Observed, Work

MODULE = "queue_job"
# Has scheduled actions run the jobs, and must not be used beside the runner (its README).
INSTEAD = "queue_job_cron_jobrunner"
# What the runner opens beside its workers: its own session, and before 16.0 one for a moment that gives a job back.
RUNNER_CONNECTIONS = 2
# Add-ons that start a runner of jobs in every process that loads them server-wide.
RUNNERS = (MODULE,)


def root_capacity(channels: str) -> int:
    """How many jobs a configuration of channels lets run at once: the capacity of ``root``, which is 1 where nothing is said
    (``ChannelManager.parse_simple_config``).

    :raises ValueError: for one that ``queue_job`` would not read either.
    """
    found = 1
    for channel in channels.replace("\n", ",").split(","):
        name, *further = (part.strip() for part in channel.split(":"))
        if not name and further:
            raise ValueError(f"a channel without a name in {channel!r}")
        capacity = int(further[0]) if further and further[0] else 1
        if name == "root":
            found = capacity
    return found


def asked_to_load(config: Mapping[str, Any]) -> list[str]:
    """The add-ons that options of odoo.conf name to be loaded server-wide."""
    asked = config.get("server_wide_modules") or ""
    names = asked if isinstance(asked, (list, tuple)) else str(asked).split(",")
    return [name for name in (str(each).strip() for each in names) if name]


def capacity(params: Mapping[str, Any]) -> int:
    """Jobs at once, so workers of the process. Where nothing is asked for it is ``queue_job``'s own default."""
    channels = params["processes"]["queue_channels"]
    if channels:
        return max(0, root_capacity(channels))
    asked = str(params["environment_variables"].get("ODOO_QUEUE_JOB_MAX_CAPACITY", ""))  # 18.0 and later
    return int(asked) if asked.isdigit() else 1


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
    return [_stop(colour) for colour in seen.colours_with(wanted, QUEUE)[:1]]


def mend_steps(wanted: Desired, seen: Observed, colour: str, runs: bool) -> list[Step]:
    """Have it run in the colour that leads alone, made anew where it is not as it should be."""
    if not drifted(wanted, seen, colour):
        return []
    running = seen.colours_with(wanted, QUEUE)
    return [*map(_stop, ([each for each in running if each != colour] or running)[:1]), *start_steps(colour, runs)]


def _stop(colour: str) -> Step:
    return Step("stop_queue", f"Let running jobs end, and the queue process of {colour} with them", {"colour": colour})


def start_steps(colour: str, runs: bool) -> list[Step]:
    return [Step("start_queue", f"Start the queue process of {colour}", {"colour": colour})] if runs else []


def drifted(wanted: Desired, seen: Observed, colour: str) -> bool:
    """Whether the process is not as it should be in the colour that leads."""
    running = seen.colours_with(wanted, QUEUE)
    if not wanted_for(wanted, seen.database.installed):
        return bool(running)
    return running != [colour] or not seen.fresh(wanted, colour, QUEUE)


# -- what the process is given ------------------------------------------------------------------------

def environment(params: Mapping[str, Any], port: int) -> dict[str, str]:
    """The runner asks its own container, whatever odoo.conf or ``server_environment`` say: variables come first in every series."""
    values = {"SYSGENPRO_KIND": QUEUE, "ODOO_QUEUE_JOB_SCHEME": "http", "ODOO_QUEUE_JOB_HOST": "127.0.0.1", "ODOO_QUEUE_JOB_PORT": str(port)}
    if params["processes"]["queue_channels"]:
        values["ODOO_QUEUE_JOB_CHANNELS"] = params["processes"]["queue_channels"]
    return values
