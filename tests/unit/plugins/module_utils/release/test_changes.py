# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which modules a release changes for one database."""

from __future__ import annotations

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import Record
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.changes import (
    PARTS,
    classify,
    full_version,
    translation_files,
)

INSTALLED = {"base": "19.0.1.3", "shop": "19.0.1.0"}


def module(**further):
    return {
        "version": "1.0", "depends": ["base"], "installable": True, "auto_install": False,
        "schema": "a" * 32, "code": "b" * 32, "parts": {"python": "c" * 8, "views": "d" * 8}, "i18n": {}, **further,
    }  # fmt: skip


def record(shop=None, digests=1, series="19.0", **modules):
    return Record.parse({
        "format": 1, "series": series, "digests": digests, "source": {}, "addons_path": [], "command": ["odoo"],
        "wkhtmltopdf": None,
        "modules": {"base": module(version="1.3", depends=[]), "shop": shop or module(), **modules},
    })  # fmt: skip


def test_nothing():
    changes = classify(record(), record(), INSTALLED, ["en_US"])
    assert (changes.update, changes.code, changes.missing) == ({}, {}, ())


def test_only_code():
    changes = classify(record(), record(module(code="e" * 32)), INSTALLED, ["fr_FR"])
    assert (changes.update, list(changes.code)) == ({}, ["shop"])


def test_reasons_name_version_dependency_and_parts():
    after = module(schema="f" * 32, version="1.1", depends=["base", "stock"], parts={"python": "c" * 8, "data": "0" * 8})
    changes = classify(record(), record(after, stock=module()), INSTALLED, [])
    assert changes.update == {
        "shop": ("it now depends on stock", "version 1.0 became 1.1", PARTS["data"], PARTS["views"])
    }
    assert not changes.code


def test_schema_without_known_parts_is_an_update_all_the_same():
    changes = classify(record(), record(module(schema="f" * 32)), INSTALLED, [])
    assert list(changes.update) == ["shop"]


def test_not_installed_does_not_count():
    assert classify(record(), record(other=module(schema="f" * 32)), INSTALLED, []).update == {}


@pytest.mark.parametrize(
    ("before", "after", "installed"),
    [
        (record(), record(digests=2), INSTALLED),
        (record(series="18.0"), record(), INSTALLED),
        (record(), record(new=module()), {**INSTALLED, "new": "19.0.1.0"}),
        (record(), record(), {**INSTALLED, "shop": "19.0.0.9"}),
    ],
    ids=["other rules", "other series", "unknown before", "database has another version"],
)
def test_doubt_means_update(before, after, installed):
    assert classify(before, after, installed, []).update


@pytest.mark.parametrize(
    ("file", "languages", "counts"),
    [
        ("fr", ["fr_FR"], True), ("fr", ["fr_BE"], True), ("fr_BE", ["fr_BE"], True), ("fr_BE", ["fr_FR"], False),
        ("de", ["fr_FR", "en_US"], False), ("es_419", ["es_MX"], True), ("sr@latin", ["sr@latin"], True),
        ("es_419", ["es_ES"], False), ("zh_TW", ["zh_HK"], True), ("ar", ["ar_001"], True), ("fr", [], False),
    ],
)  # fmt: skip
def test_translations_of_active_languages_only(file, languages, counts):
    changes = classify(record(), record(module(i18n={file: "0" * 16})), INSTALLED, languages)
    assert bool(changes.update) is counts
    assert (file in translation_files(languages, "19.0")) is counts


@pytest.mark.parametrize(
    ("series", "language", "files"),
    [
        ("14.0", "fr_FR", {"fr"}), ("15.0", "fr_FR", {"fr"}), ("16.0", "fr_FR", {"fr", "fr_FR"}), ("17.0", "fr_FR", {"fr", "fr_FR"}),
        ("14.0", "es_MX", {"es", "es_MX"}), ("16.0", "es_MX", {"es", "es_MX"}), ("17.0", "es_MX", {"es", "es_419", "es_MX"}),
        ("18.0", "es_ES", {"es", "es_ES"}), ("17.0", "es_419", {"es", "es_419"}), ("14.0", "es_419", {"es", "es_419"}),
        ("14.0", "zh_HK", {"zh", "zh_HK"}), ("18.0", "zh_HK", {"zh", "zh_HK"}), ("18.3", "zh_HK", {"zh", "zh_HK"}),
        ("18.4", "zh_HK", {"zh", "zh_HK", "zh_TW"}), ("19.0", "zh_HK", {"zh", "zh_HK", "zh_TW"}), ("19.0", "zh_TW", {"zh", "zh_TW"}),
        ("14.0", "sr@latin", {"sr@latin"}), ("19.0", "sr@Cyrl", {"sr@Cyrl"}), ("14.0", "ar_001", {"ar", "ar_001"}),
        ("19.0", "ca_ES@valencia", {"ca", "ca_ES@valencia"}), ("19.0", "sw", {"sw"}), ("14.0", "en_US", {"en", "en_US"}), ("19.0", "en_US", {"en", "en_US"}),
    ],
)  # fmt: skip
def test_each_series_has_its_own_rules(series, language, files):
    assert translation_files([language], series) == files


def test_missing_modules_and_dependencies():
    target = record(module(depends=["base", "gone"]), off=module(installable=False))
    changes = classify(record(), target, {**INSTALLED, "off": "1", "imported_by_hand": "1.0"}, [])
    assert changes.missing == ("gone", "imported_by_hand", "off")
    assert "off" not in changes.update


@pytest.mark.parametrize(
    ("version", "expected"),
    [("1.1", "19.0.1.1"), ("19.0.1.1", "19.0.1.1"), ("19.0", "19.0.19.0"), ("19.01.1", "19.0.19.01.1")],
)
def test_version_as_odoo_writes_it(version, expected):
    assert full_version("19.0", version) == expected
