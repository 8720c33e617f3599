# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many connections to PostgreSQL an instance's processes may open: Odoo's ``db_maxconn`` is a bound of each process, not of all."""

from __future__ import annotations

from dataclasses import dataclass

REALTIME_CONNECTIONS = 16
"""Of the one process that serves websockets; ``odoo_release`` writes it as ``db_maxconn_gevent``."""
RESERVE = 20
"""Connections for operators, monitoring, dumps and a rehearsal's clone."""
RUNNER_CONNECTIONS = 2
"""Of the runner of the queue's process, beside one pool for each job that runs at once."""


KEPT = 5
"""Connections that PostgreSQL keeps for its superuser (``superuser_reserved_connections``)."""


@dataclass(frozen=True)
class Needed:
    """:ivar all: with both colours, an update and the reserve. :ivar colour: of one colour. :ivar said: the arithmetic, for people."""

    all: int
    colour: int
    said: str


def needed(workers: int, cron: int, pool: int, jobs: int = 0) -> Needed:
    """What all processes of an instance may open at once.

    :param pool: ``db_maxconn``. :param jobs: of the queue that run at once; see ``jobs_of``.
    """
    colour = (workers + cron) * pool + REALTIME_CONNECTIONS
    queue = jobs * pool + RUNNER_CONNECTIONS if jobs else 0
    said = (f"2 colours x (({workers} web + {cron} cron) x {pool} + {REALTIME_CONNECTIONS} websocket) + " + (f"{queue} queue + " if queue else "")
            + f"{pool} update + {RESERVE} reserve")
    return Needed(2 * colour + queue + pool + RESERVE, colour, said)


def of_a_login(granted: int, need: Needed) -> int:
    """The most that one login of a colour may open: what leaves the other colour all that it may open, and who has to help a way in."""
    return granted - KEPT - need.colour


def jobs_of(channels: object) -> int:
    """How many jobs run at once: the capacity of ``root`` among the channels of ``queue_job``, 1 where they do not say; none without channels.

    :raises ValueError: where they are no channels.
    """
    text = str(channels or "").replace("\n", ",")
    named = [[part.strip() for part in channel.split(":")] for channel in text.split(",") if channel.strip()]
    return max([int(part[1]) if part[1:] and part[1] else 1 for part in named if part[0] == "root"] or [1 if named else 0])
