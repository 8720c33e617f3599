#!/usr/bin/env python
# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The newest lines of an instance's containers, oldest first, each with when, which colour and which kind. Those of containers that a release removed, too."""

from __future__ import annotations

import argparse
import glob
import os
import re
import time

import docker

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


def kept(directory: str, instance: str, kinds: list[str], since: int, until: int):
    """(which, line) of the files that were kept of removed containers (``logs_to`` of _runtime/docker.py)."""
    for path in sorted(glob.glob(os.path.join(directory, instance, "state", "logs", instance + "-*.log"))):
        place = os.path.basename(path).split(".")[0][len(instance) + 1 :]
        colour, _dash, kind = place.rpartition("-")
        if (kind if colour else "update") not in kinds:
            continue
        with open(path, encoding="utf-8", errors="replace") as stream:
            for line in stream:
                if moment(since) <= line[:19] <= moment(until):
                    yield f"{colour or '-'} {kind}", line.rstrip()


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("instance")
    parser.add_argument("--kinds", required=True)
    parser.add_argument("--since", type=ago, required=True)
    parser.add_argument("--until", type=ago, required=True)
    parser.add_argument("--lines", type=int, required=True)
    parser.add_argument("--match", type=re.compile, required=True)
    parser.add_argument("--root", default="/var/lib/sysgenpro/instances")
    arguments = parser.parse_args()
    client = docker.from_env()
    label = f"org.sysgenpro.instance={arguments.instance}"
    lines = []

    def take(which: str, line: str) -> None:
        when, text = (*line.split(" ", 1), "")[:2]
        if arguments.match.search(text):
            lines.append(f"{when} {which}: {text}")
            # What does not match must not push out what does, so the bound comes after the choice.
            if len(lines) > 4 * arguments.lines:
                lines[:] = sorted(lines)[-arguments.lines:]

    for which, line in kept(arguments.root, arguments.instance, arguments.kinds.split(","), arguments.since, arguments.until):
        take(which, line)
    for container in client.containers.list(all=True, filters={"label": label}):
        labels = container.labels
        if labels.get("org.sysgenpro.kind") not in arguments.kinds.split(","):
            continue
        which = "{} {}".format(labels.get("org.sysgenpro.colour") or "-", labels["org.sysgenpro.kind"])
        log = container.logs(timestamps=True, since=arguments.since, until=arguments.until + 1, stream=True, follow=False)
        for raw in log:
            take(which, raw.decode("utf-8", "replace").rstrip())
    print("\n".join(sorted(lines)[-arguments.lines:]))


if __name__ == "__main__":
    main()
