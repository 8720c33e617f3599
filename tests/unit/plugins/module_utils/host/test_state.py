# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs on a machine, over answers of dpkg and systemd as they come, and files as they lie there."""

from __future__ import annotations

import datetime
import hashlib
import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._host.state import compare
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

PACKAGES = "nginx installed\npython3 installed\nredis-server config-files\n"
LOADED = {"LoadState": "loaded", "ActiveState": "active", "NeedDaemonReload": "no", "InactiveExitTimestamp": "Sun 2026-11-29 18:29:33.123456 UTC"}


class Answers:
    """A machine that says what it is told to, and counts who asks."""

    def __init__(self, units: dict[str, tuple[dict[str, str], str]] | None = None, script: tuple[int, str, str] = (0, "", "")) -> None:
        self.units, self.script, self.calls = units or {}, script, []

    def __call__(self, command: list[str]) -> tuple[int, str, str]:
        self.calls.append(" ".join(command[:2]))
        if command[0] == "dpkg-query":
            return 0, PACKAGES, ""
        if command[:2] == ["systemctl", "show"]:
            blocks = [self.units[name][0] for name in command[4:]]
            return 0, "\n\n".join("\n".join(f"{key}={value}" for key, value in block.items()) for block in blocks) + "\n", ""
        if command[:2] == ["systemctl", "is-enabled"]:
            return 1, "".join(self.units[name][1] + "\n" for name in command[2:]), ""
        return self.script


def differs(machine: Answers, **wanted: Any) -> list[str]:
    return compare({"packages": [], "files": [], "units": [], "script": "", **wanted}, machine).sentences


def unit(name: str, **further: Any) -> dict[str, Any]:
    return {"name": name, "enabled": True, "active": True, "reads": [], **further}


def file(path: Path, **further: Any) -> dict[str, Any]:
    return {"path": str(path), "state": "file", "owner": str(os.getuid()), "group": str(os.getgid()), "mode": None, **further}


def test_packages_count_only_where_they_are_installed() -> None:
    assert differs(Answers(), packages=["nginx", "python3"]) == []
    assert differs(Answers(), packages=["nginx", "redis-server", "redis"]) == ["package redis-server is not installed", "package redis is not installed"]


@pytest.mark.parametrize(("shown", "enabled", "wanted", "said"), [
    ({}, "enabled", {}, []),
    ({}, "static", {}, []),
    ({}, "disabled", {}, ["does not start at boot"]),
    ({}, "disabled", {"enabled": False}, []),
    ({}, "masked", {}, ["does not start at boot"]),
    ({"ActiveState": "inactive"}, "enabled", {}, ["inactive"]),
    ({"ActiveState": "failed"}, "enabled", {}, ["failed"]),
    ({"ActiveState": "activating"}, "enabled", {}, ["activating"]),
    ({"ActiveState": "inactive"}, "enabled", {"active": False}, []),
    ({"LoadState": "not-found", "ActiveState": "inactive"}, "", {}, ["not-found"]),
    ({"LoadState": "masked", "ActiveState": "inactive"}, "masked", {}, ["masked"]),
    ({"NeedDaemonReload": "yes"}, "enabled", {}, ["its file was changed, and systemd has not read it since"]),
    ({"ActiveState": "inactive", "NeedDaemonReload": "yes"}, "disabled", {},
     ["its file was changed, and systemd has not read it since", "does not start at boot", "inactive"]),
])
def test_a_unit_is_loaded_active_and_starts_at_boot(shown: dict[str, str], enabled: str, wanted: dict[str, Any], said: list[str]) -> None:
    machine = Answers({"other.service": (LOADED, "enabled"), "a.service": ({**LOADED, **shown}, enabled)})
    assert differs(machine, units=[unit("other.service"), unit("a.service", **wanted)]) == [f"a.service: {what}" for what in said]


def test_systemd_has_yet_to_read_a_units_file() -> None:
    wanted = {"packages": [], "files": [], "units": [unit("a.service"), unit("b.service")], "script": ""}
    stale = {**LOADED, "NeedDaemonReload": "yes"}
    assert compare(wanted, Answers({"a.service": (LOADED, "enabled"), "b.service": (stale, "enabled")})).daemon_reload
    assert not compare(wanted, Answers({"a.service": (LOADED, "enabled"), "b.service": (LOADED, "enabled")})).daemon_reload


@pytest.mark.parametrize(("seconds", "stale"), [(-1, False), (1, True)])
def test_a_file_that_was_changed_since_the_unit_started(tmp_path: Path, seconds: int, stale: bool) -> None:
    path = tmp_path / "conf"
    path.write_text("x")
    started = datetime.datetime.fromtimestamp(path.stat().st_ctime - seconds, datetime.timezone.utc)
    shown = {**LOADED, "InactiveExitTimestamp": f"{started:%a %Y-%m-%d %H:%M:%S.%f} UTC"}
    said = differs(Answers({"a.service": (shown, "enabled")}), units=[unit("a.service", reads=[str(path), str(tmp_path / "none")])])
    assert said == ([f"a.service: {path} was changed since it started"] if stale else [])


def test_a_systemd_that_says_something_else_is_a_difference() -> None:
    machine = Answers({"a.service": (LOADED, "enabled enabled"), "b.service": (LOADED, "enabled")})
    assert differs(machine, units=[unit("a.service"), unit("b.service")]) == ["a.service: does not start at boot", "b.service: does not start at boot"]
    assert differs(lambda command: (1, "", "no systemd"), units=[unit("a.service"), unit("b.service")]) == [  # type: ignore[arg-type]
        "systemd does not tell of a.service, b.service"]


def test_files_differ_in_what_is_named(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("text\n")
    (tmp_path / "f").chmod(0o644)
    (tmp_path / "d").mkdir(0o750)
    (tmp_path / "l").symlink_to("/dev/null")
    digest = hashlib.sha256(b"text\n").hexdigest()
    same = [file(tmp_path / "f", content="text\n"), file(tmp_path / "d", state="directory", mode="0750"), file(tmp_path / "none", state="absent"),
            file(tmp_path / "l", state="link", target="/dev/null")]
    assert differs(Answers(), files=same) == []
    assert differs(Answers(), files=[file(tmp_path / "f", sha256=digest)]) == []
    for other, said in (
        (file(tmp_path / "f", content="hush\n"), "another content"),
        (file(tmp_path / "f", sha256="0" * 64), "another content"),
        (file(tmp_path / "f", content="text\n", mode="0600"), "another mode"),
        (file(tmp_path / "f", content="x", owner="no-such-user", mode="0600"), "another content and mode and owner"),
        (file(tmp_path / "f", state="absent"), "file"),
        (file(tmp_path / "d", sha256=digest), "directory"),
        (file(tmp_path / "d", state="link", target="/dev/null"), "directory"),
        (file(tmp_path / "l", state="link", target="/dev/zero"), "another target"),
        (file(tmp_path / "none", sha256=digest), "absent"),
    ):
        assert differs(Answers(), files=[other]) == [f"{other['path']}: {said}"]


def test_a_path_that_cannot_be_is_refused() -> None:
    with pytest.raises(DomainError) as error:
        differs(Answers(), files=[file(Path("relative"), content="x")])
    assert error.value.code == "bad_input"


def test_a_script_says_what_it_finds_and_how_it_failed() -> None:
    assert differs(Answers(), script="true") == []
    said = differs(Answers(script=(3, "the map is not loaded\n\n  and more\n", "line 1\nno nft\n")), script="x")
    assert said == ["the map is not loaded", "and more", "the script ended with 3: no nft"]


def test_four_programs_run_however_much_is_asked_for() -> None:
    machine = Answers({f"{number}.service": (LOADED, "enabled") for number in range(50)})
    assert differs(machine, packages=["nginx"] * 50, units=[unit(name) for name in machine.units], script="true") == []
    assert machine.calls == ["dpkg-query --show", "systemctl show", "systemctl is-enabled", "/bin/bash -u"]
