# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Engine ``dump``: PostgreSQL's own programs, of the cluster's major version."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..._instance.way_in import WayIn
from ..._kernel.commands import ProgramMissing, ProgramSlow, ended, run_program
from ..._kernel.errors import DomainError
from ..restic import NO_PROGRAM, UNHARMED, prefix

PROGRAMS = "/usr/lib/postgresql/{}/bin"
BLOCK = 1 << 20
SITE = "Run the site playbook for this machine"
# What PostgreSQL's programs say of a dump that a newer one wrote, or one that was built with more (pg_backup_archiver.c, compress_io.c) …
TOO_OLD = ("unsupported version", "does not support compression", "not supported in this build", "not supported by this build")
# … and of a machine without room for them.
NO_MEMORY = ("out of memory", "cannot allocate memory")
# What is never loaded of a dump: a subscription is the original's, and a database with one cannot be dropped.
NEVER = ("--no-subscriptions",)


@dataclass(frozen=True)
class Dump:
    """A dump in PostgreSQL's directory format.

    :param digest: SHA-256 over the lines ``<name> <size> <sha256>`` of its files, sorted.
    """

    files: int
    bytes: int
    digest: str


def program(name: str, major: int) -> str:
    """The program of a major version, or the machine's where Debian's layout has none."""
    path = os.path.join(PROGRAMS.format(major), name)
    return path if os.path.exists(path) else name


def version_of(name: str, major: int) -> str:
    """As ``17.12``."""
    text = run_program([program(name, major), "--version"], "no_" + name, f"asking {name} for its version", seconds=30)
    found = re.search(r"\d+(\.\d+)*", text)
    return found.group() if found else text.strip()


def compression(major: int) -> str:
    """zstd since 16 (its release notes); it is as fast as none. Else gzip, level 1."""
    return "zstd:1" if major >= 16 else "1"


def dump(way: WayIn, name: str, major: int, snapshot: str, target: str, jobs: int, nice: int, seconds: float) -> None:
    """Dump the database as an exported snapshot has it.

    :raises DomainError: ``dump_failed``, and those of ``_run``.
    """
    _run([*prefix(nice), program("pg_dump", major), *way.words(), "--format", "directory", "--jobs", str(jobs),
          "--compress", compression(major), "--snapshot", snapshot, "--lock-wait-timeout", "60s", "--file", target, name],
         "dump_failed", "dumping the database", seconds, UNHARMED)


def restore(way: WayIn, major: int, source: str, database: str, owners: bool, jobs: int, seconds: float,
            which: Sequence[str] = (), superuser: bool = True) -> None:
    """Load a dump, or a part of it, into a database.

    A session of its own settings: nobody reads the database before the load is complete, and what ends it is written
    durably, so a commit need not wait for the disk.

    :param owners: give objects the owners and grants they had; else all are the superuser's for now.
    :param which: options that choose the part.
    :param superuser: whether it is loaded by one, who alone may have PostgreSQL speak English.
    :raises DomainError: ``load_failed``, and those of ``_run``.
    """
    kept = [] if owners else ["--no-owner", "--no-privileges"]
    settings = ["synchronous_commit=off", "maintenance_work_mem=256MB", "statement_timeout=0", "lock_timeout=0", *(["lc_messages=C"] if superuser else [])]
    _run([*prefix(0), "env", "PGOPTIONS=" + " ".join(f"-c {each}" for each in settings),
          program("pg_restore", major), *way.words(), "--dbname", database, "--jobs", str(jobs), "--exit-on-error", *NEVER, *kept, *which, source],
         "load_failed", "loading the dump", seconds, "What was loaded is removed")


def listed(source: str, major: int, seconds: float, nice: int = 0) -> str:
    """The dump's table of contents, a line each. :raises DomainError: ``dump_unreadable``, and those of ``_run``."""
    return _run([*prefix(nice), program("pg_restore", major), "--list", source], "dump_unreadable", "listing the dump", seconds, "")


def script(source: str, major: int, target: str, which: Sequence[str], seconds: float) -> None:
    """Write a part of the dump as SQL, without owners and grants. :raises DomainError: ``dump_unreadable``, and those of ``_run``."""
    _run([*prefix(0), program("pg_restore", major), "--no-owner", "--no-privileges", "--no-tablespaces", *NEVER, "--file", target, *which, source],
         "dump_unreadable", "reading the dump's schema", seconds, "")


def read_all(source: str, major: int, nice: int, seconds: float) -> int:
    """Read a dump as a restore would: its contents and every table's data. Returns how many entries it has.

    :raises DomainError: ``dump_unreadable``, and those of ``_run``.
    """
    lines = listed(source, major, seconds, nice).splitlines()
    _run([*prefix(nice), program("pg_restore", major), "--file", os.devnull, source], "dump_unreadable", "reading the dump", seconds, "")
    return sum(1 for line in lines if line and not line.startswith(";"))


def summary(directory: str) -> Dump:
    """What a dump's directory holds."""
    lines, total = [], 0
    for name in sorted(os.listdir(directory)):
        path = os.path.join(directory, name)
        digest = hashlib.sha256()
        with open(path, "rb") as stream:
            while True:
                block = stream.read(BLOCK)
                if not block:
                    break
                digest.update(block)
        size = os.path.getsize(path)
        total += size
        lines.append(f"{name} {size} {digest.hexdigest()}\n")
    return Dump(len(lines), total, "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest())


def _run(command: Sequence[str], code: str, what: str, seconds: float, unchanged: str) -> str:
    """:raises DomainError: ``code`` where the program says that something is wrong; else ``program_…``, which proves nothing about the dump."""
    try:
        done = ended(command, seconds=seconds)
    except ProgramMissing:
        raise DomainError("program_missing", f"{what}: {command[0]} is not on this machine", unchanged=unchanged, advice=SITE) from None
    except ProgramSlow:
        raise DomainError("program_slow", f"{what} took longer than {seconds:g} s", unchanged=unchanged,
                          advice="Give bounds.dump more seconds, or find out what keeps it") from None
    if not done.code:
        return done.output
    said = "; ".join([line for line in done.complaint.strip().splitlines() if line][:3])[:1000] or f"it ended with {done.code}"
    if done.code < 0:
        raise DomainError("program_killed", f"{what}: the program was ended by signal {-done.code}", unchanged=unchanged,
                          advice="Look whether the machine ran out of memory, then run the same command again")
    # Debian's pg_wrapper, which stands in for a program that is not there, begins like that; the programs themselves with their name.
    if done.code in NO_PROGRAM or said.startswith("Error: "):
        raise DomainError("program_missing", f"{what}: {said}", unchanged=unchanged, advice=SITE)
    if any(text in said for text in TOO_OLD):
        raise DomainError("program_too_old", f"{what}: {said}", unchanged=unchanged,
                          advice="Install PostgreSQL's programs of the dump's major version, or of a newer one")
    if any(text in said.lower() for text in NO_MEMORY):
        raise DomainError("program_killed", f"{what}: {said}", unchanged=unchanged, advice="Make memory free, then run the same command again")
    raise DomainError(code, f"{what}: {said}", unchanged=unchanged, advice="Mend that, then run the same command again")
