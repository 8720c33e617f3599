# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Says what is installed in an image: Debian packages, Python distributions, Odoo and its modules.

Runs inside the image, in the interpreter that runs Odoo there (3.7 or later), and uses its standard library only. ``python3 contents.py --addons
/opt/addons/shop`` prints JSON. Nothing is imported but Odoo's own ``odoo.release``, so no distribution has a hand in what is said of it.
"""

from __future__ import annotations

import argparse
import email.parser
import glob
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

FIELDS = ("db:Status-Abbrev", "Package", "Version", "Architecture", "source:Package", "source:Version")
MANIFESTS = ("__manifest__.py", "__openerp__.py")


def debian() -> list[dict[str, str]]:
    """Every installed package of Debian's or Ubuntu's; a package that was removed and left its settings is none."""
    shown = "\t".join("${" + field + "}" for field in FIELDS) + "\n"
    command = ["dpkg-query", "--show", "--showformat=" + shown]
    said = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout.decode("utf-8", "replace")  # pylint: disable=ansible-bad-function
    rows = [line.split("\t") for line in said.splitlines()]
    return [{"name": row[1], "version": row[2], "architecture": row[3], "source": row[4], "source_version": row[5]} for row in rows if row[0][1:2] == "i"]


def python(path: Iterable[str]) -> list[dict[str, str]]:
    """Every distribution that this interpreter finds, by its metadata on disk (PEP 376, and eggs before it)."""
    found: dict[tuple[str, str], dict[str, str]] = {}
    for place in path:
        for pattern in ("*.dist-info/METADATA", "*.egg-info/PKG-INFO", "*.egg-info"):
            for name in sorted(glob.glob(os.path.join(glob.escape(place), pattern))):
                if os.path.isfile(name):
                    with open(name, encoding="utf-8", errors="replace") as stream:
                        said = email.parser.Parser().parse(stream, headersonly=True)
                    one = {"name": str(said.get("Name") or "").strip(), "version": str(said.get("Version") or "").strip(), "place": place}
                    if one["name"] and one["version"]:
                        found.setdefault((one["name"].lower(), one["version"]), one)
    return [one for _key, one in sorted(found.items())]


def commit_of(directory: str) -> str:
    """The commit of the checkout in which a directory lies, by Git's own files; empty where it lies in none."""
    while not os.path.isdir(os.path.join(directory, ".git")):
        if os.path.dirname(directory) == directory:
            return ""
        directory = os.path.dirname(directory)
    git = os.path.join(directory, ".git")
    head = _text(os.path.join(git, "HEAD"))
    if not head.startswith("ref: "):
        return head
    name = head[len("ref: "):]
    packed = [line.split(" ") for line in _text(os.path.join(git, "packed-refs")).splitlines() if line.endswith(" " + name)]
    return _text(os.path.join(git, name)) or (packed[0][0] if packed else "")


def _text(path: str) -> str:
    try:
        with open(path, encoding="utf-8") as stream:
            return stream.read().strip()
    except (OSError, UnicodeDecodeError):
        return ""


def system() -> dict[str, str]:
    """What os-release(5) says."""
    lines = [line.partition("=") for line in _text("/etc/os-release").splitlines() if "=" in line]
    return {key.lower(): value.strip("\"'") for key, _equal, value in lines if key in ("ID", "VERSION_ID", "PRETTY_NAME")}


def odoo() -> dict[str, str]:
    """Odoo's version, and the commit of its source where it is a checkout."""
    release: Any = import_module("odoo.release")
    return {"version": str(release.version), "series": str(release.series), "commit": commit_of(os.path.dirname(os.path.abspath(release.__file__)))}


def modules(places: Iterable[str]) -> dict[str, list[str]]:
    """Names of the modules in each directory with add-ons."""
    return {place: sorted(name for name in (os.listdir(place) if os.path.isdir(place) else ())
                          if any(os.path.isfile(os.path.join(place, name, manifest)) for manifest in MANIFESTS)) for place in places}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--addons", action="append", default=[], help="a directory with add-ons")
    arguments = parser.parse_args()
    said = {"system": system(), "debian": debian(), "odoo": odoo(), "modules": modules(arguments.addons),
            "python": python(place for place in dict.fromkeys(sys.path[1:]) if os.path.isdir(place)), "interpreter": sys.version.split(" ", 1)[0]}
    json.dump(said, sys.stdout, sort_keys=True)


if __name__ == "__main__":
    main()
