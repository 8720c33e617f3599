# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The front: an address of the machine that refuses (hold) or leads to one colour.

The truth is one nftables map (``table ip sysgenpro``, map ``fronts``); a file beside it lets the front stand after a
reboot as it stood. Going forward the file is written first, so that a full disk stops before anything changed; going back the kernel is.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from .._kernel.commands import run_program
from .._kernel.files import replace_file

FAMILY = ("ip", "sysgenpro", "fronts")
DIRECTORY = "/etc/sysgenpro/fronts.d"


class Front:
    """The front of one instance.

    :param instance: its name.
    :param address: the front's IPv4 address.
    :param directory: where the map's elements are kept for the next boot.
    """

    def __init__(self, instance: str, address: str, directory: str = DIRECTORY) -> None:
        self.address = address
        self.path = os.path.join(directory, instance + ".nft")

    def observe(self) -> dict[int, str]:
        """Where each port of the front leads, ``{8069: "172.28.1.11:8069"}``; empty while it refuses. One process.

        :raises DomainError: ``front_missing`` where the machine has no map.
        """
        listing = _nft(["-j", "list", "map", *FAMILY])
        leads = {}
        for item in json.loads(listing)["nftables"]:
            for key, value in item.get("map", {}).get("elem", []):
                address, port = key["concat"]
                if address == self.address:
                    leads[int(port)] = "{}:{}".format(*value["concat"])
        return leads

    def lead(self, targets: Mapping[int, str]) -> None:
        """Lead the front elsewhere in one transaction: new connections go there, open ones stay where they are.

        :param targets: ``{8069: "172.28.1.21:8069"}``; empty refuses from now on.
        """
        add = self._elements(targets)
        self._keep(add)
        self._change(add)

    def lead_back(self, targets: Mapping[int, str]) -> str:
        """As ``lead``, though nothing can be written. Returns why it was not kept for the next boot; nothing where it was."""
        add = self._elements(targets)
        self._change(add)
        try:
            self._keep(add)
        except OSError as error:
            return str(error)
        return ""

    def _elements(self, targets: Mapping[int, str]) -> list[str]:
        return ["add element {} {} {} {{ {} }}\n".format(*FAMILY, _element(self.address, port, target))
                for port, target in sorted(targets.items())]

    def _keep(self, add: list[str]) -> None:
        replace_file(self.path, "".join(add).encode(), mode=0o644)

    def _change(self, add: list[str]) -> None:
        remove = ["delete element {} {} {} {{ {} }}\n".format(*FAMILY, _element(self.address, port, target))
                  for port, target in sorted(self.observe().items())]
        if remove or add:
            _nft(["-f", "-"], "".join(remove + add))

    def forget(self) -> None:
        """Refuse, and keep nothing for the next boot."""
        self.lead({})
        os.unlink(self.path)


def _element(address: str, port: int, target: str) -> str:
    host, target_port = target.rsplit(":", 1)
    return f"{address} . {port} : {host} . {target_port}"


def _nft(arguments: list[str], script: str | None = None) -> str:
    return run_program(["nft", *arguments], "front_missing", "nftables refused the front", given=script, seconds=30,
                       unchanged="The front is as it was",
                       advice="Run the site playbook for this machine, which makes the map 'fronts'")
