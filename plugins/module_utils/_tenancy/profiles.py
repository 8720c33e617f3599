# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sizes and isolation classes by name: data, and nothing that decides.

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
class Profile:
    """:param isolation: see ``ISOLATION``. :param priority: of its pods, for the scheduler: the higher one is placed first.

    The others are limits as Kubernetes writes quantities. :param cpu: :param memory: that all pods together may ask for.
    :param ephemeral: of containers' own layers, logs and emptyDirs. :param storage: of all claims together.
    :param colour_cpu: :param colour_memory: that the places of one colour ask for.
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


PROFILES: Mapping[str, Profile] = {
    "small": Profile(SHARED, 1000, "1", "12Gi", "24Gi", "20Gi", 4, 24, "250m", "3328Mi"),
    "medium": Profile(SHARED, 2000, "4", "24Gi", "48Gi", "100Gi", 6, 36, "1500m", "8Gi"),
    "large": Profile(SHARED, 3000, "12", "56Gi", "96Gi", "500Gi", 8, 60, "5", "22Gi"),
    "dedicated": Profile(DEDICATED, 4000, "24", "112Gi", "192Gi", "1Ti", 12, 100, "10", "48Gi"),
    "regulated": Profile(REGULATED, 4000, "8", "40Gi", "96Gi", "500Gi", 8, 60, "3", "14Gi"),
}

# Objects that cost the API server and etcd; far above what an instance needs (a Secret and a ConfigMap for each place, a Service for each that serves).
COUNTS: Mapping[str, str] = {"services": "24", "secrets": "100", "configmaps": "100", "count/jobs.batch": "100", "count/cronjobs.batch": "24"}
# Of a container that says nothing itself.
REQUEST: Mapping[str, str] = {"cpu": "50m", "memory": "64Mi", "ephemeral-storage": "64Mi"}
DEFAULT: Mapping[str, str] = {"memory": "256Mi", "ephemeral-storage": "1Gi"}
