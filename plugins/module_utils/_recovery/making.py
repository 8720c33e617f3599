# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Making a repository so that a crash half-way does no harm: whole on this machine first, then brought into the store, its config last.

restic makes one in its place, the key before the config. Where that ends in between, restic 0.18 refuses the place from then on, 0.14 puts a
second key there that opens nothing, and a writer in S3 cannot delete either.
"""

from __future__ import annotations

import hashlib
import os
import shutil

from .._documents.store import Store
from .._kernel.errors import DomainError
from .model import Desired
from .restic import Restic

PLACE, KEYS, LOCKS, CONFIG = "restic/", "restic/keys/", "restic/locks/", "restic/config"


def made_in(wanted: Desired) -> str:
    """Where the repository is made; it stays until its config is in the store, so that the next attempt brings the same key."""
    return os.path.join(wanted.work, "new-repository")


def make_repository(restic: Restic, store: Store) -> None:
    """Bring a new repository into the store, where there is none, or go on with what an earlier attempt began.

    :raises DomainError: ``repository_damaged``, ``repository_half_made``, and those of restic and the store.
    """
    place = made_in(restic.wanted)
    there = store.names(PLACE)
    keys = {name for name in there if name.startswith(KEYS)}
    data = [name for name in there if not name.startswith((KEYS, LOCKS)) and name != CONFIG]
    if data:
        raise DomainError(
            "repository_damaged", f"{restic.place} has no config, but {len(data)} objects that belong to a repository, as {data[0]}",
            unchanged="Nothing was changed", advice="Bring its config back, from an older version of the object or a copy; or give another place")
    made = _objects(place)
    if not keys.intersection(made):
        shutil.rmtree(place, ignore_errors=True)
        restic.init(place)
        made = _objects(place)
    _clear(store, sorted(keys.difference(made)), restic.place)
    for name, content in made.items():
        if store.digest(name) != hashlib.sha256(content).hexdigest():
            store.create(name, content, None)


def _objects(place: str) -> dict[str, bytes]:
    """What makes up a new repository, the config last; empty where none was made whole."""
    config = os.path.join(place, "config")
    if not os.path.exists(config):
        return {}
    paths = {KEYS + name: os.path.join(place, "keys", name) for name in os.listdir(os.path.join(place, "keys"))}
    made = {}
    for name, path in (*paths.items(), (CONFIG, config)):
        with open(path, "rb") as stream:
            made[name] = stream.read()
    return made


def _clear(store: Store, strange: list[str], place: str) -> None:
    """Take away keys without a repository: with the same password restic would try them on the new one."""
    try:
        for name in strange:
            store.remove(name)
    except DomainError as error:
        raise DomainError(
            "repository_half_made", "{} has no config, but keys that another attempt left, which this key may not delete: {}".format(
                place, ", ".join(strange)), unchanged="Nothing was captured",
            advice="Delete these objects with the pruning key, then run the same command again") from error
