# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tenants that shall be gone, and what is left of them. A namespace that holds data, or that runs something, goes only where ``purge`` names it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError, bad_input
from .._kernel.plan import Plan, Step
from .._kernel.text import joined
from .._kernel.wait import Deadline, WaitTimeout, wait_until
from .._kubernetes import labels
from .._kubernetes.api import Api, failures
from . import io
from .admission import cluster_objects
from .plan import Item, Observed, key_of
from .render import SELECTOR, TENANCY


class RemovalOperation:
    """:param names: ``(tenant, namespace)`` of those that shall go. :param purge: tenants whose data may go along. :param timeout: seconds to wait for it."""

    def __init__(self, api: Api, names: Sequence[tuple[str, str]], purge: Sequence[str], timeout: float = 60) -> None:
        self.writes = True
        self.api, self.names, self.purge, self.timeout = api, list(names), set(purge), timeout
        self.observed = Observed({}, {})
        self.there: list[tuple[str, str]] = []
        self.volumes: list[dict[str, str]] = []
        self.last: list[tuple[str, str]] = []

    def plan(self) -> Plan:
        """:raises DomainError: ``namespace_foreign``, ``holds_data``; nothing was changed then."""
        unknown = self.purge - {name for name, _namespace in self.names}
        if unknown:
            raise bad_input("purge", sorted(unknown), "names of tenants")
        self.observed, _ground = io.observe(self.api, ())
        self.there = [(name, space) for name, space in self.names if space in self.observed.namespaces]
        for name, space in self.there:
            self._check_ours(name, space)
        spaces = {space for _name, space in self.there}
        claims, pods = self._within("PersistentVolumeClaim", spaces), self._within("Pod", spaces)
        self._check_empty(claims, pods)
        self.volumes = self._volumes(spaces)
        others = {name for name, item in self.observed.namespaces.items() if io.is_tenant(item)} - spaces
        keys = [key_of(item) for item in reversed(cluster_objects(TENANCY))]
        self.last = [] if others else [(kind, name) for kind, _none, name in keys if (kind, "", name) in self.observed.objects]
        steps = [*(Step("remove", f"remove the tenant {name} with its namespace {space}", {"tenant": name, "namespace": space}) for name, space in self.there),
                 *(Step("remove", f"remove {kind} {name}, since no tenant is left", {"kind": kind, "name": name}) for kind, name in self.last)]
        before = {space: {"claims": claims.get(space, []), "pods": pods.get(space, [])} for _name, space in self.there}
        return Plan(tuple(steps), before, {}, {"absent": sorted(name for name, _space in self.there), "purge": sorted(self.purge), "before": before})

    def perform(self, _plan: Plan, timings: dict[str, float]) -> Mapping[str, Any]:
        """:raises DomainError: of the first failure."""
        started = time.monotonic()
        done = self.api.many(lambda pair: self.api.delete("Namespace", None, pair[1]), self.there)
        bad = failures(done)
        left = self._await({space for _name, space in self.there} - {pair[1] for pair, _error in bad})
        if not bad and not left:
            bad = failures(self.api.many(lambda pair: self.api.delete(pair[0], None, pair[1]), self.last))
        timings["remove"] = round(time.monotonic() - started, 3)
        if bad:
            first = bad[0][1]
            raise DomainError(first.code, f"{len(bad)} removals failed: {joined([f'{pair[1]}: {error.message}' for pair, error in bad], 4)}",
                              unchanged="The others are removed", advice=first.advice, failed=[pair[1] for pair, _error in bad])
        return {"residue": {"namespaces": left, "volumes": self.volumes}}

    def facts(self) -> Mapping[str, Any]:
        return {"residue": {"namespaces": [], "volumes": self.volumes}, "api_calls": dict(self.api.calls)}

    def _check_ours(self, name: str, space: str) -> None:
        said = self.observed.namespaces[space]["metadata"].get("labels") or {}
        if said.get(labels.PART) != "tenancy" or said.get(labels.TENANT) != name:
            raise DomainError("namespace_foreign", f"the namespace {space} is not one that tenant_quota made for {name}", unchanged="Nothing was changed",
                              advice="Remove it by hand if it is meant")

    def _within(self, kind: str, spaces: set[str]) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for item in self.api.every(kind) if spaces else ():
            if item["metadata"]["namespace"] in spaces and (item.get("status") or {}).get("phase") not in ("Succeeded", "Failed"):
                found.setdefault(item["metadata"]["namespace"], []).append(item["metadata"]["name"])
        return found

    def _check_empty(self, claims: Mapping[str, Sequence[str]], pods: Mapping[str, Sequence[str]]) -> None:
        full = [(name, space) for name, space in self.there if name not in self.purge and (claims.get(space) or pods.get(space))]
        if full:
            said = [f"{name} ({joined([*(f'claim {claim}' for claim in claims.get(space, ())), *(f'pod {pod}' for pod in pods.get(space, ()))], 4)})"
                    for name, space in full]
            raise DomainError("holds_data", f"these tenants hold data or run: {joined(said, 4)}", unchanged="Nothing was changed",
                              advice="Remove their instances first (state absent of odoo_release), or name them in purge: their data is lost then",
                              tenants=[name for name, _space in full])

    def _volumes(self, spaces: set[str]) -> list[dict[str, str]]:
        """Volumes that stay when their claim goes."""
        if not spaces:
            return []
        return [{"volume": volume["metadata"]["name"], "namespace": volume["spec"]["claimRef"]["namespace"], "claim": volume["spec"]["claimRef"]["name"]}
                for volume in self.api.every("PersistentVolume")
                if (volume["spec"].get("claimRef") or {}).get("namespace") in spaces and volume["spec"].get("persistentVolumeReclaimPolicy") == "Retain"]

    def _await(self, spaces: set[str]) -> list[str]:
        """Those that are still there when the time is over."""
        left: list[Item] = []

        def gone() -> bool:
            nonlocal left
            left = [item for item in self.api.every("Namespace", None, SELECTOR) if item["metadata"]["name"] in spaces]
            return not left

        if not spaces:
            return []
        with contextlib.suppress(WaitTimeout):
            wait_until(gone, Deadline(self.timeout), 1 if len(spaces) < 50 else 5)
        return sorted(item["metadata"]["name"] for item in left)
