# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Verify: everything that was stored is read again and proven to be what the manifest says, and the schema makes a database."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tarfile
from collections.abc import Iterator
from typing import IO, Any

from .._instance.cluster import Cluster
from .._kernel.errors import DomainError, known
from .._kernel.plan import Step
from . import schema
from .engines import dump
from .model import Desired, Point
from .pins import BLOCK, sha1_of
from .points import Points
from .restic import Restic
from .space import MARGIN, check_space

# What proves that the point is bad, in contrast to a repository that was out of reach and a program that could not run.
PROVES_BAD = ("not_verified", "dump_unreadable")
_DUMP_FILE = re.compile(r"database/[A-Za-z0-9_.]+")


class Verify:
    """Steps of a verification."""

    def __init__(self, wanted: Desired, restic: Restic, points: Points, point: Point, cluster: Cluster | None = None) -> None:
        self.wanted, self.restic, self.points, self.point, self.cluster = wanted, restic, points, point, cluster
        self.context: dict[str, Any] = {}
        self.scratch = os.path.join(wanted.work, "verify")
        self.read: dict[str, Any] = {}

    def close(self) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)

    def do_read(self, step: Step) -> dict[str, Any]:
        """:raises DomainError: ``not_verified`` where it was read twice and is bad: what memory or a line flipped is right the second time."""
        try:
            self._read_files()
        except DomainError as error:
            if error.code not in PROVES_BAD:
                raise
            self._read_files()
        return {}

    def _read_files(self) -> None:
        """Stream the snapshot as one archive; of its files only one block is in memory."""
        manifest = self.point.manifest
        self.close()
        os.makedirs(os.path.join(self.scratch, "database"), mode=0o700)
        check_space({self.scratch: manifest["dump"]["bytes"] + MARGIN})
        snapshot = manifest["repository"]["snapshot"]
        self._check_repository(snapshot)
        try:
            self.restic.unlock()
            self._compare(self._stream(snapshot))
        except tarfile.TarError as error:
            raise self._judged(self._fail(f"what was stored cannot be read back: {error}")) from None
        except DomainError as error:
            raise self._judged(error) from None

    def _stream(self, snapshot: str) -> dict[str, Any]:
        found, digest = {"count": 0, "bytes": 0}, hashlib.sha256()
        with self.restic.stream(["dump", "--archive", "tar", snapshot, "/"], "reading back") as stream:
            for line, size in self._members(stream):
                if line:
                    digest.update(line)
                    found["count"] += 1
                    found["bytes"] += size
        return {**found, "digest": "sha256:" + digest.hexdigest()}

    def _check_repository(self, snapshot: str) -> None:
        """What restic needs before it reads anything: it would call a lost key a wrong password, and a lost config no repository."""
        if not self.points.repository():
            raise self._fail("the repository's config is gone")
        if not self.points.holds_key():
            raise self._fail("no key is in the repository, or none that is whole")
        if not self.points.holds_snapshot(snapshot):
            raise self._fail(f"its snapshot {snapshot[:12]} is not in the repository, or not whole")

    def _judged(self, error: DomainError) -> DomainError:
        """Whether the point is proven bad: where restic names content that is harmed or gone, or all came back and is not what it should be.

        Over a directory that it cannot load restic's dump crashes, or ends well and leaves out the rest, whatever the cause was: a check tells it.
        """
        if error.code == "not_verified" or error.details.get("harmed", False) is None:
            try:
                self.restic.check()
            except DomainError as cause:
                error = cause
        if error.details.get("harmed"):
            return self._fail(f"what was stored cannot be read back: {error.message}")
        return error

    def _members(self, stream: IO[bytes]) -> Iterator[tuple[bytes, int]]:
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                # A stream's archive keeps every member it saw; with many files that is much.
                archive.members = []  # type: ignore[attr-defined]
                if member.isdir():
                    continue
                content = archive.extractfile(member) if member.isfile() else None
                if content is None:
                    raise self._fail(f"{member.name} is no regular file")
                name = member.name.lstrip("/")
                if name.startswith("files/"):
                    stored = name[len("files/"):]
                    if sha1_of(content) != stored.rpartition("/")[2]:
                        raise self._fail(f"the content of {stored} is not what its name says")
                    yield f"{stored} {member.size}\n".encode(), member.size
                elif name == "files.list" or _DUMP_FILE.fullmatch(name):
                    self._extract(content, os.path.join(self.scratch, name))
                    yield b"", 0
                else:
                    raise self._fail(f"{name} does not belong into a recovery point")

    @staticmethod
    def _extract(content: IO[bytes], path: str) -> None:
        try:
            with open(path, "wb") as stream:
                shutil.copyfileobj(content, stream, BLOCK)
        except OSError as error:
            raise DomainError("no_space", f"{path} cannot be written: {error}", advice="Make room, then verify again") from error

    def _compare(self, found: dict[str, Any]) -> None:
        listed = {key: self.point.manifest["files"][key] for key in ("count", "bytes", "digest")}
        path = os.path.join(self.scratch, "files.list")
        if not os.path.exists(path):
            raise self._fail("the list of its files did not come back")
        with open(path, "rb") as stream:
            digest = hashlib.sha256()
            while True:
                block = stream.read(BLOCK)
                if not block:
                    break
                digest.update(block)
        if "sha256:" + digest.hexdigest() != listed["digest"]:
            raise self._fail("the stored list of files is not the one the manifest names")
        if found != listed:
            raise self._fail("the list names {} files of {} bytes, stored are {} of {}".format(
                listed["count"], listed["bytes"], found["count"], found["bytes"]))
        self.read = found

    def do_read_dump(self, step: Step) -> dict[str, Any]:
        """:raises DomainError: ``not_verified``, ``dump_unreadable``; also after it was brought back once more."""
        try:
            self._read_dump()
        except DomainError as error:
            if error.code not in PROVES_BAD:
                raise
            self._read_files()
            self._read_dump()
        return {}

    def _read_dump(self) -> None:
        manifest, directory = self.point.manifest, os.path.join(self.scratch, "database")
        seen = dump.summary(directory)
        if seen.digest != manifest["dump"]["digest"]:
            raise self._fail("the dump that was stored is not the one that was made")
        params = self.wanted.params
        self.read["entries"] = dump.read_all(directory, manifest["postgresql"]["major"], params["nice"], params["bounds"]["dump"])

    def do_load_schema(self, step: Step) -> dict[str, Any]:
        """:raises DomainError: ``not_verified``, ``schema_not_tried``."""
        params = self.wanted.params
        load = schema.SchemaLoad(known(self.cluster), self.wanted.instance, self.point.manifest,
                                 os.path.join(self.scratch, "database"), params["bounds"]["schema"])
        try:
            self.read["schema"] = load.run()
        except DomainError as error:
            if error.code != schema.PROVES:
                raise
            raise self._fail(error.message, **error.details) from None
        return {"result": {"schema": self.read["schema"]}}

    def do_note(self, step: Step) -> dict[str, Any]:
        self.read.setdefault("schema", {"outcome": "skipped", "why": self.wanted.params["reason"]})
        self.points.add_verification(self.point, "verified", {
            "who": self.wanted.params["requested_by"], "read": self.read, "reason": "", "signer": self.points.signer.public})
        return {"point": self.point.id}

    def note_failure(self, error: DomainError) -> None:
        """A point that was proven bad is never called verified again, whatever it was called before.

        Where that cannot be written down, the error says so and stays the one that it is. A store that lost even the manifest is
        one that is not mounted any more, not one in which this point went bad.
        """
        if error.code not in PROVES_BAD:
            return
        try:
            if not self.points.holds_manifest(self.point):
                raise DomainError("store_failed", "its manifest, which was there before, is not in the store any more")
            self.points.add_verification(self.point, "failed", {
                "who": self.wanted.params["requested_by"], "read": {}, "reason": error.message, "signer": self.points.signer.public})
        except Exception as further:  # whatever it is: the first error is the one to be told
            error.message += f"; that could not be written down: {further}"

    def _fail(self, reason: str, **details: Any) -> DomainError:
        return DomainError("not_verified", f"recovery point {self.point.id} is not what it should be: {reason}",
                           unchanged="Nothing was changed in the repository",
                           advice="Capture a new one, and find out what harmed this one", point=self.point.id, **details)
