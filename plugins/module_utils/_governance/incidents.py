# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Incidents about an image, as signed evidence: opened by one report, closed by another of the same id."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .moments import read

INCIDENT = "incident"
STATES = ("open", "closed")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
SAID = "{id: INC-12, state: open or closed, at: a moment, image: sha256:…, title: a line}"
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def incident(value: Mapping[str, Any]) -> dict[str, Any]:
    """What a report says. :raises ValueError: for what is no report of an incident."""
    name, state, title = value.get("id"), value.get("state"), value.get("title", "")
    unknown = set(value) - {"id", "state", "at", "image", "title"}
    if not isinstance(name, str) or not _ID.fullmatch(name) or state not in STATES or not isinstance(title, str) or unknown:
        raise ValueError(f"it is no report of an incident, which is JSON such as {SAID}")
    return {"tool": INCIDENT, "id": name, "state": state, "title": title.strip()[:200], "images": _DIGEST.findall(str(value.get("image", "")))}


def still_open(reports: Iterable[Mapping[str, Any]], instance: str) -> list[dict[str, Any]]:
    """The incidents that are open. What counts is when a report is of, not when it was taken in: an old one that is offered again closes nothing.

    :param reports: believed ones about one image.
    """
    newest: dict[str, Mapping[str, Any]] = {}
    for report in sorted(reports, key=lambda one: (read("at", one["made"]), one["state"] == STATES[0])):
        newest[str(report["id"])] = report
    return [{"id": name, "made": found["made"], "title": found["title"], "instance": instance}
            for name, found in sorted(newest.items()) if found["state"] == "open"]
