# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine's instances as they run and as they were recorded, all in one look: one call of Docker, one of nftables, and files. Reads only.

Nothing is asked that has a door of its own for each instance, such as its PostgreSQL: what was recorded is read from the releases' journals.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._instance.names import LABEL, PLACES
from .._kernel.commands import run_program
from .._kernel.errors import DomainError
from .._kernel.files import read_text
from .._kernel.journal import ENDED_WELL, newest_first, parse_entries
from .._runtime.front import FAMILY, MachineFront
from .._runtime.written import changed
from .running import drifted

try:
    import docker

    HAS_DOCKER = True
except ImportError:
    HAS_DOCKER = False

CHANGES = ("released", "rolled_back")
LOOKED_BACK = 50
"""How many of an instance's newest operations are looked at for the last one that changed what runs."""
SOCKET = "/run/docker.sock"


@dataclass
class World:
    """How a machine is asked. :param calls: how often each of it was, which a test counts."""

    root: str = "/"
    containers: Callable[[], Iterable[Mapping[str, Any]]] | None = None
    fronts: Callable[[], str] | None = None
    calls: dict[str, int] = field(default_factory=lambda: {"docker": 0, "nft": 0})

    def listed(self) -> list[Mapping[str, Any]]:
        self.calls["docker"] += 1
        return list((self.containers or _containers)())

    def map(self) -> str:
        self.calls["nft"] += 1
        return (self.fronts or _fronts)()


def observe(wanted: Sequence[Mapping[str, Any]], directory: str, world: World) -> dict[str, dict[str, Any]]:
    """By instance ``recorded``, ``places``, ``leads``, the operation that is ``under_way``, and ``drift``.

    :param wanted: of each ``name``, ``subnet``, ``page``, and ``image`` (digest, or empty) and ``settings`` (or None) as the inventory declares them.
    :raises DomainError: ``docker_down``, ``missing_library``, ``front_missing``.
    """
    places = _places(world.listed(), [str(one["name"]) for one in wanted])
    listing = world.map() if wanted else ""
    found = {}
    for one in wanted:
        name, state = str(one["name"]), os.path.join(directory, str(one["name"]), "state")
        for place, there in places[name].items():
            there["files"] = list(changed(os.path.join(directory, name, "config", place.lstrip("/"))))
        recorded, under_way = recorded_of(newest_first(os.path.join(state, "history"), LOOKED_BACK)), _under_way(state)
        leads = MachineFront(name, str(one["subnet"]), str(one.get("page") or ""), nft=lambda *_arguments: listing).leads()
        found[name] = {"recorded": recorded, "places": places[name], "leads": leads, "under_way": under_way,
                       # Half-way through an operation nothing is as it was recorded, nor shall be.
                       "drift": [] if under_way else drifted(recorded, places[name], leads, str(one.get("image") or ""), one.get("settings"))}
    return found


def recorded_of(operations: Iterable[Sequence[Mapping[str, Any]]]) -> dict[str, Any] | None:
    """What the last operation that ended well left to run; None where none did.

    :param operations: journals, the newest first.
    """
    for entries in operations:
        if not entries or entries[0].get("event") != "open" or entries[-1].get("event") != "close":
            continue
        header, end = entries[0], entries[-1]
        after = header.get("after") or {}
        if header.get("state") in CHANGES and end.get("outcome") in ENDED_WELL and after.get("image"):
            return {"release": after.get("release"), "image": after["image"], "colour": after.get("colour"), "name": header.get("name") or "",
                    "settings": header.get("settings"),
                    "operation": header.get("operation") or "", "who": header.get("who") or "", "why": header.get("why") or "",
                    "began": _second(header.get("at")), "at": _second(end.get("at"))}
    return None


def _under_way(state: str) -> str:
    entries = parse_entries(read_text(os.path.join(state, "journal.jsonl")) or "")
    return str(entries[0].get("operation") or "an operation") if entries else ""


def _places(listed: Iterable[Mapping[str, Any]], names: Sequence[str]) -> dict[str, dict[str, dict[str, Any]]]:
    """Each instance's containers by place. One without a label counts by its name, since whoever makes one by hand gives it none."""
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in names}
    known = {f"{name}-{place}": (name, place) for name in names for place in PLACES}
    for item in listed:
        labels, called = item.get("Labels") or {}, str((item.get("Names") or [""])[0]).lstrip("/")
        instance, place = known.get(called, (str(labels.get(LABEL + "instance") or ""), "/" + called))
        if instance in found:
            found[instance][place] = {"running": item.get("State") == "running", "image": _image(item, labels), "made": _made(item.get("Created")), "hands": ""}
    return found


def _image(item: Mapping[str, Any], labels: Mapping[str, str]) -> str:
    """Its digest: as Docker knows it; a label is believed only where Docker knows no digest."""
    _name, _at, digest = str(item.get("Image") or "").partition("@")
    return digest or str(labels.get(LABEL + "image") or item.get("Image") or "")


def _made(seconds: Any) -> str:
    if not isinstance(seconds, (int, float)):
        return ""
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).isoformat(timespec="seconds")


def _second(moment: Any) -> str:
    """A journal's moment to the second, as Docker tells its own."""
    try:
        return datetime.datetime.fromisoformat(str(moment)).replace(microsecond=0).isoformat(timespec="seconds")
    except ValueError:
        return ""


def _containers() -> Iterable[Mapping[str, Any]]:
    if not os.path.exists(SOCKET):
        return []
    if not HAS_DOCKER:
        raise DomainError("missing_library", "Python's library docker is not installed on the machine", unchanged="Nothing was changed",
                          advice="The role sysgenpro.odoo.container_host installs it")
    try:
        return list(docker.APIClient(base_url="unix://" + SOCKET, version="auto", timeout=30).containers(all=True))
    except Exception as error:
        raise DomainError("docker_down", f"Docker does not answer: {error}", unchanged="Nothing was changed") from None


def _fronts() -> str:
    return run_program(["nft", "-j", "list", "map", *FAMILY], "front_missing", "nftables does not tell the fronts", seconds=30,
                       unchanged="Nothing was changed", advice="Run the site playbook for this machine, which makes the map 'fronts'")
