# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether an instance is where it is looked for. Its addresses, port and uid derive from its number, so with another number nothing of it would be found,
and everything would look as if it were down."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from .._host.instances import Found, observe
from .._instance.names import FIRST_PORT, FIRST_UID, HOST_PARTS
from .._kernel.errors import DomainError


def check_place(params: Mapping[str, Any], found: Mapping[str, Found] | None = None) -> None:
    """:raises DomainError: ``number_changed``, before Docker, nftables or PostgreSQL are asked anything."""
    there = (observe(containers=lambda: []) if found is None else found).get(params["instance"])
    if there is None:
        return
    asked = {"front": str(ipaddress.ip_network(params["subnet"])[HOST_PARTS["front"]]), "port": int(params["database"]["port"])}
    holds: dict[str, Any] = {"front": there.front}
    if there.database == params["database"]["name"] and "cluster" in there.numbers:
        holds["port"] = FIRST_PORT + there.numbers["cluster"]
    if params.get("uid") and "files" in there.numbers:
        asked["uid"], holds["uid"] = int(params["uid"]), FIRST_UID + there.numbers["files"]
    differ = [key for key in asked if holds.get(key) and holds[key] != asked[key]]
    if not differ:
        return
    raise DomainError(
        "number_changed",
        "instance {0} is on this machine with {1}, and is looked for with {2}".format(
            params["instance"], _said(holds, differ), _said(asked, differ)),
        unchanged="Nothing was changed", held={key: holds[key] for key in differ}, asked={key: asked[key] for key in differ},
        advice="All of them derive from instance_number and machine_subnet: give the inventory back the ones it was made with",
    )


def _said(values: Mapping[str, Any], keys: list[str]) -> str:
    numbers = sorted({_number(key, values[key]) for key in keys})
    return "number {0} ({1})".format(" or ".join(map(str, numbers)), ", ".join("{0} {1}".format(key, values[key]) for key in keys))


def _number(key: str, value: Any) -> int:
    return int(str(value).split(".")[2]) if key == "front" else int(value) - {"port": FIRST_PORT, "uid": FIRST_UID}[key]
