# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The proof: a list of checks, each of which says in one sentence what it found."""

from __future__ import annotations

import logging
import os
import sys
import time
from typing import Any, Callable

from odoo import SUPERUSER_ID, api, release
from odoo.modules.module import get_module_path
from odoo.modules.registry import Registry
from odoo.tools import config

from . import documents, pages

_logger = logging.getLogger(__name__)


class Failed(Exception):
    """What a check found wrong, as one sentence."""


class Proof:
    """Runs checks and collects what they say; one that fails does not keep the others from running."""

    def __init__(self) -> None:
        self.checks: list = []

    def check(self, name: str, run: Callable[[], Any]) -> Any:
        """Run one check: it returns (detail, result) or raises. Returns the result; None if it failed."""
        begun, result = time.monotonic(), None
        try:
            detail, result = run()
            ok = True
        except (Failed, pages.PageError, documents.DocumentError) as error:
            ok, detail = False, str(error)
        except Exception as error:
            _logger.exception("readiness check %s", name)
            ok, detail = False, f"{type(error).__name__}: {error}".strip()
        seconds = round(time.monotonic() - begun, 3)
        self.checks.append({"name": name, "ok": ok, "detail": detail[:2000], "seconds": seconds})
        return result


# Two halves of the proof, which two workers of a colour give at the same time: who waits for it waits for the longer one.
PARTS = {"login": ("login page",), "pages": ("web client", "point of sale")}


def prove(request: Any, part: str = "") -> dict:
    """Checks on the database this process serves. See the controller for the form.

    :param part: ``login``, which also prints a document, or ``pages``; anything else is all of it.
    """
    proof = Proof()
    database = request.db or _configured()
    assets: list = []
    proof.check("add-ons", _addons)
    if proof.check("registry", lambda: _registry(request, database)):
        browser = proof.check("sessions", pages.Browser(request.httprequest.host, database).open)
        if browser:
            try:
                assets = _pages(proof, browser, PARTS.get(part, sum(PARTS.values(), ())))
                if part != "pages":
                    browser.lend(request)
                    proof.check("documents", lambda: documents.print_one(database))
            finally:
                browser.close()
    ok = all(check["ok"] for check in proof.checks)
    answer = {"ok": ok, "database": database or "", "series": release.series, "checks": proof.checks, "assets": assets}
    if not ok:
        _logger.warning("not ready: %s", "; ".join(f"{c['name']}: {c['detail']}" for c in proof.checks if not c["ok"]))
    return answer


def _pages(proof: Proof, browser: Any, names: tuple) -> list:
    assets: list = []
    for name, run in (
        ("login page", browser.login_page),
        ("web client", browser.web_client),
        ("point of sale", browser.point_of_sale),
    ):
        found = proof.check(name, run) if name in names else None
        if found:
            assets += [url for url in found if url not in assets]
            proof.check(f"{name}: bundles", lambda found=found: browser.bundles(found))
            proof.check(f"{name}: scripts", lambda found=found: browser.scripts(found))
    return assets


def _configured() -> str:
    names = config["db_name"] or ""
    return names if isinstance(names, str) else (names[0] if names else "")


def _addons() -> tuple:
    """Odoo logs a server-wide add-on that does not load, and goes on without it."""
    names = config["server_wide_modules"] or ""
    names = [name.strip() for name in (names.split(",") if isinstance(names, str) else names)]
    own = [name for name in names if name.startswith("sysgenpro_")]
    loaded = [sys.modules.get("odoo.addons." + name) for name in own]
    missing = [
        name
        for name, module in zip(own, loaded)
        if not getattr(getattr(module, "post_load", None), "done", False)
    ]
    if missing:
        raise Failed(f"server-wide add-ons did not load, see the log: {', '.join(missing)}")
    return f"{len(own)} of the platform's own", True


def _registry(request: Any, database: str) -> tuple:
    if not database:
        raise Failed("no database is configured (db_name), or it does not answer")
    with Registry(database).cursor() as cr:
        env = api.Environment(cr, SUPERUSER_ID, {})
        cr.execute("SELECT name || ' (' || state || ')' FROM ir_module_module WHERE state LIKE 'to %%' ORDER BY name")
        waiting = [name for (name,) in cr.fetchall()]
        cr.execute("SELECT value FROM ir_config_parameter WHERE key = 'base.partially_updated_database'")
        partial = cr.fetchone()
        cr.execute("SELECT name FROM ir_module_module WHERE state = 'installed'")
        installed = {name for (name,) in cr.fetchall()}
        cr.execute("SELECT latest_version FROM ir_module_module WHERE name = 'base'")
        base = cr.fetchone()[0] or ""
        models = len(env.registry.models)
        missing = sorted(installed - set(env.registry._init_modules))
        bare = _without_code(cr, missing) if missing else []
        missing = [name for name in missing if name not in bare]
        cr.rollback()
    if waiting:
        raise Failed(f"modules wait to be installed, updated or removed: {', '.join(waiting)}")
    if partial:
        raise Failed("an update was not finished: base.partially_updated_database is set")
    if not base.startswith(release.series + "."):
        raise Failed(f"the database is of version {base}, this is Odoo {release.series}")
    if missing:
        raise Failed(f"modules are installed in the database and not loaded here: {', '.join(missing)}")
    return f"{len(installed)} modules, {models} models" + (f"; without code: {', '.join(bare)}" if bare else ""), True


def _without_code(cr: Any, names: list) -> list:
    """Those that live in the database only, by Odoo's own rule (odoo/modules/module_graph.py, 19) and by what the operator says.

    One whose files are here should have been loaded, whatever is said of it.
    """
    said = {"studio_customization", *os.environ.get("SYSGENPRO_MODULES_WITHOUT_CODE", "").split(",")}
    # The column is there with base_import_module only.
    cr.execute("SELECT name FROM ir_module_module m WHERE state = 'installed' AND (to_jsonb(m) ->> 'imported')::boolean")
    said.update(name for (name,) in cr.fetchall())
    return [name for name in names if name in said and not get_module_path(name, display_warning=False)]
