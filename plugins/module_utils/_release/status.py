# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs on an instance, since when, and what the way back is. Reads only."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from .._estate.machine import recorded_of
from .._instance.database import Database
from .._instance.names import COLOURS
from .._kernel.journal import Journal, lock_holder, newest_first
from .._runtime.protocol import CHANGED_BY, Front, Runtime
from .way_back import described, own


def status(params: Mapping[str, Any], runtime: Runtime, front: Front, database: Database) -> dict[str, Any]:
    """:raises DomainError: where runtime, front or PostgreSQL do not answer."""
    instance = params["instance"]
    state = os.path.join(params["root"], instance, "state")
    places, leads = runtime.observe(), front.leads()
    seen = database.observe()
    rows = database.history(params["history"]) if seen.applied else []
    back = database.since_another() if seen.applied else []
    journal = Journal(state)
    entries = journal.read()
    newest = operations(journal.history, params["history"])
    return {
        "places": {place: {"running": found.running, "image": found.image, "made": "", "hands": hands(found.config)}
                   for place, found in sorted(places.items())},
        "recorded": recorded_of(newest),
        "instance": {
            "name": instance, "identity": _without(seen.identity, "singleton"), "colour": leads if leads in COLOURS else None,
            "release": rows[0] if rows else None, "since": rows[0]["at"] if rows else None, "way_back": described(back),
            "processes": {found.name: found.state for _place, found in sorted(places.items())},
            "lock": lock_holder(state), "interrupted": entries[0] if entries else None,
            "undo_database": database.undo if database.undo in seen.databases else None,
        },
        "history": [{**row, "here": number < len(own(rows))} for number, row in enumerate(rows)],
        "operations": newest,
    }


def operations(directory: str, limit: int) -> list[list[dict[str, Any]]]:
    """The journals of the newest operations, newest first. Their names begin with their time."""
    return list(newest_first(directory, limit))


def hands(config: str) -> str:
    """Who changed a place by hand, as a cluster's runtime says it in place of a configuration that is asked for."""
    return config[len(CHANGED_BY):] if config.startswith(CHANGED_BY) else ""


def _without(value: Mapping[str, Any] | None, key: str) -> dict[str, Any] | None:
    return {k: v for k, v in value.items() if k != key} if value else None
