# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is asked and what is, to the steps between. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._kernel.errors import DomainError, known
from .._kernel.plan import Plan, Step, digest_of
from . import api, render_file
from .model import Route, host_taken


@dataclass(frozen=True)
class Observed:
    """The world, in one pass.

    :param files: this module's files by instance, as text.
    :param foreign: names of the directory's other files, without ending.
    :param snapshot: what Traefik serves; None where that is not known.
    :ivar parsed: what the files say; nothing of one that is not as this module wrote it.
    :ivar damaged: why, by instance.
    """

    files: Mapping[str, str]
    foreign: frozenset[str] = frozenset()
    snapshot: api.Snapshot | None = None
    parsed: Mapping[str, Mapping[str, Any]] = field(init=False)
    damaged: Mapping[str, DomainError] = field(init=False)

    def __post_init__(self) -> None:
        parsed: dict[str, Mapping[str, Any]] = {}
        damaged: dict[str, DomainError] = {}
        for name, text in self.files.items():
            try:
                parsed[name] = render_file.parse(text) or {}
            except DomainError as error:
                parsed[name], damaged[name] = {}, DomainError(
                    error.code, "route {0}: {1}".format(name, error.message), unchanged=error.unchanged,
                    advice="Give this route, too, which writes its file anew; Traefik reads none of its directory until then",
                )
        object.__setattr__(self, "parsed", parsed)
        object.__setattr__(self, "damaged", damaged)


@dataclass(frozen=True)
class Desired:
    """What is asked.

    :param files: by instance the text of its file, or its objects in a cluster; of instances that are not named nothing is said.
    :param absent: instances whose route is to go.
    """

    files: Mapping[str, Any]
    absent: tuple[str, ...] = ()


def desired_present(routes: Sequence[Route], pages: str, certificates: str) -> Desired:
    """The files of routes."""
    return Desired(
        {route.name: render_file.text(render_file.configuration(route, pages, certificates)) for route in routes}
    )


def make_plan(routes: Sequence[Route], desired: Desired, observed: Observed) -> Plan:
    """The plan; no steps where files and, as far as it is known, Traefik are as asked.

    :raises DomainError: ``damaged_file`` for one that nobody asked about: Traefik reads none of its directory as long as it is there.
    """
    for name in sorted(set(observed.damaged) - set(desired.files) - set(desired.absent)):
        raise observed.damaged[name]
    steps: list[Step] = []
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    certificates = {route.name: route.certificate for route in routes if route.certificate}
    for name, text in sorted(desired.files.items()):
        reason = _why(name, text, observed)
        if not reason:
            continue
        certificate = certificates.get(name)
        if certificate and _certificate_paths(observed.parsed.get(name, {})) != _certificate_paths(_content(text)):
            steps.append(Step(
                "certificate", "store the certificate of {0}".format(name),
                {"instance": name, "fingerprint": certificate.fingerprint},
            ))
        steps.append(Step(
            "write", "{0} the route of {1}".format(reason, name), {"instance": name, "digest": _digest(text)}
        ))
        before[name] = observed.parsed.get(name)
        after[name] = _content(text)
    for name in sorted(set(desired.absent) & set(observed.files)):
        steps.append(Step("remove", "remove the route of {0}".format(name), {"instance": name}))
        before[name] = observed.parsed[name]
        after[name] = None
    if steps:
        steps.append(Step("verify", "read Traefik's API until it serves this", {}))
    return Plan(tuple(steps), before, after, {
        "kind": "traefik_route",
        "present": {name: _digest(text) for name, text in desired.files.items()},
        "absent": sorted(desired.absent),
        "before": {name: digest_of(value) if value else None for name, value in before.items()},
    })


def _why(name: str, text: str, observed: Observed) -> str:
    if name not in observed.files:
        return "create"
    if observed.files[name] != text:
        return "change"
    # Right on disk and not served: Traefik was told of it while another file was broken, or lost its watch.
    if observed.snapshot is not None and api.compare(_content(text), observed.snapshot):
        return "renew"
    return ""


def conflicts(routes: Sequence[Route], desired: Desired, observed: Observed) -> list[DomainError]:
    """What of the world stands in the way of single routes: ``foreign_file``, ``host_taken`` or ``name_taken``, one for each at most.

    What a route that stays as it is holds is taken from the others, so this is asked anew without those that it names.
    """
    found: dict[str, DomainError] = {}
    for name in sorted({*desired.files, *desired.absent} & observed.foreign):
        found[name] = DomainError(
            "foreign_file", "route {0}: the file {0}{1} exists and is not this module's".format(name, render_file.SUFFIX),
            unchanged="Nothing was changed", advice="Move it away, or give the instance another name", route=name, field="name",
        )
    others = {
        name: content for name, content in observed.parsed.items()
        if name not in desired.files and name not in desired.absent
    }
    owners = _owners(others, desired, observed)
    for route in routes:
        for host in route.hosts:
            if host in owners and route.name in desired.files:
                found.setdefault(route.name, host_taken(host, route.name, owners[host]))
    for name, text in sorted(desired.files.items()) if observed.snapshot is not None else ():
        own = {full for _kind, full, _value in api.objects(observed.parsed.get(name, {}))}
        for kind, full, _value in api.objects(_content(text)):
            if full in known(observed.snapshot).kind(kind) and full not in own and name not in observed.files:
                found.setdefault(name, DomainError(
                    "name_taken",
                    "route {0}: Traefik already serves a {1} {2} from another file".format(name, kind[:-1], full),
                    unchanged="Nothing was changed", route=name, field="name",
                    advice="Of two definitions Traefik takes the first and leaves the other out: remove the other",
                ))
    return [found[name] for name in sorted(found)]


def without(desired: Desired, names: Collection[str]) -> Desired:
    """What is asked but for some instances."""
    return Desired(
        {name: text for name, text in desired.files.items() if name not in names},
        tuple(name for name in desired.absent if name not in names),
    )


def _owners(
    others: Mapping[str, Mapping[str, Any]], desired: Desired, observed: Observed
) -> dict[str, str]:
    """Who serves which host, apart from the instances asked about."""
    owners: dict[str, str] = {}
    for name, content in others.items():
        for router in ((content.get("http") or {}).get("routers") or {}).values():
            owners.update(dict.fromkeys(api.hosts_of(str(router.get("rule", ""))), "route " + name))
    if observed.snapshot is None:
        return owners
    own = {
        full
        for name in {*desired.files, *desired.absent}
        for content in (observed.parsed.get(name, {}), _content(desired.files.get(name, "")))
        for kind, full, _value in api.objects(content)
        if kind == "routers"
    }
    for name, router in observed.snapshot.routers.items():
        if name not in own:
            for host in api.hosts_of(str(router.get("rule", ""))):
                owners.setdefault(host, "router " + name)
    return owners


def _content(text: str) -> Mapping[str, Any]:
    return (render_file.parse(text) or {}) if text else {}


def _certificate_paths(content: Mapping[str, Any]) -> str:
    return json.dumps((content.get("tls") or {}).get("certificates"), sort_keys=True)


def _digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()
