# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is refused for, before anything is touched. Pure."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .._image import installing
from .._image.installing import missing_modules
from .._instance import administrator
from .._instance.data import HEADROOM
from .._instance.database import DatabaseState
from .._instance.names import COLOURS, OWNER, QUEUE, logins_of, role
from .._instance.series import series_of
from .._kernel.errors import DomainError, bad_input, known
from .._kernel.text import joined, parse_memory
from . import queue_job
from .changes import full_version
from .config import REALTIME_MAXCONN
from .model import Desired
from .observed import Observed
from .without_code import IMPORTER, STUDIO, against, dependents, origins, said, stuck, without_code


def check_identity(wanted: Desired, seen: Observed) -> None:
    """Nothing starts on a database that is not this instance's, or is left half-updated.

    :raises DomainError: ``foreign_database``, ``data_class_mismatch``, ``half_updated``, ``prepared_transactions``.
    """
    database = seen.database
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
    bare = stuck(wanted, database, seen.target.record.modules if seen.target else ())
    moving = sorted(name for name, (state, version) in database.modules.items() if state.startswith("to ") and name not in bare)
    if moving or (database.partially_updated and not bare):
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


def check_writable(wanted: Desired, database: DatabaseState) -> None:
    """Nor does anybody get in whose login was closed by hand, and who administers it may do what a release asks for.

    :raises DomainError: ``admin_rights``, ``database_read_only``, ``logins_closed``.
    """
    administrator.check(database.administrator["name"], database.administrator["lacks"])
    if database.closed:
        raise DomainError(
            "logins_closed", f"the instance's processes would not get into {wanted.database}: {joined(list(database.closed))}",
            unchanged="Nothing was changed and nobody was held",
            advice="Take that back (ALTER ROLE, ALTER DATABASE), or run the site playbook for this machine")
    if database.read_only:
        raise DomainError(
            "database_read_only", f"nobody can write to {wanted.database}: {database.read_only}", unchanged="Nothing was changed and nobody was held",
            advice="Release where the database is written to; or take that setting back")


def check_replication(wanted: Desired, database: DatabaseState) -> None:
    """A slot stays with the database that is put aside or dropped, and a subscription keeps it from being either.

    :raises DomainError: ``replication``.
    """
    if database.replication:
        raise DomainError(
            "replication",
            f"logical replication hangs on {wanted.database}, which this release may have to exchange for a copy: {joined(list(database.replication))}",
            unchanged="Nothing was changed",
            advice="Drop them, and make them anew for their consumers after the release")


def check_collation(wanted: Desired, database: DatabaseState) -> None:
    """No copy can be made of a database that was sorted by rules which the machine has not any more; inside a hold that is found out too late.

    :raises DomainError: ``collation_changed``.
    """
    found = database.collation or {}
    recorded, actual = found.get("recorded"), found.get("actual")
    if recorded is None or recorded == actual:
        return
    raise DomainError(
        "collation_changed", "the database {} was sorted by version {} of its collation {}, and this machine has {}: its indexes may be wrong, and"
        " PostgreSQL makes no copy of it".format(wanted.database, recorded, found.get("name"), f"version {actual}" if actual else "none that it knows"),
        unchanged="Nothing was changed",
        advice="First REINDEX DATABASE {0} (CONCURRENTLY while the shop works), and look into what it says of unique indexes; then"
               " ALTER DATABASE {0} REFRESH COLLATION VERSION".format(wanted.database))


def others_in(wanted: Desired, database: DatabaseState) -> list[str]:
    """Roles that are connected and are not this instance's: of whatever runs on the database so far."""
    own = {*logins_of(wanted.database), role(wanted.database, OWNER)}
    return sorted(role for role in database.sessions if role not in own)


def check_in_use(wanted: Desired, database: DatabaseState) -> None:
    """An Odoo that goes on beside the adopted one runs every scheduled action twice.

    :raises DomainError: ``in_use``.
    """
    others = others_in(wanted, database)
    if others:
        raise DomainError(
            "in_use", f"others are connected to {wanted.database}, which is to be adopted: {joined(others)}", unchanged="Nothing was changed",
            advice="End what is connected so far, an Odoo and its scheduled actions above all, and see that it is not started again")


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


def check_new(wanted: Desired, seen: Observed) -> None:
    """A new database is made only where nothing speaks of an old one, since a failed attempt removes what it made.

    :raises DomainError: ``database_missing``, ``foreign_database``.
    """
    database = seen.database
    if database.exists and database.tables:
        raise DomainError(
            "foreign_database", f"the database {wanted.database} holds {database.tables} tables, and they are not Odoo's",
            unchanged="Nothing was changed and nothing was started", advice="Name another database, or empty this one")
    left = [f"the filestore {wanted.filestore}"] if seen.files else []
    left += [f"the container {found.name}" for _place, found in sorted(seen.places.items()) if found.running]
    left += ["a front that leads to a colour"] if seen.front else []
    if left:
        raise DomainError(
            "database_missing", "there is no database {} of Odoo's, but there is {}".format(wanted.database, joined(left, 4)),
            unchanged="Nothing was changed and nothing was started",
            advice="Bring the database back: mount its disk or start its cluster. Where it is lost, or meant to be new, remove what is left "
                   "first (state: absent with purge), then restore a recovery point or release anew")


def check_first_password(wanted: Desired) -> None:
    """Nobody makes a shop that everybody can log in to without having said so.

    :raises DomainError: ``bad_input``.
    """
    if wanted.params["admin_password"] is None and wanted.state != "planned":
        raise bad_input("admin_password", None, "a password for the user admin of the database that is to be made",
                        "Give one; or an empty one, to leave the password that everybody knows")


def check_disk(wanted: Desired, seen: Observed) -> None:
    """The undo copy is as large as the database, and is made while requests wait; a rehearsal makes a dump, a clone and a copy of that.

    :raises DomainError: ``no_room``.
    """
    rehearsed = wanted.state == "rehearsed"
    need = seen.database.bytes * (24 if rehearsed else 11) // 10 + HEADROOM
    if seen.disk and seen.disk < need:
        raise DomainError(
            "no_room", "{} needs {} MB of disk in {} for copies of the database, {} MB are free".format(
                "a rehearsal" if rehearsed else "an update", need // 1024 ** 2, seen.database.directory, seen.disk // 1024 ** 2),
            unchanged="Nothing was changed", advice="Make room on that file system")


def check_target(wanted: Desired, seen: Observed) -> None:
    record = known(seen.target).record
    series = series_of(record.series)
    unknown = [name for name in wanted.install if name not in record.modules]
    if unknown:
        raise DomainError(
            "module_unknown", f"modules.install names {joined(unknown)}, which the release does not hold",
            unchanged="Nothing was changed", advice="Build a release with the module in it")
    for name in wanted.install:
        missing = missing_modules(record, [name])
        if missing:
            raise DomainError(
                "module_not_installable", "modules.install names {}, which cannot be installed: {}".format(
                    name, "its manifest says so" if missing == (name,) else f"the release does not offer {joined(missing)}, which it needs"),
                unchanged="Nothing was changed", advice="Build a release that offers it, or take it from the list")
    base = seen.database.modules.get("base", ("", ""))[1]
    if base and series_of(base).number != series.number:
        raise DomainError(
            "other_series",
            "the release is for Odoo {}, but the database {} is of Odoo {}".format(
                record.series, wanted.database, ".".join(base.split(".")[:2])),
            unchanged="Nothing was changed", advice="A change of series is a migration, not a release")


def check_installs(wanted: Desired, seen: Observed, update: Iterable[str], install: Iterable[str]) -> None:
    """What Odoo refuses or leaves on its way only when it is at work, while requests wait or minutes after it began with a new database.

    :raises DomainError: ``module_not_installable``, ``package_missing``.
    """
    if not seen.target:
        return
    record, database = seen.target.record, seen.database
    there, countries = database.installed, origins(database).countries
    if not database.odoo:
        there = set(seen.template["modules"]) if seen.template else installing.of_a_new_database(record) - set(installing.left_out(record))
    asked = {*install, *installing.closure(record.modules, there & set(record.modules) if database.odoo else ())}
    new = installing.beside(record.modules, there, asked, countries)
    hindered = [f"{name} {why}" for name in sorted(new) if (why := installing.obstacle(record, name))]
    if hindered:
        raise DomainError(
            "module_not_installable", "Odoo would install what it cannot install beside {}: {}".format(
                joined(sorted(install)) or "what is updated", joined(hindered)),
            unchanged="Nothing was changed", advice="Build a release that offers what is needed, or one without the module")
    updated = set(update)
    while further := {name for name in there - updated if name in record.modules and updated.intersection(record.modules[name].depends)}:
        updated |= further
    lacking = installing.lacks(record.modules, new | updated)
    if lacking:
        raise DomainError(
            "package_missing", "Odoo neither installs nor updates modules of which the image lacks Python packages or programs: {}".format(
                joined([f"{name} asks for {', '.join(needs)}" for name, needs in lacking.items()])),
            unchanged="Nothing was changed", advice="Add them to the release source, in python_lock or system_packages, and build it")


def check_languages(wanted: Desired, seen: Observed, update: Iterable[str], languages: Iterable[str]) -> None:
    """:raises DomainError: ``language_unknown``, for one that Odoo has no name of."""
    record = seen.target.record if seen.target else None
    known_ones = {*origins(seen.database).languages, *(record.languages if record and (not seen.database.odoo or "base" in update) else ())}
    unknown = [code for code in languages if code not in known_ones]
    if unknown and known_ones:
        raise DomainError(
            "language_unknown", "languages names {}, which {} does not know".format(joined(unknown), "the database" if seen.database.odoo else "the release"),
            unchanged="Nothing was changed", advice="Take a code of Odoo's own list (Settings, Translations, Languages), or make the language there first")


def check_modules(wanted: Desired, seen: Observed, installed: set[str]) -> None:
    """The release offers what is installed and what that needs; modules without code live in the database, and only their dependencies count.

    :raises DomainError: ``module_missing``, ``adopt_mismatch``.
    """
    record = known(seen.target).record
    modules = record.modules
    bare = without_code(wanted, seen.database, modules)
    staying = installed - bare - set(wanted.uninstall)
    lacking = missing_modules(record, staying)
    if set(lacking) & staying:
        raise _missing(wanted, seen, sorted(set(lacking) & staying))
    needed = sorted({need for name in bare - set(wanted.uninstall) for need in origins(seen.database).depends.get(name, ())} - bare)
    lacking = tuple(sorted({*lacking, *missing_modules(record, needed)}))
    if lacking:
        raise DomainError(
            "module_missing", "what is installed in {} needs {}, which the release does not offer".format(wanted.database, joined(lacking)),
            unchanged="Nothing was changed", advice="Build a release that holds it")
    if not seen.database.applied:
        torn = sorted(name for name in installed - bare if seen.database.modules[name][1] and name in modules
                      and seen.database.modules[name][1] != full_version(record.series, modules[name].version))
        if torn:
            raise DomainError(
                "adopt_mismatch",
                f"the database {wanted.database} has other versions than the release of {joined(torn)}",
                unchanged="Nothing was changed", advice="Adopt with the release that matches what runs")


def _missing(wanted: Desired, seen: Observed, names: list[str]) -> DomainError:
    """What is missing and why it is not taken for a module without code. Nothing that would lose data is advised."""
    told = []
    for name in names:
        why = "it is not installable there" if name in known(seen.target).record.modules else ""
        if not why and said(wanted, seen.database, name):
            why = against(seen.database, name)
        told.append(f"{name} ({why})" if why else name)
    return DomainError(
        "module_missing", f"installed in {wanted.database} but missing in the release: {joined(told)}",
        unchanged="Nothing was changed",
        advice="Build a release that holds them. One that never had code, as a zip imported in the list of apps, is told apart by naming it in "
               "modules.without_code (instance_modules_without_code)")


def check_stray(wanted: Desired, seen: Observed) -> None:
    """:raises DomainError: ``stray_modules``: code that no release knows would run."""
    if seen.stray:
        raise DomainError(
            "stray_modules", "Odoo would run modules that no release holds, out of {}: {}".format(
                os.path.join(wanted.directory, "data", "addons"), joined(list(seen.stray))),
            unchanged="Nothing was changed", advice="Build a release with them, then move them out of there")


def check_uninstall(wanted: Desired, seen: Observed) -> None:
    """Odoo uninstalls nothing that a module which stays needs, and says so only when it is asked.

    :raises DomainError: ``module_needed``.
    """
    gone = set(wanted.uninstall) & seen.database.installed
    if not gone:
        return
    marked = sorted(set(origins(seen.database).imported) & without_code(wanted, seen.database, seen.target.record.modules if seen.target else ()))
    unsaid = [name for name in marked if name not in {*wanted.without_code, *wanted.uninstall, STUDIO}]
    if IMPORTER in gone and unsaid:
        raise DomainError(
            "module_needed", f"modules.uninstall names {IMPORTER}, and with it goes what says that these modules have no code: {joined(unsaid)}",
            unchanged="Nothing was changed", advice="Name them in modules.without_code (instance_modules_without_code), too")
    depends: dict[str, Sequence[str]] = dict(origins(seen.database).depends)
    if seen.target:
        depends.update({name: module.depends for name, module in seen.target.record.modules.items()})
    found = dependents(gone, seen.database.installed, depends)
    if found:
        raise DomainError(
            "module_needed", "modules.uninstall names what others need that stay: {}".format(
                joined([f"{name} needs {', '.join(needs)}" for name, needs in found.items()])),
            unchanged="Nothing was changed", advice="Take it from the list; or name the others, too, where their data may be lost")


def check_room(wanted: Desired, seen: Observed, queue: bool = False) -> None:
    """A second colour must find memory and connections.

    :raises DomainError: ``no_room``, ``connection_limit``.
    """
    processes = wanted.params["processes"]
    need = parse_memory("processes.web_memory", processes["web_memory"]) // 2 + HEADROOM
    if queue and not seen.colours_with(QUEUE):
        need += parse_memory("processes.queue_memory", processes["queue_memory"]) // 2
    if seen.memory and seen.memory < need:
        raise DomainError(
            "no_room", f"a second colour needs {need // 1024 ** 2} MB of memory, the machine has {seen.memory // 1024 ** 2} MB to give",
            unchanged="Nothing was changed", advice="Free memory, or lower processes.web_memory")
    settings = seen.database.settings
    colours = len(COLOURS) * connections(processes) + processes["db_maxconn"]
    if queue:  # in one colour at a time
        colours += queue_job.capacity(wanted.params) * processes["db_maxconn"] + queue_job.RUNNER_CONNECTIONS
    have, what, more = settings.get("max_connections", 0) - settings.get("reserved", 0), "the cluster has {} (max_connections less reserved)", "max_connections"
    if 0 <= settings.get("limit", -1) < have:
        have, what, more = settings["limit"], "the database allows {}", f"the limit (ALTER DATABASE {wanted.database} CONNECTION LIMIT)"
    if settings and colours > have:
        raise DomainError(
            "connection_limit", f"both colours may open {colours} connections, " + what.format(have), unchanged="Nothing was changed",
            advice="Lower processes.web_workers, web_replicas or db_maxconn, or raise " + more)


def connections(processes: Mapping[str, Any]) -> int:
    """Database connections one colour may open: of each web process its workers and the websocket process, and cron."""
    web = max(processes.get("web_replicas", 1), processes.get("web_replicas_most", 0))
    return int((web * processes["web_workers"] + processes["cron_threads"]) * processes["db_maxconn"] + web * REALTIME_MAXCONN)
