# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where Odoo finds modules, and what it makes of their manifests: Odoo itself is asked. Companion of digests.py.

Runs inside the image, in the interpreter that runs Odoo there (3.7 or later): so add-ons that pip installed beside Odoo, editable ones and an Odoo in a
virtual environment are found as they will be, and in that order. ``python3 finding.py --addons /opt/sysgenpro/addons --scratch DIRECTORY`` prints JSON.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Callable


def configure(addons: Iterable[str], scratch: str) -> Any:
    """Let Odoo set itself up with what it takes by itself, and ``addons`` behind that. Returns ``odoo.modules.module``."""
    conf = os.path.join(scratch, "finding.conf")
    with open(conf, "w", encoding="utf-8") as stream:
        stream.write("[options]\ndata_dir = {}\n".format(os.path.join(scratch, "data")))
    module: Any = import_module("odoo.modules.module")
    config: Any = import_module("odoo.tools").config
    config.parse_config(["-c", conf, "--log-level=error"])
    own = config["addons_path"] or []  # of a checkout, the directory addons beside the package
    if isinstance(own, str):  # up to 18
        config["addons_path"] = ",".join([*filter(None, own.split(",")), *addons])
    else:
        config["addons_path"] = [*own, *addons]
    module.initialize_sys_path()
    return module


def manifest_of(module: Any, name: str) -> Mapping[str, Any]:
    """A module's manifest as this series reads it; empty where it reads none."""
    if hasattr(module, "Manifest"):  # 19
        found = module.Manifest.for_addon(name, display_warning=False)
        return dict(found) if found is not None else {}
    reader = getattr(module, "get_manifest", None) or module.load_information_from_description_file
    return dict(reader(name) or {})


def checks(module: Any) -> tuple[Callable[[str], object], Callable[[str], object]]:
    """How this series looks for a Python package and for a program; either raises where it finds none."""
    check = getattr(module, "check_python_external_dependency", None)
    if check is None:  # up to 17
        base: Any = import_module("odoo.addons.base.models.ir_module")
        check = base.Module._check_python_external_dependency
    return check, import_module("odoo.tools").find_in_path


def lacking(manifest: Mapping[str, Any], python: Callable[[str], object], program: Callable[[str], object]) -> list[str]:
    """What a manifest asks for beside modules and this image has not."""
    wanted = manifest.get("external_dependencies") or {}
    found = []
    for kind, check in (("python", python), ("bin", program)):
        for name in wanted.get(kind) or ():
            try:
                check(name)
            except Exception:  # whatever a series raises
                found.append(str(name))
    return sorted(found)


def describe(module: Any, names: Iterable[str], notes: list[str]) -> dict[str, Any]:
    """Each module's place and what of its manifest decides whether and when Odoo installs it."""
    python, program = checks(module)
    found = {}
    for name in sorted(names):
        path = module.get_module_path(name, display_warning=False)
        try:
            manifest = manifest_of(module, name)
        except Exception as error:  # Odoo's own reader: an assertion, a syntax error, a version that is none
            notes.append(f"{name}: Odoo cannot read its manifest: {error}")
            manifest = {}
        if not path:
            continue
        automatic = manifest.get("auto_install")
        found[name] = {
            "path": path, "installable": bool(manifest.get("installable", False)), "depends": list(manifest.get("depends") or ()),
            "triggers": sorted(automatic) if isinstance(automatic, (list, tuple, set, frozenset)) else None,
            "countries": sorted(manifest.get("countries") or ()), "lacks": lacking(manifest, python, program),
        }  # fmt: skip
    return found


def languages(base: str) -> list[str]:
    """Codes of the languages that Odoo knows by itself."""
    with open(os.path.join(base, "data", "res.lang.csv"), encoding="utf-8") as stream:
        return sorted(row["code"] for row in csv.DictReader(stream))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--addons", action="append", default=[], help="a further directory with add-ons, in order")
    parser.add_argument("--scratch", required=True, help="a directory for Odoo's own files")
    arguments = parser.parse_args()
    sys.argv[1:] = []  # up to 16.0 Odoo looks at them when it is imported
    try:
        odoo: Any = import_module("odoo")
        import_module("odoo.addons")
        import_module("odoo.release")
    except ImportError as error:
        raise SystemExit(f"this Python ({sys.executable}) finds no Odoo: {error}") from None
    notes: list[str] = []
    module = configure(arguments.addons, arguments.scratch)
    path = [os.path.normpath(place) for place in odoo.addons.__path__ if os.path.isdir(place)]
    scratch = os.path.realpath(arguments.scratch)
    said = {
        "series": odoo.release.series, "home": os.path.dirname(os.path.abspath(odoo.release.__file__)),
        "path": [place for place in dict.fromkeys(path) if not os.path.realpath(place).startswith(scratch + os.sep)],
        "modules": describe(module, module.get_modules(), notes), "notes": notes,
        "languages": languages(module.get_module_path("base")),
    }  # fmt: skip
    json.dump(said, sys.stdout, sort_keys=True)


if __name__ == "__main__":
    main()
