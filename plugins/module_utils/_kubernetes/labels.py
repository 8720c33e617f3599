# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Labels and annotations of this collection's objects in a cluster: each word in this one place."""

from __future__ import annotations

PREFIX = "org.sysgenpro/"
"""Begins the names of all of them."""
MANAGED_BY = {"app.kubernetes.io/managed-by": "sysgenpro"}
PART = PREFIX + "part"
"""Of what an object is a part, so that one list finds them all: ``tenancy``."""
TENANT, PROFILE, ISOLATION, POOL = PREFIX + "tenant", PREFIX + "profile", PREFIX + "isolation", PREFIX + "pool"
"""Of a tenant's namespace. Nodes of a pool bear, and are tainted with, ``POOL``, too."""
INSTANCE = PREFIX + "instance"
"""Of all that a release makes for an instance."""
PLACE, KIND, REACH = PREFIX + "place", PREFIX + "kind", PREFIX + "reach"
"""Of a pod: its place, the kind of its process, and how far it reaches (``instance``, ``database``, ``aside``)."""
REGISTRIES, HOSTS, SERVICES, PRIORITY = PREFIX + "registries", PREFIX + "hosts", PREFIX + "services", PREFIX + "priority"
"""Annotations of a tenant's namespace that the cluster's admission policies read: lists by commas, and the highest priority of its pods."""
GOVERNED = PREFIX + "governed"
"""Annotation of a namespace whose releases are judged: the fingerprint of that by which."""
COLOUR_CPU, COLOUR_MEMORY = PREFIX + "colour-cpu", PREFIX + "colour-memory"
"""Annotations of a tenant's quota: what one colour asks for."""
TOOLBOX = "toolbox"
"""What the toolbox's pod bears as its place; it also shows the maintenance page."""
