# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents: signed by a real key, written once, believed only as they were written."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.points import Points, find
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.signing import Signer, check_signers
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.store import LocalStore

ID = "20261121T101500-0a1b2c3d"


def manifest(point: str = ID, instance: str = "acme") -> dict[str, Any]:
    return {"id": point, "identity": {"instance": instance}, "taken": {"at": "2026-11-21T10:15:00+00:00"}, "keep_until": "", "locked_until": "",
            "note": "Größe"}


@pytest.fixture
def points(tmp_path: Path) -> Points:
    signer = Signer(str(tmp_path / "key"))
    signer.make_key()
    return Points(LocalStore(str(tmp_path / "store")), signer, "acme")


def path_of(points: Points, document: str = "manifest.json", point: str = ID) -> Path:
    assert isinstance(points.store, LocalStore)
    return Path(points.store.base, "points", points.instance, point, document)


def test_written_and_read(points: Points) -> None:
    points.write_manifest(manifest(), None)
    found = points.all()[0]
    assert (found.id, found.state, found.manifest["note"]) == (ID, "captured", "Größe")
    assert os.stat(path_of(points)).st_mode & 0o777 == 0o400
    points.add_verification(found, "verified", {})
    assert points.all()[0].state == "verified"
    points.add_verification(points.all()[0], "failed", {})
    assert points.all()[0].state == "failed", "the last one counts"
    points.add_hold(points.all()[0], "2026-12-31T00:00:00+00:00", "audit", "jane")
    assert points.all()[0].hold.startswith("2026-12-31")


def test_written_once(points: Points) -> None:
    points.write_manifest(manifest(), None)
    with pytest.raises(DomainError) as error:
        points.write_manifest(manifest(), None)
    assert error.value.code == "document_exists"
    assert not list(path_of(points).parent.glob("*.tmp"))


def tamper_text(path: Path) -> None:
    path.write_text(path.read_text().replace("10:15", "11:15"))


def tamper_signature(path: Path) -> None:
    value = json.loads(path.read_text())
    path.write_text(json.dumps({**value, "signature": ""}))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize("harm", [tamper_text, tamper_signature, cut, lambda path: path.write_text("[]"), lambda path: path.write_bytes(b"\xff\x00"),
                                  lambda path: path.unlink()])
def test_harmed_manifest(points: Points, harm: Any) -> None:
    points.write_manifest(manifest(), None)
    points.add_verification(points.all()[0], "verified", {})
    os.chmod(path_of(points), 0o600)
    harm(path_of(points))
    found = points.all()
    assert [p.state for p in found] == ["untrusted"] and found[0].problem
    with pytest.raises(DomainError) as error:
        find(found, ID, "acme")
    assert error.value.code == "untrusted_point"


def test_documents_cannot_be_put_elsewhere(points: Points) -> None:
    other = "20261121T111500-0a1b2c3d"
    points.write_manifest(manifest(), None)
    points.write_manifest(manifest(other), None)
    points.add_verification(find(points.all(), ID, "acme"), "verified", {})
    moved = path_of(points, "verification-000001.json", other)
    moved.write_bytes(path_of(points, "verification-000001.json").read_bytes())
    assert {p.id: p.state for p in points.all()} == {ID: "verified", other: "untrusted"}
    strange = Points(points.store, points.signer, "bodega")
    path_of(strange).parent.mkdir(parents=True)
    path_of(strange).write_bytes(path_of(points).read_bytes())
    assert "manifest is that of acme" in strange.all()[0].problem


def test_another_machine(points: Points, tmp_path: Path) -> None:
    points.write_manifest(manifest(), None)
    stranger = Signer(str(tmp_path / "other"))
    assert "trusted_signers" in Points(points.store, stranger, "acme").all()[0].problem
    stranger.make_key()
    assert Points(points.store, stranger, "acme").all()[0].state == "untrusted"
    told = Signer(str(tmp_path / "other"), [points.signer.public])
    assert Points(points.store, told, "acme").all()[0].state == "captured"


def test_removed(points: Points) -> None:
    points.write_manifest(manifest(), None)
    points.remove(points.all()[0])
    assert points.all() == [] and not path_of(points).parent.exists()


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "x y", "ssh-ed25519 AAAA\nssh-ed25519 BBBB"])
def test_bad_signers(key: str) -> None:
    with pytest.raises(DomainError):
        check_signers([key])
