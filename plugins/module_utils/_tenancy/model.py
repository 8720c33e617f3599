# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a tenant is in a cluster: typed values, and every check of the input that needs no look at the world."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Union

from .._instance.names import NAME, NAME_SAID
from .._kernel.errors import DomainError, bad_input
from .._kubernetes.labels import POOL
from .._kubernetes.quantities import parse
from .profiles import DEDICATED, ISOLATION, PROFILES, REGULATED, SHARED, Profile

Network = Union[ipaddress.IPv4Network, ipaddress.IPv6Network]

# RFC 1123: a label of DNS. Names that Kubernetes makes of a namespace's (a Service's host name) are labels of their own, so nothing is added to it;
# what this collection adds is the longest place, as in "acme-production-rehearsal".
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
LONGEST = 63 - len("-rehearsal")
SYSTEM = ("default", "kube-system", "kube-public", "kube-node-lease")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)+")
_REGISTRY = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_SUBJECT = re.compile(r"[^\s,]{1,253}")

QUANTITIES = ("cpu", "cpu_limit", "memory", "ephemeral", "storage", "colour_cpu", "colour_memory")
COUNTED = ("claims", "pods")
EXPOSED = ("NodePort", "LoadBalancer", "ExternalName")


@dataclass(frozen=True)
class Target:
    """Where a database or a session store is. :param network: by address; else by ``namespace`` and the labels of its ``pods``."""

    ports: tuple[int, ...]
    network: Network | None = None
    namespace: str = ""
    pods: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Egress:
    """A way out. :param kinds: of processes that may take it; all but the confined ones where none is named."""

    name: str
    network: Network
    without: tuple[Network, ...]
    ports: tuple[int, ...]
    protocol: str
    kinds: tuple[str, ...] = ()

    def bars(self, network: Network, port: int) -> bool:
        """Whether it is written to keep this out: it covers the port, and takes the address out of what it allows."""
        return (not self.ports or port in self.ports) and any(_overlap(network, each) for each in self.without)


@dataclass(frozen=True)
class People:
    """Who may look into the namespace, or deploy into it."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    service_accounts: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.users or self.groups or self.service_accounts)


@dataclass(frozen=True)
class Tenant:
    """One tenant's share of a cluster; see the module's documentation for each field. ``limits`` are quantities and counts as text."""

    name: str
    namespace: str
    profile: str
    isolation: str
    pool: str
    priority: int
    limits: Mapping[str, str]
    registries: tuple[str, ...]
    hosts: tuple[str, ...]
    services: tuple[str, ...]
    database: Target | None
    redis: Target | None
    egress: tuple[Egress, ...]
    people: People = field(default_factory=People)
    ci: People = field(default_factory=People)


def parse_tenants(values: Iterable[Mapping[str, Any]]) -> list[Tenant]:
    """Check and complete all tenants of a call.

    :raises DomainError: ``bad_input``, naming tenant and field.
    """
    tenants: list[Tenant] = []
    seen: dict[str, dict[str, str]] = {"name": {}, "namespace": {}, "hosts": {}}
    for index, value in enumerate(values):
        tenant = _parse(index, value)
        for kind, names in (("name", (tenant.name,)), ("namespace", (tenant.namespace,)), ("hosts", tenant.hosts)):
            for name in names:
                if name in seen[kind]:
                    raise bad_input(_at(tenant.name, kind), name, f"what no other tenant has; {seen[kind][name]} has it")
                seen[kind][name] = tenant.name
        tenants.append(tenant)
    for tenant in tenants:
        _among_others(tenant, seen["namespace"])
    return tenants


def parse_name(index: int, value: Any, where: str = "tenants[{0}].name") -> str:
    """A tenant's name: that of its instance. :raises DomainError: ``bad_input``."""
    name = str(value or "")
    if not NAME.fullmatch(name) or name.endswith("-"):
        raise bad_input(where.format(index), name, NAME_SAID)
    return name


def parse_namespace(name: str, value: Any) -> str:
    """:raises DomainError: ``bad_input``."""
    namespace = str(value or name)
    if not _LABEL.fullmatch(namespace) or len(namespace) > LONGEST:
        raise bad_input(_at(name, "namespace"), namespace,
                        f"a DNS label of at most {LONGEST}: lower-case letters, digits and dashes, none at either end")
    if namespace in SYSTEM or namespace.startswith("kube-"):
        raise bad_input(_at(name, "namespace"), namespace, "a namespace that is not the cluster's own")
    return namespace


def _parse(index: int, value: Mapping[str, Any]) -> Tenant:
    name = parse_name(index, value.get("name"))
    namespace = parse_namespace(name, value.get("namespace"))
    profile_name = value.get("profile") or ""
    if profile_name and profile_name not in PROFILES:
        raise bad_input(_at(name, "profile"), profile_name, "one of " + ", ".join(PROFILES))
    profile = PROFILES.get(profile_name)
    isolation = value.get("isolation") or (profile.isolation if profile else SHARED)
    if isolation not in ISOLATION:
        raise bad_input(_at(name, "isolation"), isolation, "one of " + ", ".join(ISOLATION))
    if profile and profile.isolation != SHARED and isolation == SHARED:
        raise bad_input(_at(name, "isolation"), isolation, f"{profile.isolation}, as its profile {profile_name} promises")
    tenant = Tenant(
        name, namespace, profile_name, isolation, _pool(name, isolation, value.get("pool")), profile.priority if profile else 1000,
        _limits(name, profile, value.get("limits") or {}), _all(name, "registries", value.get("registries"), _REGISTRY, "a registry, and a path in it"),
        _all(name, "hosts", value.get("hosts"), _HOST, "a host name in lower case"), _services(name, value.get("services")),
        _target(name, "database", namespace, value.get("database"), (5432,)), _target(name, "redis", namespace, value.get("redis"), (6379, 6380)),
        tuple(_egress(name, number, one) for number, one in enumerate(value.get("egress") or ())),
        _people(name, "people", namespace, value.get("people")), _people(name, "ci", namespace, value.get("ci")))
    _not_locked_out(tenant)
    return tenant


def _at(name: str, path: str) -> str:
    return f"tenants[{name}].{path}"


def _all(name: str, path: str, values: Any, pattern: re.Pattern[str], said: str) -> tuple[str, ...]:
    for value in values or ():
        if not pattern.fullmatch(str(value)):
            raise bad_input(_at(name, path), value, said)
    return tuple(sorted(set(values or ())))


def _pool(name: str, isolation: str, value: Any) -> str:
    if isolation == SHARED:
        if value:
            raise bad_input(_at(name, "pool"), value, "no pool with isolation shared")
        return ""
    pool = str(value or name)
    if not _LABEL.fullmatch(pool) or len(pool) > 63:
        raise bad_input(_at(name, "pool"), pool, "a DNS label")
    return pool


def _limits(name: str, profile: Profile | None, given: Mapping[str, Any]) -> dict[str, str]:
    """Of the profile, and what is given beside it."""
    found: dict[str, str] = {}
    for key in (*QUANTITIES, *COUNTED):
        value, path = given.get(key), _at(name, f"limits.{key}")
        if value is None:
            value = getattr(profile, key, None)
        if value is None:
            if key == "cpu_limit":
                continue
            raise bad_input(path, None, "a value, or a profile that has one")
        number = parse(path, value)
        if number < 0 or (number == 0 and key in QUANTITIES) or (key in COUNTED and number != int(number)):
            raise bad_input(path, value, "a count" if key in COUNTED else "a quantity above 0")
        found[key] = str(value)
    for key in ("cpu", "memory"):
        if parse("", found[f"colour_{key}"]) * 2 > parse("", found[key]):
            raise bad_input(_at(name, f"limits.{key}"), found[key],
                            f"at least twice what a colour asks for ({found['colour_' + key]}): a release runs two side by side")
    return found


def _services(name: str, values: Any) -> tuple[str, ...]:
    for value in values or ():
        if value not in EXPOSED:
            raise bad_input(_at(name, "services"), value, "some of " + ", ".join(EXPOSED))
    return ("ClusterIP", *sorted(set(values or ())))


def _target(name: str, path: str, own: str, value: Mapping[str, Any] | None, ports: tuple[int, ...]) -> Target | None:
    if not value:
        return None
    at = _at(name, path)
    chosen = tuple(_port(f"{at}.ports", port) for port in value.get("ports") or ports)
    address, namespace, pods = value.get("address"), value.get("namespace"), value.get("pods") or {}
    if bool(address) == bool(namespace or pods):
        raise bad_input(at, dict(value), "either address, or namespace and pods")
    if address:
        return Target(chosen, network=_network(f"{at}.address", address, " (a network policy knows no names)"))
    for key, said in pods.items():
        if not _LABEL_VALUE.fullmatch(str(said)) or len(str(said)) > 63:
            raise bad_input(f"{at}.pods.{key}", said, "the value of a label")
    return Target(chosen, namespace=str(namespace or own), pods=tuple(sorted((str(key), str(said)) for key, said in pods.items())))


def _egress(name: str, number: int, value: Mapping[str, Any]) -> Egress:
    at = _at(name, f"egress[{number}]")
    network = _network(f"{at}.cidr", value.get("cidr"))
    without = tuple(_network(f"{at}.except", each) for each in value.get("except") or ())
    for each in without:
        if each.version != network.version or not each.subnet_of(network):  # type: ignore[arg-type]
            raise bad_input(f"{at}.except", str(each), f"a network inside of {network}")
    protocol = str(value.get("protocol") or "TCP")
    if protocol not in ("TCP", "UDP"):
        raise bad_input(f"{at}.protocol", protocol, "TCP or UDP")
    label = str(value.get("name") or f"way-{number}")
    if not _LABEL.fullmatch(label) or len(label) > 40:
        raise bad_input(f"{at}.name", label, "a DNS label of at most 40")
    kinds = tuple(sorted(set(value.get("kinds") or ())))
    return Egress(label, network, without, tuple(sorted(_port(f"{at}.ports", port) for port in value.get("ports") or ())), protocol,
                  tuple(kind for kind in kinds if _all(name, f"egress[{number}].kinds", [kind], _LABEL, "a kind of process")))


def _people(name: str, path: str, own: str, value: Mapping[str, Any] | None) -> People:
    value = value or {}
    accounts = []
    for account in value.get("service_accounts") or ():
        namespace, _colon, account_name = str(account).rpartition(":")
        if not _LABEL.fullmatch(account_name) or not _LABEL.fullmatch(namespace or own):
            raise bad_input(_at(name, f"{path}.service_accounts"), account, "the name of a service account, or namespace:name")
        accounts.append((namespace or own, account_name))
    users, groups = (_all(name, f"{path}.{key}", value.get(key), _SUBJECT, "a name without blanks") for key in ("users", "groups"))
    found = People(users, groups, tuple(sorted(set(accounts))))
    for subject in (*found.users, *found.groups):
        # Everybody's groups and the cluster's own identities: to bind them would open the namespace to other tenants.
        if subject.startswith("system:"):
            raise bad_input(_at(name, path), subject, "people or groups of this tenant, none of the cluster's own (system:...)")
    return found


def _port(path: str, value: Any) -> int:
    port = int(value) if str(value).isdigit() else 0
    if port not in range(1, 65536):
        raise bad_input(path, value, "a port, 1 to 65535")
    return port


def _network(path: str, value: Any, hint: str = "") -> Network:
    try:
        return ipaddress.ip_network(str(value))
    except ValueError:
        raise bad_input(path, value, "an address, or a network such as 10.1.0.0/16 whose host bits are 0" + hint) from None


def _overlap(one: Network, other: Network) -> bool:
    return one.version == other.version and one.overlaps(other)


def _not_locked_out(tenant: Tenant) -> None:
    """:raises DomainError: ``bad_input`` where its own policies would keep its processes from their database."""
    if tenant.hosts and not tenant.database:
        raise bad_input(_at(tenant.name, "database"), None, "where its database is: what is not allowed is denied, and it has hosts to serve")
    if tenant.database and tenant.database.network:
        for way in tenant.egress:
            if any(way.bars(tenant.database.network, port) for port in tenant.database.ports):
                raise bad_input(_at(tenant.name, "egress"), f"{way.name} without {', '.join(map(str, way.without))}",
                                f"not to except its own database at {tenant.database.network}")
    if tenant.isolation == REGULATED:
        for way in tenant.egress:
            if way.network.prefixlen == 0:
                raise bad_input(_at(tenant.name, "egress"), str(way.network), "named networks: isolation regulated has no way out to everywhere")


def _among_others(tenant: Tenant, owners: Mapping[str, str]) -> None:
    for path, target in (("database", tenant.database), ("redis", tenant.redis)):
        if target and target.namespace != tenant.namespace and target.namespace in owners:
            raise _closed(tenant, path, target.namespace, owners[target.namespace])
    for path, people in (("people", tenant.people), ("ci", tenant.ci)):
        for namespace, account in people.service_accounts:
            if namespace != tenant.namespace and namespace in owners:
                raise bad_input(_at(tenant.name, f"{path}.service_accounts"), f"{namespace}:{account}",
                                f"an account of its own: that one is of the tenant {owners[namespace]}")


def _closed(tenant: Tenant, path: str, namespace: str, owner: str) -> DomainError:
    return bad_input(_at(tenant.name, f"{path}.namespace"), namespace,
                     f"one that lets it in: that is the namespace of the tenant {owner}, which lets in nobody",
                     "Give its address, or keep it in the tenant's own namespace")


def placement(tenant: Tenant) -> dict[str, Any]:
    """What the tenant's pods say, so that they run where its isolation class has them; the cluster refuses others."""
    from_pool: dict[str, Any] = {}
    if tenant.isolation in (DEDICATED, REGULATED):
        from_pool = {"nodeSelector": {POOL: tenant.pool},
                     "tolerations": [{"key": POOL, "operator": "Equal", "value": tenant.pool, "effect": "NoSchedule"}]}
    return {"priorityClassName": priority_class(tenant.priority), **from_pool}


def priority_class(priority: int) -> str:
    """The name of the class of a priority."""
    return f"sysgenpro-{priority}"
