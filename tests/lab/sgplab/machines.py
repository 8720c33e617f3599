# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Machines: systemd containers that can run Docker, with fixed addresses on one network, reached by SSH."""

from __future__ import annotations

import io
import ipaddress
import json
import re
import subprocess
import tarfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import certificates, images
from .base import LabError, locked, output, run, say, secrets

NETWORK = "sgp-lab"
DOMAIN = "lab.test"
PREFIX = "sgp-lab-"
LABEL = "org.sysgenpro.lab"
#: The first address for machines; those below stay free for the bridge and for a test's own use.
FIRST = 11
#: Bit of CAP_SYS_RESOURCE in a capability set, see linux/capability.h.
CAP_SYS_RESOURCE = 24
_NAME = re.compile(r"[a-z]([a-z0-9-]{0,40}[a-z0-9])?")


def _container(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise LabError(f"machine name {name!r}: small letters, digits and dashes are expected, at most 42")
    return PREFIX + name


def _options() -> list[str]:
    """Return docker's options for a machine in which systemd and Docker run.

    Privileged with a cgroup name space of its own where the host allows that (cgroup v2 needs it). Where the host has no CAP_SYS_RESOURCE
    to give, every other capability with the confinement off instead, on the host's cgroup v1 tree.
    """
    common = ["--stop-signal", "SIGRTMIN+3", "--tmpfs", "/run:exec", "--tmpfs", "/run/lock", "--volume", "/var/lib/docker", "--env", "container=docker"]
    match = re.search(r"^CapBnd:\s*(\w+)", Path("/proc/self/status").read_text(encoding="ascii"), re.MULTILINE)
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        common += ["--cgroupns", "private"]
    else:
        common += ["--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]
    if match and int(match[1], 16) >> CAP_SYS_RESOURCE & 1:
        return [*common, "--privileged"]
    # Docker 20.10 takes ALL for what the kernel knows; later ones for what there is to give, and refuse to drop what there is not.
    old = int(output(["docker", "version", "--format", "{{.Server.Version}}"]).split(".")[0]) < 23
    return [
        *common, "--cap-add", "ALL", *(("--cap-drop", "SYS_RESOURCE") if old else ()), "--device-cgroup-rule", "a *:* rwm",
        *(part for option in ("seccomp", "apparmor", "systempaths") for part in ("--security-opt", f"{option}=unconfined")),
    ]  # fmt: skip


def network() -> ipaddress.IPv4Network:
    """Return the lab network's subnet; make the network on a range that nothing on this host routes to."""
    found = run(["docker", "network", "inspect", NETWORK, "--format", "{{(index .IPAM.Config 0).Subnet}}"], check=False)
    if found.returncode == 0:
        return ipaddress.IPv4Network(found.stdout.strip())
    words = {word for line in output(["ip", "-4", "route", "show", "table", "all"]).splitlines() for word in line.split()[:2]}
    taken = [ipaddress.ip_network(word, strict=False) for word in words if re.fullmatch(r"[\d.]+(/\d+)?", word)]
    for third in range(80, 120):
        subnet = ipaddress.IPv4Network(f"10.{third}.0.0/24")
        if not any(subnet.overlaps(other) for other in taken if isinstance(other, ipaddress.IPv4Network)):
            run(["docker", "network", "create", "--subnet", str(subnet), "--label", LABEL, "--opt", f"com.docker.network.bridge.name={NETWORK}", NETWORK])
            return subnet
    raise LabError("no free range for the lab's network among 10.80.0.0/24 to 10.119.0.0/24")


def inspect() -> dict[str, dict[str, Any]]:
    """Return every machine: name to ``address``, ``image``, ``running``."""
    names = output(["docker", "ps", "--all", "--filter", f"label={LABEL}=machine", "--format", "{{.Names}}"]).split()
    if not names:
        return {}
    machines = {}
    for item in json.loads(output(["docker", "inspect", *names])):
        labels = item["Config"]["Labels"]
        machines[item["Name"].removeprefix(f"/{PREFIX}")] = {
            "address": labels[f"{LABEL}.address"],
            "image": labels[f"{LABEL}.image"],
            "running": item["State"]["Running"] and not item["State"]["Paused"],
        }
    return dict(sorted(machines.items()))


def ssh_options() -> list[str]:
    """Return the options with which ssh reaches every machine; makes the keys if there are none."""
    keys = _keys()
    return [
        "-i", str(keys / "id_ed25519"), "-o", f"UserKnownHostsFile={keys / 'known_hosts'}", "-o", "GlobalKnownHostsFile=/dev/null",
        "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "LogLevel=ERROR",
    ]  # fmt: skip


def _keys() -> Path:
    directory = secrets()
    for name in ("id_ed25519", "host_ed25519"):
        if not (directory / name).exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "sgp-lab", "-f", str(directory / name)])
    # One host key for all machines of this lab: a machine made anew keeps it, so strict checking stays on.
    known = "* " + (directory / "host_ed25519.pub").read_text(encoding="utf-8")
    if not (directory / "known_hosts").exists() or (directory / "known_hosts").read_text(encoding="utf-8") != known:
        (directory / "known_hosts").write_text(known, encoding="utf-8")
    return directory


def _resolv_conf() -> str:
    """Return name servers that a container reaches: the host's, unless they are on its loopback."""
    for path in ("/etc/resolv.conf", "/run/systemd/resolve/resolv.conf"):
        if Path(path).exists():
            lines = [line for line in Path(path).read_text(encoding="utf-8").splitlines() if re.match(r"nameserver\s+(?!127\.|::1)", line)]
            if lines:
                return "\n".join(lines) + "\n"
    return ""


def _hosts(name: str, machines: dict[str, dict[str, Any]]) -> str:
    lines = ["127.0.0.1 localhost", "::1 localhost ip6-localhost ip6-loopback"]
    ordered = sorted(machines.items(), key=lambda item: item[0] != name)
    return "\n".join(lines + [f"{machine['address']} {other}.{DOMAIN} {other}" for other, machine in ordered]) + "\n"


def _files(name: str) -> bytes:
    """Return a tar archive with what a new machine gets before its first boot."""
    keys = _keys()
    public = (keys / "id_ed25519.pub").read_text(encoding="utf-8")
    files = {
        "root/.ssh/authorized_keys": (public, 0o600),
        "etc/ssh/ssh_host_ed25519_key": ((keys / "host_ed25519").read_text(encoding="utf-8"), 0o600),
        "etc/ssh/ssh_host_ed25519_key.pub": ((keys / "host_ed25519.pub").read_text(encoding="utf-8"), 0o644),
        "etc/lab/resolv.conf": (_resolv_conf(), 0o644),
        "etc/hostname": (f"{name}\n", 0o644),
        "usr/local/share/ca-certificates/lab.crt": (certificates.authority().read_text(encoding="utf-8"), 0o644),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        directory = tarfile.TarInfo("root/.ssh")
        directory.type, directory.mode = tarfile.DIRTYPE, 0o700
        archive.addfile(directory)
        for path, (text, mode) in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode, entry.mtime = len(text.encode()), mode, int(time.time())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def _create(name: str, image: str, subnet: ipaddress.IPv4Network, machines: dict[str, dict[str, Any]]) -> None:
    used = {machine["address"] for machine in machines.values()}
    address = next((str(host) for host in list(subnet.hosts())[FIRST - 1 :] if str(host) not in used), None)
    if address is None:
        raise LabError(f"no free address in {subnet}")
    container = _container(name)
    labels = {LABEL: "machine", f"{LABEL}.address": address, f"{LABEL}.image": image}
    run([
        "docker", "create", "--name", container, "--hostname", name, "--network", NETWORK, "--ip", address, *_options(),
        *(part for key, value in labels.items() for part in ("--label", f"{key}={value}")), images.ensure(image),
    ])  # fmt: skip
    subprocess.run(["docker", "cp", "-", f"{container}:/"], input=_files(name), check=True, stdout=subprocess.DEVNULL)
    run(["docker", "start", container])
    machines[name] = {"address": address, "image": image, "running": True}


def _publish(machines: dict[str, dict[str, Any]]) -> None:
    """Tell every running machine the names of all."""
    for name, machine in machines.items():
        if machine["running"]:
            script = "mkdir -p /etc/lab; cat > /etc/lab/hosts; cat /etc/lab/hosts > /etc/hosts; [ ! -s /etc/lab/resolv.conf ] || cat /etc/lab/resolv.conf > /etc/resolv.conf"
            # A machine may just be on its way down or up; when it boots, it takes /etc/lab/hosts as it then is.
            run(["docker", "exec", "-i", _container(name), "sh", "-c", script], data=_hosts(name, machines), check=False)


def _wait(name: str, address: str, seconds: float = 90.0) -> None:
    deadline = time.monotonic() + seconds
    state = ssh = "nothing"
    while time.monotonic() < deadline:
        state = run(["docker", "exec", _container(name), "systemctl", "is-system-running"], check=False).stdout.strip()
        if state in ("running", "degraded"):
            ssh = run(["ssh", *ssh_options(), f"root@{address}", "true"], check=False).stderr.strip()
            if not ssh:
                if state == "degraded":
                    failed = run(["docker", "exec", _container(name), "systemctl", "--failed", "--plain", "--no-legend"], check=False).stdout
                    say(f"{name} is degraded: {', '.join(line.split()[0] for line in failed.splitlines())}")
                return
        time.sleep(0.3)
    raise LabError(f"machine {name} did not come up within {seconds:.0f} s: systemd says {state!r}, ssh says {ssh!r}; see docker logs {_container(name)}")


def up(names: Sequence[str], image: str) -> None:
    """Bring the machines up; reuse those that exist. Raises LabError if one exists with another image."""
    for name in names:
        _container(name)
    images.ensure(image)
    with locked("machines"):
        subnet = network()
        machines = inspect()
        fresh = []
        for name in names:
            machine = machines.get(name)
            if machine is None:
                _create(name, image, subnet, machines)
                fresh.append(name)
            elif machine["image"] != image:
                raise LabError(f"machine {name} exists with image {machine['image']}, not {image}; lab down {name} drops it")
            elif not machine["running"]:
                run(["docker", "start", _container(name)])
                machine["running"] = True
        _publish(machines)
    for name in names:
        _wait(name, machines[name]["address"])
        if name in fresh:
            run(["docker", "exec", _container(name), "update-ca-certificates"])
        say(f"{name} is up at {machines[name]['address']}")


def down(names: Sequence[str]) -> None:
    """Drop the machines with all that is in them; a machine that is not there is no error."""
    with locked("machines"):
        for name in names:
            if name in inspect():
                run(["docker", "rm", "--force", "--volumes", _container(name)])
                say(f"{name} is gone")
        _publish(inspect())


def reboot(names: Sequence[str], *, hard: bool = False) -> None:
    """Restart the machines, ``hard`` as a power loss does: nothing is told to stop. ``/run`` starts empty."""
    machines = inspect()
    for name in names:
        _require(name, machines)
        if hard:
            run(["docker", "kill", _container(name)])
            run(["docker", "start", _container(name)])
        else:
            run(["docker", "restart", "--time", "60", _container(name)])
    for name in names:
        _wait(name, machines[name]["address"])
        say(f"{name} is up again")


def load(name: str, references: Sequence[str]) -> None:
    """Bring images of this host into a machine's own Docker."""
    _require(name, inspect())
    with subprocess.Popen(["docker", "save", *references], stdout=subprocess.PIPE) as save:
        loaded = subprocess.run(["docker", "exec", "-i", _container(name), "docker", "load", "--quiet"], stdin=save.stdout, check=False)
    if save.returncode or loaded.returncode:
        raise LabError(f"could not load {', '.join(references)} into {name}")


def ssh(name: str, command: Sequence[str]) -> int:
    """Run a command (or a shell) on a machine by SSH and return its exit code."""
    machines = inspect()
    _require(name, machines)
    return subprocess.run(["ssh", *ssh_options(), f"root@{machines[name]['address']}", *command], check=False).returncode


def _require(name: str, machines: dict[str, dict[str, Any]]) -> None:
    if name not in machines:
        raise LabError(f"machine {name} does not exist; there are {', '.join(machines) or 'none'}")


def ansible_inventory() -> dict[str, Any]:
    """Return an Ansible inventory of the running machines, in the group ``machines``."""
    keys = _keys()
    hosts = {name: {"ansible_host": machine["address"]} for name, machine in inspect().items() if machine["running"]}
    variables = {
        "ansible_user": "root",
        "ansible_ssh_private_key_file": str(keys / "id_ed25519"),
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={keys / 'known_hosts'} -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
    }
    return {"machines": {"hosts": hosts, "vars": variables}}
