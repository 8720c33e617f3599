# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operation behind tenant_quota: all tenants of a cluster in one pass."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.plan import Plan
from .._kubernetes import labels
from .._kubernetes.api import Api
from . import apply, io, plan, shares
from .admission import cluster_objects
from .model import Tenant, placement
from .network import Edge
from .plan import Change, Observed
from .render import TENANCY, hard, tenant_objects


class TenantsOperation:
    """Tenants that shall be there.

    :param overcommit: how many times what nodes have may be promised, by ``cpu`` and ``memory``; 0 is without bound.
    :param force: take fields back that others manage. :param adopt: take in namespaces that were there before.
    """

    def __init__(self, api: Api, tenants: Sequence[Tenant], edge: Edge, *, overcommit: Mapping[str, float], force: bool = False, adopt: bool = False,
                 network_proven: bool = False) -> None:
        self.writes = True
        self.api, self.tenants, self.edge = api, list(tenants), edge
        self.overcommit, self.force, self.adopt, self.network_proven = overcommit, force, adopt, network_proven
        self.observed = Observed({}, {})
        self.changes: list[Change] = []
        # What stays as it is, and why.
        self.refused: list[DomainError] = []

    def plan(self) -> Plan:
        """:raises DomainError: for what the cluster's state forbids; where nothing but that is to be done, what keeps it from being so."""
        spaces = {tenant.namespace for tenant in self.tenants}
        self.observed, ground = io.observe(self.api, spaces)
        rendered = [*cluster_objects(TENANCY), *(item for tenant in self.tenants for item in tenant_objects(tenant, self.edge, ground))]
        found = plan.changes(rendered, self.observed, spaces)
        plan.check_world(self.tenants, found, self.observed, adopt=self.adopt)
        if plan.grows(found):
            plan.check_commitment(self.tenants, self.observed, self.overcommit)
        self.changes, self.refused = plan.possible(self.tenants, found, self.observed, force=self.force)
        if self.refused and not self.changes:
            raise plan.refusal(self.refused, "Nothing was changed")
        return plan.make_plan(self.tenants, self.changes, {"drift": plan.drift(found)})

    def perform(self, _plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        """:raises DomainError: of the first failure, with all of them in its details; of what was refused, where the rest was done."""
        started = time.monotonic()
        done = apply.carry_out(self.api, self.changes, self.force)
        timings["apply"] = round(time.monotonic() - started, 3)
        if done.failed:
            raise apply.failure(done, self._names([change for change, _error in done.failed] + done.left))
        if self.refused:
            raise plan.refusal(self.refused, "That stays as it is; all else is as asked")
        return {"objects": {"applied": sum(change.item is not None for change in done.applied), "removed": sum(change.item is None for change in done.applied)}}

    def facts(self) -> Mapping[str, Any]:
        """Limits as asked for; use and room as observed before the changes."""
        told = []
        for tenant in self.tenants:
            quota = self.observed.quota(tenant.namespace)
            asked = tenant_share(tenant, quota)
            told.append({**asked, "placement": placement(tenant)})
        return {"tenants": told, "kinds_of_limit": shares.kinds_of_limit(self.network_proven), "api_calls": dict(self.api.calls)}

    def _names(self, changes: Sequence[Change]) -> list[str]:
        of = {tenant.namespace: tenant.name for tenant in self.tenants}
        return sorted({of.get(change.key[1] or change.key[2], "all") for change in changes})


def tenant_share(tenant: Tenant, quota: Mapping[str, Any] | None) -> dict[str, Any]:
    """What is told of a tenant that was asked for."""
    from_now = {**(quota or {"metadata": {}, "status": {}}), "spec": {"hard": hard(tenant)}}
    namespace = {"metadata": {"name": tenant.namespace, "labels": {}, "annotations": {}}}
    metadata = {"annotations": {labels.COLOUR_CPU: tenant.limits["colour_cpu"], labels.COLOUR_MEMORY: tenant.limits["colour_memory"]}}
    return {**shares.share(tenant.name, namespace, {**from_now, "metadata": metadata}), "profile": tenant.profile, "isolation": tenant.isolation,
            "pool": tenant.pool, "hosts": list(tenant.hosts)}
