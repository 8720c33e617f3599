# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where governance lies: on a machine a directory that only root can write, in a cluster a Secret whose digest the namespace bears. What is there counts,
whatever a play or its variables say.

``policy.json``, ``allowed_signers``, ``calendars/*.ics`` and ``ledger.json``, which says where the ledger lies; ``keys.json`` has its keys where they are
apart.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .._documents.signing import Signer
from .._documents.store import Store, open_store
from .._instance.names import NAME
from .._kernel.errors import DomainError, bad_input
from .calendar import Calendar
from .ledger import Ledger
from .moments import utc_now
from .policy import Policy, parse
from .signers import LEDGER, Signers
from .spool import Spool

PLACE = "/etc/sysgenpro/governance"
# The machine's own: ``ledger_key``, and in ``heads`` the newest entries that were seen. Beside the chain, so that a store which was cut off is found out.
KEPT = "/var/lib/sysgenpro/governance"
STORE_KEYS = ("access_key", "secret_key")
FILES = ("policy.json", "allowed_signers", "ledger.json")


@dataclass(frozen=True)
class Governance:
    """What is put on a machine for all its instances, or into a namespace for its own.

    :param key: path of the private key that signs the ledger. :param kept: directory for what was seen.
    """

    policy: Policy
    signers: Signers
    calendar: Calendar
    clock: Callable[[], datetime.datetime]
    settings: Mapping[str, Any]
    key: str
    kept: str

    def signer(self, instance: str = "") -> Signer:
        """The key, for an instance's ledger; for none, to tell its public one."""
        return Signer(self.key, signs="the ledger", namespace=LEDGER.format(instance))

    def ledger(self, instance: str, settles: bool = True, own: bool = True) -> Ledger:
        """The ledger of an instance.

        :param settles: see ``Spool``. :param own: false for one elsewhere, whose ledger lies in the same store and is only read.
        """
        days = self.settings.get("lock_days") or 0
        lock = datetime.timedelta(days=days) if days else None
        store: Store = open_store(self.settings)
        if self.policy.spools and own:
            store = Spool(store, os.path.join(self.kept, "spool"), lock, settles)
        return Ledger(store, instance, self.signers, self.clock, writer=str(self.settings["writer"]),
                      signer=self.signer(instance), known=os.path.join(self.kept, "heads", instance + ".json"), lock=lock,
                      proven=os.path.join(self.kept, "store_proven"))


def found(directory: str = PLACE, kept: str = KEPT, clock: Callable[[], datetime.datetime] = utc_now, owner: int = 0) -> Governance | None:
    """What is there; None where the machine is not governed.

    :param owner: who must own all of it.
    :raises DomainError: ``governance_unsafe``, ``governance_incomplete``, ``bad_input``.
    """
    if not os.path.lexists(directory):
        return None
    _check_owned(directory, owner)
    texts = {name: _read(os.path.join(directory, name), owner) for name in FILES}
    return assembled(texts, dict(_calendars(os.path.join(directory, "calendars"), owner)), {}, os.path.join(kept, "ledger_key"), kept, clock)


def assembled(texts: Mapping[str, str], calendars: Mapping[str, str], keys: Mapping[str, str], key: str, kept: str,
              clock: Callable[[], datetime.datetime]) -> Governance:
    """Governance from its texts. :param keys: of the ledger's store, where they are apart. :raises DomainError: ``governance_incomplete``, ``bad_input``."""
    signers = Signers(texts["allowed_signers"])
    policy = parse(json_of("policy.json", texts["policy.json"]), signers, clock())
    settings = _settings(json_of("ledger.json", texts["ledger.json"]), keys)
    return Governance(policy, signers, Calendar(calendars), clock, settings, key, kept)


def fingerprint(texts: Mapping[str, str]) -> str:
    """Of files by name, as ``sha256sum`` tells it: the SHA-256 of its lines in the order of their names. The role ``governance`` makes it the same way."""
    lines = (f"{hashlib.sha256(text.encode()).hexdigest()}  {name}\n" for name, text in sorted(texts.items()))
    return "sha256:" + hashlib.sha256("".join(lines).encode()).hexdigest()


def _calendars(directory: str, owner: int) -> Iterator[tuple[str, str]]:
    if os.path.isdir(directory):
        _check_owned(directory, owner)
        for name in sorted(os.listdir(directory)):
            if name.endswith(".ics"):
                yield name, _read(os.path.join(directory, name), owner)


def _read(path: str, owner: int) -> str:
    try:
        _check_owned(path, owner)
        with open(path, encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        raise DomainError("governance_incomplete", f"{path} is not there, and the machine is governed", unchanged="Nothing was changed",
                          advice="Run the playbook governance for this machine; as long as a part is missing, nothing passes") from None


def _check_owned(path: str, owner: int) -> None:
    """:raises DomainError: ``governance_unsafe`` where somebody else could have written it."""
    about = os.lstat(path)
    wrong = "it is a link" if stat.S_ISLNK(about.st_mode) else f"it belongs to user {about.st_uid}" if about.st_uid != owner else \
        "others may write it" if about.st_mode & 0o022 else ""
    if wrong:
        raise DomainError("governance_unsafe", f"{path} cannot be believed: {wrong}, expected a file that only user {owner} can write",
                          unchanged="Nothing was changed", advice="Run the playbook governance for this machine, and find out who changed it")


def json_of(name: str, text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise bad_input(name, str(error), "JSON, as the role governance writes it") from None


def _settings(value: Any, keys: Mapping[str, str]) -> Mapping[str, Any]:
    if not isinstance(value, dict) or not value.get("location") or not value.get("writer"):
        raise DomainError("governance_incomplete", "ledger.json has no location or no writer", unchanged="Nothing was changed",
                          advice="Run the playbook governance for this machine")
    return {"region": "us-east-1", **{name: keys[name] for name in STORE_KEYS if name in keys}, **value}


def check_instance(name: str) -> str:
    """:raises DomainError: ``bad_input``."""
    if not NAME.fullmatch(name):
        raise bad_input("instance", name, "the name of an instance")
    return name
