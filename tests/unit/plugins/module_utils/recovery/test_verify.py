# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What proves a point bad, and what proves nothing: restic and PostgreSQL's programs are played, documents and signatures are real."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.store import LocalStore
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.plan import Step
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.engines import dump
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import Desired, Point, desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.points import Points
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.restic import failed
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.verify import Verify
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.recovery.samples import params

ID = "20261121T101500-0a1b2c3d"
INSTANCE = "acme-production"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def packed(members: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in members.items():
            entry = tarfile.TarInfo("/" + name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return made.getvalue()


class Checked:
    """What a check says."""

    def __init__(self, said: DomainError) -> None:
        self.said = said


class Played:
    """What restic would give back, one after the other; the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers = [answer for answer in answers if not isinstance(answer, Checked)]
        self.checked = next((answer.said for answer in answers if isinstance(answer, Checked)), None)
        self.asked = 0

    def unlock(self) -> None:
        """There is no lock."""

    def check(self) -> None:
        if self.checked:
            raise self.checked

    @contextmanager
    def stream(self, _arguments: Any, _what: str) -> Iterator[IO[bytes]]:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        yield io.BytesIO(answer)


class Rig:
    """A store with one point and whole restic objects beside it, and a ``pg_restore`` that says what it is told."""

    def __init__(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = place / "store"
        self.wanted: Desired = desired(params(root=str(place), state="verified", bounds__dump=20, repository__location=str(self.store)))
        os.makedirs(self.wanted.work)
        os.makedirs(self.wanted.state_directory)
        signer = Signer(str(place / "key"))
        signer.make_key()
        self.points = Points(LocalStore(str(self.store)), signer, INSTANCE)
        self.objects = {"config": b"config", "snapshots/" + sha256(b"snapshot"): b"snapshot", "keys/" + sha256(b"key"): b"key"}
        for name, content in self.objects.items():
            path = self.store / "restic" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        stored = hashlib.sha1(b"content", usedforsecurity=False).hexdigest()
        listed = f"{stored[:2]}/{stored} 7\n".encode()
        self.members = {f"files/{stored[:2]}/{stored}": b"content", "files.list": listed, "database/toc.dat": b"PGDMP"}
        self.good = packed(self.members)
        line = f"toc.dat 5 {sha256(b'PGDMP')}\n".encode()
        self.points.write_manifest({
            "id": ID, "identity": {"instance": INSTANCE}, "taken": {"at": "2026-11-21T10:15:00+00:00"}, "keep_until": "", "locked_until": "",
            "files": {"count": 1, "bytes": 7, "digest": "sha256:" + sha256(listed)}, "dump": {"bytes": 5, "digest": "sha256:" + sha256(line)},
            "postgresql": {"major": 17, "system": "7", "timeline": 1, "lsn": "0/1"},
            "repository": {"snapshot": sha256(b"snapshot"), "id": sha256(b"config")}}, None)
        self.bin = place / "bin"
        self.bin.mkdir()
        monkeypatch.setattr(dump, "PROGRAMS", str(self.bin))
        self.pg_restore("exit 0")

    def pg_restore(self, script: str) -> None:
        path = self.bin / "pg_restore"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)

    @property
    def point(self) -> Point:
        return self.points.all()[0]

    def verify(self, *answers: Any) -> DomainError | None:
        """As the operation does it. Returns how it failed."""
        handlers = Verify(self.wanted, Played(*(answers or (self.good,))), self.points, self.point)  # type: ignore[arg-type]
        step = Step("", "")
        try:
            for name in ("read", "read_dump", "note"):
                getattr(handlers, "do_" + name)(step)
        except DomainError as error:
            handlers.note_failure(error)
            return error
        finally:
            handlers.close()
        return None


@pytest.fixture
def rig(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rig:
    return Rig(tmp_path, monkeypatch)


def restic(code: int, said: str) -> DomainError:
    return failed(code, "reading back", said, "/place")


def test_good(rig: Rig) -> None:
    assert rig.verify() is None and rig.point.state == "verified"


@pytest.mark.parametrize("said", [
    "Fatal: cannot dump file: decrypting blob <data/cf6938ea> from 760aa0cd failed: ciphertext verification failed",
    "Fatal: cannot dump file: ReadFull(<data/760aa0cd9e>): file is too short",
    "cannot dump file: ReadFull(<data/760aa0cd9e>): unexpected EOF",
    "Fatal: cannot dump file: ReadFull(<data/760aa0cd9e>): open /r/data/76/760aa0cd9e: no such file or directory",
    "Fatal: cannot dump file: ReadFull(<data/760aa0cd9e>): The specified key does not exist.",
    "LoadRaw(<index/cc503c8842>): invalid data returned",
    'Fatal: loading tree for snapshot "f2404" failed: id 5fb9c5d6 not found in repository',
    "Fatal: config or key 53f41b5a is damaged: ciphertext verification failed", "config file has zero size, invalid repository?",
])
def test_restic_names_what_is_harmed(rig: Rig, said: str) -> None:
    error = rig.verify(restic(1, said))
    assert error and error.code == "not_verified" and rig.point.state == "failed"


@pytest.mark.parametrize(("code", "said"), [
    (-9, "restic ended with -9"), (-9, "Load(<data/91420ad81c>, 300050, 0) returned error, retrying after 3 s: no such file or directory"),
    (1, "Fatal: unable to open config file: Stat: Access Denied."), (1, "Load(<data/91420ad81c>): Access Denied"),
    (1, "Fatal: Get \"https://h/b/\": dial tcp: connection refused"), (1, "Load(<data/91420ad81c>, 0, 0): read: connection reset by peer"),
    (1, "LoadRaw(<lock/53f41b5aac>): invalid data returned"), (1, "write /stdout: no space left on device"),
    (1, "open /tmp/restic-temp-1: no such file or directory"), (11, "repository is already locked"), (12, "wrong password or no key found"),
    (1, "panic: runtime error"),
])
def test_what_restic_says_of_other_things_proves_nothing(rig: Rig, code: int, said: str) -> None:
    error = rig.verify(restic(code, said))
    assert error and error.code != "not_verified" and rig.point.state == "captured"


def test_read_once_more_before_it_is_called_bad(rig: Rig) -> None:
    """What memory or a line flipped is right the second time."""
    torn = packed({**rig.members, next(iter(rig.members)): b"cOntent"})
    assert rig.verify(torn, rig.good) is None and rig.point.state == "verified"
    cut = restic(1, "ReadFull(<data/760aa0cd9e>): file is too short")
    assert rig.verify(cut, rig.good) is None and rig.point.state == "verified"
    other = packed({**rig.members, "database/toc.dat": b"pGDMP"})
    assert rig.verify(other, rig.good) is None and rig.point.state == "verified"
    for bad in (torn, other, rig.good[:600]):
        error = rig.verify(bad)
        assert error and error.code == "not_verified" and rig.point.state == "failed"


def test_a_directory_that_cannot_be_loaded(rig: Rig) -> None:
    """restic 0.18 crashes, or ends well and leaves out the rest, whatever the cause: only a check tells one from the other."""
    rest = packed({"database/toc.dat": b"PGDMP"})[:1024]
    crash = restic(2, "panic: runtime error: invalid memory address or nil pointer dereference\ngoroutine 14 [running]:\nx\ny")
    denied = Checked(restic(1, "error for tree 1cc86562:\n  ReadFull(<data/42c909f4c6>): Access Denied\nFatal: repository contains errors"))
    for came in (rest, crash):
        error = rig.verify(came, denied)
        assert error and error.code == "repository_failed" and "Access Denied" in error.message and rig.point.state == "captured"
    error = rig.verify(crash)
    assert error and error.code == "repository_failed" and rig.point.state == "captured"
    for harm in ("  decrypting blob <tree/1cc86562> from 42c909f4 failed: ciphertext verification failed", "pack 42c909f4: does not exist"):
        for came in (rest, crash):
            error = rig.verify(came, Checked(restic(1, f"{harm}\nhint\nhint\nhint\nFatal: repository contains errors")))
            assert error and error.code == "not_verified" and harm.strip() in error.message and rig.point.state == "failed"


def flip(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"?")


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(("which", "harm"), [
    ("config", Path.unlink), ("snapshots", flip), ("snapshots", cut), ("snapshots", Path.unlink), ("keys", flip), ("keys", cut), ("keys", Path.unlink)])
def test_what_restic_opens_the_repository_with(rig: Rig, which: str, harm: Callable[[Path], None]) -> None:
    """restic calls a lost key a wrong password; here each is looked at before."""
    harm(rig.store / "restic" / next(name for name in rig.objects if name.startswith(which)))
    error = rig.verify()
    assert error and error.code == "not_verified" and rig.point.state == "failed"


def test_a_config_that_restic_opens_is_good(rig: Rig) -> None:
    """As after a change to another version of the repository's format."""
    (rig.store / "restic/config").write_bytes(b"another")
    assert rig.verify() is None and rig.point.state == "verified"


@pytest.mark.parametrize(("script", "code"), [
    ("echo 'pg_restore: error: unsupported version (1.16) in file header' >&2; exit 1", "program_too_old"),
    ("echo 'pg_restore: error: could not read from input file: this build does not support compression with zstd' >&2; exit 1", "program_too_old"),
    ("kill -9 $$", "program_killed"), ("echo 'pg_restore: error: out of memory' >&2; exit 1", "program_killed"),
    ("exec sleep 60", "program_slow"), ("exec /nowhere/pg_restore", "program_missing"),
    ("echo 'Error: pg_wrapper: pg_restore was not found in /usr/lib/postgresql/17/bin' >&2; exit 1", "program_missing"),
])
def test_a_program_that_could_not_run_proves_nothing(rig: Rig, script: str, code: str) -> None:
    if code == "program_slow":
        rig.wanted.params["bounds"]["dump"] = 1
    rig.pg_restore(script)
    error = rig.verify()
    assert error and error.code == code and rig.point.state == "captured"


def test_no_program_at_all(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    (rig.bin / "pg_restore").unlink()
    for name in ("setpriv", "nice", "ssh-keygen"):
        (rig.bin / name).symlink_to(f"/usr/bin/{name}")
    monkeypatch.setenv("PATH", str(rig.bin))
    error = rig.verify()
    assert error and error.code == "program_missing" and rig.point.state == "captured"


def test_dump_that_cannot_be_read(rig: Rig) -> None:
    rig.pg_restore("echo 'pg_restore: error: corrupt tar header' >&2; exit 1")
    error = rig.verify()
    assert error and error.code == "dump_unreadable" and rig.point.state == "failed"


def test_the_first_error_is_told_where_it_cannot_be_written_down(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_given: Any) -> None:
        raise DomainError("store_failed", "AccessDenied")
    monkeypatch.setattr(LocalStore, "create", refuse)
    error = rig.verify(restic(1, "LoadRaw(<index/cc503c8842>): invalid data returned"))
    assert error and error.code == "not_verified" and "invalid data" in error.message and "AccessDenied" in error.message


def test_a_store_that_is_not_mounted_any_more_proves_nothing(rig: Rig) -> None:
    handlers = Verify(rig.wanted, Played(), rig.points, rig.point)  # type: ignore[arg-type]
    away = rig.store.rename(str(rig.store) + ".away")
    with pytest.raises(DomainError) as found:
        handlers.do_read(Step("", ""))
    handlers.note_failure(found.value)
    assert not rig.store.exists() and "not in the store any more" in found.value.message
    away.rename(rig.store)
    assert rig.point.state == "captured"
