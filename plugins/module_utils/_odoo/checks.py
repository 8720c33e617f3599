# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a release is refused for, before anything is touched. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .._kernel.errors import DomainError, known
from .._runtime.docker import parse_memory
from .changes import full_version, missing_modules
from .cluster import logins_of
from .database import COLOURS, DatabaseState
from .model import Desired, joined
from .series import series_of

if TYPE_CHECKING:
    from .plan import Observed

# What is left beside what a release needs, in bytes of memory and of disk: room that other tenants keep.
HEADROOM = 128 * 1024 ** 2


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


def check_writable(wanted: Desired, database: DatabaseState) -> None:
    """Nor does anybody get in whose login was closed by hand.

    :raises DomainError: ``database_read_only``, ``logins_closed``.
    """
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


def others_in(wanted: Desired, database: DatabaseState) -> list[str]:
    """Roles that are connected and are not this instance's: of whatever runs on the database so far."""
    own = {*logins_of(wanted.database), wanted.database + "_owner"}
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
    left += [f"the container {name}" for name, container in sorted(seen.containers.items()) if container.running]
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
        raise DomainError(
            "bad_input", "admin_password is None, expected a password for the user admin of the database that is to be made", unchanged="Nothing was changed",
            advice="Give one; or an empty one, to leave the password that everybody knows")


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


def check_modules(wanted: Desired, seen: Observed, installed: set[str]) -> None:
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
