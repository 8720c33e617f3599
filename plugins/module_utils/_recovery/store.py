# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the documents lie, beside the repository: a directory, or a bucket with Object Lock. Written once, never edited."""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Iterator, Mapping
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
# Debian's trust store; botocore may come with one of its own, which does not know the operator's authority.
AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


class Store(Protocol):
    """Objects by name, as ``points/<instance>/<id>/manifest.json``."""

    def names(self, prefix: str) -> list[str]: ...

    def read(self, name: str) -> bytes: ...

    def digest(self, name: str) -> str | None: ...

    def create(self, name: str, content: bytes, until: datetime.datetime | None) -> None: ...

    def remove(self, name: str) -> None: ...


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
        stage = path + ".tmp"
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
            config=botocore.client.Config(connect_timeout=PATIENCE, read_timeout=PATIENCE, retries={"max_attempts": TRIES},
                                          s3={"addressing_style": "path"}))
        # An argument of put_object only since botocore 1.35; the header goes through every version.
        self.client.meta.events.register("before-call.s3.PutObject", _only_new)

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
        """:raises DomainError: ``document_exists``, ``store_failed``."""
        lock = {"ObjectLockMode": self.mode.upper(), "ObjectLockRetainUntilDate": until} if self.mode and until else {}
        with self._told("writing " + name):
            try:
                self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=content, **lock)
            except botocore.exceptions.ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] == 412:
                    # A retry of a call whose answer was lost finds its own object.
                    if self.read(name) == content:
                        return
                    raise exists_already(name) from None
                raise

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
            raise store_failed(f"{what} in {self.place}: {error}{off}") from error


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise store_failed(f"{error.filename} cannot be read: {error.strerror}") from error


def _only_new(params: dict[str, Any], **_further: Any) -> None:
    params["headers"]["If-None-Match"] = "*"


def store_failed(message: str) -> DomainError:
    return DomainError("store_failed", message, unchanged="Earlier recovery points are as they were",
                       advice="Mend that, then run the same command again")


def open_store(repository: Mapping[str, Any], keys: Mapping[str, str] | None = None) -> Store:
    """:param keys: those of pruning instead of the writer's."""
    if repository["location"].startswith("s3:"):
        return S3Store(repository, keys)
    return LocalStore(repository["location"])
