# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Clusters of a machine with everything that follows from its size and their shares, and why."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.connections import (
    KEPT,
    Needed,
    jobs_of,
    needed,
    of_a_login,
)
from ansible_collections.sysgenpro.odoo.plugins.module_utils._instance.names import (
    DATABASE,
    DATABASE_SAID,
    FIRST_PORT,
    FIRST_UID,
    LOGINS,
    NUMBERS,
)


@dataclass(frozen=True)
class _Size:
    """What one cluster gets. :ivar share: of the machine. :ivar memory: MiB that PostgreSQL may count on. :ivar high: MiB above which it is slowed."""

    share: float
    memory: float
    cores: float
    weight: int
    high: int
    why: str


def postgresql_clusters(clusters: Sequence[Mapping[str, Any]], machine: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Complete the role's list of clusters.

    :param clusters: ``postgresql_clusters`` of the role.
    :param machine: ``memory`` in MiB, ``cores``, ``major``, ``disk`` (``ssd`` or ``hdd``), ``settings`` for all clusters.
    :returns: each cluster with ``port``, ``gid``, ``major``, ``weight``, ``memory_high`` (MiB), ``memory_low`` (MiB) and
        ``settings``, a list of ``name``, ``value``, ``reason``.
    :raises AnsibleFilterError: naming the instance, the field and what was expected.
    """
    complete = [_completed(cluster, machine) for cluster in clusters]
    for key in ("instance", "database", "number"):
        values = [cluster[key] for cluster in complete]
        twice = sorted({str(value) for value in values if values.count(value) > 1})
        if twice:
            raise AnsibleFilterError(f"postgresql_clusters: {key} {', '.join(twice)} is given twice, expected once")
    total = sum(cluster["share"] for cluster in complete)
    if total > 1.0001:
        raise AnsibleFilterError(f"postgresql_clusters: the shares add up to {total:g}, expected at most 1")
    return complete


def _completed(cluster: Mapping[str, Any], machine: Mapping[str, Any]) -> dict[str, Any]:
    name = cluster.get("instance")
    database = cluster.get("database") or str(name).replace("-", "_")
    _check(bool(DATABASE.fullmatch(database)), name, "database", database, DATABASE_SAID)
    number, size = int(cluster["number"]), _size(cluster, machine)
    _check(number in NUMBERS, name, "number", number, "1 to 250")
    listen, networks = cluster.get("listen_addresses") or [], cluster.get("networks") or []
    _check(not listen or bool(networks), name, "networks", networks, "a network at least, since listen_addresses is given")
    missing = [login for login in LOGINS if not (cluster.get("passwords") or {}).get(login)]
    _check(not missing, name, "passwords", "without " + ", ".join(missing), "a password for each of " + ", ".join(LOGINS))
    complete = {
        "instance": name,
        "database": database,
        "number": number,
        "share": size.share,
        "port": FIRST_PORT + number,
        "gid": FIRST_UID + number,
        "major": int(cluster.get("major") or machine["major"]),
        "networks": list(networks),
        "passwords": cluster["passwords"],
        "weight": size.weight,
        "memory_high": size.high,
    }
    settings = _tuned(cluster, machine, size) + _fixed(complete, listen)
    asked = {**(machine.get("settings") or {}), **(cluster.get("settings") or {})}
    own = [setting for setting in settings if setting["name"] not in asked]
    complete["settings"] = own + [
        _setting(key, value, "asked for by the inventory") for key, value in sorted(asked.items())
    ]
    granted = int(cluster.get("connections") or 0)
    complete["connection_limit"] = of_a_login(granted, _needed(cluster)) if granted else -1
    complete["memory_low"] = min(complete["memory_high"], _buffers(size.memory))
    return complete


def _size(cluster: Mapping[str, Any], machine: Mapping[str, Any]) -> _Size:
    """By ``memory`` and ``cores`` of its own where it has them, as a profile gives them; otherwise by its share of the machine."""
    name = cluster.get("instance")
    if cluster.get("memory"):
        memory, cores = int(cluster["memory"]), float(cluster.get("cores") or 1)
        _check(64 <= memory <= machine["memory"], name, "memory", memory, f"64 to the {machine['memory']} MiB to be divided")
        return _Size(memory / machine["memory"], memory, cores, max(1, round(cores * 100)), memory, f"{memory} MiB, its share")
    share = float(cluster.get("share", 0.25))
    _check(0 < share <= 1, name, "share", share, "more than 0, at most 1")
    memory = machine["memory"] * share / 2
    # 100 is what systemd gives everybody: a share of 1 is worth ten of them.
    return _Size(share, memory, machine["cores"] * share, max(1, round(share * 1000)), math.floor(machine["memory"] * share),
                 f"{machine['memory']} MiB x share {share:g}, half of it for PostgreSQL ({memory:.0f} MiB), half for Odoo")


def _tuned(cluster: Mapping[str, Any], machine: Mapping[str, Any], size: _Size) -> list[dict[str, str]]:
    memory, cores, why = size.memory, machine["cores"], size.why
    workers, cron = int(cluster.get("workers", 2)), int(cluster.get("cron_threads", 1))
    jobs = _jobs(cluster)
    processes = 2 * (workers + cron + 1) + jobs
    connections, granted = _needed(cluster), int(cluster.get("connections") or 0)
    _check(not granted or granted >= connections.all, cluster.get("instance"), "connections", granted, f"{connections.all} at least: {connections.said}")
    buffers = _buffers(memory)
    parallel = max(1, min(cores, round(size.cores)))
    maintenance = _between(memory / 16, 16, 1024)
    ssd = machine.get("disk", "ssd") == "ssd"
    return [
        _setting("max_connections", granted or connections.all, f"its share; it needs {connections.said}" if granted else connections.said),
        _setting("superuser_reserved_connections", KEPT, "operators, dumps and releases get in when Odoo has used up the rest"),
        _setting("shared_buffers", f"{buffers}MB", f"a quarter of {why}"),
        _setting("effective_cache_size", f"{_between(memory * 3 / 4, 64, 10**7)}MB", "three quarters of the same: buffers and page cache"),
        _setting("work_mem", f"{_between((memory - buffers) / (processes * 3), 4, 64)}MB",
                 f"what is left, by {processes} processes of both colours, each one query at a time with up to 3 sorts or hashes"),
        _setting("maintenance_work_mem", f"{maintenance}MB", "a sixteenth: index builds of an update and of a restore"),
        _setting("autovacuum_work_mem", f"{max(16, maintenance // 3)}MB", "the same by 3 autovacuum workers"),
        _setting("max_worker_processes", max(4, cores), f"{cores} cores"),
        _setting("max_parallel_workers", parallel, f"{size.cores:g} of {cores} cores"),
        _setting("max_parallel_workers_per_gather", min(2, parallel // 2), "short queries of many users: few of them gain by more"),
        _setting("max_parallel_maintenance_workers", min(2, parallel), "index builds"),
        _setting("max_wal_size", f"{_between(memory / 4, 256, 8192)}MB", "checkpoints come by time, not by volume"),
        _setting("min_wal_size", "80MB", "many clusters on one disk"),
        _setting("random_page_cost", "1.1" if ssd else "4", f"postgresql_disk is {machine.get('disk', 'ssd')}"),
        _setting("effective_io_concurrency", 200 if ssd else 2, f"postgresql_disk is {machine.get('disk', 'ssd')}"),
    ]


def _needed(cluster: Mapping[str, Any]) -> Needed:
    return needed(int(cluster.get("workers", 2)), int(cluster.get("cron_threads", 1)), int(cluster.get("db_maxconn", 8)), _jobs(cluster))


def _jobs(cluster: Mapping[str, Any]) -> int:
    try:
        return jobs_of(cluster.get("queue_channels"))
    except ValueError:
        raise AnsibleFilterError(
            f"postgresql_clusters, instance {cluster.get('instance')}: queue_channels is {cluster['queue_channels']!r},"
            " expected channels such as root:4,root.mail:1") from None


def _fixed(cluster: Mapping[str, Any], listen: Sequence[str]) -> list[dict[str, str]]:
    instance = cluster["instance"]
    return [
        _setting("listen_addresses", ", ".join(listen), "containers come by the socket; TCP only where asked for"),
        _setting("port", cluster["port"], f"{FIRST_PORT} + the instance's number"),
        _setting("unix_socket_directories", f"/run/postgresql, /run/sysgenpro/{instance}/postgresql", "the machine's, the containers'"),
        _setting("unix_socket_permissions", "0770", "the directories' groups: postgres, and the instance's"),
        _setting("ssl", "on", "TCP is hostssl only"),
        _setting("ssl_cert_file", "/etc/sysgenpro/postgresql/server.crt", "one per machine"),
        _setting("ssl_key_file", "/etc/sysgenpro/postgresql/server.key", "one per machine"),
        _setting("ssl_min_protocol_version", "TLSv1.2", "older ones are broken"),
        _setting("password_encryption", "scram-sha-256", "the only kind that pg_hba.conf lets in"),
        _setting("checkpoint_timeout", "15min", "fewer full pages in the WAL"),
        _setting("checkpoint_completion_target", "0.9", "spread the writes"),
        _setting("wal_compression", "lz4", "full pages of Odoo's tables shrink to a third or less; pglz takes several times as long"),
        _setting("jit", "off", "Odoo's queries are short, and its many joins make the planner overrate them"),
        _setting("autovacuum_vacuum_scale_factor", "0.05", "moves, messages and quants grow to millions of rows"),
        _setting("autovacuum_analyze_scale_factor", "0.02", "the same"),
        _setting("track_io_timing", "on", "says whether a slow query waited for the disk"),
        _setting("log_line_prefix", "%m [%p] %q%u@%d ", "the user name tells colour and kind"),
        _setting("log_lock_waits", "on", "who waits for whom longer than deadlock_timeout (1s)"),
        _setting("log_min_duration_statement", "2s", "longer than a shop assistant waits"),
        _setting("log_checkpoints", "on", "one line in 15 minutes"),
        _setting("log_temp_files", "64MB", "work_mem was too small by far"),
        _setting("log_autovacuum_min_duration", "10s", "a table that vacuum works hard on"),
        _setting("log_timezone", "UTC", "one clock for all logs"),
        _setting("timezone", "UTC", "what Odoo stores"),
        _setting("lc_messages", "C.UTF-8", "log messages that tools can read"),
    ]


def _buffers(memory: float) -> int:
    return _between(memory / 4, 32, 16384)


def _between(value: float, low: int, high: int) -> int:
    return int(max(low, min(high, math.floor(value))))


def _setting(name: str, value: Any, reason: str) -> dict[str, str]:
    return {"name": name, "value": str(value), "reason": reason}


def _check(holds: bool, instance: Any, field: str, value: Any, expected: str) -> None:
    if not holds:
        raise AnsibleFilterError(f"postgresql_clusters, instance {instance}: {field} is {value!r}, expected {expected}")


class FilterModule:
    """What Ansible loads."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"postgresql_clusters": postgresql_clusters}
