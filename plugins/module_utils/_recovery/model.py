# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator asks for and what a recovery point is: typed, checked values."""

from __future__ import annotations

import datetime
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._instance.directories import Directories
from .._instance.names import DATABASE, DATABASE_SAID, NAME, NAME_SAID, POSTGRESQL_NAME, POSTGRESQL_NAME_SAID
from .._kernel.errors import DomainError, known

POINT = re.compile(r"[0-9]{8}T[0-9]{6}-[0-9a-f]{8}")
# Odoo names a file after the SHA-1 of its content, in a directory of its first letters (ir_attachment.py, _get_path).
STORED = re.compile(r"[0-9a-f]{2,3}/[0-9a-f]{40}")
NEWEST = ("latest", "latest_verified")
FORMAT = "sysgenpro-recovery-point/1"
# The least that makes sense, by parameter.
LEAST = {"max_age": 0, "jobs": 1, "nice": 0, "limits.upload": 0, "limits.download": 0, "bounds.lock": 1, "bounds.call": 1,
         "bounds.transfer": 1, "bounds.dump": 1, "bounds.schema": 1, "repository.lock_days": 0}


@dataclass(frozen=True)
class Desired(Directories):
    """What is asked for. ``params`` holds secrets: it stays out of plans, digests and ``repr``."""

    instance: str
    state: str
    params: Mapping[str, Any]

    def __repr__(self) -> str:
        return f"Desired({self.instance!r}, {self.state!r})"

    @property
    def work(self) -> str:
        """Where pins, dump and restic's cache lie: the instance's, root's only, on the filestore's file system."""
        return os.path.join(self.directory, "recovery")

    @property
    def source(self) -> str:
        """Whose recovery points are meant."""
        return str(self.params.get("source") or self.instance)

    @property
    def s3(self) -> bool:
        return str(self.params["repository"]["location"]).startswith("s3:")


@dataclass(frozen=True)
class Point:
    """A recovery point as the documents beside the repository tell it.

    :param problem: why it cannot be trusted; empty where manifest and signatures are right.
    :param verification: the newest document of a verification; None where never tried.
    :param hold: until when it may not be removed, ISO 8601; empty where it may.
    :param ignored: documents beside the manifest that cannot be believed, each with why; they say nothing about the point.
    """

    id: str
    manifest: Mapping[str, Any]
    verification: Mapping[str, Any] | None = None
    hold: str = ""
    problem: str = ""
    documents: Sequence[str] = ()
    ignored: Sequence[str] = ()

    @property
    def strange_holds(self) -> list[str]:
        """Holds that cannot be believed. They hold all the same: a point removed by mistake does not come back."""
        return [text for text in self.ignored if text.startswith("hold-")]

    @property
    def taken(self) -> datetime.datetime:
        """The moment by its id where the manifest cannot be believed."""
        if self.problem:
            return datetime.datetime.strptime(self.id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=datetime.timezone.utc)
        return moment(self.manifest["taken"]["at"])

    @property
    def history(self) -> tuple[Any, Any] | None:
        """Cluster and timeline, in which positions compare; None where the manifest cannot be believed."""
        found = self.manifest.get("postgresql")
        return (found["system"], found["timeline"]) if found and not self.problem else None

    @property
    def position(self) -> int:
        """The position in the cluster's log, which no clock moves (pg_lsn: two hexadecimal halves); 0 where it is not known."""
        if not self.history:
            return 0
        high, _slash, low = str(self.manifest["postgresql"]["lsn"]).partition("/")
        return (int(high, 16) << 32) + int(low, 16)

    @property
    def state(self) -> str:
        """``captured``, ``verified``, ``failed`` (did not pass its last verification) or ``untrusted``."""
        if self.problem:
            return "untrusted"
        if not self.verification:
            return "captured"
        return "verified" if self.verification["outcome"] == "verified" else "failed"

    @property
    def losses(self) -> tuple[Mapping[str, Any], Sequence[str]]:
        """Files that it lacks although attachments name them: those accepted, and those that nobody accepted when it was taken."""
        return losses_of(self.manifest)

    @property
    def schema(self) -> str:
        """Whether its last good verification loaded the schema: ``loaded``, ``skipped``, ``unknown`` of one before there was such a thing; empty
        where it is not verified."""
        if self.state != "verified":
            return ""
        return str(known(self.verification).get("read", {}).get("schema", {}).get("outcome", "unknown"))

    def facts(self, now: datetime.datetime) -> dict[str, Any]:
        """What an operator is shown."""
        manifest = self.manifest
        shown: dict[str, Any] = {
            "id": self.id, "state": self.state, "schema": self.schema, "taken": self.taken.isoformat(), "hold": self.hold, "problem": self.problem,
            "ignored": list(self.ignored), "age": round((now - self.taken).total_seconds())}
        if not self.problem:
            shown.update({
                "who": manifest["taken"]["who"], "why": manifest["taken"]["why"],
                "instance": manifest["identity"]["instance"], "snapshot": manifest["repository"]["snapshot"],
                "release": (manifest["release"] or {}).get("release"), "verification": self.verification,
                "files": manifest["files"]["count"], "bytes": manifest["files"]["bytes"] + manifest["dump"]["bytes"],
                "database_bytes": manifest["database"]["bytes"], "added": manifest["repository"]["added"],
                "losses": {"accepted": len(self.losses[0]), "new": len(self.losses[1])}, "timings": manifest["timings"]})
        return shown


def losses_of(manifest: Mapping[str, Any]) -> tuple[dict[str, dict[str, str]], list[str]]:
    """What a point lacks: accepted losses, with who and when, and those that nobody accepted. Of old manifests only the names are known."""
    files = manifest.get("files") or {}
    names = files.get("accepted_losses") or ()
    accepted = files.get("losses")
    if accepted is None:
        taken = manifest.get("taken") or {}
        old = {"who": str(taken.get("who") or "unknown"), "at": str(taken.get("written") or taken.get("at") or ""), "how": "named at a capture"}
        return {name: dict(old) for name in names}, []
    return {name: dict(value) for name, value in accepted.items()}, sorted(set(names) - set(accepted))


def utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)


def moment(text: str) -> datetime.datetime:
    """A moment with its zone from ISO 8601. :raises ValueError: where it is none or names no zone."""
    value = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    if value.tzinfo is None:
        raise ValueError("no time zone")
    return value.astimezone(datetime.timezone.utc)


def desired(params: Mapping[str, Any]) -> Desired:
    """Check what the argument spec cannot.

    :raises DomainError: ``bad_input``; the message names the field.
    """
    for field in ("instance", "source"):
        if params.get(field) and not NAME.fullmatch(params[field]):
            raise bad_input(field, params[field], NAME_SAID)
    _check_repository(params["repository"])
    state = params.get("state", "info")
    if state != "info":
        _check_numbers(params)
        _check_state(state, params)
    return Desired(params["instance"], state, params)


def _check_repository(repository: Mapping[str, Any]) -> None:
    location = repository["location"]
    if not re.fullmatch(r"/[^\x00-\x1f]+|s3:https?://[^/\s]+/[^/\s]{3,63}(/[^\s]*)?", location):
        raise bad_input("repository.location", location, "an absolute path or s3:https://host[:port]/bucket[/prefix]")
    if not repository["password"]:
        raise bad_input("repository.password", "", "a password")
    if location.startswith("s3:") and not (repository.get("access_key") and repository.get("secret_key")):
        raise bad_input("repository.access_key", "", "access_key and secret_key for a repository in S3")
    if repository.get("lock_mode") and repository.get("lock_days", 0) < 1:
        raise bad_input("repository.lock_days", repository["lock_days"], "1 or more where lock_mode is given")


def _check_numbers(params: Mapping[str, Any]) -> None:
    for name, least in LEAST.items():
        outer, inner = (*name.split(".", 1), "")[:2]
        value = params[outer][inner] if inner else params[outer]
        if value < least:
            raise bad_input(name, value, f"{least} or more")


def _check_state(state: str, params: Mapping[str, Any]) -> None:
    if state in ("captured", "restored") and not params.get("database"):
        raise bad_input("database", None, f"the cluster and database for state {state}")
    if state == "verified" and params["load_schema"] and not params.get("database"):
        raise bad_input("database", None, "the cluster into which the schema is loaded; or load_schema: false, which the point then shows")
    if params.get("database") and not DATABASE.fullmatch(params["database"]["name"]):
        raise bad_input("database.name", params["database"]["name"], DATABASE_SAID)
    if params["point"] not in NEWEST and not POINT.fullmatch(params["point"]):
        raise bad_input("point", params["point"], "an id as 20261121T101500-0a1b2c3d, latest or latest_verified")
    if params.get("source") and state == "captured":
        raise bad_input("source", params["source"], "nothing with state captured: it takes its own instance's point")
    if state == "held" and not params.get("keep_until"):
        raise bad_input("keep_until", None, "until when the point is held")
    if params.get("keep_until"):
        try:
            moment(params["keep_until"])
        except ValueError as error:
            raise bad_input("keep_until", params["keep_until"], f"a moment as 2026-12-31T00:00:00+00:00 ({error})") from None
    for name in params["accepted_losses"]:
        if not STORED.fullmatch(name):
            raise bad_input("accepted_losses", name, "names of stored files as ab/ab12…")
    if state == "restored":
        _check_target(params)
    if state == "absent":
        _check_absent(params)


def _check_target(params: Mapping[str, Any]) -> None:
    target = params.get("target")
    if not target:
        raise bad_input("target", None, "a new database and filestore for state restored")
    for field in ("database", "owner"):
        if not POSTGRESQL_NAME.fullmatch(target[field]):
            raise bad_input("target." + field, target[field], POSTGRESQL_NAME_SAID)
    if not os.path.isabs(target["filestore"]):
        raise bad_input("target.filestore", target["filestore"], "an absolute path")
    if target["uid"] < 1:
        raise bad_input("target.uid", target["uid"], "1 or more")


def _check_absent(params: Mapping[str, Any]) -> None:
    retention = params.get("retention")
    if not retention and not params["points"]:
        raise bad_input("retention", None, "a policy, or ids in points")
    for name, value in (retention or {}).items():
        if value < 0:
            raise bad_input("retention." + name, value, "0 or more")
    if retention and not any(retention.values()):
        raise DomainError(
            "keeps_nothing", "retention is 0 for last, daily, weekly and monthly, which would remove every recovery point",
            unchanged="Nothing was changed", advice="Say how many are to be kept")
    for point in params["points"]:
        if not POINT.fullmatch(point):
            raise bad_input("points", point, "ids as 20261121T101500-0a1b2c3d")


def bad_input(field: str, value: object, expected: str) -> DomainError:
    return DomainError("bad_input", f"{field} is {value!r}, expected {expected}", unchanged="Nothing was changed")
