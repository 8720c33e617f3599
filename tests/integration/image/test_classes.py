# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The class of real changes to real modules of Odoo 14 and 19, beside what click-odoo-update would choose.

Needs Docker with the lab's images, and click-odoo-contrib. With ``SYSGENPRO_WRITE_CLASSES=docs/reference/classes.md`` it writes
that page.
"""

from __future__ import annotations

import importlib.util
import io
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.digests import describe, found_in
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import Record
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.changes import classify, full_version
from click_odoo_contrib._addon_hash import addon_hash

from .cases import CASES, Case

MODULES = ["base", "product", "sale", "sale_stock", "stock"]
IMAGES = {series: os.environ.get("SYSGENPRO_ODOO_IMAGE", "sgp-lab/odoo-{}:latest").format(series) for series in ("14.0", "19.0")}
LANGUAGES = ["en_US", "fr_FR"]
PLACE = "/usr/lib/python3/dist-packages"
# Its module update.py imports Odoo, so the constant is read from its text.
_UPDATE = Path(importlib.util.find_spec("click_odoo_contrib").origin).with_name("update.py").read_text()
EXCLUDED = re.search(r'^DEFAULT_EXCLUDE_PATTERNS = "(.*)"$', _UPDATE, re.MULTILINE)[1].split(",")
PAIRS = [(case, series) for case in CASES for series in case.series]


def fetch(series: str, target: Path) -> Path:
    """A few modules and the framework out of the image."""
    # Languages other than those of the cases are left out: they are most of the bytes.
    tar = ["docker", "run", "--rm", "--network=none", IMAGES[series], "tar", "--create", "--directory=" + PLACE,
           "--exclude=*/i18n/[!fd]*", "--exclude=*/__pycache__"]  # fmt: skip
    for what in (["--exclude=odoo/addons/*", "odoo"], [f"odoo/addons/{name}" for name in MODULES]):
        options = [*tar, *what]
        archive = subprocess.run(options, check=True, stdout=subprocess.PIPE).stdout
        with tarfile.open(fileobj=io.BytesIO(archive)) as files:
            files.extractall(target, filter="fully_trusted")
    return target / "odoo"


def record(odoo: Path) -> Record:
    said = describe(found_in(str(odoo), []))
    return Record.parse({"format": 1, "source": {}, "command": ["odoo"], "wkhtmltopdf": None, **said})


def ours(before: Record, after: Record, module: str) -> str:
    installed = {name: full_version(before.series, entry.version) for name, entry in before.modules.items()}
    changes = classify(before, after, installed, LANGUAGES)
    others = (set(changes.update) | set(changes.code)) - {module}
    assert not others, f"{others} changed as well"
    return "update" if module in changes.update else "code" if module in changes.code else "none"


def theirs(odoo: Path, module: str) -> str:
    """The hash by which click-odoo-update decides, with its default patterns."""
    return addon_hash(str(odoo / "addons" / module), EXCLUDED, LANGUAGES)


class Trees:
    """An untouched tree for each series, and a copy of one module for each case."""

    def __init__(self, root: Path) -> None:
        self.odoo = {series: fetch(series, root / series) for series in IMAGES}
        self.records = {series: record(odoo) for series, odoo in self.odoo.items()}
        self.rows: list[tuple[Case, str, str, str]] = []

    def run(self, case: Case, series: str) -> tuple[str, str]:
        """(our choice, click-odoo-update's choice)."""
        odoo = self.odoo[series]
        kept, place = odoo.parent / "kept", odoo / "addons" / case.module
        shutil.copytree(place, kept)
        before = theirs(odoo, case.module)
        try:
            case.edit(odoo / "addons")
            mine = ours(self.records[series], record(odoo), case.module)
            other = "update" if theirs(odoo, case.module) != before else "none"
            self.rows.append((case, series, mine, other))
            return mine, other
        finally:
            shutil.rmtree(place)
            kept.rename(place)


@pytest.fixture(scope="session")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trees]:
    made = Trees(tmp_path_factory.mktemp("odoo"))
    yield made
    if os.environ.get("SYSGENPRO_WRITE_CLASSES"):
        Path(os.environ["SYSGENPRO_WRITE_CLASSES"]).write_text(page(made.rows), encoding="utf-8")


@pytest.mark.parametrize(("case", "series"), PAIRS, ids=[f"{case.title}-{series}" for case, series in PAIRS])
def test_class(trees: Trees, case: Case, series: str) -> None:
    mine, other = trees.run(case, series)
    assert mine == case.expected
    if (mine == "update") != (other == "update"):
        assert case.why, f"click-odoo-update says {other}: the table has to say why"
    else:
        assert not case.why or mine != "update"


@pytest.mark.parametrize("series", sorted(IMAGES))
def test_the_same_tree_has_the_same_digests(trees: Trees, series: str) -> None:
    assert record(trees.odoo[series]).raw == trees.records[series].raw


@pytest.mark.parametrize("series", sorted(IMAGES))
def test_the_framework_counts_into_base(trees: Trees, series: str) -> None:
    odoo = trees.odoo[series]
    for path, expected in (("tools/sql.py", "update"), ("http.py", "code")):
        kept = (odoo / path).read_bytes()
        try:
            (odoo / path).write_bytes(kept + b"\n\ndef added():\n    return 1\n")
            assert ours(trees.records[series], record(odoo), "base") == expected
        finally:
            (odoo / path).write_bytes(kept)


def page(rows: list[tuple[Case, str, str, str]]) -> str:
    """docs/reference/classes.md."""
    head = """# Which change makes which release

Made by `tests/integration/image/test_classes.py` from real modules of Odoo 14.0 and 19.0; do not edit. `update` means
hold and `-u`, `code` means blue-green, `none` means that the module is as it was. click-odoo-update chooses by
its own hash function; it knows `update` and nothing.

| change | series | class | click-odoo-update | where they differ |
|---|---|---|---|---|
"""
    merged: dict[tuple[str, str, str], list[str]] = {}
    why = {case.title: case.why for case, _series, _mine, _other in rows}
    for case, series, mine, other in rows:
        merged.setdefault((case.title, mine, other), []).append(series)
    lines = []
    for (title, mine, other), found in merged.items():
        differs = why[title] if (mine == "update") != (other == "update") else ""
        lines.append(f"| {title} | {', '.join(found)} | {mine} | {other} | {differs} |\n")
    return head + "".join(lines)
