# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What traefik_route_info tells; shares ``io.observe`` with traefik_route."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from .._kernel.errors import DomainError
from .._kernel.files import read_text
from . import api as traefik
from . import io
from .certificates import describe


def gather(place: io.Place, url: str, names: Sequence[str] | None = None) -> dict[str, Any]:
    """The routes on disk and what Traefik makes of them.

    :raises DomainError: as ``io.observe`` does.
    """
    api = traefik.Api(url)
    observed, reason = io.observe(place, api)
    routes = []
    for name, content in sorted(observed.parsed.items()):
        if names and name not in names:
            continue
        differences = traefik.compare(content, observed.snapshot) if observed.snapshot is not None else []
        routers = (content.get("http") or {}).get("routers") or {}
        hosts: set[str] = set()
        for router in routers.values():
            hosts |= traefik.hosts_of(str(router.get("rule", "")))
        routes.append({
            "name": name,
            "hosts": sorted(hosts),
            "file": place.file(name),
            "service": name + traefik.PROVIDER,
            "served": None if observed.snapshot is None else not differences and name not in observed.damaged,
            "differences": [difference.what for difference in differences]
            + ([observed.damaged[name].message] if name in observed.damaged else []),
            "certificate": _certificate(content),
        })
    return {"routes": routes, "api_calls": api.calls, "api_error": reason}


def _certificate(content: Mapping[str, Any]) -> dict[str, Any] | None:
    for pair in (content.get("tls") or {}).get("certificates") or []:
        text = read_text(str(pair.get("certFile", "")))
        if text is None:
            return {"error": "{0} is missing".format(pair.get("certFile"))}
        try:
            found = describe(text)
        except DomainError as error:
            return {"error": error.message}
        left = datetime.datetime.fromisoformat(found["not_after"]) - datetime.datetime.now(datetime.timezone.utc)
        return {**found, "days_left": left.days}
    return None
