# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes and isolation classes by name: data, and nothing that decides. In a cluster and on a machine they are the same ones.

A colour is web and cron with the sizes that ``odoo_release`` gives them by default (2 GiB and 1 GiB), or larger ones. A share holds two colours side by
side, an update or a rehearsal, and the toolbox: that is what a release needs at the moment of its switch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

SHARED, DEDICATED, REGULATED = "shared", "dedicated", "regulated"
ISOLATION = (SHARED, DEDICATED, REGULATED)
"""Whose nodes: everybody's; a pool of its own; a pool of its own, and no way out to everywhere."""


@dataclass(frozen=True)
class Size:
    """What a machine gives beside a profile's ``cpu`` (promised) and ``storage`` (of the filestore), as Kubernetes writes quantities.

    ``*_cpu`` is the most that may ever be taken, since idle cores are for everybody; ``*_memory`` and ``pids`` are of each container.

    :param temp_files: of one session of PostgreSQL. :param wal: that PostgreSQL keeps. :param data: of its data directory.
    """

    web_cpu: str
    web_memory: str
    cron_cpu: str
    cron_memory: str
    queue_cpu: str
    queue_memory: str
    pids: int
    database_cpu: str
    database_memory: str
    connections: int
    temp_files: str
    wal: str
    data: str
    session_memory: str
    session_clients: int


@dataclass(frozen=True)
class Profile:
    """:param isolation: see ``ISOLATION``. :param priority: of its pods, for the scheduler: the higher one is placed first.

    The others are limits as Kubernetes writes quantities. :param cpu: :param memory: that all pods together may ask for.
    :param ephemeral: of containers' own layers, logs and emptyDirs. :param storage: of all claims together.
    :param colour_cpu: :param colour_memory: that the places of one colour ask for. :param machine: what it is on a machine.
    """

    isolation: str
    priority: int
    cpu: str
    memory: str
    ephemeral: str
    storage: str
    claims: int
    pods: int
    colour_cpu: str
    colour_memory: str
    machine: Size


PROFILES: Mapping[str, Profile] = {
    "small": Profile(
        SHARED, 1000, "1", "12Gi", "24Gi", "20Gi", 4, 24, "250m", "3328Mi",
        Size("2", "2Gi", "1", "1Gi", "1", "1Gi", 1024, "2", "1536Mi", 150, "2Gi", "1Gi", "20Gi", "256Mi", 500)),
    "medium": Profile(
        SHARED, 2000, "4", "24Gi", "48Gi", "100Gi", 6, 36, "1500m", "8Gi",
        Size("4", "5Gi", "2", "2Gi", "2", "2Gi", 1024, "4", "6Gi", 260, "8Gi", "4Gi", "100Gi", "512Mi", 1000)),
    "large": Profile(
        SHARED, 3000, "12", "56Gi", "96Gi", "500Gi", 8, 60, "5", "22Gi",
        Size("10", "16Gi", "4", "4Gi", "4", "4Gi", 2048, "10", "20Gi", 460, "32Gi", "16Gi", "500Gi", "1Gi", 2000)),
    "dedicated": Profile(
        DEDICATED, 4000, "24", "112Gi", "192Gi", "1Ti", 12, 100, "10", "48Gi",
        Size("20", "40Gi", "8", "6Gi", "8", "6Gi", 4096, "20", "40Gi", 900, "64Gi", "32Gi", "1Ti", "2Gi", 4000)),
    "regulated": Profile(
        REGULATED, 4000, "8", "40Gi", "96Gi", "500Gi", 8, 60, "3", "14Gi",
        Size("6", "10Gi", "3", "3Gi", "3", "3Gi", 2048, "6", "14Gi", 300, "16Gi", "8Gi", "500Gi", "1Gi", 2000)),
}

# Objects that cost the API server and etcd; far above what an instance needs (a Secret and a ConfigMap for each place, a Service for each that serves).
COUNTS: Mapping[str, str] = {"services": "24", "secrets": "100", "configmaps": "100", "count/jobs.batch": "100", "count/cronjobs.batch": "24"}
# Of a container that says nothing itself.
REQUEST: Mapping[str, str] = {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"}
DEFAULT: Mapping[str, str] = {"memory": "256Mi", "ephemeral-storage": "1Gi"}
