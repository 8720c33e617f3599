# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which error codes the collection's code has, and which module or action can end with which, read with ``ast``.

A code is the first argument of ``DomainError``. Some functions pass a parameter on as that argument, such as ``run_program``; then the code stands
where they are called. A module can end with a code when its ``main`` reaches the code by name: through the functions and classes that it uses, and
those that they use. A method of a class that is reached counts where somebody who is reached names it, or the beginning of its name (``getattr``).
So a module may be said to end with a code that it never meets, and not the reverse.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLUGINS = ROOT / "plugins"
CODE = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
# A place in the code: the file, and a function, class or value at its top level.
Place = tuple[Path, str]


class Unread(Exception):
    """An error's code is made in a way that this file does not read."""


class File:
    """One Python file: what is at its top level, and what its names mean."""

    def __init__(self, path: Path) -> None:
        self.path, self.tree = path, ast.parse(path.read_text())
        self.top: dict[str, list[ast.stmt]] = defaultdict(list)
        self.names: dict[str, tuple[Path, str | None]] = {}
        for statement in self.tree.body:
            for name in _defined(statement):
                self.top[name].append(statement)
            if isinstance(statement, ast.ClassDef):
                for method in _methods(statement):
                    self.top[f"{statement.name}.{method.name}"].append(method)
        for node in ast.walk(self.tree):
            if isinstance(node, ast.ImportFrom):
                self._import(node)

    def _import(self, node: ast.ImportFrom) -> None:
        parts = (node.module or "").split(".") if node.module else []
        if node.level:
            base = self.path.parents[node.level - 1]
        elif parts[:4] == ["ansible_collections", "sysgenpro", "odoo", "plugins"]:
            base, parts = PLUGINS, parts[4:]
        else:
            return
        base = base.joinpath(*parts)
        for alias in node.names:
            if base.with_suffix(".py").is_file():
                self.names[alias.asname or alias.name] = (base.with_suffix(".py"), alias.name)
            elif (base / f"{alias.name}.py").is_file():
                self.names[alias.asname or alias.name] = (base / f"{alias.name}.py", None)

    def nodes(self, name: str) -> Iterator[ast.AST]:
        """What stands in one of this file's places; of a class all except its methods."""
        for statement in self.top.get(name, ()):
            if isinstance(statement, ast.ClassDef):
                for one in [*statement.bases, *statement.decorator_list, *(one for one in statement.body if not isinstance(one, ast.FunctionDef))]:
                    yield from ast.walk(one)
            else:
                yield from ast.walk(statement)

    def methods(self, name: str) -> list[str]:
        return [method.name for statement in self.top.get(name, ()) if isinstance(statement, ast.ClassDef) for method in _methods(statement)]

    def attributes(self, name: str) -> Iterator[str]:
        """Names of attributes that one of this file's places asks for; with a star what only begins with it."""
        for node in self.nodes(name):
            if isinstance(node, ast.Attribute):
                yield node.attr
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr":
                wanted = node.args[1]
                if isinstance(wanted, ast.Constant):
                    yield str(wanted.value)
                elif isinstance(wanted, ast.BinOp) and isinstance(wanted.left, ast.Constant):
                    yield f"{wanted.left.value}*"
                else:
                    yield "*"

    def uses(self, name: str) -> Iterator[Place]:
        """The places that one of this file's places names."""
        for node in self.nodes(name):
            if isinstance(node, ast.Name):
                if node.id in self.top:
                    yield self.path, node.id
                elif node.id in self.names and self.names[node.id][1]:
                    path, its = self.names[node.id]
                    yield path, str(its)
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                path, its = self.names.get(node.value.id, (None, ""))
                if path and its is None:
                    yield path, node.attr


def _methods(statement: ast.ClassDef) -> list[ast.FunctionDef]:
    return [one for one in statement.body if isinstance(one, ast.FunctionDef)]


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return [statement.name]
    if isinstance(statement, (ast.Assign, ast.AnnAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return []


def read() -> dict[str, set[Place]]:
    """All codes, with the places that have them."""
    files = [File(path) for path in sorted(PLUGINS.rglob("*.py"))]
    found: dict[str, set[Place]] = defaultdict(set)
    # Functions that pass a parameter on as a code: by name, the parameter's place and name, and what stands before it.
    carriers: dict[str, set[tuple[int, str, str]]] = {"DomainError": {(0, "code", "")}, "ApiError": {(2, "code", "")}}
    while True:
        known = {name: set(places) for name, places in carriers.items()}
        for file in files:
            for top, function, call in _calls(file.tree):
                for position, keyword, before in known.get(_called(call, file), ()):
                    given = _argument(call, position, keyword)
                    if given is None:
                        continue
                    values = list(_values(given, function, file))
                    if not values and _called(call, file) == "DomainError" and not ast.unparse(given).endswith(".code"):
                        raise Unread(f"{file.path}:{call.lineno}: {ast.unparse(given)}")
                    for text, parameter in values:
                        if parameter is None:
                            if CODE.fullmatch(before + text):
                                found[before + text].add((file.path, top))
                        elif function is not None:
                            carriers.setdefault(function.name, set()).add((_position(function, parameter), parameter, before + text))
        if carriers == known:
            break
    for file in files:
        for top, _function, node in _nodes(file.tree, ast.Dict):
            entries = {key.value: value for key, value in zip(node.keys, node.values) if isinstance(key, ast.Constant)}
            # What an action plugin returns by itself.
            if "failed" in entries and isinstance(entries.get("code"), ast.Constant):
                found[entries["code"].value].add((file.path, top))
    return dict(found)


def by_entry(codes: dict[str, set[Place]]) -> dict[str, list[str]]:
    """For each code the modules, actions and programs that can end with it."""
    files = {path: File(path) for path in sorted(PLUGINS.rglob("*.py"))}
    entries = {path.stem: path for path in sorted((PLUGINS / "modules").glob("*.py"))}
    entries |= {"check (timer)": PLUGINS / "module_utils/_recovery/timer/unattended.py"}
    ends: dict[str, set[str]] = defaultdict(set)
    for name, path in entries.items():
        reached = _reached((path, "main"), files)
        for code, places in codes.items():
            if places & reached:
                ends[code].add(name)
    for path in sorted((PLUGINS / "action").glob("*.py")):
        for code, places in codes.items():
            if any(place[0] == path for place in places):
                ends[code].add(path.stem)
    return {code: sorted(ends[code]) for code in codes}


def _reached(start: Place, files: dict[Path, File]) -> set[Place]:
    reached: set[Place] = set()
    attributes: set[str] = set()
    waiting = [start]
    while waiting:
        while waiting:
            path, name = place = waiting.pop()
            if place not in reached and path in files:
                reached.add(place)
                waiting += files[path].uses(name)
                attributes |= set(files[path].attributes(name))
        begun = tuple(name[:-1] for name in attributes if name.endswith("*"))
        waiting = [(path, f"{name}.{method}") for path, name in reached for method in files[path].methods(name)
                   if (path, f"{name}.{method}") not in reached and (method in attributes or method.startswith(("__", *begun)))]
    return reached


def _nodes(tree: ast.Module, kind: type) -> Iterator[tuple[str, ast.FunctionDef | None, ast.AST]]:
    """Nodes of a kind, with the name at top level and the innermost function that they stand in."""
    def walk(node: ast.AST, top: str, function: ast.FunctionDef | None) -> Iterator[tuple[str, ast.FunctionDef | None, ast.AST]]:
        if isinstance(node, kind):
            yield top, function, node
        for child in ast.iter_child_nodes(node):
            yield from walk(child, top, child if isinstance(child, ast.FunctionDef) else function)

    for statement in tree.body:
        name = (_defined(statement) or [""])[0]
        for one in statement.body if isinstance(statement, ast.ClassDef) else [statement]:
            place = f"{name}.{one.name}" if isinstance(statement, ast.ClassDef) and isinstance(one, ast.FunctionDef) else name
            yield from walk(one, place, one if isinstance(one, ast.FunctionDef) else None)


def _calls(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | None, ast.Call]]:
    for top, function, node in _nodes(tree, ast.Call):
        assert isinstance(node, ast.Call)
        yield top, function, node


def _called(call: ast.Call, file: File) -> str:
    """The name by which the function that is called was defined."""
    if isinstance(call.func, ast.Name):
        return str(file.names.get(call.func.id, ("", call.func.id))[1])
    return call.func.attr if isinstance(call.func, ast.Attribute) else ""


def _argument(call: ast.Call, position: int, keyword: str) -> ast.expr | None:
    if len(call.args) > position >= 0:
        return call.args[position]
    return next((one.value for one in call.keywords if one.arg == keyword), None)


def _parameters(function: ast.FunctionDef) -> list[str]:
    names = [one.arg for one in function.args.args]
    return names[1:] if names[:1] in (["self"], ["cls"]) else names


def _position(function: ast.FunctionDef, parameter: str) -> int:
    return _parameters(function).index(parameter) if parameter in _parameters(function) else -1


def _values(node: ast.expr, function: ast.FunctionDef | None, file: File) -> Iterator[tuple[str, str | None]]:
    """What an expression may be: texts, or a text that stands before a parameter of the function.

    :raises Unread: where that cannot be told.
    """
    if isinstance(node, ast.Constant):
        if isinstance(node.value, str):
            yield node.value, None
    elif isinstance(node, ast.IfExp):
        yield from _values(node.body, function, file)
        yield from _values(node.orelse, function, file)
    elif isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant):
        yield from ((node.left.value + text, parameter) for text, parameter in _values(node.right, function, file))
    elif isinstance(node, ast.Attribute) and node.attr == "code":
        return  # an error that is raised again has the code that it had
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get" and len(node.args) == 2:
        yield from _values(node.args[1], function, file)
        yield from _assigned(node.func.value, function, file)
    elif isinstance(node, ast.Name):
        if function and node.id in _parameters(function) + [one.arg for one in function.args.kwonlyargs]:
            yield "", node.id
            defaults = dict(zip(reversed(_parameters(function)), reversed(function.args.defaults)))
            defaults |= {one.arg: value for one, value in zip(function.args.kwonlyargs, function.args.kw_defaults) if value}
            if node.id in defaults:
                yield from _values(defaults[node.id], function, file)
        else:
            yield from _assigned(node, function, file)
    elif not isinstance(node, (ast.List, ast.JoinedStr)):
        raise Unread(f"{file.path}:{node.lineno}: {ast.unparse(node)}")


def _assigned(name: ast.expr, function: ast.FunctionDef | None, file: File) -> Iterator[tuple[str, str | None]]:
    """The texts that a name is given, in its function or at the file's top level; of a tuple those at its place."""
    if isinstance(name, ast.Name) and name.id in file.names:
        path, its = file.names[name.id]
        yield from _assigned(ast.Name(id=str(its)), None, File(path))
    statements = list(ast.walk(function)) if function else []
    for node in [*statements, *file.tree.body]:
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            places = target.elts if isinstance(target, ast.Tuple) else [target]
            for number, place in enumerate(places):
                if ast.unparse(place) == ast.unparse(name):
                    whole = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
                    for value in whole:
                        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                            value = value.elts[number]
                        for found in value.values if isinstance(value, ast.Dict) else [value]:
                            if isinstance(found, ast.Constant):
                                yield str(found.value), None


if __name__ == "__main__":
    codes = read()
    for one, modules in sorted(by_entry(codes).items()):
        print(f"{one:26} {', '.join(modules)}    {', '.join(sorted(path.stem for path, _top in codes[one]))}")
    print(len(codes))
