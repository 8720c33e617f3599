# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A dump loaded in stages: extensions first, then what was done to them, then what stands on that.

What cannot be done to an extension yet, since it needs a function of the dump itself, is tried again once the schema is there, before the indexes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..._instance import extensions
from ..._instance.cluster import Cluster
from ..._kernel.errors import DomainError
from . import dump

Alterations = Sequence[Mapping[str, Any]]
# Entries of a dump's table of contents that come first: "<id>; <class> <oid> <kind> <schema> <name> <owner>".
_FIRST = re.compile(r"\d+; \d+ \d+ (SCHEMA|EXTENSION) - ")
# pg_cron lives in one database of a cluster alone, which is no copy's, with all that is in its schema.
_CRON = re.compile(r"\d+; \d+ \d+ EXTENSION - pg_cron(?=\s|$)")
_OF_CRON = re.compile(r"\d+; \d+ \d+ ((COMMENT - )?EXTENSION( -)? pg_cron(?=\s|$)|(SCHEMA|ACL|COMMENT) - (SCHEMA )?cron |[A-Z ]+ cron )")
STAGES = (("--section", "pre-data"), ("--section", "data", "--section", "post-data"))


class Stages:
    """A dump in a directory, to be loaded into a new database.

    :param scratch: a directory for two small files.
    :param options: of pg_restore, for all of it.
    """

    def __init__(self, cluster: Cluster, source: str, scratch: str, major: int, seconds: float,
                 options: Sequence[str] = ()) -> None:
        self.options = tuple(options)
        self.cluster, self.source, self.major, self.seconds = cluster, source, major, seconds
        self.first, self.rest = os.path.join(scratch, "first.list"), os.path.join(scratch, "rest.list")
        self.left_out = 0

    def split(self) -> None:
        """Write the lists of what is loaded first and of the rest."""
        lines = [line for line in dump.listed(self.source, self.major, self.seconds).splitlines() if line and not line.startswith(";")]
        bound = any(_CRON.match(line) for line in lines)
        kept = [line for line in lines if not (bound and _OF_CRON.match(line))]
        self.left_out = len(lines) - len(kept)
        for path, first in ((self.first, True), (self.rest, False)):
            with open(path, "w", encoding="utf-8") as stream:
                stream.writelines(line + "\n" for line in kept if bool(_FIRST.match(line)) == first)

    def load(self, database: str, alterations: Alterations, owners: bool, jobs: int, loosen: bool = False) -> list[Mapping[str, Any]]:
        """Load all into an empty database. Returns what could not be done to members of extensions, although the dump was loaded.

        :param loosen: make immutable what Odoo makes so.
        :raises DomainError: ``load_failed``, and those of ``dump``.
        """
        self.split()

        def run(*which: str) -> None:
            dump.restore(self.cluster.way, self.major, self.source, database, owners, jobs, self.seconds, (*self.options, *which), self.cluster.superuser)

        return staged(lambda: self.cluster.session(database), alterations, loosen,
                      lambda: run("--use-list", self.first), *(lambda which=which: run("--use-list", self.rest, *which) for which in STAGES))


def staged(session: Any, alterations: Alterations, loosen: bool, first: Callable[[], None], *others: Callable[[], None]) -> list[Mapping[str, Any]]:
    """Alterations before and after each stage, until none is left."""
    first()
    left = [alteration for alteration in alterations if alteration["statements"]]
    for stage in (*others, None):
        if left or loosen:
            with session() as cursor:
                # As pg_restore loads: names come with their schemas, and what a function needs may not be there yet.
                cursor.execute("set search_path = ''; set check_function_bodies = off")
                left = extensions.alter(cursor, left)
                if loosen:
                    extensions.make_immutable(cursor, every=True)
        if stage:
            stage()
    return left


def lacks_immutable(error: DomainError) -> bool:
    """Whether a load failed for what Odoo does to unaccent, which points of old do not note. pg_restore is run so that PostgreSQL speaks English."""
    return error.code == "load_failed" and "immutable" in error.message.lower()


def unknown_to(notes: Mapping[str, Any] | None) -> bool:
    """Whether nobody noted what was done to unaccent."""
    return notes is None or "unaccent" in notes["unknown"]
