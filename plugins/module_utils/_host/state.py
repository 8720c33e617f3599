# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What of a machine is not as it should be: packages, files, units, and what a script finds. Reads only."""

from __future__ import annotations

import datetime
import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .files import FILE, described, observe, parse

RunCommand = Callable[[list[str]], tuple[int, str, str]]
"""Runs a program: its return code, its output, its complaints. ``AnsibleModule.run_command`` is one."""

COMPARED = {**FILE, "sha256": {"type": "str"}}
"""One element of ``files``, as a module's argument: the text itself, or its digest."""
UNIT: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "enabled": {"type": "bool", "default": True},
    "active": {"type": "bool", "default": True},
    "reads": {"type": "list", "elements": "path", "default": []},
}
"""One element of ``units``, as a module's argument."""
STARTS_AT_BOOT = ("enabled", "enabled-runtime", "static", "alias", "indirect", "generated")
"""Words of ``systemctl is-enabled`` with which it ends well."""
_SHOWN = ("LoadState", "ActiveState", "NeedDaemonReload", "InactiveExitTimestamp")


@dataclass(frozen=True)
class Differences:
    """What differs, a sentence each.

    :ivar daemon_reload: whether systemd has yet to read a unit's files.
    """

    sentences: list[str] = field(default_factory=list)
    daemon_reload: bool = False


def compare(wanted: Mapping[str, Any], run: RunCommand) -> Differences:
    """All that differs, by one call of ``dpkg-query``, two of ``systemctl`` and one of the script, however much is asked for.

    :param wanted: ``packages``, ``files``, ``units`` and ``script``, as the module ``machine_state_info`` has them.
    :raises DomainError: ``bad_input``, as ``host_files`` does.
    """
    sentences = [*_packages(wanted["packages"], run), *_files(wanted["files"])]
    of_units, reload = _units(wanted["units"], run)
    return Differences([*sentences, *of_units, *_script(wanted["script"], run)], reload)


def _packages(names: Sequence[str], run: RunCommand) -> Iterable[str]:
    if not names:
        return
    _code, output, _complaint = run(["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\\n"])
    installed = {line.split()[0] for line in output.splitlines() if line.endswith(" installed")}
    for name in names:
        if name not in installed:
            yield f"package {name} is not installed"


def _files(entries: Sequence[Mapping[str, Any]]) -> Iterable[str]:
    for entry in entries:
        wanted = parse(entry, check=True)
        now, then = observe(wanted.path), described(wanted)
        if entry.get("sha256"):
            then["content"] = entry["sha256"]
            if "content" in now:
                now["content"] = hashlib.sha256(now["content"]).hexdigest()
        if now != then:
            what = sorted(key for key in {*now, *then} if now.get(key) != then.get(key))
            yield "{0}: {1}".format(wanted.path, now["state"] if "state" in what else "another {0}".format(" and ".join(what)))


def _units(units: Sequence[Mapping[str, Any]], run: RunCommand) -> tuple[list[str], bool]:
    if not units:
        return [], False
    names = [unit["name"] for unit in units]
    _code, output, _complaint = run(["systemctl", "show", "--timestamp=us+utc", "--property=" + ",".join(_SHOWN), *names])
    # In the order of the names, a blank line between two.
    blocks = [dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in output.strip().split("\n\n")]
    if len(blocks) != len(names):
        return ["systemd does not tell of " + ", ".join(names)], False
    shown = dict(zip(names, blocks))
    loaded = [unit["name"] for unit in units if unit["enabled"] and shown[unit["name"]].get("LoadState") == "loaded"]
    enabled: dict[str, str] = {}
    if loaded:
        _code, output, _complaint = run(["systemctl", "is-enabled", *loaded])
        words = output.split()
        enabled = dict(zip(loaded, words)) if len(words) == len(loaded) else {}
    sentences = [f"{unit['name']}: {what}" for unit in units for what in _unit(unit, shown[unit["name"]], enabled.get(unit["name"], ""))]
    return sentences, any(block.get("NeedDaemonReload") == "yes" for block in blocks)


def _unit(unit: Mapping[str, Any], shown: Mapping[str, str], enabled: str) -> Iterable[str]:
    if shown.get("LoadState") != "loaded":
        yield shown.get("LoadState") or "unknown"
        return
    if shown.get("NeedDaemonReload") == "yes":
        yield "its file was changed, and systemd has not read it since"
    if unit["enabled"] and enabled not in STARTS_AT_BOOT:
        yield "does not start at boot"
    if unit["active"] and shown.get("ActiveState") != "active":
        yield shown.get("ActiveState") or "unknown"
    elif unit["reads"]:
        since = _seconds(shown.get("InactiveExitTimestamp", ""))
        for path in unit["reads"]:
            if _changed(path) > since:
                yield f"{path} was changed since it started"


def _seconds(timestamp: str) -> float:
    """Since 1970, of what systemd says as ``Sun 2026-11-29 18:29:33.123456 UTC``; 0 where it says nothing."""
    try:
        found = datetime.datetime.strptime(timestamp.partition(" ")[2], "%Y-%m-%d %H:%M:%S.%f UTC")
    except ValueError:
        return 0.0
    return found.replace(tzinfo=datetime.timezone.utc).timestamp()


def _changed(path: str) -> float:
    try:
        return os.stat(path).st_ctime
    except OSError:
        return 0.0


def _script(text: str, run: RunCommand) -> Iterable[str]:
    if not text:
        return
    code, output, complaint = run(["/bin/bash", "-u", "-o", "pipefail", "-c", text])
    yield from (line.strip() for line in output.splitlines() if line.strip())
    if code:
        yield "the script ended with {0}: {1}".format(code, (complaint.strip().splitlines() or [""])[-1])
