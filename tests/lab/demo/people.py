# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The people of the story of governance: their keys, the list of signers, and the calendar."""

from __future__ import annotations

import datetime
import subprocess
from collections.abc import Sequence
from pathlib import Path

# Who may sign as what. Rita asks, and could approve what others ask for.
PEOPLE: dict[str, tuple[str, ...]] = {
    "rita": ("request", "app"), "anna": ("app",), "dora": ("schema",), "emil": ("emergency",), "vera": ("review",), "build": ("evidence",), "gone": ("app",),
}
# His key was valid until then.
ENDED = {"gone": ',valid-before="20260101Z"'}


class People:
    """Keys and lists in a directory of the demo's state."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        (directory / "keys").mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in PEOPLE:
            if not (directory / "keys" / name).exists():
                subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", self.key(name)], check=True)

    def key(self, name: str) -> str:
        """The path of somebody's private key."""
        return str(self.directory / "keys" / name)

    @staticmethod
    def mail(name: str) -> str:
        """By which name the list has somebody."""
        return f"{name}@example.com"

    def list_signers(self, more: Sequence[str] = ()) -> None:
        """Write the list. :param more: lines of machines whose ledgers count here."""
        lines = []
        for name, roles in PEOPLE.items():
            key = " ".join(Path(self.key(name) + ".pub").read_text(encoding="utf-8").split()[:2])
            spaces = ",".join(f"release-{role}@sysgenpro" for role in roles)
            lines.append(f'{self.mail(name)} namespaces="{spaces}"{ENDED.get(name, "")} {key}')
        (self.directory / "signers").write_text("\n".join([*lines, *more]) + "\n", encoding="utf-8")

    def freeze(self, holds: bool) -> None:
        """Write the calendar. :param holds: whether its freeze holds now, or is over since last month."""
        first = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1 if holds else 40)
        (self.directory / "peak.ics").write_text(
            "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//demo//\nBEGIN:VEVENT\nUID:peak\nSUMMARY:Peak season\nCATEGORIES:PEAK\n"
            f"DTSTART;VALUE=DATE:{first:%Y%m%d}\nDURATION:P5D\nRESOURCES:region_eu\nEND:VEVENT\nEND:VCALENDAR\n", encoding="utf-8")


def stocktaking() -> list[dict[str, str]]:
    """Days on which shops stay closed: these, wherever midnight is."""
    today = datetime.datetime.now(datetime.timezone.utc).date()
    return [{"day": str(today + datetime.timedelta(days=number))} for number in (-1, 0, 1)]
