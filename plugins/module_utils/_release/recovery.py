# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Recovery points in a release: the one taken before an update, and the way back to one.

The abandoned database is kept under ``<database>_was_<yymmddhhmm>``, closed, with its files beside the filestore under the same name.
"""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from .._instance.database import Database
from .._kernel.arguments import filled
from .._kernel.errors import DomainError
from .._kernel.files import read_text
from .._kernel.plan import Step
from .._recovery.arguments import ARGUMENTS
from .._recovery.model import NEWEST, Point
from .._recovery.operation import RecoveryOperation
from .._recovery.points import find
from .._recovery.restore import MARK
from . import loss
from .lost_rows import Gap
from .model import Desired
from .observed import Back

MOMENT = "%y%m%d%H%M"
Recovery = Callable[[Mapping[str, Any]], RecoveryOperation]

# How the reason of a point begins that was taken before an update.
BEFORE = "before the release of "


def recovery_params(wanted: Desired, state: str, **more: Any) -> dict[str, Any]:
    """Parameters of ``pg_recovery_point`` for an instance as ``odoo_release`` knows it."""
    params, given = wanted.params, {"jobs": 2, **(wanted.params["from_point" if more.get("source") else "recovery"] or {})}
    place = {key: value for key, value in params["database"].items() if key != "passwords"}
    return filled(ARGUMENTS, {
        "instance": wanted.instance, "root": params["root"], "repository": given["repository"],
        "trusted_signers": [*given["trusted_signers"], *_neighbour(params["root"], more.get("source"))],
        "jobs": given["jobs"], "secret_names": given.get("secret_names") or [],
        "accepted_losses": given.get("accepted_losses") or [], "database": place, "state": state,
        **{key: wanted.identity[key] for key in ("tenant", "environment", "data_class")},
        "requested_by": params["requested_by"], **more})


def _neighbour(root: str, source: str | None) -> list[str]:
    """The key of an instance on the same machine, whose directory is root's alone: it needs no telling."""
    key = read_text(os.path.join(root, source, "state", "recovery_key.pub")) if source else None
    return [key.strip()] if key else []


def _believed(point: Point) -> Point:
    """:raises DomainError: ``not_verified``."""
    if point.state != "verified":
        raise DomainError("not_verified", f"recovery point {point.id} is {point.state}, not verified", unchanged="Nothing was changed",
                          advice="Verify it first; a backup is not believed before")
    return point


def find_back(wanted: Desired, database: Database, opened: Recovery, target: Mapping[str, Any] | None) -> Back:
    """The point asked for, or the newest verified one of a release.

    :param target: the row of what was applied that is to be gone back to; None where ``point`` names the point.
    :raises DomainError: ``no_point``, ``not_verified``, and those of ``_recovery.points.find``.
    """
    asked = wanted.params["point"] or "latest"
    operation = opened(recovery_params(wanted, "verified", point=asked))
    points, note = operation.points.all(), ""
    if target is None:
        point = _believed(find(points, asked, wanted.instance))
    else:
        fitting = [point for point in points if point.state == "verified"
                   and (point.manifest["release"] or {}).get("operation") == target["operation"]]
        if not fitting:
            raise DomainError(
                "no_point", "{} has no verified recovery point of the release it ran before ({})".format(
                    wanted.instance, target.get("name") or target["release"]),
                unchanged="Nothing was changed", advice="Name another one with point; pg_recovery_point_info lists those there are")
        point = fitting[0]
        if not str(point.manifest["taken"].get("why", "")).startswith(BEFORE):
            note = "; the point that was taken before the update is not there any more, this is the newest other one of that release"
    applied = point.manifest["release"]
    if not applied:
        raise DomainError("no_point", f"recovery point {point.id} is of a time before the instance was released this way",
                          unchanged="Nothing was changed", advice="Restore it into a new instance and adopt it there")
    gap = Gap.of(point.manifest)
    price = loss.price(database, gap)
    return Back(point.id, point.taken.isoformat(), applied, {**price, "summary": price["summary"] + note}, gap)


def find_origin(wanted: Desired, opened: Recovery) -> Back:
    """The point of another instance that a new one is made from.

    :raises DomainError: ``not_verified``, ``no_point``, ``data_class_mismatch`` and those of ``_recovery.points.find``.
    """
    given = wanted.params["from_point"]
    operation = opened(recovery_params(wanted, "verified", point=given["point"], source=given["source"]))
    point = _believed(find(operation.points.all(), given["point"], given["source"]))
    found, asked = point.manifest["identity"]["data_class"], wanted.identity["data_class"]
    if found != asked:
        raise DomainError(
            "data_class_mismatch", f"recovery point {point.id} holds {found or 'unknown'} data, but {wanted.instance} is declared for {asked} data",
            unchanged="Nothing was changed", advice="Restore it into an instance of its own class; masking comes before any other")
    applied = point.manifest["release"]
    if not applied:
        raise DomainError("no_point", f"recovery point {point.id} is of a time before its instance was released this way",
                          unchanged="Nothing was changed", advice="Name the release, and adopt what was restored")
    return Back(point.id, point.taken.isoformat(), applied, {})


def check_origin(wanted: Desired, database: Database, opened: Recovery) -> None:
    """A database that is there already is never made anew, and is no other point's than the one asked for.

    :raises DomainError: ``target_exists``, and those of ``_recovery.points.find`` where the newest point is asked for.
    """
    given = wanted.params["from_point"]
    asked = given["point"]
    if asked in NEWEST:
        operation = opened(recovery_params(wanted, "verified", point=asked, source=given["source"]))
        asked = find(operation.points.all(), asked, given["source"]).id
    mark = database.comment()
    if mark != MARK.format(asked):
        raise DomainError(
            "target_exists", "{} exists already, and is {} rather than recovery point {} of {}".format(
                wanted.instance, mark.partition(": ")[2] or "made from no recovery point", asked, given["source"]),
            unchanged="Nothing was changed", advice="Restore into another instance; or take this one away first, with state absent and purge")


def stands_on(database: Database, point: str) -> bool:
    """Whether the database that runs came from this point: to go back to it once more is to stay."""
    return database.comment() == MARK.format(point)


def capture_step(wanted: Desired) -> list[Step]:
    """The step that takes a recovery point before an update; none where no repository is given or the policy is ``never``."""
    if not wanted.params["recovery"] or wanted.params["recovery"]["before_update"] == "never":
        return []
    return [Step("recovery_point", "Take a recovery point and verify it")]


def back_steps(back: Back) -> tuple[Step, Step]:
    """The step that restores beside what runs, and the one that exchanges the two."""
    return (Step("restore_point", f"Restore {back.point} beside what runs", {"point": back.point}),
            Step("exchange", f"Put {back.point} in the place of the database, which is kept", {"point": back.point, "since": back.taken}))


def free_name(database: str, now: datetime.datetime, taken: Container[str]) -> str:
    """What an abandoned database is called: by its minute, or the next that nothing is called by, since gone back may be twice in one."""
    while (name := f"{database}_was_{now.strftime(MOMENT)}") in taken:
        now += datetime.timedelta(minutes=1)
    return name


def abandoned(database: str, names: Sequence[str]) -> list[str]:
    """Those of ``names`` that are abandoned databases of an instance's."""
    return [name for name in names if re.fullmatch(re.escape(database) + r"_was_[0-9]{10}", name)]
