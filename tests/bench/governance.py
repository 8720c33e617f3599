# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What governance costs: judging many plans, and an audit whose time and memory grow with the ledger and no faster. Needs no lab."""

from __future__ import annotations

import datetime
import json
import subprocess
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.store import LocalStore
from ansible_collections.sysgenpro.odoo.plugins.module_utils._estate import machine
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance import policy as policies
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.audit import audit
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.judging import judge
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.ledger import Head, Ledger
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.moments import utc_now
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import LEDGER, ROLES, Signers

INSTANCE, PLAN, IMAGE = "acme-production", "sha256:" + "a" * 64, "sha256:" + "c" * 64


def judging(plans: int, gates: int) -> float:
    """Seconds for so many plans, each judged by so many gates."""
    ready = [{"gate": "freeze"}, {"gate": "window"}, {"gate": "shop_closed"}, {"gate": "sbom"}, {"gate": "pos_closed"}, {"gate": "soaked", "hours": 1},
             {"gate": "recovery_point", "hours": 2}, {"gate": "rehearsed"}, {"gate": "differences"}, {"gate": "requested"}]
    free = [{"name": f"small_{number}", "expression": f"plan.updates < `{number}`", "reason": "r", "needs": "n", "who": "w"} for number in range(gates - len(ready))]
    policy = policies.parse({"default": "production", "classes": {"production": {"gates": [*ready, *free]}}}, Signers(""), utc_now())
    facts: dict[str, Any] = {
        "now": utc_now().isoformat(), "instance": {"name": INSTANCE, "region": "eu"}, "request": {"by": "ruth", "reason": "", "state": "released"},
        "plan": {"digest": PLAN, "class": "update", "image": IMAGE, "updates": 9}, "lower": None, "recovery_point": None,
        "rehearsal": {"ok": None}, "decisions": [], "signers": {role: [] for role in ROLES}, "pos": {"open": 2}, "sbom": None, "differences": [],
        "calendar": {"freezes": [], "window": None, "windows": 1, "shop_open": True, "shop_until": "x", "next_moment": "x", "time_zone": "UTC"}}
    began = time.monotonic()
    for _number in range(plans):
        judge(policy.classes["production"], facts, utc_now())
    return time.monotonic() - began


def chain(directory: Path, entries: int) -> Ledger:
    """A ledger of so many entries. Each is written without reading the one before it anew, which is what a bench may."""
    signer = Signer(str(directory / "key"), namespace=LEDGER.format(INSTANCE))
    signer.make_key()
    signers = Signers(f'ledger@bench-1 namespaces="{LEDGER.format(INSTANCE)}" {signer.public}\n')
    ledger = Ledger(LocalStore(str(directory)), INSTANCE, signers, utc_now, writer="ledger@bench-1", signer=signer)
    for number in range(entries):
        ledger.append("release", {"plan": PLAN}, {"operation": f"{number:08}", "outcome": "undone", "plan": PLAN, "state": "released"})
    return ledger


def measured(entries: int, say: Callable[[str], None]) -> dict[str, float]:
    """Seconds and MiB of an audit of so many entries, which holds against a checkpoint."""
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        say(f"a ledger of {entries} entries")
        ledger = chain(Path(place), entries)
        newest = ledger.newest()
        assert newest and newest.sequence == entries
        fresh = Ledger(ledger.store, INSTANCE, ledger.signers, utc_now)
        tracemalloc.start()
        began = time.monotonic()
        found = audit(fresh, [Head(newest.sequence, newest.digest)], datetime.datetime.now(datetime.timezone.utc))
        seconds, peak = time.monotonic() - began, tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert not found["findings"], found["findings"][:3]
        began = time.monotonic()
        again = audit(Ledger(ledger.store, INSTANCE, ledger.signers, utc_now), [Head(**found["head"])], datetime.datetime.now(datetime.timezone.utc), since=True)
        assert not again["findings"] and not again["verified"]
        return {"entries": entries, "seconds": seconds, "mib": peak / 2 ** 20, "verified": found["verified"], "again": time.monotonic() - began}


def alone(runs: int) -> float:
    """Seconds that one call of ssh-keygen takes here, of which an audit makes one for each entry."""
    began = time.monotonic()
    for _number in range(runs):
        subprocess.run(["ssh-keygen", "-l", "-f", "/dev/null"], capture_output=True, check=False)
    return (time.monotonic() - began) / runs


def drift(instances: int) -> dict[str, Any]:
    """Seconds and calls of a look at so many instances of one machine. Docker's and nftables' answers are made here; journals are real files."""
    image, numbers = "sha256:" + "a" * 64, range(1, instances + 1)
    elements, containers, wishes = [], [], []
    with tempfile.TemporaryDirectory(prefix="bench-") as place:
        for number in numbers:
            name, network = f"shop-{number:03}", f"172.28.{number}"
            history = Path(place) / name / "state" / "history"
            history.mkdir(parents=True)
            ends = [{"event": "open", "operation": "1", "state": "released", "at": "2026-11-30T10:00:00+00:00", "after": {"image": image, "colour": "blue"}},
                    {"event": "close", "outcome": "done", "at": "2026-11-30T10:05:00+00:00"}]
            for operation in range(20):
                (history / f"20261130T1000{operation:02}-released-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in ends))
            elements += [[{"concat": [f"{network}.2", port]}, {"concat": [f"{network}.11", port]}] for port in (8069, 8072)]
            containers += [{"Names": [f"/{name}-blue-{kind}"], "State": "running", "Image": f"r/o@{image}", "Created": 1, "Labels": {}} for kind in ("web", "cron")]
            wishes.append({"name": name, "subnet": f"{network}.0/24", "page": "", "image": image})
        containers[0]["State"] = "exited"
        world = machine.World(containers=lambda: containers, fronts=lambda: json.dumps({"nftables": [{"map": {"elem": elements}}]}))
        began = time.monotonic()
        found = machine.observe(wishes, place, world)
        seconds = time.monotonic() - began
    assert [name for name, one in found.items() if one["drift"]] == ["shop-001"]
    assert world.calls == {"docker": 1, "nft": 1}, world.calls
    return {"instances": instances, "seconds": seconds, "calls": sum(world.calls.values())}


def measure(entries: int, say: Callable[[str], None]) -> dict[str, Any]:
    seconds = judging(1000, 20)
    audits = [measured(entries // 10, say), measured(entries, say)]
    return {"judging": {"plans": 1000, "gates": 20, "seconds": seconds}, "audits": audits, "drift": drift(200), "ssh_keygen": alone(50)}


def show(figures: dict[str, Any]) -> list[str]:
    small, large = figures["audits"]
    each = [found["seconds"] / found["entries"] * 1000 for found in (small, large)]
    drifted = figures["drift"]
    return ["drift of {instances} instances of a machine: {calls} calls, {seconds:.2f} s".format(**drifted),
            "1,000 plans, each judged by 20 gates: {:.2f} s".format(figures["judging"]["seconds"]),
            *(f"audit of {found['entries']:,} entries: {found['seconds']:.1f} s, {found['mib']:.1f} MiB, {found['verified']:,} signatures; "
              f"from its checkpoint {found['again']:.1f} s" for found in (small, large)),
            f"for each entry {each[0]:.1f} ms and {each[1]:.1f} ms; a call of ssh-keygen alone takes {figures['ssh_keygen'] * 1000:.1f} ms"]
