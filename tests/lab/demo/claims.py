# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the demo claims, and whether it was so; the summary that stands at its end."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from load import Record, summarise


@dataclasses.dataclass
class Claims:
    """Each claim with whether it held."""

    made: list[tuple[bool, str]] = dataclasses.field(default_factory=list)

    def check(self, held: bool, text: str) -> bool:
        """Make a claim."""
        self.made.append((held, text))
        return held

    @property
    def held(self) -> bool:
        """Whether all of them held."""
        return all(held for held, _text in self.made)


@dataclasses.dataclass(frozen=True)
class Operation:
    """One operation of an instance, from its journal, with what was served meanwhile."""

    instance: str
    environment: str
    header: Mapping[str, Any]
    end: Mapping[str, Any]
    served: dict[str, Any] | None

    @property
    def outcome(self) -> str:
        """``done``, ``undone`` or ``finished``."""
        return str(self.end.get("outcome", "under way"))


def read_operations(directory: Path, records: Sequence[Record]) -> list[Operation]:
    """All operations in what ``status`` left in ``directory``, oldest first."""
    found = []
    loaded = {record.tenant for record in records}
    for path in sorted(directory.glob("*.json")):
        status = json.loads(path.read_text(encoding="utf-8"))
        for entries in status["operations"]:
            header, end = entries[0], entries[-1]
            served = None
            if path.stem in loaded:
                window = (_epoch(header["at"]), _epoch(end["at"]))
                total = summarise(records, path.stem, *window)
                served = total.as_dict() if total.requests else None
            found.append(Operation(path.stem, status["environment"], header, end, served))
    return sorted(found, key=lambda operation: str(operation.header["at"]))


def sentences(log: Path) -> list[str]:
    """What a playbook's output says of each task that failed, as people see it: one line each."""
    return [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.startswith("[ERROR]: Task failed")]


def _epoch(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def served_by_operation(operations: Iterable[Operation]) -> list[dict[str, Any]]:
    """What the report's playbook takes as ``report_requests_path``."""
    return [
        {"instance": item.instance, "operation": item.header["operation"],
         **{key: item.served[key] for key in ("requests", "failed", "longest", "p50", "p99", "reasons")}}
        for item in operations if item.served
    ]


COLUMNS = (
    "release", "environment", "instance", "class", "requests", "failed", "together", "longest", "predicted", "pause", "outcome",
)


def table(operations: Iterable[Operation]) -> list[str]:
    """The summary as lines of text."""
    rows = [COLUMNS]
    for item in operations:
        served = item.served
        rehearsal = item.header.get("rehearsal") or {}
        rows.append((
            str(item.header.get("name") or ""), item.environment, item.instance, str(item.header["class"]),
            str(served["requests"]) if served else "-", str(served["failed"]) if served else "-",
            str(served["together"]) if served else "-",
            f"{served['longest']:.1f} s" if served else "-",
            f"{rehearsal['pause']:.1f} s" if rehearsal.get("pause") else "-",
            f"{item.end['pause']:.1f} s" if item.end.get("pause") else "-", item.outcome,
        ))
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
