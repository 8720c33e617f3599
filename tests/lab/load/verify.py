# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Count afterwards what the writes left in the database: each once, none lost, every file whole."""

from __future__ import annotations

import collections
import dataclasses
import hashlib

from .browser import Answer, Browser, RpcError
from .records import Record
from .work import AWKWARD, Work


@dataclasses.dataclass(frozen=True)
class Kept:
    """What of a run's writes is there. ``lost`` and ``duplicated`` must be empty.

    :ivar unanswered: writes that were there although their request failed.
    :ivar unknown: why nothing could be counted; empty where it could.
    """

    written: int
    lost: list[str]
    duplicated: list[str]
    damaged: list[str]
    unanswered: list[str]
    unknown: str = ""

    @property
    def whole(self) -> bool:
        """Whether nothing was lost, doubled or damaged."""
        return not (self.lost or self.duplicated or self.damaged or self.unknown)


async def verify(work: Work, records: list[Record]) -> Kept:
    """Compare what was acknowledged with what the database and the filestore hold now."""
    mine = [record for record in records if record.tenant == work.tenant.name and record.marker]
    acknowledged = {record.marker for record in mine if not record.reason}
    failed = {record.marker for record in mine if record.reason}
    browser = work.browser
    try:
        partners = await browser.call("verify", "res.partner", "search_read", [], {
            "domain": [["name", "=like", f"{work.run}/%"]], "fields": ["name", "street"],
        })
        files = await browser.call("verify", "ir.attachment", "search_read", [], {
            "domain": [["name", "=like", f"{work.run}-%"]], "fields": ["name"],
        })
    except RpcError as error:
        return Kept(len(acknowledged), [], [], [], [], unknown=f"{error} was not answered")
    found = collections.Counter(partner["name"] for partner in partners)
    found.update(_marker_of(file["name"]) for file in files)
    damaged = [partner["name"] for partner in partners if partner["street"] != AWKWARD]
    for file in files:
        marker = _marker_of(file["name"])
        if marker in work.files and not await _same(browser, file["id"], work.files[marker]):
            damaged.append(marker)
    return Kept(
        written=len(acknowledged),
        lost=sorted(acknowledged - set(found)),
        duplicated=sorted(marker for marker, count in found.items() if count > 1),
        damaged=sorted(damaged),
        unanswered=sorted(failed & set(found)),
    )


def _marker_of(name: str) -> str:
    run, _, number = name.removesuffix(".bin").rpartition("-")
    return f"{run}/{number}"


async def _same(browser: Browser, identifier: int, checksum: str) -> bool:
    def judge(answer: Answer) -> str:
        if answer.status != 200:
            return f"status {answer.status}"
        return "" if hashlib.sha1(answer.body, usedforsecurity=False).hexdigest() == checksum else "other content"

    return await browser.send("verify", "GET", f"/web/content/{identifier}?download=true", judge) is not None
