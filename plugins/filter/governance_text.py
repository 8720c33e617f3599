# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What release_gate_info returns, as lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.text import joined, local_time

SHOWN = 20
"""Lines of a long list that are shown; the rest is counted."""


def _few(lines: Sequence[str]) -> list[str]:
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"  … and {more} more"] if more > 0 else [])]


def audit_summary(result: Mapping[str, Any], name: str) -> list[str]:
    """What is wrong, what is due, and what was written down last."""
    findings, head = result["findings"], result["head"]
    said = f"{len(findings)} findings" if findings else "all as they were written"
    held = "" if result["checkpoints"] else "; without a checkpoint nobody can tell whether entries are missing at the end"
    lines = [f"{name}: {head['sequence']} entries, {said}{held}"]
    waiting = result["waiting"]
    if waiting:
        lines.append(f"  WAITING on this machine, since the ledger's store was away: {joined([f'entry {number}' for number in waiting])}")
    lines += _few([f"  WRONG entry {one['sequence']}: {one['problem']}" for one in findings])
    lines += [_review(one) for one in result["reviews"]]
    lines += _few([_line(one) for one in reversed(result["entries"])])
    return [*lines, f"  newest: {head['sequence']} {head['digest']}"]


def _review(one: Mapping[str, Any]) -> str:
    due = f"{'overdue since' if one['overdue'] else 'due by'} {local_time(one['until'])}"
    return f"  BROKEN in an emergency: {joined(one['broken'])}, by {joined(one['by'])}: {one['reason']}; review {due}"


def _line(one: Mapping[str, Any]) -> str:
    said = " ".join(word for word in (one["kind"], one["what"], one["result"]) if word)
    detail = f", broken {joined(one['broken'])}" if one["broken"] else f", closed {joined(one['failed'])}" if one["failed"] else ""
    who = one["who"] if one["proven"] else f"{one['who'] or 'nobody'} by the caller's word"
    late = ", waited for the store" if one["spooled"] else ""
    return f"  {one['sequence']:4} {local_time(one['at'])} {said}, {who}{detail}{late}" + (f": {one['why']}" if one["why"] else "")


def windows_summary(result: Mapping[str, Any], name: str) -> list[str]:
    """When it may be next, and why not now."""
    calendar = result["calendar"]
    lines = [f"{name}: class {result['class']}, region {result['region'] or 'none'}, next {calendar['next_moment'] or 'not within a year'}"]
    lines += [f"  now inside the freeze {one['summary']} until {one['until']}" for one in calendar["freezes"]]
    if calendar["window"]:
        lines.append(f"  now inside the window {calendar['window']['summary']} until {calendar['window']['until']}")
    if calendar["shop_open"]:
        lines.append(f"  shops are open until {calendar['shop_until']}")
    return lines + _few([f"  {one['category']:13} {one['from']} to {one['until']}  {one['summary']}" for one in result["upcoming"]])


def simulation_summary(result: Mapping[str, Any], name: str) -> list[str]:
    """Which plans that passed the policy would have stopped."""
    stopped = [case for case in result["cases"] if case["sequence"] in result["stopped"]]
    lines = [f"{name}: would have stopped {len(stopped)} of {len(result['cases'])} plans that were judged"]
    for case in stopped:
        lines.append(f"  entry {case['sequence']} of {local_time(case['at'])}, which {case['was']}")
        lines += [f"    {gate['gate']}: {gate['reason']}" for gate in case["failed"]]
    return lines


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"audit_summary": audit_summary, "simulation_summary": simulation_summary, "windows_summary": windows_summary}
