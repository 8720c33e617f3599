# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation behind ``odoo_import``: an Odoo backup becomes the database and filestore of an instance that has none yet.

As with a restore no journal is kept: a note says that database and filestore are being made, and a next run begins anew.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..._instance.database import Database
from ..._instance.names import DATABASE, DATABASE_SAID, NAME, NAME_SAID
from ..._instance.way_in import WayIn
from ..._kernel.arguments import CLUSTER
from ..._kernel.errors import DomainError, bad_input
from ..._kernel.execute import carry_out, undo
from ..._kernel.journal import Journal, locked
from ..._kernel.plan import Plan, Step
from ..._kernel.run import guard_digest
from ..model import Desired
from ..restore import Target
from ..space import MARGIN, check_space
from .archive import Archive, Contents, series_in
from .steps import MARK, Import

SERIES = re.compile(r"(saas~)?\d+\.\d+")

ARGUMENTS: dict[str, Any] = {
    "instance": {"type": "str", "required": True},
    "archive": {"type": "str", "required": True},
    "root": {"type": "path", "default": "/var/lib/sysgenpro/instances"},
    "database": {"type": "dict", "required": True, "options": CLUSTER},
    "uid": {"type": "int", "required": True},
    "series": {"type": "str"},
    "accept_losses": {"type": "bool", "default": False},
    "neutralize": {"type": "bool", "default": True},
    "bounds": {"type": "dict", "default": {}, "apply_defaults": True, "options": {"load": {"type": "int", "default": 14400}}},
    "requested_by": {"type": "str", "default": ""},
    "reason": {"type": "str", "default": ""},
    "expected_plan_digest": {"type": "str"},
}


@dataclass(frozen=True)
class Seen:
    """What one pass found.

    :param target: see ``Target.observe``.
    """

    contents: Contents
    target: Mapping[str, Any]


def wish(params: Mapping[str, Any]) -> Desired:
    """Check what the argument spec cannot.

    :raises DomainError: ``bad_input``; the message names the field.
    """
    name = params["database"]["name"]
    if not NAME.fullmatch(params["instance"]):
        raise bad_input("instance", params["instance"], NAME_SAID)
    if not DATABASE.fullmatch(name):
        raise bad_input("database.name", name, DATABASE_SAID)
    if not os.path.isabs(params["archive"]):
        raise bad_input("archive", params["archive"], "an absolute path")
    for field_, value in (("uid", params["uid"]), ("bounds.load", params["bounds"]["load"])):
        if value < 1:
            raise bad_input(field_, value, "1 or more")
    if params["series"] and not SERIES.fullmatch(params["series"]):
        raise bad_input("series", params["series"], "a series as 19.0")
    wanted = Desired(params["instance"], "imported", params)
    # As a restore's, which this is but for where it comes from.
    target = {"database": name, "filestore": wanted.filestore, "owner": name + "_owner", "uid": params["uid"]}
    return Desired(wanted.instance, wanted.state, {**params, "target": target})


def check_series(expected: str | None, found: str, whose: str) -> None:
    """:raises DomainError: ``other_series``."""
    if expected and found and expected != found:
        raise DomainError("other_series", f"series is {expected}, but {whose} is of Odoo {found}", unchanged="Nothing was changed",
                          advice="A change of series is a migration, not an import; or correct series")


def make_plan(wanted: Desired, seen: Seen) -> Plan:
    """Pure.

    :raises DomainError: ``target_exists``, ``newer_postgresql``, ``no_owner``, ``other_series``.
    """
    params, contents, target = wanted.params, seen.contents, seen.target
    mark = MARK.format(contents.digest)
    # What bears a mark is whole, though a crash may have left the note.
    interrupted = None if target["mark"] else target["interrupted"]
    there = {"database": target["mark"] is not None, "filestore": target["filestore"], "from": target["mark"] or ""}
    subject = {"instance": wanted.instance, "archive": contents.digest, "database": params["target"]["database"], "filestore": wanted.filestore,
               "accept_losses": params["accept_losses"], "neutralize": params["neutralize"]}
    facts = {"archive": contents.facts()}
    opening = Step("open", "Mark the database as whole, and open it to the instance's logins")
    if target["mark"] == mark and target["filestore"]:
        return Plan((opening,) if target["interrupted"] else (), there, there, subject, facts)
    if not interrupted and (there["database"] or there["filestore"]):
        what = "database {}".format(subject["database"]) if there["database"] else f"filestore {wanted.filestore}"
        raise DomainError("target_exists", f"the {what} exists already; an import goes only into an instance that has none",
                          unchanged="Nothing was changed", advice="Import into another instance, or remove it first")
    if contents.major > target["version"] // 10000:
        raise DomainError("newer_postgresql", "the dump is of PostgreSQL {}, the cluster is {}".format(contents.major, target["version"] // 10000),
                          unchanged="Nothing was changed", advice="Import into a cluster of the same major version or a newer one")
    if params["target"]["owner"] not in (target["roles"] or ()):
        raise DomainError("no_owner", "there is no role {} in the cluster".format(params["target"]["owner"]), unchanged="Nothing was changed",
                          advice="Run the site playbook for this machine")
    check_series(params["series"], contents.series, "the archive, by its manifest,")
    steps = [Step("clean_up", "Remove what an interrupted import left", {"filestore": interrupted["filestore"]})] if interrupted else []
    steps += [Step("claim", "Note what is being made"),
              Step("load", "Load dump and files", {"archive": contents.digest}),
              Step("compare", "Compare the files that the database names with those there")]
    if params["neutralize"]:
        steps.append(Step("neutralize", "Keep it from mail, scheduled actions, webhooks and payments"))
    return Plan((*steps, opening), there, {"database": True, "filestore": True, "from": mark}, subject, facts)


class ImportOperation:
    """What ``odoo_import`` does.

    :raises DomainError: for parameters and archives that cannot be.
    """

    writes = True

    def __init__(self, params: Mapping[str, Any]) -> None:
        self.wanted = wish(params)
        place = params["database"]
        self.database = Database(place["name"], WayIn.of(place))
        self.target = Target(self.wanted, self.database)
        self.archive = Archive(params["archive"])
        self.result: dict[str, Any] = {}
        self._current = False

    def plan(self) -> Plan:
        """Reads the archive's directory, and asks the cluster one question. Writes nothing."""
        contents = self.archive.contents
        target = self.target.observe()
        plan = make_plan(self.wanted, Seen(contents, target))
        if len(plan.steps) > 1:
            check_space(space(self.wanted, contents, target["data"]))
        self._current = not plan.steps
        return plan

    def perform(self, plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        for path in (self.wanted.state_directory, self.wanted.work):
            os.makedirs(path, mode=0o700, exist_ok=True)
        with locked(self.wanted.state_directory, {"who": self.wanted.params["requested_by"] or "unknown", "operation": "import"}):
            if Journal(self.wanted.state_directory).read():
                raise DomainError("release_interrupted", f"a release of {self.wanted.instance} was interrupted and is not finished",
                                  unchanged="Nothing was imported", advice="Run the release again first: it finishes or undoes it")
            plan = self.plan()
            guard_digest(plan, self.wanted.params["expected_plan_digest"])
            if plan.steps:
                self._carry_out(plan, timings)
        return {}

    def _carry_out(self, plan: Plan, timings: dict[str, float]) -> None:
        handlers = Import(self.wanted, self.archive, self.target)
        try:
            carry_out(_Silent(), plan.steps, handlers, timings)
        except DomainError as error:
            undo(_Silent(), plan.steps, handlers)
            raise DomainError(error.code, error.message, unchanged="What the import had made was removed", advice=error.advice,
                              **error.details) from None
        finally:
            handlers.close()
            timings.update(handlers.timings)
        self.result, self._current = dict(handlers.context.get("result", {})), True

    def facts(self) -> Mapping[str, Any]:
        """What the archive holds, and what is in the database where that was made from it."""
        contents = self.archive.contents
        told: dict[str, Any] = {"archive": contents.facts(), "losses": None, "left_out": {}, "left_out_titles": []}
        if self._current:
            modules = {name: version for name, (state, version) in self.database.observe().modules.items() if state != "to install"}
        else:
            listed = contents.manifest.get("modules")
            modules = {str(name): str(version) for name, version in listed.items()} if isinstance(listed, dict) else {}
        return {**told, "modules": modules, "series": series_in(modules.get("base", "")) or contents.series, **self.result}


def space(wanted: Desired, contents: Contents, data: str) -> dict[str, int]:
    """Bytes that must be free, by path. A database takes no less than its dump."""
    return {data: contents.dump_bytes + MARGIN, wanted.work: MARGIN + (contents.dump_bytes if contents.kind == "custom" else 0),
            wanted.directory: contents.file_bytes}


class _Silent:
    """There is no journal."""

    def write(self, event: str, **data: Any) -> None:
        del event, data
