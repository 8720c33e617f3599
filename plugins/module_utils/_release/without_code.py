# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules that live in the database only: Odoo Studio's customizations, zips imported in the list of apps. Pure.

Odoo's own rule (``ModuleGraph._imported_modules`` in odoo/modules/module_graph.py, 19; before, the warnings of graph.py and
``_get_modules_to_load_domain`` of base_import_module): ``studio_customization``, and what ``imported`` says of. Where that column is gone, with
base_import_module, nobody but the operator can say it. Whoever says it, what shows that there once was code weighs more.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

from .._instance.database import DatabaseState, Origins
from .model import Desired

STUDIO = "studio_customization"
IMPORTER = "base_import_module"


def without_code(wanted: Desired, database: DatabaseState, offered: Container[str] = ()) -> set[str]:
    """Modules that have no code and need none, among those that are installed or that Odoo left on their way to be updated.

    :param offered: modules of the release that is to run; one that it holds is a module as any other.
    """
    return {name for name in _candidates(database) if name not in offered and said(wanted, database, name) and not against(database, name)}


def stuck(wanted: Desired, database: DatabaseState, offered: Container[str] = ()) -> list[str]:
    """Those that an update of what they depend on left ``to upgrade``, which Odoo never ends and no scheduled action runs beside."""
    return sorted(name for name in without_code(wanted, database, offered) if database.modules[name][0] == "to upgrade")


def said(wanted: Desired, database: DatabaseState, name: str) -> bool:
    """Whether somebody says that a module has no code: Odoo or the operator."""
    return name == STUDIO or name in wanted.without_code or name in origins(database).imported


def against(database: DatabaseState, name: str) -> str:
    """What shows that a module has code all the same; empty where nothing does."""
    if name in origins(database).held:
        return "the release that runs holds code of it"
    if name in origins(database).with_models:
        return "the database has models that its Python made"
    return ""


def dependents(names: Iterable[str], kept: Iterable[str], depends: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    """Which of the modules that stay need which of ``names``, directly or through others that stay."""
    gone = set(names)
    found = {name: sorted(gone.intersection(depends.get(name, ()))) for name in sorted(set(kept) - gone)}
    return {name: needs for name, needs in found.items() if needs}


def origins(database: DatabaseState) -> Origins:
    """Where its modules come from, as far as that was asked."""
    return database.origins or Origins()


def _candidates(database: DatabaseState) -> list[str]:
    return [name for name, (state, _version) in database.modules.items() if state in ("installed", "to upgrade")]
