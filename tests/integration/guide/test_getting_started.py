# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""``docs/getting-started.md`` on a bare controller and bare machines, without a look at anything else.

What is not as it is for a reader: the clone is this checkout's last commit, the base image is the lab's and lies in the machine's Docker under the official
one's name, the bucket is of a store in the lab, and nobody is asked whether a host key is trusted. ``KEEP=1`` leaves the machines;
``SYSGENPRO_GUIDE_FROM=<number>`` goes on from that block, on them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve()
ROOT = HERE.parents[3]
sys.path[:0] = [str(HERE.parent), str(ROOT / "tests" / "lab")]
from sgplab import certificates, images, machines, tools  # noqa: E402
from sgplab.base import locked  # noqa: E402
from walk import USER, Block, Walk, blocks, done  # noqa: E402

pytestmark = pytest.mark.slow
CONTROLLER, MACHINE, SECOND, STORE = "guide-controller", "guide-shop", "guide-uat", "guide-store"
STORE_NAME = f"{STORE}.lab.test"
ALL = (CONTROLLER, MACHINE, SECOND, STORE)
BASE = "odoo-19.0"
FROM = int(os.environ.get("SYSGENPRO_GUIDE_FROM") or 0)


def _controller() -> None:
    """Somebody who may use sudo, with a key for the machines, and Git that finds this checkout where the guide says it is."""
    done(CONTROLLER, "apt-get -qq update && apt-get -qq install --yes sudo >/dev/null")
    done(CONTROLLER, f"useradd --create-home --shell /bin/bash {USER} && echo '{USER} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{USER}")
    done(CONTROLLER, f"su - {USER} -c 'mkdir -m 700 .ssh && ssh-keygen -q -t ed25519 -N \"\" -f .ssh/id_ed25519'")
    done(CONTROLLER, f"su - {USER} -c \"printf 'Host *\\n  StrictHostKeyChecking accept-new\\n' >.ssh/config\"")
    key = done(CONTROLLER, f"cat /home/{USER}/.ssh/id_ed25519.pub").strip()
    for machine in (MACHINE, SECOND):
        done(machine, f"echo '{key}' >>/root/.ssh/authorized_keys")
    bundle = subprocess.run(["git", "-C", str(ROOT), "bundle", "create", "-", "HEAD"], check=True, capture_output=True).stdout
    command = [sys.executable, str(ROOT / "tests/lab/lab"), "ssh", CONTROLLER, "--", "cat >/srv/odoo.bundle"]
    subprocess.run(command, input=bundle, check=True)
    done(CONTROLLER, f"su - {USER} -c \"printf '[url \\\"/srv/odoo.bundle\\\"]\\n  insteadOf = https://github.com/sysgenpro/odoo.git\\n' >.gitconfig\"")


def _store(place: Path) -> None:
    """A store with a bucket, made by the role. The lab's machines know its name and trust its certificate."""
    issued = certificates.issue([STORE_NAME])
    inventory = machines.ansible_inventory()
    lab = inventory["machines"]["hosts"][STORE]
    variables = {
        **lab, **inventory["machines"]["vars"], "container_host_firewall_ports": [{"port": 22}, {"port": 7070}], "object_store_name": STORE_NAME,
        "object_store_source": "file", "object_store_file": str(tools.ensure("versitygw")),
        "object_store_tls_certificate": Path(issued["certificate"]).read_text(encoding="utf-8"),
        "object_store_tls_key": Path(issued["key"]).read_text(encoding="utf-8"), "object_store_root": {"access_key": "root", "secret_key": "of a test"},
        "object_store_buckets": [{"name": "acme-recovery", "writer": {"access_key": "acme-writer", "secret_key": "a-writers-key"},
                                  "pruner": {"access_key": "acme-pruner", "secret_key": "a-pruners-key"}}]}
    (place / "store.json").write_text(json.dumps({"all": {"children": {
        "machines": {"hosts": {STORE: variables}}, "object_stores": {"hosts": {STORE: {}}}}}}), encoding="utf-8")
    subprocess.run([str(Path(sys.executable).with_name("ansible-playbook")), "sysgenpro.odoo.site", "-i", str(place / "store.json")],
                   cwd=ROOT, check=True, stdin=subprocess.DEVNULL)


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with locked("guide"):
        if not FROM:
            machines.down([name for name in ALL if name in machines.inspect()])
            images.ensure(BASE)
            machines.up([CONTROLLER, MACHINE, SECOND], "debian13")
            machines.up([STORE], "debian13-warm")
        found = {name: machines.inspect()[name]["address"] for name in ALL}
        if not FROM:
            _controller()
            _store(tmp_path_factory.mktemp("store"))
        yield found
        if not os.environ.get("KEEP"):
            machines.down(list(ALL))


def _stand_in(block: Block) -> None:
    """No registry of the public's is reached from the lab: the official image is there before it is asked for."""
    if block.kind == "console" and "push_base" in block.text:
        machines.load(MACHINE, [f"sgp-lab/{BASE}:latest"])
        done(MACHINE, f"docker tag sgp-lab/{BASE}:latest odoo:19.0")


def test_every_block_of_the_guide(addresses: dict[str, str], figure: Callable[[str], None]) -> None:
    walk = Walk(CONTROLLER, {"192.0.2.10": addresses[MACHINE], "192.0.2.11": addresses[SECOND], "s3.example.com": f"{STORE_NAME}:7070"})
    all_of_it = time.monotonic()
    for number, block in enumerate(blocks((ROOT / "docs/getting-started.md").read_text(encoding="utf-8"))):
        if number < FROM:
            continue
        began = time.monotonic()
        print(f"--- {number} {block.title}", flush=True)
        _stand_in(block)
        walk.do(block)
        if block.kind == "console":
            print(walk.output, flush=True)
            figure(f"{block.title}: {time.monotonic() - began:.0f} s")
    figure(f"the whole guide: {time.monotonic() - all_of_it:.0f} s")
