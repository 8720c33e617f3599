# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An auditor with a copy of a ledger, the list of public keys and nothing else: what is found where somebody harms the copy, by this collection and without it."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from . import prepare
from .playbook import ROOT

GUIDE = ROOT / "docs" / "guides" / "audit-without-our-software.md"


def _edit(entries: list[Path]) -> None:
    envelope = json.loads(entries[1].read_text(encoding="utf-8"))
    text = base64.b64decode(envelope["payload"]).decode().replace("example.com", "example.org", 1)
    entries[1].write_text(json.dumps({**envelope, "payload": base64.b64encode(text.encode()).decode()}), encoding="utf-8")


def _drop(entries: list[Path]) -> None:
    for earlier, later in zip(entries[2:], entries[3:], strict=False):
        earlier.write_bytes(later.read_bytes())
    entries[-1].unlink()


def _reorder(entries: list[Path]) -> None:
    one, two = entries[2].read_bytes(), entries[3].read_bytes()
    entries[2].write_bytes(two)
    entries[3].write_bytes(one)


def _truncate(entries: list[Path]) -> None:
    entries[-1].unlink()


def _replay(entries: list[Path]) -> None:
    (entries[-1].parent / f"{len(entries) + 1:08}.json").write_bytes(entries[1].read_bytes())


HARMS: dict[str, Callable[[list[Path]], None]] = {"edited": _edit, "dropped": _drop, "reordered": _reorder, "truncated": _truncate, "replayed": _replay}


class Auditor:
    """:param place: a directory of the auditor's own."""

    def __init__(self, place: Path, instance: str) -> None:
        self.place, self.instance = place, instance
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)

    def fetch(self, machine: str, governed: str, bucket: str) -> None:
        """Copy the ledgers out of the store on ``machine``, and the list of signers from the machine that is ``governed``."""
        raw = prepare.on(machine, f"tar -C /var/lib/sysgenpro-object-store/data/{bucket} -cf - ledger | base64 -w0")
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(raw))) as archive:
            archive.extractall(self.place / "kept", filter="data")
        (self.place / "allowed_signers").write_text(prepare.on(governed, "cat /etc/sysgenpro/governance/allowed_signers"), encoding="utf-8")

    def harmed(self, harm: str) -> Path:
        """A copy with that harm done to it."""
        place = self.place / harm
        shutil.copytree(self.place / "kept", place)
        HARMS[harm](sorted((place / "ledger" / self.instance).glob("*.json")))
        return place

    def findings(self, place: Path, checkpoint: dict[str, Any]) -> list[dict[str, Any]]:
        """What this collection finds in a copy: the module on this computer, which asks no machine."""
        given = {"query": "ledger", "instance": self.instance, "ledger": {"location": str(place)}, "checkpoints": [checkpoint],
                 "allowed_signers": (self.place / "allowed_signers").read_text(encoding="utf-8")}
        command = [str(Path(sys.executable).with_name("ansible")), "localhost", "-m", "sysgenpro.odoo.release_gate_info", "-a", json.dumps(given)]
        environment = {**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal", "ANSIBLE_NOCOLOR": "true",
                       "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT, env=environment)
        return list(json.loads(done.stdout[done.stdout.index("{"):])["findings"])

    def by_public_tools(self, place: Path) -> str:
        """The digest that the guide's script ends with; an empty text where it stops."""
        script = GUIDE.read_text(encoding="utf-8").split("```text\n")[1].split("```")[0]
        done = subprocess.run(["bash", "-c", script, "audit", str(place / "ledger" / self.instance), str(self.place / "allowed_signers")],
                              capture_output=True, text=True, check=False, cwd=self.place)
        return done.stdout.split()[-1] if done.returncode == 0 else ""
