# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the machine's timers run: ``sysgenpro-recovery capture|verify|expire|check INSTANCE``.

The role recovery_point installs it with ``/etc/sysgenpro/recovery/<instance>.json``, which root alone reads. Whatever happens is told in metrics
for Prometheus' node exporter (its textfile collector), and a run that failed is a unit that failed.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.arguments import filled
from .._kernel.errors import DomainError
from .._kernel.files import replace_file
from .._kernel.wait import Deadline
from .arguments import ARGUMENTS
from .model import Point, desired, utc_now
from .operation import RecoveryOperation, open_points
from .plan import CLOCK

SETTINGS = "/etc/sysgenpro/recovery"
VERBS = {"capture": "captured", "verify": "verified", "expire": "absent", "check": "verified"}
# A release holds the instance's lock for minutes; seconds between two attempts to get it, and for how long to try.
LOCKED_LOOK, LOCKED_PATIENCE = 20.0, 3600.0


def read_settings(instance: str, directory: str = SETTINGS) -> dict[str, Any]:
    """``params`` (of ``pg_recovery_point``), ``retention``, ``pruning``, ``oldest`` (seconds) and ``metrics`` (a directory) of an instance.

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

    :raises DomainError: where it failed, or where the newest verified point is older than it may be.
    """
    more: dict[str, Any] = {"reason": f"{verb} by its timer"}
    if verb == "expire":
        more.update({"retention": settings["retention"], "pruning": settings.get("pruning")})
    params = filled(ARGUMENTS, {**settings["params"], "state": VERBS[verb], "requested_by": "timer", **more})
    if verb == "check":
        return _check(params, float(settings["oldest"]))
    if verb == "verify" and not open_points(desired(params)).all():
        return "nothing to verify yet"
    return _carried_out(params, Deadline(patience))


def _carried_out(params: Mapping[str, Any], deadline: Deadline) -> str:
    while True:
        operation = RecoveryOperation(params)
        try:
            plan = operation.plan()
            if not plan.steps:
                return "nothing to do"
            timings: dict[str, float] = {}
            operation.perform(plan, timings)
            return json.dumps({"point": (operation.facts().get("point") or {}).get("id"), "timings": timings})
        except DomainError as error:
            if error.code != "locked" or deadline.passed:
                raise
            time.sleep(LOCKED_LOOK)


def _check(params: Mapping[str, Any], oldest: float) -> str:
    verified = [point for point in open_points(desired(params)).all() if point.state == "verified"]
    if not verified:
        raise DomainError("no_verified_point", "{} has no verified recovery point".format(params["instance"]))
    age = (utc_now() - verified[0].taken).total_seconds()
    if age < -CLOCK:
        raise DomainError("clock", "the newest verified recovery point of {} is dated {:.0f} s in the future: nobody knows how old it is".format(
            params["instance"], -age), advice="Set the machine's clock, then capture again")
    if age > oldest:
        raise DomainError("point_too_old", "the newest verified recovery point of {} is {:.0f} s old, at most {:.0f} s are allowed".format(
            params["instance"], age, oldest), advice="Look at the units sysgenpro-recovery-capture@ and sysgenpro-recovery-verify@")
    return f"the newest verified point is {age:.0f} s old"


def metrics(instance: str, verb: str, ended: float, good: bool, points: Sequence[Point]) -> str:
    """The text of a run in Prometheus' exposition format 0.0.4."""
    labels = f'{{instance_name="{instance}",verb="{verb}"}}'
    lines = [
        f"sysgenpro_recovery_last_run_success{labels} {int(good)}",
        f"sysgenpro_recovery_last_run_timestamp_seconds{labels} {ended:.0f}",
    ]
    for state in ("captured", "verified", "failed", "untrusted"):
        mine = [point.taken.timestamp() for point in points if point.state == state]
        # Each verb has a file of its own; one series may be in one of them only.
        if verb == "check":
            lines.append(f'sysgenpro_recovery_points{{instance_name="{instance}",state="{state}"}} {len(mine)}')
            if mine:
                lines.append(f'sysgenpro_recovery_newest_timestamp_seconds{{instance_name="{instance}",state="{state}"}} {max(mine):.0f}')
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
        sys.stdout.write(run(verb, settings) + "\n")
        good = True
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
    if verb == "check":
        try:
            points = open_points(desired(filled(ARGUMENTS, {**settings["params"], "state": "verified"}))).all()
        except DomainError as error:
            sys.stderr.write(f"{error.code}: {error.message}\n")
    text = metrics(instance, verb, time.time(), good, points)
    replace_file(os.path.join(directory, f"sysgenpro-recovery-{instance}-{verb}.prom"), text.encode(), mode=0o644)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
