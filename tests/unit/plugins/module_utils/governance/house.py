# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine that is governed, with people who have real keys, and a clock that is handed in."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._documents.signing import Signer
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance import operation
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.arguments import ARGUMENTS, INFO
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.info import information
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.ledger import Ledger
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.place import Governance, found
from ansible_collections.sysgenpro.odoo.plugins.module_utils._governance.signers import ROLES
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.arguments import filled

LEDGERS = "ledger-acme-*@sysgenpro"
UTC = datetime.timezone.utc
NOW = datetime.datetime(2026, 11, 30, 21, 0, tzinfo=UTC)     # a Monday, 22:00 in Berlin
PLAN = "sha256:" + "a1" * 32
OTHER = "sha256:" + "b2" * 32
IMAGE = "sha256:" + "c3" * 32
INSTANCE = "acme-production"
PEOPLE: dict[str, tuple[str, ...]] = {
    "rita@example.com": ("request",), "anna@example.com": ("app",), "aron@example.com": ("app",), "dora@example.com": ("schema",),
    "emil@example.com": ("emergency",), "vera@example.com": ("review",), "build@example.com": ("evidence", "build", "image"),
}
POLICY: dict[str, Any] = {
    "default": "production",
    "instances": {INSTANCE: {"class": "production", "environment": "production", "region": "eu", "lower": "acme-uat"},
                  "acme-uat": {"class": "open", "environment": "uat"}},
    "regions": {"eu": {"time_zone": "Europe/Berlin", "store_hours": [{"days": ["mon", "tue", "wed", "thu", "fri", "sat"], "from": "08:00", "to": "20:00"}]}},
    "classes": {"open": {"gates": []}, "production": {"gates": [{"gate": "approved", "role": "app"}, {"gate": "approved", "role": "schema"}]}},
}


def key_of(directory: Path, name: str) -> str:
    """The path of somebody's private key, made once."""
    path = directory / "keys" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)], check=True)
    return str(path)


class House:
    """:ivar now: what the clock says."""

    def __init__(self, directory: Path, policy: dict[str, Any] | None = None) -> None:
        self.directory, self.now, self.place = directory, NOW, directory / "governance"
        self.policy: dict[str, Any] = json.loads(json.dumps(policy or POLICY))
        self.calendars: dict[str, str] = {}
        self.lines = [self.line(name, *(ROLES[role] for role in roles)) for name, roles in PEOPLE.items()]
        self.kept = directory / "kept"
        for path in (self.place, self.kept):
            path.mkdir()
        Signer(str(self.kept / "ledger_key")).make_key()
        self.lines.append(f'ledger@vm-1 namespaces="{LEDGERS}" ' + Signer(str(self.kept / "ledger_key")).public)
        self.write()

    def line(self, name: str, *namespaces: str, bounds: str = "") -> str:
        return f'{name} namespaces="{",".join(namespaces)}"{bounds} ' + Signer(key_of(self.directory, name)).public

    def write(self) -> None:
        """Put what there is in place, as the role does."""
        (self.place / "calendars").mkdir(exist_ok=True)
        texts = {"policy.json": json.dumps(self.policy), "allowed_signers": "\n".join(self.lines) + "\n",
                 "ledger.json": json.dumps({"location": str(self.directory / "store"), "writer": "ledger@vm-1"}),
                 **{f"calendars/{name}": text for name, text in self.calendars.items()}}
        for name, text in texts.items():
            (self.place / name).write_text(text)
            os.chmod(self.place / name, 0o600)

    def governance(self) -> Governance:
        governance = found(str(self.place), str(self.kept), lambda: self.now, os.getuid())
        assert governance
        return governance

    def ledger(self, instance: str = INSTANCE) -> Ledger:
        return self.governance().ledger(instance)

    def path(self, sequence: int, instance: str = INSTANCE) -> Path:
        return self.directory / "store" / "ledger" / instance / f"{sequence:08}.json"

    # -- as the module does ---------------------------------------------------------------------

    def signed(self, by: str, role: str = "app", key: str = "", at: datetime.datetime | None = None, **more: Any) -> dict[str, Any]:
        """An envelope, signed where the key is."""
        params = filled(ARGUMENTS, {"state": "signed", "instance": INSTANCE, "plan": PLAN, "role": role, "by": by, "key": key_of(self.directory, key or by),
                                    **more})
        before, operation.utc_now = operation.utc_now, lambda: at or self.now
        try:
            signing = operation.Signing(params)
        finally:
            operation.utc_now = before
        envelope: dict[str, Any] = dict(signing.perform(signing.plan(), {}))["envelope"]
        return envelope

    def record(self, envelope: dict[str, Any], instance: str = INSTANCE) -> bool:
        """Take it in. Returns whether anything was changed."""
        recording = operation.Recording(filled(ARGUMENTS, {"state": "recorded", "instance": instance, "envelope": envelope}), self.governance)
        plan = recording.plan()
        if plan.steps:
            recording.perform(plan, {})
        return bool(plan.steps)

    def decide(self, by: str, role: str = "app", **more: Any) -> dict[str, Any]:
        envelope = self.signed(by, role, **more)
        assert self.record(envelope)
        return envelope

    def ask(self, query: str, **more: Any) -> dict[str, Any]:
        return information(filled(INFO, {"query": query, "instance": INSTANCE, **more}), self.governance, lambda: self.now)
