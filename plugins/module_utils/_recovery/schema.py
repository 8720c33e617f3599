# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a database can be made of a dump: all but its rows is loaded into a scratch database, which nobody but a superuser gets into.

It finds what fails when an object is made: an index, a stored generated column or a partition key over a function that is not immutable, a view, default,
constraint or policy over something that no dump carries, two objects of one name. It cannot find what fails over rows: a unique index that rows
do not allow, a foreign key or check that they break, a function that fails for one of them.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._instance import administrator, likeness
from .._instance.cluster import Cluster
from .._instance.extensions import first_line
from .._instance.script import Script
from .._kernel.errors import DomainError
from .._kernel.wait import Deadline
from . import notes
from .engines import dump
from .engines.load import STAGES, Stages, staged, unknown_to
from .space import MARGIN, check_space

with contextlib.suppress(ImportError):  # Database says so
    import psycopg2

# How many of the statements that failed are told.
TOLD = 20
# What a schema load proves.
PROVES = "not_loadable"
# Parts of a dump without rows, after what comes first.
SCHEMA_STAGES = (STAGES[0], ("--section", "post-data"))
# SQLSTATE classes of a machine that has not what it takes, or was stopped: they say nothing about the dump (PostgreSQL, "Error Codes").
_MACHINE = ("08", "53", "57", "58", "F0", "XX")
# Statements that ask for what is installed on the machine.
_ASKS_MACHINE = re.compile(
    r"(create\s+(extension|collation|access\s+method|(or\s+replace\s+)?((trusted|procedural)\s+)*language|text\s+search\s+(dictionary|template))"
    r"|security\s+label)\b", re.IGNORECASE)
CANCELED = "57014"
_ROLE = re.compile(r'role ".*" does not exist')


@dataclass
class Failure:
    """A statement that could not be carried out: its beginning, what PostgreSQL said, and whether the machine lacks something."""

    statement: str
    said: str
    machine: bool


def name_of(instance: str) -> str:
    """The scratch database's name. No instance's database has a dash in it, nor is one longer."""
    return "sysgenpro-verify-" + instance


class SchemaLoad:
    """One attempt after the other, at most two.

    :param directory: the dump. :param seconds: how long all may take.
    """

    def __init__(self, cluster: Cluster, instance: str, manifest: Mapping[str, Any], directory: str, seconds: float) -> None:
        self.cluster, self.manifest, self.directory = cluster, manifest, directory
        self.name, self.seconds = name_of(instance), seconds
        self.deadline = Deadline(seconds)
        self.statements = 0
        self.loosened = False

    def run(self) -> dict[str, Any]:
        """Load it. Returns what was counted.

        :raises DomainError: ``not_loadable`` where the dump is proven not to make a database; ``schema_not_tried`` where it could not be found out.
        """
        started = time.monotonic()
        noted = notes.read(self.directory)
        self._check_machine()
        found, left = self._attempt(noted, False)
        if found and unknown_to(noted) and any("immutable" in failure.said.lower() for failure in found):
            self.loosened = True
            found, left = self._attempt(noted, True)
        elif found:
            found, left = self._attempt(noted, False)
        if found:
            raise self._judged(found)
        return {"outcome": "loaded", "statements": self.statements, "seconds": round(time.monotonic() - started, 3), "postgresql": self.server,
                "altered": len((noted or {}).get("alterations", ())), "loosened": self.loosened,
                "left": ["{} of extension {}: {}".format(each["object"], each["extension"], each["error"]) for each in left]}

    def _check_machine(self) -> None:
        with self.cluster.session("postgres", patience=0) as cursor:
            cursor.execute("select current_setting('server_version_num')::int / 10000, current_setting('data_directory'),"
                           " (select array_agg(name) from pg_available_extensions)")
            self.server, directory, available = cursor.fetchone()
        lacks = missing_extensions(self.manifest, available or ())
        if lacks:
            raise not_tried("this machine has no package of {} for PostgreSQL {}".format(", ".join(lacks), self.server))
        if self.server < self.manifest["postgresql"]["major"]:
            raise not_tried("the dump is of PostgreSQL {}, this cluster is {}".format(self.manifest["postgresql"]["major"], self.server))
        if os.path.isdir(directory):
            check_space({directory: MARGIN})

    # -- one attempt ------------------------------------------------------------------------------

    def _attempt(self, noted: Mapping[str, Any] | None, loosen: bool) -> tuple[list[Failure], Any]:
        """What failed, and what could not be done to extensions. The scratch database is gone again, whatever happens; killed, it goes with the next run."""
        self.statements = 0
        self.cluster.drop(self.name)
        stages = Stages(self.cluster, self.directory, os.path.dirname(self.directory), self.manifest["postgresql"]["major"], self._left())
        stages.split()
        failures: list[Failure] = []
        try:
            with self.cluster.session("postgres") as cursor:
                likeness.make(cursor, self.name, self.cluster.way.user, self.manifest["database"])
            left = staged(
                lambda: self.cluster.session(self.name), (noted or {}).get("alterations", ()), loosen,
                lambda: failures.extend(self._carry_out("--use-list", stages.first)),
                *(lambda which=which: failures.extend(self._carry_out("--use-list", stages.rest, *which)) for which in SCHEMA_STAGES))
        except DomainError as error:
            if error.code in ("locale_missing", "database_not_made", "dump_malformed"):
                raise not_tried(error.message) from None
            raise
        except psycopg2.Error as error:
            raise not_tried(first_line(error)) from None
        finally:
            self.cluster.drop(self.name)
        return failures, left

    def _left(self) -> float:
        left = self.deadline.left
        if left < 1:
            raise self._late()
        return left

    def _late(self) -> DomainError:
        return not_tried(f"it took longer than {self.seconds:g} s (bounds.schema)")

    def _carry_out(self, *which: str) -> Iterator[Failure]:
        """A part's statements, each by itself: one that fails does not hide the next."""
        path = os.path.join(os.path.dirname(self.directory), "schema.sql")
        dump.script(self.directory, self.manifest["postgresql"]["major"], path, which, self._left())
        with open(path, "rb") as stream, self.cluster.session(self.name) as cursor:
            cursor.execute(administrator.ENGLISH + "; set synchronous_commit = off; set lock_timeout = 0")
            left = float("inf")
            for statement in Script(stream.read).statements():
                # Not for each of thousands: by TCP that is as long as the statements themselves.
                if left - self._left() >= 1:
                    left = self._left()
                    cursor.execute("select set_config('statement_timeout', %s, false)", (str(round(left * 1000)),))
                self.statements += 1
                try:
                    cursor.execute(statement.text)
                except psycopg2.Error as error:
                    if cursor.connection.closed:
                        raise
                    if error.pgcode == CANCELED:
                        raise self._late() from None
                    yield Failure(statement.title, first_line(error), _of_machine(statement.title, error.pgcode or "08000", first_line(error)))

    # -- what it means ----------------------------------------------------------------------------

    def _judged(self, found: list[Failure]) -> DomainError:
        told = "; ".join(f"{failure.said} (at {failure.statement})" for failure in found[:3])
        machine = [failure for failure in found if failure.machine]
        if machine:
            return not_tried(f"{machine[0].said} (at {machine[0].statement})")
        if self.server != self.manifest["postgresql"]["major"]:
            return not_tried("PostgreSQL {} does not take the schema of a dump of {}: {}".format(
                self.server, self.manifest["postgresql"]["major"], told))
        return DomainError(PROVES, f"{len(found)} of {self.statements} statements of its schema cannot be carried out: {told}",
                           failures=[f"{failure.said} (at {failure.statement})" for failure in found[:TOLD]], failed=len(found))


def _of_machine(statement: str, code: str, said: str) -> bool:
    return code[:2] in _MACHINE or bool(_ASKS_MACHINE.match(statement)) or bool(_ROLE.fullmatch(said))


def missing_extensions(manifest: Mapping[str, Any], available: Any) -> list[str]:
    """Extensions of a dump that a cluster cannot make; of pg_cron nothing is loaded."""
    there = set(available)
    return sorted(name for name in manifest["postgresql"].get("extensions") or () if name not in there and name != "pg_cron")


def not_tried(why: str) -> DomainError:
    return DomainError("schema_not_tried", f"whether a database can be made of it could not be found out: {why}",
                       unchanged="Nothing is said about the point",
                       advice="Mend that, then run the same command again; or verify with load_schema: false, which the point then shows")
