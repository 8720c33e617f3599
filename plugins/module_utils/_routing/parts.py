# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a route is made of at Traefik, whatever carries it there: routers with their rules, and middlewares.

Sources: Traefik 3.7's pkg/config/dynamic and pkg/middlewares. Needs 3.7: ``retry.timeout`` and
``errors.errorRequestHeaders`` are new in it, and Traefik refuses what it does not know.
"""

from __future__ import annotations

from typing import Any

from .model import Route
from .paths import bus_pattern, closed_pattern

# Paths the pages' server (role `traefik`) answers the edge's own fetches at; any other path is maintenance, 503.
PAGE_BUSY = "/edge/503"
PAGE_CLOSED = "/edge/404"
PAGE_TOO_LARGE = "/edge/413"

# The source of the limit on requests under way; set at the edge, so a client's own is overwritten.
INSTANCE_HEADER = "X-Sysgenpro-Instance"

# Where HTTP comes in that is sent to HTTPS.
REDIRECT_ENTRY_POINT = "web"

# No idle connections: one opened before a switch would still lead to the old colour, and a request
# sent on one the server just closed would be sent again or lost. Every request dials, so it can wait.
TRANSPORT: dict[str, Any] = {"maxIdleConnsPerHost": -1, "forwardingTimeouts": {"dialTimeout": "10s"}}


def tls_options(route: Route) -> dict[str, Any]:
    """What TLS must be like."""
    return {"minVersion": "VersionTLS" + route.tls_min.replace(".", ""), "sniStrict": True}


def hosts_rule(route: Route) -> str:
    rule = " || ".join("Host(`{0}`)".format(host) for host in route.hosts)
    return "({0})".format(rule) if len(route.hosts) > 1 else rule


def routers(route: Route) -> dict[str, Any]:
    """Routers by name, as a dynamic configuration has them; the names of middlewares and services are those of ``middlewares`` and ``services``."""
    hosts, name = hosts_rule(route), route.name
    tls: dict[str, Any] = {"options": name}
    if route.resolver:
        tls["certResolver"] = route.resolver
        tls["domains"] = [{"main": route.hosts[0]}]
        if route.hosts[1:]:
            tls["domains"][0]["sans"] = list(route.hosts[1:])
    first = [name + "-headers"]
    if route.allow:
        first.append(name + "-allow")
    if route.rate:
        first += [name + "-limited", name + "-rate"]

    def router(rule: str, priority: int, service: str, *middlewares: str) -> dict[str, Any]:
        return {
            "rule": rule, "priority": priority, "service": service, "entryPoints": [route.entry_point],
            "middlewares": first + [name + "-" + part for part in middlewares], "tls": tls,
        }

    routers = {
        # The page stands outside of the limit and the retries, and inside of the rate limit, whose 429 is shown as a page and stays a 429.
        name: router(hosts, 10, name, "page", "inflight", "retry"),
        name + "-websocket": router(
            "{0} && PathRegexp(`{1}`)".format(hosts, bus_pattern()), 20, name + "-websocket", "page", "retry"
        ),
        name + "-closed": router(
            "{0} && PathRegexp(`{1}`)".format(hosts, closed_pattern(route.database_manager)), 40, name + "-pages", "closed"
        ),
    }
    if route.max_body:
        # By what the request announces, before its body is read: Traefik's buffering would write every body (and
        # every answer) to disk first. A body without an announced length is left to Odoo's own limit.
        routers[name + "-too-large"] = router(
            "{0} && HeaderRegexp(`Content-Length`, `{1}`)".format(hosts, announced(route.max_body)), 30, name + "-pages", "too-large"
        )
    if route.redirect:
        routers[name + "-redirect"] = {
            "rule": hosts, "priority": 10, "service": "noop@internal", "entryPoints": [REDIRECT_ENTRY_POINT],
            "middlewares": [name + "-redirect"],
        }
    return routers


def middlewares(route: Route) -> dict[str, Any]:
    """Middlewares by name."""
    name, hold = route.name, route.hold
    strategy = {"ipStrategy": {"excludedIPs": list(route.trusted_proxies)}} if route.trusted_proxies else {}
    found: dict[str, Any] = {
        "headers": {"headers": _headers(route)},
        "page": {
            "errors": {
                "status": ["429", "502-504"],
                "statusRewrites": {"429": 503, "502": 503, "504": 503},
                "service": name + "-pages",
                "query": PAGE_BUSY,
                "errorRequestHeaders": ["Accept-Language"],
            }
        },
        "inflight": {
            "inFlightReq": {"amount": hold.requests, "sourceCriterion": {"requestHeaderName": INSTANCE_HEADER}}
        },
        # Only connections that could not be made are tried again; no status is, so no request is ever sent twice.
        "retry": {
            "retry": {
                "attempts": hold.attempts,
                "initialInterval": "{0}ms".format(hold.interval),
                "timeout": "{0}s".format(hold.timeout),
            }
        },
        "closed": {"replacePath": {"path": PAGE_CLOSED}},
    }
    if route.max_body:
        found["too-large"] = {"replacePath": {"path": PAGE_TOO_LARGE}}
    if route.allow:
        found["allow"] = {"ipAllowList": {"sourceRange": list(route.allow), **strategy}}
    if route.rate:
        limit: dict[str, Any] = {"average": route.rate, "burst": route.burst, "period": "1s"}
        if strategy:
            limit["sourceCriterion"] = strategy
        found["rate"] = {"rateLimit": limit}
        found["limited"] = {"errors": {"status": ["429"], "service": name + "-pages", "query": PAGE_BUSY, "errorRequestHeaders": ["Accept-Language"]}}
    if route.redirect:
        found["redirect"] = {"redirectScheme": {"scheme": "https", "permanent": True}}
    return {"{0}-{1}".format(name, part): value for part, value in found.items()}


def _headers(route: Route) -> dict[str, Any]:
    response = {"Server": ""}
    if not route.indexed:
        response["X-Robots-Tag"] = "noindex, nofollow"
    response.update(route.headers)
    result: dict[str, Any] = {
        "contentTypeNosniff": True,
        "customFrameOptionsValue": "SAMEORIGIN",
        "referrerPolicy": "strict-origin-when-cross-origin",
        "customRequestHeaders": {INSTANCE_HEADER: route.name},
        "customResponseHeaders": response,
    }
    if route.hsts:
        result["stsSeconds"] = route.hsts
    return result


def announced(largest: int) -> str:
    """A regular expression for lengths above ``largest``, as a request announces them."""
    return "^0*({0})$".format(larger_than(largest))


def larger_than(number: int) -> str:
    """A regular expression for decimal numbers above ``number``, without leading zeros."""
    digits = str(number)
    parts = ["[1-9][0-9]{{{0},}}".format(len(digits))]
    for index, digit in enumerate(digits):
        if digit != "9":
            rest = len(digits) - index - 1
            more = "[{0}-9]".format(int(digit) + 1)
            parts.append(digits[:index] + more + ("[0-9]{{{0}}}".format(rest) if rest else ""))
    return "|".join(parts)
