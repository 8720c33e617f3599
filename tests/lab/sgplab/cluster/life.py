# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A cluster's life: up, and what it is; ``end.py`` takes it down. Up is safe to repeat, and quick where all runs."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from .. import images as lab_images
from .. import stock as lab_stock
from ..base import LabError, locked, run, say
from . import (
    addons,
    certificates,
    control_plane,
    images,
    namespace,
    network,
    node,
    packages,
    processes,
    programs,
    registry,
)
from .place import FIRST, SECOND, Node, Place, existing

_IMAGES = {FIRST: (images.PAUSE, images.BUSYBOX, images.COREDNS, images.METRICS, images.TRAEFIK), SECOND: (images.PAUSE, images.BUSYBOX, images.TRAEFIK)}
_ADDONS = ("dns", "storage", "metrics")


def the() -> Place:
    """Return the cluster of this host. Raises LabError if there is none."""
    found = existing()
    if not found:
        raise LabError("there is no cluster; `lab cluster up` brings one up")
    return found[0]


def nodes(place: Place) -> list[Node]:
    """Return the nodes that the cluster has."""
    return [node for node in (FIRST, SECOND) if place.node(node).is_dir()]


def up(name: str, *, second: bool = False, edge: bool = False) -> Place:
    """Bring the cluster up; start what does not run. One at a time: its addresses are the host's.

    :param second: with a second node. One that the cluster has already stays in any case.
    :param edge: with two pods of Traefik in the namespace ``edge``.
    """
    place = Place(name)
    with locked("cluster"):
        for other in existing():
            if other != place:
                raise LabError(f"the cluster {other.name} is up; `lab cluster down` drops it")
        packages.ensure()
        programs.ensure()
        place.make()
        # What takes the cluster down has to be what it was brought up with.
        place.programs.unlink(missing_ok=True)
        place.programs.symlink_to(programs.directory())
        certificates.ensure(place)
        network.ensure_bridge()
        namespace.prepare()
        registry.ensure(place)
        wanted = [FIRST, *([SECOND] if second or SECOND in nodes(place) else [])]
        with ThreadPoolExecutor(len(wanted)) as workers:
            begun = [workers.submit(node.begin, place, each, _IMAGES[each]) for each in wanted]
            control_plane.ensure(place)
            addons.definitions(place)
            addons.ensure(place, _ADDONS)
            for each in begun:
                each.result()
        _join(place, wanted)
        extra = ("edge",) if edge else ()
        addons.ensure(place, extra)
        addons.wait(place, (*_ADDONS, *extra))
    say(f"the cluster {name} is up: {place.admin}")
    return place


def _join(place: Place, wanted: Sequence[Node]) -> None:
    for each in wanted:
        node.ensure(place, each)
    node.route(place, wanted)
    control_plane.kubectl(place, "wait", "--for=condition=Ready", "--timeout=60s", *(f"node/{each.name}" for each in wanted))


def load(references: Sequence[str]) -> None:
    """Bring images of this host's Docker into every node; those that the lab makes for tests are made if needed."""
    place = the()
    own = [reference for reference in references if reference in images.FROM_DEBIAN]
    others = [reference for reference in references if reference not in own]
    for each in nodes(place):
        images.ensure(place, each, own)
        if others:
            images.load(each, others)


def stock(image: str, repository: str) -> str:
    """Have the cluster's registry hold an image: the lab's by its short name, or any of this host's Docker. Returns what a pod names it by."""
    place = the()
    if image in lab_images.RECIPES:
        tree = lab_stock.ensure(image, repository)
        registry.put(place, tree / "files")
        return f"{registry.ADDRESS}/{repository}@{(tree / 'digest').read_text(encoding='utf-8')}"
    target = f"{registry.ADDRESS}/{repository}:{image.replace('/', '-').replace(':', '-')}"
    run(["docker", "tag", image, target])
    try:
        run(["docker", "push", "--quiet", target])
        return run(["docker", "image", "inspect", "--format", "{{index .RepoDigests 0}}", target]).stdout.strip()
    finally:
        run(["docker", "rmi", "--no-prune", target], check=False)


def cut(name: str, *, on: bool) -> None:
    """Pull the second node's cable out, or plug it in again. Raises LabError for a node that has none."""
    found = next((each for each in nodes(the()) if each.name == name and each.namespace), None)
    if found is None:
        raise LabError(f"{name} has no cable; it is {SECOND.name} that may be cut off, where `lab cluster up --second-node` made it")
    namespace.connect(found, on=on)


def kubectl(arguments: Sequence[str]) -> int:
    """Run kubectl as the administrator, with this terminal, and return its exit code."""
    place = the()
    return subprocess.run([str(place.programs / "kubectl"), "--kubeconfig", str(place.admin), *arguments], check=False).returncode


def stop(name: str) -> None:
    """End one of the cluster's programs until the next ``up``. Raises LabError if there is none of this name."""
    place = the()
    if processes.pid(place, name) is None:
        raise LabError(f"{name} does not run; there are {', '.join(sorted(processes.names(place)))}")
    processes.stop(place, name)


def listing() -> list[str]:
    """Return lines for people: every cluster, its nodes and its programs."""
    lines = []
    for place in existing():
        lines.append(f"{place.name:24} {'ready' if control_plane.ready(place) else 'not ready':12} {place.admin}")
        lines += [f"  {each.name:22} {each.address:12}" for each in nodes(place)]
        for name in reversed(processes.names(place)):
            pid = processes.pid(place, name)
            lines.append(f"  {name:22} {f'pid {pid}' if pid else 'ended':12} {processes.log(place, name)}")
    return lines
