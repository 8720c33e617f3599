# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic says, in the versions that Debian has."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.restic import (
    LOCKED,
    NO_REPOSITORY,
    WRONG_KEY,
    Restic,
    complaint_of,
    failed,
    meaning,
)
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.recovery.samples import params


@pytest.mark.parametrize(("code", "text", "expected"), [
    (12, '{"message_type":"exit_error","code":12,"message":"Fatal: wrong password or no key found"}', WRONG_KEY),
    (1, "Fatal: wrong password or no key found", WRONG_KEY),
    (10, '{"message_type":"exit_error","code":10,"message":"Fatal: repository does not exist"}', NO_REPOSITORY),
    (1, "Fatal: unable to open config file: stat x\nIs there a repository at the following location?\nx", NO_REPOSITORY),
    (1, "unable to create lock in backend: repository is already locked exclusively by PID 7", LOCKED),
    (3, "", 3), (1, "anything", 1), (0, "", 0),
])
def test_meaning(code: int, text: str, expected: int) -> None:
    assert meaning(code, text) == expected


@pytest.mark.parametrize(("text", "expected"), [
    ('{"message_type":"exit_error","code":12,"message":"Fatal: wrong password"}', "Fatal: wrong password"),
    ('{"message_type":"error","error":{"message":"read failed"},"during":"archival","item":"/x"}', "/x: read failed"),
    ('{"message_type":"error","error":{},"during":"archival"}\nplain', '{"message_type":"error","error":{},"during":"archival"}; plain'),
    ("", ""),
])
def test_complaint(text: str, expected: str) -> None:
    assert complaint_of(text) == expected


def test_codes() -> None:
    assert failed(WRONG_KEY, "x", "y", "z").code == "wrong_key" and failed(1, "x", "y", "z").code == "repository_failed"


def test_secrets_go_by_environment() -> None:
    repository = Restic(desired(params(
        repository__location="s3:https://h/bucket", repository__access_key="AK", repository__secret_key="SK")))
    command = " ".join(repository._command(["backup", "."], True))
    assert "not shown" not in command and "SK" not in command
    assert repository.environment["RESTIC_PASSWORD"] == "not shown" and repository.environment["AWS_SECRET_ACCESS_KEY"] == "SK"


def played(repository: Restic, place: Path, script: str) -> None:
    """A restic that notes how it was called, then does what the script says."""
    for name in ("setpriv", "nice", "sh"):
        (place / name).symlink_to(f"/usr/bin/{name}")
    if script:
        (place / "restic").write_text(f"#!/bin/sh\necho \"$@\" > {place}/called\n{script}\n")
        (place / "restic").chmod(0o755)
    repository.environment["PATH"] = str(place)
    Path(repository.wanted.work).mkdir(parents=True)


@pytest.fixture
def repository(tmp_path: Path) -> Restic:
    return Restic(desired(params(root=str(tmp_path / "root"))))


def test_what_proves_is_read_from_the_store(repository: Restic, tmp_path: Path) -> None:
    """A copy in the cache says nothing of what lies in the store."""
    played(repository, tmp_path, "echo '[]'")
    with repository.stream(["dump", "x", "/"], "reading") as stream:
        assert stream.read() == b"[]\n"
    assert "--no-cache" in (tmp_path / "called").read_text()


def test_looking_at_snapshots_writes_nothing(repository: Restic, tmp_path: Path) -> None:
    played(repository, tmp_path, "echo '[]'")
    assert repository.snapshots() == [] and "--no-cache" in (tmp_path / "called").read_text()


@pytest.mark.parametrize(("script", "code", "harmed"), [
    ("", "restic_missing", None), ("kill -9 $$", "repository_failed", False),
    ("echo 'LoadRaw(<index/cc503c8842>): invalid data returned' >&2; exit 1", "repository_failed", True),
    ("echo 'Load(<data/cc503c8842>): no such file or directory' >&2; kill -9 $$", "repository_failed", False),
    ("echo 'Fatal: wrong password or no key found' >&2; exit 1", "wrong_key", False)])
def test_how_restic_ended(repository: Restic, tmp_path: Path, script: str, code: str, harmed: bool | None) -> None:
    played(repository, tmp_path, script)
    with pytest.raises(DomainError) as called:
        repository.snapshots()
    with pytest.raises(DomainError) as streamed, repository.stream(["dump", "x", "/"], "reading"):
        pass
    for error in (called.value, streamed.value):
        assert (error.code, error.details.get("harmed")) == (code, harmed)
