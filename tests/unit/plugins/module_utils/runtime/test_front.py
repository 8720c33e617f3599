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
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.front import MachineFront
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.protocol import ELSEWHERE

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
    front = MachineFront("acme", "172.28.1.0/24", directory=str(tmp_path / "full"))
    assert "full" in front.lead_back("green")
    assert nft.calls[-1][1] == "".join(f"add element ip sysgenpro fronts {{ 172.28.1.2 . {p} : 172.28.1.21 . {p} }}\n" for p in (8069, 8072))
    nft.calls.clear()
    with pytest.raises(OSError, match="full"):
        front.lead("green")
    assert not nft.calls, "going forward, nothing changes where nothing can be kept"
    kept = MachineFront("acme", "172.28.1.0/24", directory=str(tmp_path))
    assert kept.lead_back("green") == "" and "172.28.1.21" in (tmp_path / "acme.nft").read_text()


def test_what_leads_where(monkeypatch: pytest.MonkeyPatch) -> None:
    nft = faked(monkeypatch, LISTED)
    assert MachineFront("acme", "172.28.1.0/24").leads() == "blue"
    assert MachineFront("bodega", "172.28.12.0/24").leads() == ELSEWHERE, "one of two ports only"
    assert MachineFront("third", "172.28.3.0/24").leads() is None
    assert nft.calls[0] == (["nft", "-j", "list", "map", "ip", "sysgenpro", "fronts"], None) and len(nft.calls) == 3
    faked(monkeypatch, EMPTY)
    assert MachineFront("acme", "172.28.1.0/24").leads() is None


def test_a_switch_is_one_transaction_and_kept_for_the_next_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nft = faked(monkeypatch, LISTED)
    MachineFront("acme", "172.28.1.0/24", directory=str(tmp_path)).lead("green")
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
    front = MachineFront("bodega", "172.28.12.0/24", directory=str(tmp_path))
    front.lead(None)
    assert [call[1] for call in nft.calls if "-f" in call[0]] == [
        "delete element ip sysgenpro fronts { 172.28.12.2 . 8069 : 172.28.12.21 . 8069 }\n"]
    assert (tmp_path / "bodega.nft").read_text() == ""


def test_a_front_that_refuses_is_not_told_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nft = faked(monkeypatch, EMPTY)
    front = MachineFront("acme", "172.28.1.0/24", directory=str(tmp_path))
    front.forget()
    assert not [call for call in nft.calls if "-f" in call[0]] and list(tmp_path.iterdir()) == []


def test_without_a_map_the_error_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = subprocess.CompletedProcess([], 1, "", "Error: No such file or directory\nlist map ip x y\n            ^\n")
    monkeypatch.setattr(commands.subprocess, "run", lambda *_a, **_k: refused)
    with pytest.raises(DomainError) as error:
        MachineFront("acme", "172.28.1.0/24").leads()
    assert error.value.code == "front_missing" and "No such file" in error.value.message and "site" in error.value.advice

    def absent(*_arguments: Any, **_options: Any) -> None:
        raise FileNotFoundError("nft")

    monkeypatch.setattr(commands.subprocess, "run", absent)
    with pytest.raises(DomainError) as error:
        MachineFront("acme", "172.28.1.0/24").leads()
    assert error.value.code == "front_missing"


REAL = """
import json, subprocess, sys
sys.path[:0] = {path!r}
from ansible_collections.sysgenpro.odoo.plugins.module_utils._runtime.front import MachineFront
subprocess.run(["nft", "-f", "-"], text=True, check=True,
    input="table ip sysgenpro {{ map fronts {{ type ipv4_addr . inet_service : ipv4_addr . inet_service; }}; }}\\n")
front, other = (MachineFront(n, s, "172.28.0.2:8069", {directory!r}) for n, s in (("acme", "172.28.1.0/24"), ("bodega", "172.28.2.0/24")))
seen = [front.leads()]
for to in ("blue", "green", "green", None, "page", "blue"):
    front.lead(to)
    seen.append(front.leads())
other.lead("green")
front.forget()
print(json.dumps([seen, front.leads(), other.leads()]))
"""


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nft") or subprocess.run(
    ["unshare", "-n", "nft", "list", "ruleset"], capture_output=True, check=False).returncode != 0,
    reason="needs root, nft and a network namespace of its own")
def test_on_a_real_nftables(tmp_path: Path) -> None:
    script = REAL.format(path=sys.path, directory=str(tmp_path))
    done = subprocess.run(["unshare", "-n", sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[None, "blue", "green", "green", None, "page", "blue"], None, "green"]
    assert [p.name for p in tmp_path.iterdir()] == ["bodega.nft"]
