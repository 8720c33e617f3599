# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the documents lie, beside the repository: a directory, or a bucket with Object Lock. Written once, never edited."""

from __future__ import annotations

import base64
import datetime
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol
from urllib.parse import urlsplit

from .._kernel.errors import DomainError
from .._kernel.files import remove_file, sync_directory

try:
    import boto3
    import botocore.client
    import botocore.exceptions

    HAS_BOTO3 = True
except ImportError:
    HAS_BOTO3 = False

# Seconds for S3 to answer, and how often a call is tried.
PATIENCE, TRIES = 20, 3
# Seconds after a 409, which S3 gives to one of two writers of a name, or while it settles something; how often it is tried again.
CONFLICT, CONFLICTS = 0.5, 6
# Where a trial of the store is written: the one place in which a writer may delete. No lock of restic's is named so.
TRIAL = "restic/locks/sysgenpro-trial-"
# For how many seconds a trial of Object Lock is locked: longer than the clocks of machine and store may differ.
TRIAL_LOCK = 1200
# What is tried. Where more is, it is tried anew; see ``S3Store.tried``.
TRIED = "1"
# Debian's trust store; botocore may come with one of its own, which does not know the operator's authority.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


# What documents are written with, by the words of S3, and with what an S3 says that it does not do that.
CONDITION, INTEGRITY = "conditional writes (If-None-Match: *)", "writes with Content-Length and Content-MD5"
REFUSALS = (400, 405, 411, 501)


class Store(Protocol):
    """Objects by name, as ``points/<instance>/<id>/manifest.json``."""

    def names(self, prefix: str) -> list[str]: ...

    def read(self, name: str) -> bytes: ...

    def digest(self, name: str) -> str | None: ...

    def create(self, name: str, content: bytes, until: datetime.datetime | None) -> None: ...

    def remove(self, name: str) -> None: ...

    @property
    def tried(self) -> str: ...

    def probe(self) -> None: ...

    def refuse_again(self, name: str, content: bytes) -> None: ...


def exists_already(name: str) -> DomainError:
    return DomainError("document_exists", f"the document {name} exists already and is never written twice",
                       advice="Look at it with pg_recovery_point_info")


class LocalStore:
    """Files of mode 0400, made by a link that fails where the name exists."""

    def __init__(self, base: str) -> None:
        self.base = base

    def names(self, prefix: str) -> list[str]:
        """Names under a prefix that ends in ``/``, sorted; what a crash left half-written is no name.

        :raises DomainError: ``store_failed`` where a directory is there and cannot be read: it is not the same as an empty one.
        """
        found: list[str] = []
        for directory, _names, files in os.walk(os.path.join(self.base, prefix), onerror=_unless_gone):
            inside = os.path.relpath(directory, self.base)
            found.extend(os.path.join(inside, name) for name in files if not name.endswith(".tmp"))
        return sorted(found)

    def read(self, name: str) -> bytes:
        with open(os.path.join(self.base, name), "rb") as stream:
            return stream.read()

    def digest(self, name: str) -> str | None:
        """SHA-256 of an object; None where there is none."""
        try:
            return hashlib.sha256(self.read(name)).hexdigest()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise store_failed(f"{self.base}/{name} cannot be read: {error}") from error

    def create(self, name: str, content: bytes, until: datetime.datetime | None) -> None:
        """:raises DomainError: ``document_exists``, ``store_failed``."""
        path = os.path.join(self.base, name)
        stage = f"{path}.{secrets.token_hex(4)}.tmp"
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with open(stage, "wb") as stream:
                os.fchmod(stream.fileno(), 0o400)
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.link(stage, path)
            sync_directory(os.path.dirname(path))
            sync_directory(os.path.dirname(os.path.dirname(path)))
        except FileExistsError:
            raise exists_already(name) from None
        except OSError as error:
            raise store_failed(f"{path} cannot be written: {error}") from error
        finally:
            remove_file(stage)

    # A directory needs no trial.
    tried = ""

    def probe(self) -> None:
        """A link that fails where the name exists is the kernel's word."""

    def refuse_again(self, name: str, content: bytes) -> None:
        """The same."""

    def remove(self, name: str) -> None:
        """Remove a document, and the point's directory with its last one."""
        path = os.path.join(self.base, name)
        remove_file(path)
        try:
            os.rmdir(os.path.dirname(path))
        except OSError:
            return


class S3Store:
    """Objects of a bucket, made with ``If-None-Match: *`` and, where asked for, locked."""

    def __init__(self, repository: Mapping[str, Any], keys: Mapping[str, str] | None = None) -> None:
        if not HAS_BOTO3:
            raise DomainError("boto3_missing", "the Python library boto3 is not on this machine", unchanged="Nothing was changed",
                              advice="Run the site playbook for this machine")
        url = urlsplit(repository["location"][len("s3:"):])
        self.bucket, _slash, prefix = url.path.lstrip("/").partition("/")
        self.prefix = prefix.rstrip("/") + "/" if prefix.strip("/") else ""
        self.mode = repository.get("lock_mode")
        self.place = f"{url.scheme}://{url.netloc}/{self.bucket}"
        keys = keys or repository
        self.client = boto3.client(
            "s3", endpoint_url=f"{url.scheme}://{url.netloc}", aws_access_key_id=keys["access_key"],
            aws_secret_access_key=keys["secret_key"], region_name=repository["region"],
            verify=repository.get("ca_path") or (AUTHORITIES if os.path.exists(AUTHORITIES) else None),
            config=_config())
        # An argument of put_object only since botocore 1.35; the header goes through every version.
        self._conditional = True
        self.client.meta.events.register("before-call.s3.PutObject", self._only_new)

    def _only_new(self, params: dict[str, Any], **_further: Any) -> None:
        if self._conditional:
            params["headers"]["If-None-Match"] = "*"

    def names(self, prefix: str) -> list[str]:
        with self._told("listing"):
            found: list[str] = []
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix + prefix):
                found.extend(entry["Key"][len(self.prefix):] for entry in page.get("Contents", ()))
            return sorted(found)

    def read(self, name: str) -> bytes:
        with self._told("reading " + name):
            content: bytes = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"].read()
            return content

    def digest(self, name: str) -> str | None:
        """SHA-256 of an object; None where there is none."""
        with self._told("reading " + name):
            try:
                found = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"].read()
            except self.client.exceptions.NoSuchKey:
                return None
            return hashlib.sha256(found).hexdigest()

    def create(self, name: str, content: bytes, until: datetime.datetime | None) -> None:
        """:raises DomainError: ``document_exists``, ``store_failed``, ``store_lacks``."""
        with self._told("writing " + name):
            try:
                self._put(name, content, until)
            except botocore.exceptions.ClientError as error:
                if _status(error) == 412:
                    # A retry of a call whose answer was lost finds its own object.
                    if self.read(name) == content:
                        return
                    raise exists_already(name) from None
                if _status(error) in REFUSALS:
                    raise self._lacks("what a document is written with: " + ", ".join(
                        [CONDITION, INTEGRITY] + [f"Object Lock ({self.mode})"] * bool(self.mode and until)), error) from error
                raise

    def _put(self, name: str, content: bytes, until: datetime.datetime | None) -> Any:
        """With Content-MD5, which every S3 knows and which Object Lock requires, whatever checksums the library would add."""
        lock = {"ObjectLockMode": self.mode.upper(), "ObjectLockRetainUntilDate": until} if self.mode and until else {}
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        for attempt in range(CONFLICTS + 1):
            try:
                return self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=content, ContentMD5=digest, **lock)
            except botocore.exceptions.ClientError as error:
                if _status(error) != 409 or attempt == CONFLICTS:
                    raise
                time.sleep(CONFLICT)
        raise AssertionError("the last attempt returns or raises")

    # -- what the store must do -------------------------------------------------------------------

    @property
    def tried(self) -> str:
        """What a trial was of: where it was the same, none is needed again."""
        return f"{TRIED} {self.place}/{self.prefix} {self.mode or 'no lock'}"

    def probe(self) -> None:
        """Try what documents need, in the place where this key may delete, and take the trial away again.

        :raises DomainError: ``store_lacks``, which names what the store does not do; ``store_failed``.
        """
        first, second = (TRIAL + secrets.token_hex(8) for _each in range(2))
        until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=TRIAL_LOCK)
        try:
            self._conditional = False
            self._try(INTEGRITY, lambda: self._put(first, b"once", None))
            self._conditional = True
            self._refuses(first, b"twice")
            made = self._try(f"Object Lock ({self.mode})" if self.mode else CONDITION, lambda: self._put(second, b"new", until))
            if self.mode and not made.get("VersionId"):
                raise self._lacks(f"Object Lock ({self.mode}): the bucket has no versions, so it takes the lock and keeps nothing")
            listed = self._try("listing objects (ListObjectsV2)", lambda: self.client.list_objects_v2(Bucket=self.bucket, Prefix=self.prefix + TRIAL))
            if not {self.prefix + first, self.prefix + second} <= {entry["Key"] for entry in listed.get("Contents", ())}:
                raise self._lacks("listing what was just written (strong consistency)")
        finally:
            self._conditional = True
            for name in (first, second):
                self._clear_away(name)

    def refuse_again(self, name: str, content: bytes) -> None:
        """See that a second writer of a name is refused, by an object that is there and its own content. Needs no right to delete, and leaves nothing.

        :raises DomainError: ``store_lacks``, which names what the store does not do; ``store_failed``.
        """
        self._refuses(name, content)

    def _clear_away(self, name: str) -> None:
        self._try("deleting under restic/locks/, with the writer's key",
                  lambda: self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name))

    def _refuses(self, name: str, content: bytes) -> None:
        """Whether a second writer of a name is refused; a store that ignores the condition would let a document be overwritten unnoticed."""
        with self._told("trying the store"):
            try:
                self._put(name, content, None)
            except botocore.exceptions.ClientError as error:
                if _status(error) == 412:
                    return
                if _status(error) in REFUSALS:
                    raise self._lacks(CONDITION, error) from error
                raise
        raise self._lacks(CONDITION + ": it ignores the condition, so that a document could be overwritten and nobody would notice")

    def _try(self, requirement: str, call: Callable[[], Any]) -> Any:
        with self._told("trying the store"):
            try:
                return call()
            except botocore.exceptions.ClientError as error:
                if _status(error) in REFUSALS:
                    raise self._lacks(requirement, error) from error
                raise

    def _lacks(self, requirement: str, error: Exception | None = None) -> DomainError:
        return DomainError(
            "store_lacks", f"the S3 {self.place} does not do what signed documents need: {requirement}" + (f" ({error})" if error else ""),
            unchanged="What was written before is as it was",
            advice="Use a store that does it (docs/guides/recovery-points-in-s3.md lists what is needed), or a directory that is mounted")

    def remove(self, name: str) -> None:
        with self._told("removing " + name):
            self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)

    @contextmanager
    def _told(self, what: str) -> Iterator[None]:
        try:
            yield
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code")
            off = "; the clocks of this machine and of the store are too far apart" if code == "RequestTimeTooSkewed" else ""
            # A store that refuses is there.
            away = not isinstance(error, botocore.exceptions.ClientError) or _status(error) >= 500
            raise store_failed(f"{what} in {self.place}: {error}{off}", away) from error


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise store_failed(f"{error.filename} cannot be read: {error.strerror}") from error


def _config() -> Any:
    """Without the checksums and trailers that botocore adds by itself since 1.36 and that not every S3 takes; before, there is no such thing."""
    common = {"connect_timeout": PATIENCE, "read_timeout": PATIENCE, "retries": {"max_attempts": TRIES}, "s3": {"addressing_style": "path"}}
    try:
        return botocore.client.Config(**common, request_checksum_calculation="when_required", response_checksum_validation="when_required")
    except TypeError:
        return botocore.client.Config(**common)


def _status(error: Any) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def store_failed(message: str, away: bool = False) -> DomainError:
    """:param away: whether it did not answer at all, or not as a store."""
    return DomainError("store_failed", message, unchanged="What was written before is as it was",
                       advice="Mend that, then run the same command again", away=away)


def open_store(repository: Mapping[str, Any], keys: Mapping[str, str] | None = None) -> Store:
    """:param keys: those of pruning instead of the writer's."""
    if repository["location"].startswith("s3:"):
        return S3Store(repository, keys)
    return LocalStore(repository["location"])
