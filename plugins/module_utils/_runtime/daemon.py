# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Docker's daemon on a machine: containers, images and networks, by a thin adapter on its SDK."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from .._instance.names import LABEL
from .._kernel.errors import DomainError
from .._kernel.wait import Deadline, WaitTimeout, clock, wait_until
from .kept import keep

try:
    import docker
    from docker.errors import APIError, DockerException, ImageNotFound, NotFound
    from requests.exceptions import ConnectionError as RequestsConnectionError
    from requests.exceptions import RequestException

    HAS_DOCKER = True
except ImportError:
    HAS_DOCKER = False

Result = TypeVar("Result")

# Connections that may wait to be accepted in a container's own network, listen(2): as many as addons/sysgenpro_drain/herd.py asks for.
BACKLOG = 16384
# A daemon that restarts is back within this time, in seconds; containers live on (live-restore).
DAEMON_PATIENCE = 90
# What is kept of a container's output, in lines: for a message, and as a file when the container goes, so many files of one name.
LOG_TAIL = 2000
LOG_KEPT = 50000
LOG_FILES = 3


# A daemon that restarts under running containers (live-restore) may keep an endpoint of one that ended since (libnetwork/network.go).
_LEFT_BEHIND = re.compile(r"endpoint with name \S+ already exists in network ([\w.-]+)")


@dataclass(frozen=True)
class Container:
    """What one container says of itself."""

    name: str
    state: str
    labels: Mapping[str, str]

    @property
    def running(self) -> bool:
        return self.state == "running"

    def label(self, name: str) -> str:
        return self.labels.get(LABEL + name, "")


@dataclass(frozen=True)
class ContainerSpec:
    """What a container shall be.

    :param memory: limit in bytes; swap is not added to it.
    :param cpus: limit in CPUs; 0 is none.
    :param pids: how many processes. :param weight: beside others where processors are short, in Docker's ``cpu_shares``; 0 is Docker's own.
    :param address: fixed IPv4 address on ``network``; None is no network at all.
    """

    name: str
    image: str
    command: Sequence[str]
    labels: Mapping[str, str]
    uid: int
    mounts: Mapping[str, tuple[str, str]]
    environment: Mapping[str, str]
    memory: int
    cpus: float = 0
    network: str | None = None
    address: str | None = None
    restart: bool = True
    pids: int = 1024
    weight: int = 0


class Daemon:
    """An adapter on the Docker SDK that outlives a restart of the daemon.

    :ivar logs_to: directory for the logs of containers that are removed; empty for nowhere.
    """

    logs_to = ""

    def __init__(self) -> None:
        if not HAS_DOCKER:
            raise DomainError("docker_missing", "the Python library docker is not on this machine",
                              unchanged="Nothing was changed", advice="Run the site playbook for this machine")
        try:
            self._client: Any = docker.from_env(timeout=120, version="auto")
        except DockerException as error:
            raise _daemon_down(error) from None

    def _call(self, call: Callable[[], Result]) -> Result:
        try:
            return call()
        except (RequestsConnectionError, ConnectionError):
            self._wait_for_daemon()
            return call()

    def _wait_for_daemon(self) -> None:
        def answers() -> bool:
            try:
                return bool(self._client.ping())
            except (APIError, RequestException, OSError):
                return False

        try:
            wait_until(answers, Deadline(DAEMON_PATIENCE), interval=0.5)
        except WaitTimeout as error:
            raise _daemon_down(error) from None

    def observe(self, instance: str) -> list[Container]:
        """All containers of an instance. One call."""
        listed = self._call(lambda: self._client.api.containers(
            all=True, filters={"label": f"{LABEL}instance={instance}"}))
        return [Container(item["Names"][0].lstrip("/"), item["State"], item.get("Labels") or {}) for item in listed]

    def has_image(self, reference: str) -> bool:
        try:
            self._call(lambda: self._client.api.inspect_image(reference))
        except ImageNotFound:
            return False
        return True

    def pull(self, reference: str, username: str | None, password: str | None, seconds: float) -> None:
        """Pull an image by digest. Layers that are here are not pulled again.

        :raises DomainError: ``pull_failed``, ``pull_timeout``.
        """
        if self.has_image(reference):
            return
        repository, digest = reference.rsplit("@", 1)
        auth = {"username": username, "password": password} if username else None
        deadline = Deadline(seconds)
        try:
            for line in self._call(lambda: self._client.api.pull(
                    repository, tag=digest, auth_config=auth, stream=True, decode=True)):
                if "error" in line:
                    raise DomainError("pull_failed", "pulling {}: {}".format(reference, line["error"]))
                if deadline.passed:
                    raise DomainError("pull_timeout", f"pulling {reference} took longer than {seconds:g} s (bounds.pull)")
        except APIError as error:
            raise DomainError("pull_failed", f"pulling {reference}: {error.explanation}") from None

    def create(self, spec: ContainerSpec) -> None:
        """Make a container anew, in place of one of the same name. It is not started."""
        self.remove(spec.name)
        host = self._client.api.create_host_config(
            binds={source: {"bind": target, "mode": mode} for target, (source, mode) in spec.mounts.items()},
            init=True,
            read_only=True,
            tmpfs={"/tmp": "size=512m,mode=1777"},  # noqa: S108 (a file system of its own)
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
            mem_limit=spec.memory,
            memswap_limit=spec.memory,
            # Docker refuses more than the machine has.
            nano_cpus=round(min(spec.cpus, os.cpu_count() or spec.cpus) * 1e9) or None,
            cpu_shares=spec.weight or None,
            pids_limit=spec.pids,
            sysctls={"net.core.somaxconn": str(BACKLOG)},
            network_mode=spec.network or "none",
            restart_policy={"Name": "unless-stopped"} if spec.restart else None,
        )
        networking = None
        if spec.network:
            networking = self._client.api.create_networking_config({
                spec.network: self._client.api.create_endpoint_config(ipv4_address=spec.address)})
        self._call(lambda: self._client.api.create_container(
            spec.image, command=list(spec.command), name=spec.name, user=f"{spec.uid}:{spec.uid}",
            entrypoint=[], environment=dict(spec.environment), labels=dict(spec.labels),
            host_config=host, networking_config=networking, working_dir="/var/lib/odoo"))

    def start(self, name: str) -> None:
        """Start a container; one that runs is left alone."""
        try:
            try:
                self._call(lambda: self._client.api.start(name))
            except APIError as error:
                left = _LEFT_BEHIND.search(error.explanation or "")
                if not left:
                    raise
                self._forget_endpoint(name, left.group(1))
                self._call(lambda: self._client.api.start(name))
        except NotFound:
            raise DomainError("place_missing", f"there is no container {name}") from None
        except APIError as error:
            raise DomainError("start_failed", f"starting {name}: {error.explanation}") from None

    def _forget_endpoint(self, name: str, network: str) -> None:
        """Docker drops an endpoint by name only where no container has the name, so the new one goes by another for a moment."""
        aside = name + "-starting"
        self._call(lambda: self._client.api.rename(name, aside))
        try:
            self._call(lambda: self._client.api.disconnect_container_from_network(name, network, force=True))
        except NotFound:
            pass
        finally:
            self._call(lambda: self._client.api.rename(aside, name))

    def terminate(self, name: str) -> None:
        """Ask a container to end and do not wait; it is not restarted by the daemon any more."""
        try:
            self._call(lambda: self._client.api.update_container(name, restart_policy={"Name": "no"}))
            self._call(lambda: self._client.api.kill(name, signal="SIGTERM"))
        except NotFound:
            return
        except APIError as error:
            if error.response is None or error.response.status_code != 409:
                raise

    def revive(self, name: str, seconds: float = 20) -> None:
        """Undo ``terminate``: wait for the end that was asked for, then start again. One that nobody asked to end is left alone,
        so that doing this again, where it could not be written down that it was done, ends nothing that serves.

        :param seconds: how long it may take to end before it is made to.
        """
        found = self._call(lambda: self._client.api.inspect_container(name))
        if found["State"].get("Running") and found["HostConfig"]["RestartPolicy"]["Name"] != "no":
            return
        if not self.wait_end(name, seconds):
            self.stop(name, 1)
        self._call(lambda: self._client.api.update_container(name, restart_policy={"Name": "unless-stopped"}))
        self.start(name)

    def stop(self, name: str, seconds: float) -> None:
        """End a container, by force after ``seconds``."""
        try:
            self._client.api.timeout = 120 + seconds
            self._call(lambda: self._client.api.stop(name, timeout=int(seconds)))
        except NotFound:
            return

    def wait_end(self, name: str, seconds: float) -> bool:
        """Whether a container ended within ``seconds``."""
        try:
            wait_until(lambda: not self.is_running(name), Deadline(seconds), interval=0.1)
        except WaitTimeout:
            return False
        return True

    def state(self, name: str) -> dict[str, Any]:
        """Docker's ``State`` of a container; empty where there is none."""
        try:
            inspected = self._call(lambda: self._client.api.inspect_container(name))
        except NotFound:
            return {}
        state: dict[str, Any] = inspected["State"]
        return state

    def is_running(self, name: str) -> bool:
        return bool(self.state(name).get("Running"))

    def remove(self, name: str) -> None:
        self._keep_log(name)
        try:
            self._call(lambda: self._client.api.remove_container(name, force=True, v=True))
        except NotFound:
            return
        except APIError as error:
            if error.response is None or error.response.status_code != 409:
                raise
            # Its removal is under way.
            wait_until(lambda: not self.state(name), Deadline(30))

    def _keep_log(self, name: str) -> None:
        """Docker forgets what a container wrote when it forgets the container. Nothing fails where that cannot be kept, as on a full disk."""
        if not self.logs_to:
            return
        try:
            raw = bytes(self._call(lambda: self._client.api.logs(name, timestamps=True, tail=LOG_KEPT)))
        except APIError:
            return
        if raw:
            keep(self.logs_to, name, str(time.time_ns()), raw, LOG_FILES)

    def logs(self, name: str, tail: int = LOG_TAIL, seconds: int = 0) -> str:
        """:param seconds: of so many alone; 0 is of all."""
        since = {"since": int(clock.time()) - seconds} if seconds else {}
        try:
            raw = self._call(lambda: self._client.api.logs(name, tail=tail, **since))
        except NotFound:
            return ""
        return bytes(raw).decode(errors="replace")

    def output(self, name: str) -> str:
        """All of a container's standard output, without what it logged."""
        return bytes(self._call(lambda: self._client.api.logs(name, stdout=True, stderr=False))).decode()

    def connections(self, name: str, port: int) -> int:
        """How many TCP connections to ``port`` are established in a container (``/proc/<pid>/net/tcp``, proc(5))."""
        pid = self.state(name).get("Pid")
        if not pid:
            return 0
        count = 0
        for family in ("tcp", "tcp6"):
            try:
                with open(f"/proc/{pid}/net/{family}", encoding="ascii") as stream:
                    rows = stream.read().splitlines()[1:]
            except FileNotFoundError:
                continue
            for row in rows:
                columns = row.split()
                if int(columns[1].rsplit(":", 1)[1], 16) == port and columns[3] == "01":
                    count += 1
        return count

    def ensure_network(self, name: str, subnet: str, internal: bool) -> None:
        """Make a bridge network where there is none."""
        if self._call(lambda: self._client.api.networks(names=[name])):
            return
        pool = docker.types.IPAMPool(subnet=subnet)
        self._call(lambda: self._client.api.create_network(
            name, driver="bridge", internal=internal, ipam=docker.types.IPAMConfig(pool_configs=[pool])))

    def remove_network(self, name: str) -> None:
        try:
            self._call(lambda: self._client.api.remove_network(name))
        except NotFound:
            return


def memory_available() -> int:
    """Bytes of memory the machine can give to new processes (``MemAvailable``, proc(5))."""
    with open("/proc/meminfo", encoding="ascii") as stream:
        for line in stream:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


def _daemon_down(error: object) -> DomainError:
    return DomainError("docker_down", f"Docker does not answer on this machine: {error}",
                       unchanged="Nothing was changed by this call", advice="Start Docker, then run this again")


__all__ = ["Container", "ContainerSpec", "Daemon", "memory_available"]
