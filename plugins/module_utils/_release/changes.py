# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which modules a release changes for one database, and why. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .._image.installing import missing_modules
from .._image.record import Module, Record

# What the parts of a schema digest are called for people (plugins/module_utils/_image/digests.py makes them).
PARTS = {
    "data": "data files changed",
    "framework": "Odoo's own framework changed",
    "hooks": "code that an update runs changed (init, hooks, SQL views, functions given as defaults)",
    "manifest": "its manifest changed",
    "migrations": "migration scripts changed",
    "python": "what its Python declares changed (fields, defaults, constraints, constants)",
    "security": "access rights or rules changed",
    "views": "views or templates changed",
}


@dataclass(frozen=True)
class Changes:
    """What lies between the release that runs and another, for the modules one database has installed.

    :param update: reasons by module that needs ``-u``. Odoo updates what depends on them too.
    :param code: reasons by module of which only code, static files or the like changed.
    :param missing: modules the database needs (installed, or depended on) and the image does not offer.
    """

    update: Mapping[str, tuple[str, ...]]
    code: Mapping[str, tuple[str, ...]]
    missing: tuple[str, ...]


def classify(applied: Record, target: Record, installed: Mapping[str, str], languages: Iterable[str]) -> Changes:
    """Compare two releases for a database. Doubt means update.

    :param installed: version in the database (``latest_version``) by installed module.
    :param languages: codes of the active languages, such as ``fr_FR``.
    """
    files = translation_files(languages, target.series)
    update: dict[str, tuple[str, ...]] = {}
    code: dict[str, tuple[str, ...]] = {}
    for name in sorted(installed):
        after = target.modules.get(name)
        if after is None or not after.installable:
            continue
        before = applied.modules.get(name)
        reasons = _doubts(applied, target, before, installed[name])
        if not reasons and before:
            reasons = _differences(before, after, files)
        if reasons:
            update[name] = tuple(reasons)
        elif before and before.code != after.code:
            code[name] = ("code, static files or demo data changed",)
    return Changes(update, code, missing_modules(target, installed))


def translation_files(languages: Iterable[str], series: str) -> set[str]:
    """Names of the PO files that a series reads into the database for languages: ``fr_BE`` reads ``fr`` and ``fr_BE``.

    Odoo's own rules; a test compares them with the images at hand. 14 and 15: ``IrTranslation._load_module_terms`` (base/models/ir_translation.py), by
    ``tools.get_iso_codes``. 17 to 18.3: ``get_po_paths`` (odoo/tools/translate.py), where all Spanish but that of Spain has a second base. From 18.4 on:
    ``get_base_langs`` there, where Chinese of Hong Kong has one (odoo/odoo#214719). Of 16 both, as it reads by the one and translates code by the other.
    """
    version = tuple(int(part) for part in series.split("."))
    names: set[str] = set()
    for language in languages:
        base = language.split("_")[0]
        if version < (17,):
            names.update(_by_iso_code(language))
        if version >= (16,):
            names.update((base, language))
        if version >= (17,) and base == "es" and language != "es_ES":
            names.add("es_419")
        if version >= (18, 4) and language == "zh_HK":
            names.add("zh_TW")
    return names


def _by_iso_code(language: str) -> set[str]:
    base, _line, rest = language.partition("_")
    return {base} if rest.split("_")[0].lower() == base else {base, language}


def full_version(series: str, version: str) -> str:
    """A manifest's version as Odoo writes it to the database (``adapt_version`` in odoo/modules/module.py)."""
    if version == series or not version.startswith(series + "."):
        return f"{series}.{version}"
    return version


def _doubts(applied: Record, target: Record, before: Module | None, version: str) -> list[str]:
    if before is None:
        return ["the release that runs does not know it"]
    if applied.digests != target.digests:
        return ["the two releases were built by different rules for module digests"]
    if applied.series != target.series:
        return [f"Odoo {target.series} in place of {applied.series}"]
    expected = full_version(applied.series, before.version)
    if version and version != expected:
        return [f"the database has version {version} of it, the release that runs {expected}"]
    return []


def _differences(before: Module, after: Module, files: set[str]) -> list[str]:
    reasons = []
    if before.schema != after.schema:
        names = sorted(set(before.parts) | set(after.parts))
        changed = [name for name in names if before.parts.get(name) != after.parts.get(name)]
        reasons = [PARTS.get(name, f"{name} changed") for name in changed] or ["what an update writes changed"]
        if before.version != after.version:
            reasons.insert(0, f"version {before.version} became {after.version}")
        added = [name for name in after.depends if name not in before.depends]
        if added:
            reasons.insert(0, "it now depends on {}".format(", ".join(added)))
    languages = sorted(name for name in files if before.i18n.get(name) != after.i18n.get(name))
    if languages:
        reasons.append("translations changed: {}".format(", ".join(languages)))
    return reasons
