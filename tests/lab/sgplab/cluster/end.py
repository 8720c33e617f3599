# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster's end: nothing of it stays on the host, neither processes nor mounts, network, rules, cgroups or files."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..base import cache, locked, run, say
from . import namespace, network, processes, registry
from .node import CNI_CACHE, NETWORK, POD_LOG_LINKS
from .place import FIRST, RUN, SECOND, Node, Place, existing


def down() -> None:
    """Drop the cluster of this host with all that is in it; none is no error."""
    with locked("cluster"):
        _forget_doomed()
        for place in existing():
            _down(place)
            say(f"the cluster {place.name} is gone")


def _down(place: Place) -> None:
    # First who would start it all again.
    for name in ("kubelet", "netpol", "kube-proxy"):
        for node in (SECOND, FIRST):
            processes.stop(place, f"{name}-{node.name}")
    for node in (SECOND, FIRST):
        _stop_pods(node)
    for name in processes.names(place):
        processes.stop(place, name)
    _end_left_over()
    _drop_networks()
    if (place.programs / "kube-proxy").exists():
        run([str(place.programs / "kube-proxy"), "--cleanup"], check=False)
    else:
        say("kube-proxy is gone; its chains KUBE-* stay in iptables")
    network.drop(FIRST)
    for node in (SECOND, FIRST):
        namespace.drop(node)
    namespace.undo()
    for path in _below(namespace.mounts(), (place.root, RUN)):
        run(["umount", "--lazy", path], check=False)
    namespace.drop_cgroups("kubepods")
    registry.drop()
    for link in POD_LOG_LINKS.glob("*"):
        if link.is_symlink() and str(link.readlink()).startswith(f"{place.root}/"):
            link.unlink()
    shutil.rmtree(RUN, ignore_errors=True)
    # In one step, so that a `down` that is ended here leaves no half of a cluster for the next `up` to trust.
    place.root.rename(_doomed(place.root))
    _forget_doomed()
    for folder in (POD_LOG_LINKS, CNI_CACHE, CNI_CACHE.parent):
        with contextlib.suppress(OSError):
            folder.rmdir()


def _stop_pods(node: Node) -> None:
    if not node.socket.exists():
        return
    tasks = ["ctr", "--address", str(node.socket), "-n", "k8s.io", "tasks"]
    running = run([*tasks, "ls", "-q"], check=False).stdout.split()
    if running:
        run([*tasks, "rm", "--force", *running], check=False)


def left_over(commands: Mapping[int, Sequence[str]]) -> list[int]:
    """Return processes that belong to the cluster's sockets, of all (pid to its command line): containers' shims whose containerd is gone."""
    return [pid for pid, words in commands.items() if any(word.startswith(f"{RUN}/") for word in words) and "containerd-shim" in Path(words[0]).name]


def _end_left_over() -> None:
    for _ in range(20):
        commands = {}
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
            except OSError:
                continue
            commands[int(folder.name)] = words
        found = left_over(commands)
        if not found:
            return
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        time.sleep(0.1)


def _drop_networks() -> None:
    """Delete the pods' network namespaces; their devices go with them."""
    for cached in CNI_CACHE.glob(f"{NETWORK}-*"):
        for interface in json.loads(cached.read_text(encoding="utf-8")).get("result", {}).get("interfaces", []):
            if interface.get("sandbox"):
                run(["ip", "netns", "del", Path(interface["sandbox"]).name], check=False)
        container = cached.name.removeprefix(f"{NETWORK}-").rpartition("-")[0]
        for path in (cached, *CNI_CACHE.glob(f"cni-loopback-{container}-*")):
            path.unlink()


def _doomed(root: Path) -> Path:
    return root.with_name(f".{root.name}-{time.time_ns()}")


def _forget_doomed() -> None:
    """Delete the folders of clusters that are gone."""
    for path in (cache() / "cluster").glob(".*"):
        shutil.rmtree(path, ignore_errors=True)


def _below(paths: Sequence[str], folders: Sequence[Path]) -> list[str]:
    return [path for path in paths if any(path.startswith(f"{folder}/") for folder in folders)]
