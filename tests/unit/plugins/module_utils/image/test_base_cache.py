# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The builder's directory with what was read of base images."""

from __future__ import annotations

import os

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image import base_cache, kept
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.base_cache import BaseCache
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.build import ImageBuild
from ansible_collections.sysgenpro.odoo.plugins.module_utils._kernel.errors import DomainError

KEPT = b"sysgenpro-kept " + b"0" * 64 + b" " + kept._checksum(b"x") + b"\nx"


def test_the_builders_directory(tmp_path):
    cache = BaseCache(str(tmp_path / "a/b"), "sha256:12", {"x.py": b"1"})
    assert cache.read() == b""
    cache.write(KEPT)
    assert cache.read() == KEPT
    place = tmp_path / "a/b"
    (found,) = place.iterdir()
    assert (place.stat().st_mode & 0o777, found.stat().st_mode & 0o777) == (0o700, 0o600)
    for base, rules in (("sha256:13", {"x.py": b"1"}), ("sha256:12", {"x.py": b"2"})):
        assert BaseCache(str(place), base, rules).read() == b""
    found.write_bytes(KEPT[:-1])
    assert cache.read() == b""


def test_the_bases_built_on_last_stay(tmp_path):
    caches = [BaseCache(str(tmp_path), f"sha256:{n}", {}) for n in range(base_cache.FILES + 1)]
    for n, cache in enumerate(caches[:-1]):
        cache.write(KEPT)
        os.utime(cache._path, (n, n))
    (tmp_path / "somebody's").write_text("")
    caches[0].read()
    caches[-1].write(KEPT)
    assert [bool(cache.read()) for cache in caches] == [True, False, *[True] * (base_cache.FILES - 1)]
    assert (tmp_path / "somebody's").exists()


def test_a_directory_that_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    cache = BaseCache(str(tmp_path / "file"), "sha256:1", {})
    for use in (cache.read, lambda: cache.write(KEPT)):
        with pytest.raises(DomainError) as caught:
            use()
        assert caught.value.code == "cache_unusable"


class Container:
    """One in which reading the base is counted."""

    def __init__(self, gives: bytes) -> None:
        self.gives, self.read = gives, 0

    def read_base(self) -> bytes:
        self.read += 1
        return self.gives


@pytest.mark.parametrize(
    ("cache", "gives", "reads"),
    [("cache", KEPT, 1), ("", KEPT, 0), ("cache", b"", 2)],
    ids=["once", "without the option not apart from a release", "a base without Odoo"],
)
def test_a_base_is_read(tmp_path, cache, gives, reads):
    source = {"name": "r", "base": "registry:5000/base@sha256:" + "1" * 64}
    build, used = ImageBuild({"source": source, "cache": cache and str(tmp_path / cache)}), Container(gives)
    said = [build._read_base(used) for _time in range(2)]
    assert (said, used.read) == ([gives if cache else b""] * 2, reads)
    assert (tmp_path / "cache").exists() == bool(cache and gives)
