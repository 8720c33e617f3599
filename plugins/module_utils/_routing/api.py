# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Traefik's API, read only: what it serves, and how that differs from what was asked."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._kernel.errors import DomainError

KINDS = ("routers", "services", "middlewares")
PROVIDER = "@file"
PROVIDERS = (PROVIDER, "@kubernetescrd", "@kubernetesgateway")

# Traefik's default page is 100 entries; one of this size makes a machine's lists one request each.
PER_PAGE = 1000

_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|us|µs|ns)")
_HOST = re.compile(r"Host(?:SNI)?\(((?:`[^`]*`|\"[^\"]*\"|[,\s])+)\)")


class Unreachable(Exception):
    """Traefik's API did not answer as an API; the message says how."""


@dataclass(frozen=True)
class Snapshot:
    """Routers, services and middlewares by their full name, such as ``acme-production@file``."""

    routers: Mapping[str, Mapping[str, Any]]
    services: Mapping[str, Mapping[str, Any]]
    middlewares: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, raw: Any) -> Snapshot:
        """From the answer of ``/api/rawdata``, which is all in one.

        :raises Unreachable: for an answer of something else.
        """
        if not isinstance(raw, Mapping) or not any(kind in raw for kind in KINDS):
            raise Unreachable("what answers is not Traefik's API: /api/rawdata has neither {0}".format(", ".join(KINDS)))
        return cls(*(raw.get(kind) or {} for kind in KINDS))

    def kind(self, name: str) -> Mapping[str, Mapping[str, Any]]:
        found: Mapping[str, Mapping[str, Any]] = getattr(self, name)
        return found


class Api:
    """A client that counts its calls.

    :param url: of the API, with Traefik's ``api.basePath`` where it has one.
    :param timeout: seconds for one call.
    """

    def __init__(self, url: str, timeout: float = 5, per_page: int = PER_PAGE) -> None:
        self.url = url.rstrip("/")
        self.timeout = timeout
        self.per_page = per_page
        self.calls = 0
        # No proxy: the API is on the machine itself.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def snapshot(self) -> Snapshot:
        """Everything served now; three calls, and one more for every further page.

        :raises Unreachable: as the class says.
        """
        return Snapshot(*({str(item["name"]): item for item in self._list("http/" + kind)} for kind in KINDS))

    def entry_points(self) -> dict[str, str]:
        """Addresses of the entry points by name.

        :raises Unreachable: as the class says.
        """
        return {str(item["name"]): str(item.get("address", "")) for item in self._list("entrypoints")}

    def _list(self, path: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            items, following = self._get(path, {"page": page, "per_page": self.per_page})
            found.extend(items)
            # On the last page Traefik names page 1 as the next one.
            if following <= page:
                return found
            page = following

    def get(self, path: str) -> Any:
        """What one path of the API answers.

        :raises Unreachable: as the class says.
        """
        return self._open(self.url + path)[0]

    def _get(self, path: str, query: Mapping[str, Any]) -> tuple[list[dict[str, Any]], int]:
        url = "{0}/api/{1}?{2}".format(self.url, path, urllib.parse.urlencode(query))
        items, following = self._open(url)
        if not isinstance(items, list) or not all(isinstance(item, dict) and "name" in item for item in items):
            raise Unreachable("{0} is not Traefik's API: it answers something else than a list".format(url))
        return items, following

    def _open(self, url: str) -> tuple[Any, int]:
        self.calls += 1
        try:
            with self._opener.open(url, timeout=self.timeout) as answer:
                return json.load(answer), int(answer.headers.get("X-Next-Page") or 0)
        except urllib.error.HTTPError as error:
            raise Unreachable(
                "{0} answers {1}; is the API on, and its base path part of the URL?".format(url, error.code)
            ) from None
        except (OSError, ValueError) as error:
            raise Unreachable("{0}: {1}".format(url, error)) from None


def unreachable(reason: str) -> DomainError:
    """The error for an API that does not answer, before anything was changed."""
    return DomainError(
        "traefik_unreachable", "Traefik's API does not answer: " + reason,
        unchanged="Nothing was changed",
        advice="Start Traefik (role sysgenpro.odoo.traefik) before its routes, or correct api.url",
    )


def objects(configuration: Mapping[str, Any], provider: str = PROVIDER) -> list[tuple[str, str, Mapping[str, Any]]]:
    """Kind, full name and content of everything in a dynamic configuration that the API shows."""
    http = configuration.get("http") or {}
    return [(kind, name + provider, value) for kind in KINDS for name, value in (http.get(kind) or {}).items()]


def hosts_of(rule: str) -> set[str]:
    """Host names that a rule takes."""
    found: set[str] = set()
    for match in _HOST.finditer(rule):
        found.update(host.lower() for host in re.findall(r"[`\"]([^`\"]*)[`\"]", match.group(1)))
    return found


@dataclass(frozen=True)
class Difference:
    """Something asked for that is not served.

    :param final: Traefik has taken the content and refuses it, so waiting does not help.
    """

    what: str
    final: bool = False


def compare(configuration: Mapping[str, Any], snapshot: Snapshot, provider: str = PROVIDER) -> list[Difference]:
    """How what Traefik serves differs from what was asked; empty when it serves that, enabled, without errors."""
    differences = []
    for kind, name, wanted in objects(configuration, provider):
        served = snapshot.kind(kind).get(name)
        label = "{0} {1}".format(kind[:-1], name)
        if served is None:
            differences.append(Difference(label + " is not served"))
        elif not within(wanted, served):
            differences.append(Difference(label + " is served with another content"))
        elif served.get("status") != "enabled" or served.get("error") or served.get("err"):
            reason = served.get("error") or served.get("err") or "no reason given"
            text = "; ".join(map(str, reason)) if isinstance(reason, list) else str(reason)
            differences.append(Difference("{0} is {1}: {2}".format(label, served.get("status"), text), final=True))
    return differences


def leftovers(configuration: Mapping[str, Any], snapshot: Snapshot, provider: str = PROVIDER) -> list[Difference]:
    """What of a removed configuration is still served."""
    return [
        Difference("{0} {1} is still served".format(kind[:-1], name))
        for kind, name, _content in objects(configuration, provider)
        if name in snapshot.kind(kind)
    ]


def within(wanted: Any, served: Any) -> bool:
    """Whether everything asked for is served; Traefik adds its defaults, so more may be."""
    if isinstance(wanted, Mapping):
        return isinstance(served, Mapping) and all(
            key in served and within(value, served[key]) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(served, list) and len(wanted) == len(served) and all(map(within, wanted, served))
    return bool(_plain(wanted) == _plain(served))


def _plain(value: Any) -> Any:
    """A value without what Traefik changes in showing it: ``300s`` is shown as ``5m0s``, ``x`` with its provider."""
    if not isinstance(value, str):
        return value
    if value and _DURATION.sub("", value) == "":
        return round(sum(float(number) * _UNITS[unit] for number, unit in _DURATION.findall(value)), 9)
    for provider in PROVIDERS:
        if value.endswith(provider):
            return value[: -len(provider)]
    return value
