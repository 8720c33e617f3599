# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A release source: what an image is made from, checked and resolved. Reads files of this host, writes none.

*Resolved* means that equal values make equal images: Git by commit, folders and the Python lock by digest.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.plan import digest_of
from . import digests
from .layers import tree_entries
from .record import parse_reference

KEYS = {"name", "series", "base", "addons", "python_lock", "system_packages", "command"}
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PACKAGE = re.compile(r"(?P<name>[a-z0-9][a-z0-9+.-]+)(?:=(?P<version>[A-Za-z0-9.+:~-]+))?")
_HASHED = re.compile(r"--hash=sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Folder:
    """Add-ons from one place.

    :param path: a directory of this host; empty for Git that is not checked out here.
    :param place: its directory in the image, from the root.
    """

    name: str
    path: str
    place: str
    url: str = ""
    commit: str = ""


@dataclass(frozen=True)
class Source:
    """A resolved release source.

    :param resolved: goes into the record as ``source``.
    :param lock: the text of the Python lock; empty where there is none.
    """

    name: str
    series: str
    folders: tuple[Folder, ...]
    lock: str
    resolved: Mapping[str, Any]

    @property
    def digest(self) -> str:
        return digest_of(self.resolved)


def resolve(value: Any, directory: str, platform: str, bases: Mapping[str, str], checkouts: str = "") -> Source:
    """Check a release source and resolve it.

    :param directory: what its relative paths start from.
    :param platform: directory with the platform's own add-ons.
    :param bases: base images by short name.
    :param checkouts: directory with Git add-ons, checked out by name; empty while only the digest is wanted.
    :raises DomainError: ``malformed_source``, naming the field; ``not_a_digest`` for a base that is no digest.
    """
    source = dict(_checked(value, "the release source", Mapping, "a mapping"))
    unknown = sorted(set(source) - KEYS)
    if unknown:
        raise _malformed(unknown[0], "one of " + ", ".join(sorted(KEYS)), "an unknown key")
    name = _text(source, "name", _NAME, "a short name such as r3")
    series = _text(source, "series", re.compile(r"[0-9]+\.[0-9]+"), 'a series in quotes, such as "19.0"')
    base = _text(source, "base", re.compile(r"\S+"), "an image by digest, or a name from the file of bases")
    lock = _lock(source.get("python_lock"), directory)
    folders = [Folder("sysgenpro", platform, "opt/sysgenpro/addons")]
    for position, entry in enumerate(_checked(source.get("addons", []), "addons", list, "a list")):
        folders.append(_folder(entry, f"addons[{position}]", directory, checkouts))
    names = [folder.name for folder in folders]
    if len(set(names)) != len(names):
        raise _malformed("addons", "names that differ, and none called sysgenpro", repr(names[1:]))
    command = source.get("command", ["/usr/bin/odoo"])
    if not isinstance(command, list) or not command or not all(isinstance(word, str) and word for word in command):
        raise _malformed("command", "a list of words", repr(command))
    return Source(
        name,
        series,
        tuple(folders),
        lock,
        {
            "name": name,
            "series": series,
            "base": str(parse_reference(bases.get(base, base))),
            "addons": [_resolved(folder, directory) for folder in folders],
            "python_lock": "sha256:" + hashlib.sha256(lock.encode()).hexdigest() if lock else None,
            "system_packages": _packages(source.get("system_packages", [])),
            "command": command,
            "rules": digests.VERSION,
        },
    )


def _folder(value: Any, where: str, directory: str, checkouts: str) -> Folder:
    entry = dict(_checked(value, where, Mapping, "a mapping"))
    name = _text(entry, "name", _NAME, "a short name", where)
    if set(entry) == {"name", "path"}:
        path = os.path.normpath(os.path.join(directory, str(entry["path"])))
        if not os.path.isdir(path):
            raise _malformed(where + ".path", "a directory with add-ons", f"{path}, which is none")
        return Folder(name, path, "opt/addons/" + name)
    if set(entry) - {"subdirectory"} != {"name", "url", "commit"}:
        raise _malformed(where, "name with path, or name with url, commit and perhaps subdirectory", str(sorted(entry)))
    url = _text(entry, "url", re.compile(r"\S+"), "a Git URL", where)
    if re.match(r"[a-z+]+://[^/@]*:[^/@]*@", url):
        raise _malformed(where + ".url", "a URL without a password (use an SSH key or a credential helper)", "one with")
    commit = _text(entry, "commit", _COMMIT, "a full commit id; a branch or tag can move", where)
    inner = os.path.normpath(str(entry.get("subdirectory", ".")))
    if inner.startswith(("/", "..")):
        raise _malformed(where + ".subdirectory", "a path inside the repository", repr(inner))
    path = os.path.join(checkouts, name, inner) if checkouts else ""
    if path and not os.path.isdir(path):
        raise _malformed(where + ".subdirectory", f"a directory of {url} at {commit}", repr(inner))
    return Folder(name, path, "opt/addons/" + name, url, commit)


def _resolved(folder: Folder, directory: str) -> dict[str, str]:
    if folder.commit:
        return {"name": folder.name, "url": folder.url, "commit": folder.commit, "place": folder.place}
    shown = "addons" if folder.name == "sysgenpro" else os.path.relpath(folder.path, directory)
    return {"name": folder.name, "path": shown, "digest": folder_digest(folder.path), "place": folder.place}


def folder_digest(path: str) -> str:
    """``sha256:`` of a folder's names, kinds and contents; times, owners and byte code do not count."""
    total = hashlib.sha256()
    for entry in tree_entries(path):
        total.update(f"{entry.kind} {entry.mode:o} {len(entry.name.encode())} ".encode() + entry.name.encode())
        total.update(hashlib.sha256(entry.content()).digest())
    return "sha256:" + total.hexdigest()


def _lock(value: Any, directory: str) -> str:
    if value is None:
        return ""
    path = os.path.join(directory, str(value))
    try:
        with open(path, encoding="utf-8") as stream:
            text = stream.read()
    except (OSError, UnicodeDecodeError) as error:
        raise _malformed("python_lock", "a requirements file with hashes", str(error)) from error
    for line in text.replace("\\\n", " ").splitlines():
        line = line.split(" #")[0].strip()
        if line and not line.startswith(("#", "-")) and not _HASHED.search(line):
            raise _malformed("python_lock", "--hash=sha256:… for every requirement", repr(line.split()[0]))
        if line.startswith("-") and not line.startswith(("--only-binary", "--no-binary")):
            raise _malformed("python_lock", "requirements only (indexes are settings of the builder)", repr(line))
    return text


def _packages(value: Any) -> dict[str, str]:
    packages = {}
    for item in _checked(value, "system_packages", list, "a list"):
        found = _PACKAGE.fullmatch(item) if isinstance(item, str) else None
        if not found:
            raise _malformed("system_packages", "name or name=version", repr(item))
        packages[found["name"]] = found["version"] or "*"
    return packages


def _checked(value: Any, field: str, kind: Any, expected: str) -> Any:
    if not isinstance(value, kind):
        raise _malformed(field, expected, repr(value)[:60])
    return value


def _text(entry: Mapping[str, Any], key: str, pattern: re.Pattern[str], expected: str, where: str = "") -> str:
    value = entry.get(key)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _malformed(f"{where}.{key}" if where else key, expected, repr(value)[:60])
    return value


def _malformed(field: str, expected: str, found: str) -> DomainError:
    return DomainError(
        "malformed_source",
        f"the release source's field {field} should be {expected}, not {found}",
        unchanged="Nothing was built",
        advice="Correct the release source",
        field=field,
    )
