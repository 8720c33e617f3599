# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The world of a release, part by part. It is handed in by ``main()`` and built nowhere else, so that the same release runs on whatever has these parts."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from .._governance.cluster_place import found_in
from .._governance.place import Governance, found
from .._image.attached import Attached, fetch_attached
from .._image.record import Reference, Release
from .._image.registry import fetch_record
from .._instance.data import Data
from .._instance.database import Database
from .._instance.way_in import WayIn
from .._kernel.journal import Journal
from .._kubernetes.api import Api
from .._recovery.operation import RecoveryOperation
from .._runtime.daemon import Daemon
from .._runtime.docker import DockerRuntime
from .._runtime.front import MachineFront
from .._runtime.kubernetes import KubernetesRuntime
from .._runtime.pods import Ground
from .._runtime.protocol import SESSION_SOCKETS, SOCKETS, Front, Runtime
from .._runtime.service_front import ServiceFront
from .answered import Edge
from .model import Desired
from .moved import check_place
from .prove import prove, request
from .session import check_session


@dataclass
class Parts:
    """:param where: sees, before anything else is asked, whether the instance is where it is looked for.
    :param record: the release that a reference names, out of its registry.
    :param sessions: sees whether the session store lets the instance in.
    :param prove: ``prove.prove``. :param request: ``prove.request``.
    :param recovery: what takes, verifies and restores recovery points, from parameters of ``pg_recovery_point``.
    :param attached: what lies beside an image in its registry, by the image's reference.
    :param governance: what governs the machine; None where nothing does.
    :param alone: holds the lock of the instance's directory, and sees to it that nobody works on it elsewhere, where that may not tell.
    """

    runtime: Runtime
    front: Front
    database: Database
    data: Data
    journal: Journal
    edge: Edge
    where: Callable[[], None]
    record: Callable[[str], Release]
    sessions: Callable[[], None]
    prove: Callable[..., dict[str, Any]] = prove
    request: Callable[..., Any] = request
    recovery: Callable[[Mapping[str, Any]], RecoveryOperation] = RecoveryOperation
    governance: Callable[[], Governance | None] = lambda: None
    attached: Callable[[Reference], Attached] = lambda reference: Attached()
    alone: Callable[[AbstractContextManager[None]], AbstractContextManager[None]] = lambda lock: lock


def on_this_machine(wanted: Desired) -> Parts:
    """The parts of an instance whose machine, or whose toolbox, runs this."""
    params = wanted.params
    registry, session = params["registry"], params["session"]
    world = opened(params)
    runtime, front = world["runtime"], world["front"]

    def where() -> None:
        if isinstance(runtime, KubernetesRuntime) and isinstance(front, ServiceFront):
            runtime.check()
            if params.get("canary"):
                front.check_share()
        else:
            check_place(params)

    def governance() -> Governance | None:
        return found_in(runtime.api, runtime.namespace) if isinstance(runtime, KubernetesRuntime) else found()

    return Parts(
        **world, data=Data(wanted.directory, wanted.database, int(params["uid"])), journal=Journal(wanted.state_directory),
        edge=Edge(params["edge"], wanted.instance), sessions=lambda: check_session(session),
        where=where, governance=governance, alone=runtime.alone if isinstance(runtime, KubernetesRuntime) else lambda lock: lock,
        attached=lambda reference: fetch_attached(reference, registry.get("username"), registry.get("password"), registry.get("ca_path")),
        record=lambda reference: fetch_record(reference, registry.get("username"), registry.get("password"), registry.get("ca_path")))


def opened(params: Mapping[str, Any]) -> dict[str, Any]:
    """``runtime``, ``front`` and ``database`` of an instance whose machine, or whose toolbox, runs this: as much as ``odoo_release_info`` needs.

    :raises DomainError: ``docker_missing``, ``docker_down``, ``kubernetes_missing``, ``psycopg2_missing``.
    """
    instance, place, session = params["instance"], params["database"], params.get("session")
    if params["runtime"] == "kubernetes":
        ground = Ground(params.get("namespace") or instance, instance, int(params.get("uid") or 0),
                        pull_secret=bool((params.get("registry") or {}).get("username")), placement=params.get("placement") or {})
        api = Api.open()
        return {"runtime": KubernetesRuntime(api, ground, os.path.join(params["root"], instance)), "front": ServiceFront(api, ground),
                "database": Database(place["name"], WayIn.of(place))}
    sockets = {SOCKETS: place["socket"], **({SESSION_SOCKETS: os.path.dirname(session["socket"])} if session else {})}
    return {
        "runtime": DockerRuntime(Daemon(), instance, os.path.join(params["root"], instance), params["subnet"], int(params.get("uid") or 0), sockets),
        "front": MachineFront(instance, params["subnet"], (params.get("edge") or {}).get("maintenance") or ""),
        "database": Database(place["name"], WayIn.of(place)),
    }
