# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between Odoo 14 and 19, in one place."""

from __future__ import annotations

from dataclasses import dataclass

from .._kernel.errors import DomainError

OLDEST, NEWEST = 14, 19


@dataclass(frozen=True)
class Series:
    """How one Odoo series is run and asked.

    :param health: a path that answers once a process serves; it says nothing about the tenant's database.
    :param realtime: the path of websocket or longpolling on the second port.
    :param realtime_option: the name of that port's option.
    :param server_wide: what ``--load`` must keep beside the platform's add-ons.
    """

    name: str
    number: int
    health: str
    realtime: str
    realtime_option: str
    server_wide: tuple[str, ...]
    demo_arguments: tuple[str, ...]

    @property
    def websocket(self) -> bool:
        return self.realtime == "/websocket"


def series_of(name: str) -> Series:
    """The series by its name, as ``19.0`` or ``saas-18.3``.

    :raises DomainError: ``unknown_series``.
    """
    try:
        number = int(name.replace("saas-", "").replace("saas~", "").split(".")[0])
    except ValueError:
        number = 0
    if not OLDEST <= number <= NEWEST:
        raise DomainError("unknown_series", f"Odoo series {name!r} is not one of {OLDEST} to {NEWEST}",
                          unchanged="Nothing was changed")
    return Series(
        name=name,
        number=number,
        # odoo/odoo#56522 brought /web/health in 15.0.
        health="/web/health" if number >= 15 else "/web/webclient/version_info",
        realtime="/websocket" if number >= 16 else "/longpolling/poll",
        realtime_option="gevent_port" if number >= 16 else "longpolling_port",
        server_wide=("base", "rpc", "web") if number >= 19 else ("base", "web"),
        # Up to 18 demo data come unless they are refused; 19 turned that round.
        demo_arguments=("--with-demo",) if number >= 19 else (),
    )


def without_demo_arguments(series: Series) -> tuple[str, ...]:
    """What keeps demo data out of a new database."""
    return () if series.number >= 19 else ("--without-demo=all",)
