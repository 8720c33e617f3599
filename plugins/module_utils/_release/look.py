# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One look at an instance: which release is meant, and all that a plan is made of."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._image.record import Record, Release, parse_reference
from .._instance import given
from .._instance.database import Database, DatabaseState
from .._kernel.errors import DomainError
from . import recovery, rehearsal
from .changes import Changes, classify
from .model import Desired
from .observed import Back, Observed
from .parts import Parts
from .way_back import way_back


def look(wanted: Desired, parts: Parts) -> tuple[Desired, Observed]:
    """What is there, and the wish with the release that is meant, where it was not named.

    One call of the runtime, one query, one of the front; the registry only where the release is not the one that runs.
    """
    places, front, database = parts.runtime.observe(), parts.front.leads(), parts.database.observe()
    wanted, back, origin = _meant(wanted, parts, database)
    target, changes = _target(wanted, parts, database, back)
    if _asks_for_origins(wanted, database, target, changes):
        database = parts.database.with_origins(database)
    lacks = given.lacking(database.extensions, given.wants_unaccent(wanted.params)) if wanted.state != "absent" else []
    series = target.record.series if target else ".".join(database.modules.get("base", ("", ""))[1].split(".")[:2])
    seen = Observed(
        places=places, front=front, database=database, filestore=parts.data.exists(), files=not database.odoo and parts.data.holds_files(),
        disk=parts.data.free(database.directory), target=target, changes=changes, memory=parts.runtime.room(),
        template=template_of(wanted.params["template"]) if not database.exists and origin is None else None, back=back, origin=origin,
        cannot_hold=parts.front.cannot_hold(), stray=parts.data.stray(series), lacks=lacks,
        missing=given.not_offered(lacks, parts.database.offered_extensions()) if lacks else ())
    return wanted, replace(seen, rehearsal=rehearsal.stored(wanted, seen))


def running_release(applied: Mapping[str, Any], database: Database) -> Release:
    """The release that runs, from the database's own record."""
    return Release(applied["image"], applied["reference"], Record.parse(database.applied_record()))


def template_of(path: str | None) -> dict[str, Any] | None:
    """What a template says of itself.

    :raises DomainError: ``template_malformed``.
    """
    if not path:
        return None
    try:
        with open(os.path.join(path, "template.json"), encoding="utf-8") as stream:
            value: dict[str, Any] = json.load(stream)
        if not os.path.exists(os.path.join(path, "database.dump")) or not isinstance(value["modules"], list):
            raise ValueError("no database.dump, or modules is no list")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DomainError("template_malformed", f"template {path}: {error}",
                          unchanged="Nothing was changed") from None
    return value


# -- which release is meant ----------------------------------------------------------------------

def _meant(wanted: Desired, parts: Parts, database: DatabaseState) -> tuple[Desired, Back | None, Back | None]:
    """The wish with its release, the recovery point to go back to, and the one that a new instance is made from."""
    if wanted.state == "rolled_back":
        wish, back = _previous(wanted, parts, database)
        return wish, back, None
    restores = wanted.params["from_point"] and wanted.state != "absent"
    if restores and not database.exists:
        origin = recovery.find_origin(wanted, parts.recovery)
        return _wish_for(wanted, origin.applied), None, origin
    if restores:
        recovery.check_origin(wanted, parts.database, parts.recovery)
    if wanted.reference is None and database.applied and wanted.state != "absent":
        return _wish_for(wanted, database.applied), None, None
    return wanted, None, None


def _previous(wanted: Desired, parts: Parts, database: DatabaseState) -> tuple[Desired, Back | None]:
    """The wish for the release that ran before, with the recovery point it takes where more than code lies between."""
    rows = parts.database.since_another() if database.applied else []
    point = wanted.params["point"]
    if point:
        # Gone back and nothing released since: to ask once more is to stay. An id is compared before the repository is asked anything.
        stays = bool(rows) and rows[0]["class"] == "restore"
        if stays and recovery.stands_on(parts.database, point):
            return _wish_for(wanted, rows[0]), None
        back = recovery.find_back(wanted, parts.database, parts.recovery, None)
        return _wish_for(wanted, back.applied), None if stays and recovery.stands_on(parts.database, back.point) else back
    if not rows:
        raise DomainError("nothing_before", f"nothing was released on {wanted.instance} yet", unchanged="Nothing was changed")
    way = way_back(rows)
    if way is None:
        raise DomainError("nothing_before", f"{wanted.instance} never ran another release than this", unchanged="Nothing was changed")
    if way.between and wanted.params["recovery"]:
        back = recovery.find_back(wanted, parts.database, parts.recovery, way.target)
        return _wish_for(wanted, back.applied), back
    if way.between:
        raise DomainError(
            "update_between",
            "between this release and the one before lies an update of the database ({})".format(way.between[0]["operation"]),
            unchanged="Nothing was changed",
            advice="Going back costs data: give recovery, the repository with the recovery points, and a confirmation")
    return _wish_for(wanted, way.target), None


def _wish_for(wanted: Desired, applied: Mapping[str, Any]) -> Desired:
    return Desired(wanted.instance, wanted.identity, wanted.state, parse_reference(applied["reference"]), wanted.params)


# -- what it is compared with --------------------------------------------------------------------

def _target(wanted: Desired, parts: Parts, database: DatabaseState, back: Back | None) -> tuple[Release | None, Changes | None]:
    reference, applied = wanted.reference, database.applied
    if reference is None:
        return None, None
    if applied and applied["image"] == reference.digest:
        # Whether something can be installed is told by the record of what runs, which is not read otherwise.
        return running_release(applied, parts.database) if set(wanted.install) - database.installed else None, None
    target = parts.record(str(reference))
    if not applied or back:
        return target, None
    installed = {name: database.modules[name][1] for name in database.installed}
    before = Record.parse(parts.database.applied_record())
    return target, classify(before, target.record, installed, list(database.languages))


def _asks_for_origins(wanted: Desired, database: DatabaseState, target: Release | None, changes: Changes | None) -> bool:
    """Whether there is something to do with the database, or a module to judge that the release does not hold: one query more."""
    if not database.odoo:
        return False
    moving = any(state == "to upgrade" for state, _version in database.modules.values())
    lacking = target is not None and not database.installed <= set(target.record.modules)
    wishes = [set(wanted.install) - database.installed, database.installed.intersection(wanted.uninstall), set(wanted.languages) - set(database.languages)]
    return moving or lacking or any(wishes) or bool(changes and changes.update)
