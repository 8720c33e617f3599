# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An instance's ledger: one hash chain of signed entries, each a file that is written once.

``ledger/<instance>/00000001.json`` and on. An entry names the SHA-256 of the file before it, so an entry vouches for all that went before. That none is
missing at the end only a checkpoint tells, which lies elsewhere: it names the newest entry that somebody saw.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._documents.signing import Signer
from .._documents.store import Store
from .._kernel.errors import DomainError
from .._kernel.files import read_text, replace_file
from .moments import read, written
from .signers import LEDGER, Signers
from .spool import Spool, StoreLeft
from .statements import ENTRY, MOST, opened, sealed, statement

FIRST = "sha256:" + "0" * 64
NAME = re.compile(r"([0-9]{8})\.json")
# How often an entry is tried again whose number another writer took.
TRIES = 20
# Seconds by which the clocks of two writers may differ.
SKEW = datetime.timedelta(seconds=60)
KINDS = ("gate", "release", "decision", "evidence")


@dataclass(frozen=True)
class Entry:
    """One entry.

    :param digest: SHA-256 of its file. :param previous: of the file before it.
    :param body: what it is about, by its kind. :param spooled: whether it waited on its machine, since the store was away.
    """

    sequence: int
    digest: str
    previous: str
    at: datetime.datetime
    kind: str
    writer: str
    body: Mapping[str, Any]
    spooled: bool = False

    def as_dict(self) -> dict[str, Any]:
        return {"sequence": self.sequence, "digest": self.digest, "at": written(self.at), "kind": self.kind, "writer": self.writer, "body": dict(self.body)}


@dataclass(frozen=True)
class Head:
    """The newest entry that was seen. :param signers: digest of the list by which all up to it were verified; empty where they were not."""

    sequence: int = 0
    digest: str = FIRST
    signers: str = ""

    def as_dict(self) -> dict[str, Any]:
        return {"sequence": self.sequence, "digest": self.digest, **({"signers": self.signers} if self.signers else {})}


def away(store: Store) -> bool:
    """Whether entries wait here for their store, in this run."""
    return isinstance(store, Spool) and store.away


def file_digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def parse(content: bytes, instance: str, sequence: int, signers: Signers, verified: bool = True) -> Entry:
    """An entry whose signature, instance and number are right.

    :param verified: whether to verify the signature, which costs a process; without, whoever asks knows by its digest that it was.

    :raises ValueError: why it cannot be believed.
    """
    if len(content) > MOST:
        raise ValueError("it is too large for an entry")
    try:
        envelope = json.loads(content)
    except ValueError:
        raise ValueError("it is no signed in-toto statement") from None
    found = opened(envelope)
    value = found.predicate
    try:
        entry = Entry(int(value["sequence"]), file_digest(content), str(value["previous"]), read("at", value["at"]), str(value["kind"]),
                      str(value["writer"]), value["body"], value.get("spooled") is True)
    except (KeyError, TypeError, ValueError, DomainError):
        raise ValueError("it is no entry of a ledger") from None
    if found.kind != ENTRY or entry.kind not in KINDS or not isinstance(entry.body, dict):
        raise ValueError("it is no entry of a ledger")
    if value.get("instance") != instance:
        raise ValueError("it is an entry of {}".format(value.get("instance")))
    if entry.sequence != sequence:
        raise ValueError(f"it was written as number {entry.sequence}")
    if not signers.may_write(entry.writer, instance, entry.at):
        raise ValueError(f"no key of {entry.writer} may write into the ledger of {instance}, or not at {written(entry.at)}")
    if verified:
        signers.verify(found.encoding, found.signature, entry.writer, LEDGER.format(instance), entry.at)
    return entry


class Ledger:
    """The chain of one instance in a store.

    :param writer: the name that the machine's key has in the list of signers.
    :param signer: the machine's key; None where nothing is to be written.
    :param known: file on the machine that keeps the newest entry seen; None keeps nothing.
    :param lock: for how long an entry is locked in a store that locks; nothing for not at all.
    :param proven: file on the machine that keeps which store was seen to refuse a second writer of a name; None does not ask for it.
    """

    def __init__(self, store: Store, instance: str, signers: Signers, clock: Callable[[], datetime.datetime], *, writer: str = "",
                 signer: Signer | None = None, known: str | None = None, lock: datetime.timedelta | None = None,
                 proven: str | None = None) -> None:
        self.store, self.instance, self.signers, self.clock = store, instance, signers, clock
        self.writer, self.signer, self.known, self.lock, self.proven = writer, signer, known, lock, proven
        # What was read and believed by this process; nobody writes an entry anew while it looks.
        self._believed: dict[int, Entry] = {}

    # -- reading ----------------------------------------------------------------------------------

    def name(self, sequence: int) -> str:
        return f"ledger/{self.instance}/{sequence:08}.json"

    def numbers(self) -> list[int]:
        """The numbers of the entries there are. :raises DomainError: ``store_failed``."""
        found = [NAME.fullmatch(name.rpartition("/")[2]) for name in self.store.names(f"ledger/{self.instance}/")]
        return sorted(int(match.group(1)) for match in found if match)

    def waiting(self) -> list[int]:
        """The numbers of the entries that wait on this machine for their store."""
        names = self.store.waits.names(f"ledger/{self.instance}/") if isinstance(self.store, Spool) else []
        return [int(match.group(1)) for name in names if (match := NAME.fullmatch(name.rpartition("/")[2]))]

    def content(self, sequence: int) -> bytes:
        """:raises DomainError: ``store_failed``; ``ledger_broken`` where there is none."""
        try:
            return self.store.read(self.name(sequence))
        except FileNotFoundError:
            raise self.broken(sequence, "it is missing") from None
        except OSError as error:
            raise DomainError("store_failed", f"entry {sequence} of the ledger of {self.instance} cannot be read: {error}", unchanged="Nothing was changed",
                              advice="Mend that, then run the same command again") from error

    def entry(self, sequence: int) -> Entry:
        """:raises DomainError: ``ledger_broken``, ``store_failed``."""
        if sequence not in self._believed:
            try:
                self._believed[sequence] = parse(self.content(sequence), self.instance, sequence, self.signers)
            except ValueError as error:
                raise self.broken(sequence, str(error)) from None
        return self._believed[sequence]

    def newest_first(self) -> Iterator[Entry]:
        """Entries from the newest on, each believed, and none that was seen before missing.

        Whoever stops early has read as far as that: the links lead on.

        :raises DomainError: ``ledger_broken``, ``store_failed``.
        """
        numbers = self.numbers()
        known, newest = self.remembered(), numbers[-1] if numbers else 0
        if newest < known.sequence:
            raise self.broken(newest + 1, f"it is missing, and this machine saw {known.sequence} entries")
        missing = sorted(set(range(1, newest + 1)).difference(numbers))
        if missing:
            raise self.broken(missing[0], "it is missing")
        after: Entry | None = None
        for sequence in range(newest, 0, -1):
            entry = self.entry(sequence)
            if after and after.previous != entry.digest:
                raise self.broken(sequence, f"it is not the one that entry {after.sequence} names")
            if after and after.at < entry.at:
                raise self.broken(after.sequence, "it is dated before the entry before it")
            if sequence == known.sequence and known.digest != entry.digest:
                raise self.broken(sequence, "this machine saw another one there: the chain was forked or written anew")
            yield entry
            after = entry
        if after and after.previous != FIRST:
            raise self.broken(1, "it names an entry before it")

    def newest(self) -> Entry | None:
        """The newest entry, believed and compared with the one that was remembered; None where there is none."""
        known = self.remembered().sequence
        newest: Entry | None = None
        for entry in self.newest_first():
            newest = newest or entry
            if entry.sequence <= known or not known:
                break
        return newest

    def broken(self, sequence: int, why: str) -> DomainError:
        return DomainError("ledger_broken", f"entry {sequence} of the ledger of {self.instance} cannot be believed: {why}", unchanged="Nothing was changed",
                           advice="Run the playbook audit, and find out who changed the store", sequence=sequence)

    # -- what was seen ----------------------------------------------------------------------------

    def remembered(self) -> Head:
        text = read_text(self.known) if self.known else None
        if text is None:
            return Head()
        try:
            value = json.loads(text)
            return Head(int(value["sequence"]), str(value["digest"]))
        except (ValueError, KeyError, TypeError):
            raise DomainError("ledger_broken", f"{self.known} is not what was written there, so nobody knows how long the ledger of {self.instance} is",
                              unchanged="Nothing was changed",
                              advice="Put it back from a backup of the machine; its content is the newest entry's number and digest") from None

    def remember(self, head: Head) -> None:
        if self.known:
            os.makedirs(os.path.dirname(self.known), mode=0o700, exist_ok=True)
            replace_file(self.known, (json.dumps(head.as_dict()) + "\n").encode())

    # -- writing ----------------------------------------------------------------------------------

    def append(self, kind: str, subject: Mapping[str, str], body: Mapping[str, Any]) -> Entry:
        """Write the next entry. Where another writer takes its number, it becomes the one after that.

        :raises DomainError: ``store_failed``, ``ledger_broken``, ``ledger_busy``, ``clock_behind``.
        """
        if self.signer is None:
            raise AssertionError("a ledger without a key is only read")
        for _attempt in range(TRIES):
            newest = self.newest()
            head = Head(newest.sequence, newest.digest) if newest else Head()
            at = self._moment_after(newest)
            value = statement(ENTRY, subject, {"instance": self.instance, "sequence": head.sequence + 1, "previous": head.digest, "at": written(at),
                                               "kind": kind, "writer": self.writer, "body": dict(body), **({"spooled": True} if away(self.store) else {})})
            content = (json.dumps(sealed(value, self.signer.sign), indent=0) + "\n").encode()
            entry = self._own(content, head.sequence + 1)
            try:
                self.store.create(self.name(entry.sequence), content, at + self.lock if self.lock else None)
            except StoreLeft:
                continue
            except DomainError as error:
                if error.code != "document_exists":
                    raise
                continue
            if file_digest(self.content(entry.sequence)) != entry.digest:
                raise self.broken(entry.sequence, "it reads otherwise than it was just written: the store lets one writer take the place of another")
            self.remember(Head(entry.sequence, entry.digest))
            self._prove(entry.sequence, content)
            return entry
        raise DomainError("ledger_busy", f"others write to the ledger of {self.instance} all the time", unchanged="Nothing was changed",
                          advice="Run the same command again")

    def _prove(self, sequence: int, content: bytes) -> None:
        """Once for a store: that it refuses a second writer of a name. One that does not would let two at once fork the chain.

        :raises DomainError: ``store_lacks``, ``store_failed``.
        """
        if not self.proven or not self.store.tried or away(self.store) or read_text(self.proven) == self.store.tried:
            return
        self.store.refuse_again(self.name(sequence), content)
        replace_file(self.proven, self.store.tried.encode())

    def _own(self, content: bytes, sequence: int) -> Entry:
        """What is about to be written, as every reader will judge it."""
        try:
            return parse(content, self.instance, sequence, self.signers)
        except ValueError as error:
            raise DomainError("ledger_key_unknown", f"an entry that this machine signs as {self.writer} would not be believed: {error}",
                              unchanged="Nothing was changed", advice="Run the playbook governance for this machine, which puts its key there") from None

    def _moment_after(self, newest: Entry | None) -> datetime.datetime:
        """Now, and never before the entry before it. :raises DomainError: ``clock_behind``."""
        now = self.clock().replace(microsecond=0)
        if newest is None:
            return now
        if now < newest.at - SKEW:
            raise DomainError("clock_behind", f"the clock of this machine says {written(now)}, and the newest entry of the ledger is of {written(newest.at)}",
                              unchanged="Nothing was changed", advice="Set the machine's clock right; a ledger only goes forward")
        return max(now, newest.at)
