# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done to bring an instance to a release. Pure: the same input gives the same plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from .._image.installing import left_out
from .._instance import administrator, given
from .._instance.names import KINDS, QUEUE, other
from .._kernel.errors import DomainError
from .._kernel.plan import Plan, Step
from . import jobs, sequences
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
from .model import Desired
from .observed import MEND_RELEASE, Observed, Work, update_of
from .without_code import stuck, without_code


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
    old = seen.colour
    before = _before(wanted, seen, old)
    steps: tuple[Step, ...]
    given.check(seen.missing, work.kind == "create")
    administrator.check_immutable(seen.database.administrator, seen.lacks, given.IMMUTABLE)
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
        steps = sequences.back_to_point(wanted, seen, seen.back, old, new, work.queue, strategy)
    else:
        steps = sequences.with_update(wanted, seen, old, new, work, strategy)
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


def _drift(wanted: Desired, seen: Observed) -> str:
    """``none``, ``cron`` (only what works beside the requests is not as it should be) or ``code``."""
    colour = seen.colour
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
    if work.kind not in ("update", "restore"):
        return "switch"
    waits = "maintenance" if seen.cannot_hold else "hold"
    if work.kind == "restore":
        return waits
    if seen.rehearsal is None and wanted.params["rehearsal"] == "required" and wanted.state == "released":
        raise DomainError("not_rehearsed", "this update was not rehearsed, and rehearsal is required",
                          unchanged="Nothing was changed", advice="Run with state: rehearsed first, which the playbook plan does with -e plan_rehearse=true")
    if seen.rehearsal and not seen.rehearsal.get("ok", True) and wanted.state == "released":
        raise DomainError("rehearsal_failed", "the rehearsal of this update failed: {}".format(
            seen.rehearsal.get("error", "?")), unchanged="Nothing was changed", advice=MEND_RELEASE)
    predicted = float(seen.rehearsal["pause"]) if seen.rehearsal and seen.rehearsal.get("pause") else 0.0
    return "maintenance" if predicted > wanted.params["bounds"]["max_pause"] else waits


# -- what a plan says ------------------------------------------------------------------------------

def _target_id(seen: Observed) -> str | None:
    if seen.target:
        return seen.target.id
    return (seen.database.applied or {}).get("release")


def _before(wanted: Desired, seen: Observed, colour: str | None) -> dict[str, Any]:
    applied = seen.database.applied or {}
    cron, queue = seen.colours_with("cron"), seen.colours_with(QUEUE)
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
    if seen.cannot_hold and strategy == "maintenance":
        facts["cannot_hold"] = seen.cannot_hold
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


def staged_only(plan: Plan, wanted: Desired, seen: Observed) -> Plan:
    """The first steps of a code release: the other colour, proven and not routed.

    :raises DomainError: ``cannot_stage``.
    """
    if plan.facts["class"] in ("none", "cron"):
        return plan
    if plan.facts["class"] != "code":
        raise DomainError("cannot_stage", "this release is of class {}; only one of code can be staged beforehand".format(
            plan.facts["class"]), unchanged="Nothing was changed", advice="Release it")
    steps = tuple(step for step in plan.steps if step.name in ("pull", "extensions", "stage", "prove"))
    if seen.fresh(wanted, plan.after["colour"], "web"):
        steps = ()
    return Plan(steps, plan.before, plan.before, {**plan.subject, "state": "staged"}, plan.facts)
