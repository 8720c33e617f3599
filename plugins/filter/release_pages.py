# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what odoo_release_info returns to the pages of the report: one for each release in each environment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
HELD = ("hold", "let_go")


def release_pages(
    statuses: Mapping[str, Mapping[str, Any]], environments: Mapping[str, str],
    requests: Sequence[Mapping[str, Any]] = (),
) -> list[dict[str, Any]]:
    """The pages, newest first.

    :param statuses: what odoo_release_info returned, by instance.
    :param environments: environment by instance.
    :param requests: what was served during an operation: ``instance``, ``operation``, ``requests``, ``failed``, ``longest``,
        ``p50``, ``p99`` (seconds) and ``reasons`` (count by reason).
    """
    served = {(item["instance"], item["operation"]): item for item in requests}
    pages: dict[tuple[str, str], dict[str, Any]] = {}
    for instance, found in sorted(statuses.items()):
        for entries in found.get("operations") or []:
            operation = _operation(instance, entries, served)
            if operation is None:
                continue
            environment = environments[instance]
            key = (environment, operation["release"])
            page = pages.setdefault(key, {
                "environment": environment,
                "release": operation["release"],
                "name": operation["name"],
                "file": UNSAFE.sub("-", "{}-{}-{}.html".format(environment, operation["name"], operation["release"][7:19])),
                "operations": [],
            })
            page["operations"].append(operation)
    for page in pages.values():
        page["operations"].sort(key=lambda operation: str(operation["at"]))
        page["at"] = page["operations"][0]["at"]
        page.update(_totals(page["operations"]))
    return sorted(pages.values(), key=lambda page: str(page["at"]), reverse=True)


def _operation(
    instance: str, entries: Sequence[Mapping[str, Any]], served: Mapping[tuple[str, str], Mapping[str, Any]]
) -> dict[str, Any] | None:
    header = next((entry for entry in entries if entry["event"] == "open"), None)
    if header is None:
        return None
    end = entries[-1]
    closed = end if end["event"] == "close" else {}
    seconds = float(end["seconds"])
    rehearsal = header.get("rehearsal") or {}
    name = str(header.get("operation", ""))
    return {
        "instance": instance,
        "id": name,
        "at": header["at"],
        "until": end["at"],
        "seconds": seconds,
        "release": str(header.get("release") or "unknown"),
        "name": str(header.get("name") or str(header.get("release") or "unknown")[7:19]),
        "before": str((header.get("before") or {}).get("release") or ""),
        "class": header.get("class"),
        "strategy": header.get("strategy"),
        "plan": header.get("plan"),
        "who": header.get("who") or "",
        "why": header.get("why") or "",
        "reasons": {module: list(why) for module, why in sorted((header.get("reasons") or {}).items())},
        "outcome": closed.get("outcome", "under way"),
        "error": closed.get("error", ""),
        "warnings": list(closed.get("warnings") or []),
        "pause": closed.get("pause"),
        "answered": closed.get("answered"),
        "predicted": rehearsal.get("pause"),
        "ddl": list(rehearsal.get("ddl") or []),
        "locks": list(rehearsal.get("locks") or []),
        "steps": _steps(entries, seconds),
        "point": _told(entries, "recovery_point").get("point") or _told(entries, "restore_point").get("point"),
        "loss": _told(entries, "export"),
        "provenance": _provenance(header.get("provenance") or {}),
        "served": served.get((instance, name)),
    }


def _provenance(found: Mapping[str, Any]) -> dict[str, Any]:
    """Where an image comes from, with every part that a page shows; of journals before that was noted all of it is empty."""
    return {**dict.fromkeys(("by", "builder", "finished", "components"), ""), "afterwards": False, "signed": [], **found, "base": found.get("base") or "",
            "sources": [{"signed_by": "", "reviewed": False, **one} for one in found.get("sources") or []]}


def _told(entries: Iterable[Mapping[str, Any]], step: str) -> Mapping[str, Any]:
    """What a step wrote into the journal when it was done."""
    return next((entry.get("data") or {} for entry in entries if entry["event"] == "done" and entry.get("step") == step), {})


def _steps(entries: Iterable[Mapping[str, Any]], total: float) -> list[dict[str, Any]]:
    """Each step and each undo with where it lies on the timeline, in percent."""
    steps: list[dict[str, Any]] = []
    open_steps: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in entries:
        event, name = entry["event"], str(entry.get("step", ""))
        if event in ("begin", "undo"):
            step = {
                "name": name, "title": entry.get("title") or name, "undo": event == "undo", "start": float(entry["seconds"]),
                "end": total, "outcome": "under way", "message": "",
            }
            steps.append(step)
            open_steps[event, name] = step
        elif event in ("done", "failed"):
            _end(open_steps.pop(("begin", name), None), entry, event)
        elif event in ("undone", "undo_failed"):
            _end(open_steps.pop(("undo", name), None), entry, "done" if event == "undone" else "failed")
    whole = max(total, 0.001)
    for step in steps:
        step["took"] = round(step["end"] - step["start"], 3)
        step["left"] = round(100 * step["start"] / whole, 2)
        step["width"] = round(max(100 * step["took"] / whole, 0.4), 2)
        step["held"] = _held(steps, step)
    return steps


def _end(step: dict[str, Any] | None, entry: Mapping[str, Any], outcome: str) -> None:
    if step is not None:
        step.update(end=float(entry["seconds"]), outcome=outcome, message=entry.get("message", ""))


def _held(steps: Sequence[Mapping[str, Any]], step: Mapping[str, Any]) -> bool:
    """Whether requests waited while this step went on."""
    hold = next((other for other in steps if other["name"] == "hold" and not other["undo"]), None)
    if hold is None or step["start"] < hold["start"]:
        return False
    end = next((
        other["end"] for other in steps
        if (other["name"] == "let_go" and not other["undo"]) or (other["name"] == "hold" and other["undo"])
    ), None)
    return end is None or step["start"] < end


def _totals(operations: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    served = [operation["served"] for operation in operations if operation["served"]]
    return {
        "outcomes": sorted({str(operation["outcome"]) for operation in operations}),
        "classes": sorted({str(operation["class"]) for operation in operations}),
        "requests": sum(item["requests"] for item in served) if served else None,
        "failed": sum(item["failed"] for item in served) if served else None,
        "longest": max(item["longest"] for item in served) if served else None,
        "pause": max((operation["pause"] or 0 for operation in operations), default=0),
    }


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Any]:
        return {"release_pages": release_pages}
