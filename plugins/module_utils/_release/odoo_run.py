# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Running Odoo once on a database: install, update, uninstall, languages; bounded, watched, explained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .._image.installing import obstacle
from .._image.record import Record
from .._instance.database import Database
from .._instance.series import series_of, without_demo_arguments
from .._kernel.errors import DomainError
from .._kernel.text import joined
from .._kernel.wait import Deadline, clock
from .._runtime.protocol import ETC, Runtime
from .cause import cause, is_passing
from .model import Desired
from .without_code import stuck

# Seconds between two looks at an update; each look is one Docker call and, now and then, one query.
LOOK = 0.1
LOOK_FOR_LOCKS = 2.0

_SCRIPT = """\
languages = {languages!r}
uninstall = {uninstall!r}
if languages:
    found = env['res.lang'].with_context(active_test=False).search([('code', 'in', languages)])
    missing = set(languages) - set(found.mapped('code'))
    if missing:
        raise ValueError('no such language: %s' % ', '.join(sorted(missing)))
    found.write({{'active': True}})
    env['ir.module.module'].search([('state', '=', 'installed')])._update_translations(languages)
    env.cr.commit()
if uninstall:
    modules = env['ir.module.module'].search([('name', 'in', uninstall), ('state', '=', 'installed')])
    dependents = modules.downstream_dependencies() - modules
    if dependents:
        raise ValueError('needed by installed modules: %s' % ', '.join(sorted(dependents.mapped('name'))))
    modules.button_immediate_uninstall()
    env.cr.commit()
"""


def command(record: Record, change: Mapping[str, Any], database: str) -> list[str]:
    """What the one-off container runs. Names went through ``model.desired`` or come from a checked record."""
    series = series_of(record.series)
    odoo = " ".join(record.command)
    parts = []
    if change.get("update") or change.get("install"):
        words = [odoo, "-d", database, "--stop-after-init", "--no-http"]
        if change.get("update"):
            words += ["-u", ",".join(change["update"])]
        if change.get("install"):
            words += ["-i", ",".join(change["install"])]
            words += series.demo_arguments if change.get("demo") else without_demo_arguments(series)
        parts.append(" ".join(words))
    if change.get("uninstall") or change.get("languages"):
        parts.append(f"{odoo} shell -d {database} --no-http < {ETC}/change.py")
    return ["sh", "-ec", " && ".join(parts)]


def script(change: Mapping[str, Any]) -> str:
    """The Python for ``odoo shell``: what the command line has no option for in every series."""
    return _SCRIPT.format(languages=list(change.get("languages") or ()), uninstall=list(change.get("uninstall") or ()))


def watch(runtime: Runtime, where: str, seconds: float, blockers: Callable[[], Sequence[str]],
          overdue: Callable[[], None], overdue_after: float, sample: Callable[[], None] | None = None) -> float:
    """Start a place that runs once and wait for it to end well. Returns seconds.

    :param blockers: who keeps the update waiting for a lock.
    :param overdue: called once when ``overdue_after`` seconds have passed.
    :raises DomainError: ``update_failed`` with the cause in one sentence, ``update_timeout``.
    """
    runtime.start(where)
    started = clock.monotonic()
    deadline, patience, locks_at = Deadline(seconds), Deadline(overdue_after), Deadline(LOOK_FOR_LOCKS)
    in_the_way: Sequence[str] = ()
    told = False
    while True:
        outcome = runtime.outcome(where)
        if outcome.ended or not outcome.there:
            break
        if sample:
            sample()
        if locks_at.passed:
            in_the_way = blockers() or in_the_way
            locks_at = Deadline(LOOK_FOR_LOCKS)
        if patience.passed and not told:
            overdue()
            told = True
        if deadline.passed:
            output = runtime.log(where)
            runtime.stop(where, 5)
            raise DomainError(
                "update_timeout",
                f"the update took longer than {seconds:g} s (bounds.update){_waiting(in_the_way)}",
                log=output[-20000:])
        clock.sleep(LOOK)
    if outcome.code != 0 or outcome.out_of_memory:
        output = runtime.log(where)
        raise DomainError("update_failed", "the update failed: {}{}".format(
            cause(output, outcome), _waiting(in_the_way)), log=output[-20000:], passing=is_passing(output, outcome))
    return clock.monotonic() - started


def settle(database: Database, wanted: Desired, record: Record, change: Mapping[str, Any]) -> list[str]:
    """End what Odoo leaves on its way and no run of it can ever bring to an end. Returns what is worth a warning.

    An update leaves modules without code ``to upgrade`` where they depend on what it updated. A new database has modules
    ``to install`` that install themselves and need what the image does not offer.
    """
    state = database.observe()
    moving = {name: found for name, (found, _version) in state.modules.items() if found in ("to upgrade", "to install")}
    if "to upgrade" in moving.values():
        database.mark_installed(stuck(wanted, database.with_origins(state), record.modules))
    never = {name: obstacle(record, name) for name, found in sorted(moving.items()) if found == "to install" and name not in change.get("install", ())}
    never = {name: why for name, why in never.items() if why}
    if not never:
        return []
    database.mark_uninstalled(list(never))
    return ["left out: {}".format(joined([f"{name} {why}" for name, why in never.items()]))]


def check(database: Database, change: Mapping[str, Any]) -> None:
    """What an update left behind: no module on its way, and each as it was asked for.

    :raises DomainError: ``half_updated``; ``not_installed``, as Odoo passes over what it cannot install and ends well.
    """
    states, mark = database.module_states()
    moving = {name: state for name, state in states.items() if state.startswith("to ")}
    if moving or mark:
        raise DomainError("half_updated", "the update left modules on their way: {}".format(
            joined([f"{n} '{s}'" for n, s in sorted(moving.items())]) or mark))
    wrong = [f"{name} is not installed" for name in change.get("install", ()) if states.get(name) != "installed"]
    wrong += [f"{name} is still installed" for name in change.get("uninstall", ()) if states.get(name) == "installed"]
    if wrong:
        raise DomainError("not_installed", "the update ended, but {}".format(joined(wrong)),
                          advice="Look at Odoo's log of the update for what kept it from it")


def _waiting(in_the_way: Sequence[str]) -> str:
    return "; in its way was {}".format("; ".join(in_the_way)) if in_the_way else ""
