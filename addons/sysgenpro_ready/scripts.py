# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The graph of a page's JavaScript modules. One that needs a module which no script of the page defines is never
started, nor is any that needs it: the web client stays white, while every request for it answers 200.

Odoo 17 and later write what a module needs as a list (``odoo.define(name, [needs], …)``, module_loader.js); before,
boot.js finds ``require("…")`` in the module's own text. Both forms are read here the way Odoo's loader reads them.
"""

from __future__ import annotations

import re
from typing import Optional

#: Each file of a bundle begins with a comment that names it (WebAsset.with_header).
_FILE = re.compile(r"^/\*+ [^\n]*\*/\s*$", re.MULTILINE)
_DEFINE = re.compile(
    r"""\bodoo\.define\(\s*(?:(["'`])(?P<name>[^"'`\n]+)\1\s*,\s*)?(?:\[(?P<needs>[^\]]*)\]\s*,\s*)?(?=(?:async\s+)?(?:function\b|\(|\w+\s*=>|\w+\s*\)))"""
)
_STRING = re.compile(r"""["'`]([^"'`]+)["'`]""")
#: From boot.js of Odoo 14 to 16.
_COMMENT = re.compile(r"(/\*([\s\S]*?)\*/|([^:]|^)//(.*)$)", re.MULTILINE)
_REQUIRE = re.compile(r"""[^.]\s*require\s*\(\s*["']([^'"\s]+)["']\s*\)""")


class Graph:
    """Modules and what they need, over all scripts of a page."""

    def __init__(self) -> None:
        self.needs: dict = {}
        self.where: dict = {}
        self._unnamed = 0

    def add(self, url: str, text: str) -> None:
        """Take in one script."""
        borders = [0, *(match.start() for match in _FILE.finditer(text)), len(text)]
        for begin, end in zip(borders, borders[1:]):
            self._file(url, text[begin:end])

    def _file(self, url: str, text: str) -> None:
        found = list(_DEFINE.finditer(text))
        for match, following in zip(found, [*found[1:], None]):
            name = match.group("name")
            if name is None:
                self._unnamed += 1
                name = f"(unnamed {self._unnamed} of {url})"
            body = text[match.end() : following.start() if following else len(text)]
            self._define(url, name, match.group("needs"), body)

    def _define(self, url: str, name: str, listed: Optional[str], body: str) -> None:
        needs = _STRING.findall(listed) if listed is not None else _REQUIRE.findall(_COMMENT.sub("", body))
        # The first definition counts: loaders refuse a second one.
        self.needs.setdefault(name, set(needs))
        self.where.setdefault(name, url)

    def problems(self) -> list:
        """One sentence for each module that needs one which is not there, then the modules of circles."""
        said = []
        for name in sorted(self.needs):
            for missing in sorted(self.needs[name] - self.needs.keys()):
                said.append(
                    f"the module {name} needs {missing}, which is not in the page's bundles ({self.where[name]})"
                )
        if not said:
            circle = self._circle()
            if circle:
                said.append(f"modules need each other in a circle: {', '.join(circle)}")
        return said

    def _circle(self) -> list:
        """Modules that never become startable although nothing is missing."""
        left = {name: set(needs) for name, needs in self.needs.items()}
        ready = [name for name, needs in left.items() if not needs]
        users: dict = {}
        for name, needs in left.items():
            for need in needs:
                users.setdefault(need, []).append(name)
        while ready:
            done = ready.pop()
            left.pop(done)
            for user in users.get(done, ()):
                left[user].discard(done)
                if not left[user]:
                    ready.append(user)
        return sorted(left)[:10]
