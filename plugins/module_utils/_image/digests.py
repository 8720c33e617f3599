# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Two digests for every Odoo module of an image: what an update would carry into the database, and all the rest.

Runs inside the image, with the image's own Python (3.7 or later) and nothing but its standard library:
``python3 digests.py --found found.json`` prints JSON, with what finding.py said in that file. The rules are told in docs/architecture.md ("Module
digests"); who changes a rule raises ``VERSION``, since digests taken by two sets of rules do not compare.

*Schema*: manifest, data files (and files those embed), migrations, hooks, and of Python what declares: module and class
level without function bodies, except the functions that decide what the database holds. *Code*: every file.
"""

from __future__ import annotations

import argparse
import ast
import gc
import hashlib
import json
import os
import pickle
import re
import runpy
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if not TYPE_CHECKING and not __package__:  # run as a script: its companions lie in the same directory
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    import declarations
    import kept
else:
    from . import declarations, kept

VERSION = 1
MANIFESTS = ("__manifest__.py", "__openerp__.py")
# Keys that reach no table that matters: texts of the Apps menu, and what Odoo reads from disk at run time (`assets`,
# `qweb`, `bootstrap`). `demo` is of no consequence to a database without demo data, and none with it is a retailer's.
COSMETIC = {
    "assets", "author", "bootstrap", "contributors", "demo", "demo_xml", "description", "development_status", "images",
    "live_test_url", "maintainer", "maintainers", "qweb", "summary", "support", "test", "website",
}  # fmt: skip
DATA_KEYS = ("init_xml", "update_xml", "data")
HOOKS = ("pre_init_hook", "post_init_hook", "uninstall_hook", "post_load")
# Of the framework (odoo/ without add-ons), what writes the schema; fully, with all bodies. The rest is base's code.
FRAMEWORK = re.compile(r"(orm|models|fields|modules|upgrade)/|(models|fields|api)\.py$|api/|tools/(sql|convert)\.py$")
MIGRATIONS = ("migrations", "upgrades")
EMBEDDED = re.compile(rb"""\sfile\s*=\s*["']([^"']+)["']""")
ICON = re.compile(rb"""\sweb_icon\s*=\s*["']([^"',]+),([^"']+)["']""")
FUNCTION = re.compile(rb"""<function\b[^>]*>""")
ATTRIBUTE = re.compile(rb"""\b(model|name)\s*=\s*["']([^"']+)["']""")


def digest(parts: Iterable[bytes], size: int = 16) -> str:
    """Hex BLAKE2b of byte strings, each with its length, so that no two lists give the same input."""
    total = hashlib.blake2b(digest_size=size)
    for part in parts:
        total.update(b"%d:" % len(part))
        total.update(part)
    return total.hexdigest()


def read(path: str) -> bytes:
    """A file's bytes; of a link that leads nowhere, where it leads."""
    try:
        with open(path, "rb") as stream:
            return stream.read()
    except FileNotFoundError:
        return b"link:" + os.fsencode(os.readlink(path)) if os.path.islink(path) else b""


def files_below(root: str) -> list[str]:
    """Relative paths of all files, sorted; links are followed once, byte code is left out."""
    found: list[str] = []
    seen: set[str] = set()
    root = root.rstrip("/")
    for folder, subfolders, names in os.walk(root, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders[:] = []
            continue
        seen.add(real)
        subfolders[:] = [name for name in subfolders if name not in ("__pycache__", ".git")]
        inner = folder[len(root) + 1 :] + "/" if len(folder) > len(root) else ""
        found += [inner + name for name in names if not name.endswith((".pyc", ".pyo"))]
    return sorted(found)


class Module:
    """One add-on: its files, sorted into what decides the schema, translations and the rest.

    A pickle has its entry in the record, and the rest only as far as other modules can change that entry.
    """

    known: tuple[list[bytes], dict[str, Any]] | None = None  # of a pickle: hooks, and the entry with these hooks
    packed = b""  # of a pickle: the parts, which are most of the bytes and seldom wanted

    def __init__(self, name: str, path: str, notes: list[str]) -> None:
        self.name, self.path, self._notes = name, path, notes
        self.files = files_below(path)
        self.manifest = self._manifest()
        self.parts: dict[str, list[bytes]] = {}  # name of the part -> list of bytes
        self.languages: dict[str, list[bytes]] = {}
        self.units: list[declarations.Unit] = []  # declarations.Unit of each Python file that declares
        self.hook_names = [self.manifest[key] for key in HOOKS if self.manifest.get(key)]
        self.hooks: list[bytes] = []  # functions with their bodies, known when all modules are
        self.calls: list[tuple[str, str]] = []  # (model, method) that data files call while they load
        self._add("manifest", [repr(_stable({k: v for k, v in self.manifest.items() if k not in COSMETIC})).encode()])
        code = hashlib.blake2b(digest_size=16)
        for relative in self.files:
            content = read(os.path.join(path, relative))
            if relative.endswith(".po"):
                self._translation(relative, content)
            elif not relative.endswith(".pot"):
                code.update(digest([os.fsencode(relative), content]).encode())
                self._python(relative, content)
        self.code = code.hexdigest()
        for unit in self.units:
            if unit.declared:
                self._add("python", [unit.path.encode(), unit.declared])
        self._data()

    def _manifest(self) -> dict[str, Any]:
        for name in MANIFESTS:
            if name in self.files:
                try:
                    value = ast.literal_eval(read(os.path.join(self.path, name)).decode("utf-8").strip())
                    if isinstance(value, dict):
                        return value
                except (ValueError, SyntaxError) as error:
                    self._notes.append(f"{self.name}: its manifest cannot be read: {error}")
        return {"installable": False}

    def _add(self, part: str, pieces: Iterable[bytes]) -> None:
        self.parts.setdefault(part, []).extend(pieces)

    def _translation(self, relative: str, content: bytes) -> None:
        language = os.path.basename(relative)[: -len(".po")]
        # The first block is the header: every export rewrites it (dates, translators), and no import reads it.
        content = content.replace(b"\r\n", b"\n").lstrip()
        header, _blank, entries = content.partition(b"\n\n")
        if b'msgid ""\nmsgstr ""\n' not in header:
            entries = content
        pieces = [os.fsencode(os.path.dirname(relative)), hashlib.sha256(entries).digest()]
        self.languages.setdefault(language, []).extend(pieces)

    def _python(self, relative: str, content: bytes) -> None:
        top = relative.split(os.sep)[0]
        if top in MIGRATIONS:
            text = declarations.whole(content) if relative.endswith(".py") else content
            self._add("migrations", [relative.encode(), text if text is not None else content])
        elif relative.endswith(".py") and top not in ("tests", "static") and relative not in MANIFESTS:
            unit = declarations.Unit(self.name, relative, content, os.path.join(self.path, relative))
            if not unit.readable:
                self._notes.append(f"{self.name}: {relative} is no Python that this Python reads")
                self._add("python", [relative.encode(), content])
            else:
                self.units.append(unit)

    def _data(self) -> None:
        for key in DATA_KEYS:
            for relative in self.manifest.get(key) or ():
                path = os.path.normpath(os.path.join(self.path, relative))
                if not os.path.isfile(path):
                    self._notes.append(f"{self.name}: {relative} is named in its manifest and missing")
                    self._add("data", [relative.encode(), b"missing"])
                    continue
                content = read(path)
                self._add(_data_part(relative, content), [relative.encode(), content, *self._embedded(content)])
                for tag in FUNCTION.findall(content):
                    found = dict(ATTRIBUTE.findall(tag))
                    self.calls.append((found.get(b"model", b"").decode(), found.get(b"name", b"").decode()))

    def _embedded(self, content: bytes) -> Iterator[bytes]:
        """Files whose content an XML file carries into the database: `file=` and the icons of menus."""
        wanted = {name.decode() for name in EMBEDDED.findall(content)}
        wanted |= {b"/".join(pair).decode() for pair in ICON.findall(content)}
        for name in sorted(wanted):
            # Odoo names them <module>/<path>, in whatever add-on directory that module lies.
            module, _slash, inner = name.partition("/")
            place = self.path if module == self.name else os.path.join(os.path.dirname(self.path), module)
            path = os.path.join(place, inner)
            yield name.encode()
            yield read(path) if os.path.isfile(path) else b"elsewhere"

    def result(self) -> dict[str, Any]:
        """The module's entry in the record."""
        hooks, entry = self.known or ([], None)
        if entry is None:
            entry = self._entry()
        elif hooks == self.hooks:
            return entry
        found = pickle.loads(zlib.decompress(self.packed)) if self.packed else dict(self.parts)  # noqa: S301 - as kept.py
        if self.hooks:
            found["hooks"] = self.hooks
        schema = digest([piece for name in sorted(found) for piece in (name.encode(), *found[name])])
        return {**entry, "schema": schema, "parts": {name: digest(pieces, 4) for name, pieces in found.items()}}

    def _entry(self) -> dict[str, Any]:
        manifest = self.manifest
        return {
            "version": str(manifest.get("version") or "1.0"),
            "depends": [] if self.name == "base" else list(manifest.get("depends") or ["base"]),
            "installable": bool(manifest.get("installable", True)),
            "auto_install": bool(manifest.get("auto_install", False)),
            "code": self.code,
            "i18n": {language: digest(pieces, 8) for language, pieces in sorted(self.languages.items())},
        }

    def __getstate__(self) -> dict[str, Any]:
        state = {name: getattr(self, name) for name in ("name", "path", "hook_names", "calls", "units")}
        packed = zlib.compress(pickle.dumps(self.parts, 4), 1)
        return {**state, "known": (self.hooks, self.result()), "packed": packed}


def _data_part(relative: str, content: bytes) -> str:
    if relative.split("/")[0] == "security":
        return "security"
    if relative.endswith(".xml") and (b"ir.ui.view" in content or b"<template" in content):
        return "views"
    return "data"


def _stable(value: Any) -> Any:
    """The same text for equal manifests, whatever the order of their keys."""
    if isinstance(value, dict):
        return sorted(((str(key), _stable(item)) for key, item in value.items()), key=lambda pair: pair[0])
    if isinstance(value, (set, frozenset)):
        return sorted(map(repr, value))
    if isinstance(value, (list, tuple)):
        return [_stable(item) for item in value]
    return value


def find_modules(
    modules: dict[str, Module], addons_path: Iterable[str], notes: list[str], only: Iterable[str] = ()
) -> None:
    """Add modules by name; of two with one name the first in the path counts, as for Odoo."""
    for folder in addons_path:
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if name in modules or (only and name not in only):
                continue
            if any(os.path.isfile(os.path.join(path, manifest)) for manifest in MANIFESTS):
                modules[name] = Module(name, path, notes)


def add_framework(base: Module, odoo: str) -> None:
    """Count odoo/ outside the add-ons into base."""
    code = hashlib.blake2b(base.code.encode(), digest_size=16)
    for relative in files_below(odoo):
        if relative.split(os.sep)[0] in ("addons", "tests"):
            continue
        content = read(os.path.join(odoo, relative))
        code.update(digest([os.fsencode(relative), content]).encode())
        if FRAMEWORK.match(relative) and relative.endswith((".py", ".sql")) and "/tests/" not in relative:
            text = declarations.whole(content) if relative.endswith(".py") else content
            base.parts.setdefault("framework", []).extend([relative.encode(), content if text is None else text])
    base.code = code.hexdigest()


def _existing(folders: Iterable[str]) -> list[str]:
    return [path for path in dict.fromkeys(map(os.path.normpath, folders)) if os.path.isdir(path)]


def own_modules(home: str, only: Iterable[str], kept_file: str) -> tuple[dict[str, Module], list[str]]:
    """Odoo's own modules with the framework, and what is odd about them; out of ``kept_file`` if nothing changed."""
    signature = ""
    if kept_file:
        texts = [read(path) for path in (__file__, declarations.__file__, kept.__file__)]
        rules = [VERSION, sys.version, __name__, *texts]  # the name, since a pickle finds classes by it
        signature = kept.signature(rules, {home: files_below(home)})
        found: tuple[dict[str, Module], list[str]] | None = kept.load(kept_file, signature)
        if found:
            return found
    modules: dict[str, Module] = {}
    notes: list[str] = []
    find_modules(modules, _existing([os.path.join(home, "addons")]), notes, only)
    if "base" in modules:
        add_framework(modules["base"], home)
    if kept_file:
        find_hooks(modules)  # so that bodies are there which Odoo's own modules ask for
        kept.store(kept_file, signature, (modules, notes))
    return modules, notes


def find_hooks(modules: dict[str, Module]) -> None:
    """Give every module the functions that count with their bodies."""
    names = {name: module.hook_names for name, module in modules.items()}
    calls = [call for module in modules.values() for call in module.calls]
    units = [unit for module in modules.values() for unit in module.units]
    found = declarations.collect(units, names, calls)
    for name, module in modules.items():
        module.hooks = found.get(name, [])


def found_in(odoo: str, addons: Iterable[str]) -> dict[str, Any]:
    """As finding.py says it, without Odoo: of a tree that cannot run, and without what only Odoo makes of a manifest."""
    path = _existing([os.path.join(odoo, "addons"), *addons])
    return {"series": runpy.run_path(os.path.join(odoo, "release.py"))["series"], "home": odoo, "path": path, "modules": None, "notes": []}


def describe(found: Mapping[str, Any], only: Iterable[str] = (), kept_file: str = "") -> dict[str, Any]:
    """What the record says about the image's modules.

    :param found: what finding.py says: modules count in the order of its ``path``, and only those that Odoo finds.
    :param kept_file: keeps what is read of Odoo's own modules from run to run; not for a choice of modules (``only``).
    """
    only, home = set(only), found["home"]
    own, own_notes = own_modules(home, only, "" if only else kept_file)
    modules: dict[str, Module] = {}
    notes: list[str] = []
    for place in found["path"]:
        if os.path.realpath(place) == os.path.realpath(os.path.join(home, "addons")):
            modules.update({name: module for name, module in own.items() if name not in modules})
            notes += own_notes
        else:
            find_modules(modules, [place], notes, only)
    told: Mapping[str, Mapping[str, Any]] | None = found["modules"]
    if told is not None:
        notes += [f"{name}: Odoo finds it at {told[name]['path']}, where it cannot be read" for name in sorted(set(told) - set(modules))]
        modules = {name: module for name, module in modules.items() if name in told}
    if "base" in modules and modules["base"] is not own.get("base"):
        add_framework(modules["base"], home)
    find_hooks(modules)
    places = {os.path.dirname(module.path) for module in modules.values()}
    return {
        **({"languages": found["languages"]} if found.get("languages") else {}),
        "digests": VERSION,
        "series": found["series"],
        "addons_path": [place for place in found["path"] if told is None or place in places],
        "modules": {name: {**modules[name].result(), **_told(told, name)} for name in sorted(modules)},
        "notes": sorted({*notes, *found["notes"]}),
    }


def _told(told: Mapping[str, Mapping[str, Any]] | None, name: str) -> dict[str, Any]:
    """What Odoo makes of a manifest, as far as it is more than the manifest's own words."""
    if told is None:
        return {}
    found = told[name]
    further: dict[str, Any] = {key: found[key] for key in ("countries", "lacks") if found[key]}
    if found["triggers"] is not None and found["triggers"] != sorted(found["depends"]):
        further["triggers"] = found["triggers"]
    return {"installable": found["installable"], "auto_install": found["triggers"] is not None, **further}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--found", default="", help="a file with what finding.py said")
    parser.add_argument("--addons", action="append", default=[], help="without that: a further directory with add-ons, in order")
    parser.add_argument("--odoo", default="", help="without that: the directory of the package odoo")
    parser.add_argument("--only", action="append", default=[], help="only this module")
    parser.add_argument("--kept", default="", help="a file that keeps what is read of Odoo's own modules")
    arguments = parser.parse_args()
    gc.disable()  # syntax trees are millions of small objects, and none of them is garbage before the end
    found = json.loads(read(arguments.found)) if arguments.found else found_in(arguments.odoo, arguments.addons)
    said = describe(found, arguments.only, arguments.kept)
    json.dump(said, sys.stdout, sort_keys=True)


if __name__ == "__main__":
    main()
