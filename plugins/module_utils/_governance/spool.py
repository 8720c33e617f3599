# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A ledger's store that may be away, where the policy says ``ledger_away: spool``: what is written then waits here, signed and chained, until the store is
back.

To go on without the store takes knowing what is in it. So the newest entries are copied here whenever the store is asked for its names; their signatures and
links are verified as the store's own.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re

from .._documents.store import LocalStore, Store, store_failed
from .._kernel.errors import DomainError

NAME = re.compile(r"[0-9]{8}\.json")
# As many of the newest entries are copied: more than a release looks back at.
COPIED = 600


class StoreLeft(Exception):
    """The store went away between reading and writing: the entry has to say that it waits, so it is made anew."""


class Spool:
    """A ``Store`` of one instance's ledger in front of the one that may be away.

    :param directory: on the machine; below it lie ``waiting`` and ``copies``. :param lock: for how long an entry is locked that waited.
    :param settles: whether what waits is written as soon as the store answers, and done without it where it does not. An audit does neither: it looks at what
        is in the store, and at what waits for it.
    :ivar away: whether the store did not answer in this run. It is asked only once, since each time would cost a minute.
    """

    def __init__(self, store: Store, directory: str, lock: datetime.timedelta | None, settles: bool) -> None:
        self.store, self.lock, self.settles, self.away = store, lock, settles, False
        self.waits, self.copies = LocalStore(os.path.join(directory, "waiting")), LocalStore(os.path.join(directory, "copies"))

    @property
    def tried(self) -> str:
        return self.store.tried

    def probe(self) -> None:
        self.store.probe()

    def refuse_again(self, name: str, content: bytes) -> None:
        self.store.refuse_again(name, content)

    def names(self, prefix: str) -> list[str]:
        """:raises DomainError: ``ledger_forked``, ``store_failed``."""
        found: list[str] = []
        if not self.away:
            try:
                self._settle(prefix)
                found = self.store.names(prefix)
                self._keep_up(prefix, found)
            except DomainError as error:
                self._without(error)
        if self.away:
            # None before the newest copy is missing: each was read back to one that was believed. What is not copied cannot be read, and then nothing passes.
            last = max((int(os.path.basename(name)[:8]) for name in self.copies.names(prefix)), default=0)
            found = [f"{prefix}{number:08}.json" for number in range(1, last + 1)]
        return sorted({*found, *self.waits.names(prefix)})

    def read(self, name: str) -> bytes:
        waiting = _of(self.waits, name)
        if waiting is not None:
            return waiting
        if not self.away:
            try:
                return self.store.read(name)
            except DomainError as error:
                self._without(error)
        copied = _of(self.copies, name)
        if copied is None:
            raise store_failed(f"the store of the ledger does not answer, and this machine has no copy of {name}")
        return copied

    def digest(self, name: str) -> str | None:
        return hashlib.sha256(self.read(name)).hexdigest()

    def create(self, name: str, content: bytes, until: datetime.datetime | None) -> None:
        """:raises DomainError: ``document_exists``. :raises StoreLeft:"""
        if self.away:
            return self.waits.create(name, content, None)
        try:
            self.store.create(name, content, until)
        except DomainError as error:
            self._without(error)
            raise StoreLeft from error
        self._copy(name, content)

    def remove(self, name: str) -> None:
        raise AssertionError("an entry is never removed")

    def _without(self, error: DomainError) -> None:
        """Go on without the store, where it does not answer and this may; otherwise fail as it did."""
        if not self.settles or not error.details.get("away"):
            raise error
        self.away = True

    def _settle(self, prefix: str) -> None:
        """Write what waits, the oldest first. :raises DomainError: ``ledger_forked`` where the store has another entry in the place of one."""
        for name in self.waits.names(prefix) if self.settles else ():
            content = self.waits.read(name)
            until = datetime.datetime.now(datetime.timezone.utc) + self.lock if self.lock else None
            try:
                self.store.create(name, content, until)
            except DomainError as error:
                if error.code != "document_exists":
                    raise
                if self.store.read(name) != content:
                    raise DomainError(
                        "ledger_forked", f"{name} waits on this machine for the ledger's store, and that has another entry of this number by now",
                        unchanged="Nothing was changed", advice="Find out who wrote it. Keep what waits here as evidence, take it out of "
                        f"{self.waits.base}, and run the same command again") from None
            self._copy(name, content)
            self.waits.remove(name)

    def _keep_up(self, prefix: str, names: list[str]) -> None:
        """Copy the newest entries that are not here yet: how far back a release reads depends on what it finds."""
        if self.settles:
            there = set(self.copies.names(prefix))
            for name in names[-COPIED:]:
                if name not in there and NAME.fullmatch(name[len(prefix):]):
                    self._copy(name, self.store.read(name))

    def _copy(self, name: str, content: bytes) -> None:
        if _of(self.copies, name) is not None:
            return
        self.copies.create(name, content, None)
        number = int(os.path.basename(name)[:8])
        if number > COPIED:
            self.copies.remove(f"{os.path.dirname(name)}/{number - COPIED:08}.json")


def _of(store: LocalStore, name: str) -> bytes | None:
    try:
        return store.read(name)
    except FileNotFoundError:
        return None
