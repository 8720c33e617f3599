# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done to bring an instance to a release. Pure: the same input gives the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .._image.record import Release
from .._instance import given
from .._instance.database import DatabaseState
from .._instance.names import COLOURS, KINDS, QUEUE, other
from .._kernel.errors import DomainError
from .._kernel.plan import Plan, Step
from .._runtime.docker import Container
from . import jobs, sequences
from .changes import Changes
from .checks import (
    check_collation,
    check_disk,
    check_first_password,
    check_identity,
    check_in_use,
    check_installs,
    check_languages,
    check_modules,
    check_new,
    check_owner,
    check_replication,
    check_room,
    check_stray,
    check_target,
    check_uninstall,
    check_writable,
    others_in,
)
from .installing import left_out
from .model import Desired, colour_of
from .recovery import Back
from .without_code import stuck, without_code

MEND_RELEASE = "Build a release that mends it, or mend its cause and rehearse it again"


@dataclass(frozen=True)
class Observed:
    """What one pass found.

    :param target: the release asked for; None where it is the one that runs and nothing is to be installed.
    :param filestore: whether its directory is there. :param files: whether anything lies in it; only looked at where there is no database.
    :param memory: bytes the machine can give. :param disk: bytes free where the cluster's files lie; 0 where that is not known.
    :param rehearsal: what a rehearsal of exactly this step measured.
    :param back: the recovery point to go back to, where going back takes one.
    :param stray: modules that lie in the data directory, where Odoo finds them before the release's.
    :param origin: the recovery point of another instance that a new one is made from.
    :param lacks: what Odoo would have given the database and it has not. :param missing: what of that the cluster cannot give.
    """

    containers: Mapping[str, Container]
    front: Mapping[int, str]
    database: DatabaseState
    filestore: bool = True
    target: Release | None = None
    changes: Changes | None = None
    memory: int = 0
    rehearsal: Mapping[str, Any] | None = None
    template: Mapping[str, Any] | None = None
    back: Back | None = None
    origin: Back | None = None
    files: bool = False
    disk: int = 0
    lacks: Sequence[str] = ()
    missing: Sequence[str] = ()
    stray: Sequence[str] = ()

    def container(self, wanted: Desired, colour: str, kind: str) -> Container | None:
        return self.containers.get(f"{wanted.instance}-{colour}-{kind}")

    def colours_with(self, wanted: Desired, kind: str) -> list[str]:
        """Where a kind runs: cron and queue in one colour, unless somebody's hand was in it."""
        return [colour for colour in COLOURS if (found := self.container(wanted, colour, kind)) and found.running]

    def cron_colours(self, wanted: Desired) -> list[str]:
        return self.colours_with(wanted, "cron")

    def fresh(self, wanted: Desired, colour: str, kind: str) -> bool:
        """Whether a kind of a colour runs as it is wanted."""
        found = self.container(wanted, colour, kind)
        return bool(found and found.running and found.label("image") == wanted.image and found.label("config") == wanted.digest_for(kind))


@dataclass(frozen=True)
class Work:
    """What there is to do with the database, from the records and the wishes.

    :param queue: whether jobs run afterwards.
    """

    kind: str
    update: Mapping[str, Sequence[str]]
    install: Sequence[str]
    uninstall: Sequence[str]
    languages: Sequence[str]
    queue: bool = False

    @property
    def touches_database(self) -> bool:
        return any(self.change.values())

    @property
    def change(self) -> dict[str, list[str]]:
        """What an update carries into the database; a rehearsal is of exactly this."""
        return {"update": sorted(self.update), "install": list(self.install), "uninstall": list(self.uninstall),
                "languages": list(self.languages)}


def make_plan(wanted: Desired, seen: Observed) -> Plan:
    """The plan that brings the instance to the wanted release.

    :raises DomainError: where the instance must not be touched, with the reason.
    """
    if seen.back is None:
        check_identity(wanted, seen)
    else:
        check_owner(wanted, seen.database)  # what is half-updated may be gone back from
    work = decide(wanted, seen) if seen.back is None else Work("restore", {}, (), (), ())
    work = replace(work, queue=jobs.runs_after(wanted, seen, work))
    old = colour_of(seen.front, wanted)
    before = _before(wanted, seen, old)
    steps: tuple[Step, ...]
    given.check(seen.missing, work.kind == "create")
    giving = given.step(seen.lacks, seen.missing)
    left = _left(wanted, seen)
    if left and work.kind in ("none", "cron"):
        # No scheduled action runs beside them, so that is what this mends.
        mending = sequences.mend(wanted, seen, old or "blue", work.queue) if work.kind == "cron" else ()
        after = {**before, "cron": old or before["cron"], **(_queue(before, old, work) if mending else {})}
        return _plan(wanted, seen, replace(work, kind="cron"), "none", (*giving, sequences.mark_installed(left), *mending), {**before, "modules": left}, after)
    if work.kind == "none":
        return _plan(wanted, seen, work, "none", tuple(giving), before, before)
    if work.kind == "cron":
        if work.queue:
            jobs.check_logins(wanted, seen)
        steps = (*giving, *sequences.mend(wanted, seen, old or "blue", work.queue))
        return _plan(wanted, seen, work, "none", steps, before, {**before, "cron": old, **_queue(before, old, work)})
    new = other(old)
    check_writable(wanted, seen.database)
    check_stray(wanted, seen)
    check_uninstall(wanted, seen)
    if work.kind in ("update", "create") and not seen.origin:
        check_installs(wanted, seen, work.update, work.install)
        check_languages(wanted, seen, work.update, work.languages)
    check_room(wanted, seen, work.queue)
    if work.queue and not seen.back and not seen.origin:
        jobs.check_logins(wanted, seen)
    if work.kind == "update":
        check_disk(wanted, seen)
        check_collation(wanted, seen.database)
    if work.kind in ("update", "restore"):
        check_replication(wanted, seen.database)
    if _adopts(seen) and wanted.state == "released":
        check_in_use(wanted, seen.database)
    strategy = _strategy(wanted, seen, work)
    if work.kind in ("code", "adopt"):
        # What goes back is told apart, so that going back twice is going back once.
        steps = sequences.code(wanted, seen, old, new, "rollback" if wanted.state == "rolled_back" else work.kind, work.queue)
    elif work.kind == "create":
        steps = sequences.create(wanted, seen, new, work)
    elif seen.back:
        steps = sequences.back_to_point(wanted, seen, seen.back, old, new, work.queue)
    else:
        steps = sequences.update(wanted, seen, old, new, work, strategy)
    if work.kind in ("code", "adopt", "update"):
        steps = (steps[0], *giving, *steps[1:])  # before a process of the new release looks what there is
    after = {**before, "colour": new, "release": _target_id(seen), "image": wanted.image,
             "config": wanted.config_digest, "cron": new, **_queue(before, new, work)}
    return _plan(wanted, seen, work, strategy, steps, before, after)


def decide(wanted: Desired, seen: Observed) -> Work:
    """What kind of work it is, module by module."""
    database = seen.database
    if not database.exists or not database.odoo:
        check_new(wanted, seen)
        check_target(wanted, seen)
        if not seen.origin:
            check_first_password(wanted)
        return Work("create", {}, wanted.install, (), wanted.languages)
    if not seen.filestore:
        raise DomainError(
            "filestore_missing",
            f"the filestore {wanted.filestore} is not there, though the database {wanted.database} is",
            unchanged="Nothing was changed",
            advice="Mount or restore the filestore; an instance without it serves broken documents")
    if not database.applied and not wanted.params["adopt"]:
        raise DomainError("not_adopted", f"the database {wanted.database} was never released this way",
                          unchanged="Nothing was changed",
                          advice="Set adopt: true to record it as running this release, without touching it")
    if seen.target:
        check_target(wanted, seen)
        check_modules(wanted, seen, database.installed | set(_left(wanted, seen)))
    work = update_of(wanted, seen)
    if work.touches_database:
        return work
    if not database.applied:
        return Work("adopt", {}, (), (), ())
    return Work(_drift(wanted, seen), {}, (), (), ())


def update_of(wanted: Desired, seen: Observed) -> Work:
    """What an update would carry into the database; of nothing where there is nothing to carry."""
    installed, languages = seen.database.installed, seen.database.languages
    uninstall = [name for name in wanted.uninstall if name in installed]
    update = {name: why for name, why in (seen.changes.update if seen.changes else {}).items() if name not in uninstall}
    return Work("update", update, [name for name in wanted.install if name not in installed], uninstall,
                [code for code in wanted.languages if code not in languages])


def _drift(wanted: Desired, seen: Observed) -> str:
    """``none``, ``cron`` (only what works beside the requests is not as it should be) or ``code``."""
    colour = colour_of(seen.front, wanted)
    applied = seen.database.applied or {}
    if colour is None or applied.get("image") != wanted.image or applied.get("config_digest") != wanted.config_digest:
        return "code"
    for kind in KINDS:
        if not seen.fresh(wanted, colour, kind):
            return "code" if kind == "web" else "cron"
    return "cron" if jobs.drifted(wanted, seen, colour) else "none"


def _left(wanted: Desired, seen: Observed) -> list[str]:
    """Modules without code that Odoo left ``to upgrade``."""
    return stuck(wanted, seen.database, seen.target.record.modules if seen.target else ())


def _adopts(seen: Observed) -> bool:
    return seen.database.odoo and not seen.database.applied


def _strategy(wanted: Desired, seen: Observed, work: Work) -> str:
    if work.kind != "update":
        return "hold" if work.kind == "restore" else "switch"
    if seen.rehearsal is None and wanted.params["rehearsal"] == "required" and wanted.state == "released":
        raise DomainError("not_rehearsed", "this update was not rehearsed, and rehearsal is required",
                          unchanged="Nothing was changed", advice="Run with state: rehearsed first, which the playbook plan does with -e plan_rehearse=true")
    if seen.rehearsal and not seen.rehearsal.get("ok", True) and wanted.state == "released":
        raise DomainError("rehearsal_failed", "the rehearsal of this update failed: {}".format(
            seen.rehearsal.get("error", "?")), unchanged="Nothing was changed", advice=MEND_RELEASE)
    predicted = float(seen.rehearsal["pause"]) if seen.rehearsal and seen.rehearsal.get("pause") else 0.0
    return "maintenance" if predicted > wanted.params["bounds"]["max_pause"] else "hold"


# -- what a plan says ------------------------------------------------------------------------------

def _target_id(seen: Observed) -> str | None:
    if seen.target:
        return seen.target.id
    return (seen.database.applied or {}).get("release")


def _before(wanted: Desired, seen: Observed, colour: str | None) -> dict[str, Any]:
    applied = seen.database.applied or {}
    cron, queue = seen.cron_colours(wanted), seen.colours_with(wanted, QUEUE)
    return {
        "instance": wanted.instance, "colour": colour, "release": applied.get("release"), "image": applied.get("image"),
        "config": applied.get("config_digest"), "cron": cron[0] if len(cron) == 1 else cron or None,
        **({QUEUE: queue[0] if len(queue) == 1 else queue} if queue else {}),
    }


def _queue(before: Mapping[str, Any], colour: str | None, work: Work) -> dict[str, Any]:
    """Where jobs run afterwards; nothing where there never were any."""
    return {QUEUE: colour if work.queue else None} if work.queue or QUEUE in before else {}


def _plan(wanted: Desired, seen: Observed, work: Work, strategy: str, steps: tuple[Step, ...],
          before: Mapping[str, Any], after: Mapping[str, Any]) -> Plan:
    bounds = wanted.params["bounds"]
    subject = {
        "identity": dict(wanted.identity),
        "from": before["release"], "to": _target_id(seen) if steps else before["release"], "image": wanted.image,
        "config": wanted.config_digest, "class": work.kind, "strategy": strategy,
        **work.change, "ddl": (seen.rehearsal or {}).get("ddl_fingerprint"),
        "bounds": {key: bounds[key] for key in ("drain", "cron", "max_pause", *[QUEUE for step in steps if step.name == "stop_queue"])},
        "steps": [step.name for step in steps],
    }
    facts: dict[str, Any] = {
        "class": work.kind, "strategy": strategy,
        "reasons": {name: list(why) for name, why in sorted(work.update.items())},
        "rehearsal": dict(seen.rehearsal) if seen.rehearsal else None,
    }
    if work.kind == "update" and wanted.params["rehearsal"] == "required" and not (seen.rehearsal or {}).get("ok"):
        facts["must_be_rehearsed"] = True
    schema = given.elsewhere(seen.database.extensions, given.wants_unaccent(wanted.params))
    odd = [f"the cluster does not offer {name}: install postgresql-contrib" for name in seen.missing]
    odd += [f"unaccent lies in the schema {schema}, where Odoo does not look"] if schema else []
    if odd:
        facts["extensions"] = odd
    others = others_in(wanted, seen.database) if _adopts(seen) else []
    if others:
        facts["in_use"] = others
    skipped = left_out(seen.target.record) if work.kind == "create" and seen.target and not seen.template and not seen.origin else {}
    if skipped:
        facts["left_out"] = skipped
    bare = sorted(without_code(wanted, seen.database, seen.target.record.modules)) if seen.target else []
    if bare:
        facts["without_code"] = bare
    if seen.changes:
        facts["code_changes"] = sorted(seen.changes.code)
    if seen.origin:
        subject["point"] = facts["point"] = seen.origin.point
        subject["source"] = wanted.params["from_point"]["source"]
    if seen.back:
        subject["point"] = seen.back.point
        facts.update({"point": seen.back.point, "taken": seen.back.taken, "price": dict(seen.back.price)})
    return Plan(steps, before, after, subject, facts)
