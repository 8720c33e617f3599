# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The clone that an update is rehearsed on, while the database works: by a dump, and with what a dump does not carry."""

from __future__ import annotations

import contextlib
import os
import shutil

from .._instance import likeness
from .._instance.cluster import Cluster, apply_setting
from .._kernel.commands import run_program
from .._recovery import members
from .._recovery.engines import dump
from .._recovery.engines.load import Stages

with contextlib.suppress(ImportError):  # Cluster says so
    from psycopg2 import sql

# For how long a stage of the load may take, in seconds: as for a recovery point.
LONGEST = 14400


def copy_of(cluster: Cluster, clone: str, scratch: str) -> None:
    """Make ``clone`` like the instance's database: locale, settings, what was done to members of extensions, rows.

    :param scratch: a directory for the dump, which is removed.
    :raises DomainError: ``clone_failed``, ``load_failed``, ``locale_missing``, ``database_not_made``.
    """
    source = os.path.join(scratch, "dump")
    with cluster.session("postgres") as cursor:
        major = cursor.connection.server_version // 10000
        likeness.make(cursor, clone, cluster.owner, likeness.like(cursor, cluster.name))
        cursor.execute(sql.SQL("alter database {} connection limit -1").format(sql.Identifier(clone)))
        cursor.execute(sql.SQL("grant all on database {} to {}").format(sql.Identifier(clone), sql.Identifier(cluster.owner)))
        for role, key, value in cluster.grants().settings:
            apply_setting(cursor, clone, role, key, value)
    run_program(
        [dump.program("pg_dump", major), *cluster.way.words(), "--format", "directory",
         "--jobs", "2", "--compress", "1", "--file", source, cluster.name], "clone_failed", "making the clone's dump")
    with cluster.session() as cursor, cluster.session("postgres") as aside:
        noted = members.noted(cursor, aside)
    Stages(cluster, source, scratch, major, LONGEST).load(clone, noted["alterations"], owners=True, jobs=2)
    shutil.rmtree(source)
