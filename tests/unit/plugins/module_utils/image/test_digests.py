# Copyright: (c) 2026, SysGenPro
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Module digests on a made-up add-on, with every kind of syntax; real modules are in tests/integration/image."""

from __future__ import annotations

import pytest
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.declarations import References, parse, write
from ansible_collections.sysgenpro.odoo.plugins.module_utils._image.digests import describe, digest, found_in

SYNTAX = b'''
"""Docstring."""
from x import (a as b, c)
N = -1.5e3 + 2j if not a else {**b, "k": [i for i in (1, 2) if i], "u": u"\\u00e9", "b": b"\\x00"}
T: "dict[str, int]" = {1, 2}
@deco(1, *a, k=lambda self, /, x=1, *y, z, **w: self.m(x)[1:2, ..., None])
class C(Base, metaclass=M):
    """Docstring."""
    f = F(f"{a!r:>{w}} and {b['x']}", default=(y := 3))
    async def m(self): return await x
    def n(self):
        with a as b, c: yield from d
        try: raise E from e
        except (A, B) as e: del e
        else: assert 1, "x"
        finally: global g
        while 1: continue
        a @= b; a[1:] = c; a.b, *d = e; nonlocal_ = not a or b and c < d <= e is not f
'''


def test_the_same_bytes_on_every_python():
    """Both test lines run this on their own Python; the figure was taken on 3.8 to 3.13."""
    out: list[str] = []
    write(parse(SYNTAX), out, References())
    assert digest(["".join(out).encode()]) == GOLDEN


GOLDEN = "bd5119ac56248bab079a2dbd1bcdbcb0"


@pytest.fixture
def tree(tmp_path):
    odoo = tmp_path / "odoo"
    for name in ("base", "shop"):
        (odoo / "addons" / name / "models").mkdir(parents=True)
        (odoo / "addons" / name / "__manifest__.py").write_text('{"name": "x", "version": "1.0", "data": ["d.xml"]}')
        (odoo / "addons" / name / "__init__.py").write_text("from . import models\n")
        (odoo / "addons" / name / "d.xml").write_text("<odoo/>")
        (odoo / "addons" / name / "models" / "a.py").write_text("class A(Model):\n    def f(self):\n        pass\n")
    (odoo / "release.py").write_text("series = '19.0'\n")
    (odoo / "http.py").write_text("")
    return odoo


def shop(tree):
    return describe(found_in(str(tree), []))["modules"]["shop"]


def test_missing_data_file_is_noted_and_counts(tree):
    before = shop(tree)
    (tree / "addons/shop/d.xml").unlink()
    said = describe(found_in(str(tree), []))
    assert said["notes"] == ["shop: d.xml is named in its manifest and missing"]
    assert said["modules"]["shop"]["schema"] != before["schema"]


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b"os.system('x')", b"[]", b"{'version': open('x')}"])
def test_a_manifest_that_is_none(tree, content):
    (tree / "addons/shop/__manifest__.py").write_bytes(content)
    assert shop(tree)["installable"] is False


def test_python_that_is_none_counts_by_its_bytes(tree):
    place = tree / "addons/shop/models/old.py"
    place.write_text("print 'x'\n")
    first = describe(found_in(str(tree), []))
    place.write_text("print 'y'\n")
    assert first["notes"] == ["shop: models/old.py is no Python that this Python reads"]
    assert shop(tree)["schema"] != first["modules"]["shop"]["schema"]


def test_byte_code_links_and_loops(tree):
    before = shop(tree)
    (tree / "addons/shop/__pycache__").mkdir()
    (tree / "addons/shop/__pycache__/a.pyc").write_bytes(b"x")
    assert shop(tree) == before
    (tree / "addons/shop/loop").symlink_to(tree / "addons/shop")
    (tree / "addons/shop/nowhere").symlink_to("/does/not/exist")
    assert shop(tree)["schema"] == before["schema"]


def test_the_first_of_two_modules_counts(tree, tmp_path):
    other = tmp_path / "more" / "shop"
    other.mkdir(parents=True)
    (other / "__manifest__.py").write_text('{"version": "9"}')
    said = describe(found_in(str(tree), [str(tmp_path / "more")]))
    assert said["modules"]["shop"]["version"] == "1.0"
    assert said["addons_path"] == [str(tree / "addons"), str(tmp_path / "more")]


def test_data_that_calls_a_method_makes_its_body_count(tree):
    model = tree / "addons/shop/models/a.py"
    (tree / "addons/shop/d.xml").write_text('<odoo><function model="a" name="fill"/></odoo>')
    text = "class A(Model):\n    _name = 'a'\n    def fill(self):\n        self._one()\n    def _one(self):\n        return {}\n"
    model.write_text(text.format(1))
    before = shop(tree)
    model.write_text(text.format(2))
    assert shop(tree)["parts"]["hooks"] != before["parts"]["hooks"]
