# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From the tenants asked for and the cluster as it is, to the objects that are to be applied or removed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .._kernel.errors import DomainError, bad_input
from .._kernel.plan import Plan, Step, digest_of
from .._kernel.text import joined
from .._kubernetes import labels
from .._kubernetes.quantities import parse
from .compare import Difference, differences
from .model import Tenant
from .render import QUOTA, hard

Item = Mapping[str, Any]
Key = tuple[str, str, str]


def key_of(item: Item) -> Key:
    """Kind, namespace and name."""
    return item["kind"], item["metadata"].get("namespace") or "", item["metadata"]["name"]


@dataclass(frozen=True)
class Observed:
    """The cluster, in one pass.

    :param objects: this collection's, by key. :param namespaces: all, by name. :param nodes: all.
    :param running: what pods ask for in namespaces that have no quota of this collection, by namespace and the quota's words.
    """

    objects: Mapping[Key, Item]
    namespaces: Mapping[str, Item]
    nodes: Sequence[Item] = ()
    running: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)

    def quota(self, namespace: str) -> Item | None:
        return self.objects.get(("ResourceQuota", namespace, QUOTA))


@dataclass(frozen=True)
class Change:
    """One object to apply, or to remove where ``item`` is none."""

    key: Key
    item: Item | None
    fields: tuple[Difference, ...] = ()
    new: bool = False

    @property
    def drift(self) -> tuple[Difference, ...]:
        return tuple(each for each in self.fields if each.managers)

    @property
    def said(self) -> str:
        kind, namespace, name = self.key
        return "{} {}".format(kind, "/".join(part for part in (namespace, name) if part))


def changes(rendered: Iterable[Item], observed: Observed, namespaces: Iterable[str]) -> list[Change]:
    """What of all that is rendered is not so, in its order; then what is no more rendered in these namespaces."""
    found, known = [], set()
    for item in rendered:
        key = key_of(item)
        known.add(key)
        there = observed.objects.get(key) or (observed.namespaces.get(key[2]) if key[0] == "Namespace" else None)
        if there is None:
            found.append(Change(key, item, new=True))
        elif unlike := differences(item, there):
            found.append(Change(key, item, tuple(unlike)))
    mine = set(namespaces)
    return found + [Change(key, None) for key in observed.objects if key not in known and (key[1] in mine or (not key[1] and key[0] != "Namespace"))]


def make_plan(tenants: Sequence[Tenant], found: Sequence[Change], facts: Mapping[str, Any]) -> Plan:
    """The plan; its digest covers every object and field that would change, and the value it would have."""
    of = {tenant.namespace: tenant.name for tenant in tenants}
    steps: list[Step] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for change in found:
        word = "remove" if change.item is None else "make" if change.new else "change"
        _kind, namespace, name = change.key
        owner = of.get(namespace or name, "")
        steps.append(Step("remove" if change.item is None else "apply", f"{word} {change.said}", {"tenant": owner, "object": change.said}))
        if change.item is not None and not change.new:
            before[change.said] = {each.field: each.before for each in change.fields}
            after[change.said] = {each.field: each.after for each in change.fields}
        else:
            (after if change.item is not None else before)[change.said] = "present"
    subject = {"tenants": sorted(of.values()), "changes": {change.said: digest_of(change.item) for change in found}}
    return Plan(tuple(steps), before, after, subject, facts)


# -- what is left out by how one tenant is ------------------------------------------------------

def possible(tenants: Sequence[Tenant], found: Sequence[Change], observed: Observed, *, force: bool) -> tuple[list[Change], list[DomainError]]:
    """The changes that can be made, and why the others cannot: a namespace that is being removed, fields that others manage."""
    closing = {tenant.namespace: tenant.name for tenant in tenants
               if observed.namespaces.get(tenant.namespace, {"metadata": {}})["metadata"].get("deletionTimestamp")}
    refused = [DomainError("namespace_terminating", f"the namespace {space} of {name} is being removed", tenants=[name],
                           advice="Look at what holds it (its status says so), and run this again when it is gone") for space, name in sorted(closing.items())]
    open_to_us = [change for change in found if (change.key[1] or change.key[2]) not in closing]
    drifted = [] if force else [change for change in open_to_us if change.drift]
    if drifted:
        of = {tenant.namespace: tenant.name for tenant in tenants}
        said = drift(drifted)
        first = joined([f"{each['object']} has {each['field']} {each['is']!r} by {', '.join(each['managers'])}, asked is {each['asked']!r}"
                        for each in said], 4)
        refused.append(DomainError("drifted", f"others changed what tenant_quota manages: {first}", drift=said,
                                   tenants=sorted({of.get(change.key[1] or change.key[2], "") for change in drifted}),
                                   advice="Take over what they meant into the inventory, or say force to take it back"))
    return [change for change in open_to_us if not any(change is each for each in drifted)], refused


def refusal(refused: Sequence[DomainError], unchanged: str) -> DomainError:
    """All that was refused, as one error with the first one's code."""
    first = refused[0]
    details = {key: value for error in reversed(refused) for key, value in error.details.items()}
    details["tenants"] = [name for error in refused for name in error.details["tenants"]]
    return DomainError(first.code, "; ".join(error.message for error in refused), unchanged=unchanged,
                       advice=". ".join(dict.fromkeys(error.advice for error in refused)), **details)


# -- what is refused by how the cluster is ------------------------------------------------------

def check_world(tenants: Sequence[Tenant], found: Sequence[Change], observed: Observed, *, adopt: bool) -> None:
    """:raises DomainError: ``bad_input``, ``namespace_foreign`` or ``quota_below_use``, before anything is changed."""
    for tenant in tenants:
        there = observed.namespaces.get(tenant.namespace)
        if there is None:
            continue
        said = there["metadata"].get("labels") or {}
        if said.get(labels.PART) != "tenancy" and not adopt:
            raise DomainError("namespace_foreign", f"the namespace {tenant.namespace} of {tenant.name} is there already, and was not made by tenant_quota",
                              unchanged="Nothing was changed", advice="Name another, or say adopt: what runs in it is then confined as any tenant's")
        owner = said.get(labels.TENANT)
        if owner and owner != tenant.name:
            raise bad_input(f"tenants[{tenant.name}].namespace", tenant.namespace, f"one of its own: that is the namespace of the tenant {owner}")
    _check_hosts(tenants, observed)
    _check_use(tenants, found, observed)


def _check_hosts(tenants: Sequence[Tenant], observed: Observed) -> None:
    mine = {tenant.namespace for tenant in tenants}
    taken = {host: name for name, item in observed.namespaces.items() if name not in mine
             for host in str((item["metadata"].get("annotations") or {}).get(labels.HOSTS, "")).split(",") if host}
    for tenant in tenants:
        for host in tenant.hosts:
            if host in taken:
                raise bad_input(f"tenants[{tenant.name}].hosts", host, f"what no other tenant has; the namespace {taken[host]} has it")


def _check_use(tenants: Sequence[Tenant], found: Sequence[Change], observed: Observed) -> None:
    changed = {change.key[1] for change in found if change.key[0] == "ResourceQuota" and change.item is not None}
    below = []
    for tenant in tenants:
        if tenant.namespace not in changed:
            continue
        used = use_of(tenant.namespace, observed)
        for name, bound in hard(tenant).items():
            if name in used and parse(name, bound) < used[name]:
                below.append((tenant.name, name, bound, used[name]))
    if below:
        said = [f"{name}: {resource} {bound}, and {plain(used)} are used" for name, resource, bound, used in below]
        raise DomainError("quota_below_use", f"a share would be below what runs now: {joined(said)}", unchanged="Nothing was changed",
                          advice="Give more, or end what runs first", tenants=sorted({name for name, *_rest in below}))


def use_of(namespace: str, observed: Observed) -> dict[str, Decimal]:
    """What a namespace uses, in the words of its quota."""
    quota = observed.quota(namespace)
    if quota is None:
        return dict(observed.running.get(namespace, {}))
    return {name: parse(name, value) for name, value in ((quota.get("status") or {}).get("used") or {}).items()}


def commitment(tenants: Sequence[Tenant], observed: Observed) -> dict[str, dict[str, dict[str, Decimal]]]:
    """By pool of nodes (that of no name is everybody's): what tenants may ask for, and what the nodes can give.

    Of tenants that are not named the quota counts that they have.
    """
    found: dict[str, dict[str, dict[str, Decimal]]] = {}

    def add(pool: str, word: str, cpu: Any, memory: Any) -> None:
        of = found.setdefault(pool, {"asked": {"cpu": Decimal(0), "memory": Decimal(0)}, "there": {"cpu": Decimal(0), "memory": Decimal(0)}})
        of[word]["cpu"] += parse("cpu", cpu)
        of[word]["memory"] += parse("memory", memory)

    for node in observed.nodes:
        if takes_pods(node):
            given = (node.get("status") or {}).get("allocatable") or {}
            add((node["metadata"].get("labels") or {}).get(labels.POOL, ""), "there", given.get("cpu", 0), given.get("memory", 0))
    mine = {tenant.namespace for tenant in tenants}
    for tenant in tenants:
        add(tenant.pool, "asked", tenant.limits["cpu"], tenant.limits["memory"])
    for kind, namespace, name in observed.objects:
        if kind == "ResourceQuota" and name == QUOTA and namespace not in mine and namespace in observed.namespaces:
            bounds = observed.objects[kind, namespace, name]["spec"].get("hard") or {}
            pool = (observed.namespaces[namespace]["metadata"].get("labels") or {}).get(labels.POOL, "")
            add(pool, "asked", bounds.get("requests.cpu", 0), bounds.get("requests.memory", 0))
    return found


def takes_pods(node: Item) -> bool:
    """Whether tenants' pods are placed on a node; not where it is cordoned, or keeps them away by another taint than a pool's."""
    spec = node.get("spec") or {}
    kept_off = [taint for taint in spec.get("taints") or () if taint.get("effect") != "PreferNoSchedule" and taint.get("key") != labels.POOL]
    return not spec.get("unschedulable") and not kept_off


def check_commitment(tenants: Sequence[Tenant], observed: Observed, most: Mapping[str, float]) -> None:
    """:param most: how many times what nodes have may be promised, by ``cpu`` and ``memory``; 0 is without bound.

    :raises DomainError: ``overcommitted``, with the arithmetic.
    """
    said = []
    for pool, found in sorted(commitment(tenants, observed).items()):
        for resource in ("cpu", "memory"):
            factor, asked, there = Decimal(str(most[resource])), found["asked"][resource], found["there"][resource]
            if factor and asked > there * factor:
                said.append(f"{resource} of {'the pool ' + pool if pool else 'the shared nodes'}: tenants may ask for {shown(resource, asked)},"
                            f" nodes have {shown(resource, there)} x {factor.normalize():f} = {shown(resource, there * factor)}")
    if said:
        raise DomainError("overcommitted", f"more would be promised than there is: {'; '.join(said)}", unchanged="Nothing was changed",
                          advice="Give smaller shares, add nodes, or raise overcommit and know that not everybody can have their share at once")


def grows(found: Sequence[Change]) -> bool:
    """Whether a change promises more to somebody than before."""
    for change in found:
        if change.key[0] != "ResourceQuota" or change.item is None:
            continue
        if change.new or any(each.before is None or (each.after is not None and parse("", each.after) > parse("", each.before))
                             for each in change.fields if each.path[-1] in ("requests.cpu", "requests.memory")):
            return True
    return False


def shown(resource: str, value: Decimal) -> str:
    """A number for people: memory in GiB."""
    return f"{value / 2 ** 30:.1f} GiB" if resource == "memory" else plain(value)


def plain(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def drift(found: Sequence[Change]) -> list[dict[str, Any]]:
    """Fields that others manage, and that are not as they are asked for."""
    return [{"object": change.said, "field": each.field, "is": each.before, "asked": each.after, "managers": list(each.managers)}
            for change in found for each in change.drift]
