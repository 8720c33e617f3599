# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our copy of Odoo's rules for languages beside the rules of the images at hand, asked in the image's own interpreter."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.changes import translation_files
from ansible_collections.sysgenpro.odoo.plugins.module_utils._release.model import LANGUAGE

IMAGE = os.environ.get("SYSGENPRO_ODOO_IMAGE", "sgp-lab/odoo-{}:latest")
SERIES = (os.environ.get("SYSGENPRO_TEST_SERIES") or "14.0,15.0,16.0,17.0,18.0,19.0").split(",")
# Further codes that people give languages of their own.
MORE = ["ca_ES@valencia", "zh_Hant_TW", "de_AT"]
_ASK = """
import csv, json, os, sys
import odoo, odoo.addons.base
from odoo.tools import translate
path = os.path.join(list(odoo.addons.base.__path__)[0], "data", "res.lang.csv")
with open(path, encoding="utf-8") as stream:
    codes = [row["code"] for row in csv.DictReader(stream)]
def files(code):
    found = []
    if hasattr(translate, "get_base_langs"):
        return translate.get_base_langs(code)
    if hasattr(translate, "get_po_paths"):
        def look(path, *further, **more):
            found.append(os.path.basename(path)[:-3])
            raise FileNotFoundError(path)
        translate.file_path = look
        list(translate.get_po_paths("base", code))
        return found
    from odoo.addons.base.models import ir_translation
    ir_translation.get_module_path = lambda name: "/"
    ir_translation.get_module_resource = lambda module, folder, name: found.append(name[:-3])
    ir_translation.IrTranslation._load_module_terms(None, ["base"], [code])
    return found
print(json.dumps({code: sorted(set(files(code))) for code in codes + sys.argv[1:]}))
"""


def ask(series: str) -> dict[str, Any]:
    """Which files the image's Odoo reads, by code."""
    image = IMAGE.format(series)
    if subprocess.run(["docker", "image", "inspect", image], capture_output=True, check=False).returncode:
        pytest.skip(f"there is no image {image} here")
    command = ["docker", "run", "--rm", "--network=none", "--entrypoint=python3", image, "-c", _ASK, *MORE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("series", SERIES)
def test_every_language_is_accepted_and_reads_the_files_that_odoo_reads(series: str) -> None:
    said = ask(series)
    assert len(said) > 70
    assert not [code for code in said if not LANGUAGE.fullmatch(code)]
    ours = {code: sorted(translation_files([code], series)) for code in said}
    assert {code: (ours[code], files) for code, files in said.items() if ours[code] != files} == {}
