# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Documents: signed by a real key, written once, believed only as they were written."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer, check_signers
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.store import LocalStore
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.points import Points, find

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
    found = {p.id: p for p in points.all()}
    assert {name: p.state for name, p in found.items()} == {ID: "verified", other: "captured"}, "it says nothing about the other one"
    assert found[other].ignored == [f"verification-000001.json: it is the verification of {ID}"]
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


def stranger(points: Points, tmp_path: Path) -> Points:
    """Another machine, which trusts this one and which this one does not know."""
    signer = Signer(str(tmp_path / "other"), [points.signer.public])
    signer.make_key()
    return Points(points.store, signer, "acme")


def test_what_an_unknown_signer_wrote_beside_it_says_nothing(points: Points, tmp_path: Path) -> None:
    points.write_manifest(manifest(), None)
    other = stranger(points, tmp_path)
    other.add_verification(other.all()[0], "verified", {})
    assert points.all()[0].state == "captured", "its verified is not believed"
    points.add_verification(points.all()[0], "verified", {})
    other.add_verification(other.all()[0], "failed", {})
    found = points.all()[0]
    assert found.state == "verified" and other.all()[0].state == "failed"
    assert [text.partition(":")[0] for text in found.ignored] == ["verification-000001.json", "verification-000003.json"]
    assert found.facts(utc_now_of(found))["ignored"] == found.ignored
    told = Points(points.store, Signer(points.signer.key, [other.signer.public]), "acme").all()[0]
    assert (told.state, told.ignored) == ("failed", [])


def utc_now_of(found: Any) -> Any:
    # Only what the manifest of this test has is looked at.
    found.manifest.update({"taken": {**found.manifest["taken"], "who": "", "why": ""}, "repository": {"snapshot": "", "added": 0}, "release": None,
                           "files": {"count": 0, "bytes": 0}, "dump": {"bytes": 0}, "database": {"bytes": 0}, "timings": {}})
    return found.taken


@pytest.mark.parametrize("name", ["verification-x.json", "verification-000001.json", "verification-.json", "verification", "hold-x.json"])
def test_stray_documents(points: Points, name: str) -> None:
    points.write_manifest(manifest(), None)
    path_of(points, name).write_text("{}")
    found = points.all()[0]
    assert found.state == "captured" and found.ignored == [f"{name}: it is no signed document"]
    points.add_verification(found, "verified", {})
    assert points.all()[0].state == "verified"
    points.remove(points.all()[0])
    assert points.all() == [] and not path_of(points).parent.exists()


def test_a_document_counts_only_under_the_name_it_was_written_as(points: Points) -> None:
    """A verification that was good once, copied behind the one that found the point bad."""
    points.write_manifest(manifest(), None)
    for outcome in ("verified", "failed"):
        points.add_verification(points.all()[0], outcome, {})
    path_of(points, "verification-000003.json").write_bytes(path_of(points, "verification-000001.json").read_bytes())
    assert points.all()[0].state == "failed"


def test_a_hold_of_an_unknown_signer_holds(points: Points, tmp_path: Path) -> None:
    points.write_manifest(manifest(), None)
    other = stranger(points, tmp_path)
    other.add_hold(other.all()[0], "2026-12-31T00:00:00+00:00", "audit", "jane")
    found = points.all()[0]
    assert found.hold == "" and [text.partition(":")[0] for text in found.strange_holds] == ["hold-000001.json"]


def test_more_than_a_million_documents(points: Points) -> None:
    """Numbers count, not letters."""
    points.write_manifest(manifest(), None)
    path_of(points, "verification-999999.json").write_text("{}")
    points.add_verification(points.all()[0], "verified", {})
    points.add_verification(points.all()[0], "failed", {})
    assert path_of(points, "verification-1000001.json").exists() and points.all()[0].state == "failed"


class Locks(LocalStore):
    """Notes until when each document was to be locked."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.until: dict[str, Any] = {}

    def create(self, name: str, content: bytes, until: Any) -> None:
        self.until[name.rpartition("/")[2]] = until and until.year
        super().create(name, content, until)


@pytest.mark.parametrize(("locked", "expected"), [("", None), ("2020-01-01T00:00:00+00:00", None), ("2098-01-01T00:00:00+00:00", 2098)])
def test_locked_as_long_as_the_point_and_never_until_a_moment_that_is_past(points: Points, locked: str, expected: int | None) -> None:
    """S3 refuses such a moment, and what proves an old point bad must be written."""
    assert isinstance(points.store, LocalStore)
    points.store = store = Locks(points.store.base)
    points.write_manifest({**manifest(), "locked_until": locked}, None)
    points.add_verification(points.all()[0], "failed", {})
    points.add_hold(points.all()[0], "2021-01-01T00:00:00+00:00", "", "")
    points.add_hold(points.all()[0], "2097-01-01T00:00:00+00:00", "", "")
    points.add_verification(points.all()[0], "verified", {})
    held = max(2097, expected or 0)
    assert store.until == {"manifest.json": None, "verification-000001.json": expected, "hold-000001.json": expected, "hold-000002.json": held,
                           "verification-000002.json": held}


def test_a_signature_that_could_not_be_checked_is_no_wrong_one(points: Points, monkeypatch: pytest.MonkeyPatch) -> None:
    points.write_manifest(manifest(), None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(DomainError) as error:
        points.all()
    assert error.value.code == "not_checked"


@pytest.mark.parametrize("where", ["points", "points/acme", f"points/acme/{ID}"])
def test_what_cannot_be_listed_is_not_empty(points: Points, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    """As a network file system that went stale: an expiry that believed it would remove everything."""
    points.write_manifest(manifest(), None)
    assert isinstance(points.store, LocalStore)
    place, real = os.path.join(points.store.base, where), os.scandir

    def stale(path: str) -> Any:
        if os.path.join(str(path), "").startswith(os.path.join(place, "")):
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), str(path))
        return real(path)
    monkeypatch.setattr(os, "scandir", stale)
    with pytest.raises(DomainError) as error:
        points.all()
    assert error.value.code == "store_failed" and "Stale" in error.value.message


def test_nothing_there_yet(points: Points) -> None:
    assert points.all() == []


def test_the_key_is_never_made_anew_where_it_is(tmp_path: Path) -> None:
    """Its public half can be derived; made anew, everything that it signed would be a stranger's."""
    signer = Signer(str(tmp_path / "key"))
    signer.make_key()
    public = signer.public
    (tmp_path / "key.pub").unlink()
    assert signer.public == public and not (tmp_path / "key.pub").exists(), "looking writes nothing"
    signer.make_key()
    assert signer.public == public and (tmp_path / "key.pub").stat().st_mode & 0o777 == 0o644
    (tmp_path / "key").write_text("torn")
    (tmp_path / "key.pub").unlink()
    with pytest.raises(DomainError) as error:
        signer.make_key()
    assert error.value.code == "no_key" and (tmp_path / "key").read_text() == "torn"


def test_a_key_that_was_being_made(tmp_path: Path) -> None:
    for name in ("key.new", "key.new.pub", "key.pub"):
        (tmp_path / name).write_text("left by a crash")
    signer = Signer(str(tmp_path / "key"))
    signer.make_key()
    assert signer.open(signer.seal({"a": 1})) == {"a": 1}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["key", "key.pub"] and (tmp_path / "key").stat().st_mode & 0o777 == 0o600


def test_removed(points: Points) -> None:
    points.write_manifest(manifest(), None)
    points.remove(points.all()[0])
    assert points.all() == [] and not path_of(points).parent.exists()


@pytest.mark.parametrize("key", ["", "ssh-ed25519", "x y", "ssh-ed25519 AAAA\nssh-ed25519 BBBB"])
def test_bad_signers(key: str) -> None:
    with pytest.raises(DomainError):
        check_signers([key])
