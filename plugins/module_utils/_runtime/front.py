# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The front on a machine: an address of it that refuses (hold) or leads to one colour.

The truth is one nftables map (``table ip sysgenpro``, map ``fronts``); a file beside it lets the front stand after a
reboot as it stood. Going forward the file is written first, so that a full disk stops before anything changed; going back the kernel is.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Callable, Mapping

from .._instance.names import COLOURS, FRONT, HOST_PARTS, HTTP, REALTIME, place
from .._kernel.commands import run_program
from .._kernel.errors import DomainError
from .._kernel.files import replace_file
from .protocol import ELSEWHERE, PAGE

FAMILY = ("ip", "sysgenpro", "fronts")
DIRECTORY = "/etc/sysgenpro/fronts.d"


class MachineFront:
    """The front of one instance.

    :param instance: its name.
    :param subnet: the IPv4 network of the instance, in which the front and every colour have an address.
    :param page: ``address:port`` of the maintenance page.
    :param directory: where the map's elements are kept for the next boot.
    :param nft: runs ``nft`` with arguments and a script; the machine's own by default.
    """

    def __init__(self, instance: str, subnet: str, page: str = "", directory: str = DIRECTORY, nft: Callable[..., str] | None = None) -> None:
        network = ipaddress.ip_network(subnet)
        self.address = str(network[HOST_PARTS[FRONT]])
        self.path = os.path.join(directory, instance + ".nft")
        self._nft = nft or _nft
        self._targets: dict[str, dict[int, str]] = {
            colour: {port: f"{network[HOST_PARTS[place(colour, 'web')]]}:{port}" for port in (HTTP, REALTIME)} for colour in COLOURS}
        if page:
            self._targets[PAGE] = {HTTP: page, REALTIME: page}

    def leads(self) -> str | None:
        """One process. :raises DomainError: ``front_missing`` where the machine has no map."""
        found = self._observe()
        return next((to for to, targets in self._targets.items() if targets == found), ELSEWHERE if found else None)

    def cannot_hold(self) -> str:
        """Its rule refuses at once."""
        return ""

    def lead(self, to: str | None) -> None:
        """In one transaction."""
        add = self._elements(to)
        self._keep(add)
        self._change(add)

    def lead_back(self, to: str | None) -> str:
        add = self._elements(to)
        self._change(add)
        try:
            self._keep(add)
        except OSError as error:
            return str(error)
        return ""

    def check_share(self) -> None:
        raise DomainError("no_shares", "a machine's front leads to one colour, so requests cannot be shared", unchanged="Nothing was changed",
                          advice="Release without canary")

    def share(self, to: str | None, percent: int = 0, seconds: int = 60) -> None:
        if to is not None:
            self.check_share()

    def forget(self) -> None:
        self.lead(None)
        os.unlink(self.path)

    def _observe(self) -> dict[int, str]:
        """Where each port of the front leads, ``{8069: "172.28.1.11:8069"}``."""
        listing = self._nft(["-j", "list", "map", *FAMILY])
        leads = {}
        for item in json.loads(listing)["nftables"]:
            for key, value in item.get("map", {}).get("elem", []):
                address, port = key["concat"]
                if address == self.address:
                    leads[int(port)] = "{}:{}".format(*value["concat"])
        return leads

    def _elements(self, to: str | None) -> list[str]:
        targets: Mapping[int, str] = self._targets[to] if to else {}
        return ["add element {} {} {} {{ {} }}\n".format(*FAMILY, _element(self.address, port, target))
                for port, target in sorted(targets.items())]

    def _keep(self, add: list[str]) -> None:
        replace_file(self.path, "".join(add).encode(), mode=0o644)

    def _change(self, add: list[str]) -> None:
        remove = ["delete element {} {} {} {{ {} }}\n".format(*FAMILY, _element(self.address, port, target))
                  for port, target in sorted(self._observe().items())]
        if remove or add:
            self._nft(["-f", "-"], "".join(remove + add))


def _element(address: str, port: int, target: str) -> str:
    host, target_port = target.rsplit(":", 1)
    return f"{address} . {port} : {host} . {target_port}"


def _nft(arguments: list[str], script: str | None = None) -> str:
    return run_program(["nft", *arguments], "front_missing", "nftables refused the front", given=script, seconds=30,
                       unchanged="The front is as it was",
                       advice="Run the site playbook for this machine, which makes the map 'fronts'")
