# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The front, on what nftables really writes (nft 1.0.6), and on a real nftables where a test may make one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel import commands
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.front import Front

# nft -j list map ip sysgenpro fronts
LISTED = (
    '{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}, '
    '{"map": {"family": "ip", "name": "fronts", "table": "sysgenpro", "type": ["ipv4_addr", "inet_service"], "handle": 1, '
    '"map": "ipv4_addr . inet_service", "elem": [[{"concat": ["172.28.1.2", 8069]}, {"concat": ["172.28.1.11", 8069]}], '
    '[{"concat": ["172.28.12.2", 8069]}, {"concat": ["172.28.12.21", 8069]}], [{"concat": ["172.28.1.2", 8072]}, '
    '{"concat": ["172.28.1.11", 8072]}]]}}]}')
EMPTY = (
    '{"nftables": [{"metainfo": {"version": "1.0.6", "release_name": "Lester Gooch #5", "json_schema_version": 1}}, '
    '{"map": {"family": "ip", "name": "fronts", "table": "sysgenpro", "type": ["ipv4_addr", "inet_service"], "handle": 1, '
    '"map": "ipv4_addr . inet_service"}}]}')
GREEN = {8069: "172.28.1.21:8069", 8072: "172.28.1.21:8072"}


class Nft:
    """Answers as nft did, and keeps what it was called with."""

    def __init__(self, listed: str) -> None:
        self.listed, self.calls = listed, list[Any]()

    def run(self, command: list[str], input: str | None = None, **_options: Any) -> Any:
        self.calls.append((command, input))
        return subprocess.CompletedProcess(command, 0, self.listed if "list" in command else "", "")


def faked(monkeypatch: pytest.MonkeyPatch, listed: str) -> Nft:
    nft = Nft(listed)
    monkeypatch.setattr(commands.subprocess, "run", nft.run)
    return nft


def test_it_leads_back_though_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nft = faked(monkeypatch, EMPTY)
    front = Front("acme", "172.28.1.2", str(tmp_path / "full"))
    assert "full" in front.lead_back(GREEN)
    assert nft.calls[-1][1] == "".join(f"add element ip sysgenpro fronts {{ 172.28.1.2 . {p} : 172.28.1.21 . {p} }}\n" for p in (8069, 8072))
    nft.calls.clear()
    with pytest.raises(OSError, match="full"):
        front.lead(GREEN)
    assert not nft.calls, "going forward, nothing changes where nothing can be kept"
    kept = Front("acme", "172.28.1.2", str(tmp_path))
    assert kept.lead_back(GREEN) == "" and "172.28.1.21" in (tmp_path / "acme.nft").read_text()


def test_what_leads_where(monkeypatch: pytest.MonkeyPatch) -> None:
    nft = faked(monkeypatch, LISTED)
    assert Front("acme", "172.28.1.2").observe() == {8069: "172.28.1.11:8069", 8072: "172.28.1.11:8072"}
    assert Front("bodega", "172.28.12.2").observe() == {8069: "172.28.12.21:8069"}
    assert Front("third", "172.28.3.2").observe() == {}
    assert nft.calls[0] == (["nft", "-j", "list", "map", "ip", "sysgenpro", "fronts"], None) and len(nft.calls) == 3
    faked(monkeypatch, EMPTY)
    assert Front("acme", "172.28.1.2").observe() == {}


def test_a_switch_is_one_transaction_and_kept_for_the_next_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nft = faked(monkeypatch, LISTED)
    Front("acme", "172.28.1.2", str(tmp_path)).lead(GREEN)
    changes = [call for call in nft.calls if "-f" in call[0]]
    add = ("add element ip sysgenpro fronts { 172.28.1.2 . 8069 : 172.28.1.21 . 8069 }\n"
           "add element ip sysgenpro fronts { 172.28.1.2 . 8072 : 172.28.1.21 . 8072 }\n")
    assert changes == [(["nft", "-f", "-"],
                        "delete element ip sysgenpro fronts { 172.28.1.2 . 8069 : 172.28.1.11 . 8069 }\n"
                        "delete element ip sysgenpro fronts { 172.28.1.2 . 8072 : 172.28.1.11 . 8072 }\n" + add)]
    assert (tmp_path / "acme.nft").read_text() == add
    assert [p.name for p in tmp_path.iterdir()] == ["acme.nft"]


def test_a_hold_takes_the_own_elements_only(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nft = faked(monkeypatch, LISTED)
    front = Front("bodega", "172.28.12.2", str(tmp_path))
    front.lead({})
    assert [call[1] for call in nft.calls if "-f" in call[0]] == [
        "delete element ip sysgenpro fronts { 172.28.12.2 . 8069 : 172.28.12.21 . 8069 }\n"]
    assert (tmp_path / "bodega.nft").read_text() == ""


def test_a_front_that_refuses_is_not_told_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nft = faked(monkeypatch, EMPTY)
    front = Front("acme", "172.28.1.2", str(tmp_path))
    front.forget()
    assert not [call for call in nft.calls if "-f" in call[0]] and list(tmp_path.iterdir()) == []


def test_without_a_map_the_error_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "Error: No such file or directory\nlist map ip x y\n            ^\n")
    monkeypatch.setattr(commands.subprocess, "run", lambda *_a, **_k: refused)
    with pytest.raises(DomainError) as error:
        Front("acme", "172.28.1.2").observe()
    assert error.value.code == "front_missing" and "No such file" in error.value.message and "site" in error.value.advice

    def absent(*_arguments: Any, **_options: Any) -> None:
        raise FileNotFoundError("nft")

    monkeypatch.setattr(commands.subprocess, "run", absent)
    with pytest.raises(DomainError) as error:
        Front("acme", "172.28.1.2").observe()
    assert error.value.code == "front_missing"


REAL = """
import json, subprocess, sys
sys.path[:0] = {path!r}
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.front import Front
subprocess.run(["nft", "-f", "-"], text=True, check=True,
    input="table ip sysgenpro {{ map fronts {{ type ipv4_addr . inet_service : ipv4_addr . inet_service; }}; }}\\n")
blue = {{8069: "172.28.1.11:8069", 8072: "172.28.1.11:8072"}}
green = {{8069: "172.28.1.21:8069", 8072: "172.28.1.21:8072"}}
front, other = (Front(n, a, {directory!r}) for n, a in (("acme", "172.28.1.2"), ("bodega", "172.28.2.2")))
seen = [front.observe()]
for target in (blue, green, green, {{}}, blue):
    front.lead(target)
    seen.append(front.observe())
other.lead(green)
front.forget()
print(json.dumps([seen, front.observe(), other.observe()]))
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nft") or subprocess.run(
    ["unshare", "-n", "nft", "list", "ruleset"], capture_output=True, check=False).returncode != 0,
    reason="needs root, nft and a network namespace of its own")
def test_on_a_real_nftables(tmp_path: Path) -> None:
    script = REAL.format(path=sys.path, directory=str(tmp_path))
    done = subprocess.run(["unshare", "-n", sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    blue, green = ({"8069": f"172.28.1.{n}:8069", "8072": f"172.28.1.{n}:8072"} for n in (11, 21))
    assert json.loads(done.stdout) == [[{}, blue, green, green, {}, blue], {}, green]
    assert [p.name for p in tmp_path.iterdir()] == ["bodega.nft"]
