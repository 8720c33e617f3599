# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which Python runs Odoo, and what the record makes of what Odoo said of its modules."""

from __future__ import annotations

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.container import interpreter
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.digests import describe, found_in

LONG = "#!/bin/sh\n'''exec' /opt/a\\ b/venv/bin/python3.11 \"$0\" \"$@\"\n' '''\nimport sys\n"


@pytest.mark.parametrize(
    ("path", "text", "python"),
    [
        ("/usr/bin/odoo", "#!/usr/bin/python3\nimport odoo", "/usr/bin/python3"),
        ("/usr/bin/odoo", "#! /opt/venv/bin/python3.12 -I\n", "/opt/venv/bin/python3.12"),
        ("/opt/odoo-bin", "#!/usr/bin/env python3\n", "python3"),
        ("/opt/odoo-bin", "#!/usr/bin/env -S PYTHONPATH=/x python3.11 -s\n", "python3.11"),
        ("/opt/odoo/venv/bin/odoo", '#!/bin/sh\n\'\'\'exec\' "/a long/venv/bin/python3" "$0" "$@"\n', "/a long/venv/bin/python3"),
        ("/opt/odoo/venv/bin/odoo", LONG.replace("a\\ b", "ab"), "/opt/ab/venv/bin/python3.11"),
        ("/opt/venv/bin/python", "\x7fELF", "/opt/venv/bin/python"),
        ("/usr/bin/python3.13", "", "/usr/bin/python3.13"),
        ("/entrypoint.sh", "#!/bin/bash\nexec odoo \"$@\"\n", "python3"),
        ("/usr/bin/odoo", "", "python3"),
    ],
)
def test_the_interpreter_is_that_of_the_command(path: str, text: str, python: str) -> None:
    assert interpreter(path, text) == python


@pytest.fixture
def said(tmp_path):
    """What finding.py says of an Odoo with one module of its own, one out of pip before it and one add-on behind it."""
    places = {"pip": ("shop", "lib"), "home/addons": ("base", "shop"), "addons": ("extra", "lib", "unseen"), "empty": ()}
    for place, names in places.items():
        (tmp_path / place).mkdir(parents=True)
        for name in names:
            (tmp_path / place / name).mkdir()
            (tmp_path / place / name / "__manifest__.py").write_text(f"{{'version': '{len(place)}', 'auto_install': True}}")
    (tmp_path / "home/release.py").write_text("series = '19.0'\n")
    told = {"installable": True, "depends": ["base"], "triggers": None, "countries": [], "lacks": []}
    paths = {"base": "home/addons", "shop": "pip", "lib": "pip", "extra": "addons"}
    modules = {name: {**told, "path": str(tmp_path / place / name)} for name, place in paths.items()}
    return {"series": "19.0", "home": str(tmp_path / "home"), "path": [str(tmp_path / place) for place in places], "modules": modules, "notes": ["n"],
            "languages": ["en_US"]}


def test_modules_count_in_odoos_own_order(said, tmp_path):
    found = describe(said)
    assert {name: entry["version"] for name, entry in found["modules"].items()} == {"base": "11", "shop": "3", "lib": "3", "extra": "6"}
    assert found["addons_path"] == [str(tmp_path / place) for place in ("pip", "home/addons", "addons")], "a directory without modules is none of Odoo's"
    assert (found["notes"], found["languages"]) == (["n"], ["en_US"])


def test_what_odoo_makes_of_a_manifest_counts(said):
    said["modules"]["extra"].update(installable=False, triggers=["base"], depends=["base", "shop"], countries=["fr"], lacks=["x"])
    said["modules"]["lib"].update(triggers=["base"])
    found = describe(said)["modules"]
    assert {key: found["extra"][key] for key in ("installable", "auto_install", "triggers", "countries", "lacks")} == {
        "installable": False, "auto_install": True, "triggers": ["base"], "countries": ["fr"], "lacks": ["x"]}
    assert found["lib"]["auto_install"] and "triggers" not in found["lib"]
    assert not found["shop"]["auto_install"], "Odoo's word counts, not the manifest's"


def test_what_odoo_finds_elsewhere_is_noted(said):
    said["modules"]["zipped"] = {**said["modules"]["lib"], "path": "/somewhere/zipped"}
    assert describe(said)["notes"] == ["n", "zipped: Odoo finds it at /somewhere/zipped, where it cannot be read"]


def test_a_tree_that_cannot_run(said, tmp_path):
    found = describe(found_in(said["home"], [str(tmp_path / "addons")]))
    assert sorted(found["modules"]) == ["base", "extra", "lib", "shop", "unseen"]
    assert "languages" not in found
