# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What restic says, in the versions that Debian has."""

from __future__ import annotations

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.repository import (
    LOCKED,
    NO_REPOSITORY,
    WRONG_KEY,
    Repository,
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
    repository = Repository(desired(params(
        repository__location="s3:https://h/bucket", repository__access_key="AK", repository__secret_key="SK")))
    command = " ".join(repository._command(["backup", "."], True))
    assert "not shown" not in command and "SK" not in command
    assert repository.environment["RESTIC_PASSWORD"] == "not shown" and repository.environment["AWS_SECRET_ACCESS_KEY"] == "SK"
