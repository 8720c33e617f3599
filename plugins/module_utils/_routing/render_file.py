# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A route as Traefik's file provider reads it: its parts, its services, and the text of the file."""

from __future__ import annotations

import json
import os
from typing import Any

from .._kernel.errors import DomainError, known
from .model import HTTP_PORT, WEBSOCKET_PORT, Route
from .parts import TRANSPORT, middlewares, routers, tls_options

SUFFIX = ".yml"
MARKER = "# Managed by sysgenpro.odoo.traefik_route: changes by hand are lost.\n"


def configuration(route: Route, pages: str, certificates: str) -> dict[str, Any]:
    """The dynamic configuration of one route.

    :param pages: URL of the server of the edge's pages.
    :param certificates: directory that given certificates lie in.
    """
    result: dict[str, Any] = {
        "http": {
            "routers": routers(route),
            "middlewares": middlewares(route),
            "services": _services(route, pages),
            "serversTransports": {route.name: TRANSPORT},
        },
        "tls": {"options": {route.name: tls_options(route)}},
    }
    if route.certificate:
        crt, key = certificate_files(route, certificates)
        result["tls"]["certificates"] = [{"certFile": crt, "keyFile": key}]
    return result


def certificate_files(route: Route, directory: str) -> tuple[str, str]:
    """Paths of a route's chain and key. Their names change with their contents, so Traefik sees every change."""
    base = os.path.join(directory, "{0}.{1}".format(route.name, known(route.certificate).digest))
    return base + ".crt", base + ".key"


def text(value: dict[str, Any]) -> str:
    """The file: JSON, which is YAML, so that neither needs a library on the machine nor quoting of its own.

    Traefik runs every file through Go's templates first; ``{{`` can only stand inside a string and is written as
    escapes there, so it stays what it was.
    """
    body = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).replace("{{", "\\u007b\\u007b")
    return MARKER + body + "\n"


def parse(content: str) -> dict[str, Any] | None:
    """What a file of ours says, or None where it is somebody else's."""
    if not content.startswith(MARKER):
        return None
    try:
        value = json.loads(content[len(MARKER):])
    except ValueError as error:
        raise DomainError(
            "damaged_file", "a file with this module's mark is not what it wrote: {0}".format(error),
            unchanged="Nothing was changed", advice="Remove the file and run again",
        ) from None
    return value if isinstance(value, dict) else {}


def _services(route: Route, pages: str) -> dict[str, Any]:
    def service(url: str) -> dict[str, Any]:
        return {"loadBalancer": {"servers": [{"url": url}], "serversTransport": route.name}}

    return {
        route.name: service("http://{0}:{1}".format(route.front, HTTP_PORT)),
        route.name + "-websocket": service("http://{0}:{1}".format(route.front, WEBSOCKET_PORT)),
        route.name + "-pages": service(pages),
    }
