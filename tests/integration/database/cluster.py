# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A PostgreSQL cluster of its own, by this host's programs or in a container of the lab, with the roles of an instance as ``postgresql`` makes them."""

from __future__ import annotations

import glob
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.database import Database
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.way_in import WayIn
from sgplab import images

PORT = 5431
NAME = "shop"
IN_CONTAINER = 17
CONTAINER = f"sgp-database-tests-{os.getpid()}"
OPTIONS = f"-p {PORT} -c listen_addresses='' -c fsync=off"
_WRAPPER = '#!/bin/sh\nexec docker exec -i {container} /usr/lib/postgresql/{major}/bin/{program} "$@"\n'


def majors() -> list[int]:
    """Those of this host, and the lab's."""
    here = {int(path.split("/")[-3]) for path in glob.glob("/usr/lib/postgresql/*/bin/initdb")}
    return sorted({*here, IN_CONTAINER})


@dataclass
class Server:
    """:param programs: directory of ``pg_dump`` and its like. :param container: where it runs in one."""

    major: int
    directory: Path
    programs: str
    container: str = ""

    @property
    def socket(self) -> str:
        return str(self.directory / "socket")

    def sql(self, query: str, database: str = "postgres", user: str = "postgres") -> list[Any]:
        connection = psycopg2.connect(host=self.socket, port=PORT, user=user, dbname=database)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def run(self, *command: str) -> str:
        """A program of PostgreSQL's, by the superuser."""
        return subprocess.run([f"{self.programs}/{command[0]}", "-h", self.socket, "-p", str(PORT), "-U", "postgres", *command[1:]],
                              check=True, capture_output=True, text=True).stdout

    def instance(self, name: str = NAME) -> Database:
        """The roles of an instance; its database is left to whoever tries something."""
        for role in (name, *(f"{name}_{each}" for each in ("undo", "failed", "back", "rehearsal", "rehearsal_copy", "scratch"))):
            self.sql(f'drop database if exists "{role}" with (force)')
        if not self.sql(f"select 1 from pg_roles where rolname = '{name}_owner'"):
            self.sql(f"create role {name}_owner nologin")
            for login in ("blue_web", "blue_cron", "green_web", "green_cron", "update"):
                self.sql(f"create role {name}_{login} login in role {name}_owner")
                self.sql(f"alter role {name}_{login} set role = '{name}_owner'")
        return Database(name, WayIn(self.socket, PORT))


@contextmanager
def running(major: int) -> Iterator[Server]:
    """A cluster until the end of the test."""
    directory = Path(tempfile.mkdtemp(prefix="sgp-database-"))
    directory.chmod(0o755)
    (directory / "socket").mkdir()
    (directory / "socket").chmod(0o777)
    here = f"/usr/lib/postgresql/{major}/bin"
    try:
        with _local(directory, here) if os.path.exists(here) else _contained(directory, major) as programs:
            server = Server(major, directory, programs, "" if programs == here else CONTAINER)
            deadline = time.monotonic() + 120
            while True:
                try:
                    server.sql("select 1")
                    break
                except psycopg2.OperationalError:
                    assert time.monotonic() < deadline, "PostgreSQL does not come up"
                    time.sleep(0.1)
            yield server
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def _local(directory: Path, programs: str) -> Iterator[str]:
    data = directory / "data"
    data.mkdir()
    shutil.chown(data, "postgres", "postgres")

    def postgres(*command: str) -> None:
        subprocess.run(["runuser", "-u", "postgres", "--", *command], check=True, stdout=subprocess.DEVNULL, cwd="/")

    postgres(f"{programs}/initdb", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "-D", str(data))
    postgres(f"{programs}/pg_ctl", "-D", str(data), "-w", "-l", str(data / "log"), "-o", f"{OPTIONS} -k {directory / 'socket'}", "start")
    try:
        yield programs
    finally:
        postgres(f"{programs}/pg_ctl", "-D", str(data), "-w", "-m", "immediate", "stop")


@contextmanager
def _contained(directory: Path, major: int) -> Iterator[str]:
    programs = directory / "programs"
    programs.mkdir()
    for program in ("pg_dump", "pg_restore"):
        (programs / program).write_text(_WRAPPER.format(container=CONTAINER, major=major, program=program), encoding="utf-8")
        (programs / program).chmod(0o755)
    subprocess.run(["docker", "rm", "-f", "-v", CONTAINER], check=False, capture_output=True)
    place = "/usr/lib/postgresql"
    # The same paths inside as outside, so that a program's files are where its caller says.
    subprocess.run(
        ["docker", "run", "-d", "--name", CONTAINER, "-v", f"{directory}:{directory}", images.ensure("debian13-warm"), "sh", "-ec",
         f"install -d -o postgres /data; exec runuser -u postgres -- sh -ec '{place}/{major}/bin/initdb --auth=trust --encoding=UTF8 --locale=C.UTF-8"
         f" --no-sync -D /data; exec {place}/{major}/bin/postgres -D /data -k {directory}/socket {OPTIONS.replace(chr(39) * 2, chr(34) * 2)}'"],
        check=True, capture_output=True)
    try:
        yield str(programs)
    finally:
        subprocess.run(["docker", "rm", "-f", "-v", CONTAINER], check=False, capture_output=True)
