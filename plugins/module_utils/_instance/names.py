# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How an instance and its parts are called and numbered, wherever it runs: each name, port and host part in this one place."""

from __future__ import annotations

import re

NAME = re.compile(r"[a-z][a-z0-9-]{0,39}")
NAME_SAID = "lower-case letters, digits and dashes, a letter first, at most 40"

NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
NAMESPACE_SAID = "a DNS label: lower-case letters, digits and dashes inside, at most 63"

# PostgreSQL cuts names at 63 bytes (NAMEDATALEN); the longest one made of a database's name ends in "_rehearsal_copy".
POSTGRESQL_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
POSTGRESQL_NAME_SAID = "lower-case letters, digits and _, a letter first, at most 63"
DATABASE = re.compile(r"[a-z][a-z0-9_]{0,47}")
DATABASE_SAID = "lower-case letters, digits and _, a letter first, at most 48"
BESIDE = ("_undo", "_failed", "_back", "_rehearsal", "_rehearsal_copy")
"""Ends of the names of what an instance's releases keep beside its database for a while."""

COLOURS = ("blue", "green")
KINDS = ("web", "cron")
"""Kinds of process that every instance has in each colour; websockets are served in the web process' place."""
QUEUE = "queue"
"""Only where there are jobs: instances that were made before this kind was known have no login roles for it."""
UPDATE, REHEARSAL = "update", "rehearsal"
"""Places that run once."""

LOGINS = (*(f"{colour}_{kind}" for colour in COLOURS for kind in KINDS), UPDATE)
"""Login roles that every instance has, without the database's name in front."""
QUEUE_LOGINS = tuple(f"{colour}_{QUEUE}" for colour in COLOURS)
OWNER = "owner"
"""Ends the name of the role that owns the database and that nobody logs in as."""

HTTP, REALTIME = 8069, 8072
"""Ports of an Odoo process: HTTP, and websocket or longpolling."""
FRONT = "front"
HOST_PARTS = {
    FRONT: 2, "blue-web": 11, "blue-cron": 12, "blue-queue": 13, "green-web": 21, "green-cron": 22, "green-queue": 23, UPDATE: 31, REHEARSAL: 41,
}
"""Host part of each address in an instance's network, on a VM."""
PLACES = tuple(name for name in HOST_PARTS if name != FRONT)
"""Of all kinds, in both colours."""

NUMBERS = range(1, 251)
FIRST_PORT, FIRST_UID = 5500, 20000
"""An instance's number is added to these: the port of its PostgreSQL, the user its processes run as."""
LABEL = "org.sysgenpro."
"""Begins the names of the labels that a container, or whatever a runtime makes, bears."""


def place(colour: str, kind: str) -> str:
    """The place of a kind of process in a colour: ``blue-web``."""
    return f"{colour}-{kind}"


def role(database: str, login: str) -> str:
    """The login role of an instance: ``acme_production_blue_web``."""
    return f"{database}_{login}"


def logins_of(database: str) -> list[str]:
    """The login roles that an instance may have; others may well begin with its name."""
    return [role(database, login) for login in (*LOGINS[:-1], *QUEUE_LOGINS, UPDATE)]


def other(colour: str | None) -> str:
    """The colour that is free."""
    return "green" if colour == "blue" else "blue"
