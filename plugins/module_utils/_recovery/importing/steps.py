# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of an import; all are undone by ``undo_claim``, which removes what was made."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ..._instance.given import give
from ..._instance.neutralize import neutralize
from ..._kernel.errors import DomainError
from ..._kernel.files import remove_file, replace_file
from ..._kernel.plan import Step
from ..losses import Losses
from ..model import Desired
from ..moment import stream
from ..restore import Target
from .archive import BLOCK, DAMAGED, Archive, series_in
from .load import Load, Login

with contextlib.suppress(ImportError):  # Database says so
    from psycopg2 import sql

# What a comment on the database says once it is whole.
MARK = "sysgenpro: imported from sha256:{}"


class Import:
    """Carries out the steps of an import."""

    def __init__(self, wanted: Desired, archive: Archive, target: Target) -> None:
        self.wanted, self.archive, self.target = wanted, archive, target
        self.database = target.database
        self.login = Login(self.database)
        self.context: dict[str, Any] = {}
        self.timings: dict[str, float] = {}
        self.scratch = os.path.join(wanted.work, "import")
        self.whole: set[str] = set()
        self.torn: list[str] = []
        self.left_out: dict[str, int] = {}
        self.left_out_titles: list[str] = []

    def close(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def do_clean_up(self, step: Step) -> dict[str, Any]:
        self._remove(step.parameters["filestore"])
        return {}

    def _remove(self, filestore: str) -> None:
        """The note goes last: until then a next run removes the rest."""
        self.close()
        self.database.drop(self.target.name)
        self.login.remove()
        self.target.remove(filestore)

    def do_claim(self, step: Step) -> dict[str, Any]:
        """From here on database and filestore are this import's: a next run may remove them."""
        replace_file(self.target.note, json.dumps({
            "archive": self.archive.contents.digest, "database": self.target.name, "filestore": self.target.filestore}).encode())
        return {}

    def undo_claim(self, step: Step) -> None:
        self._remove(self.target.filestore)

    # -- loading --------------------------------------------------------------------------------

    def do_load(self, step: Step) -> dict[str, Any]:
        """Database and files at the same time."""
        self.close()
        os.makedirs(self.scratch, mode=0o700)
        with ThreadPoolExecutor(2) as aside:
            parts = {name: aside.submit(self._timed, name, work) for name, work in (("database", self._data), ("files", self._files))}
            failures = [failure for part in parts.values() if (failure := part.exception())]
        if failures:
            raise failures[0]
        return {}

    def _timed(self, name: str, work: Any) -> None:
        started = time.monotonic()
        work()
        self.timings[name] = round(time.monotonic() - started, 3)

    def _data(self) -> None:
        with self.database.session("postgres") as cursor:
            cursor.execute("select current_setting('server_version_num')::int / 10000, current_setting('data_directory')")
            major, directory = cursor.fetchone()
        self.login.make()
        load = Load(self.archive, self.login, directory, self.wanted.params["bounds"]["load"])
        load.run(self.scratch, major)
        self.left_out, self.left_out_titles = dict(load.left_out), load.titles
        self.login.end()
        with self.database.session() as cursor:
            # Where this platform ran the database before, its records are that instance's.
            cursor.execute("drop schema if exists sysgenpro cascade")
            give(cursor, False)
            # A dump holds no statistics; without them the first requests are slow.
            cursor.execute("analyze")

    def _files(self) -> None:
        """Each file proven by its name, and given to the instance's user, under a name that is not yet the filestore's.

        One that is torn stays out: Odoo would refuse to store the same document again under its name, where a missing one heals so.
        """
        place, uid = self.target.filestore + ".restoring", self.wanted.params["uid"]
        above = os.path.dirname(place)
        if not os.path.isdir(above):
            os.makedirs(above, mode=0o700)
            os.chown(above, uid, uid)
        os.mkdir(place, 0o700)
        os.chown(place, uid, uid)
        made: set[str] = set()
        for stored, name in self.archive.files():
            directory = stored.partition("/")[0]
            if directory not in made:
                os.mkdir(os.path.join(place, directory), 0o700)
                os.chown(os.path.join(place, directory), uid, uid)
                made.add(directory)
            path = os.path.join(place, stored)
            if self._extract(name, path, stored.rpartition("/")[2]):
                os.chown(path, uid, uid)
                self.whole.add(stored)
            else:
                os.unlink(path)
                self.torn.append(stored)
        os.rename(place, self.target.filestore)

    def _extract(self, name: str, path: str, expected: str) -> bool:
        """Write one file. Returns whether it is what its name says.

        :raises DomainError: ``no_space``, as for any file that cannot be written.
        """
        digest = hashlib.sha1(usedforsecurity=False)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(handle, "wb") as file:
            try:
                with self.archive.open(name) as content:
                    while True:
                        block = content.read(BLOCK)
                        if not block:
                            return digest.hexdigest() == expected
                        digest.update(block)
                        file.write(block)
            except DAMAGED:
                return False
            except OSError as error:
                raise DomainError("no_space", f"{path} cannot be written: {error}", advice="Make room, then run the same command again") from None

    # -- proving --------------------------------------------------------------------------------

    def do_compare(self, step: Step) -> dict[str, Any]:
        """What the database names and the archive does not hold whole is lost.

        :raises DomainError: ``files_lost``, ``other_series``.
        """
        wanted, named, missing, torn = self.wanted.params, 0, [], []
        bad_files = set(self.torn)
        with self.database.session() as cursor:
            cursor.execute("select latest_version from ir_module_module where name = 'base'")
            row = cursor.fetchone()
            series = series_in(row[0] or "") if row else ""
            cursor.execute("begin read only")
            for stored in stream(cursor, "select distinct store_fname from ir_attachment where store_fname is not null"):
                if stored in self.whole:
                    named += 1
                elif stored in bad_files:
                    torn.append(stored)
                else:
                    missing.append(stored)
        if wanted["series"] and series != wanted["series"]:
            raise DomainError("other_series", "series is {}, but the database is of Odoo {}".format(wanted["series"], series or "no series"),
                              advice="A change of series is a migration, not an import; or correct series")
        losses = {"missing": len(missing), "torn": len(torn), "missing_names": sorted(missing), "torn_names": sorted(torn)}
        if (missing or torn) and not wanted["accept_losses"]:
            raise DomainError(
                "files_lost", f"of the files that the database names, {len(missing)} are missing in the archive and {len(torn)} are torn:"
                f" {', '.join(sorted(missing + torn)[:5])}", losses=losses,
                advice="Take another backup, or set accept_losses: true to go on without them")
        return {"result": {"losses": losses, "left_out": self.left_out, "left_out_titles": self.left_out_titles, "series": series,
                           "files": {"named": named, "loaded": len(self.whole), "torn": len(self.torn)}}}

    def do_neutralize(self, step: Step) -> dict[str, Any]:
        """By the login that loads, since what was loaded is not believed. What the add-ons of an image bring, the release that adopts it does."""
        self.login.enter()
        with self.login.session(self.wanted.params["bounds"]["load"]) as cursor:
            self.context["result"]["neutralized"] = neutralize(cursor)
        self.login.end()
        return {}

    def do_open(self, step: Step) -> dict[str, Any]:
        """The database says what it is, written durably like all that was loaded before; then the instance's own logins may enter."""
        os.sync()
        name = sql.Identifier(self.target.name)
        with self.database.session("postgres") as cursor:
            cursor.execute("set synchronous_commit = on")
            cursor.execute("begin")
            cursor.execute(sql.SQL("comment on database {} is {}").format(name, sql.Literal(MARK.format(self.archive.contents.digest))))
            cursor.execute(sql.SQL("grant connect, temporary on database {} to {}").format(name, sql.Identifier(self.database.owner)))
            cursor.execute("commit")
        # Later captures, timers and releases go on without them, too.
        losses = self.context["result"]["losses"]
        Losses(self.wanted.state_directory).accept(
            [*losses["missing_names"], *losses["torn_names"]], self.wanted.params["requested_by"], "accepted at an import")
        remove_file(self.target.note)
        return {}
