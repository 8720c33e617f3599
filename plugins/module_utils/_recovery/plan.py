# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What would be done, by state: pure."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._kernel.errors import DomainError, known
from .._kernel.plan import Plan, Step
from .model import Desired, Point, moment
from .points import find
from .retention import Decision, decide

# A snapshot without manifest that is older than this, in seconds, is what a crash left; a younger one may be under way.
ABANDONED = 86400
# What is dated further than this in the future, in seconds, was written by a clock that was wrong; nobody knows how old it is.
CLOCK = 300


@dataclass(frozen=True)
class Observed:
    """What one pass over repository, documents and database found.

    :param repository_id: the repository's id; None where there is none.
    :param snapshots: of the repository, where they matter.
    :param target: what is there of a restore's target; see ``Target.observe``.
    :param fresh: whether the target is to be made.
    :param tried: whether the store is known to do what documents need.
    """

    now: datetime.datetime
    repository_id: str | None
    points: Sequence[Point] = ()
    snapshots: Sequence[Mapping[str, Any]] = ()
    target: Mapping[str, Any] = field(default_factory=dict)
    fresh: bool = True
    tried: bool = True


def make_plan(wanted: Desired, seen: Observed) -> Plan:
    """:raises DomainError: for what cannot be done."""
    return {"captured": _capture, "verified": _verify, "restored": _restore, "held": _hold, "absent": _expire}[wanted.state](wanted, seen)


def _plan(wanted: Desired, seen: Observed, steps: Sequence[Step], after: Mapping[str, Any], subject: Mapping[str, Any],
          facts: Mapping[str, Any] | None = None) -> Plan:
    before = {"points": {point.id: point.state for point in seen.points}}
    base = {"instance": wanted.instance, "source": wanted.source, "state": wanted.state,
            "repository": wanted.params["repository"]["location"]}
    return Plan(tuple(steps), before, {**before, **after} if steps else before, {**base, **subject}, facts or {})


def _capture(wanted: Desired, seen: Observed) -> Plan:
    newest = next((point for point in seen.points if not point.problem and point.state != "failed"), None)
    age = (seen.now - newest.taken).total_seconds() if newest else None
    bound = wanted.params["max_age"]
    young = bool(bound) and _young(age, bound)
    facts = {"newest": newest.id if newest else None, "age": round(age) if age is not None else None}
    steps = [] if young else [
        *([] if seen.tried else [Step("probe", "Try whether the store does what recovery points need, and take the trial away")]),
        Step("prepare", "Make the repository" if not seen.repository_id else "Open the repository",
             {"init": not seen.repository_id, "repository": seen.repository_id}),
        Step("pin", "Pin all files that are referenced"),
        Step("freeze", "Lock attachments for milliseconds, export a snapshot, pin what is new"),
        Step("dump", "Dump the database as of that snapshot; prove meanwhile that every pinned file is what its name says"),
        Step("store", "Store files and dump, and compare what the repository says with what it was given"),
        Step("record", "Write the signed manifest"),
    ]
    subject = {"engine": wanted.params["engine"], "database": wanted.params["database"]["name"],
               "accepted_losses": sorted(wanted.params["accepted_losses"]), "accept_losses": bool(wanted.params["accept_losses"]),
               "keep_until": wanted.params["keep_until"]}
    return _plan(wanted, seen, steps, {"points": {"(new)": "captured", **{p.id: p.state for p in seen.points}}}, subject, facts)


def _young(age: float | None, bound: float) -> bool:
    return age is not None and -CLOCK <= age <= bound


def _verify(wanted: Desired, seen: Observed) -> Plan:
    point = find(list(seen.points), wanted.params["point"], wanted.source)
    age = (seen.now - moment(known(point.verification)["at"])).total_seconds() if point.state == "verified" else None
    bound = wanted.params["max_age"]
    load = bool(wanted.params["load_schema"])
    done = age is not None and (not bound or _young(age, bound)) and (point.schema == "loaded" or not load)
    steps = [] if done else [
        Step("read", f"Read all that was stored for {point.id} and prove every file", {"point": point.id}),
        Step("read_dump", "Read the dump as a restore would"),
        *([Step("load_schema", "Load its schema into a scratch database, and remove that")] if load else []),
        Step("note", "Write down that it is verified" + ("" if load else ", without its schema having been loaded")),
    ]
    after = {"points": {**{p.id: p.state for p in seen.points}, point.id: "verified"}}
    return _plan(wanted, seen, steps, after, {"point": point.id, "load_schema": load}, {"point": point.id})


def _restore(wanted: Desired, seen: Observed) -> Plan:
    point = find(list(seen.points), wanted.params["point"], wanted.source)
    target = wanted.params["target"]
    steps = []
    if seen.fresh:
        interrupted = seen.target.get("interrupted")
        if interrupted:
            steps.append(Step("clean_up", "Remove what an interrupted restore left", {"filestore": interrupted["filestore"]}))
        steps += [
            Step("claim", "Note what is being made"),
            Step("load", f"Load database and files of {point.id}", {"point": point.id}),
            Step("compare", "Compare the files that the database names with those there"),
            Step("mark", "Mark the database as whole; it stays closed to logins"),
        ]
    after = {"target": {"database": target["database"], "filestore": target["filestore"], "point": point.id}}
    return _plan(wanted, seen, steps, after, {"point": point.id, "target": dict(target)}, {"point": point.id})


def _hold(wanted: Desired, seen: Observed) -> Plan:
    point = find(list(seen.points), wanted.params["point"], wanted.source)
    until = moment(wanted.params["keep_until"])
    held = bool(point.hold) and moment(point.hold) >= until
    steps = [] if held else [Step("hold", f"Hold {point.id} until {until.isoformat()}", {"point": point.id, "until": until.isoformat()})]
    return _plan(wanted, seen, steps, {"holds": {point.id: until.isoformat()}}, {"point": point.id, "until": until.isoformat()},
                 {"point": point.id})


def _expire(wanted: Desired, seen: Observed) -> Plan:
    if not seen.repository_id:
        raise DomainError("no_repository", "there is no repository in {}".format(wanted.params["repository"]["location"]),
                          unchanged="Nothing was changed", advice="Look whether it is mounted or reachable")
    decision = decide(seen.points, wanted.params["retention"], wanted.params["points"], seen.now)
    abandoned = _abandoned(seen)
    if abandoned and not any(point.id in decision.keep and not point.problem for point in seen.points):
        raise DomainError(
            "removes_everything", "no recovery point of {} that can be trusted is in {}, but the repository has {} of its snapshots, which this would"
            " remove".format(wanted.source, wanted.params["repository"]["location"], len(abandoned)), unchanged="Nothing was changed",
            advice="Look why no point is listed (points/ beside the repository lost, another instance's name, a key not in trusted_signers);"
                   " where all is as it should be, capture one first")
    snapshots = sorted({*_snapshots_of(seen, decision), *abandoned})
    steps = []
    if decision.remove:
        steps.append(Step("remove", "Remove the documents of {}".format(", ".join(sorted(decision.remove))),
                          {"points": sorted(decision.remove)}))
    if snapshots:
        steps.append(Step("forget", f"Forget {len(snapshots)} snapshots", {"snapshots": snapshots}))
        if wanted.params["prune"]:
            steps.append(Step("prune", "Remove data that no snapshot needs"))
    after = {"points": {point.id: point.state for point in seen.points if point.id not in decision.remove}}
    subject = {"remove": sorted(decision.remove), "snapshots": snapshots}
    return _plan(wanted, seen, steps, after, subject, {**_reasons(decision), "abandoned": abandoned})


def _snapshots_of(seen: Observed, decision: Decision) -> set[str]:
    """Snapshots in the repository of points that are removed: by their manifests, or by their tags where a manifest cannot be read."""
    going = [point for point in seen.points if point.id in decision.remove]
    named = {point.manifest["repository"]["snapshot"] for point in going if not point.problem}
    tags = {"point=" + point.id for point in going if point.problem}
    return {found["id"] for found in seen.snapshots if found["id"] in named or tags.intersection(found.get("tags") or ())}


def _reasons(decision: Decision) -> dict[str, Any]:
    return {"keep": {point: list(reasons) for point, reasons in decision.keep.items()}, "remove": dict(decision.remove)}


def _abandoned(seen: Observed) -> list[str]:
    """Snapshots that no point names, not even one that cannot be trusted."""
    named = {"point=" + point.id for point in seen.points}
    return [found["id"] for found in seen.snapshots
            if not named.intersection(found.get("tags") or ()) and (seen.now - snapshot_time(found)).total_seconds() > ABANDONED]


def snapshot_time(snapshot: Mapping[str, Any]) -> datetime.datetime:
    """restic gives nanoseconds, which Python's parser before 3.11 does not take."""
    text = str(snapshot["time"])
    whole, _dot, rest = text.partition(".")
    zone = rest.lstrip("0123456789") if rest else ""
    return moment(whole + (zone or "")) if rest else moment(text)
