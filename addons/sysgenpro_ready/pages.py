# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pages as a browser gets them: by the application itself, in this process, without the network.

An internal user is needed for the web client. His password is not: a session is made for him, as a login makes one,
and removed again.
"""

from __future__ import annotations

import re
import time
from html import unescape
from typing import Any, Optional
from urllib.parse import urlsplit

import werkzeug.test
import werkzeug.wrappers
from lxml import etree

import odoo
from odoo import SUPERUSER_ID, api, http
from odoo.modules.registry import Registry
from odoo.service import security

from . import scripts

_ASSET = re.compile(r"""<(?:script|link)\b[^>]*?\b(?:data-src|src|href)\s*=\s*["']([^"']+)["']""")
#: Bundles' addresses (14 by id below /web/content, later series below /web/assets), and files a page loads as they are.
_BUNDLE = re.compile(r"^/(?:web/assets/|web/content/\d+-[0-9a-f]+/|\w+/static/).*\.(?:js|css)$")
#: Odoo builds a bundle in spite of errors and writes them into it (assetsbundle.py of each series). Styles:
_STYLE_ERROR = re.compile(r"css_error_message\s*\{\s*content:\s*\"(.{1,1500})", re.DOTALL)
#: Templates: the script that carries them throws, and the page stays white.
_TEMPLATE_ERROR = re.compile(r"""^\s*throw new Error\("((?:[^"\\]|\\.)*)"\);\s*$""", re.MULTILINE)
#: A file that is missing or cannot be read only says so. Modules it should have defined are missed by ``scripts``.
_MISSING_FILE = re.compile(r"""^console\.error\("((?:[^"\\]|\\.)*)"\);?\s*;?$""", re.MULTILINE)
#: Odoo 14 to 16 put an error in styles into the page, as a script that shows it, and go on with the styles they find.
_SHOWN_ERROR = re.compile(r"__assetsBundleErrorSeen.*?\}\)\(\"(.{1,1500})", re.DOTALL)
#: Longest chain of redirects.
REDIRECTS = 4


class PageError(Exception):
    """What is wrong with a page or a bundle, as one sentence."""


class Browser:
    """Asks this process's application, as nobody unless a session is named. ``host`` as the caller wrote it, so that
    dbfilter lets it through. Between ``open`` and ``close`` it has one session: Odoo 14 would make one per request."""

    def __init__(self, host: str, database: str) -> None:
        self.host, self.database = host, database
        self._texts: dict = {}
        self._shown_error = ""

    def open(self) -> tuple:
        store = http.root.session_store
        self._nobody = store.new()
        if hasattr(http, "get_default_session"):  # Odoo 16 and later
            self._nobody.update(http.get_default_session())
        self._nobody.update({"db": self.database})
        store.save(self._nobody)
        return f"kept by {type(store).__name__}", self

    def lend(self, request: Any) -> None:
        """Let ``request``'s session id be this one's: Odoo hands it to wkhtmltopdf, which asks for styles with it."""
        request.session.sid = self._nobody.sid

    def close(self) -> None:
        http.root.session_store.delete(self._nobody)

    def get(self, path: str, sid: Optional[str] = None) -> tuple:
        """Status, text and final path of a GET; redirects within this host are followed."""
        for _ in range(REDIRECTS):
            parts = urlsplit(path)
            headers = {"Cookie": f"session_id={sid or self._nobody.sid}"}
            builder = werkzeug.test.EnvironBuilder(
                path=parts.path, query_string=parts.query, base_url=f"http://{self.host}/", headers=headers
            )
            environ = builder.get_environ()
            environ.update(REMOTE_ADDR="127.0.0.1", REMOTE_PORT="0")
            body, status, answered = werkzeug.test.run_wsgi_app(http.root, environ, buffered=True)
            text = b"".join(body)
            getattr(body, "close", lambda: None)()
            code = int(status.split()[0])
            if code not in (301, 302, 303, 307, 308):
                return code, text.decode("utf-8", "replace"), path
            target = urlsplit(answered.get("Location", ""))
            path = target.path + (f"?{target.query}" if target.query else "")
        raise PageError(f"{path} is redirected without end")

    # --- pages -----------------------------------------------------------------------------------------------------

    def login_page(self) -> tuple:
        status, text, path = self.get("/web/login")
        if status != 200 or "csrf_token" not in text or 'name="login"' not in text:
            raise PageError(f"/web/login answers {status} and no login form ({path})")
        self._look_for_error(text)
        return f"{len(text)} bytes", _bundles_of(text)

    def web_client(self) -> tuple:
        with _Session(self.database) as session:
            status, text, path = self.get("/web", session.sid)
        if path.startswith("/web/login"):
            raise PageError(f"the web client turns {session.login} away to {path}")
        if status != 200:
            raise PageError(f"the web client answers {status} for {session.login}")
        found = _bundles_of(text)
        if "session_info" not in text or not any(url.endswith(".js") for url in found):
            raise PageError(f"{path} is not the web client: no session_info or no script")
        self._look_for_error(text)
        return f"for {session.login}, {len(text)} bytes", found

    def _look_for_error(self, text: str) -> None:
        """Remember an error that a page shows, for ``bundles`` to say."""
        match = _SHOWN_ERROR.search(text)
        self._shown_error = unescape(match.group(1)).strip() if match else ""

    def point_of_sale(self) -> tuple:
        """Its page needs an opened session of a till, so its bundles are asked for instead."""
        with Registry(self.database).cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {"lang": "en_US"})
            if "pos.config" not in env:
                return "not installed", []
            view = env.ref("point_of_sale.index", raise_if_not_found=False)
            if not view:
                return "no page of its own", []
            found: list = []
            inline = ""
            for called in _called(env, view):
                if isinstance(called, str):
                    urls = [called]
                else:
                    nodes = _nodes(env, *called)
                    inline += "".join(str(node[2] or "") for node in nodes if len(node) > 2)
                    attributes = [node[1] for node in nodes]
                    urls = [a.get("src") or a.get("href") or a.get("data-src") for a in attributes]
                found += [url for url in urls if url and _BUNDLE.match(urlsplit(url).path) and url not in found]
            self._look_for_error(inline)
            # Odoo 14 to 16 make the attachments here.
            cr.commit()
        if not any(url.endswith(".js") for url in found):
            raise PageError("the page point_of_sale.index has no script")
        return f"{len(found)} bundles", found

    # --- bundles ---------------------------------------------------------------------------------------------------

    def _text(self, url: str) -> str:
        if url not in self._texts:
            status, text, path = self.get(url)
            if status != 200:
                raise PageError(f"{url} answers {status}")
            if path != url:
                raise PageError(f"{url} is served by another version: {path}")
            if not text.strip():
                raise PageError(f"{url} is empty")
            self._texts[url] = text
        return self._texts[url]

    def bundles(self, urls: list) -> tuple:
        """Every bundle is served, and none was built with an error that keeps a page from coming up."""
        if self._shown_error:
            raise PageError(f"styles were built with an error: {self._shown_error[:1500]}")
        size, notes = 0, []
        for url in urls:
            text = self._text(url)
            size += len(text)
            if url.endswith(".css"):
                error = _STYLE_ERROR.search(text)
            else:
                templates = text.find(".bundle.xml")
                error = _TEMPLATE_ERROR.search(text, templates) if templates >= 0 else None
                notes += [match.group(1) for match in _MISSING_FILE.finditer(text)]
            if error:
                raise PageError(f"{url} was built with an error: {error.group(1)[:1000]}")
        detail = f"{len(urls)} bundles, {size} bytes"
        return detail + (f"; without these files: {'; '.join(notes)}" if notes else ""), True

    def scripts(self, urls: list) -> tuple:
        """Every module that a script of the page needs is defined in one of them."""
        graph = scripts.Graph()
        for url in urls:
            if url.endswith(".js"):
                graph.add(url, self._text(url))
        problems = graph.problems()
        if problems:
            raise PageError("the page stays white: " + "; ".join(problems[:20]))
        return f"{len(graph.needs)} modules", True


def _bundles_of(text: str) -> list:
    found: list = []
    for url in (unescape(url) for url in _ASSET.findall(text)):
        if _BUNDLE.match(urlsplit(url).path) and url not in found:
            found.append(url)
    return found


def _called(env: Any, view: Any) -> list:
    """What the page and the views it calls load: (name, css, js) of each bundle and the address of each script; not
    those for debugging and tests."""
    seen, waiting, found = set(), [view.key or "point_of_sale.index"], []
    while waiting:
        key = waiting.pop()
        view = env["ir.ui.view"].search([("key", "=", key), ("type", "=", "qweb")], limit=1)
        if key in seen or not view:
            continue
        seen.add(key)
        for node in etree.fromstring(view.arch_db).iter(etree.Element):
            get = node.attrib.get
            called = get("t-call-assets") or ""
            if re.search(r"test|debug|qunit", called + get("t-if", "")):
                continue
            if called:
                found.append((called, get("t-css", "true") != "false", get("t-js", "true") != "false"))
            elif node.tag == "script" and get("src"):
                found.append(get("src"))
            if re.match(r"point_of_sale\.[\w.]*assets", get("t-call", "")):
                waiting.append(get("t-call"))
    return found


def _nodes(env: Any, name: str, css: bool, js: bool) -> list:
    qweb = env["ir.qweb"]
    if odoo.release.version_info[0] < 16:
        return qweb._get_asset_nodes(name, {}, css=css, js=js)
    return qweb._get_asset_nodes(name, css=css, js=js)


class _Session:
    """A session of an internal administrator for the length of a ``with``."""

    def __init__(self, database: str) -> None:
        self.database = database
        self.login = ""

    def __enter__(self) -> _Session:
        store = http.root.session_store
        self.session = store.new()
        with Registry(self.database).cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            user = _administrator(env)
            self.login = user.login
            env = env(user=user.id)
            context = dict(env["res.users"].context_get())
            if hasattr(http, "get_default_session"):  # Odoo 16 and later
                self.session.update(http.get_default_session())
                now = int(time.time())
                # Not a device of the user's: what is known and fresh is not written down (18 and later).
                trace = {
                    "platform": None,
                    "browser": None,
                    "ip_address": "127.0.0.1",
                    "first_activity": now,
                    "last_activity": now,
                }
                self.session.update({"_trace_disable": True, "_trace": [trace]})
            else:
                context["uid"] = user.id
            self.session.update({"db": self.database, "login": user.login, "uid": user.id, "context": context})
            token = security.compute_session_token(self.session, env)
            self.session.update({"session_token": token})
            cr.rollback()
        store.save(self.session)
        return self

    def __exit__(self, *_exc: Any) -> None:
        http.root.session_store.delete(self.session)

    @property
    def sid(self) -> str:
        return self.session.sid


def _administrator(env: Any) -> Any:
    """The administrator if he is active, or any other with his rights, or any internal user."""
    users = env["res.users"].with_context(active_test=True)
    for group in ("base.group_system", "base.group_user"):
        members = users.search([("share", "=", False), ("id", "!=", SUPERUSER_ID)], order="id").filtered(
            lambda user, group=group: user.has_group(group)
        )
        if members:
            return members[0]
    raise PageError("the database has no active internal user")
