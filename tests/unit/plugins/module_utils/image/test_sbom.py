# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The SBOM against CycloneDX's official schema, its package URLs against their own parser, and what is looked for in an image."""

from __future__ import annotations

import json
import os
import runpy
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import contents, sbom
from ansible_collections.sysgenpro.odoo.tests.unit.plugins.module_utils.image.documents import (
    COMMIT,
    CONTENTS,
    IMAGE,
    RECORD,
    SOURCE,
)
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

AT = "2026-11-30T21:00:00+00:00"
ALIKE = {**CONTENTS, "python": CONTENTS["python"] * 2, "system": {}, "odoo": {"version": "19.0", "series": "19.0", "commit": COMMIT}}
BY_SSH = {**RECORD, "source": {**SOURCE, "addons": [{**SOURCE["addons"][1], "url": "git@git.example.com:shop/shop.git"}]}}
NOBODYS = {**CONTENTS, "modules": {}, "python": [], "debian": [{**CONTENTS["debian"][0], "version": "1:2.0~rc1+b1"}]}


def bill(contents: dict[str, Any] = CONTENTS, record: dict[str, Any] = RECORD) -> dict[str, Any]:
    return sbom.bill(IMAGE, record, contents, AT)


@pytest.mark.parametrize("found", [bill(), bill(ALIKE), bill(record=BY_SSH), bill(NOBODYS)], ids=["whole", "alike", "by SSH", "little"])
def test_the_official_schema(found: dict[str, Any]) -> None:
    errors = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found))
    assert errors is None, errors


def test_the_schema_would_find_a_mistake() -> None:
    found = bill()
    found["components"][0]["kind"] = "x"
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(found)) is not None


def test_what_is_in_it() -> None:
    parts = {one["name"]: one for one in bill()["components"]}
    assert parts["libc6"]["purl"] == "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13"
    assert parts["zope.event"]["purl"] == "pkg:pypi/zope-event@5.0" and parts["Werkzeug"]["version"] == "3.0.1"
    assert parts["shop_till"]["version"] == "19.0.2.1.0" and parts["shop_till"]["pedigree"]["commits"][0]["uid"] == COMMIT
    assert parts["sysgenpro_ready"]["properties"] == [{"name": "sysgenpro:folder", "value": SOURCE["addons"][0]["digest"]}]
    assert [one["name"] for one in parts["odoo"]["components"]] == ["base"] and "unknown" in parts["odoo"]["properties"][0]["value"]
    assert {one["name"]: one for one in bill(ALIKE)["components"]}["odoo"]["pedigree"] == {"commits": [{"uid": COMMIT}]}
    assert IMAGE.digest in bill()["metadata"]["component"]["version"]


@pytest.mark.parametrize("found", [bill(), bill(ALIKE), bill(record=BY_SSH), bill(NOBODYS)], ids=["whole", "alike", "by SSH", "little"])
def test_package_urls(found: dict[str, Any]) -> None:
    whole = [found["metadata"]["component"], *found["components"]]
    for one in whole:
        if "purl" in one:
            parsed = PackageURL.from_string(one["purl"])
            assert parsed.version == (one.get("version") or parsed.version), one
            assert PackageURL.from_string(parsed.to_string()) == parsed
    assert len({one["bom-ref"] for one in whole}) == len(whole)


# -- looking, on real files -----------------------------------------------------------------------

def test_distributions(tmp_path: Path) -> None:
    for name, text in {"a-1.dist-info/METADATA": "Metadata-Version: 2.1\nName: A\nVersion: 1\n\nName: not this\n", "b.egg-info/PKG-INFO": "Name: b\nVersion: 2\n",
                       "c-3.egg-info": "Name: c\nVersion: 3\n", "d-4.dist-info/METADATA": "Name: d\n", "e-5.dist-info/RECORD": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    place = str(tmp_path)
    assert contents.python([place, place]) == [{"name": name, "version": version, "place": place} for name, version in (("A", "1"), ("b", "2"), ("c", "3"))]


def test_debian_s_packages_are_those_that_are_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By dpkg itself, over a database of its own."""
    (tmp_path / "status").write_text("".join(
        f"Package: {name}\nStatus: {status}\nArchitecture: amd64\nVersion: {version}\nMaintainer: x\nDescription: x\n{more}\n" for name, status, version, more in (
            ("libc6", "install ok installed", "2.41-12", "Source: glibc (2.41-11)\n"), ("gone", "deinstall ok config-files", "1", ""), ("held", "hold ok installed", "3", ""))))
    for name in ("info", "updates", "triggers"):
        (tmp_path / name).mkdir()
    monkeypatch.setenv("DPKG_ADMINDIR", str(tmp_path))
    assert contents.debian() == [
        {"name": "held", "version": "3", "architecture": "amd64", "source": "held", "source_version": "3"},
        {"name": "libc6", "version": "2.41-12", "architecture": "amd64", "source": "glibc", "source_version": "2.41-11"}]


@pytest.mark.parametrize(("files", "commit"), [
    ({".git/HEAD": COMMIT}, COMMIT), ({".git/HEAD": "ref: refs/heads/19.0", ".git/refs/heads/19.0": COMMIT}, COMMIT),
    ({".git/HEAD": "ref: refs/heads/19.0", ".git/packed-refs": f"# x\n{'0' * 40} refs/heads/18.0\n{COMMIT} refs/heads/19.0"}, COMMIT),
    ({".git/HEAD": "ref: refs/heads/19.0"}, ""), ({"x": ""}, "")])
def test_the_commit_of_a_checkout(tmp_path: Path, files: dict[str, str], commit: str) -> None:
    for name, text in files.items():
        os.makedirs((tmp_path / name).parent, exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    inside = tmp_path / "odoo" / "addons"
    inside.mkdir(parents=True)
    if commit or ".git/HEAD" in files:
        assert contents.commit_of(str(inside)) == commit


def test_modules(tmp_path: Path) -> None:
    for name in ("one/__manifest__.py", "two/__openerp__.py", "three/README", "__manifest__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert contents.modules([str(tmp_path), "/nowhere"]) == {str(tmp_path): ["one", "two"], "/nowhere": []}


def test_it_runs_alone() -> None:
    """As in an image: its file and nothing of the collection."""
    assert callable(runpy.run_path(contents.__file__)["main"])
