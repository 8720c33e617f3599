# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture: pin, lock for milliseconds, dump, store, and at the end the manifest, with which the point exists."""

from __future__ import annotations

import contextlib
import datetime
import os
import secrets
import shutil
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from .._instance.database import Database, DatabaseState
from .._kernel.errors import DomainError, known
from .._kernel.plan import Step
from . import notes
from .engines import dump
from .losses import Losses
from .making import made_in, make_repository
from .model import Desired, moment, utc_now
from .moment import ATTACHMENTS, Moment, checked, settings_of
from .pins import Broken, Kept, Pins
from .points import Points
from .remembered import Remembered
from .restic import UNHARMED, Restic

with contextlib.suppress(ImportError):  # Database says so
    import psycopg2

# Passes over what was written during the pass before, ahead of the lock, until little is left to pin under it.
PASSES, LITTLE = 5, 50
# Files that lie in a snapshot beside pins and dump: the list.
BESIDE = 1


class Capture:
    """Steps of a capture; ``close`` in any case. What a crash leaves in the work directory the next one uses or removes."""

    def __init__(self, wanted: Desired, database: Database, restic: Restic, points: Points, seen: DatabaseState) -> None:
        self.wanted, self.database, self.restic, self.points, self.seen = wanted, database, restic, points, seen
        self.context: dict[str, Any] = {}
        self.pins = Pins(wanted.filestore, wanted.work)
        self.tree = self.pins.tree
        self.dump = os.path.join(self.tree, "database")
        self.moment = Moment(database)
        self.id = f"{utc_now():%Y%m%dT%H%M%S}-{secrets.token_hex(4)}"
        self.started = time.monotonic()
        self.timings: dict[str, float] = {}
        self.kept = Kept()
        self.facts: dict[str, Any] = {}
        self.dumped: dump.Dump | None = None
        self.stored: dict[str, Any] = {}
        self.losses = Losses(wanted.state_directory)
        self.accepted: dict[str, dict[str, str]] = {}
        self.lost = Broken()

    def close(self) -> None:
        self.moment.close()
        shutil.rmtree(self.dump, ignore_errors=True)

    # -- steps ------------------------------------------------------------------------------------

    def do_probe(self, step: Step) -> dict[str, Any]:
        """:raises DomainError: ``store_lacks``."""
        self.points.store.probe()
        return {}

    def do_prepare(self, step: Step) -> dict[str, Any]:
        shutil.rmtree(self.dump, ignore_errors=True)
        os.makedirs(self.tree, mode=0o700, exist_ok=True)
        self.pins.prepare()
        self.points.signer.make_key()
        remembered = Remembered(self.wanted)
        if step.parameters["init"]:
            make_repository(self.restic, self.points.store)
        self.facts["repository"] = self.points.repository()
        if not self.facts["repository"]:
            raise _not_stored(f"the repository {self.restic.place} is not there")
        remembered.keep(self.facts["repository"], self.points.store.tried)
        shutil.rmtree(made_in(self.wanted), ignore_errors=True)
        return {}

    def do_pin(self, step: Step) -> dict[str, Any]:
        """Everything, without any lock; then what was written meanwhile, until that is little."""
        self.pins.begin()
        horizon = self.moment.horizon()
        for stored in checked(self.moment.referenced()):
            self.pins.link(stored)
        for _pass in range(PASSES):
            before, horizon = horizon, self.moment.horizon()
            new = [stored for stored in checked(self.moment.since(before)) if not self.pins.has(stored)]
            for stored in new:
                self.pins.link(stored)
            if len(new) <= LITTLE:
                break
        self.facts["horizon"] = horizon
        return {}

    def do_freeze(self, step: Step) -> dict[str, Any]:
        """:raises DomainError: ``attachments_locked``."""
        found, held = self.moment.freeze(self.facts["horizon"], self._pin_under_lock, self.wanted.params["bounds"]["lock"])
        self.timings["lock_held"] = round(held, 4)
        self.facts["moment"] = found
        return {}

    def _pin_under_lock(self, stored: str) -> None:
        # A name that is no file's is reported when the whole list is read.
        try:
            self.pins.link(stored)
        except OSError:
            return

    def _is_there(self, stored: str) -> bool:
        return os.path.lexists(os.path.join(self.wanted.filestore, stored))

    def _judge(self, broken: Broken) -> None:
        """What is lost goes into the point's manifest; what nobody accepted yet is told. One old picture takes no shop its backups.

        :raises DomainError: ``filestore_missing``.
        """
        lost = sorted({*broken.torn, *broken.missing})
        if lost and not os.path.isdir(self.wanted.filestore):
            raise DomainError(
                "filestore_missing", f"the filestore {self.wanted.filestore} is not there, though attachments name {len(lost)} files in it that no"
                " earlier capture has", unchanged="Nothing was captured; earlier recovery points are as they were", advice="Mount or restore it")
        params, known = self.wanted.params, self.losses.known()
        asked = set(lost) if params["accept_losses"] else set(params["accepted_losses"])
        now = {"who": params["requested_by"] or "unknown", "at": utc_now().isoformat(timespec="seconds"), "how": "accepted at a capture"}
        self.accepted = {name: known.get(name, now) for name in lost if name in known or name in asked}
        self.lost = Broken([name for name in broken.missing if name not in self.accepted], [name for name in broken.torn if name not in self.accepted])

    def _named(self, names: Sequence[str]) -> list[str]:
        """Attachments of these files; where the database does not say, the files: the point is taken, whatever becomes of its warning."""
        try:
            return ["{} ({})".format(row["id"], row["name"]) for row in self.moment.attachments(names)]
        except (psycopg2.Error, DomainError):
            return list(names[:ATTACHMENTS])

    def _loss_told(self) -> list[str]:
        if not self.lost:
            return []
        new = self.lost.torn + self.lost.missing
        parts = [f"{len(names)} {what}" for names, what in ((self.lost.torn, "torn or unreadable"), (self.lost.missing, "missing")) if names]
        named = ", ".join(self._named(new))
        more = " …" if len(new) > ATTACHMENTS else ""
        return [f"files of attachments are {' and '.join(parts)}, and the point was taken without them: attachments {named}{more}."
                " Bring the files back; or accept the losses, by accept_losses: true or by name in accepted_losses, and nobody is told again"]

    def _gone_told(self) -> list[str]:
        """Files that the shop lacks and its points have; the garbage collector takes what no row names any more."""
        named = self._named(self.kept.only_here) if self.kept.only_here else []
        return ["the filestore lacks files that this point has from an earlier capture, so the shop cannot serve them: attachments {}{}. A restore of this"
                " point has them".format(", ".join(named), " …" if len(named) == ATTACHMENTS else "")] if named else []

    def do_dump(self, step: Step) -> dict[str, Any]:
        """Dump the snapshot; what was pinned is read and proven meanwhile.

        :raises DomainError: ``filestore_missing``, ``attachment_elsewhere``, ``dump_failed``.
        """
        params = self.wanted.params
        with ThreadPoolExecutor(1) as aside:
            dumped = aside.submit(
                dump.dump, self.database.way, self.database.name, self.seen.settings["version"] // 10000, self.facts["moment"]["snapshot"], self.dump,
                params["jobs"], params["nice"], params["bounds"]["dump"])
            try:
                self._prove()
            except psycopg2.Error as error:
                raise DomainError("dump_failed", "dumping the database: {}".format(str(error).strip().splitlines()[0]), unchanged=UNHARMED,
                                  advice="Run the same command again") from error
        dumped.result()
        try:
            self.facts["notes"] = notes.take(self.database)
        except psycopg2.Error as error:
            raise DomainError("dump_failed", "noting what no dump carries: {}".format(str(error).strip().splitlines()[0]), unchanged=UNHARMED,
                              advice="Run the same command again") from error
        notes.write(self.dump, self.facts["notes"])
        self.moment.close()
        self.dumped = dump.summary(self.dump)
        return {}

    def _prove(self) -> None:
        """The pins become what the snapshot names, no more and no less, each one whole."""
        torn = frozenset(self.pins.prove())
        self.kept, broken = self.pins.settle(checked(self.moment.listed()), os.path.join(self.tree, "files.list"))
        broken.torn += [name for name in broken.missing if name in torn or self._is_there(name)]
        broken.missing = [name for name in broken.missing if name not in set(broken.torn)]
        self._judge(broken)
        self.facts["database"] = self.moment.describe()
        self.facts["settings"] = settings_of(self.database)

    def do_store(self, step: Step) -> dict[str, Any]:
        """:raises DomainError: ``not_stored`` where the repository's summary is not what was given to it."""
        dumped = known(self.dumped)
        size = os.path.getsize(os.path.join(self.tree, "files.list"))
        given = {"files": self.kept.count + dumped.files + BESIDE, "bytes": self.kept.bytes + dumped.bytes + size}
        summary = self.restic.backup(self.tree, ("sysgenpro", "point=" + self.id))
        snapshot = str(summary["snapshot_id"])
        if not self.points.holds_snapshot(snapshot):
            raise _not_stored(f"the snapshot {snapshot} that restic named is not in the repository, or not whole")
        found = {"files": summary["total_files_processed"], "bytes": summary["total_bytes_processed"]}
        if found != given:
            raise _not_stored("{files} files of {bytes} bytes were given, ".format(**given)
                              + "{files} of {bytes} are in the snapshot".format(**found))
        self.stored = {"snapshot": snapshot, "id": self.facts["repository"], "place": self.restic.place, "added": summary["data_added"]}
        return {}

    def do_record(self, step: Step) -> dict[str, Any]:
        """With the manifest the point exists."""
        manifest = self.manifest()
        locked = moment(manifest["locked_until"]) if manifest["locked_until"] else None
        digest = self.points.write_manifest(manifest, locked)
        self.pins.ended_well()
        self._remember()
        return {"point": self.id, "manifest": digest, "warnings": self._warnings(), "losses": {
            "accepted": self.accepted, "torn": self.lost.torn, "missing": self.lost.missing}}

    def _remember(self) -> None:
        """What is accepted from now on, and what is there again."""
        known = self.losses.known()
        if set(self.accepted) - set(known):
            self.losses.inherit(self.accepted)
        # Of one that no row names any more nothing can be said, so it is forgotten, too: if it comes back and is lost, that is another loss.
        self.losses.forget(set(known) - set(self.accepted))

    def _warnings(self) -> list[str]:
        """What an operator ought to know of a point that was taken."""
        lacking = ["no dump carries this, so a restore will lack it: " + text for text in notes.not_carried(self.facts["notes"])]
        return self._loss_told() + self._gone_told() + lacking

    # -- manifest ---------------------------------------------------------------------------------

    def manifest(self) -> dict[str, Any]:
        """All that is needed to rebuild the instance but the secrets, of which only the names are here."""
        params, database, found = self.wanted.params, self.facts["database"], self.facts["moment"]
        identity = self.seen.identity or {}
        dumped = known(self.dumped)
        days = params["repository"]["lock_days"] if params["repository"]["lock_mode"] else 0
        now = utc_now()
        locked = [now + datetime.timedelta(days=days)] if days else []
        if params["keep_until"]:
            locked.append(moment(params["keep_until"]))
        return {
            "id": self.id, "engine": "dump",
            "identity": {"instance": self.wanted.instance, "tenant": identity.get("tenant") or params["tenant"],
                         "environment": identity.get("environment") or params["environment"],
                         "data_class": identity.get("data_class") or params["data_class"]},
            "taken": {"at": found["at"], "since": found["since"], "horizon": found["horizon"], "written": now.isoformat(timespec="seconds"),
                      "who": params["requested_by"], "why": params["reason"]},
            "keep_until": params["keep_until"] or "", "locked_until": max(locked).isoformat() if locked else "",
            "release": dict(self.seen.applied) if self.seen.applied else None,
            "modules": {name: version for name, (_state, version) in self.seen.modules.items()},
            "languages": sorted(self.seen.languages),
            "postgresql": {"version": database["version"], "major": database["version_num"] // 10000, "lsn": found["lsn"],
                           "timeline": found["timeline"], "system": found["system"], "extensions": database["extensions"],
                           "notes": notes.told(self.facts["notes"])},
            "database": {**{key: database[key] for key in (
                "name", "owner", "bytes", "encoding", "collate", "ctype", "provider", "locale", "icu_rules", "connection_limit", "attachments")},
                **self.facts["settings"]},
            "roles": database["roles"] or [],
            "files": {"count": self.kept.count, "bytes": self.kept.bytes, "digest": self.kept.digest, "read": self.kept.read,
                      "accepted_losses": sorted({*self.accepted, *self.lost.torn, *self.lost.missing}), "losses": self.accepted},
            "dump": {"files": dumped.files, "bytes": dumped.bytes, "digest": dumped.digest,
                     "compression": dump.compression(database["version_num"] // 10000)},
            "repository": self.stored, "secrets": sorted(params["secret_names"]),
            "tools": {"pg_dump": dump.version_of("pg_dump", database["version_num"] // 10000), "restic": self.restic.version()},
            "signer": self.points.signer.public,
            "timings": {**self.timings, "total": round(time.monotonic() - self.started, 3)},
        }


def check_identity(wanted: Desired, seen: DatabaseState) -> None:
    """:raises DomainError: ``no_database``, ``foreign_data``, ``bad_input``."""
    if not seen.exists or not seen.odoo:
        raise DomainError("no_database", "{} is no database of Odoo's".format(wanted.params["database"]["name"]),
                          unchanged="Nothing was captured", advice="Release the instance first")
    identity: Mapping[str, str] = seen.identity or {}
    for field in ("instance", "tenant", "environment", "data_class"):
        asked = wanted.params[field]
        if identity.get(field) and asked and identity[field] != asked:
            raise DomainError("foreign_data", f"the database's {field} is {identity[field]}, asked for is {asked}",
                              unchanged="Nothing was captured", advice="Look at which instance the database belongs to")


def _not_stored(message: str) -> DomainError:
    return DomainError("not_stored", message, unchanged=UNHARMED, advice="Run the same command again")
