# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network namespace of a node beside the host, its cable to the bridge, and its place among the cgroups."""

from __future__ import annotations

import time
from pathlib import Path

from ..base import run
from .place import BRIDGE, HOST, NODES, Node

#: The node's end of its cable.
DEVICE = "eth0"
_NETNS = Path("/run/netns")
_CGROUPS = Path("/sys/fs/cgroup")


def cable(node: Node) -> str:
    """Return the host's end of a node's cable. A device's name has 15 letters at most."""
    return f"veth-{node.name}"[:15]


def mounts() -> list[str]:
    """Return where something is mounted on this host, the latest first."""
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    return [line.split()[1].encode().decode("unicode_escape") for line in reversed(lines)]


def prepare() -> None:
    """Have the folder of namespaces as it stays: the first ``ip netns add`` mounts it over itself, which would hide the pods' that are in it by then."""
    if str(_NETNS) not in mounts():
        run(["ip", "netns", "add", "sgp-first"])
        run(["ip", "netns", "del", "sgp-first"])


def ensure(node: Node) -> None:
    """Have the node's namespace with its cable, address and way to the others; nothing for the host."""
    if not node.namespace:
        return
    if not (_NETNS / node.namespace).exists():
        run(["ip", "netns", "add", node.namespace])
        run(["ip", "link", "add", cable(node), "type", "veth", "peer", "name", DEVICE, "netns", node.namespace])
        run(["ip", "link", "set", cable(node), "master", BRIDGE, "up"])
        for command in (["link", "set", "lo", "up"], ["addr", "add", f"{node.address}/{NODES.partition('/')[2]}", "dev", DEVICE],
                        ["link", "set", DEVICE, "up"], ["route", "add", "default", "via", HOST]):  # fmt: skip
            run([*node.enter(), "ip", *command])
    _ensure_cgroups(node)


def connect(node: Node, *, on: bool) -> None:
    """Plug the node's cable in, or pull it out."""
    run(["ip", "link", "set", cable(node), "up" if on else "down"])


def hierarchies() -> list[Path]:
    """Return the folders of all cgroup hierarchies of this host: one with version 2, one a controller with version 1."""
    if (_CGROUPS / "cgroup.controllers").exists():
        return [_CGROUPS]
    return sorted({path.resolve() for path in _CGROUPS.iterdir() if path.is_dir() and (path / "cgroup.procs").exists()})


def _ensure_cgroups(node: Node) -> None:
    for hierarchy in hierarchies():
        folder = hierarchy / node.namespace
        folder.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):
            if (folder / name).exists() and not (folder / name).read_text(encoding="ascii").strip():
                (folder / name).write_text((hierarchy / name).read_text(encoding="ascii"), encoding="ascii")
        controllers = folder / "cgroup.subtree_control"
        if controllers.exists():
            offered = (folder / "cgroup.controllers").read_text(encoding="ascii").split()
            controllers.write_text(" ".join(f"+{name}" for name in offered), encoding="ascii")


def drop_cgroups(name: str) -> None:
    """Remove a folder of cgroups from every hierarchy, the innermost first. What still has a process is waited for, a little."""
    for hierarchy in hierarchies():
        top = hierarchy / name
        if top.is_dir():
            for folder in sorted((path for path in [top, *top.rglob("*")] if path.is_dir()), key=lambda path: -len(path.parts)):
                for _ in range(20):
                    try:
                        folder.rmdir()
                        break
                    except OSError:
                        time.sleep(0.1)


def drop(node: Node) -> None:
    """Remove the node's namespace; the cable goes with it."""
    if node.namespace:
        run(["ip", "netns", "del", node.namespace], check=False)
        drop_cgroups(node.namespace)


def undo() -> None:
    """Unmount the folder of namespaces where nobody has one."""
    if str(_NETNS) in mounts() and not any(_NETNS.iterdir()):
        run(["umount", str(_NETNS)], check=False)
