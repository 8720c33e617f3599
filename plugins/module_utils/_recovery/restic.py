# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""restic: one encrypted repository per tenant. Its exit code 0 is never believed alone."""

from __future__ import annotations

import json
import os
import re
import tarfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

from .._kernel.commands import ProgramMissing, ProgramSlow, ended, run_program, running
from .._kernel.errors import DomainError, known
from .._kernel.wait import Deadline
from .model import Desired

# Exit codes (restic documentation, "Exit codes"); before 0.17 all are 1 and the text tells.
NO_REPOSITORY, LOCKED, WRONG_KEY, INCOMPLETE = 10, 11, 12, 3
TEXTS = {"Is there a repository at the following location": NO_REPOSITORY, "wrong password or no key found": WRONG_KEY,
         "unable to create lock": LOCKED, "repository is already locked": LOCKED}
# What the shell's utilities that start restic end with where it is not there, or cannot be run (POSIX, "Exit Status for Commands").
NO_PROGRAM = (126, 127)
# What restic (0.14 to 0.18) says where an object of the repository is not what was stored, or is not there. Whatever else it says
# proves nothing about the content: it was killed, refused, or the store was out of reach.
DAMAGE = re.compile(
    r"ciphertext verification failed|is damaged: |config file has zero size|not found in (?:repository|index)|decompressing .* failed|"
    r"pack [0-9a-f]+: (?:does not exist|unexpected file size)|"
    r"<(?:data|index|snapshot|key|config)/?[0-9a-f]*>.*(?:invalid data returned|file is too short|no such file or directory|"
    r"specified key does not exist|returned invalid hash|range is not satisfiable|range cannot be satisfied|: (?:unexpected )?EOF$)")
# A harmed lock is no harm to what was stored, and an attempt that failed is followed by another.
_NO_DAMAGE = re.compile(r"<lock/|^Load\(<")
# What a program written in Go ends with where it crashes, as restic 0.18 does over a directory that it cannot load.
CRASHED = 2
# Seconds that a lock of somebody living is waited for.
LOCK_PATIENCE = 60
UNHARMED = "Earlier recovery points are as they were"


class Restic:
    """Calls of restic. Password and keys go by environment, never by command line.

    :param keys: those of pruning instead of the writer's.
    """

    def __init__(self, wanted: Desired, keys: Mapping[str, str] | None = None) -> None:
        settings = wanted.params["repository"]
        self.wanted = wanted
        base = settings["location"].rstrip("/")
        self.place = base + "/restic"
        self.cache = os.path.join(wanted.work, "cache")
        self.bounds = wanted.params.get("bounds") or {"call": 120, "transfer": 14400}
        self.limits = wanted.params.get("limits") or {}
        self.nice = wanted.params.get("nice", 10)
        keys = keys or settings
        self.environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "RESTIC_PASSWORD": settings["password"],
            "RESTIC_PROGRESS_FPS": "0.05"}
        if wanted.s3:
            self.environment.update(AWS_ACCESS_KEY_ID=keys["access_key"], AWS_SECRET_ACCESS_KEY=keys["secret_key"],
                                    AWS_DEFAULT_REGION=settings["region"])

    def _command(self, arguments: Sequence[str], cached: bool, place: str = "") -> list[str]:
        settings = self.wanted.params["repository"]
        further = ["--cacert", settings["ca_path"]] if settings.get("ca_path") else []
        for way, flag in (("upload", "--limit-upload"), ("download", "--limit-download")):
            if self.limits.get(way):
                further += [flag, str(self.limits[way])]
        cache = ["--cache-dir", self.cache] if cached else ["--no-cache"]
        return [*prefix(self.nice), "restic", "--repo", place or self.place, "--json", *cache, *further, *arguments]

    def run(self, arguments: Sequence[str], what: str, seconds: float | None = None, cached: bool = True,
            directory: str = "/") -> str:
        """What restic printed. A lock of somebody living is waited for, a stale one removed.

        :raises DomainError: ``no_repository``, ``wrong_key``, ``repository_locked``, ``repository_failed``.
        """
        deadline = Deadline(LOCK_PATIENCE)
        while True:
            code, out, errors = self._once(arguments, what, seconds or self.bounds["call"], cached, directory)
            if code == 0:
                return out
            if code != LOCKED or deadline.passed:
                raise failed(code, what, errors, self.place)
            self._once(["unlock"], "removing stale locks", self.bounds["call"], cached, "/")
            time.sleep(2)

    def _once(self, arguments: Sequence[str], what: str, seconds: float, cached: bool, directory: str,
              place: str = "") -> tuple[int, str, str]:
        try:
            done = ended(self._command(arguments, cached, place), environment=self.environment, seconds=seconds, directory=directory)
        except ProgramMissing:
            raise missing() from None
        except ProgramSlow:
            raise slow(what, seconds) from None
        if done.code in NO_PROGRAM:
            raise missing()
        return meaning(done.code, done.complaint), done.output, done.complaint or f"restic ended with {done.code}"

    @contextmanager
    def stream(self, arguments: Sequence[str], what: str) -> Iterator[IO[bytes]]:
        """What restic prints, as it comes; read from the store itself, since a copy in the cache proves nothing of what lies there.

        :raises DomainError: where it did not end well.
        """
        with open(os.path.join(self.wanted.work, "stream.err"), "w+b") as errors:
            with running(self._command(arguments, cached=False), errors, environment=self.environment) as process:
                output = known(process.stdout)
                late = threading.Timer(self.bounds["transfer"], process.kill)
                late.start()
                try:
                    try:
                        yield output
                        while output.read(1 << 16):
                            pass
                    except tarfile.TarError:
                        # The end came too early: why, restic says. Where it says nothing, the reader's error stands.
                        if not process.wait(self.bounds["call"]):
                            raise
                    code = process.wait(self.bounds["call"])
                    alive = late.is_alive()
                finally:
                    late.cancel()
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - 100_000))
            text = errors.read().decode(errors="replace")
        if code and not alive:
            raise slow(what, self.bounds["transfer"])
        if code in NO_PROGRAM:
            raise missing()
        if code:
            raise failed(meaning(code, text), what, text or f"restic ended with {code}", self.place)

    # -- calls ------------------------------------------------------------------------------------

    def init(self, place: str) -> None:
        """Make a repository in a directory of this machine."""
        what = "making the repository"
        code, _out, errors = self._once(["init"], what, self.bounds["call"], False, "/", place)
        if code:
            raise failed(code, what, errors, place)

    def version(self) -> str:
        """As ``0.18.0``."""
        words = run_program(["restic", "version"], "restic_missing", "asking restic for its version").split()
        return words[1] if len(words) > 1 else ""

    def unlock(self) -> None:
        """Remove locks whose holders are dead; others stay."""
        self.run(["unlock"], "removing stale locks")

    def backup(self, directory: str, tags: Sequence[str]) -> dict[str, Any]:
        """Store a directory; paths are kept relative to it. Returns restic's summary.

        ``--ignore-ctime``: a link made or removed changes ctime and nothing else.

        :raises DomainError: ``repository_failed``, also where restic left something out (exit code 3).
        """
        text = self.run(
            ["backup", "--host", self.wanted.instance, *(part for tag in tags for part in ("--tag", tag)), "--ignore-ctime",
             "--one-file-system", "."], "storing", self.bounds["transfer"], directory=directory)
        for line in reversed(text.splitlines()):
            if not line.startswith("{"):
                continue
            entry = json.loads(line)
            if entry.get("message_type") == "summary":
                # Before 0.17 restic gives the first letters only.
                if len(entry["snapshot_id"]) < 64:
                    entry["snapshot_id"] = next((s["id"] for s in self.snapshots() if s["id"].startswith(entry["snapshot_id"])), "")
                return dict(entry)
        raise failed(0, "storing", "restic printed no summary", self.place)

    def snapshots(self) -> list[dict[str, Any]]:
        """This instance's snapshots, as the repository has them. Writes nothing, not even into the cache."""
        found = json.loads(self.run(["snapshots", "--host", self.wanted.source, "--tag", "sysgenpro", "--no-lock"],
                                    "listing snapshots", cached=False) or "[]")
        return list(found or ())

    def check(self) -> None:
        """Load every directory of every snapshot, and look whether every pack is there. :raises DomainError: where one is not."""
        self.run(["check", "--no-lock"], "checking", self.bounds["transfer"], cached=False)

    def restore(self, snapshot: str, part: str, target: str) -> None:
        """Bring one directory of a snapshot to ``<target>/<part>``."""
        self.run(["restore", snapshot, "--include", "/" + part, "--target", target], f"restoring {part}", self.bounds["transfer"])

    def forget(self, snapshots: Sequence[str]) -> None:
        self.run(["forget", *snapshots], "forgetting snapshots", self.bounds["transfer"])

    def prune(self) -> None:
        self.run(["prune"], "pruning", self.bounds["transfer"])


def prefix(nice: int) -> list[str]:
    """What goes before a program: it ends with this module, and leaves the processors to who serves."""
    return ["setpriv", "--pdeathsig", "KILL", "nice", "-n", str(nice)]


def meaning(code: int, errors: str) -> int:
    """restic's exit code as from 0.17 on, told from the text where it is older."""
    if code == 1:
        return next((value for text, value in TEXTS.items() if text in errors), code)
    return code


def said_by(errors: str) -> list[str]:
    """The lines of what restic complained of, without JSON around them."""
    said = []
    for line in errors.strip().splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            said.append(line)
            continue
        error = entry.get("error") or {}
        text = entry.get("message") or (error.get("message") if isinstance(error, dict) else str(error)) or line
        said.append("{}: {}".format(entry["item"], text) if entry.get("item") else str(text).strip())
    return said


def complaint_of(errors: str) -> str:
    """The last things restic complained of."""
    return "; ".join(said_by(errors)[-3:]).replace("\n", " ")[:1000]


def missing() -> DomainError:
    return DomainError("restic_missing", "restic is not on this machine", unchanged=UNHARMED, advice="Run the site playbook for this machine")


def slow(what: str, seconds: float) -> DomainError:
    return DomainError("repository_slow", f"{what}: restic took longer than {seconds:g} s", unchanged=UNHARMED,
                       advice="Look at the way to the repository, then run the same command again")


def failed(code: int, what: str, errors: str, place: str) -> DomainError:
    """The error for how restic ended. ``harmed`` of its details: whether it names content that is harmed or gone; None where it crashed."""
    codes = {NO_REPOSITORY: "no_repository", LOCKED: "repository_locked", WRONG_KEY: "wrong_key"}
    advice = {
        NO_REPOSITORY: "Look whether the repository's place is mounted or reachable",
        LOCKED: "Wait for the other one to end; a dead one's lock goes after 30 minutes",
        WRONG_KEY: "Give the password that the repository was made with",
    }.get(code, "Mend that, then run the same command again")
    harm = [line for line in said_by(errors) if DAMAGE.search(line) and not _NO_DAMAGE.search(line)] if code > 0 and code not in codes else []
    complaint = harm[0][:1000] if harm else complaint_of(errors)
    return DomainError(codes.get(code, "repository_failed"), f"{what} in {place}: {complaint}", unchanged=UNHARMED, advice=advice,
                       harmed=None if code == CRASHED and not harm else bool(harm))
