# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many files and directories, kept by one plan."""

from __future__ import annotations

import grp
import os
import pwd
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.files import remove_file, replace_file
from .._kernel.plan import Plan, Step, digest_of

DEFAULT_MODE = {"file": 0o644, "directory": 0o755, "link": 0, "absent": 0}
FILE: dict[str, dict[str, Any]] = {
    "path": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["file", "directory", "link", "absent"], "default": "file"},
    "content": {"type": "str", "no_log": False},
    "target": {"type": "str"},
    "mode": {"type": "str"},
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str", "default": "root"},
    "secret": {"type": "bool", "default": False, "no_log": False},
}
"""One element of ``files``, as a module's argument."""


@dataclass(frozen=True)
class Wanted:
    """One file or directory as it should be; ``uid`` and ``gid`` are -1 for a user that a check cannot know yet."""

    path: str
    state: str
    content: bytes
    mode: int
    uid: int
    gid: int
    secret: bool
    target: str = ""


class FilesOperation:
    """``host_files`` as the kernel runs it.

    :param files: the module's option ``files``.
    :param check: users and groups that do not exist yet are then no error: a package would bring them.
    :raises DomainError: ``bad_input``, ``path_twice``, ``user_unknown``.
    """

    writes = True

    def __init__(self, files: Sequence[Mapping[str, Any]], check: bool) -> None:
        self._wanted: dict[str, Wanted] = {}
        for entry in files:
            wanted = parse(entry, check)
            if wanted.path in self._wanted:
                raise _unchanged("path_twice", f"files names {wanted.path} twice, expected once")
            self._wanted[wanted.path] = wanted
        self._changed: list[str] = []

    def plan(self) -> Plan:
        steps, before, after = [], {}, {}
        for path, wanted in self._wanted.items():
            now, then = observe(path), described(wanted)
            if now == then:
                continue
            steps.append(Step(wanted.state, f"{wanted.state} {path}", {"path": path}))
            before[path], after[path] = _shown(now, wanted), _shown(then, wanted)
        self._changed = [step.parameters["path"] for step in steps]
        return Plan(tuple(steps), before, after, {"files": self._changed, "after": digest_of(after)})

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        for step in plan.steps:
            wanted = self._wanted[step.parameters["path"]]
            try:
                apply(wanted)
            except OSError as error:
                raise DomainError(
                    "file_failed",
                    f"{wanted.path} could not be made {wanted.state}: {error.strerror}",
                    advice="What was written before it stays; run again once the cause is gone",
                ) from error
        return {}

    def facts(self) -> Mapping[str, Any]:
        return {"paths": self._changed}


def parse(entry: Mapping[str, Any], check: bool) -> Wanted:
    """One element of ``files`` as typed values."""
    path = entry["path"]
    if not os.path.isabs(path) or os.path.normpath(path) != path.rstrip("/"):
        raise _unchanged("bad_input", f"files[].path is {path!r}, expected an absolute path without '..'")
    state = entry["state"]
    mode = DEFAULT_MODE[state]
    if entry.get("mode") is not None:
        if not re.fullmatch("[0-7]{4}", entry["mode"]):
            message = "mode of {} is {!r}, expected four octal digits in quotes".format(path, entry["mode"])
            raise _unchanged("bad_input", message)
        mode = int(entry["mode"], 8)
    return Wanted(
        path=os.path.normpath(path),
        state=state,
        content=(entry.get("content") or "").encode(),
        mode=mode,
        uid=_number(entry["owner"], "owner", path, check or state == "absent"),
        gid=_number(entry["group"], "group", path, check or state == "absent"),
        secret=bool(entry.get("secret")),
        target=entry.get("target") or "",
    )


def observe(path: str) -> dict[str, Any]:
    """What lies at a path now, in the words of ``described``."""
    try:
        found = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"state": "absent"}
    mode, owner = f"{stat.S_IMODE(found.st_mode):04o}", f"{found.st_uid}:{found.st_gid}"
    if stat.S_ISDIR(found.st_mode):
        return {"state": "directory", "mode": mode, "owner": owner}
    if stat.S_ISLNK(found.st_mode):
        return {"state": "link", "target": os.readlink(path)}
    if not stat.S_ISREG(found.st_mode):
        return {"state": "neither a file nor a directory"}
    with open(path, "rb") as stream:
        content = stream.read()
    return {"state": "file", "mode": mode, "owner": owner, "content": content}


def apply(wanted: Wanted) -> None:
    """Make it so.

    :raises OSError: as the file system gives it.
    """
    if wanted.state == "file":
        replace_file(wanted.path, wanted.content, wanted.mode, wanted.uid, wanted.gid)
    elif wanted.state == "link":
        replace_link(wanted.path, wanted.target)
    elif wanted.state == "directory":
        if not os.path.isdir(wanted.path):
            os.mkdir(wanted.path, 0o700)
        os.chown(wanted.path, wanted.uid, wanted.gid)
        os.chmod(wanted.path, wanted.mode)
    elif os.path.isdir(wanted.path) and not os.path.islink(wanted.path):
        os.rmdir(wanted.path)
    else:
        remove_file(wanted.path)


def replace_link(path: str, target: str) -> None:
    """Make ``path`` a symbolic link in one step, whatever file lies there.

    :raises OSError: as the file system gives it.
    """
    fresh = f"{path}.{os.getpid()}.new"
    os.symlink(target, fresh)
    try:
        os.replace(fresh, path)
    except OSError:
        os.unlink(fresh)
        raise


def described(wanted: Wanted) -> dict[str, Any]:
    """What a path should be, in the words of ``observe``."""
    if wanted.state == "absent":
        return {"state": "absent"}
    if wanted.state == "link":
        return {"state": "link", "target": wanted.target}
    words: dict[str, Any] = {
        "state": wanted.state,
        "mode": f"{wanted.mode:04o}",
        "owner": f"{wanted.uid}:{wanted.gid}",
    }
    return dict(words, content=wanted.content) if wanted.state == "file" else words


def _shown(value: Mapping[str, Any], wanted: Wanted) -> dict[str, Any]:
    """A value as a diff may show it: text by lines, secrets by length."""
    shown = dict(value)
    content = shown.pop("content", None)
    if content is not None:
        shown["content"] = (
            "(secret)" if wanted.secret else content.decode(errors="replace").splitlines()
        )
    return shown


def _number(name: str, kind: str, path: str, lenient: bool) -> int:
    if name.isdigit():
        return int(name)
    try:
        return pwd.getpwnam(name).pw_uid if kind == "owner" else grp.getgrnam(name).gr_gid
    except KeyError:
        if lenient:
            return -1
        message = f"{kind} of {path} is {name!r}, expected a number or a name that exists on the machine"
        raise _unchanged("user_unknown", message) from None


def _unchanged(code: str, message: str) -> DomainError:
    return DomainError(code, message, unchanged="Nothing was changed")
