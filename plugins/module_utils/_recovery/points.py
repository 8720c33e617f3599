# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The documents of an instance's recovery points: manifest, verifications, holds. Append-only, each one signed."""

from __future__ import annotations

import datetime
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from .._documents.signing import Signer
from .._documents.store import Store
from .._kernel.errors import DomainError
from .model import FORMAT, POINT, Point, moment, utc_now

MANIFEST = "manifest.json"
_NUMBERED = re.compile(r"(verification|hold)-([0-9]{6,})\.json")


class Points:
    """Recovery points of one instance in a store."""

    def __init__(self, store: Store, signer: Signer, instance: str) -> None:
        self.store, self.signer, self.instance = store, signer, instance

    def _name(self, point: str, document: str) -> str:
        return f"points/{self.instance}/{point}/{document}"

    def all(self) -> list[Point]:
        """Every point, the newest first; what cannot be trusted is there too and says why.

        :raises DomainError: ``store_failed``.
        """
        documents: dict[str, list[str]] = {}
        for name in self.store.names(f"points/{self.instance}/"):
            _points, _instance, point, document = (*name.split("/", 3), "", "", "")[:4]
            if POINT.fullmatch(point):
                documents.setdefault(point, []).append(document)
        return newest_first([self._read(point, sorted(names)) for point, names in documents.items()])

    def _read(self, point: str, names: list[str]) -> Point:
        """Whether a point is trusted is a matter of its manifest alone: anybody who may write into the store can put something beside it."""
        try:
            if MANIFEST not in names:
                raise ValueError("its manifest is not there")
            manifest = self._document(point, MANIFEST, "manifest")
            if manifest["identity"]["instance"] != self.instance:
                raise ValueError("its manifest is that of {}".format(manifest["identity"]["instance"]))
        except (ValueError, KeyError, OSError) as error:
            return Point(point, {}, problem=str(error) or type(error).__name__, documents=names)
        found: dict[str, list[dict[str, Any]]] = {"verification": [], "hold": []}
        ignored = []
        for name in sorted((name for name in names if _kind(name) in found), key=_number):
            try:
                found[_kind(name)].append(self._document(point, name, _kind(name)))
            except (ValueError, KeyError, OSError) as error:
                ignored.append(str(error) if isinstance(error, ValueError) else f"{name}: it cannot be read")
        until = [moment(text) for text in [manifest["keep_until"], *(hold["until"] for hold in found["hold"])] if text]
        return Point(point, manifest, found["verification"][-1] if found["verification"] else None,
                     max(until).isoformat() if until else "", "", names, ignored)

    def _document(self, point: str, name: str, kind: str) -> dict[str, Any]:
        try:
            found = self.signer.open(self.store.read(self._name(point, name)))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
        if (found.get("format"), found.get("kind"), found.get("id")) != (FORMAT, kind, point):
            raise ValueError(f"{name}: it is the {found.get('kind')} of {found.get('id')}")
        if found.get("document", name) != name:
            raise ValueError(f"{name}: it was written as {found['document']}")
        return found

    def repository(self) -> str | None:
        """The SHA-256 of the repository's ``config``, which no two repositories share; None where there is none. Costs no key."""
        return self.store.digest("restic/config")

    def holds_snapshot(self, snapshot: str) -> bool:
        """Whether the snapshot is there and whole: restic names it by the SHA-256 of its content."""
        return self.store.digest("restic/snapshots/" + snapshot) == snapshot

    def holds_key(self) -> bool:
        """Whether a key that opens the repository is there and whole."""
        return any(self.store.digest(name) == name.rpartition("/")[2] for name in self.store.names("restic/keys/"))

    def holds_manifest(self, point: Point) -> bool:
        return self.store.digest(self._name(point.id, MANIFEST)) is not None

    # -- writing ----------------------------------------------------------------------------------

    def write_manifest(self, manifest: Mapping[str, Any], locked_until: datetime.datetime | None) -> str:
        """Write the manifest; with it the point exists. Returns the SHA-256 of the document."""
        sealed = self.signer.seal({"format": FORMAT, "kind": "manifest", **manifest})
        self.store.create(self._name(manifest["id"], MANIFEST), sealed, locked_until)
        if self.store.read(self._name(manifest["id"], MANIFEST)) != sealed:
            raise DomainError("store_failed", "the manifest just written reads otherwise", advice="Look at the store")
        return hashlib.sha256(sealed).hexdigest()

    def add_verification(self, point: Point, outcome: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        """Say how a verification ended: ``verified`` or ``failed``."""
        return self._add(point, "verification", {"outcome": outcome, **facts})

    def add_hold(self, point: Point, until: str, why: str, who: str) -> dict[str, Any]:
        return self._add(point, "hold", {"until": until, "why": why, "who": who})

    def _add(self, point: Point, kind: str, facts: Mapping[str, Any]) -> dict[str, Any]:
        name = "{}-{:06}.json".format(kind, 1 + max((_number(name) for name in point.documents if _kind(name) == kind), default=0))
        payload = {"format": FORMAT, "kind": kind, "id": point.id, "document": name, "at": utc_now().isoformat(timespec="seconds"), **facts}
        self.store.create(self._name(point.id, name), self.signer.seal(payload), _locked_until(point, facts.get("until", "")))
        return payload

    def remove(self, point: Point) -> None:
        """The manifest goes last: until then the point is there and removing it goes on."""
        for name in sorted(point.documents, key=lambda name: name == MANIFEST):
            self.store.remove(self._name(point.id, name))


def _kind(name: str) -> str:
    return name.partition("-")[0]


def _number(name: str) -> int:
    """The place of a document among those of its kind; 0 where its name is none that this module gives."""
    found = _NUMBERED.fullmatch(name)
    return int(found.group(2)) if found else 0


def _locked_until(point: Point, until: str) -> datetime.datetime | None:
    """Until when a further document of a point is locked: as long as the point, or the hold that it is. None where that is past.

    S3 refuses to lock until a moment that is past, and what proves a point bad must be written whatever its age.
    """
    moments = [moment(text) for text in (point.manifest["locked_until"], point.hold, until) if text]
    latest = max(moments, default=None)
    return latest if latest and latest > utc_now() else None


def newest_first(points: Sequence[Point]) -> list[Point]:
    """In the order in which they were taken, whatever the clock said: within one cluster's timeline the position in the log tells.

    A point cannot be later than one that lies behind it in the log, so the earlier of the two clocks counts.
    """
    earliest: dict[tuple[Any, Any], datetime.datetime] = {}
    keys: dict[str, tuple[datetime.datetime, int, str]] = {}
    for point in sorted(points, key=lambda point: point.position, reverse=True):
        taken = point.taken
        if point.history:
            taken = earliest[point.history] = min(taken, earliest.get(point.history, taken))
        keys[point.id] = (taken, point.position, point.id)
    return sorted(points, key=lambda point: keys[point.id], reverse=True)


def find(points: list[Point], wanted: str, instance: str) -> Point:
    """The point of an id, the newest, or the newest verified.

    :raises DomainError: ``unknown_point``, ``untrusted_point``.
    """
    if wanted == "latest":
        found = next((point for point in points if not point.problem), None)
    elif wanted == "latest_verified":
        found = next((point for point in points if point.state == "verified"), None)
    else:
        found = next((point for point in points if point.id == wanted), None)
    if found is None:
        raise DomainError(
            "unknown_point", f"{instance} has no recovery point {wanted}: it never existed, has expired, or is another instance's",
            unchanged="Nothing was changed", advice="pg_recovery_point_info lists those there are",
            points=[point.id for point in points])
    if found.problem:
        raise DomainError("untrusted_point", f"recovery point {found.id} of {instance} cannot be trusted: {found.problem}",
                          unchanged="Nothing was changed", advice="Use another point, and find out who changed this one")
    return found
