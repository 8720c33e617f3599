# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A build's documents as a builder makes them, of a small image that is described by hand; the signatures are real."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.describing import Describing
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.record import Reference

IMAGE = Reference("registry.example.com:5000", "odoo", "sha256:" + "c3" * 32)
COMMIT = "ab" * 20
BASE = "sha256:" + "d4" * 32
SOURCE: dict[str, Any] = {
    "name": "r1", "series": "19.0", "base": f"registry.example.com:5000/odoo-base@{BASE}", "python_lock": "sha256:" + "e5" * 32, "system_packages": {}, "command": ["odoo"],
    "rules": 1, "addons": [{"name": "sysgenpro", "path": "addons", "digest": "sha256:" + "f6" * 32, "place": "opt/sysgenpro/addons"},
                           {"name": "shop", "url": "https://git.example.com/shop.git", "commit": COMMIT, "place": "opt/addons/shop"}]}
RECORD: dict[str, Any] = {"source": SOURCE, "modules": {
    "base": {"version": "1.3"}, "sysgenpro_ready": {"version": "19.0.1.0.0"}, "shop_till": {"version": "19.0.2.1.0"}}}
CONTENTS: dict[str, Any] = {
    "system": {"id": "debian", "version_id": "13", "pretty_name": "Debian GNU/Linux 13 (trixie)"}, "interpreter": "3.13.5",
    "debian": [{"name": "libc6", "version": "2.41-12", "architecture": "amd64", "source": "glibc", "source_version": "2.41-12"},
               {"name": "gcc-14-base", "version": "14.2.0-19", "architecture": "amd64", "source": "gcc-14", "source_version": "14.2.0-19"}],
    "odoo": {"version": "19.0-20251201", "series": "19.0", "commit": ""},
    "python": [{"name": "Werkzeug", "version": "3.0.1", "place": "/usr/lib/python3/dist-packages"}, {"name": "zope.event", "version": "5.0", "place": "/opt/sysgenpro/python"}],
    "modules": {"/opt/sysgenpro/addons": ["sysgenpro_ready"], "/opt/addons/shop": ["shop_till", "shop_undescribed"]}}
SEEN = {"shop": {"digest": "sha256:" + "a7" * 32, "signed_by": "vera@example.com", "key": "SHA256:abc", "reviewed": True, "signers": "sha256:" + "b8" * 32}}


def described(key: str = "", by: str = "", image: Reference = IMAGE, record: dict[str, Any] = RECORD, contents: dict[str, Any] = CONTENTS,
              seen: dict[str, Any] = SEEN, afterwards: bool = False) -> dict[str, bytes]:
    return Describing({"key": key, "by": by, "materials": seen}).documents(image, record, contents, "28.0", afterwards)


def builder_key(directory: Path) -> str:
    return str(directory / "build" / "key")
