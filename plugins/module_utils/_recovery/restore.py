# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Restore: always into a new database and a new filestore, side by side, compared file by file, and closed to logins."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._instance import likeness
from .._instance.cluster import CLOSED, apply_setting
from .._instance.database import Database
from .._instance.given import give
from .._kernel.errors import DomainError
from .._kernel.files import read_text, remove_file, replace_file
from .._kernel.plan import Step
from . import notes
from .engines import dump
from .engines.load import Stages, lacks_immutable, unknown_to
from .losses import Losses
from .model import Desired, Point
from .moment import checked, stream
from .owners import adopt_objects
from .pins import sha1_of
from .restic import Restic
from .schema import missing_extensions
from .space import MARGIN, check_space

with contextlib.suppress(ImportError):  # Database says so
    from psycopg2 import sql

# What a comment on the database says once it is whole.
MARK = "sysgenpro: restored from {}"


class Target:
    """The new database and filestore, and the note that they are being made."""

    def __init__(self, wanted: Desired, database: Database) -> None:
        self.params: Mapping[str, Any] = wanted.params["target"]
        self.name: str = self.params["database"]
        self.filestore: str = self.params["filestore"].rstrip("/")
        self.database = database
        self.note = os.path.join(wanted.state_directory, f"restoring-{self.name}.json")

    def observe(self) -> dict[str, Any]:
        """What is there, and of the cluster what decides whether a dump can be loaded."""
        with self.database.session("postgres", patience=0) as cursor:
            cursor.execute(
                "select json_build_object('version', current_setting('server_version_num')::int, 'data', current_setting('data_directory'),"
                " 'roles', (select json_agg(rolname) from pg_roles),"
                " 'icu', exists (select from pg_collation where collprovider = 'i'), 'extensions', (select json_agg(name) from pg_available_extensions),"
                " 'mark', (select coalesce(shobj_description(oid, 'pg_database'), '') from pg_database where datname = %s),"
                " 'closed', (select datconnlimit = any(%s) from pg_database where datname = %s))", (self.name, list(CLOSED), self.name))
            found: dict[str, Any] = cursor.fetchone()[0]
        return {**found, "filestore": os.path.lexists(self.filestore), "interrupted": self.interrupted()}

    def interrupted(self) -> dict[str, str] | None:
        """The note of a restore that did not end."""
        text = read_text(self.note)
        return dict(json.loads(text)) if text else None

    def remove(self, filestore: str) -> None:
        """Take away what a restore made; the note says that it was it."""
        self.database.drop(self.name)
        for path in (filestore, filestore + ".restoring"):
            shutil.rmtree(path, ignore_errors=True)
        remove_file(self.note)


class Restore:
    """Steps of a restore; each is undone by ``undo_claim``, which removes all that was made."""

    def __init__(self, wanted: Desired, restic: Restic, point: Point, target: Target) -> None:
        self.wanted, self.restic, self.point, self.target = wanted, restic, point, target
        self.context: dict[str, Any] = {}
        self.scratch = os.path.join(wanted.work, "restore")
        self.timings: dict[str, float] = {}
        self.warnings: list[str] = []

    def close(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def do_clean_up(self, step: Step) -> dict[str, Any]:
        """Remove what an interrupted restore into this target made."""
        self.close()
        self.target.remove(step.parameters["filestore"])
        return {}

    def do_claim(self, step: Step) -> dict[str, Any]:
        """From here on database and filestore are this restore's: a next run may remove them."""
        replace_file(self.target.note, json.dumps({
            "point": self.point.id, "database": self.target.name, "filestore": self.target.filestore}).encode())
        return {}

    def undo_claim(self, step: Step) -> None:
        self.close()
        self.target.remove(self.target.filestore)

    def do_load(self, step: Step) -> dict[str, Any]:
        """Database and files at the same time."""
        self.close()
        os.makedirs(self.scratch, mode=0o700)
        with ThreadPoolExecutor(2) as aside:
            files = aside.submit(self._files)
            data = aside.submit(self._data)
            failures = [failure for failure in (data.exception(), files.exception()) if failure]
        if failures:
            raise failures[0]
        return {}

    def _files(self) -> None:
        """The files, proven by their content and given to the instance's user, under a name that is not yet the filestore's."""
        snapshot, place = self.point.manifest["repository"]["snapshot"], self.target.filestore + ".restoring"
        os.makedirs(place, mode=0o700)
        if self.point.manifest["files"]["count"]:
            self.restic.restore(snapshot, "files", place)
        else:
            os.makedirs(os.path.join(place, "files"))
        uid = self.target.params["uid"]
        for directory, names, files in os.walk(place):
            for name in files:
                path = os.path.join(directory, name)
                with open(path, "rb") as stream:
                    if sha1_of(stream) != name:
                        raise DomainError("files_differ", f"the content of {path} is not what its name says")
                os.chown(path, uid, uid)
            for name in names:
                os.chown(os.path.join(directory, name), uid, uid)
        os.rename(os.path.join(place, "files"), self.target.filestore)
        os.rmdir(place)

    def _data(self) -> None:
        manifest, name, params = self.point.manifest, self.target.name, self.wanted.params
        self.restic.restore(manifest["repository"]["snapshot"], "database", self.scratch)
        directory = os.path.join(self.scratch, "database")
        if dump.summary(directory).digest != manifest["dump"]["digest"]:
            raise DomainError("dump_differs", f"the dump of {self.point.id} is not the one that was made",
                              advice="Verify the recovery point")
        self._create(name, manifest["database"])
        with self.target.database.session("postgres") as cursor:
            cursor.execute("select current_setting('server_version_num')::int / 10000, (select array_agg(spcname) from pg_tablespace)")
            major, tablespaces = cursor.fetchone()
        owners = bool(self.point.manifest["database"]["owner"] == self.target.params["owner"])
        noted = notes.read(directory)
        lacks = sorted(set((noted or {}).get("tablespaces") or ()) - set(tablespaces))
        stages = Stages(self.target.database, directory, self.scratch, major, params["bounds"]["dump"],
                        ["--no-tablespaces"] if lacks else [])
        left = self._load(stages, noted, owners)
        with self.target.database.session(name) as cursor:
            if not owners:
                adopt_objects(cursor, self.target.params["owner"])
            give(cursor, False)
            # A dump holds no statistics; without them the first requests are slow.
            cursor.execute("analyze")
            here = notes.describe(cursor)
        self.close()
        self.warnings += [f"the tablespace {each} is not here; what was in it lies with the rest" for each in lacks]
        self.warnings += ["{object} of extension {extension} could not be altered as it was: {error}".format(**each) for each in left]
        self.warnings += notes.differences(noted, here) if noted else []
        self.warnings += ["no dump carries this, so it is lacking: " + each for each in notes.not_carried(noted)] if noted else []

    def _load(self, stages: Stages, noted: Mapping[str, Any] | None, owners: bool) -> Any:
        """Where nobody noted what was done to unaccent, and the load says that it must be immutable, once more with it so, as Odoo makes it."""
        alterations, jobs = (noted or {}).get("alterations", ()), self.wanted.params["jobs"]
        try:
            return stages.load(self.target.name, alterations, owners, jobs)
        except DomainError as error:
            if not (lacks_immutable(error) and unknown_to(noted)):
                raise
        self.target.database.drop(self.target.name)
        self._create(self.target.name, self.point.manifest["database"])
        return stages.load(self.target.name, alterations, owners, jobs, loosen=True)

    def _create(self, name: str, like: Mapping[str, Any]) -> None:
        """An empty database that only a superuser gets into, with the settings that it had."""
        with self.target.database.session("postgres") as cursor:
            likeness.make(cursor, name, self.target.params["owner"], like)
            cursor.execute("select rolname from pg_roles")
            roles = {row[0] for row in cursor.fetchall()}
            for role, key, value in like["settings"]:
                if not role or role in roles:
                    apply_setting(cursor, self.target.name, role, key, value)

    def do_compare(self, step: Step) -> dict[str, Any]:
        """Every file that the restored database names is there, and no other.

        :raises DomainError: ``files_differ``.
        """
        lacking, missing, count = {*self.point.losses[0], *self.point.losses[1]}, [], 0
        with self.target.database.session(self.target.name) as cursor:
            cursor.execute("begin read only")
            for stored in checked(stream(cursor, "select distinct store_fname from ir_attachment where store_fname is not null")):
                if os.path.isfile(os.path.join(self.target.filestore, stored)):
                    count += 1
                elif stored not in lacking:
                    missing.append(stored)
        if missing or count != self.point.manifest["files"]["count"]:
            raise DomainError("files_differ", "the restored database names {} files that are not there, and {} of {} are".format(
                len(missing), count, self.point.manifest["files"]["count"]), missing=missing[:100])
        return {}

    def do_mark(self, step: Step) -> dict[str, Any]:
        """The database says what it is; written durably, and so is all that was loaded before."""
        with self.target.database.session("postgres") as cursor:
            cursor.execute("set synchronous_commit = on")
            cursor.execute(sql.SQL("comment on database {} is {}").format(
                sql.Identifier(self.target.name), sql.Literal(MARK.format(self.point.id))))
        os.sync()
        # What was accepted of the data is accepted of the copy.
        Losses(self.wanted.state_directory).inherit(self.point.losses[0])
        new = self.point.losses[1]
        if new:
            self.warnings.append("{} files that its attachments name were lost when the point was taken, and nobody accepted that: {}{}".format(
                len(new), ", ".join(new[:20]), " …" if len(new) > 20 else ""))
        remove_file(self.target.note)
        return {"point": self.point.id, "warnings": self.warnings}


def _under_way(target: Mapping[str, Any], seen: Mapping[str, Any]) -> bool:
    """Whether what is there is what an interrupted restore made, and may go. A database that was opened since is not."""
    note = seen["interrupted"]
    if note is None or seen["closed"] is False:
        return False
    return bool(note["filestore"] == target["filestore"].rstrip("/") or not seen["filestore"])


def check_target(wanted: Desired, point: Point, seen: Mapping[str, Any]) -> bool:
    """Whether the target is to be made. False where this very point lies there, untouched and closed.

    :raises DomainError: ``target_exists``, ``newer_postgresql``, ``no_owner``, ``no_space``, ``extension_missing``, ``locale_missing``.
    """
    target, manifest = wanted.params["target"], point.manifest
    interrupted = _under_way(target, seen)
    if not interrupted and seen["filestore"] and seen["closed"] and seen["mark"] == MARK.format(point.id):
        return False
    if not interrupted and (seen["mark"] is not None or seen["filestore"]):
        what = "database {}".format(target["database"]) if seen["mark"] is not None else "filestore {}".format(target["filestore"])
        raise DomainError("target_exists", f"the {what} exists already; a restore goes only into what is new",
                          unchanged="Nothing was changed", advice="Give another name, or remove it first")
    major = manifest["postgresql"]["major"]
    if seen["version"] // 10000 < major:
        raise DomainError("newer_postgresql", "the dump is of PostgreSQL {}, the cluster is {}".format(major, seen["version"] // 10000),
                          unchanged="Nothing was changed", advice="Restore into a cluster of the same major version or a newer one")
    roles = set(seen["roles"] or ())
    if target["owner"] not in roles:
        raise DomainError("no_owner", "there is no role {} in the cluster".format(target["owner"]), unchanged="Nothing was changed",
                          advice="Run the site playbook for this machine")
    lacks = [role["name"] for role in manifest["roles"] if role["name"] not in roles]
    if manifest["database"]["owner"] == target["owner"] and lacks:
        raise DomainError("no_owner", "roles of the dump are not in the cluster: {}".format(", ".join(lacks)),
                          unchanged="Nothing was changed", advice="Run the site playbook for this machine")
    check_machine(manifest, seen)
    check_space({seen["data"]: manifest["database"]["bytes"] + MARGIN, wanted.work: manifest["dump"]["bytes"] + MARGIN,
                 os.path.dirname(target["filestore"]): manifest["files"]["bytes"] + MARGIN})
    return True


def check_machine(manifest: Mapping[str, Any], seen: Mapping[str, Any]) -> None:
    """What the database needs of a machine, before anything is made.

    :raises DomainError: ``extension_missing``, ``locale_missing``.
    """
    lacks = missing_extensions(manifest, seen["extensions"] or ())
    if lacks:
        raise DomainError("extension_missing", "the database has the extensions {}, which this machine has no package of for PostgreSQL {}".format(
            ", ".join(lacks), seen["version"] // 10000), unchanged="Nothing was changed", advice="Install their packages")
    like = manifest["database"]
    named = likeness.missing_locales(like)
    if named or (like["provider"] == "i" and not seen["icu"]):
        raise likeness.locale_missing(like, "there is no {}".format(" and no ".join(named or ["ICU in it"])))
