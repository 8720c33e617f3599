# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an add-on's Python declares to the database, as stable bytes: companion of digests.py, standard library only.

A file's *declarations* are its syntax tree at module and class level, without docstrings, loggers and function bodies.
A function is there with its body only when the database depends on it:

* ``init``, ``_auto_init``, ``_register_hook``, ``_table_query`` and their like (``ROOTS``), and hooks of the manifest,
* what is referenced at module or class level (defaults, selections given as a function; lambdas are there in any case),
* what data files call with ``<function>`` while they load,
* and whatever those call on their own model, through all add-ons that extend it, or in their own add-on.

A decorated function is there by name and decorators (but not a ``route``: no table knows it). A plain function is not
there at all: to add, rename or remove one changes no table.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Methods that Odoo calls while it writes the schema or sets models up (odoo/models.py, odoo/orm/models.py and
# odoo/orm/registry.py, 14 to 19).
ROOTS = {
    "init", "_auto_init", "_register_hook", "_table_query", "_init_column", "_prepare_setup", "_setup_base",
    "_setup_complete", "_setup_fields", "_build_model", "_build_model_attributes", "_add_inherited_fields",
}  # fmt: skip
# Fields of nodes that differ between Python versions or never carry meaning.
_IGNORED = {"ctx", "type_comment", "type_ignores", "kind", "lineno", "col_offset", "end_lineno", "end_col_offset"}
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ADDONS = "odoo.addons."
_BLOCKS = ("body", "orelse", "finalbody", "handlers")


class References:
    """Names an expression uses: plain ones, and those on its own model (``self.x``, ``super().x``)."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.own: set[str] = set()


def write(node: Any, out: list[str], references: References) -> None:
    """Append a tree to ``out``; the same for Python 3.8 to 3.14."""
    if isinstance(node, ast.AST):
        _write_node(node, out, references)
    elif isinstance(node, list):
        out.append("[")
        for item in node:
            write(item, out, references)
            out.append(",")
        out.append("]")
    else:
        out.append(repr(node))


def _write_node(node: Any, out: list[str], references: References) -> None:
    kind = type(node).__name__
    if kind in ("Constant", "Num", "Str", "Bytes", "NameConstant", "Ellipsis"):  # the latter five: Python 3.7
        out.append(_constant(node, kind))
        return
    if kind == "Index":  # Python up to 3.8
        write(node.value, out, references)
        return
    if kind == "Name":
        references.names.add(node.id)
    elif kind == "Attribute":
        (references.own if _on_self(node.value) else references.names).add(node.attr)
    several = kind == "ExtSlice"  # Python up to 3.8; a tuple from 3.9 on
    out.append("(" + ("Tuple" if several else kind))
    for name in node._fields:
        value = getattr(node, name, None)
        if name in _IGNORED or value is None or value == []:
            continue
        if name == "body":
            value = _without_docstring(value)
        elif kind == "JoinedStr":  # Python 3.12.0 and 3.12.1 end a nested format with an empty text
            value = [item for item in value if _value(item) != ""]
        out.append(" " + ("elts" if several else name) + "=")
        write(value, out, references)
    out.append(")")


def whole(content: bytes) -> bytes | None:
    """A file's whole tree as bytes, with all bodies; None where it is no Python that this Python reads."""
    tree = parse(content)
    if tree is None:
        return None
    out: list[str] = []
    write(tree, out, References())
    return _bytes(out)


def parse(content: bytes) -> ast.Module | None:
    """A syntax tree, or None."""
    try:
        return ast.parse(content)
    except (SyntaxError, ValueError, RecursionError):
        return None


class Function:
    """A function at module or class level. A pickle has its body where that was asked for, and never its tree."""

    node: ast.FunctionDef | ast.AsyncFunctionDef | None = None

    def __init__(self, unit: Unit, node: ast.FunctionDef | ast.AsyncFunctionDef, owner: Owner | None) -> None:
        self.unit, self.name, self.owner = unit, node.name, owner
        self.rendered: tuple[bytes, References] | None = None
        self.node = node

    def body(self) -> tuple[bytes, References]:
        """Its tree as bytes, and what it uses."""
        if self.rendered is None:
            if self.node is None:
                self.unit.parse_again()
            out: list[str] = []
            references = References()
            write(self.node, out, references)
            self.rendered = _bytes(out), references
        return self.rendered

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "node"}


class Owner:
    """A class: the models it makes or extends, and those its ``self`` sees."""

    def __init__(self, unit: Unit, node: ast.ClassDef) -> None:
        name: set[str] = set()
        inherit: set[str] = set()
        for statement in node.body:
            if isinstance(statement, ast.Assign) and len(statement.targets) == 1:
                target = getattr(statement.targets[0], "id", "")
                if target in ("_name", "_inherit"):
                    (name if target == "_name" else inherit).update(_strings(statement.value))
        itself = f"{unit.module}:{unit.path}:{node.name}"
        self.extends = (name or inherit) | {itself}
        self.sees = self.extends | inherit


class Unit:
    """One Python file: its declarations, what they reference, and its functions.

    :param file: where the file lies. :param path: its path in the module.
    """

    def __init__(self, module: str, path: str, content: bytes, file: str) -> None:
        self.module, self.path, self.file = module, path, file
        tree = parse(content)
        self.readable = tree is not None
        self.declared = b""
        self.functions: list[Function] = []
        self.imports: dict[str, tuple[str, str]] = {}
        self.references: dict[Owner | None, References] = defaultdict(References)
        if tree is not None:
            self._declare(tree)

    def parse_again(self) -> None:
        """Give its functions their syntax trees, which a pickle leaves out."""
        with open(self.file, "rb") as stream:
            again = Unit(self.module, self.path, stream.read(), self.file)
        for function, found in zip(self.functions, again.functions):
            function.node = found.node

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "declared": b""}  # its module has it among its parts

    def _declare(self, tree: ast.Module) -> None:
        out: list[str] = []
        self._block(tree.body, None, out)
        used = {name for found in self.references.values() for name in found.names}
        if self.path.rsplit("/", 1)[-1] == "__init__.py":
            used |= set(self.imports)
        out += [f"import {name!r}={self.imports[name]!r}" for name in sorted(used & set(self.imports))]
        self.declared = _bytes(out)
        # Through the others no function of an add-on is found.
        self.imports = {name: found for name, found in self.imports.items() if found[0].startswith(_ADDONS)}

    def _block(self, statements: list[Any], owner: Owner | None, out: list[str]) -> None:
        for statement in _without_docstring(statements):
            if isinstance(statement, _FUNCTIONS):
                self.functions.append(Function(self, statement, owner))
                self._decorators(statement, owner, out)
            elif isinstance(statement, ast.ClassDef):
                self._class(statement, out)
            elif isinstance(statement, (ast.Import, ast.ImportFrom)):
                self._import(statement)
            elif any(getattr(statement, name, None) for name in _BLOCKS):
                self._compound(statement, owner, out)
            elif not _is_logger(statement):
                self._expression(statement, owner, out)

    def _expression(self, node: Any, owner: Owner | None, out: list[str]) -> None:
        write(node, out, self.references[owner])

    def _decorators(self, function: Any, owner: Owner | None, out: list[str]) -> None:
        kept = [item for item in function.decorator_list if _terminal(item) != "route"]
        if kept:
            out.append("def " + function.name)
            self._expression(kept, owner, out)

    def _class(self, node: ast.ClassDef, out: list[str]) -> None:
        owner = Owner(self, node)
        out.append("class " + node.name)
        self._expression([*node.decorator_list, *node.bases, *node.keywords], None, out)
        self._block(node.body, owner, out)
        out.append("end")

    def _compound(self, statement: ast.AST, owner: Owner | None, out: list[str]) -> None:
        out.append(type(statement).__name__)
        for name in statement._fields:
            value = getattr(statement, name, None)
            if name in _BLOCKS:
                out.append(name)
                self._block(value or [], owner, out)
            elif name not in _IGNORED and value:
                self._expression(value, owner, out)

    def _import(self, statement: ast.Import | ast.ImportFrom) -> None:
        place = "." * (getattr(statement, "level", 0) or 0) + (getattr(statement, "module", "") or "")
        for alias in statement.names:
            self.imports[alias.asname or alias.name.split(".")[0]] = (place, alias.name)


def collect(
    units: list[Unit], hooks: Mapping[str, list[str]], calls: Iterable[tuple[str, str]]
) -> dict[str, list[bytes]]:
    """By module, the functions with whose bodies the database depends on it.

    :param hooks: names of hook functions by module. :param calls: (model, method) that data files call.
    """
    wanted = _Closure(units)
    for module, names in hooks.items():
        wanted.by_name(module, names)
    for model, method in calls:
        wanted.by_model({model}, {method})
    for unit in units:
        wanted.roots(unit)
    result: dict[str, list[bytes]] = defaultdict(list)
    for function, body in sorted(wanted.bodies(), key=lambda pair: (pair[0].unit.path, pair[0].name, pair[1])):
        result[function.unit.module] += [function.unit.path.encode(), function.name.encode(), body]
    return result


class _Closure:
    """All functions the database depends on, found from the roots by what they call."""

    def __init__(self, units: list[Unit]) -> None:
        self._methods: dict[tuple[str, str], list[Function]] = defaultdict(list)
        self._plain: dict[tuple[str, str], list[Function]] = defaultdict(list)
        self._queue: list[Function] = []
        self._seen: set[int] = set()
        for unit in units:
            for function in unit.functions:
                self._plain[unit.module, function.name].append(function)
                for model in function.owner.extends if function.owner else ():
                    self._methods[model, function.name].append(function)

    def roots(self, unit: Unit) -> None:
        for function in unit.functions:
            if function.owner and function.name in ROOTS:
                self._want(function)
        for owner, references in unit.references.items():
            self._follow(unit, owner, references)

    def by_name(self, module: str, names: Iterable[str]) -> None:
        for name in names:
            for function in self._plain.get((module, name), ()):
                if not function.owner:
                    self._want(function)

    def by_model(self, models: Iterable[str], methods: Iterable[str]) -> None:
        for model in models:
            for method in methods:
                for function in self._methods.get((model, method), ()):
                    self._want(function)

    def bodies(self) -> Iterator[tuple[Function, bytes]]:
        while self._queue:
            function = self._queue.pop()
            body, references = function.body()
            self._follow(function.unit, function.owner, references)
            yield function, body

    def _follow(self, unit: Unit, owner: Owner | None, references: References) -> None:
        if owner:
            self.by_model(owner.sees, references.own)
        for name in references.names:
            for function in self._plain.get((unit.module, name), ()):
                # A method by its plain name only from the level of its own class: `default=_default_x`.
                if function.owner is None or function.owner is owner:
                    self._want(function)
            place, original = unit.imports.get(name, ("", ""))
            if place:
                self.by_name(place.split(".")[2], [original])

    def _want(self, function: Function) -> None:
        if id(function) not in self._seen:
            self._seen.add(id(function))
            self._queue.append(function)


def _constant(node: Any, kind: str) -> str:
    if kind == "Ellipsis":
        return "..."
    value = node.n if kind == "Num" else node.s if kind in ("Str", "Bytes") else node.value
    return repr(value)


def _bytes(out: list[str]) -> bytes:
    return "".join(out).encode("utf-8", "surrogatepass")


def _on_self(node: ast.AST) -> bool:
    if isinstance(node, ast.Call):
        return getattr(node.func, "id", "") == "super"
    return getattr(node, "id", "") in ("self", "cls")


def _terminal(node: Any) -> str:
    """``route`` of ``@http.route(...)`` and of ``@route``."""
    node = node.func if isinstance(node, ast.Call) else node
    return str(getattr(node, "attr", "") or getattr(node, "id", ""))


def _without_docstring(statements: Any) -> Any:
    if not isinstance(statements, list):
        return statements
    return [s for s in statements if not (isinstance(s, ast.Expr) and isinstance(_value(s.value), str))]


def _value(node: ast.AST) -> Any:
    return getattr(node, "value", None) if type(node).__name__ == "Constant" else getattr(node, "s", None)


def _is_logger(statement: ast.AST) -> bool:
    value = getattr(statement, "value", None)
    return isinstance(statement, ast.Assign) and isinstance(value, ast.Call) and _terminal(value) == "getLogger"


def _strings(node: ast.AST) -> set[str]:
    items = node.elts if isinstance(node, (ast.List, ast.Tuple, ast.Set)) else [node]
    return {_value(item) for item in items if isinstance(_value(item), str)}
