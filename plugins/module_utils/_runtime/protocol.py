# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The seam between a release and whatever its processes run on: one instance's *places*, and its front.

A place is one of the instance's processes by what it is: ``blue-web``, ``green-cron``, ``update``. No container, pod or address is known above.
Every method may be called again after a crash anywhere, and outlives a restart of the runtime's own services as far as its docstring says.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

HOME = "/var/lib/odoo"
ETC = "/etc/odoo"
RUN = "/run/odoo"
SOCKETS = "/run/postgresql-instance"
SESSION_SOCKETS = "/run/redis-instance"
"""Where a process finds its data, its files, the directory that tells what goes on in it, and the sockets of PostgreSQL and Redis."""

PAGE = "page"
"""Where a front leads that shows the maintenance page."""
ELSEWHERE = "elsewhere"
"""Where a front leads that leads to no whole colour: somebody's hand was in it, or a boot half-way."""
CHANGED_BY = "changed by "
"""How a place's configuration begins that somebody else changed since: then whose hand it was, as far as the runtime knows."""


@dataclass(frozen=True)
class Found:
    """A place as it was seen.

    :param name: by which people find it on the runtime.
    :param state: in the runtime's own word.
    :param release: id of the release that it was made of. :param image: its image's digest. :param config: digest of its configuration.
    """

    name: str
    state: str
    running: bool
    release: str = ""
    image: str = ""
    config: str = ""


LOST = "its node does not answer any more"
"""Of a place that is ``Outcome.lost``, for people."""


@dataclass(frozen=True)
class Outcome:
    """How a place that runs once stands.

    :param there: false where nothing of it is left.
    :param ended: it ran and does not run any more.
    :param code: its exit code; None before it ended.
    :param out_of_memory: it needed more than it may have.
    :param lost: where it ran does not answer any more, so nobody knows how far it came.
    """

    there: bool
    ended: bool = False
    code: int | None = None
    out_of_memory: bool = False
    lost: bool = False


@dataclass(frozen=True)
class Scale:
    """How a place that leads grows with what is asked of it, on a runtime that can do that by itself.

    :param least: processes at the least, :param most: at the most.
    :param cpu: per cent of what one is promised, on average, beyond which there shall be more; 0 is none.
    :param metric: of each process, as the runtime's own metrics know it, and :param target: its average, beyond which there shall be more.
    """

    least: int
    most: int
    cpu: int = 70
    metric: str = ""
    target: str = ""


@dataclass(frozen=True)
class Spec:
    """What a place is given. Where it is put is the runtime's business.

    :param colour: empty for a place that runs once.
    :param files: text by name, which Odoo finds in ``/etc/odoo`` and nobody else may read.
    :param data: the directory of the instance that is the process' own ``/var/lib/odoo``: ``data`` or ``rehearsal``.
    :param reach: ``instance``: its network. ``database``: nothing but PostgreSQL. ``aside``: PostgreSQL, the session store and whoever makes
        it, nobody else.
    :param memory: limit in bytes, swap included. :param cpus: limit; 0 is none.
    :param lasts: started again after a boot or a crash, until it is asked to end.
    :param waits: it may be warmed before it is started.
    :param hosts: names of hosts that it must reach, also where it has no name service.
    :param replicas: how many of it, on a runtime that can have several.
    """

    kind: str
    colour: str
    release: str
    image: str
    config: str
    reference: str
    command: Sequence[str]
    files: Mapping[str, str]
    environment: Mapping[str, str]
    memory: int
    cpus: float = 0
    data: str = "data"
    reach: str = "instance"
    lasts: bool = True
    waits: bool = False
    replicas: int = 1
    scale: Scale | None = None
    hosts: Sequence[str] = ()


class Runtime(Protocol):
    """The places of one instance.

    :raises DomainError: by every method, with a code of the runtime's own where its service does not answer for longer than a restart takes.
    """

    def observe(self) -> Mapping[str, Found]:
        """All that is there, by place. A fixed number of calls, however many there are."""

    def room(self) -> int:
        """Bytes of memory that further places may be given; 0 where that is not known."""

    def share(self) -> list[dict[str, Any]]:
        """What a second colour takes of the instance's share, and what of that is free: each ``what``, ``unit``, ``free``, ``needs``.

        Empty where it has none.
        """

    def fetch(self, reference: str, username: str | None, password: str | None, seconds: float) -> None:
        """Have an image near. What is there already costs nothing. :raises DomainError: ``pull_failed``, ``pull_timeout``."""

    def make(self, place: str, spec: Spec) -> None:
        """Make a place anew, with its files, and do not start it. What was there under its name is gone afterwards, its log is kept."""

    def warm(self, place: str) -> None:
        """Have what was made with ``waits`` ready, so that ``start`` costs least. Until then nothing of Odoo runs in it. It may do nothing."""

    def start(self, place: str) -> None:
        """Start what was made, or what waits; what runs is left alone. :raises DomainError: ``place_missing``, ``start_failed``."""

    def ask_to_end(self, place: str) -> None:
        """Ask it to end what it does and then itself, and do not wait. From here on nothing starts it again by itself. Nothing where none is there."""

    def ended(self, place: str, seconds: float) -> bool:
        """Whether it ended within ``seconds``; true at once where none is there."""

    def revive(self, place: str, seconds: float = 20) -> None:
        """Undo ``ask_to_end``: wait for the end that was asked for, at most ``seconds``, then start it again. What nobody asked to end is left alone."""

    def stop(self, place: str, seconds: float) -> None:
        """End it, by force after ``seconds``. Nothing where none is there."""

    def remove(self, place: str) -> None:
        """End it at once and forget it with its files' directory kept. Its log is kept where there is room. Nothing where none is there."""

    def forget(self) -> None:
        """Remove whatever this runtime keeps for the instance beside its places: files that ``make`` wrote."""

    def running(self, place: str) -> bool:
        """Whether it runs now."""

    def outcome(self, place: str) -> Outcome:
        """How it stands."""

    def output(self, place: str) -> str:
        """All of its standard output, without what it logged."""

    def log(self, place: str, lines: int = 2000, seconds: int = 0) -> str:
        """The end of what it wrote, of so many seconds where they are given; empty where none is there."""

    def address(self, place: str) -> str:
        """Where it answers its neighbours, known before it is made."""

    def addresses(self, place: str) -> list[str]:
        """Where each of its processes that run answers whoever releases."""

    def connections(self, place: str, port: int) -> int:
        """TCP connections to a port of it that are established; 0 where it does not run."""

    def token(self, place: str) -> str:
        """What the web process of a place asks who wants to know whether it is ready; empty where none was made."""

    def requests(self, colour: str) -> list[str]:
        """Requests under way in a colour, a line each, where its image tells them (``sysgenpro_drain``)."""

    def own_work(self, colour: str) -> list[str]:
        """What add-ons began to do by themselves in a colour's web process, a line each, where its image tells it."""

    def mark_leading(self, colour: str, leads: bool) -> None:
        """Tell a colour whether requests are led to it, also after a boot."""

    def forget_calls(self, colour: str) -> None:
        """What a colour kept back to tell browsers (``sysgenpro_assets``) and never led to tell is nothing that its next release has to say."""


class Front(Protocol):
    """The address of an instance that is always there; it refuses (requests wait at the edge) or leads to one colour."""

    def leads(self) -> str | None:
        """A colour; ``PAGE``; ``ELSEWHERE``; None while it refuses. :raises DomainError: ``front_missing``."""

    def lead(self, to: str | None) -> None:
        """Lead to a colour or to ``PAGE``; None refuses from now on. New connections go there at once, open ones stay where they are.

        It is written down for the next boot first, so that a full disk stops before anything changed.
        """

    def lead_back(self, to: str | None) -> str:
        """As ``lead``, though nothing can be written down. Returns why it was not; empty where it was."""

    def cannot_hold(self) -> str:
        """Why requests cannot be made to wait before it, in one sentence; empty where they can. It may be tried on an address that leads nowhere."""

    def check_share(self) -> None:
        """See that requests can be shared. :raises DomainError: ``no_shares``, ``route_missing``."""

    def share(self, to: str | None, percent: int = 0, seconds: int = 60) -> None:
        """Lead ``percent`` of a hundred requests to a colour beside the one that leads; None leads all as before, also where nothing was shared.

        Returns once the edge does so. :param seconds: for which a browser stays with the colour that it was led to.
        """

    def forget(self) -> None:
        """Refuse, and keep nothing for the next boot."""
