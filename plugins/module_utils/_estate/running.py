# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs of an instance beside what was recorded of it and what the inventory declares; and who changed it, as far as anybody knows. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._instance.names import COLOURS, KINDS, QUEUE, place
from .._kernel.text import joined
from .._runtime.protocol import CHANGED_BY
from .differences import differing

NOBODY = "nobody recorded it"


def drifted(recorded: Mapping[str, Any] | None, places: Mapping[str, Mapping[str, Any]], leads: str | None, declared: str = "",
            settings: Mapping[str, Any] | None = None) -> list[dict[str, str]]:
    """Each difference: ``between`` (``declared`` or ``running``, against what is recorded), ``what``, ``recorded``, ``found``, ``who`` and ``at``.

    :param recorded: ``release``, ``image``, ``colour``, ``settings``, ``who`` and ``at`` of the operation that ended well last; None
        where nothing was released.
    :param places: by place ``running``, ``image``, ``made`` (ISO 8601, or empty), ``hands`` (who else changed it, or empty) and ``files``: those changed
        since it was given them, each with the moment.
    :param leads: the colour that the front leads to; None where it refuses.
    :param declared: digest of the image that the inventory declares; empty where it declares none.
    :param settings: those that it declares, as an operation records them; None where that is not known.
    """
    if recorded is None:
        running = sorted(name for name, one in places.items() if one["running"])
        found = [_difference("running", name, "nothing was released", _shown(places[name]["image"]), *_hand(places[name], None)) for name in running]
        return found + ([_difference("declared", "release", "nothing was released", _shown(declared), "", "")] if declared else [])
    found, author = [], (str(recorded.get("who") or ""), str(recorded.get("at") or ""))
    if declared and declared != recorded["image"]:
        found.append(_difference("declared", "release", _shown(recorded["image"]), _shown(declared), *author))
    if settings is not None and recorded.get("settings") is not None:
        found += [_difference("declared", one["what"], _setting(one["baseline"]), _setting(one["value"]), *author)
                  for one in differing(recorded["settings"], settings)]
    colour = str(recorded["colour"] or "")
    if leads != recorded["colour"]:
        found.append(_difference("running", "front", f"leads to {colour or 'nothing'}", f"leads to {leads}" if leads else "refuses", NOBODY, ""))
    for name, one in sorted(places.items()):
        found += _place(name, one, recorded, colour)
    return found + [_difference("running", name, "runs", "is not there", NOBODY, "")
                    for name in (place(colour, kind) for kind in KINDS) if colour in COLOURS and name not in places]


def _place(name: str, one: Mapping[str, Any], recorded: Mapping[str, Any], colour: str) -> list[dict[str, str]]:
    leading = [place(colour, kind) for kind in (*KINDS, QUEUE)]
    others = [place(other, kind) for other in COLOURS for kind in (*KINDS, QUEUE) if other != colour]
    if name in leading:
        if not one["running"]:
            # Whether jobs run is the release's business: a queue that rests is as it should be where there are none.
            return [] if name.endswith("-" + QUEUE) else [_difference("running", name, "runs", "does not run", *_hand(one, None))]
        if one["image"] != recorded["image"]:
            return [_difference("running", name, _shown(recorded["image"]), _shown(one["image"]), *_hand(one, recorded))]
        found = [_difference("running", f"{name}: {file}", "as it was released", "changed" if at else "is not there", NOBODY, at)
                 for file, at in one.get("files") or ()]
        return found + ([_difference("running", name, "as it was released", CHANGED_BY + one["hands"], one["hands"], "")] if one.get("hands") else [])
    if name in others:
        return [_difference("running", name, "rests", "runs", *_hand(one, recorded))] if one["running"] else []
    # Places that run once are an operation's own while it goes on; what has no place is nobody's.
    return [_difference("running", name, "is not there", _shown(one["image"]), *_hand(one, None))] if name.startswith("/") else []


def _hand(one: Mapping[str, Any], recorded: Mapping[str, Any] | None) -> tuple[str, str]:
    """Who changed a place, and when. What was made within the recorded operation is its; of anything else nothing but the moment is known."""
    if one.get("hands"):
        return str(one["hands"]), str(one.get("made") or "")
    made = str(one.get("made") or "")
    if recorded and made and str(recorded.get("began") or "") <= made <= str(recorded.get("at") or ""):
        return str(recorded.get("who") or NOBODY), made
    return NOBODY, made


def _difference(between: str, what: str, recorded: str, found: str, who: str, at: str) -> dict[str, str]:
    return {"between": between, "what": what, "recorded": recorded, "found": found, "who": who, "at": at}


def _setting(value: Any) -> str:
    if isinstance(value, list):
        return joined([str(one) for one in value]) if value else "none"
    return "not set" if value is None else str(value)


def _shown(image: Any) -> str:
    return f"image {str(image)[:19]}" if image else "no image that is known"
