# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be done to bring an instance to a release. Pure: the same input gives the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError, known
from .._kernel.plan import Plan, Step
from .._runtime.docker import Container, parse_memory
from .changes import Changes, full_version
from .database import COLOURS, KINDS, DatabaseState
from .model import Desired, colour_of, joined, other
from .record import Release
from .recovery import Back, back_steps, capture_step
from .series import series_of

# What a process of the platform needs at the least beside its limit, in bytes: room that other tenants keep.
HEADROOM = 128 * 1024 ** 2


@dataclass(frozen=True)
class Observed:
    """What one pass found.

    :param target: the release asked for; None where it is the one that runs.
    :param memory: bytes the machine can give.
    :param rehearsal: what a rehearsal of exactly this step measured.
    :param back: the recovery point to go back to, where going back takes one.
    :param origin: the recovery point of another instance that a new one is made from.
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

    def container(self, wanted: Desired, colour: str, kind: str) -> Container | None:
        return self.containers.get(f"{wanted.instance}-{colour}-{kind}")


@dataclass(frozen=True)
class Work:
    """What there is to do with the database, from the records and the wishes."""

    kind: str
    update: Mapping[str, Sequence[str]]
    install: Sequence[str]
    uninstall: Sequence[str]
    languages: Sequence[str]

    @property
    def touches_database(self) -> bool:
        return bool(self.update or self.install or self.uninstall or self.languages)


def make_plan(wanted: Desired, seen: Observed) -> Plan:
    """The plan that brings the instance to the wanted release.

    :raises DomainError: where the instance must not be touched, with the reason.
    """
    if seen.back is None:
        check_identity(wanted, seen.database)
    else:
        check_owner(wanted, seen.database)  # what is half-updated may be gone back from
    work = decide(wanted, seen) if seen.back is None else Work("restore", {}, (), (), ())
    old = colour_of(seen.front, wanted)
    before = _before(wanted, seen, old)
    if work.kind == "none":
        return _plan(wanted, seen, work, "none", (), before, before)
    if work.kind == "cron":
        steps: tuple[Step, ...] = (_start_cron(old or "blue"),)
        return _plan(wanted, seen, work, "none", steps, before, {**before, "cron": old})
    new = other(old)
    check_room(wanted, seen)
    strategy = _strategy(wanted, seen, work)
    if work.kind in ("code", "adopt"):
        # What goes back is told apart, so that going back twice is going back once.
        steps = _code_steps(wanted, seen, old, new, "rollback" if wanted.state == "rolled_back" else work.kind)
    elif work.kind == "create":
        steps = _create_steps(wanted, seen, new, work)
    elif seen.back:
        steps = _back_steps(wanted, seen, seen.back, old, new)
    else:
        steps = _update_steps(wanted, seen, old, new, work, strategy)
    after = {**before, "colour": new, "release": _target_id(seen), "image": _image(wanted),
             "config": wanted.config_digest, "cron": new}
    return _plan(wanted, seen, work, strategy, steps, before, after)


def check_identity(wanted: Desired, database: DatabaseState) -> None:
    """Nothing starts on a database that is not this instance's, or is left half-updated.

    :raises DomainError: ``foreign_database``, ``data_class_mismatch``, ``half_updated``, ``prepared_transactions``.
    """
    if not database.exists:
        return
    identity = database.identity or {}
    check_owner(wanted, database)
    if identity and identity["data_class"] != wanted.identity["data_class"]:
        raise DomainError(
            "data_class_mismatch",
            "the database {} holds {} data, but {} is declared for {} data".format(
                wanted.database, identity["data_class"], wanted.instance, wanted.identity["data_class"]),
            unchanged="Nothing was changed and nothing was started",
            advice="Refresh the instance with data of its own class, or correct data_class")
    moving = sorted(name for name, (state, version) in database.modules.items() if state.startswith("to "))
    if moving or database.partially_updated:
        raise DomainError(
            "half_updated",
            "the database {} was left half-updated: {}".format(
                wanted.database, joined([f"{n} is '{database.modules[n][0]}'" for n in moving])
                or "base.partially_updated_database is set"),
            unchanged="Nothing was changed and nothing was started, since a start would go on with that update",
            advice="Finish or take back that update by hand, or go back to a recovery point")
    if database.prepared:
        raise DomainError(
            "prepared_transactions",
            f"prepared transactions hold locks in {wanted.database}: {joined(list(database.prepared))}",
            unchanged="Nothing was changed", advice="COMMIT PREPARED or ROLLBACK PREPARED them first")


def check_owner(wanted: Desired, database: DatabaseState) -> None:
    """:raises DomainError: ``foreign_database``."""
    for key in ("instance", "tenant", "environment") if database.identity else ():
        found = (database.identity or {})[key]
        if found != wanted.identity[key]:
            raise DomainError(
                "foreign_database",
                f"the database {wanted.database} belongs to {key} {found!r}, not to {wanted.identity[key]!r}",
                unchanged="Nothing was changed and nothing was started",
                advice="Correct the inventory, or restore this instance's own data")


def decide(wanted: Desired, seen: Observed) -> Work:
    """What kind of work it is, module by module."""
    database = seen.database
    if not database.exists or not database.odoo:
        _check_target(wanted, seen)
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
    installed = {name for name, (state, version) in database.modules.items() if state == "installed"}
    install = [name for name in wanted.install if name not in installed]
    uninstall = [name for name in wanted.uninstall if name in installed]
    languages = [code for code in wanted.languages if code not in database.languages]
    update: dict[str, Sequence[str]] = {}
    if seen.target:
        _check_target(wanted, seen)
        _check_modules(wanted, seen, installed)
        if seen.changes:
            update = {name: why for name, why in seen.changes.update.items() if name not in uninstall}
    if update or install or uninstall or languages:
        return Work("update", update, install, uninstall, languages)
    if not database.applied:
        return Work("adopt", {}, (), (), ())
    return Work(_drift(wanted, seen), {}, (), (), ())


def _drift(wanted: Desired, seen: Observed) -> str:
    """``none``, ``cron`` (only the cron process is missing) or ``code``."""
    colour = colour_of(seen.front, wanted)
    applied = seen.database.applied or {}
    if colour is None or applied.get("image") != _image(wanted) or applied.get("config_digest") != wanted.config_digest:
        return "code"
    for kind in KINDS:
        container = seen.container(wanted, colour, kind)
        fresh = (container and container.running and container.label("image") == _image(wanted)
                 and container.label("config") == wanted.config_digest)
        if not fresh:
            return "code" if kind == "web" else "cron"
    return "none"


def _check_target(wanted: Desired, seen: Observed) -> None:
    record = known(seen.target).record
    series = series_of(record.series)
    unknown = [name for name in wanted.install if name not in record.modules]
    if unknown:
        raise DomainError(
            "module_unknown", f"modules.install names {joined(unknown)}, which the release does not hold",
            unchanged="Nothing was changed", advice="Build a release with the module in it")
    base = seen.database.modules.get("base", ("", ""))[1]
    if base and series_of(base).number != series.number:
        raise DomainError(
            "other_series",
            "the release is for Odoo {}, but the database {} is of Odoo {}".format(
                record.series, wanted.database, ".".join(base.split(".")[:2])),
            unchanged="Nothing was changed", advice="A change of series is a migration, not a release")


def _check_modules(wanted: Desired, seen: Observed, installed: set[str]) -> None:
    record = known(seen.target).record
    modules = record.modules
    missing = sorted(name for name in installed if name not in modules and name not in wanted.uninstall)
    if missing:
        raise DomainError(
            "module_missing",
            f"installed in {wanted.database} but missing in the release: {joined(missing)}",
            unchanged="Nothing was changed", advice="Build a release that holds them, or uninstall them with one that does")
    if not seen.database.applied:
        torn = sorted(name for name in installed if seen.database.modules[name][1]
                      and seen.database.modules[name][1] != full_version(record.series, modules[name].version))
        if torn:
            raise DomainError(
                "adopt_mismatch",
                f"the database {wanted.database} has other versions than the release of {joined(torn)}",
                unchanged="Nothing was changed", advice="Adopt with the release that matches what runs")


def check_room(wanted: Desired, seen: Observed) -> None:
    """A second colour must find memory and connections.

    :raises DomainError: ``no_room``, ``connection_limit``.
    """
    processes = wanted.params["processes"]
    need = parse_memory("processes.web_memory", processes["web_memory"]) // 2 + HEADROOM
    if seen.memory and seen.memory < need:
        raise DomainError(
            "no_room", f"a second colour needs {need // 1024 ** 2} MB of memory, the machine has {seen.memory // 1024 ** 2} MB to give",
            unchanged="Nothing was changed", advice="Free memory, or lower processes.web_memory")
    settings = seen.database.settings
    colours = len(COLOURS) * connections(processes) + processes["db_maxconn"]
    have = settings.get("max_connections", 0) - settings.get("reserved", 0)
    if settings and colours > have:
        raise DomainError(
            "connection_limit",
            f"both colours may open {colours} connections, the cluster has {have} (max_connections less reserved)",
            unchanged="Nothing was changed",
            advice="Lower processes.web_workers or processes.db_maxconn, or raise max_connections")


def connections(processes: Mapping[str, Any]) -> int:
    """Database connections one colour may open: workers, the websocket process, cron."""
    from .config import REALTIME_MAXCONN

    return int((processes["web_workers"] + processes["cron_threads"]) * processes["db_maxconn"] + REALTIME_MAXCONN)


def _strategy(wanted: Desired, seen: Observed, work: Work) -> str:
    if work.kind != "update":
        return "hold" if work.kind == "restore" else "switch"
    if seen.rehearsal is None and wanted.params["rehearsal"] == "required":
        raise DomainError("not_rehearsed", "this update was not rehearsed, and rehearsal is required",
                          unchanged="Nothing was changed", advice="Run with state: rehearsed first")
    if seen.rehearsal and not seen.rehearsal.get("ok", True) and wanted.state == "released":
        raise DomainError("rehearsal_failed", "the rehearsal of this update failed: {}".format(
            seen.rehearsal.get("error", "?")), unchanged="Nothing was changed", advice="Build a release that mends it")
    predicted = float(seen.rehearsal["pause"]) if seen.rehearsal and seen.rehearsal.get("pause") else 0.0
    return "maintenance" if predicted > wanted.params["bounds"]["max_pause"] else "hold"


# -- the steps -------------------------------------------------------------------------------------

def _code_steps(wanted: Desired, seen: Observed, old: str | None, new: str, kind: str) -> tuple[Step, ...]:
    steps = [_pull(wanted), Step("stage", f"Start {new} beside what runs", {"colour": new}), _prove(new)]
    steps += _stop_cron(wanted, seen)
    steps.append(Step("switch", f"Lead the front to {new}", {"colour": new, "from": old}))
    if old:
        steps += [Step("finish", f"Let requests under way on {old} finish", {"colour": old}),
                  Step("watch", "Watch the error rate at the edge", {"colour": new, "from": old})]
    steps.append(_record(kind))
    steps.append(_start_cron(new))
    steps.append(_settle(old, new))
    return tuple(steps)


def _stop_cron(wanted: Desired, seen: Observed) -> list[Step]:
    """Of the colour where it runs, which is not the front's where somebody took the front away."""
    cron = [c for c in COLOURS if (found := seen.container(wanted, c, "cron")) and found.running]
    return [_cron_idle(), Step("stop_cron", f"End the cron process of {cron[0]}", {"colour": cron[0]})] if cron else []


def _update_steps(wanted: Desired, seen: Observed, old: str | None, new: str, work: Work, strategy: str) -> tuple[Step, ...]:
    change = {"update": sorted(work.update), "install": list(work.install), "uninstall": list(work.uninstall),
              "languages": list(work.languages)}
    hold = "Let requests wait" if strategy == "hold" else "Show the maintenance page"
    return (
        _pull(wanted),
        Step("prepare", f"Make the containers of {new}, not started", {"colour": new}),
        *capture_step(wanted),
        *_stop_cron(wanted, seen),
        Step("hold", hold, {"strategy": strategy, "from": old}),
        Step("drain", "Let requests under way finish", {"colour": old}),
        Step("retire", "Ask {} to end".format(old or "nothing"), {"colour": old}),
        Step("fence", "Let nobody but the update into the database", {"colour": old}),
        Step("undo_copy", "Copy the database aside"),
        Step("update", _change_title(change), change),
        Step("check_modules", "See that no module is left on its way"),
        Step("open", f"Start {new} and let it into the database", {"colour": new}),
        _prove(new),
        _record("update"),
        Step("let_go", f"Lead the front to {new} and let requests go", {"colour": new}),
        _start_cron(new),
        _settle(old, new),
    )


def _back_steps(wanted: Desired, seen: Observed, back: Back, old: str | None, new: str) -> tuple[Step, ...]:
    """Restored while the shop goes on working; held only while the two change places."""
    restore, exchange = back_steps(back)
    return (
        _pull(wanted),
        Step("prepare", f"Make the containers of {new}, not started", {"colour": new}),
        restore,
        *_stop_cron(wanted, seen),
        Step("hold", "Let requests wait", {"strategy": "hold", "from": old}),
        Step("drain", "Let requests under way finish", {"colour": old}),
        Step("retire", "Ask {} to end".format(old or "nothing"), {"colour": old}),
        Step("fence", "Let nobody into the database", {"colour": old}),
        exchange,
        Step("check_modules", "See that no module is left on its way"),
        Step("open", f"Start {new} and let it into the database", {"colour": new}),
        _prove(new),
        _record("restore"),
        Step("let_go", f"Lead the front to {new} and let requests go", {"colour": new}),
        _start_cron(new),
        Step("export", "Write down what was abandoned, and close it", {"since": back.taken}),
        _settle(old, new),
    )


def _create_steps(wanted: Desired, seen: Observed, new: str, work: Work) -> tuple[Step, ...]:
    if seen.origin:
        return _restored_steps(wanted, seen.origin, new)
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
    steps += [
        Step("check_modules", "See that no module is left on its way"),
        Step("stage", f"Start {new}", {"colour": new}),
        _prove(new),
        _record("create"),
        Step("let_go", f"Lead the front to {new}", {"colour": new}),
        _start_cron(new),
        _settle(None, new),
    ]
    return tuple(steps)


def _restored_steps(wanted: Desired, origin: Back, new: str) -> tuple[Step, ...]:
    """A new instance from another one's recovery point: nothing of it acts outside, unless that was asked for."""
    given = wanted.params["from_point"]
    quiet = [Step("neutralize", "Keep it from mail, scheduled actions, webhooks and payments")] if given["neutralize"] else []
    return (
        _pull(wanted),
        Step("restore_here", "Restore {} of {}".format(origin.point, given["source"]), {"point": origin.point}),
        *quiet,
        Step("check_modules", "See that no module is left on its way"),
        Step("stage", f"Start {new}", {"colour": new}),
        _prove(new),
        _record("create"),
        Step("let_go", f"Lead the front to {new}", {"colour": new}),
        _start_cron(new),
        _settle(None, new),
    )


def _pull(wanted: Desired) -> Step:
    return Step("pull", "Have the image on the machine", {"image": _image(wanted)})


def _prove(colour: str) -> Step:
    return Step("prove", f"Prove {colour} ready on its own address", {"colour": colour})


def _cron_idle() -> Step:
    return Step("cron_idle", "Wait until no scheduled action runs")


def _start_cron(colour: str) -> Step:
    return Step("start_cron", f"Start the cron process of {colour}", {"colour": colour})


def _record(kind: str) -> Step:
    return Step("record", "Write down in the database what was applied", {"class": kind})


def _settle(old: str | None, new: str) -> Step:
    return Step("settle", "End what is not needed any more", {"colour": old, "keep": new})


def _change_title(change: Mapping[str, Any]) -> str:
    words = [("update", "Update"), ("install", "install"), ("uninstall", "uninstall"), ("languages", "load")]
    parts = [f"{verb} {joined(list(change[key]), 4)}" for key, verb in words if change[key]]
    return ", ".join(parts)[:1].upper() + ", ".join(parts)[1:]


# -- what a plan says ------------------------------------------------------------------------------

def _image(wanted: Desired) -> str:
    return wanted.reference.digest if wanted.reference else ""


def _target_id(seen: Observed) -> str | None:
    if seen.target:
        return seen.target.id
    return (seen.database.applied or {}).get("release")


def _before(wanted: Desired, seen: Observed, colour: str | None) -> dict[str, Any]:
    applied = seen.database.applied or {}
    cron = [c for c in COLOURS if (found := seen.container(wanted, c, "cron")) and found.running]
    return {
        "instance": wanted.instance, "colour": colour, "release": applied.get("release"), "image": applied.get("image"),
        "config": applied.get("config_digest"), "cron": cron[0] if len(cron) == 1 else cron or None,
    }


def _plan(wanted: Desired, seen: Observed, work: Work, strategy: str, steps: tuple[Step, ...],
          before: Mapping[str, Any], after: Mapping[str, Any]) -> Plan:
    bounds = wanted.params["bounds"]
    subject = {
        "identity": dict(wanted.identity),
        "from": before["release"], "to": _target_id(seen) if steps else before["release"], "image": _image(wanted),
        "config": wanted.config_digest, "class": work.kind, "strategy": strategy,
        "update": sorted(work.update), "install": list(work.install), "uninstall": list(work.uninstall),
        "languages": list(work.languages), "ddl": (seen.rehearsal or {}).get("ddl_fingerprint"),
        "bounds": {key: bounds[key] for key in ("drain", "cron", "max_pause")}, "steps": [step.name for step in steps],
    }
    facts: dict[str, Any] = {
        "class": work.kind, "strategy": strategy,
        "reasons": {name: list(why) for name, why in sorted(work.update.items())},
        "rehearsal": dict(seen.rehearsal) if seen.rehearsal else None,
    }
    if seen.changes:
        facts["code_changes"] = sorted(seen.changes.code)
    if seen.origin:
        subject["point"] = facts["point"] = seen.origin.point
        subject["source"] = wanted.params["from_point"]["source"]
    if seen.back:
        subject["point"] = seen.back.point
        facts.update({"point": seen.back.point, "taken": seen.back.taken, "price": dict(seen.back.price)})
    return Plan(steps, before, after, subject, facts)
