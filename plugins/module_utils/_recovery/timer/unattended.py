# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine's timers run: ``sysgenpro-recovery capture|verify|expire|check INSTANCE``.

The role recovery_point installs it with ``/etc/sysgenpro/recovery/<instance>.json``, which root alone reads. Whatever happens is told in metrics
for Prometheus' node exporter (its textfile collector), and a run that failed is a unit that failed.
"""

from __future__ import annotations

import datetime
import json
import os
import secrets
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from typing import Any

from ..._kernel.arguments import filled
from ..._kernel.errors import DomainError, known
from ..._kernel.files import replace_file
from ..._kernel.wait import Deadline
from ..arguments import ARGUMENTS
from ..model import Point, desired, moment, utc_now
from ..operation import RecoveryOperation, open_points
from ..plan import CLOCK
from . import runs

SETTINGS = "/etc/sysgenpro/recovery"
VERBS = {"capture": "captured", "verify": "verified", "expire": "absent", "check": "verified"}
# A release holds the instance's lock for minutes; seconds between two attempts to get it, and for how long to try.
LOCKED_LOOK, LOCKED_PATIENCE = 20.0, 3600.0


def read_settings(instance: str, directory: str = SETTINGS) -> dict[str, Any]:
    """``params`` (of ``pg_recovery_point``), ``retention``, ``pruning``, ``oldest`` and ``reread`` (seconds), ``schedule`` (calendar events by
    verb) and ``metrics`` (a directory) of an instance.

    :raises DomainError: ``no_settings``.
    """
    path = os.path.join(directory, instance + ".json")
    try:
        with open(path, encoding="utf-8") as stream:
            value: dict[str, Any] = json.load(stream)
    except (OSError, ValueError) as error:
        raise DomainError("no_settings", f"{path}: {error}", unchanged="Nothing was done", advice="Run the site playbook for this machine") from None
    return value


def run(verb: str, settings: Mapping[str, Any], patience: float = LOCKED_PATIENCE) -> str:
    """Do what a verb says and return a line about it.

    :raises DomainError: where it failed; for ``check``, where the newest verified point is older than it may be, or a run was missed.
    """
    more: dict[str, Any] = {"reason": f"{verb} by its timer"}
    if verb == "expire":
        more.update({"retention": settings["retention"], "pruning": settings.get("pruning")})
    params = filled(ARGUMENTS, {**settings["params"], "state": VERBS[verb], "requested_by": "timer", **more})
    if verb == "check":
        return _check(params, settings)
    if verb == "verify":
        return _verify(params, int(settings.get("reread") or 0), Deadline(patience))
    return _carried_out(params, Deadline(patience))


def _verify(params: Mapping[str, Any], reread: int, deadline: Deadline) -> str:
    """The newest, and what was read so long ago that nobody knows whether it can be read today."""
    points = open_points(desired(params)).all()
    if not points:
        return "nothing to verify yet"
    again = [{"point": point.id, "max_age": reread} for point in to_reread(points, reread)]
    return "; ".join(_carried_out({**params, **more}, deadline) for more in ({}, *again))


def to_reread(points: Sequence[Point], reread: int) -> list[Point]:
    """Of points that were verified longer than ``reread`` seconds ago the newest point, and one of the others by chance; 0 is none."""
    before = utc_now() - datetime.timedelta(seconds=reread)
    stale = [point for point in points if reread and point.state == "verified" and moment(known(point.verification)["at"]) < before]
    newest, others = [point for point in stale if point is points[0]], [point for point in stale if point is not points[0]]
    return newest + ([secrets.choice(others)] if others else [])


def _carried_out(params: Mapping[str, Any], deadline: Deadline) -> str:
    while True:
        operation = RecoveryOperation(params)
        try:
            plan = operation.plan()
            if not plan.steps:
                return "nothing to do"
            timings: dict[str, float] = {}
            operation.perform(plan, timings)
            for warning in operation.told.get("warnings", ()):
                sys.stderr.write(f"warning: {warning}\n")
            return json.dumps({"point": (operation.facts().get("point") or {}).get("id"), "timings": timings})
        except DomainError as error:
            if error.code != "locked" or deadline.passed:
                raise
            time.sleep(LOCKED_LOOK)


def _check(params: Mapping[str, Any], settings: Mapping[str, Any]) -> str:
    instance, schedule, now = params["instance"], settings.get("schedule") or {}, time.time()
    points = open_points(desired(params)).all()
    verified = [point for point in points if point.state == "verified"]
    problems = [_lost(instance, points), _newest(instance, verified, schedule, float(settings["oldest"]), now),
                _missed(instance, runs.missed(instance, schedule, now))]
    found = [problem for problem in problems if problem]
    if found:
        raise DomainError(found[0].code, "; ".join(problem.message for problem in found), advice=found[0].advice)
    return f"the newest verified point is {(utc_now() - verified[0].taken).total_seconds():.0f} s old"


def _newest(instance: str, verified: Sequence[Point], schedule: Mapping[str, str], oldest: float, now: float) -> DomainError | None:
    """What is wrong with the newest verified point. Without a bound in seconds the next one must not be overdue by the schedule of captures."""
    if not verified:
        return DomainError("no_verified_point", f"{instance} has no verified recovery point")
    taken = verified[0].taken.timestamp()
    if now - taken < -CLOCK:
        return DomainError("clock", "the newest verified recovery point of {} is dated {:.0f} s in the future: nobody knows how old it is".format(
            instance, taken - now), advice="Set the machine's clock, then capture again")
    said = ""
    if oldest:
        said = f"at most {oldest:.0f} s are allowed" if now - taken > oldest else ""
    elif schedule.get("capture"):
        due = runs.overdue(schedule["capture"], taken, now)
        if due and not any(runs.under_way(instance, verb) for verb in ("capture", "verify")):
            said = f"the next one was due at {_at(due)}"
    return DomainError("point_too_old", f"the newest verified recovery point of {instance} is {now - taken:.0f} s old, {said}",
                       advice="Look at the units sysgenpro-recovery-capture@ and sysgenpro-recovery-verify@") if said else None


def _missed(instance: str, missed: Mapping[str, float]) -> DomainError | None:
    told = [f"{verb} of {instance} was due at {_at(due)} and did not end well since" for verb, due in missed.items()]
    return DomainError("missed_run", "; ".join(told), advice="Look at its unit and timer: systemctl status 'sysgenpro-recovery-*'") if told else None


def _lost(instance: str, points: Sequence[Point]) -> DomainError | None:
    """What the newest point lacks and nobody accepted."""
    newest = next((point for point in points if not point.problem), None)
    lost = newest.losses[1] if newest else ()
    return DomainError(
        "attachments_lost", "the newest recovery point of {} lacks {} files that attachments name, and nobody accepted that: {}{}".format(
            instance, len(lost), ", ".join(lost[:5]), " …" if len(lost) > 5 else ""),
        advice="Bring the files back, or accept the losses at a capture (accept_losses)") if lost else None


def _at(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="seconds")


def metrics(instance: str, verb: str, ended: float, good: bool, points: Sequence[Point], missed: Mapping[str, bool]) -> str:
    """The text of a run in Prometheus' exposition format 0.0.4.

    :param missed: whether a run was missed, by verb; of ``check`` alone.
    """
    labels = f'{{instance_name="{instance}",verb="{verb}"}}'
    lines = [
        f"sysgenpro_recovery_last_run_success{labels} {int(good)}",
        f"sysgenpro_recovery_last_run_timestamp_seconds{labels} {ended:.0f}",
    ]
    lines += [f'sysgenpro_recovery_missed{{instance_name="{instance}",verb="{each}"}} {int(value)}' for each, value in missed.items()]
    for state in ("captured", "verified", "failed", "untrusted"):
        mine = [point.taken.timestamp() for point in points if point.state == state]
        # Each verb has a file of its own; one series may be in one of them only.
        if verb == "check":
            lines.append(f'sysgenpro_recovery_points{{instance_name="{instance}",state="{state}"}} {len(mine)}')
            if mine:
                lines.append(f'sysgenpro_recovery_newest_timestamp_seconds{{instance_name="{instance}",state="{state}"}} {max(mine):.0f}')
    newest = next((point for point in points if not point.problem), None)
    if verb == "check" and newest:
        lines += [f'sysgenpro_recovery_losses{{instance_name="{instance}",kind="{kind}"}} {len(names)}'
                  for kind, names in zip(("accepted", "new"), newest.losses)]
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Run one verb for one instance; 1 where it failed, 2 where it was called wrongly."""
    if len(arguments) != 2 or arguments[0] not in VERBS:
        sys.stderr.write("usage: sysgenpro-recovery {} INSTANCE\n".format("|".join(VERBS)))
        return 2
    verb, instance = arguments
    settings: dict[str, Any] = {}
    good = False
    try:
        settings = read_settings(instance)
        with runs.at_work(instance, verb) if verb != "check" else nullcontext():
            sys.stdout.write(run(verb, settings) + "\n")
        good = True
        if verb != "check":
            runs.note(instance, verb, time.time())
    except DomainError as error:
        sys.stderr.write(f"{error.code}: {error.message}. {error.advice}".strip() + "\n")
    finally:
        _tell(verb, instance, settings, good)
    return 0 if good else 1


def _tell(verb: str, instance: str, settings: Mapping[str, Any], good: bool) -> None:
    directory = settings.get("metrics") or ""
    if not os.path.isdir(directory):
        return
    points: list[Point] = []
    missed: dict[str, bool] = {}
    if verb == "check":
        schedule = settings.get("schedule") or {}
        try:
            missed = dict.fromkeys(schedule, False) | dict.fromkeys(runs.missed(instance, schedule, time.time()), True)
            points = open_points(desired(filled(ARGUMENTS, {**settings["params"], "state": "verified"}))).all()
        except DomainError as error:
            sys.stderr.write(f"{error.code}: {error.message}\n")
    text = metrics(instance, verb, time.time(), good, points, missed)
    replace_file(os.path.join(directory, f"sysgenpro-recovery-{instance}-{verb}.prom"), text.encode(), mode=0o644)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
