# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a cluster's parts lie on this host, and the addresses that it uses."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ..base import LabError, cache

#: The nodes' own bridge: docker0 belongs to Docker. The host is its first address and the first node.
BRIDGE = "k8s0"
NODES = "10.90.0.0/24"
HOST = "10.90.0.1"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"
DNS_SERVICE = "10.96.0.10"
PODS = "10.244.0.0/16"
DOMAIN = "cluster.local"
API = f"https://{HOST}:6443"
#: Short: a socket's path has 107 bytes at most, and the kubelet's lie some folders below.
RUN = Path("/run/sgp-cluster")
DEFAULT = "lab"
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")


@dataclass(frozen=True)
class Node:
    """A node: its name, its address on the bridge, and the network namespace it is in (``""`` for the host's)."""

    name: str
    address: str
    namespace: str = ""

    @property
    def run(self) -> Path:
        """Return the folder of the node's sockets."""
        return RUN / self.name

    @property
    def socket(self) -> Path:
        """Return containerd's socket."""
        return self.run / "containerd.sock"

    def enter(self) -> list[str]:
        """Return what to put before a command so that it runs in the node's network. Not ``ip netns exec``, which hides the cgroups."""
        return ["nsenter", f"--net=/run/netns/{self.namespace}", "--"] if self.namespace else []


#: The first is the host itself.
FIRST = Node("node1", HOST)
SECOND = Node("node2", "10.90.0.2", "sgp-node2")


@dataclass(frozen=True)
class Place:
    """A cluster's folder in the cache."""

    name: str

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise LabError(f"cluster name {self.name!r}: small letters, digits and dashes are expected, at most 32")

    @property
    def root(self) -> Path:
        """Return the folder with all that the cluster has."""
        return cache() / "cluster" / self.name

    @property
    def keys(self) -> Path:
        """Return the folder of certificates and kubeconfigs, its owner's only."""
        return self.root / "keys"

    @property
    def admin(self) -> Path:
        """Return the administrator's kubeconfig."""
        return self.keys / "admin.conf"

    @property
    def programs(self) -> Path:
        """Return the link to the programs that the cluster was brought up with."""
        return self.root / "programs"

    def node(self, node: Node) -> Path:
        """Return the folder of a node's containerd and kubelet."""
        return self.root / node.name

    def make(self) -> None:
        """Make the folders."""
        for path in (self.root, self.keys):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        for name in ("logs", "processes"):
            (self.root / name).mkdir(exist_ok=True)


def existing() -> list[Place]:
    """Return the clusters that were brought up and not dropped."""
    folder = cache() / "cluster"
    return [Place(path.name) for path in sorted(folder.glob("[a-z]*")) if (path / "keys").is_dir()] if folder.is_dir() else []
