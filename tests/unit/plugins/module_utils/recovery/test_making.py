# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A repository is made in one piece: wherever making it ends, the next attempt brings the same key, and the config comes last."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.store import LocalStore
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.making import CONFIG, made_in, make_repository
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.model import desired
from ansible_collections.sysgenpro.odoo.plugins.module_utils._recovery.restic import Restic
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.recovery.samples import params


class Killed(BaseException):
    """As if the process ended here."""


class Store(LocalStore):
    """Ends before or after the creation of so many objects; ``guarded`` refuses to delete, as S3 does with a writer's key."""

    def __init__(self, base: str) -> None:
        super().__init__(base)
        self.ends: tuple[int, str] = (-1, "")
        self.created: list[str] = []
        self.guarded = False

    def create(self, name: str, content: bytes, until: Any) -> None:
        if self.ends == (len(self.created), "before"):
            raise Killed
        super().create(name, content, until)
        self.created.append(name)
        if self.ends == (len(self.created) - 1, "after"):
            raise Killed

    def remove(self, name: str) -> None:
        if self.guarded:
            raise DomainError("store_failed", "AccessDenied")
        super().remove(name)


class Played(Restic):
    """restic's ``init``: key, then config, each time others; ``ends`` kills it in between."""

    ends = False

    def init(self, place: str) -> None:
        assert not os.path.exists(place)
        key = os.urandom(16)
        os.makedirs(os.path.join(place, "keys"))
        Path(place, "keys", hashlib.sha256(key).hexdigest()).write_bytes(key)
        if self.ends:
            raise Killed
        Path(place, "config").write_bytes(key + b"'s config")


class Rig:
    def __init__(self, place: Path) -> None:
        wanted = desired(params(root=str(place / "root"), repository__location=str(place / "store")))
        os.makedirs(wanted.work)
        self.restic, self.store = Played(wanted), Store(str(place / "store"))
        self.made_in = Path(made_in(wanted))

    def make(self) -> None:
        make_repository(self.restic, self.store)

    def is_whole(self) -> bool:
        """One key, and the config that it belongs to."""
        (key,) = self.store.names("restic/keys/")
        return self.store.read(CONFIG) == self.store.read(key) + b"'s config" and self.store.names("restic/") == sorted([CONFIG, key])


@pytest.fixture
def rig(tmp_path: Path) -> Rig:
    return Rig(tmp_path)


def test_made(rig: Rig) -> None:
    rig.make()
    assert rig.is_whole() and rig.store.created[-1] == CONFIG


@pytest.mark.parametrize("ends", [(0, "before"), (0, "after"), (1, "before"), (1, "after")])
@pytest.mark.parametrize("guarded", [False, True])
def test_ended_while_it_was_brought(rig: Rig, ends: tuple[int, str], guarded: bool) -> None:
    rig.store.ends, rig.store.guarded = ends, guarded
    with pytest.raises(Killed):
        rig.make()
    if ends == (1, "after"):
        assert rig.is_whole(), "it is there, and nobody makes it again"
        return
    rig.store.ends = (-1, "")
    rig.make()
    assert rig.is_whole()


def test_ended_while_it_was_made(rig: Rig) -> None:
    rig.restic.ends = True
    with pytest.raises(Killed):
        rig.make()
    rig.restic.ends = False
    rig.make()
    assert rig.is_whole()


def test_what_was_made_for_another_place_is_not_brought_here(rig: Rig, tmp_path: Path) -> None:
    """No two repositories share a key."""
    rig.store.ends = (1, "before")
    with pytest.raises(Killed):
        rig.make()
    other = Store(str(tmp_path / "other"))
    make_repository(rig.restic, other)
    assert not set(other.names("restic/keys/")) & set(rig.store.names("restic/keys/"))


def test_a_key_that_another_attempt_left(rig: Rig) -> None:
    """As restic itself leaves it where it is killed; it would be tried on the new repository."""
    rig.store.create("restic/keys/" + "0" * 64, b"left", None)
    rig.store.guarded = True
    with pytest.raises(DomainError) as error:
        rig.make()
    assert error.value.code == "repository_half_made" and "0" * 64 in error.value.message and "pruning key" in error.value.advice
    assert rig.store.digest(CONFIG) is None
    rig.store.guarded = False
    rig.make()
    assert rig.is_whole()


@pytest.mark.parametrize("name", ["restic/data/00/00ab", "restic/snapshots/00ab", "restic/index/00ab"])
def test_a_repository_that_lost_its_config_is_not_made_anew(rig: Rig, name: str) -> None:
    for each in (name, "restic/keys/" + "0" * 64):
        rig.store.create(each, b"x", None)
    with pytest.raises(DomainError) as error:
        rig.make()
    assert error.value.code == "repository_damaged" and name in error.value.message
    assert rig.store.names("restic/") == sorted([name, "restic/keys/" + "0" * 64])
