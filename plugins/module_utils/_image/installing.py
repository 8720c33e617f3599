# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Odoo will install beside what it is asked for, and what it cannot: told by a record, before it is tried. Pure.

The rules are those of ``initialize`` (odoo/modules/db.py) for a new database, and of ``button_install``, ``button_upgrade`` and ``_state_update``
(base/models/ir_module.py) for one that is there; 14 to 19 differ in the countries only, which are asked about from 17 on.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .record import Module, Record

Modules = Mapping[str, Module]


def missing_modules(target: Record, installed: Iterable[str]) -> tuple[str, ...]:
    """Modules that are installed, or that an installed one depends on, and that the image does not offer."""
    missing, seen, queue = set(), set(), list(installed)
    while queue:
        name = queue.pop()
        if name in seen:
            continue
        seen.add(name)
        module = target.modules.get(name)
        if module is None or not module.installable:
            missing.add(name)
        else:
            queue.extend(module.depends)
    return tuple(sorted(missing))


def obstacle(record: Record, name: str) -> str:
    """Why Odoo cannot load a module of this image, in words that follow its name; empty where it can."""
    missing = missing_modules(record, [name])
    if missing == (name,):
        return "is not installable" if name in record.modules else "is not in the image"
    if missing:
        return "needs {}, which the image does not offer".format(", ".join(missing))
    circle = _circle(record.modules, name)
    return "needs itself: {}".format(" > ".join(circle)) if circle else ""


def lacks(modules: Modules, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Python packages and programs that modules ask for and the image has not, by module."""
    return {name: modules[name].lacks for name in sorted(set(names)) if name in modules and modules[name].lacks}


def closure(modules: Modules, names: Iterable[str]) -> set[str]:
    """Modules with all that they depend on, as far as the image offers it."""
    found: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name not in found and name in modules:
            found.add(name)
            queue.extend(modules[name].depends)
    return found


def of_a_new_database(record: Record) -> set[str]:
    """Modules that Odoo marks by itself when it makes a database, whether it can install them or not.

    One whose dependencies are not in the image is marked all the same, as its query joins only those that are; it stays ``to install``.
    """
    marked: set[str] = set()
    while True:
        new = {name for name, module in record.modules.items() if module.auto_install and module.installable and name not in marked
               and all(need in marked for need in triggers(module) if need in record.modules)}
        new |= {need for name in marked | new for need in record.modules[name].depends if need in record.modules} - marked
        if not new:
            return marked
        marked |= new


def left_out(record: Record) -> dict[str, str]:
    """Those of them that it cannot load, and why."""
    found = {name: obstacle(record, name) for name in sorted(of_a_new_database(record))}
    return {name: why for name, why in found.items() if why}


def beside(modules: Modules, present: Iterable[str], asked: Iterable[str], countries: Iterable[str] | None) -> set[str]:
    """All that is installed where ``asked`` is, in a database with ``present``: dependencies, and what installs itself then.

    :param countries: codes of the companies' countries; None where they are not known.
    """
    there = set(present)
    new = closure(modules, asked) - there
    while True:
        further = {name for name, module in modules.items() if name not in there | new and module.auto_install and module.installable
                   and _calls_for(module, there | new, new) and _is_for(module, countries)}
        further = closure(modules, further) - there - new
        if not further:
            return new
        new |= further


def triggers(module: Module) -> tuple[str, ...]:
    return module.depends if module.triggers is None else module.triggers


def _calls_for(module: Module, there: set[str], new: set[str]) -> bool:
    needs = set(triggers(module))
    return needs <= there and bool(needs & new)


def _is_for(module: Module, countries: Iterable[str] | None) -> bool:
    return not module.countries or countries is None or bool(set(module.countries) & {code.lower() for code in countries})


def _circle(modules: Modules, name: str) -> list[str]:
    """A way from a module's dependencies back to one of them; empty where there is none."""
    done: set[str] = set()

    def walk(current: str, way: list[str]) -> list[str]:
        if current in way:
            return [*way[way.index(current):], current]
        if current in done or current not in modules:
            return []
        for need in modules[current].depends:
            found = walk(need, [*way, current])
            if found:
                return found
        done.add(current)
        return []

    return walk(name, [])
