# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of each kind of release, in their order. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.plan import Step
from .._kernel.text import joined
from . import canary, jobs
from .model import Desired
from .observed import Back, Observed, Work
from .recovery import back_steps, capture_step
from .without_code import stuck

Change = Mapping[str, Any]


def code(wanted: Desired, seen: Observed, old: str | None, new: str, kind: str, queue: bool) -> tuple[Step, ...]:
    left = stuck(wanted, seen.database, seen.target.record.modules if seen.target else ())
    steps = [_pull(wanted), *_quiet_adopted(wanted, seen), *([mark_installed(left)] if left else []),
             Step("stage", f"Start {new} beside what runs", {"colour": new, **jobs.kinds(queue)}), _prove(new)]
    shared = _canary(wanted, old, new)
    steps += [*shared, *_stop_work(wanted, seen)]
    steps.append(Step("switch", f"Lead the front to {new}", {"colour": new, "from": old, **({"shared": True} if shared else {})}))
    if old:
        steps += [Step("finish", f"Let requests under way on {old} finish", {"colour": old}),
                  Step("watch", "Watch the error rate at the edge", {"colour": new, "from": old})]
    steps.append(_record(kind))
    steps += [start_cron(new), *jobs.start_steps(new, queue)]
    steps.append(_settle(old, new))
    return tuple(steps)


def _canary(wanted: Desired, old: str | None, new: str) -> list[Step]:
    asked = wanted.params.get("canary")
    if not asked or not old:
        return []
    shares = joined([str(each) for each in canary.steps_of(asked)])
    title = "Lead {} of 100 requests to {}, and watch for {} s each time".format(shares, new, asked["watch"])
    return [Step("canary", title, {**asked, "colour": new, "from": old})]


def mend(wanted: Desired, seen: Observed, colour: str, queue: bool) -> tuple[Step, ...]:
    """What works beside the requests, made as it should be where only that is not."""
    cron = () if seen.fresh(wanted, colour, "cron") else (start_cron(colour),)
    return (*cron, *jobs.mend_steps(wanted, seen, colour, queue))


def _stop_work(wanted: Desired, seen: Observed) -> list[Step]:
    """Scheduled actions and jobs."""
    return [*_stop_cron(wanted, seen), *jobs.stop_steps(wanted, seen)]


def _stop_cron(wanted: Desired, seen: Observed) -> list[Step]:
    """Of the colour where it runs, which is not the front's where somebody took the front away."""
    cron = seen.colours_with("cron")
    return [Step("cron_idle", "Wait until no scheduled action runs"),
            Step("stop_cron", f"End the cron process of {cron[0]}", {"colour": cron[0]})] if cron else []


def with_update(wanted: Desired, seen: Observed, old: str | None, new: str, work: Work, strategy: str) -> tuple[Step, ...]:
    change = work.change
    return (
        _pull(wanted),
        _prepare(new, work.queue, change),
        *capture_step(wanted),
        *_stop_work(wanted, seen),
        *_let_wait(old, strategy),
        Step("fence", "Let nobody but the update into the database", {"colour": old}),
        Step("undo_copy", "Copy the database aside"),
        *_quiet_adopted(wanted, seen),
        Step("update", _change_title(change), change),
        *_let_go(new, "update", change, work.queue),
        _settle(old, new),
    )


def back_to_point(wanted: Desired, seen: Observed, back: Back, old: str | None, new: str, queue: bool, strategy: str) -> tuple[Step, ...]:
    """Restored while the shop goes on working; held only while the two change places."""
    restore, exchange = back_steps(back)
    return (
        _pull(wanted),
        _prepare(new),
        restore,
        *_stop_work(wanted, seen),
        *_let_wait(old, strategy),
        Step("fence", "Let nobody into the database", {"colour": old}),
        exchange,
        *_let_go(new, "restore", queue=queue),
        Step("export", "Write down what was abandoned, and close it", {"since": back.taken, **({"gap": back.gap.as_json()} if back.gap else {})}),
        _settle(old, new),
    )


def create(wanted: Desired, seen: Observed, new: str, work: Work) -> tuple[Step, ...]:
    if seen.origin:
        return _from_point(wanted, seen.origin, new, work.queue)
    make = Step("create_database", "Make the database", {}) if seen.template is None else \
        Step("restore_template", "Make the database from the template", {"template": wanted.params["template"]})
    have = set((seen.template or {}).get("modules", ()))
    install = [name for name in work.install if name not in have]
    if seen.template is None:
        install = ["base", *install]
    change = {"update": [], "install": install, "uninstall": [], "languages": list(work.languages),
              "demo": wanted.params["demo"]}
    steps = [_pull(wanted), make]
    if install or work.languages:
        steps.append(Step("update", _change_title(change), change))
    checked, *first = _first_colour(new, change, work.queue)
    password = [] if wanted.params["admin_password"] == "" else [Step("first_password", "Give the user admin a password of its own")]
    return (*steps, checked, *password, *first)


def _from_point(wanted: Desired, origin: Back, new: str, queue: bool) -> tuple[Step, ...]:
    """A new instance from another one's recovery point: nothing of it acts outside, unless that was asked for."""
    given = wanted.params["from_point"]
    quiet = [_quiet()] if given["neutralize"] else []
    return (
        _pull(wanted),
        Step("restore_here", "Restore {} of {}".format(origin.point, given["source"]), {"point": origin.point}),
        *quiet,
        *_first_colour(new, queue=queue),
    )


def _quiet() -> Step:
    return Step("neutralize", "Keep it from mail, scheduled actions, webhooks and payments")


def _quiet_adopted(wanted: Desired, seen: Observed) -> list[Step]:
    """What was imported from a backup: the image that its add-ons' scripts are in is only known here. What was released is left as it is."""
    return [_quiet()] if wanted.params["neutralize"] and wanted.params["adopt"] and not seen.database.applied else []


def _let_wait(old: str | None, strategy: str) -> tuple[Step, ...]:
    """Until nobody serves."""
    return (
        Step("hold", "Let requests wait" if strategy == "hold" else "Show the maintenance page", {"strategy": strategy, "from": old}),
        Step("drain", "Let requests under way finish", {"colour": old}),
        Step("retire", "Ask {} to end".format(old or "nothing"), {"colour": old}),
    )


def _let_go(new: str, kind: str, change: Change | None = None, queue: bool = False) -> tuple[Step, ...]:
    """From a database that is whole to a colour that serves those who wait."""
    return (
        _check_modules(change or {}),
        Step("open", f"Start {new} and let it into the database", {"colour": new}),
        _prove(new),
        _record(kind),
        Step("let_go", f"Lead the front to {new} and let requests go", {"colour": new}),
        start_cron(new),
        *jobs.start_steps(new, queue),
    )


def _first_colour(new: str, change: Change | None = None, queue: bool = False) -> tuple[Step, ...]:
    """From a new database that is whole to the first colour that serves."""
    return (
        _check_modules(change or {}),
        Step("stage", f"Start {new}", {"colour": new}),
        _prove(new),
        _record("create"),
        Step("let_go", f"Lead the front to {new}", {"colour": new}),
        start_cron(new),
        *jobs.start_steps(new, queue),
        _settle(None, new),
    )


def _pull(wanted: Desired) -> Step:
    return Step("pull", "Have the image on the machine", {"image": wanted.image})


def _prepare(colour: str, queue: bool = False, change: Change | None = None) -> Step:
    what = f"Make the processes of {colour}" + (", and the update's," if change else "") + " and have them wait"
    return Step("prepare", what, {"colour": colour, **jobs.kinds(queue), **({"change": change} if change else {})})


def _check_modules(change: Change) -> Step:
    asked = {key: list(change[key]) for key in ("install", "uninstall") if change.get(key)}
    return Step("check_modules", "See that no module is left on its way" + (" and all are as asked" if asked else ""), asked)


def _prove(colour: str) -> Step:
    return Step("prove", f"Prove {colour} ready on its own address", {"colour": colour})


def start_cron(colour: str) -> Step:
    return Step("start_cron", f"Start the cron process of {colour}", {"colour": colour})


def mark_installed(names: Sequence[str]) -> Step:
    title = f"Take {joined(list(names))} for installed, which Odoo left on the way to an update that it cannot do"
    return Step("mark_installed", title, {"modules": list(names)})


def _record(kind: str) -> Step:
    return Step("record", "Write down in the database what was applied", {"class": kind})


def _settle(old: str | None, new: str) -> Step:
    return Step("settle", "End what is not needed any more", {"colour": old, "keep": new})


def _change_title(change: Mapping[str, Any]) -> str:
    words = [("update", "Update"), ("install", "install"), ("uninstall", "uninstall"), ("languages", "load")]
    parts = [f"{verb} {joined(list(change[key]), 4)}" for key, verb in words if change[key]]
    return ", ".join(parts)[:1].upper() + ", ".join(parts)[1:]
