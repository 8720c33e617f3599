#!/usr/bin/env python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest lines of an instance's containers or pods, oldest first, each with when, which colour and which kind. Those of what a release removed, too."""

from __future__ import annotations

import argparse
import glob
import os
import re
import time
from collections.abc import Iterator

UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def ago(text: str) -> int:
    """Epoch seconds of a moment that lies ``10m`` (s, m, h, d) back."""
    found = re.fullmatch(r"(\d+)([smhd])", text)
    if not found:
        raise argparse.ArgumentTypeError(f"{text!r} is no time span; expected a number with s, m, h or d")
    return int(time.time()) - int(found.group(1)) * UNITS[found.group(2)]


def moment(seconds: int) -> str:
    """As Docker begins its lines, to the second."""
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))


def which_of(place: str) -> tuple[str, str]:
    """Colour and kind of a place; what runs once has no colour."""
    colour, _dash, kind = place.rpartition("-")
    return colour or "-", kind if colour else "update"


def kept(directory: str, instance: str, kinds: list[str], since: int, until: int) -> Iterator[tuple[str, str]]:
    """(which, line) of the files that were kept of what was removed (``logs_to`` of _runtime/docker.py, ``_keep_log`` of _runtime/kubernetes.py)."""
    for path in sorted(glob.glob(os.path.join(directory, instance, "state", "logs", instance + "-*.log"))):
        place = os.path.basename(path).split(".")[0][len(instance) + 1 :]
        colour, kind = which_of(place)
        if kind not in kinds:
            continue
        with open(path, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if moment(since) <= line[:19] <= moment(until):
                    yield f"{colour} {kind if colour != '-' else place}", line.rstrip()


def in_containers(instance: str, kinds: list[str], since: int, until: int) -> Iterator[tuple[str, str]]:
    """(which, line) of the containers that are there."""
    import docker

    for container in docker.from_env().containers.list(all=True, filters={"label": f"org.sysgenpro.instance={instance}"}):
        labels = container.labels
        if labels.get("org.sysgenpro.kind") in kinds:
            for raw in container.logs(timestamps=True, since=since, until=until + 1, stream=True, follow=False):
                yield "{} {}".format(labels.get("org.sysgenpro.colour") or "-", labels["org.sysgenpro.kind"]), raw.decode("utf-8", "replace").rstrip()


def in_pods(namespace: str, instance: str, kinds: list[str], since: int, until: int) -> Iterator[tuple[str, str]]:
    """(which, line) of the pods that are there, as the toolbox's account may read them; also of a process that the kubelet has begun anew since."""
    from kubernetes import client, config

    config.load_incluster_config()
    api = client.CoreV1Api()
    for pod in api.list_namespaced_pod(namespace, label_selector=f"org.sysgenpro/instance={instance}").items:
        place = pod.metadata.labels.get("org.sysgenpro/place", "")
        colour, kind = which_of(place)
        if place in ("toolbox", "fetch") or kind not in kinds:
            continue
        for status in pod.status.container_statuses or []:
            for previous in ([True] if status.restart_count else []) + [False]:
                try:
                    log = api.read_namespaced_pod_log(pod.metadata.name, namespace, container=status.name, previous=previous, timestamps=True,
                                                      since_seconds=max(int(time.time()) - since, 1), _preload_content=False)
                except client.ApiException:
                    continue  # it has not begun yet, or is forgotten already
                for raw in log:
                    line = raw.decode("utf-8", "replace").rstrip()
                    if line[:19] <= moment(until):
                        yield f"{colour} {kind if colour != '-' else place}", line


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instance")
    parser.add_argument("--kinds", required=True)
    parser.add_argument("--since", type=ago, required=True)
    parser.add_argument("--until", type=ago, required=True)
    parser.add_argument("--lines", type=int, required=True)
    parser.add_argument("--match", type=re.compile, required=True)
    parser.add_argument("--namespace", default="", help="of an instance whose toolbox runs this")
    parser.add_argument("--root", default="/var/lib/sysgenpro/instances")
    arguments = parser.parse_args()
    asked = (arguments.instance, arguments.kinds.split(","), arguments.since, arguments.until)
    lines: list[str] = []

    def take(which: str, line: str) -> None:
        when, text = (*line.split(" ", 1), "")[:2]
        if arguments.match.search(text):
            lines.append(f"{when} {which}: {text}")
            # What does not match must not push out what does, so the bound comes after the choice.
            if len(lines) > 4 * arguments.lines:
                lines[:] = sorted(set(lines))[-arguments.lines:]

    for which, line in kept(arguments.root, *asked):
        take(which, line)
    for which, line in in_pods(arguments.namespace, *asked) if arguments.namespace else in_containers(*asked):
        take(which, line)
    # What is kept of a pod that ends is told by the pod as well until it is gone.
    print("\n".join(sorted(set(lines))[-arguments.lines:]))


if __name__ == "__main__":
    main()
