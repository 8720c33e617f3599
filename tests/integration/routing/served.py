# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in an image of Odoo, by its own Python: what that Odoo takes request targets for, and which methods of the service db it carries out.

Reads JSON from standard input, ``{"targets": [...]}``, and prints one of ``{"rules": [[...], ...], "carried_out": [...], "refused": [...]}``. A
target's two rules are what it matches as it is and behind its first segment, as http_routing does with a language; "" is none. Werkzeug's own server parses the
target, Odoo's own map of routes is asked; nothing listens and there is no database.
"""

from __future__ import annotations

import json
import sys
import types

import odoo
import werkzeug.exceptions
import werkzeug.routing
from odoo import http
from werkzeug.serving import WSGIRequestHandler
from werkzeug.wrappers import Request

MODULES = ("base", "web", "rpc", "bus", "sysgenpro_ready")


class Record(werkzeug.routing.BaseConverter):
    """A part of a path that names a record; Odoo's own asks a database."""

    def __init__(self, url_map, model=False):
        super().__init__(url_map)


def load():
    series = odoo.release.version_info[0]
    odoo.tools.config.parse_config(["--addons-path", sys.argv[1]])
    # Up to 18 the RPC controllers are part of odoo itself.
    wanted = [name for name in MODULES if name != "rpc" or series >= 19]
    if hasattr(odoo, "conf"):
        odoo.conf.server_wide_modules = wanted
    if hasattr(odoo.modules.module, "initialize_sys_path"):
        odoo.modules.module.initialize_sys_path()
    for name in wanted:
        odoo.modules.module.load_openerp_module(name)
    if hasattr(http.root, "load_addons"):
        http.root.load_addons()
    routes = werkzeug.routing.Map(strict_slashes=False, converters={"model": Record, "models": Record})
    for url, endpoint, *_routing in http._generate_routing_rules(["", *wanted], False):
        found = werkzeug.routing.Rule(url, endpoint=endpoint)
        found.merge_slashes = False
        routes.add(found)
    return routes


def environ(target):
    handler = WSGIRequestHandler.__new__(WSGIRequestHandler)
    handler.path, handler.command, handler.request_version = target, "GET", "HTTP/1.1"
    handler.headers, handler.rfile, handler.connection = {}, None, None
    handler.client_address = ("127.0.0.1", 1)
    handler.server = types.SimpleNamespace(
        ssl_context=None, multithread=False, multiprocess=True, server_address=("127.0.0.1", 8069), shutdown_signal=False)
    return handler.make_environ()


def rule(routes, path):
    try:
        found, arguments = routes.bind("", path_info=path).match(return_rule=True)
    except werkzeug.routing.RequestRedirect:
        # The client asks again, by the edge, with what it is told.
        return ""
    except werkzeug.exceptions.HTTPException:
        return ""
    return found.rule.replace("<service>", arguments.get("service", ""))


def rules(routes, target):
    path = Request(environ(target)).path
    parts = path.split("/", 2)
    return [rule(routes, path), rule(routes, "/" + parts[2]) if len(parts) > 2 else ""]


def database_methods():
    """Which methods of the service are refused to one who knows the master password, with the settings that odoo_release writes."""
    odoo.tools.config["list_db"] = False
    odoo.tools.config["admin_passwd"] = "admin"
    carried, refused = [], []
    from odoo.service import db

    for name in sorted(name[4:] for name in dir(db) if name.startswith("exp_")):
        password = [] if name in ("db_exist", "list", "list_lang", "server_version") else ["admin"]
        arguments = {"db_exist": ["nowhere"], "create_database": ["x", False, "en_US"], "dump": ["x", "zip"], "restore": ["x", ""],
                     "duplicate_database": ["x", "y"], "rename": ["x", "y"], "drop": ["x"], "change_admin_password": ["y"],
                     "migrate_databases": [["x"]]}.get(name, [])
        try:
            db.dispatch(name, password + arguments)
        except odoo.exceptions.AccessDenied:
            refused.append(name)
        else:
            carried.append(name)
    return carried, refused


def main():
    routes = load()
    asked = json.load(sys.stdin)["targets"]
    carried, refused = database_methods()
    print(json.dumps({
        "rules": [rules(routes, target) for target in asked], "carried_out": carried, "refused": refused,
        "series": odoo.release.series,
    }))


main()
