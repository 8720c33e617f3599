# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A bundle's version follows from its files' content, not from their times.

Odoo hashes each file's name and modification time. In images the times are normalized, so a changed file would keep
its bundle's version, and browsers the old file; with times as they come, two builds of one source would differ.
"""

from __future__ import annotations

import hashlib
import os
from functools import lru_cache
from typing import Any, Optional

from odoo import tools
from odoo.addons.base.models import assetsbundle


@lru_cache(maxsize=16384)
def _digest(path: str, _mtime: int, _size: int, _inode: int) -> str:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


@lru_cache(maxsize=1)
def _builder() -> str:
    """What turns files into bundles is part of a version too: 16 hex digits over Odoo's own code for it."""
    files = [assetsbundle.__file__, os.path.join(os.path.dirname(tools.__file__), "js_transpiler.py")]
    digests = [_digest(path, 0, 0, 0) for path in files if os.path.exists(path)]
    return hashlib.sha256("".join(digests).encode()).hexdigest()[:16]


def content_of(asset: Any) -> Optional[str]:
    """Digest of the asset's file; None if it has none (inline, or an attachment: their text or date
    is in the version already)."""
    if not asset.inline and not asset._filename:
        try:
            asset.stat()
        except Exception:
            return None  # Odoo reports a missing file when it builds the bundle
    if not asset._filename:
        return None
    try:
        stat = os.stat(asset._filename)
        return _builder() + _digest(asset._filename, stat.st_mtime_ns, stat.st_size, stat.st_ino)
    except OSError:
        return None


def _by_content(cached: Any) -> property:
    """A descriptor with the digest in the place of the time. A plain property: each asset is asked once, its bundle
    remembers the sum."""
    described = getattr(cached, "func", None) or cached.fget  # functools' or Odoo's own kind of property

    def unique_descriptor(self: Any) -> str:
        text, digest = described(self), content_of(self)
        if not digest:
            return text
        named = text.replace(f",{self.last_modified}", f",{digest}", 1)
        return named if named != text else f"{text},{digest}"

    return property(unique_descriptor)


def install() -> None:
    """Odoo 17 and later describe each asset; before, the bundle combines its files' dates."""
    described = [
        kind for kind in vars(assetsbundle).values() if isinstance(kind, type) and "unique_descriptor" in vars(kind)
    ]
    for kind in described:  # styles have one of their own, with the direction of writing in it
        kind.unique_descriptor = _by_content(kind.unique_descriptor)
    if described:
        return
    bundle = assetsbundle.AssetsBundle
    name = "last_modified_combined" if hasattr(bundle, "last_modified_combined") else "last_modified"

    def dates(self: Any) -> str:
        assets = [
            assetsbundle.WebAsset(self, url=file["url"], filename=file["filename"], inline=file["content"])
            for file in self.files
            if file["url"] or file["content"]
        ]
        return ",".join(content_of(asset) or str(asset.last_modified) for asset in assets)

    setattr(bundle, name, property(dates))
