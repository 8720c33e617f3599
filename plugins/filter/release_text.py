# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What odoo_release and odoo_release_info return, as lines for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.text import local_time

NEW = ("create_database", "restore_template")
"""Steps that make a database with Odoo's own users."""
SHOWN = 12
"""Lines of a long list that are shown; the rest is counted."""


def short(digest: Any) -> str:
    """The beginning of a digest, which names it well enough for people."""
    return str(digest or "nothing").removeprefix("sha256:")[:12]


def _few(lines: Sequence[str]) -> list[str]:
    more = len(lines) - SHOWN
    return [*lines[:SHOWN], *([f"  … and {more} more"] if more > 0 else [])]


def plan_summary(result: Mapping[str, Any], name: str) -> list[str]:
    """The plan in ``result``: what, how, why, at what price."""
    plan = result["plan"]
    steps = plan.get("steps") or []
    before, after = plan.get("before") or {}, plan.get("after") or {}
    if not steps:
        return [f"{name}: nothing to do, {short(before.get('release'))} runs"]
    lines = [
        f"{name}: {short(before.get('release'))} -> {short(after.get('release'))}, "
        f"class {plan.get('class')}, strategy {plan.get('strategy')}",
        f"  plan {plan['digest']}",
    ]
    lines += _price(plan)
    reasons = plan.get("reasons") or {}
    lines += _few([f"  update {module}: {', '.join(why)}" for module, why in sorted(reasons.items())])
    if plan.get("code_changes"):
        lines.append("  only code changes in " + ", ".join(plan["code_changes"]))
    if plan.get("without_code"):
        lines.append("  live in the database only: " + ", ".join(plan["without_code"]))
    lines += _few([f"  left out: {module} {why}" for module, why in sorted((plan.get("left_out") or {}).items())])
    if plan.get("must_be_rehearsed"):
        lines.append("  must be rehearsed first, since rehearsal is required")
    lines += [f"  look: {odd}" for odd in plan.get("extensions") or []]
    if plan.get("cannot_hold"):
        lines.append("  strategy: " + plan["cannot_hold"])
    if plan.get("in_use"):
        lines.append("  must be disconnected first: " + ", ".join(plan["in_use"]))
    lines += _rehearsal(plan.get("rehearsal") or result.get("rehearsal"))
    lines += _gates(plan.get("gates"))
    lines += [f"  {number:2}. {step['title']}" for number, step in enumerate(steps, 1)]
    return lines


def _price(plan: Mapping[str, Any]) -> list[str]:
    price = plan.get("price")
    if not price:
        return []
    return [f"  back to recovery point {plan['point']}, taken {local_time(plan['taken'])}", f"  {price['summary']}", *(
        f"    {item['given_out']} numbers of {item['name']} were given out: {item['numbers'][0]} to {item['last']}"
        for item in price["documents"] if item["numbers"])]


def _gates(found: Mapping[str, Any] | None) -> list[str]:
    """All gates at once, with what each that is closed needs and who can see to it."""
    lines = []
    for gate in (found or {}).get("gates") or []:
        word = "open" if gate["passed"] else "BROKEN" if gate["gate"] in (found or {})["broken"] else "CLOSED"
        lines.append(f"  gate {gate['gate']}: {word}, {gate['reason']}")
        if word == "CLOSED":
            lines.append(f"    needs: {gate['needs']}; who: {gate['who']}")
    return lines


def _rehearsal(found: Mapping[str, Any] | None) -> list[str]:
    if not found:
        return []
    if not found.get("ok", True):
        return [f"  rehearsed at {local_time(found.get('at'))}: failed, {found.get('error')}"]
    lines = [
        f"  rehearsed at {local_time(found.get('at'))}: predicted pause {found['pause']:.1f} s "
        f"(copy {found['copy_seconds']:.1f}, update {found['update_seconds']:.1f}, start {found['start_seconds']:.1f})"
    ]
    lines += _few([f"    {item['tag']} {item['object']}" for item in found.get("ddl") or []])
    lines += _few([
        f"    {item['mode']} on {item['table']}: {item['seconds']:.1f} s" for item in found.get("locks") or []
    ])
    return lines


def release_summary(result: Mapping[str, Any], name: str) -> list[str]:
    """What ``result`` says was done."""
    operation = result.get("operation") or {}
    plan = result.get("plan") or {}
    if "purge" in (plan.get("subject") or {}):
        return [f"{name}: {_removed(result, plan)}"]
    if not operation:
        return [f"{name}: {_untouched(result, plan)}"]
    line = f"{name}: {operation.get('outcome')}, class {plan.get('class')}"
    if (plan.get("subject") or {}).get("state") == "staged":
        line += f", staged and not routed: {_runs(result)}"
    if operation.get("pause"):
        line += f", requests waited {operation['pause']:.1f} s"
        predicted = (plan.get("rehearsal") or {}).get("pause")
        line += f" (predicted {predicted:.1f} s)" if predicted else " (not rehearsed)"
    looks = [f"  look: {warning}" for warning in operation.get("warnings") or []]
    lines = [line, *_shares(operation.get("steps")), *_answered(operation.get("answered")), *looks]
    if (result.get("ledger") or {}).get("problem"):
        lines.append("  look: " + result["ledger"]["problem"])
    if operation.get("outcome") == "done" and any(step["name"] == "first_password" for step in plan.get("steps") or []):
        lines.append("  log in as admin; the password is the instance's secret 'admin' (ansible-vault view)")
    elif operation.get("outcome") == "done" and any(step["name"] in NEW for step in plan.get("steps") or []):
        lines.append("  look: the user admin has the password that it came with, which everybody knows")
    return lines


def _shares(entries: Sequence[Mapping[str, Any]] | None) -> list[str]:
    """How a canary fared, a line for each share."""
    told = [share for entry in entries or [] if entry.get("step") == "canary" for share in (entry.get("data") or {}).get("canary") or []]
    return ["  {} of 100 requests: the new colour {}, the old one {}".format(share["percent"], _fared(share["new"]), _fared(share["old"])) for share in told]


def _fared(colour: Mapping[str, Any]) -> str:
    pace = f", half of them within {colour['pace']:.3f} s" if colour.get("pace") else ""
    return f"answered {colour['requests']}, {colour['failed']} failed{pace}"


def _runs(result: Mapping[str, Any]) -> str:
    """What runs now, in words that are true where nothing does."""
    instance = result.get("instance") or {}
    if not instance.get("colour"):
        return "nothing is served" if not instance.get("release") else f"{short(instance['release'])} is applied and nothing is served"
    return f"{short(instance.get('release'))} runs on {instance['colour']}"


def _untouched(result: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    steps = plan.get("steps") or []
    if steps:
        return f"not done, as this is a check: class {plan.get('class')}, {len(steps)} steps; {_runs(result)}"
    return f"unchanged, {_runs(result)}"


def _removed(result: Mapping[str, Any], plan: Mapping[str, Any]) -> str:
    steps = [step["name"] for step in plan.get("steps") or []]
    if not steps:
        return "unchanged, there is nothing to remove"
    purged = result.get("purged")
    if "removed" not in result:
        return f"not done, as this is a check: {len(steps)} steps; {_runs(result)}"
    said = "removed; nothing of it runs"
    if not purged:
        return f"{said}. Database and filestore stay"
    return "{}. Dropped: {}; removed: {}".format(
        said, ", ".join(purged["databases"]) or "no database", ", ".join(purged["directories"]) or "no directory")


def _answered(found: Mapping[str, Any] | None) -> list[str]:
    """What the edge answered; what it answered 5xx is among the warnings."""
    if not found:
        return []
    waited = f", {found['waited']} waited together at the end of the hold, the longest {found['longest']:.1f} s" if found.get("waited") else ""
    return [f"  the edge answered {found['requests']} requests, {found['failed'] or 'none'} of them 5xx{waited}"]


def _recovery(found: Mapping[str, Any] | None) -> list[str]:
    if not found:
        return []
    if found.get("problem"):
        return [f"  recovery points cannot be read: {found['problem']}"]
    verified = [point for point in found["points"] if point["state"] == "verified"]
    newest = min((point["age"] for point in verified), default=None)
    said = f", the newest is {newest // 60} min old" if newest is not None else ""
    return [f"  recovery points: {len(found['points'])}, {len(verified)} of them verified{said}"]


def share_summary(share: Mapping[str, Any] | None) -> list[str]:
    """A tenant's share, and whatever somebody should know of it."""
    if not share:
        return []
    if "limits" not in share:
        return [f"  its share cannot be read: {share.get('problem')}"]
    fullest, room = share.get("fullest") or {}, share.get("second_colour") or {}
    said = f"  share {share.get('profile') or 'of its own size'}"
    if fullest.get("limit"):
        said += f", {fullest['limit']} is the fullest with {fullest['used']:.0%}"
    lines = [said + (", a second colour fits" if room.get("fits") else "")]
    if not room.get("fits"):
        lines.append("  look: a second colour does not fit: " + ", ".join(
            f"{word} {of['free']} free, {of['needs']} needed" for word, of in room.items() if isinstance(of, Mapping)))
    lines += [f"  look: {noise['by']} {noise['uses']} of {noise['of']} ({noise['is']})" for noise in share.get("noisy") or []]
    lines += [f"  look: {word} grows by {grown['per_day'] / 1e6:.0f} MB a day and reaches its limit at {local_time(grown['reached'])}"
              for word, grown in sorted((share.get("forecast") or {}).items()) if grown.get("reached")]
    if share.get("waits_for_restart"):
        lines.append("  look: PostgreSQL takes its number of connections when it is started anew")
    return lines


def status_summary(found: Mapping[str, Any], name: str) -> list[str]:
    """What runs, since when, the way back, and who is at it."""
    instance = found["instance"]
    release = instance.get("release") or {}
    back = instance.get("way_back") or {}
    lines = [
        f"{name}: {release.get('name') or short(release.get('release'))} ({short(release.get('release'))}) "
        f"on {instance.get('colour') or 'no colour'}, since {local_time(instance.get('since')) or 'never'}"
    ]
    if release:
        lines.append(f"  by {release.get('who') or 'unknown'}" + (f": {release['reason']}" if release.get("reason") else ""))
    lines.append("  way back: " + str(back.get("said") or "none"))
    lines += _recovery(found.get("recovery"))
    lines += share_summary(found.get("share"))
    lines += [f"  {process}: {state}" for process, state in sorted((instance.get("processes") or {}).items())]
    lock = instance.get("lock")
    if lock:
        lines.append(f"  locked by {lock.get('who')} for {lock.get('operation')} since {local_time(lock.get('since'))}")
    if instance.get("interrupted"):
        lines.append("  interrupted: " + str(instance["interrupted"].get("operation")))
    return lines


def points_summary(result: Mapping[str, Any], name: str) -> list[str]:
    """What pg_recovery_point did, and the points there are."""
    plan = result.get("plan") or {}
    lines = [f"{name}: " + ("; ".join(step["title"] for step in plan.get("steps") or []) or "nothing to do")]
    lines += _few([f"  keeps {point}: {', '.join(why)}" for point, why in sorted((plan.get("keep") or {}).items())])
    lines += _few([f"  removes {point}: {why}" for point, why in sorted((plan.get("remove") or {}).items())])
    timings = result.get("timings") or {}
    if "store" in timings:
        lines.append(f"  stored in {timings['store']:.3f} s, attachments locked for {timings.get('lock_held', 0):.4f} s")
    points = result.get("points") or []
    lines += _few([
        f"  {point['id']}: {point['state']}{_reserved(point)}, {point['age'] // 60} min old"
        + (f", {point['files']} files, {point['bytes'] / 1e6:.0f} MB, {point['added'] / 1e6:.1f} MB of it new" if "files" in point else "")
        + (f", held until {local_time(point['hold'])}" if point.get("hold") else "") + (f": {point['problem']}" if point.get("problem") else "")
        for point in points])
    return lines


def _reserved(point: Mapping[str, Any]) -> str:
    """What the state of a point does not say."""
    said = " (its schema was not loaded)" if point.get("schema") == "skipped" else ""
    lost = point.get("losses") or {}
    return said + "".join(f", without {lost[kind]} lost files that {text}" for kind, text in (
        ("new", "nobody accepted"), ("accepted", "were accepted")) if lost.get(kind))


class FilterModule:
    """The filters of this file."""

    def filters(self) -> dict[str, Any]:
        return {"plan_summary": plan_summary, "points_summary": points_summary, "release_summary": release_summary, "status_summary": status_summary}
