# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Loading a dump whose maker is not believed: by a login of its own that is no superuser and has nothing but the new database.

The login lives as long as the load. It is a member of the owner's role only, and all that it makes is the owner's at the end. So neither a role that
the dump names, nor a function or DO block in it, gets further than Odoo itself does.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from typing import IO, Any

from ..._instance import extensions
from ..._instance.database import Database
from ..._instance.left_out import Gone, without_leakproof
from ..._instance.script import Rows, Script, Statement
from ..._kernel.commands import running
from ..._kernel.errors import DomainError, known
from ..._kernel.wait import Deadline
from ..engines import dump
from ..space import MARGIN, check_space
from .archive import BLOCK, DAMAGED, Archive

with contextlib.suppress(ImportError):  # Database says so
    import psycopg2
    from psycopg2 import sql

# Nobody's user and group on Debian and Ubuntu.
NOBODY = 65534
# After so many bytes it is looked at whether there is still room: what was packed once more does not say how large it is.
LOOK = 64 << 20

# What every dump has of a cluster, of which a count says enough; and how many of the others are told.
USUAL = ("owners", "privileges", "comments", "sessions", "timeouts", "settings")
TOLD = 100


class Login:
    """The role that loads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.role = database.name + "_import"
        self._password = secrets.token_urlsafe(32)

    def __repr__(self) -> str:
        return f"Login({self.role!r})"

    def make(self) -> None:
        """The new, empty database, which nobody but this login gets into."""
        self.remove()
        self.database.create()
        with self.database.session("postgres") as cursor:
            cursor.execute(sql.SQL("revoke connect, temporary on database {} from {}").format(
                sql.Identifier(self.database.name), sql.Identifier(self.database.owner)))
        self.enter()

    def enter(self) -> None:
        """The role, and its way into the database."""
        role, owner, database = sql.Identifier(self.role), sql.Identifier(self.database.owner), sql.Identifier(self.database.name)
        with self.database.session("postgres") as cursor:
            cursor.execute(sql.SQL("create role {} login nosuperuser nocreatedb nocreaterole in role {}").format(role, owner))
            cursor.execute(sql.SQL("grant connect, temporary on database {} to {}").format(database, role))
        self.database.set_password(self.role, self._password)

    @contextlib.contextmanager
    def session(self, seconds: int) -> Iterator[Any]:
        """A cursor whose statements are the owner's. What is loaded is removed where it fails, so a commit need not wait for the disk."""
        connection = self.database.way.connect(
            self.database.name, self.role, password=self._password, application_name="sysgenpro import",
            options=f"-c synchronous_commit=off -c maintenance_work_mem=256MB -c lock_timeout=0 -c statement_timeout={seconds * 1000}")
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql.SQL("set role {}").format(sql.Identifier(self.database.owner)))
                yield cursor
                cursor.execute("commit")
        finally:
            connection.close()

    def end(self) -> None:
        """All it has becomes the owner's, and the role goes."""
        role = sql.Identifier(self.role)
        with self.database.session() as cursor:
            cursor.execute(sql.SQL("reassign owned by {} to {}").format(role, sql.Identifier(self.database.owner)))
            cursor.execute(sql.SQL("drop owned by {}").format(role))
        self.remove()

    def remove(self) -> None:
        """Once its database is gone, or it has nothing in it."""
        with self.database.session("postgres") as cursor:
            cursor.execute(sql.SQL("drop role if exists {}").format(sql.Identifier(self.role)))


class Load:
    """Carries out a dump's statements.

    :param watched: directory of the file system that must not run full.
    :param seconds: how long all may take.
    """

    def __init__(self, archive: Archive, login: Login, watched: str, seconds: int) -> None:
        self.archive, self.login, self.watched = archive, login, watched
        self.seconds, self.deadline = seconds, Deadline(seconds)
        self.left_out: Counter[str] = Counter()
        # The statements that were left out, but for those that every dump has.
        self.titles: list[str] = []
        self.gone = Gone()
        self._read = self._looked = 0

    def run(self, scratch: str, major: int) -> None:
        """:raises DomainError: ``archive_damaged``, ``dump_malformed``, ``load_failed``, ``no_odoo``, ``no_space``."""
        with self._script(scratch, major) as stream, self.login.session(self.seconds) as cursor:
            script = Script(lambda size: self._guarded(stream, size))
            rows = False
            for statement in script.statements():
                reason = statement.left_out
                if reason:
                    self._leave_out(statement, reason)
                    continue
                if statement.copy and not rows:
                    self._check_odoo(cursor)
                    rows = True
                self._execute(cursor, script, statement)
            if not rows:
                self._check_odoo(cursor)

    def _leave_out(self, statement: Statement, reason: str) -> None:
        self.left_out[reason] += 1
        self.gone.add(statement.text)
        if reason not in USUAL and len(self.titles) < TOLD:
            self.titles.append(f"{reason}: {statement.title}")

    def _execute(self, cursor: Any, script: Script, statement: Statement) -> None:
        rows = script.rows()
        error = self._try(cursor, statement, rows)
        if error is not None and error.pgcode == extensions.NOT_IMMUTABLE and self._as_odoo_has_it():
            error = self._try(cursor, statement, rows)
        if error is not None and (changed := without_leakproof(statement.text)) is not None:
            statement = Statement(changed)
            error = self._try(cursor, statement, rows)
        if error is None:
            return
        if rows.failure:
            raise rows.failure from None
        reason = self.gone.by_answer(statement.text, error.pgcode or "")
        if not reason:
            raise self._failed(statement, error)
        self._leave_out(statement, reason)
        while statement.copy and rows.read():
            pass

    @staticmethod
    def _try(cursor: Any, statement: Statement, rows: Rows) -> Any:
        try:
            if statement.copy:
                cursor.copy_expert(statement.text, rows, 1 << 16)
            else:
                cursor.execute(statement.text)
        except psycopg2.Error as error:
            return error
        return None

    def _as_odoo_has_it(self) -> bool:
        """Odoo makes unaccent immutable, and no dump carries that. The extension's own functions alone, never one of the dump's."""
        with self.login.database.session() as superuser:
            return bool(extensions.make_immutable(superuser, every=True))

    def _failed(self, statement: Statement, error: Any) -> DomainError:
        reason = (error.diag.message_primary or str(error)).strip().splitlines()[0]
        if self.gone.named_in(statement.text):
            reason += "; it needs what cannot be made here"
        advice = "Mend that, as by installing the extension's package, or take another backup"
        if "collation" in statement.text.decode(errors="replace").lower() or "collation" in reason:
            advice = "Make the locale on this machine (locale-gen), then run the same command again: sorted otherwise, what is unique may not be"
        return DomainError("load_failed", f"loading the dump: {reason} (at {statement.title})", advice=advice)

    @staticmethod
    def _check_odoo(cursor: Any) -> None:
        """Tables come before rows in a dump, so that another program's is noticed early."""
        cursor.execute("select count(*) from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')"
                       " and relname in ('ir_module_module', 'ir_attachment', 'ir_config_parameter')")
        if cursor.fetchone()[0] != 3:
            raise DomainError("no_odoo", "the dump is not Odoo's: it has no tables ir_module_module, ir_attachment and ir_config_parameter",
                              advice="Give the backup of an Odoo database")

    def _guarded(self, stream: IO[bytes], size: int) -> bytes:
        if self.deadline.passed:
            raise DomainError("load_failed", f"loading the dump took longer than {self.seconds} s (bounds.load)", advice="Give it more time")
        try:
            data = stream.read(size)
        except DAMAGED as error:
            raise self.archive.damaged(self.archive.contents.dump, error) from None
        self._read += len(data)
        if self._read - self._looked >= LOOK:
            self._looked = self._read
            check_space({self.watched: MARGIN})
        return data

    # -- the dump as SQL ------------------------------------------------------------------------

    @contextlib.contextmanager
    def _script(self, scratch: str, major: int) -> Iterator[IO[bytes]]:
        if self.archive.contents.kind != "custom":
            with self.archive.open_dump() as stream:
                yield stream
            return
        path = os.path.join(scratch, "database.dump")
        try:
            with self.archive.open_dump() as packed, open(path, "wb") as file:
                shutil.copyfileobj(packed, file, BLOCK)
        except DAMAGED as error:
            raise self.archive.damaged(self.archive.contents.dump, error) from None
        with open(path, "rb") as file:
            os.unlink(path)
            with self._unpacked(file, major) as stream:
                yield stream

    @contextlib.contextmanager
    def _unpacked(self, file: IO[bytes], major: int) -> Iterator[IO[bytes]]:
        """``pg_restore`` makes SQL of the custom format, as nobody's user: what it reads is not believed either."""
        program = [dump.program("pg_restore", major), "--no-owner", "--no-privileges", "--file", "-"]
        with tempfile.TemporaryFile() as complaints, contextlib.ExitStack() as stack:
            try:
                process = stack.enter_context(running(program, complaints, given=file, user=NOBODY, group=NOBODY, extra_groups=[]))
            except OSError as error:
                raise DomainError("dump_unreadable", f"pg_restore cannot be run: {error}", advice="Run the site playbook for this machine") from None
            yield _Checked(process, complaints)  # type: ignore[misc]


class _Checked:
    """A program's output; its end is an error where the program ended with one."""

    def __init__(self, process: subprocess.Popen[bytes], complaints: IO[bytes]) -> None:
        self._process, self._complaints = process, complaints

    def read(self, size: int) -> bytes:
        data: bytes = known(self._process.stdout).read(size)
        if not data and self._process.wait():
            self._complaints.seek(0)
            said = self._complaints.read(2000).decode(errors="replace").strip().splitlines() or [f"it ended with {self._process.returncode}"]
            raise DomainError("dump_unreadable", f"reading the dump: {said[0]}", advice="Take another backup")
        return data
