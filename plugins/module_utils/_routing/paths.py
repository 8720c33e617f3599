# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths as the server reads them, in words that Traefik matches.

Two programs parse one path. Traefik matches a path in which it has decoded everything but reserved characters (RFC 3986, 2.2; its
``withRoutingPath``), so an encoded slash is three characters to it; whether it joins ``//`` and follows ``/../`` before is an option of its entry
point (``sanitizePath``). Werkzeug decodes everything, once, and leaves out slashes at the beginning; Odoo cuts at slashes after that. So wherever a
slash may stand, these patterns take any run of slashes, plain or encoded, and rely on no option of Traefik.
"""

from __future__ import annotations

# Where Odoo's bus lies: longpolling up to 15, a websocket from 16 on (odoo/addons/bus). Every route has both, so that it is right before a first
# release and whatever the inventory says; the process at that port serves any other request, too.
BUS = ("websocket", "longpolling")
# Of the server's own: databases to make, drop and download, by page and by XML-RPC.
DATABASE = ("web/database", "xmlrpc/2/db", "xmlrpc/db")
# The platform's own probes.
OWN = ("sysgenpro",)

_SLASH = "(?:/|%2[Ff])"
# A language as Odoo writes one in a URL (res_lang.url_code): fr, fr_BE, es_419, sr@latin.
_LANGUAGE = "[a-z]{2,3}(?:[_@-][A-Za-z0-9]+)*"


def closed_pattern(database_manager: bool) -> str:
    """What never reaches Odoo. Behind any first segment, too, since Odoo's website takes every route behind a language, and a language is called
    what its shop calls it."""
    return "(?i)" + _pattern("[^/]+", OWN if database_manager else DATABASE + OWN)


def bus_pattern() -> str:
    """What goes to the port of the bus. Not behind any segment, or a page /shop/websocket would go there."""
    return _pattern(_LANGUAGE, BUS)


def _pattern(before: str, paths: tuple[str, ...]) -> str:
    found = "|".join(path.replace("/", _SLASH + "+") for path in paths)
    return "^{0}+(?:{1}{0}+)?(?:{2})(?:{0}|$)".format(_SLASH, before, found)
