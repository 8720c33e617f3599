# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Disks that are full: where images lie, where the database lies, where the instance's state lies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from estate import Estate, Seen, sound
from estate.edge import get, shop, unharmed
from estate.machine import ROOT
from estate.place import HOST, INSTANCE

pytestmark = pytest.mark.slow

CLUSTER = "postgresql@17-fault_one"
DATA = "/var/lib/postgresql/17/fault_one"
SMALL = "/mnt/fault-small"
STATE = f"{ROOT}/{INSTANCE}/state"

# An entry that says nothing, as long as what is left of the journal's last block: the next one needs a block that there is not.
_FILL = """
import json, os, sys
state = sys.argv[1]
path = os.path.join(state, "journal.jsonl")
entry = {"at": "2000-01-01T00:00:00.000+00:00", "seconds": 0.0, "event": "padding", "step": "padding", "text": ""}
bare = len(json.dumps(entry)) + 1
entry["text"] = "x" * ((-os.path.getsize(path) - bare) % 4096)
with open(path, "a") as stream:
    stream.write(json.dumps(entry) + "\\n")
assert os.path.getsize(path) % 4096 == 0
try:
    with open(os.path.join(state, "filler"), "wb", 0) as stream:
        while True:
            stream.write(bytes(4096))
except OSError:
    pass
"""


def test_disk_full_while_pulling(estate: Estate, mark: str) -> None:
    """No room for the layers: nothing is held, nothing changes; with room the same command goes on."""
    current, target = estate.other_schema()
    machine = estate.machine
    reference = estate.releases[target]
    machine.sh("docker ps -aq --filter status=exited --filter label=org.sysgenpro.instance=fault-one | xargs -r docker rm")
    machine.sh(f"docker rmi -f $(docker images -q --no-trunc --digests --filter reference='*@{reference.split('@')[1]}') 2>/dev/null; docker rmi -f {reference}",
               check=False)
    machine.sh("docker image prune -f >/dev/null; mount -t tmpfs -o size=4k tmpfs /var/lib/docker/tmp")
    try:
        ran = estate.release(target)
    finally:
        machine.sh("umount -l /var/lib/docker/tmp")
    assert ran.error == "pull_failed" and "no space left" in ran.message, ran.message
    sound(estate, current, mark)
    estate.release(target).ok()
    sound(estate, target, mark)


@contextmanager
def cluster_on(estate: Estate, what: str, room: int) -> Iterator[Callable[[int], None]]:
    """A part of the cluster's directory lies on a small filesystem for a while. Yields what gives it more room, in MB."""
    machine, place = estate.machine, f"{DATA}/{what}".rstrip("/")
    used = int(machine.sh(f"du -sm {place}").split()[0])
    machine.sh(
        f"systemctl stop {CLUSTER}; mkdir -p {SMALL}; mount -t tmpfs -o size={used + room}m,mode=700,uid=$(id -u postgres),gid=$(id -g postgres)"
        f" tmpfs {SMALL}; cp -a {place}/. {SMALL}/; mount --bind {SMALL} {place}; systemctl start {CLUSTER}")

    def grow(more: int) -> None:
        machine.sh(f"mount -o remount,size={used + more}m {SMALL}")

    try:
        yield grow
    finally:
        machine.sh(
            f"systemctl stop {CLUSTER}; umount {place}; rsync -a --delete {SMALL}/ {place}/ || (rm -rf {place}/* && cp -a {SMALL}/. {place}/);"
            f" umount {SMALL}; systemctl start {CLUSTER}")


def test_disk_full_while_updating(estate: Estate, mark: str, here: None, figure: Callable[[str], None], tmp_path: Path) -> None:
    """Tables find no room: the update fails with the reason and undoes itself, and who worked meanwhile has only waited."""
    current, target = estate.other_schema()
    estate.behave(during_update="fill 900000")
    with cluster_on(estate, "base", 350):
        with shop(estate, HOST, tmp_path) as load:
            ran = estate.release(target)
        assert ran.error == "update_failed" and "No space left on device" in ran.message, ran.message
        assert "The release was undone" in ran.message, ran.message
        sound(estate, current, mark)
    figure(f"disk full while updating: {unharmed(load)}")
    sound(estate, current, mark)


def test_disk_full_for_the_whole_cluster(estate: Estate, mark: str, here: None) -> None:
    """Its log finds no room either, so that the cluster itself ends: the update is undone, or can be as soon as there is room; nothing is lost."""
    current, target = estate.other_schema()
    estate.behave(during_update="fill 900000")
    with cluster_on(estate, "", 350) as grow:
        ran = estate.release(target)
        assert ran.error in ("update_failed", "undo_failed"), f"{ran.error}: {ran.message}"
        if ran.error == "undo_failed":
            assert Seen.look(estate, database=False).colour is None, "requests are led to a colour whose database is not there"
            assert "run the same command again" in ran.message, ran.message
            grow(1500)
            estate.machine.sh(f"systemctl restart {CLUSTER}")
            estate.release(current).ok()
        sound(estate, current, mark)
    sound(estate, current, mark)


@contextmanager
def small_state(estate: Estate) -> Iterator[None]:
    """The instance's state lies on a filesystem that has a little room left."""
    machine = estate.machine
    machine.sh(
        f"mkdir -p {SMALL}; mount -t tmpfs -o size=$(( $(du -sk {STATE} | cut -f1) + 4096 ))k,mode=700 tmpfs {SMALL}; cp -a {STATE}/. {SMALL}/;"
        f" mount --bind {SMALL} {STATE}")
    try:
        yield
    finally:
        machine.sh(f"rm -f {SMALL}/filler; umount {STATE}; find {STATE} -mindepth 1 -delete; cp -a {SMALL}/. {STATE}/; umount {SMALL}")


@pytest.mark.parametrize("step", ["hold", "update", "record"])
def test_state_full_while_updating(estate: Estate, mark: str, figure: Callable[[str], None], tmp_path: Path, step: str) -> None:
    """The journal cannot be written any more while requests are held: the old colour is led to again, though nothing can be noted.

    With room the next run undoes once more what was not noted, and ends nothing that serves again by then.
    """
    current, target = estate.other_schema()
    estate.machine.write("/var/lib/sysgenpro/fault-fill.py", _FILL.encode())
    with small_state(estate):
        with shop(estate, HOST, tmp_path) as load:
            ran = estate.release(target, at=[{"event": "begin", "step": step, "do": f"python3 /var/lib/sysgenpro/fault-fill.py {STATE}"}])
            assert ran.did and ran.did[0]["code"] == 0, ran.did
            assert ran.failed and "No space left on device" in ran.message, ran.message
            assert get(estate, HOST, "/fault/release") == (200, current)
            before = Seen.look(estate)
            assert before.colour, f"the front leads to {before.front}"
            estate.machine.sh(f"rm {STATE}/filler")
            estate.release(current).ok()
            after = sound(estate, current, mark)
        serving = {name for kind in ("web", "cron") for name in after.running(kind)}
        assert {name: after.containers[name]["started"] for name in serving} == {name: before.containers[name]["started"] for name in serving}
        figure(f"state full at {step}: {unharmed(load)}")
    sound(estate, current, mark)
